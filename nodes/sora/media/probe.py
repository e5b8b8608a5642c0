"""What a video file is: size, times of all its frames, tags. Read with PyAV; nothing but the first frame is decoded.

Declared frame counts lie (edit lists hide frames, a cut file declares all it once had), so the packets are walked:
that costs a few milliseconds for a clip of ours and gives every frame's true time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaTrouble
from . import container, lazy

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


@dataclass(frozen=True, eq=False)
class Source:
    """A file, what it is, and when each of its frames begins: `times_s` float64 [frames], seconds from its start.

    `rate` is `info.fps` as a fraction; `tick_s` the step to which the file rounds its times; `recounted`: frames and
    times are the decoder's own, not those of the packets.
    """

    path: Path
    info: VideoInfo
    times_s: NDArray[np.float64]
    rate: Fraction
    tick_s: float
    recounted: bool = False


def probe(path: str | Path) -> VideoInfo:
    """What the file is. MediaTrouble for anything that is not a video with at least one frame that decodes."""
    return examine(path).info


def verify_mp4(path: str | Path) -> VideoInfo:
    """The same, and MediaTrouble also for a video that is not an MP4: a check of what a gateway delivered."""
    return examine(path, only_mp4=True).info


def examine(path: str | Path, *, only_mp4: bool = False) -> Source:
    """`probe` with the times of all frames."""
    path = Path(path)
    cut_short = container.check(path, only_mp4=only_mp4)
    av = lazy.av()
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as file:
            stream = file.streams.best("video")
            if stream is None:
                raise MediaTrouble(f"{path.name} has no picture, only: {_kinds(file)}.", advice=container.AGAIN)
            return _read(path, file, stream, cut_short)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaTrouble(f"{path.name} cannot be read as a video: {error}.", advice=container.AGAIN) from error


def _kinds(file: Any) -> str:
    return ", ".join(sorted({stream.type for stream in file.streams})) or "nothing"


def _read(path: Path, file: Any, stream: Any, cut_short: bool) -> Source:
    stamps, broken, first = _walk(file, stream)
    if first is None or not stamps:
        raise MediaTrouble(f"No frame of {path.name} can be decoded ({_codec(stream)}).", advice=container.AGAIN)
    tick_s = float(stream.time_base or Fraction(1, 1000))
    times_s = _times(stamps, tick_s, stream) - (file.start_time or 0) / 1e6
    rate, even = _rate(times_s, tick_s, stream)
    duration_s = float(times_s[-1] - times_s[0]) + 1 / float(rate)
    # An edit list hides frames and shortens the stream's duration as well; frames that are lost do not.
    lost = len(times_s) < stream.frames and duration_s + 1.5 / float(rate) < (stream.duration or 0) * tick_s
    sound = file.streams.best("audio")
    turned = first.rotation % 180 != 0
    info = VideoInfo(
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        fps=float(rate),
        frames=len(times_s),
        declared_frames=stream.frames,
        duration_s=duration_s,
        has_audio=sound is not None,
        audio_rate=sound.rate or 0 if sound is not None else 0,
        codec=_codec(stream),
        pixel_format=first.format.name,
        rotation=first.rotation % 360,
        colour_matrix=_MATRICES.get(int(first.colorspace), "unspecified"),
        colour_primaries=_PRIMARIES.get(int(stream.codec_context.color_primaries), "unspecified"),
        colour_transfer=_TRANSFERS.get(int(stream.codec_context.color_trc), "unspecified"),
        colour_range=_RANGES.get(int(first.color_range), "unspecified"),
        even=even,
        cut_short=cut_short or broken or lost,
    )
    return Source(path, info, times_s, rate, tick_s)


def _walk(file: Any, stream: Any) -> tuple[list[int | None], bool, Any]:
    """(time stamps of the packets that are whole and shown, whether one was not whole, the first picture or None)."""
    stamps: list[int | None] = []
    broken = False
    first = None
    for packet in file.demux(stream):
        broken = broken or packet.is_corrupt
        if packet.size and not packet.is_discard and not packet.is_corrupt:
            stamps.append(packet.pts)
        if first is None:
            first = _first_picture(packet)
    return stamps, broken, first


def _first_picture(packet: Any) -> Any:
    """The first picture that the decoder gives for the packet; a damaged packet gives none."""
    try:
        return next(iter(packet.decode()), None)
    except lazy.av().error.FFmpegError:
        return None


def _times(stamps: list[int | None], tick_s: float, stream: Any) -> NDArray[np.float64]:
    """Seconds at which the frames begin, in the order in which they are shown."""
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(stamps):
        return np.sort(np.array(known, np.float64)) * tick_s
    fps = float(stream.average_rate or 25)  # AVI writes no times for frames out of order
    return np.arange(len(stamps)) / fps


def _rate(times_s: NDArray[np.float64], tick_s: float, stream: Any) -> tuple[Fraction, bool]:
    """(frames a second, whether they are evenly spaced): the rate that the header names, if the times bear it out."""
    named = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    span_s = float(times_s[-1] - times_s[0])
    if len(times_s) == 1 or span_s <= 0:
        return (named or [Fraction(25)])[0], True
    measured = max(Fraction((len(times_s) - 1) / span_s).limit_denominator(1001), Fraction(1, 1001))
    for rate in [*named, measured]:
        ideal = times_s[0] + np.arange(len(times_s)) / float(rate)
        if np.abs(times_s - ideal).max() <= max(tick_s, 0.1 / float(rate)):
            return rate, True
    return measured, False


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.name) if context is not None else "no decoder"
