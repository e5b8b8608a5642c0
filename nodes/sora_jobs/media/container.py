"""What kind of file this is, by its first bytes and its boxes, before a decoder sees it.

Decoders guess by content too, and some of their guesses (playlists) open further files and addresses. So only
containers that hold their video themselves are let through, and all else is named in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import MediaError
from . import foreign, samples

DOWNLOAD_AGAIN_HINT = (
    "If it is the video of a job and plays nowhere else either, move it to another folder and run the job again: it is "
    "fetched anew."
)

# Top-level boxes that an MP4 or MOV may begin with: ISO/IEC 14496-12, and QuickTime's older ones.
_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
# Further ones that it may hold. What goes by no such name is no box but bytes that were put behind the file.
_LATER = (b"moof", b"mfra", b"sidx", b"ssix", b"prft", b"emsg", b"pdin", b"uuid", b"meta", b"udta")
MOST_BOXES = 1_000_000  # at the top of a file: a recording of days has as many fragments
LARGEST_INDEX = 64 << 20  # bytes of what is no picture and no sound in a gateway's MP4; a clip of ours has some kB
MOST_SAMPLES = 5_000_000  # in a gateway's MP4; FFmpeg takes 72 bytes of memory for each that is declared
_SAMPLES = re.compile(rb"stsz|stz2|trun|cmov")  # boxes that declare samples without listing them; a packed index
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # how Matroska and WebM begin
_STARTS = {
    b"GIF8": ".gif",
    b"OggS": ".ogv",
    b"FLV\x01": ".flv",
    b"\x00\x00\x01\xba": ".mpg",  # MPEG program stream
    b"\x30\x26\xb2\x75": ".wmv",  # ASF
}
_PICTURES = (b"avif", b"heic", b"heix", b"mif1")  # brands of pictures in an MP4's boxes
_SYNC, _PACKET, _STAMPED = 0x47, 188, 192  # MPEG-TS: first byte and size of a packet; with a time stamp of 4 before it


@dataclass(frozen=True)
class Container:
    """`suffix` of a file's name, by its content; `cut_short`: it ends before all is there that it promises; `torn`: its
    last box is unfinished, but every sample that its index names is there."""

    suffix: str
    cut_short: bool = False
    torn: bool = False


def check(path: Path) -> bool:
    """True when the file was cut short. Errors are those of `container_of`."""
    return container_of(path).cut_short


def container_of(path: Path, *, strict: bool = False) -> Container:
    """The container of a video file.

    MediaError where there is no file, nothing in it, no container that is known, or an MP4 without its index; with
    `strict` also for an MP4 that declares more than a clip of a gateway's can have.
    """
    try:
        if not path.is_file():
            raise MediaError(f"There is no file {path.name}.", hint="Was it moved or deleted?", code="file_not_found")
        with path.open("rb") as file:
            head = file.read(4096)
            if not head:
                raise MediaError(f"{path.name} is empty (0 bytes).", hint=DOWNLOAD_AGAIN_HINT, code="file_empty")
            if head[4:8] in _BOXES and head[8:12] not in _PICTURES:
                return _mp4_container(path, file, head, strict=strict)
            found = _other(head, path.stat().st_size)
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read: {error.strerror or error}.", code="unreadable_video") from error
    if found is not None:
        return found
    message, hint = foreign.named(head)
    raise MediaError(f"{path.name} is {message}.", hint=hint or DOWNLOAD_AGAIN_HINT, code="not_a_video")


def _other(head: bytes, size: int) -> Container | None:
    """The container of a file of that size that begins so, where it is known and no MP4."""
    if head.startswith(_EBML):
        return Container(".webm" if b"\x42\x82\x84webm" in head[:256] else ".mkv", _matroska_end(head) > size)
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return Container(".avi")
    if head[0] == _SYNC and head[_PACKET : _PACKET + 1] in (b"\x47", b""):
        return Container(".ts")
    if [head[at] for at in range(4, min(len(head), 4 * _STAMPED), _STAMPED)] == 4 * [_SYNC]:
        return Container(".m2ts")
    return next((Container(suffix) for start, suffix in _STARTS.items() if head.startswith(start)), None)


def _matroska_end(head: bytes) -> int:
    """Where the one segment of a Matroska or WebM file ends (RFC 8794, 5 and 6); 0 where it does not say."""

    def number(at: int) -> tuple[int, int]:
        """(a number of variable length, where it ends); -1 for the one that stands for unknown."""
        length = 9 - head[at].bit_length() if at < len(head) and head[at] else 9
        value = int.from_bytes(head[at : at + length]) & ((1 << 7 * length) - 1)
        return (-1 if length > 8 or value == (1 << 7 * length) - 1 else value), at + length

    size, at = number(len(_EBML))
    at += max(0, size)
    if not head.startswith(_SEGMENT, at):
        return 0
    size, at = number(at + len(_SEGMENT))
    return 0 if size < 0 else at + size


def boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of each top-level box; `end` may lie past `size`, the file's length in bytes. It ends where
    what follows is no box."""
    start = 0
    for _ in range(MOST_BOXES):
        if start + 8 > size:
            return
        file.seek(start)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16])
        elif length == 0:  # "to the end of the file"
            length = size - start
        if length < 8 or (start + length > size and kind not in _BOXES + _LATER):
            return
        yield kind, start, start + length
        start += length


