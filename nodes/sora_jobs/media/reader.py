"""The decoder's pictures, in order, each converted only if it is wanted.

OpenCV reads ordinary files. PyAV reads those that OpenCV cannot be trusted with: colours that it gets wrong or that the
user chooses, damaged files (at an error OpenCV drops what it still holds), and pictures far behind the beginning, since
OpenCV's seeking is not exact.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import MediaError
from . import container
from .colour import colour_of, opencv_is_right, opencv_reads_fields
from .opencv_reader import OpencvReader, Take
from .pyav_reader import PyavReader
from .recount import recounted
from .resize import Pixels
from .selection import FrameChoice, Plan, plan
from .source import Source

Cancelled = Callable[[], bool]
Buffer = Callable[[], Pixels | None]
Window = tuple[float, float]  # (start, duration) in seconds
WHOLE_FILE: Window = (0.0, 0.0)

PLAIN = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")


class Miscounted(Exception):
    """The decoder gave other frames than the packets promised; `source` has its own count and times, or doubts it."""

    def __init__(self, source: Source) -> None:
        super().__init__(f"{source.info.frames} frames")
        self.source = source


def planned(source: Source, choice: FrameChoice, window: Window = WHOLE_FILE) -> Plan:
    """The plan for a file, or for the piece of it that begins at `window[0]` and is `window[1]` seconds long (0: to the
    end); MediaError when it leaves no frame, saying how many there are."""
    start_s, length_s = window
    count = len(source.times_s)
    since_s = source.times_s + source.tick_s / 2  # a time is rounded to ticks
    first = int(np.searchsorted(since_s, start_s)) if start_s > 0 else 0
    last = int(np.searchsorted(since_s, start_s + length_s)) if length_s > 0 else count
    if first >= last:
        raise MediaError(
            f"The trimmed piece ({start_s:g} s, {length_s:g} s long) holds no frame of {source.path.name}, which is "
            f"{source.info.duration_s:.2f} s long.",
            hint="Trim it otherwise.",
            code="no_frame_chosen",
        )
    made = plan(choice, source.times_s[first:last], source.rate, even=source.info.even, tick_s=source.tick_s)
    made = replace(made, indices=made.indices + first, open_end=made.open_end and last == count)
    if not len(made.indices):
        raise MediaError(
            f"The choice leaves no frame: {source.path.name} has {source.info.frames} "
            f"({source.info.duration_s:.2f} s at {source.info.fps:g} a second).",
            hint=f"skip_first_frames is {choice.skip_first_frames}; make it smaller.",
            code="no_frame_chosen",
        )
    return without_lost(source, made, resampled=choice.force_rate > 0)


def without_lost(source: Source, made: Plan, *, resampled: bool) -> Plan:
    """The plan without the frames that are known to be lost. Where it samples by time the frame before stands for each;
    else they are left out, and the others are shown for as long as all were meant to be. MediaError where none is
    left."""
    lost = np.isin(made.indices, source.lost)
    if not lost.any():
        return made
    if resampled:
        there = source.numbers
        before = np.searchsorted(there, made.indices, side="right") - 1
        return replace(made, indices=there[np.maximum(0, before)])
    kept = made.indices[~lost]
    if not len(kept):
        first, last = made.indices[0], made.indices[-1]
        raise MediaError(
            f"None of the chosen frames of {source.path.name} ({first} to {last}) can be decoded; the file is damaged.",
            hint=f"Choose others: {len(source.numbers)} of its frames can be decoded. {container.DOWNLOAD_AGAIN_HINT}",
            code="not_decodable",
        )
    return replace(made, indices=kept, fps=len(kept) / made.duration_s)


def reader_for(source: Source, made: Plan, untagged: str = "auto", file: Any = None) -> PyavReader | OpencvReader:
    """The reader that serves this file and plan best; `untagged` as in `colour_of`; `file` is the source's, if it is
    open."""
    info, colour = source.info, colour_of(source.info, untagged)
    runs = source.runs(np.unique(made.indices).tolist())
    far = len(runs) > 1 or runs[0][0] > 0
    # OpenCV has no way to be told the matrix of a file that names none.
    plain = info.pixel_format in PLAIN and info.colour_matrix != "unspecified" and opencv_is_right(colour)
    whole = source.first_stream and not source.doubted and (not source.fields or opencv_reads_fields())
    damaged = source.recounted or info.cut_short or source.late or info.headless > 0
    if not (damaged or far or not plain or not whole):
        with contextlib.suppress(Exception):  # what OpenCV cannot open, PyAV has just read through
            return OpencvReader(source)
    return PyavReader(source, colour, file if far else None)


def pictures(
    reader: PyavReader | OpencvReader,
    source: Source,
    made: Plan,
    *,
    buffer: Buffer = lambda: None,
    cancelled: Cancelled | None = None,
) -> Generator[tuple[int, range, Pixels]]:
    """(source frame number, its positions in the plan, BGR picture) for each frame that the plan names.

    Frames that it does not name are not converted, and none is decoded behind the last one that it could need.
    Miscounted is raised at the end when the plan's frames did not all come, or would have been others had the true
    number of frames been known; a file whose frames were counted by the decoder just ends. `buffer` gives a picture to
    write into. Raises concurrent.futures.CancelledError (which asyncio turns into its own) once `cancelled()` is true.
    """
    names, starts, counts = np.unique(made.indices, return_index=True, return_counts=True)
    wanted = {int(name): range(start, start + count) for name, start, count in zip(names, starts, counts, strict=True)}
    missing = set(wanted)
    for number, take in reader.frames(wanted, open_end=made.open_end):
        if cancelled is not None and cancelled():
            raise concurrent.futures.CancelledError
        if number in missing:
            missing.remove(number)
            picture = _taken(reader, source, take, buffer)
            if isinstance(reader, OpencvReader) and reader.stands_still(picture):
                raise Miscounted(replace(source, doubted=True))
            yield number, wanted[number], picture
    if not source.recounted and (missing or reader.strange):
        raise Miscounted(recounted(source))


def _taken(reader: PyavReader | OpencvReader, source: Source, take: Take, buffer: Buffer) -> Pixels:
    """The picture. What OpenCV cannot convert, whatever it raises over it, is read with PyAV."""
    try:
        return take(buffer())
    except Exception as error:
        if isinstance(reader, OpencvReader):
            raise Miscounted(replace(source, doubted=True)) from error
        raise
