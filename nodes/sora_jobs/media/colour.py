"""How a file's numbers become colours, and which of the installed libraries get that right.

That is tried, not looked up by version: wheels of one version link different FFmpegs. Once per process and kind of
file, tiny clips that are shipped with the pack are read and compared with the plain formula (yuv.py).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidInputError
from . import backends, yuv
from .backends import CLIPS
from .resize import Pixels
from .source import VideoInfo

UNTAGGED = ("auto", "bt601", "bt709")
TOLERANCE = 6  # of 255: a wrong matrix or range is 20 and more off, FFmpeg's quick arithmetic up to 3
_SWSCALE = {"bt601": 5, "bt709": 1, "bt2020": 9, "bt2020c": 9, "fcc": 4, "smpte240m": 7}  # its numbers: H.273's


@dataclass(frozen=True)
class Colour:
    """The matrix by its name, or "rgb" where there is none; full range (0..255) or limited (16..235)."""

    matrix: str
    full: bool


def colour_of(info: VideoInfo, untagged: str = "auto") -> Colour:
    """By the file's own tags; where it names no matrix, by `untagged`: bt601, bt709, or auto, as players do.

    They take BT.709 for HD (mpv: from 1280 wide or 577 high). A file that names no range has a limited one.
    """
    full = info.colour_range == "full" or info.pixel_format.startswith("yuvj")
    matrix = info.colour_matrix
    if matrix == "unspecified":
        if untagged not in UNTAGGED:
            hint = f"Choose from: {', '.join(UNTAGGED)}."
            raise InvalidInputError(f"untagged is {untagged!r}.", hint=hint, code="unknown_option")
        short, long = sorted((info.width, info.height))
        matrix = untagged if untagged != "auto" else "bt709" if long >= 1280 or short > 576 else "bt601"
    return Colour(matrix, full)


def to_bgr(frame: Any, colour: Colour) -> Pixels:
    """PyAV VideoFrame of any format -> uint8 [H, W, 3], BGR, not turned."""
    kind = frame.format
    coded = colour.matrix in yuv.WEIGHTS and len(kind.components) >= 3 and not kind.is_rgb
    if coded and not pyav_is_right(colour):
        return yuv.to_bgr(frame, colour.matrix, full=colour.full)
    return _converted(frame, colour if coded else None)


@functools.cache
def opencv_is_right(colour: Colour) -> bool:
    """Does the OpenCV that is installed keep to these tags? For BT.601 and BT.709; others are not tried."""
    return _opencv_shows(CLIPS / f"{colour.matrix}_{'full' if colour.full else 'limited'}.mp4", colour)


@functools.cache
def opencv_reads_fields() -> bool:
    """Does the OpenCV that is installed convert interlaced pictures? From 4.13 on some of its builds give back whatever
    their memory holds, and call that done."""
    return _opencv_shows(CLIPS / "fields.mp4", Colour("bt709", full=False))


def _opencv_shows(file: Path, colour: Colour) -> bool:
    """Does it read a clip's first picture as the plain formula has it? Not where there is no such clip, nor where it
    breaks over that."""
    if not file.exists():
        return False
    cv2 = backends.cv2()
    try:
        capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        try:
            done, picture = capture.read()
        finally:
            capture.release()
    except Exception:  # noqa: BLE001 - whatever it raises, it cannot be trusted with files, and PyAV reads them
        return False
    return bool(done) and _close(picture, yuv.to_bgr(_first(file), colour.matrix, full=colour.full))


@functools.cache
def pyav_is_right(colour: Colour) -> bool:
    """Does the PyAV that is installed convert a frame by the tags that we give it? Not where it has other words for
    them."""
    frame = _first(CLIPS / "bt601_limited.mp4")  # other tags than most that are tried
    try:
        converted = _converted(frame, colour)
    except Exception:  # noqa: BLE001 - whatever it raises, the plain formula needs nothing but the planes
        return False
    return _close(converted, yuv.to_bgr(frame, colour.matrix, full=colour.full))


def _converted(frame: Any, colour: Colour | None) -> Pixels:
    """By PyAV (FFmpeg's swscale), with the filter that OpenCV and ffmpeg use for chroma."""
    given: dict[str, int] = {}
    if colour is not None:
        matrix = _SWSCALE[colour.matrix]
        given = {"src_colorspace": matrix, "src_color_range": 2 if colour.full else 1, "dst_color_range": 2}
        # RGB has no matrix, but PyAV up to 16 looks at the source's only where the target's is another one.
        given["dst_colorspace"] = _SWSCALE["bt601" if matrix == _SWSCALE["bt709"] else "bt709"]
    bgr: Pixels = frame.reformat(format="bgr24", interpolation=_filter(frame), **given).to_ndarray()
    return bgr


def _filter(frame: Any) -> Any:
    """For more than 8 bits chroma is filled in from side to side, too, where PyAV lets us ask for that: a tenth of the
    error. 8 bits are converted as OpenCV and ffmpeg convert them, bit for bit."""
    kinds = backends.av().video.reformatter.Interpolation
    deep = frame.format.components[0].bits > 8
    return kinds.BICUBIC | kinds.FULL_CHR_H_INT if deep and hasattr(kinds, "FULL_CHR_H_INT") else "BICUBIC"


def _first(file: Path) -> Any:
    with backends.open_av(file) as opened:
        return next(opened.decode(video=0))


def _close(one: Pixels, other: Pixels) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= TOLERANCE
