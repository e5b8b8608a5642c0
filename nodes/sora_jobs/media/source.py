"""A video file, what is known of it without decoding it, and how it is opened."""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from . import backends, container

WORTH_A_JUMP = 8  # frames that need not be decoded
# Of the decoder. One more than there are cores, which idle less while frames are converted; still more cost memory, a
# frame each, and gain nothing (bench/decode.py).
THREADS = min(16, 1 + (os.cpu_count() or 1))

INTERLACING = ("h264", "hevc", "mpeg2video", "mpeg4", "vc1", "dvvideo")  # codecs that know fields


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video file without decoding it.

    width, height    pixels, upright: as they are shown, after rotation
    fps              frames a second; the average where they are not evenly spaced
    frames           frames that the file holds and shows: counted from its packets
    declared_frames  what its header says is there, also frames that an edit list hides; 0 where it says nothing
    duration_s       seconds of picture, from the first frame's beginning to the last one's end
    audio_rate       samples a second; 0 without audio
    rotation         degrees, anticlockwise, that the decoder's picture is turned by to stand upright
    colour_*         tags by name; "unspecified" where the file has none
    even             the frames are equally spaced (a constant frame rate)
    cut_short        it holds less picture than it says: cut off, or damaged
    hidden           frames behind the first one shown that the file holds and does not show: an edit list's doing, or
                     damage. Those before it are an ordinary run-up and do not count
    headless         frames at its beginning that cannot be decoded, since it begins in the middle of a video or is
                     damaged there. They are not counted
    joined           it was put together from files one behind the other, each of which has its own times
    pixel_aspect     the width of a pixel by its height, upright: other than 1 in anamorphic files
    """

    width: int
    height: int
    fps: float
    frames: int
    declared_frames: int
    duration_s: float
    has_audio: bool
    audio_rate: int
    codec: str
    pixel_format: str
    rotation: int
    colour_matrix: str
    colour_primaries: str
    colour_transfer: str
    colour_range: str
    even: bool
    cut_short: bool
    hidden: int = 0
    headless: int = 0
    joined: bool = False
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, eq=False)
class Source:
    """A file, what it is, and when each of its frames begins: `times_s` float64 [frames], seconds from its start.

    The number of a frame is its place in `times_s`, and stays so when frames turn out to be lost. `rate` is `info.fps`
    as a fraction; `tick_s` the step to which the file rounds its times; `stamps` int64 [frames], the same times in the
    file's own ticks, empty where it writes none for some or the same for two; `keys` are the numbers of the frames
    where decoding can begin, rising; `lost` those that cannot be decoded, as far as that is known, rising; `promised`:
    its container has one packet for each frame, so that a packet without a frame is damage; `late`: its first packets
    come before the first key frame, and are not decoded; `recounted`: it was decoded once to see which frames there
    are; `first_stream`: its picture is the file's first, the only one that OpenCV reads; `fields`: it may be
    interlaced; `doubted`: OpenCV was seen to go wrong with it.
    """

    path: Path
    info: VideoInfo
    times_s: NDArray[np.float64]
    rate: Fraction
    tick_s: float
    stamps: NDArray[np.int64]
    keys: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    promised: bool = True
    late: bool = False
    recounted: bool = False
    first_stream: bool = True
    fields: bool = False
    doubted: bool = False

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of all frames that are not lost, rising."""
        return np.setdiff1d(np.arange(len(self.times_s)), np.array(self.lost, np.int64), assume_unique=True)

    def runs(self, wanted: Sequence[int]) -> list[tuple[int, int]]:
        """[(frame to begin decoding at, last frame of the run)]: how to decode `wanted` [rising], leaving out what lies
        between them where that is worth a jump."""
        runs: list[tuple[int, int]] = []
        at = -1  # decoded so far
        for number in wanted:
            key = self.keys[bisect.bisect_right(self.keys, number) - 1] if self.keys and not self.recounted else 0
            if not runs or key > at + WORTH_A_JUMP:
                runs.append((key if key > WORTH_A_JUMP else 0, number))
            else:
                runs[-1] = (runs[-1][0], number)
            at = number
        return runs


@contextlib.contextmanager
def opened(path: Path, **options: str) -> Iterator[Any]:
    """The file as PyAV opens it; what FFmpeg does not like in it, then or later, is a MediaError."""
    av = backends.av()

    def told(error: Exception) -> MediaError:
        return MediaError(
            f"{path.name} cannot be read as a video: {error}.",
            hint=container.DOWNLOAD_AGAIN_HINT,
            code="unreadable_video",
        )

    try:
        file = backends.open_av(path, **options)
    except (av.error.FFmpegError, OSError) as error:
        raise told(error) from error
    try:
        with file:
            yield file
    except av.error.FFmpegError as error:
        raise told(error) from error
