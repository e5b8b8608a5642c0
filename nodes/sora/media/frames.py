"""An MP4 on its way down: the frames that were asked for, as floats, in one piece of memory.

The buffer is allocated once, for as many frames as the plan says. The calling thread decodes; two workers turn each
picture into floats at its final place while the next one is decoded (OpenCV and NumPy release the GIL).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaTrouble
from . import container, lazy, memory
from .choice import FrameChoice, Plan
from .probe import Source, VideoInfo, examine, probe, verify_mp4
from .reader import Cancelled, Miscounted, pictures, planned
from .resize import Pixels, fitted

__all__ = ["FrameChoice", "Frames", "VideoInfo", "load_frames", "probe", "verify_mp4"]

WORKERS = 2
WAITING = 3  # pictures decoded and not yet converted; each is a quarter of a float frame
ROWS = 64  # converted at a time, so that the scratch memory is small and stays in the cache

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

    @property
    def first_index(self) -> int:
        """The source's frame number of the first one."""
        return int(self.indices[0])


def load_frames(
    path: str | Path,
    choice: FrameChoice = FrameChoice(),  # noqa: B008  (frozen)
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Frames:
    """Decode the chosen frames of a video file.

    `progress(done, of)` is called in this thread after each frame; `cancelled()` is asked before each, and when it is
    true concurrent.futures.CancelledError is raised. MediaTrouble, in words for the user, for a file that is missing,
    empty, no video or without index, for a choice that leaves no frame, and when the frames do not fit in memory.
    """
    source = examine(path)
    try:
        return _load(source, choice, progress, cancelled)
    except Miscounted as better:
        return _load(better.source, choice, progress, cancelled)


def _load(source: Source, choice: FrameChoice, progress: Progress | None, cancelled: Cancelled | None) -> Frames:
    made = planned(source, choice)
    info = source.info
    width, height = choice.size(info.width, info.height)
    pixels = _buffer(len(made.indices), width, height, spare=2 * WAITING * info.width * info.height * 3)
    filled = _fill(pixels, source, made, progress, cancelled)
    if not filled:
        raise MediaTrouble(
            f"None of the chosen frames of {source.path.name} can be decoded; it should have {info.frames}.",
            advice=container.AGAIN,
        )
    indices = made.indices[:filled]
    return Frames(
        path=source.path,
        pixels=pixels[:filled],
        fps=made.fps,
        indices=indices,
        times_s=source.times_s[indices],
        start_s=made.start_s,
        duration_s=made.duration_s if filled == len(made.indices) else filled / made.fps,
        info=info,
        warnings=_warnings(source, made, filled),
    )


def _buffer(frames: int, width: int, height: int, *, spare: int) -> NDArray[np.float32]:
    memory.check_room(frames, width, height, spare=spare)
    try:
        return np.empty((frames, height, width, 3), np.float32)
    except MemoryError:
        raise memory.no_room(frames, width, height, available=None) from None


def _fill(
    pixels: NDArray[np.float32], source: Source, made: Plan, progress: Progress | None, cancelled: Cancelled | None
) -> int:
    """Decode into `pixels`; how many of its frames were filled, from the first on."""
    spare: list[Pixels] = []
    waiting: deque[tuple[Future[None], Pixels, range]] = deque()
    filled = 0
    convert = _Converter(pixels)

    def settle(most: int) -> None:
        nonlocal filled
        while len(waiting) > most:
            future, picture, slots = waiting.popleft()
            future.result()
            spare.append(picture)
            filled = slots.stop
            if progress is not None:
                progress(filled, len(pixels))

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="sora-frames") as workers:
        for _, slots, picture in pictures(
            source, made, buffer=lambda: spare.pop() if spare else None, cancelled=cancelled
        ):
            waiting.append((workers.submit(convert, picture, slots), picture, slots))
            settle(WAITING - 1)
        settle(0)
    return filled


class _Converter:
    """BGR bytes -> RGB floats at their places, a few rows at a time."""

    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self._pixels = pixels
        self._cv2 = lazy.cv2()

    def __call__(self, picture: Pixels, slots: range) -> None:
        first = self._pixels[slots.start]
        height, width = first.shape[:2]
        picture = fitted(picture, width, height, "crop")
        scratch = np.empty((ROWS, width, 3), np.uint8)
        for top in range(0, height, ROWS):
            rows = picture[top : top + ROWS]
            rgb = self._cv2.cvtColor(rows, self._cv2.COLOR_BGR2RGB, dst=scratch[: len(rows)])
            np.divide(rgb, 255, out=first[top : top + ROWS], dtype=np.float32)
        for slot in slots[1:]:
            self._pixels[slot] = first


def _warnings(source: Source, made: Plan, filled: int) -> tuple[str, ...]:
    info = source.info
    missing = len(made.indices) - filled
    holds = int(made.indices[filled - 1]) + 1 if missing else info.frames
    if info.cut_short:
        return (
            f"{source.path.name} is cut short or damaged: it declares {info.declared_frames} frames "
            f"and holds only {holds} that can be decoded.",
        )
    if missing:
        return (f"{source.path.name} should have {info.frames} frames and holds only {holds} that can be decoded.",)
    return ()