def _mp4_container(path: Path, file: BinaryIO, head: bytes, *, strict: bool) -> Container:
    size, at = path.stat().st_size, 0
    unfinished = b""  # the kind of a box that reaches past the end; there is at most one
    whole: dict[bytes, tuple[int, int]] = {}
    index = bytearray()
    for kind, start, end in boxes(file, size):
        at = end
        if end > size:
            unfinished = kind
        else:
            whole.setdefault(kind, (start, end))
        if strict and kind != b"mdat":
            index += _read(file, start, end, LARGEST_INDEX + 1 - len(index))
    if strict:  # FFmpeg reads on behind the last box
        index += _read(file, at, size, LARGEST_INDEX + 1 - len(index))
        if len(index) > LARGEST_INDEX or _declared(bytes(index)) > MOST_SAMPLES:
            message = f"The MP4 {path.name} declares more frames than any clip has."
            raise MediaError(message, hint=DOWNLOAD_AGAIN_HINT, code="too_many_frames")
    if b"moov" not in whole:
        file_name, so = f"The MP4 {path.name} ({size} bytes)", "so nothing in it can be found."
        if unfinished:
            message = f"{file_name} ends before its index (moov): it was cut short, {so}"
            raise MediaError(message, hint=DOWNLOAD_AGAIN_HINT, code="video_truncated")
        raise MediaError(f"{file_name} has no index (moov), {so}", hint=DOWNLOAD_AGAIN_HINT, code="index_missing")
    start, end = whole[b"moov"]
    needed = None if end - start > LARGEST_INDEX else samples.end_of(_read(file, start, end, LARGEST_INDEX))
    lost = needed > size if needed else bool(unfinished)  # an index that tells where all samples are decides alone
    suffix = ".mp4" if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else ".mov"
    return Container(suffix, cut_short=lost, torn=bool(unfinished) and not lost)


def _read(file: BinaryIO, start: int, end: int, most: int) -> bytes:
    file.seek(start)
    return file.read(max(0, min(end - start, most)))


def _declared(index: bytes) -> int:
    """How many samples the boxes of an index declare, at whatever depth they stand: a few bytes can declare billions,
    for all of which a decoder takes memory. A packed index (cmov, of old QuickTime) counts as too many."""
    found = 0
    for match in _SAMPLES.finditer(index):
        at = match.start()
        size = int.from_bytes(index[max(0, at - 4) : at])
        if size != 1 and not 8 <= size <= len(index) - at + 4:
            continue  # letters in some text, and no box: the size does not fit
        place = at + (8 if match[0] == b"trun" else 12) + (8 if size == 1 else 0)
        found += MOST_SAMPLES + 1 if match[0] == b"cmov" else int.from_bytes(index[place : place + 4])
    return found
