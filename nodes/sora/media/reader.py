"""The decoder's pictures, in order, each decoded only if it is wanted."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..errors import MediaTrouble
from . import container, lazy
from .choice import FrameChoice, Plan, plan
from .probe import Source
from .resize import Pixels

Cancelled = Callable[[], bool]


class Miscounted(Exception):
    """The decoder gave other frames than the packets promised; `source` has its own count and times."""

    def __init__(self, source: Source) -> None:
        super().__init__(f"{source.info.frames} frames")
        self.source = source


class Reader:
    """OpenCV over FFmpeg: `grab` goes to the next picture, `picture` fetches the one that was grabbed."""

    def __init__(self, source: Source) -> None:
        cv2 = lazy.cv2()
        path = source.path
        # FFmpeg by name: OpenCV's other back ends would read "frame_0001.mp4" as a series of pictures.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        self._milliseconds = cv2.CAP_PROP_POS_MSEC
        if not self._capture.isOpened():
            raise MediaTrouble(
                f"OpenCV {cv2.__version__} cannot open {path.name} ({source.info.codec}).",
                advice="Use the opencv-python wheel from PyPI, which brings FFmpeg.",
            )
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def grab(self) -> bool:
        """Go to the next picture; False at the end."""
        return bool(self._capture.grab())

    def time_s(self) -> float:
        """When the grabbed picture begins, in seconds from the first one's beginning."""
        return float(self._capture.get(self._milliseconds)) / 1000

    def picture(self, into: Pixels | None = None) -> Pixels:
        """uint8 [H, W, 3], BGR, upright; written into `into` where that has the size."""
        done, picture = self._capture.retrieve(into)
        if not done:
            raise MediaTrouble("OpenCV could not convert a frame that it had decoded.", advice=container.AGAIN)
        return picture  # type: ignore[no-any-return]


def planned(source: Source, choice: FrameChoice) -> Plan:
    """The plan for a file; MediaTrouble when it leaves no frame, saying how many there are."""
    made = plan(choice, source.times_s, source.rate, even=source.info.even, tick_s=source.tick_s)
    if not len(made.indices):
        raise MediaTrouble(
            f"The choice leaves no frame: {source.path.name} has {source.info.frames} "
            f"({source.info.duration_s:.2f} s at {source.info.fps:g} a second).",
            advice=f"skip_first_frames is {choice.skip_first_frames}; make it smaller.",
        )
    return made


def pictures(
    source: Source,
    made: Plan,
    *,
    buffer: Callable[[], Pixels | None] = lambda: None,
    cancelled: Cancelled | None = None,
) -> Iterator[tuple[int, range, Pixels]]:
    """(source frame number, its positions in the plan, BGR picture) for each frame that the plan names.

    Frames that it does not name are only grabbed, and none is decoded behind the last one that it could need. A file
    that ends early just ends the iteration; Miscounted is raised at the end when the plan would have been another
    one, had the true number of frames been known. `buffer` gives a picture to write into. Raises
    concurrent.futures.CancelledError (which asyncio turns into its own) once `cancelled()` is true.
    """
    names, starts, counts = np.unique(made.indices, return_index=True, return_counts=True)
    wanted = {int(name): range(start, start + count) for name, start, count in zip(names, starts, counts, strict=True)}
    last = int(made.indices[-1])
    with Reader(source) as reader:
        number = 0
        while made.open_end or number <= last:
            if cancelled is not None and cancelled():
                raise concurrent.futures.CancelledError
            if not reader.grab():
                break
            if (slots := wanted.get(number)) is not None:
                yield number, slots, reader.picture(buffer())
            number += 1
    expected = source.info.frames
    if not source.recounted and ((made.open_end and number > expected) or (made.from_end and number != expected)):
        raise Miscounted(recounted(source))


def recounted(source: Source) -> Source:
    """The same file with the frames that the decoder gives, and their times."""
    times = []
    with Reader(source) as reader:
        while reader.grab():
            times.append(reader.time_s())
    if not times:
        raise MediaTrouble(f"No frame of {source.path.name} can be decoded.", advice=container.AGAIN)
    since_s = np.array(times)
    if source.info.even or np.diff(since_s).min(initial=0) < 0:
        since_s = np.arange(len(times)) / source.info.fps
    info = replace(source.info, frames=len(times), duration_s=float(since_s[-1]) + 1 / source.info.fps)
    return replace(source, info=info, times_s=source.times_s[0] + since_s, recounted=True)
