"""The decoder's pictures, in order, each converted only if it is wanted.

OpenCV reads ordinary files. PyAV reads those that OpenCV cannot be trusted with: colours that it gets wrong or that the
user chooses, damaged files (at an error OpenCV drops what it still holds), and pictures far behind the beginning, since
OpenCV's seeking is not exact.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import MediaTrouble
from . import container
from .choice import FrameChoice, Plan, plan
from .colour import colour_of, opencv_is_right, opencv_reads_fields
from .probe import Source
from .reader_av import PyavReader
from .reader_cv2 import OpencvReader
from .resize import Pixels
from .times import spacing

Cancelled = Callable[[], bool]
Buffer = Callable[[], Pixels | None]
Window = tuple[float, float]  # (start, duration) in seconds
WHOLE: Window = (0.0, 0.0)

PLAIN = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")


class Miscounted(Exception):
    """The decoder gave other frames than the packets promised; `source` has its own count and times, or doubts it."""

    def __init__(self, source: Source) -> None:
        super().__init__(f"{source.info.frames} frames")
        self.source = source


def planned(source: Source, choice: FrameChoice, window: Window = WHOLE) -> Plan:
    """The plan for a file, or for the piece of it that begins at `window[0]` and is `window[1]` seconds long (0: to the
    end); MediaTrouble when it leaves no frame, saying how many there are."""
    start_s, length_s = window
    count = len(source.times_s)
    since_s = source.times_s + source.tick_s / 2  # a time is rounded to ticks
    first = int(np.searchsorted(since_s, start_s)) if start_s > 0 else 0
    last = int(np.searchsorted(since_s, start_s + length_s)) if length_s > 0 else count
    if first >= last:
        raise MediaTrouble(
            f"The trimmed piece ({start_s:g} s, {length_s:g} s long) holds no frame of {source.path.name}, which is "
            f"{source.info.duration_s:.2f} s long.",
            advice="Trim it otherwise.",
        )
    made = plan(choice, source.times_s[first:last], source.rate, even=source.info.even, tick_s=source.tick_s)
    made = replace(made, indices=made.indices + first, open_end=made.open_end and last == count)
    if not len(made.indices):
        raise MediaTrouble(
            f"The choice leaves no frame: {source.path.name} has {source.info.frames} "
            f"({source.info.duration_s:.2f} s at {source.info.fps:g} a second).",
            advice=f"skip_first_frames is {choice.skip_first_frames}; make it smaller.",
        )
    return made


def reader_for(source: Source, made: Plan, untagged: str = "auto", file: Any = None) -> PyavReader | OpencvReader:
    """The reader that serves this file and plan best; `untagged` as in `colour_of`; `file` is the source's, if it is
    open."""
    info, look = source.info, colour_of(source.info, untagged)
    runs = source.runs(np.unique(made.indices).tolist())
    far = len(runs) > 1 or runs[0][0] > 0
    # OpenCV has no way to be told the matrix of a file that names none.
    plain = info.pixel_format in PLAIN and info.colour_matrix != "unspecified" and opencv_is_right(look)
    whole = source.first_stream and not source.doubted and (not source.fields or opencv_reads_fields())
    if source.recounted or info.cut_short or far or not plain or not whole:
        return PyavReader(source, look, file if far else None)
    return OpencvReader(source)


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
            picture = take(buffer())
            if isinstance(reader, OpencvReader) and reader.stands_still(picture):
                raise Miscounted(replace(source, doubted=True))
            yield number, wanted[number], picture
    if not source.recounted and (missing or reader.strange):
        raise Miscounted(recounted(source))


def recounted(source: Source) -> Source:
    """The same file with the frames that the decoder gives, and their times."""
    with PyavReader(source, colour_of(source.info)) as reader:
        stamps = reader.stamps()
    if not stamps:
        raise MediaTrouble(f"No frame of {source.path.name} can be decoded.", advice=container.AGAIN)
    known = np.unique(np.array([stamp for stamp in stamps if stamp is not None], np.int64))
    rate, even = source.rate, source.info.even
    if len(known) == len(stamps):
        # Where some are lost the others keep their times, and are not evenly spaced any more.
        times_s = source.times_s[0] + (known - (source.stamps[0] if len(source.stamps) else known[0])) * source.tick_s
        rate, even = spacing(times_s, source.tick_s, [rate])
    else:
        known = known[:0]
        times_s = source.times_s[0] + np.arange(len(stamps)) / float(rate)
    # A sample of an MP4 is a frame; elsewhere two packets may make one (fields), or one none (hidden frames).
    lost = source.info.declared_frames > 0 and len(stamps) < source.info.frames
    info = replace(
        source.info,
        frames=len(stamps),
        fps=float(rate),
        even=even,
        duration_s=float(times_s[-1] - times_s[0]) + 1 / float(rate),
        cut_short=source.info.cut_short or lost,
    )
    return replace(source, info=info, times_s=times_s, rate=rate, stamps=known, keys=(), recounted=True)
