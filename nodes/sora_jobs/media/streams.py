"""Which of a file's tracks is the picture, and which the sound: FFmpeg's choice, among those that have a decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_DEFAULT, _ATTACHED = 0x1, 0x400  # FFmpeg's AV_DISPOSITION_DEFAULT and _ATTACHED_PIC, the cover of an album

NEWER_PYAV_HINT = "A newer version may have one: pip install -U av"

Rank = Callable[[Any], tuple[int, ...]]


def best_picture(file: Any) -> Any:
    """The picture of a file that PyAV has open; None where it has none. Its `codec_context` is None where no picture
    has a decoder."""

    def rank(stream: Any) -> tuple[int, ...]:
        shown = not _flags(stream) & _ATTACHED
        return shown, _flags(stream) & _DEFAULT, stream.codec_context.width * stream.codec_context.height

    meant = file.streams.best("video")
    return _decodable(meant, file.streams.video, rank) or meant


def best_sound(file: Any) -> tuple[Any, str]:
    """(the sound of a file that PyAV has open, or None; a sentence for the user where another one was meant)."""

    def rank(stream: Any) -> tuple[int, ...]:
        context = stream.codec_context
        return _flags(stream) & _DEFAULT, len(context.layout.channels), context.bit_rate or 0

    meant = file.streams.best("audio")
    found = _decodable(meant, file.streams.audio, rank)
    if found is None and file.streams.audio:
        return None, f"PyAV has no decoder for its sound, which is therefore silence. {NEWER_PYAV_HINT}"
    if found is not None and meant is not None and found.index != meant.index:
        return found, f"PyAV has no decoder for its first sound; that of track {found.index} is taken instead."
    return found, ""


def _flags(stream: Any) -> int:
    """Its disposition: PyAV gave an enumeration's member for it, and later gave a number."""
    return int(getattr(stream.disposition, "value", stream.disposition))


def _decodable(meant: Any, streams: tuple[Any, ...], rank: Rank) -> Any:
    """The stream that is meant if it has a decoder, else the best of those that have; None where none has."""
    if meant is not None and meant.codec_context is not None:
        return meant
    able = [stream for stream in streams if stream.codec_context is not None]
    return max(able, key=lambda stream: (*rank(stream), -stream.index), default=None)
