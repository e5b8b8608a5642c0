"""What kind of file this is, by its first bytes and its boxes, before a decoder sees it.

Decoders guess by content too, and some of their guesses (playlists) open further files and addresses. So only
containers that hold their video themselves are let through, and all else is named in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import MediaTrouble
from ..redact import redact

AGAIN = "If it is the video of a job, delete it and run the job again: it is fetched anew."

# Top-level boxes that an MP4 or MOV may begin with: ISO/IEC 14496-12, and QuickTime's older ones.
_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
MOST_BOXES = 1_000_000  # at the top of a file: a recording of days has as many fragments
LARGEST_INDEX = 64 << 20  # bytes of what is no picture and no sound in a gateway's MP4; a clip of ours has some kB
MOST_SAMPLES = 5_000_000  # in a gateway's MP4; FFmpeg takes 72 bytes of memory for each that is declared
_SAMPLES = re.compile(rb"stsz|stz2|trun|cmov")  # boxes that declare samples without listing them; a packed index
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # how Matroska and WebM begin
_STARTS = (
    _EBML,
    b"GIF8",
    b"OggS",
    b"FLV\x01",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x30\x26\xb2\x75",  # ASF
)


def check(path: Path, *, only_mp4: bool = False) -> bool:
    """True when the file was cut short: an MP4's box, or Matroska's segment, reaches past the end of the file.

    MediaTrouble where there is no file, nothing in it, no container that is known, or an MP4 without its index.
    """
    try:
        if not path.is_file():
            raise MediaTrouble(f"There is no file {path.name}.", advice="Was it moved or deleted?")
        with path.open("rb") as file:
            head = file.read(4096)
            if not head:
                raise MediaTrouble(f"{path.name} is empty (0 bytes).", advice=AGAIN)
            if head[4:8] in _BOXES:
                return _check_mp4(path, file, only_mp4=only_mp4)
            if head.startswith(_EBML) and not only_mp4:
                return _matroska_end(head) > path.stat().st_size
    except OSError as error:
        raise MediaTrouble(f"{path.name} cannot be read: {error.strerror or error}.") from error
    transport = head[0] == 0x47 and head[188:189] in (b"\x47", b"")
    known = head.startswith(_STARTS) or transport or (head[:4] == b"RIFF" and head[8:11] == b"AVI")
    if not known or only_mp4:
        raise MediaTrouble(f"{path.name} is {_named(head, known)}.", advice=AGAIN)
    return False


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
    """(type, start, end) of each top-level box; `end` may lie past `size`, the file's length in bytes."""
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
        if length < 8:
            return
        yield kind, start, start + length
        start += length


def _check_mp4(path: Path, file: BinaryIO, *, only_mp4: bool) -> bool:
    size = path.stat().st_size
    cut_short = False
    whole = set()
    index = bytearray()
    for kind, start, end in boxes(file, size):
        cut_short = cut_short or end > size
        if end <= size:
            whole.add(kind)
        if only_mp4 and kind != b"mdat":
            file.seek(start)
            index += file.read(min(end - start, LARGEST_INDEX + 1 - len(index)))
    if only_mp4 and (len(index) > LARGEST_INDEX or _declared(bytes(index)) > MOST_SAMPLES):
        raise MediaTrouble(f"The MP4 {path.name} declares more frames than any clip has.", advice=AGAIN)
    if b"moov" not in whole:
        ends = "ends before its index (moov): it was cut short" if cut_short else "has no index (moov)"
        raise MediaTrouble(f"The MP4 {path.name} ({size} bytes) {ends}, so nothing in it can be found.", advice=AGAIN)
    if only_mp4 and b"ftyp" not in whole:
        raise MediaTrouble(f"{path.name} is no MP4: it does not say its type (ftyp).", advice=AGAIN)
    return cut_short


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


def _named(head: bytes, known: bool) -> str:
    """What the file is instead, with the beginning of a text."""
    if known:
        return "a video of another kind, not an MP4"
    text = head.decode("utf-8", "ignore").strip("\ufeff \t\r\n")
    printable = sum(letter.isprintable() or letter.isspace() for letter in text)
    if len(text.encode()) < 0.9 * len(head.removeprefix(b"\xef\xbb\xbf").strip()) or printable < 0.95 * len(text):
        return f"no video: it begins with the bytes {head[:8].hex(' ')}"
    kind = {"{": "a JSON message", "[": "a JSON message", "<": "a web page or XML"}.get(text[:1], "text")
    shown = redact(" ".join(text.split()))
    return f"no video but {kind}: {shown[:160]}{'…' if len(shown) > 160 else ''}"
