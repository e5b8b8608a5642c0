"""An MP4 on its way down: the frames that were asked for, as floats, in one piece of memory.

The buffer is allocated once, for as many frames as the plan says. The calling thread decodes; two workers turn each
picture into floats at its final place while the next one is decoded (OpenCV and NumPy release the GIL).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from . import backends, container, frame_buffer
from .guard import guarded
from .notes import warnings_of
from .probe import examined, probe
from .reader import WHOLE_FILE, Cancelled, Miscounted, Window, pictures, planned, reader_for
from .resize import Pixels, cropped
from .selection import SQUARE, FrameChoice
from .source import Source, VideoInfo

__all__ = ["FrameChoice", "Frames", "VideoInfo", "load_frames", "probe"]

WORKERS = 2
WAITING = 3  # pictures decoded and not yet converted; each is a quarter of a float frame
PIXELS = (
    1 << 16
)  # converted at a time: they stay in the cache, and OpenCV takes no threads of its own, which would spin

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Frames:
    """Chosen frames of a file.

    pixels        float32 [N, H, W, 3], RGB, 0..1: exactly x / 255 of the decoder's 8 bits; upright. Contiguous. When a
                  file ends before the plan does, it is a view of the first N of the planned frames
    fps           frames a second at which they are to be shown: after force_rate and select_every_nth
    indices       int64 [N], the source's frame numbers from 0
    times_s       float64 [N], when those begin in the source, in seconds from the file's start
    start_s, duration_s   the span of the source that they show, for its sound
    warnings      sentences for the user, such as that the file is cut short
    """

    path: Path
    pixels: NDArray[np.float32]
    fps: float
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    start_s: float
    duration_s: float
    info: VideoInfo
    warnings: tuple[str, ...] = ()


@guarded
def load_frames(
    path: str | Path,
    choice: FrameChoice = FrameChoice(),  # noqa: B008  (frozen)
    *,
    untagged: str = "auto",
    scratch: Path | None = None,
    window: Window = WHOLE_FILE,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Frames:
    """Decode the chosen frames of a video file.

    `untagged`: the matrix of a file that names none, as in `colour_of`. `window`: (start, duration) in seconds of the
    piece of the file that counts as all of it; a duration of 0 goes on to its end. `scratch`: a folder for a file that
    holds the frames, instead of memory (see `frame_buffer.buffer`). `progress(done, of)` is called in this thread after
    each frame; `cancelled()` is asked before each, and when it is true concurrent.futures.CancelledError is raised.
    MediaError, in words for the user, for a file that is missing, empty, no video or without index, for a
    choice that leaves no frame, and when the frames do not fit.
    """
    load = functools.partial(
        _load, choice=choice, untagged=untagged, scratch=scratch, window=window, progress=progress, cancelled=cancelled
    )
    try:
        with examined(path) as (source, file):
            return load(source, file)
    except Miscounted as better:
        source = better.source
    try:  # not among the handlers: there the error still holds the frames of the first attempt
        return load(source, None)
    except Miscounted as better:
        source = better.source
    return load(source, None)


def _load(
    source: Source,
    file: Any,
    choice: FrameChoice,
    untagged: str,
    scratch: Path | None,
    window: Window,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Frames:
    made = planned(source, choice, window)
    spare: list[Pixels] = []
    with (
        reader_for(source, made, untagged, file) as reader,
        contextlib.closing(
            pictures(reader, source, made, buffer=lambda: spare.pop() if spare else None, cancelled=cancelled)
        ) as shown,
    ):
        first = next(shown, None)
        if first is None:
            raise MediaError(
                f"None of the chosen frames of {source.path.name} can be decoded; it should have {source.info.frames}.",
                hint=container.DOWNLOAD_AGAIN_HINT,
                code="not_decodable",
            )
        tall, wide = first[2].shape[:2]
        source = replace(source, info=upright(source.info, reader.rotation, wide, tall))
        aspect = source.info.pixel_aspect if choice.square_pixels else SQUARE
        width, height = choice.size(wide, tall, aspect)
        shape = (len(made.indices), height, width, 3)
        pixels = frame_buffer.buffer(shape, scratch=scratch, spare=2 * WAITING * wide * tall * 3)
        filled = _fill(_Converter(pixels, aspect), pixels, itertools.chain([first], shown), spare, progress)
    indices = made.indices[:filled]
    return Frames(
        path=source.path,
        pixels=pixels[:filled],
        fps=made.fps,
        indices=indices,
        times_s=source.times_s[indices],
        start_s=made.start_s,
        duration_s=made.duration_s if filled == len(made.indices) else filled / made.fps,
        info=source.info,
        warnings=warnings_of(source, made, filled, choice),
    )


def upright(info: VideoInfo, rotation: int, width: int, height: int) -> VideoInfo:
    """The same of pictures that were turned by the reader, by so many degrees."""
    aspect = info.pixel_aspect if (rotation - info.rotation) % 180 == 0 else 1 / info.pixel_aspect
    return replace(info, width=width, height=height, rotation=rotation, pixel_aspect=aspect)


def _fill(
    convert: _Converter,
    pixels: NDArray[np.float32],
    shown: Iterable[tuple[int, range, Pixels]],
    spare: list[Pixels],
    progress: Progress | None,
) -> int:
    """Put the pictures in their places; how many of them are filled without a gap, from the first on. Pictures that are
    done with go to `spare`."""
    waiting: deque[tuple[Future[None], Pixels, range]] = deque()
    filled = np.zeros(len(pixels), bool)

    def drain(most: int) -> None:
        while len(waiting) > most:
            future, picture, slots = waiting.popleft()
            future.result()
            spare.append(picture)
            filled[slots.start : slots.stop] = True
            if progress is not None:
                progress(int(filled.sum()), len(pixels))

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="sora-frames") as workers:
        for _, slots, picture in shown:
            waiting.append((workers.submit(convert, picture, slots), picture, slots))
            drain(WAITING - 1)
        drain(0)
    return len(pixels) if filled.all() else int(filled.argmin())


class _Converter:
    """BGR bytes -> RGB floats at their places, a few rows at a time; `pixel_aspect` as in `cropped`."""

    def __init__(self, pixels: NDArray[np.float32], pixel_aspect: Fraction) -> None:
        self._pixels, self._aspect = pixels, pixel_aspect
        self._cv2 = backends.cv2()

    def __call__(self, picture: Pixels, slots: range) -> None:
        first = self._pixels[slots.start]
        height, width = first.shape[:2]
        picture = cropped(picture, width, height, self._aspect)
        step = max(1, PIXELS // width)
        scratch = np.empty((step, width, 3), np.uint8)
        for top in range(0, height, step):
            rows = picture[top : top + step]
            rgb = self._cv2.cvtColor(rows, self._cv2.COLOR_BGR2RGB, dst=scratch[: len(rows)])
            np.divide(rgb, 255, out=first[top : top + step], dtype=np.float32)
        for slot in slots[1:]:
            self._pixels[slot] = first
