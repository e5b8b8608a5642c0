"""OpenCV (over FFmpeg) as a reader: from the first frame on, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MediaError
from . import backends, container
from .colour import opencv_reads_fields
from .resize import Pixels
from .source import INTERLACING, THREADS, Source

SAMPLED = 8  # one pixel of so many, each way

Take = Callable[[Pixels | None], Pixels]


def capture(path: Path) -> Any:
    """A cv2.VideoCapture of the file, which is not open where OpenCV cannot read it."""
    cv2 = backends.cv2()
    # FFmpeg by name: OpenCV's other back ends would read "frame_0001.mp4" as a series of pictures.
    return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, THREADS])


class OpencvReader:
    """Reads one file once. A context manager.

    `rotation`: degrees, anticlockwise, by which it turns the pictures; `strange`: it gave another number of frames than
    the packets promised, as far as that could be seen.
    """

    def __init__(self, source: Source) -> None:
        cv2 = backends.cv2()
        path = source.path
        self._capture = capture(path)
        if not self._capture.isOpened():
            raise MediaError(
                f"OpenCV {cv2.__version__} cannot open {path.name} ({source.info.codec}).",
                hint="Use the opencv-python wheel from PyPI, which brings FFmpeg.",
                code="opencv_unusable",
            )
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self._since_ms = 1000 * (source.times_s - source.times_s[0]) if len(source.stamps) else None
        self._promised = len(source.times_s)
        self._codec = source.info.codec
        self._last: Pixels | None = None
        self.rotation = -int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.strange = False

    def __enter__(self) -> OpencvReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def frames(self, wanted: Collection[int], *, open_end: bool) -> Iterator[tuple[int, Take]]:
        """(number, what gives its picture, once) of each frame up to the last one wanted, or to the file's end; not
        beyond a frame that has not the time of its number, since then one before it is lost."""
        number, last = 0, max(wanted)
        while open_end or number <= last:
            there = self._capture.grab()
            if not there or not self._in_time(number):
                self.strange = there or number != self._promised
                return
            yield number, self._picture
            number += 1

    def _in_time(self, number: int) -> bool:
        """Does the frame that was grabbed begin when that number does, and not when another one does? OpenCV counts
        from the first one's beginning."""
        if self._since_ms is None:
            return True
        began = self._capture.get(backends.cv2().CAP_PROP_POS_MSEC)
        near = self._since_ms[max(0, number - 1) : number + 2]
        return number < self._promised and bool(abs(began - self._since_ms[number]) <= np.abs(near - began).min())

    def stands_still(self, picture: Pixels) -> bool:
        """Is it the last picture once more? Then it may be that OpenCV did not convert it and did not say so, as some
        versions do with interlaced pictures, which may come in the middle of a file. A sample of the pixels tells."""
        if self._codec not in INTERLACING or opencv_reads_fields():
            return False
        sample = picture[::SAMPLED, ::SAMPLED].copy()
        last, self._last = self._last, sample
        return last is not None and np.array_equal(last, sample)

    def _picture(self, into: Pixels | None) -> Pixels:
        """uint8 [H, W, 3], BGR, upright; written into `into` where that has the size."""
        done, picture = self._capture.retrieve(into)
        if not done:
            raise MediaError(
                "OpenCV could not convert a frame that it had decoded.",
                hint=container.DOWNLOAD_AGAIN_HINT,
                code="not_decodable",
            )
        return picture  # type: ignore[no-any-return]
