"""OpenCV and PyAV, imported at first use: each takes a noticeable part of a second, and `sora jobs` needs neither."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

from ..errors import MediaTrouble

_ADVICE = (
    "Install one OpenCV and only one: pip uninstall the opencv packages, then pip install opencv-python "
    "(opencv-python-headless on a machine without a desktop)."
)


@functools.cache
def cv2() -> Any:
    """The `cv2` module. MediaTrouble when it is missing, cannot be loaded, or is the hollow rest of another wheel.

    The plain, contrib and headless wheels share one folder; uninstalling one of several leaves an `import cv2` that
    succeeds and has nothing in it.
    """
    # Read once, when the first file is opened. Damaged files are reported by us in words, so FFmpeg's own lines
    # about single macroblocks would only bury them; whoever wants them sets the variable.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")  # AV_LOG_FATAL
    try:
        module = importlib.import_module("cv2")
    except ImportError as error:
        raise MediaTrouble(f"OpenCV cannot be loaded: {error}.", advice=_ADVICE) from error
    if not hasattr(module, "VideoCapture") or not hasattr(module, "cvtColor"):
        raise MediaTrouble("The OpenCV that is installed is hollow: it has no VideoCapture.", advice=_ADVICE)
    return module


@functools.cache
def av() -> Any:
    """The `av` module (PyAV). MediaTrouble when it is missing or cannot be loaded."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise MediaTrouble(f"PyAV cannot be loaded: {error}.", advice="pip install av") from error
