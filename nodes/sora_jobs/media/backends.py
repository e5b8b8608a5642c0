"""OpenCV and PyAV, imported at first use: each takes a noticeable part of a second, and `sora jobs` needs neither."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import MediaError

# The demuxers of what container.py lets through, by FFmpeg's names: it is to open nothing else, whatever it guesses.
FORMATS = "mov,matroska,webm,mpegts,mpeg,avi,flv,gif,ogg,asf"

CLIPS = Path(__file__).with_name("selftest")  # tiny clips on which the installed libraries are tried

# They share one folder, so that of several only the last one installed works, and uninstalling any breaks it.
WHEELS = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
ONE_OPENCV = (
    f"Install one OpenCV and only one: pip uninstall {' '.join(WHEELS)}, then pip install opencv-python, or "
    "opencv-contrib-python if another pack wants its extras (either with -headless where libGL is missing)."
)


NEW_PYAV = "Install PyAV anew: pip install --upgrade --force-reinstall av"


@functools.cache
def cv2() -> Any:
    """The `cv2` module. MediaError when it is missing, cannot be loaded, or is the hollow rest of another wheel.

    Uninstalling one of several wheels leaves nothing, files of two versions that do not fit each other, or an empty
    folder, whose import succeeds.
    """
    # Read once, when the first file is opened. Damaged files are reported by us in words, so FFmpeg's own lines
    # about single macroblocks would only bury them; whoever wants them sets the variable.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")  # AV_LOG_FATAL
    try:
        module = importlib.import_module("cv2")
    except Exception as error:  # files that do not fit each other, or this numpy, raise errors of any kind
        raise MediaError(f"OpenCV cannot be loaded: {error}.", hint=ONE_OPENCV, code="opencv_unusable") from error
    if not hasattr(module, "VideoCapture") or not hasattr(module, "cvtColor"):
        raise MediaError(
            "The OpenCV that is installed is hollow: it has no VideoCapture.", hint=ONE_OPENCV, code="opencv_unusable"
        )
    return module


def opencv_wheels() -> list[str]:
    """Which of OpenCV's wheels are installed, each with its version."""
    found = []
    for name in WHEELS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return found


@functools.cache
def av() -> Any:
    """The `av` module (PyAV). MediaError when it is missing or cannot be loaded."""
    try:
        return importlib.import_module("av")
    except Exception as error:  # a wheel for another Python or system raises errors of any kind
        raise MediaError(f"PyAV cannot be loaded: {error}.", hint=NEW_PYAV, code="pyav_unusable") from error


def open_av(path: Path, **options: str) -> Any:
    """Open a file for reading with PyAV, whatever letters its metadata holds; `options` are those of FFmpeg's
    demuxers. Raises PyAV's errors, and OSError."""
    # Not as `options`, which PyAV up to 16 does not survive for files whose streams are only found by reading on.
    return av().open(str(path.absolute()), container_options={"format_whitelist": FORMATS} | options, **_odd_metadata())


def fraction(rate: Any) -> Fraction | None:
    """A rate or a ratio of PyAV's; None where it is unknown. From 19 on PyAV has a class of its own for them, which
    admits 0/0, instead of fractions."""
    return Fraction(int(rate.numerator), int(rate.denominator)) if rate and rate.denominator else None


@functools.cache
def _odd_metadata() -> dict[str, str]:
    """What PyAV is given so that it opens a file whose metadata is not UTF-8. From 19 on it always does, and has no
    such keyword any more. Its functions show no signature, so that is tried once, on a clip that is shipped."""
    keywords = {"metadata_errors": "ignore"}
    try:
        av().open(str(CLIPS / "bt601_limited.mp4"), **keywords).close()
    except TypeError:
        return {}
    return keywords
