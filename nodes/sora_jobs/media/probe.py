"""What a video file is: size, times of all its frames, tags. Read with PyAV; of an ordinary file nothing but the first
frame is decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import MediaError
from . import backends, container, packets
from .guard import guarded
from .recount import recounted
from .source import INTERLACING, Source, VideoInfo, opened
from .streams import NEWER_PYAV_HINT, best_picture, best_sound
from .timestamps import Packet, keys_of, spacing, stamps_of, times_of

MOST_PIXELS = 100_000_000  # of a frame; 8K has a third of that
WIDEST_PIXEL = 16  # by its height; beyond it is damage
PROGRESSIVE = 1  # FFmpeg's AVFieldOrder; 0 is unknown, above it are the orders of fields
ONE_EACH = ("h264", "hevc", "av1", "vp9")  # codecs whose packets are frames in any container, without fields

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


@guarded
def probe(path: str | Path) -> VideoInfo:
    """What the file is. MediaError for anything that is not a video with at least one frame that decodes."""
    return examine(path).info


@guarded
def examine(path: str | Path) -> Source:
    """`probe` with the times of all frames."""
    with _examined(Path(path), picture=True) as (source, _):
        return source


@guarded
def glanced(path: str | Path) -> Source:
    """The same of a file that may be of any length: only its beginning is decoded, and its packets are counted, also
    where they do not tell its frames."""
    with _examined(Path(path), picture=True, count=False) as (source, _):
        return source


@guarded
def declared(path: str | Path) -> tuple[tuple[int, int], float, int]:
    """((width, height) before it is turned, seconds, frames) of a video file, as its head says of its first picture; 0
    for what it does not say."""
    path = Path(path)
    container.check(path)
    with opened(path) as file:
        stream = next(iter(file.streams.video), None)
        if stream is None or stream.codec_context is None:
            return (0, 0), 0.0, 0
        size = stream.codec_context.width, stream.codec_context.height
        return size, (file.duration or 0) / 1e6, stream.frames


def examined(path: str | Path) -> contextlib.AbstractContextManager[tuple[Source, Any]]:
    """The same with the file, if it is open at its end; of most files nothing is decoded: whether that is possible is
    not known then, and size and rotation are those of the coded picture."""
    return _examined(Path(path), picture=False)


@contextlib.contextmanager
def _examined(path: Path, *, picture: bool, count: bool = True) -> Iterator[tuple[Source, Any]]:
    cut_short = container.check(path)
    with opened(path) as file:
        stream = best_picture(file)
        if stream is None:
            raise MediaError(
                f"{path.name} has no picture, only: {_kinds(file)}.",
                hint=container.DOWNLOAD_AGAIN_HINT,
                code="no_video_track",
            )
        if stream.codec_context is None:  # which PyAV up to 16 does not survive
            raise MediaError(
                f"PyAV has no decoder for the picture of {path.name}.", hint=NEWER_PYAV_HINT, code="no_decoder"
            )
        if (stream.codec_context.width or 0) * (stream.codec_context.height or 0) > MOST_PIXELS:
            raise MediaError(f"The frames of {path.name} are larger than any that can be used.", code="frame_too_large")
        source, counted = _read(path, file, stream, cut_short, picture=picture)
        if counted or not count:
            yield source, file
            return
    yield recounted(source), None


def _kinds(file: Any) -> str:
    return ", ".join(sorted({stream.type for stream in file.streams})) or "nothing"


def _read(path: Path, file: Any, stream: Any, cut_short: bool, *, picture: bool) -> tuple[Source, bool]:
    """(the file, whether its packets alone tell which frames there are)."""
    context = stream.codec_context
    walk = packets.walked(file, stream, picture=picture)
    seen = walk.first or context
    if (picture and walk.first is None) or not walk.packets or seen.format is None:
        raise MediaError(
            f"No frame of {path.name} can be decoded ({context.name}).",
            hint=container.DOWNLOAD_AGAIN_HINT,
            code="not_decodable",
        )
    promised = file.format.name.startswith(("mov", "matroska")) and context.name != "vp8"
    fields = _may_have_fields(context)
    shown, counted = walk.packets, not (walk.broken or walk.restarts)
    one_each = promised or (context.name in ONE_EACH and not fields)
    if counted and len(stamps_of(shown)) and (walk.late or walk.early or not one_each):
        shown, counted = _from_the_first(path, shown, late=walk.late, sample=not one_each)
    declared, lost, hidden = 0, 0, 0
    # Only an MP4 has edit lists, and only there frames are what is counted: AVI counts packets, of which one has two.
    if file.format.name.startswith("mov"):
        declared = stream.frames
        if max(walk.came, declared) > len(walk.packets):
            lost, hidden = packets.not_shown(path, declared, walk.packets)
    info = replace(
        _tagged(file, stream, seen),
        declared_frames=declared,
        cut_short=cut_short or walk.broken or lost > 0,
        hidden=hidden,
        headless=len(walk.packets) - len(shown),
        joined=walk.restarts,
    )
    source = _timed(path, file, stream, info, shown)
    first_stream = stream.index == file.streams.video[0].index
    return replace(source, promised=promised, late=walk.late, first_stream=first_stream, fields=fields), counted


def _from_the_first(path: Path, shown: list[Packet], *, late: bool, sample: bool) -> tuple[list[Packet], bool]:
    """(the packets from the first frame on that can be decoded, whether each of them is a frame)."""
    first = packets.first_frame(path, late=late, sample=sample)
    if first is None:
        return shown, False
    return [packet for packet in shown if packet.pts is not None and packet.pts >= first], True


def _timed(path: Path, file: Any, stream: Any, info: VideoInfo, shown: list[Packet]) -> Source:
    tick_s = float(backends.fraction(stream.time_base) or Fraction(1, 1000))
    stamps = stamps_of(shown)
    times_s = times_of(stamps, len(shown), tick_s, stream) - (file.start_time or 0) / 1e6
    told = (backends.fraction(one) for one in (stream.average_rate, stream.guessed_rate, stream.base_rate))
    rate, even = spacing(times_s, tick_s, [one for one in told if one])
    duration_s = float(times_s[-1] - times_s[0]) + 1 / float(rate)
    info = replace(info, fps=float(rate), frames=len(times_s), duration_s=duration_s, even=even)
    return Source(path, info, times_s, rate, tick_s, stamps, keys_of(shown, stamps))


def _tagged(file: Any, stream: Any, seen: Any) -> VideoInfo:
    """What does not depend on the frames' times; `seen` is the first picture or, without it, what the head says."""
    context, (sound, _) = stream.codec_context, best_sound(file)
    rotation = int(getattr(seen, "rotation", 0)) % 360
    turned = rotation % 180 != 0
    aspect = backends.fraction(stream.sample_aspect_ratio) or Fraction(1)
    if not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL:
        aspect = Fraction(1)
    return VideoInfo(
        width=seen.height if turned else seen.width,
        height=seen.width if turned else seen.height,
        fps=0.0,
        frames=0,
        declared_frames=0,
        duration_s=0.0,
        has_audio=sound is not None,
        audio_rate=(sound.codec_context.sample_rate or 0) if sound is not None else 0,
        codec=context.name,
        pixel_format=seen.format.name,
        rotation=rotation,
        colour_matrix=_MATRICES.get(int(seen.colorspace), "unspecified"),
        colour_primaries=_PRIMARIES.get(int(context.color_primaries), "unspecified"),
        colour_transfer=_TRANSFERS.get(int(context.color_trc), "unspecified"),
        colour_range=_RANGES.get(int(seen.color_range), "unspecified"),
        even=True,
        cut_short=False,
        pixel_aspect=1 / aspect if turned else aspect,
    )


def _may_have_fields(context: Any) -> bool:
    """By what the file's head says; where PyAV is too old to tell, it may."""
    order = getattr(context, "field_order", None)
    return context.name in INTERLACING and (order is None or int(order) > PROGRESSIVE)
