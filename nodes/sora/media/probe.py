"""What a video file is: size, times of all its frames, tags. Read with PyAV; nothing but the first frame is decoded.

Declared frame counts lie (edit lists hide frames, a cut file declares all it once had), so the packets are walked:
that costs a few milliseconds for a clip of ours and gives every frame's true time.
"""

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

from ..errors import MediaTrouble
from . import container, lazy
from .times import Packet, keys_of, spacing, stamps_of, times_of

MOST_PIXELS = 100_000_000  # of a frame; 8K has a third of that
MOST_PACKETS = 5_000_000  # of a film's picture: two days of it
MOST_REORDERED = 16  # frames, in H.264 and H.265
WORTH_A_JUMP = 8  # frames that need not be decoded
# Of the decoder. One more than there are cores, which idle less while frames are converted; still more cost memory, a
# frame each, and gain nothing (bench/decode.py).
THREADS = min(16, 1 + (os.cpu_count() or 1))

INTERLACING = ("h264", "hevc", "mpeg2video", "mpeg4", "vc1", "dvvideo")  # codecs that know fields
PROGRESSIVE = 1  # FFmpeg's AVFieldOrder; 0 is unknown, above it are the orders of fields

# ISO/IEC 23091-2 (H.273) numbers, by which files and FFmpeg name colours; 2 is "unspecified".
_MATRICES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020",
    10: "bt2020c",
}
_PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt601-625", 6: "bt601-525", 7: "smpte240m", 9: "bt2020", 12: "display-p3"}
_TRANSFERS = {1: "bt709", 4: "gamma22", 5: "gamma28", 6: "bt601", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
_RANGES = {1: "limited", 2: "full"}


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


@dataclass(frozen=True, eq=False)
class Source:
    """A file, what it is, and when each of its frames begins: `times_s` float64 [frames], seconds from its start.

    `rate` is `info.fps` as a fraction; `tick_s` the step to which the file rounds its times; `stamps` int64 [frames],
    the same times in the file's own ticks, empty where it writes none for some or the same for two; `keys` are the
    numbers of the frames where decoding can begin, rising; `recounted`: frames and times are the decoder's own, not
    those of the packets; `first_stream`: its picture is the file's first, the only one that OpenCV reads; `fields`: it
    may be interlaced; `doubted`: OpenCV was seen to go wrong with it.
    """

    path: Path
    info: VideoInfo
    times_s: NDArray[np.float64]
    rate: Fraction
    tick_s: float
    stamps: NDArray[np.int64]
    keys: tuple[int, ...] = ()
    recounted: bool = False
    first_stream: bool = True
    fields: bool = False
    doubted: bool = False

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


def probe(path: str | Path) -> VideoInfo:
    """What the file is. MediaTrouble for anything that is not a video with at least one frame that decodes."""
    return examine(path).info


def verify_mp4(path: str | Path) -> VideoInfo:
    """The same, and MediaTrouble also for a video that is not an MP4: a check of what a gateway delivered."""
    return examine(path, only_mp4=True).info


def examine(path: str | Path, *, only_mp4: bool = False) -> Source:
    """`probe` with the times of all frames."""
    with _examined(path, only_mp4=only_mp4, picture=True) as (source, _):
        return source


def examined(path: str | Path) -> contextlib.AbstractContextManager[tuple[Source, Any]]:
    """The same with the file, open, and with nothing decoded: whether that is possible is not known then, and size and
    rotation are those of the coded picture."""
    return _examined(path, only_mp4=False, picture=False)


@contextlib.contextmanager
def _examined(path: str | Path, *, only_mp4: bool, picture: bool) -> Iterator[tuple[Source, Any]]:
    path = Path(path)
    cut_short = container.check(path, only_mp4=only_mp4)
    with opened(path) as file:
        stream = file.streams.best("video")
        if stream is None:
            raise MediaTrouble(f"{path.name} has no picture, only: {_kinds(file)}.", advice=container.AGAIN)
        if stream.codec_context is None:  # which PyAV up to 16 does not survive
            raise MediaTrouble(f"No frame of {path.name} can be decoded (no decoder).", advice=container.AGAIN)
        if (stream.codec_context.width or 0) * (stream.codec_context.height or 0) > MOST_PIXELS:
            raise MediaTrouble(f"The frames of {path.name} are larger than any that can be used.")
        yield _read(path, file, stream, cut_short, picture=picture), file


@contextlib.contextmanager
def opened(path: Path, **options: str) -> Iterator[Any]:
    """The file as PyAV opens it; what FFmpeg does not like in it, then or later, is a MediaTrouble."""
    av = lazy.av()

    def told(error: Exception) -> MediaTrouble:
        return MediaTrouble(f"{path.name} cannot be read as a video: {error}.", advice=container.AGAIN)

    try:
        file = lazy.open_av(path, **options)
    except (av.error.FFmpegError, OSError) as error:
        raise told(error) from error
    try:
        with file:
            yield file
    except av.error.FFmpegError as error:
        raise told(error) from error


def _kinds(file: Any) -> str:
    return ", ".join(sorted({stream.type for stream in file.streams})) or "nothing"


def _read(path: Path, file: Any, stream: Any, cut_short: bool, *, picture: bool) -> Source:
    packets, came, broken, first = _walk(file, stream, picture=picture)
    seen = first or stream.codec_context
    if (picture and first is None) or not packets or seen.format is None:
        codec = stream.codec_context.name
        raise MediaTrouble(f"No frame of {path.name} can be decoded ({codec}).", advice=container.AGAIN)
    tick_s = float(stream.time_base or Fraction(1, 1000))
    stamps = stamps_of(packets)
    times_s = times_of(stamps, len(packets), tick_s, stream) - (file.start_time or 0) / 1e6
    named = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    rate, even = spacing(times_s, tick_s, named)
    duration_s = float(times_s[-1] - times_s[0]) + 1 / float(rate)
    # Elsewhere than in an MP4 a count is none of frames: AVI counts packets, of which a frame may have two.
    declared = stream.frames if file.format.name.startswith("mov") else 0
    lost, hidden = (0, 0) if max(came, declared) <= len(packets) else _not_shown(path, declared, packets)
    sound = file.streams.best("audio")
    rotation = int(first.rotation) % 360 if first is not None else 0
    turned = rotation % 180 != 0
    info = VideoInfo(
        width=seen.height if turned else seen.width,
        height=seen.width if turned else seen.height,
        fps=float(rate),
        frames=len(times_s),
        declared_frames=declared,
        duration_s=duration_s,
        has_audio=sound is not None,
        audio_rate=sound.rate or 0 if sound is not None else 0,
        codec=stream.codec_context.name,
        pixel_format=seen.format.name,
        rotation=rotation,
        colour_matrix=_MATRICES.get(int(seen.colorspace), "unspecified"),
        colour_primaries=_PRIMARIES.get(int(stream.codec_context.color_primaries), "unspecified"),
        colour_transfer=_TRANSFERS.get(int(stream.codec_context.color_trc), "unspecified"),
        colour_range=_RANGES.get(int(seen.color_range), "unspecified"),
        even=even,
        cut_short=cut_short or broken or lost > 0,
        hidden=hidden,
    )
    return Source(
        path, info, times_s, rate, tick_s, stamps, keys_of(packets, stamps),
        first_stream=stream.index == file.streams.video[0].index, fields=_may_have_fields(stream.codec_context),
    )  # fmt: skip


def _may_have_fields(context: Any) -> bool:
    """By what the file's head says; where PyAV is too old to tell, it may."""
    order = getattr(context, "field_order", None)
    return context.name in INTERLACING and (order is None or int(order) > PROGRESSIVE)


def _walk(file: Any, stream: Any, *, picture: bool) -> tuple[list[Packet], int, bool, Any]:
    """(the packets that are whole and shown, how many came in all, whether one was not whole, the first picture if that
    is asked for)."""
    packets: list[Packet] = []
    came, broken = 0, False
    first = None
    for packet in file.demux(stream):
        came += packet.size > 0
        if came > MOST_PACKETS:
            raise MediaTrouble("There are more frames in this file than can be used.")
        broken = broken or packet.is_corrupt
        if packet.size and not packet.is_discard and not packet.is_corrupt:
            packets.append(Packet(packet.pts, packet.is_keyframe, packet.pos))
        if picture and first is None:
            first = _first_picture(packet)
    return packets, came, broken, first


def _not_shown(path: Path, declared: int, shown: list[Packet]) -> tuple[int, int]:
    """(frames that the file declares and that cannot be read, frames behind the first one shown that the edit list
    leaves out)."""
    places = {packet.position for packet in shown}
    with opened(path, ignore_editlist="1") as file:
        video = file.streams.best("video")
        packets = [packet for packet in file.demux(video) if packet.size and packet.pts is not None]
    order = [index for index, packet in enumerate(packets) if packet.pos in places]
    if not order:
        return declared - len(packets), 0
    first = min(packets[index].pts for index in order)
    # Frames are coded out of order, so some of a run-up may lie behind the first one shown; but not far behind.
    hidden = [
        packet
        for index, packet in enumerate(packets)
        if packet.pos not in places and (packet.pts > first or index > order[0] + MOST_REORDERED)
    ]
    return declared - len(packets), len(hidden)


def _first_picture(packet: Any) -> Any:
    """The first picture that the decoder gives for the packet; a damaged packet gives none."""
    try:
        return next(iter(packet.decode()), None)
    except lazy.av().error.FFmpegError:
        return None
