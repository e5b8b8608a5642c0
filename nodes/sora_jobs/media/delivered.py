"""The check of a download: is it a video, of which kind, and is all of it there?

It was paid for, so only a file that surely is no video is refused. A check that goes wrong for any other reason (a
library that is broken or missing, a codec that it does not know) accepts the file, and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import MediaError
from . import backends, container
from .container import Container
from .guard import CHECK_HINT, trouble
from .notes import warnings_of
from .probe import glanced
from .reader import planned
from .selection import FrameChoice
from .source import opened
from .streams import NEWER_PYAV_HINT, best_picture, best_sound

UNKNOWN = Container(".mp4")  # what most providers send


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A file that may be stored.

    `suffix` of its name, by its content: .mp4, .mov, .webm, .mkv, .ts …; `is_complete` is False for a truncated one;
    `warnings` are sentences for the user. The rest is that of VideoInfo; 0 and "" where it is not known.
    """

    suffix: str
    is_complete: bool = True
    warnings: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: float = 0.0
    duration_s: float = 0.0
    has_audio: bool = False
    codec: str = ""

    def measured_against(self, size: str) -> Delivered:
        """The same, with a warning where it has another size than the `WxH` that was asked for."""
        came = f"{self.width}x{self.height}"
        if came == size or not (self.width and re.fullmatch("[0-9]+x[0-9]+", size)):
            return self
        said = f"It came out as {came}, not as the {size} that was asked for."
        return replace(self, warnings=(*self.warnings, said))


def examine_delivered(path: str | Path) -> Delivered:
    """Look at what a provider sent, without decoding more than its beginning.

    MediaError for a file that surely is no video: a text, a web page, a picture, only sound, an index without frames,
    one that declares more than any clip has, or one of which no frame can be decoded. Nothing else is raised.
    """
    path, kind = Path(path), UNKNOWN
    try:
        kind = container.container_of(path, strict=True)
        return _described(path, kind)
    except MediaError as error:
        # FFmpeg opens no file that ends in an unfinished `uuid`; its frames are all there.
        if _is_about_the_file(error) and not (kind.torn and error.__cause__ is not None):
            raise
        reason = error.message
    except Exception as error:  # noqa: BLE001 - whatever breaks in here must not leave a paid video behind
        reason = trouble(error, path).message
    reason = reason.removeprefix(f"{path.name} ")
    warning = f"{path.name} could not be checked: {reason} It was stored as it came. {CHECK_HINT}"
    whole = not (kind.cut_short or kind.torn)  # the end of a torn one may be what keeps it from being opened
    return Delivered(suffix=kind.suffix, is_complete=whole, warnings=(warning,))


def _described(path: Path, kind: Container) -> Delivered:
    with opened(path) as file:
        picture, (_, note) = best_picture(file), best_sound(file)
        if picture is not None and picture.codec_context is None:
            warning = f"PyAV has no decoder for the picture of {path.name}. {NEWER_PYAV_HINT}"
            return Delivered(suffix=kind.suffix, is_complete=not kind.cut_short, warnings=(warning,))
    source = glanced(path)
    info = source.info
    if kind.suffix == ".gif" and info.frames == 1:
        raise MediaError(
            f"{path.name} is a GIF picture, not a video.", hint=container.DOWNLOAD_AGAIN_HINT, code="not_a_video"
        )
    warnings = warnings_of(source, planned(source, FrameChoice()), info.frames)
    return Delivered(
        suffix=kind.suffix,
        is_complete=not info.cut_short,
        warnings=(*warnings, f"{path.name}: {note}") if note else warnings,
        width=info.width,
        height=info.height,
        frames=info.frames,
        fps=info.fps,
        duration_s=info.duration_s,
        has_audio=info.has_audio,
        codec=info.codec,
    )


def _is_about_the_file(error: MediaError) -> bool:
    """Is it what our own checks or FFmpeg say of the file's content, and not of the disk, the memory or the library?"""
    if error.__cause__ is None:
        return True
    try:
        ffmpeg = backends.av().error.FFmpegError
    except Exception:  # noqa: BLE001 - it is the library that is broken
        return False
    return isinstance(error.__cause__, ffmpeg) and not isinstance(error.__cause__, OSError | MemoryError | LookupError)
