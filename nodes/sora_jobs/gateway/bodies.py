"""Bodies of responses: unpacked within limits, and looked at before they are handed on.

Nothing compressed is ever asked for (Accept-Encoding: identity). Some send it all the same.
"""

from __future__ import annotations

import codecs
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from requests import Response
from requests.exceptions import ContentDecodingError, RequestException
from urllib3.exceptions import HTTPError

PIECE = 1 << 20  # bytes at most in one piece
GROWTH = 50  # times that a body may grow when it is unpacked: videos hardly do, and texts stay below FREE
FREE = 16 << 20  # bytes that are not counted for that
HEAD = 12  # bytes by which a body is known
GZIP = b"\x1f\x8b"
PACKED = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress")  # anything else is a name for "as it is"

Unpack = Callable[[bytes], Iterator[bytes]]


def packed_with(header: str) -> list[str]:
    """The codings that a Content-Encoding names, in the order in which they were applied."""
    named = (name.strip().lower() for name in header.split(","))
    return [name for name in named if name in PACKED]


def unpacked(pieces: Iterator[bytes], header: str) -> Iterator[bytes]:
    """The body without the codings that `header` names, PIECE by PIECE. ContentDecodingError for one that cannot be
    unpacked here, for damage, and for a body that grows beyond all reason."""
    for coding in reversed(packed_with(header)):
        pieces = _unpacked(pieces, coding)
    yield from pieces


def opened(response: Response) -> bytes:
    """Unpack a response, whose `raw` gives the video's own bytes from now on, and return its first ones.

    What its headers say of length, version and place is said of the packed bytes, and goes. A line that breaks this
    early breaks for whoever reads on.
    """
    coding = response.headers.pop("Content-Encoding", "")
    if packed_with(coding):
        for name in ("Content-Length", "Content-Range", "ETag"):
            response.headers.pop(name, None)
    pieces = unpacked(iter_raw(response.raw), coding)
    first = b""
    try:
        while len(first) < HEAD and (piece := next(pieces, None)) is not None:
            first += piece
    except ContentDecodingError:
        raise
    except (RequestException, HTTPError, OSError) as error:
        pieces = map(_raise, [error])
    response.raw = ReplayedBody(response.raw, filter(None, itertools.chain((first,), pieces)))
    return first


def _raise(error: Exception) -> NoReturn:
    raise error


class ReplayedBody:
    """A response's `raw` for pieces that were taken from it already; as much of urllib3's as requests and we use."""

    def __init__(self, raw: Any, pieces: Iterator[bytes]) -> None:
        self._raw, self._pieces = raw, pieces

    def read(self, *_: Any, **__: Any) -> bytes:
        """The next piece; b"" at the end."""
        return next(self._pieces, b"")

    read1 = read

    def close(self) -> None:
        self._raw.close()

    def release_conn(self) -> None:
        self._raw.release_conn()


def is_text(head: bytes) -> bool:
    """JSON, or a bare address."""
    return head.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[", b'"', b"http"))


def looks_like_video(head: bytes) -> bool:
    """The first box of an MP4 or MOV, or the head of a WebM or Matroska file."""
    boxes = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
    return head[4:8] in boxes or head.startswith(b"\x1a\x45\xdf\xa3")


def iter_raw(raw: Any) -> Iterator[bytes]:
    """The body as it comes over the line, in pieces as they arrive."""
    if not hasattr(raw, "read1"):  # urllib3 before 2.1
        while piece := raw.read(1 << 10, decode_content=False):
            yield piece
        return
    while piece := raw.read1(PIECE, decode_content=False):
        yield piece


def _unpacked(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD:
            break
    if looks_like_video(head) or not head:  # labelled, and not packed
        yield from itertools.chain((head,), pieces)
        return
    unpack = _unpacking(coding, head)
    came = gave = 0
    for piece in itertools.chain((head,), pieces):
        came += len(piece)
        for out in unpack(piece):
            gave += len(out)
            if gave > FREE and gave > GROWTH * came:
                raise ContentDecodingError(f"the response grows from {came} bytes to more than {gave}")
            yield out


def _unpacking(coding: str, head: bytes) -> Unpack:
    if coding == "br":
        return _brotli()
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ContentDecodingError(f"the response is compressed with {coding!r}, which cannot be unpacked here")
    if head.startswith(GZIP):
        return _Zlib(16 + zlib.MAX_WBITS)
    with_header = len(head) > 1 and head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0
    if coding == "deflate":  # with zlib's header as it should be, or without one
        return _Zlib(zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS)
    return _Zlib(zlib.MAX_WBITS) if with_header else lambda piece: iter((piece,))  # labelled, and not packed


class _Zlib:
    """zlib's decompressor, also for several gzip members one after the other."""

    def __init__(self, bits: int) -> None:
        self._bits, self._one = bits, zlib.decompressobj(bits)

    def __call__(self, data: bytes) -> Iterator[bytes]:
        try:
            full = False  # where it gave all that it may at a time, more may follow without more data
            while data or full:
                if self._one.eof:
                    if not data.startswith(GZIP[:1]):  # padding
                        return
                    self._one = zlib.decompressobj(self._bits)
                out = self._one.decompress(data, PIECE)
                yield out
                data = self._one.unused_data if self._one.eof else self._one.unconsumed_tail
                full = len(out) == PIECE and not self._one.eof
        except zlib.error:
            raise ContentDecodingError("the compressed response is damaged") from None


def _brotli() -> Unpack:
    """The library's decompressor. Older versions cannot be told how much they may give at a time."""
    needs = ContentDecodingError("the response is compressed with 'br', which needs the package brotli 1.2 or newer")
    try:
        import brotli
    except ImportError:
        raise needs from None
    one: Any = brotli.Decompressor()
    if not hasattr(one, "can_accept_more_data"):
        raise needs

    def unpack(data: bytes) -> Iterator[bytes]:
        if one.is_finished():  # padding
            return
        try:
            out = one.process(data, output_buffer_limit=PIECE)
            while out:
                yield out
                out = b"" if one.is_finished() else one.process(b"", output_buffer_limit=PIECE)
        except brotli.error:
            raise ContentDecodingError("the compressed response is damaged") from None

    return unpack
