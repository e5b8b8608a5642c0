"""Bodies that come compressed though nothing compressed was asked for."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ContentDecodingError
from sora_jobs.config.providers import Provider
from sora_jobs.errors import GatewayError, NotOfferedError, PurchaseUncertainError
from sora_jobs.gateway import bodies
from sora_jobs.gateway.bodies import PIECE, unpacked
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall

from ..failures import failing
from .ugly import UglyServer, answer

TEXT = json.dumps({"id": "video_1", "object": "video", "status": "queued", "prompt": "a boat " * 40}).encode()
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 64


def brotli(data: bytes) -> bytes:
    return pytest.importorskip("brotli", "1.2").compress(data)  # type: ignore[no-any-return]


def raw_deflate(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(data) + packing.flush()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


WAYS = {
    "gzip": ("gzip", gzip.compress),
    "by its old name": ("X-GZIP", gzip.compress),
    "several members": ("gzip", lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:])),
    "with padding behind it": ("gzip", lambda data: gzip.compress(data) + bytes(512)),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "gzip called deflate": ("deflate", gzip.compress),
    "deflate called gzip": ("gzip", zlib.compress),
    "brotli": ("br", brotli),
    "twice": ("gzip, br", lambda data: brotli(gzip.compress(data))),
    "a name for nothing": ("identity", bytes),
    "S3's name for nothing": ("aws-chunked", bytes),
    "an encoding of letters": ("utf-8", bytes),
    "no name": ("", bytes),
    "not packed at all": ("gzip", bytes),
}


@pytest.mark.parametrize("size", [1, 7, 5000])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_unpacked_however_it_was_packed(way: str, size: int) -> None:
    """And in whatever pieces it comes."""
    header, pack = WAYS[way]
    assert b"".join(unpacked(pieces(pack(TEXT), size), header)) == TEXT


@pytest.mark.parametrize("header", ["gzip", "deflate", "br", "zstd"])
def test_a_video_that_is_only_called_packed_is_left_as_it_is(header: str) -> None:
    """Storage keeps whatever name somebody gave."""
    assert b"".join(unpacked(pieces(FILM, 5), header)) == FILM


@given(st.binary(max_size=4000), st.integers(1, 600), st.sampled_from(["gzip", "deflate", "br"]))
def test_no_body_causes_another_kind_of_error(data: bytes, size: int, header: str) -> None:
    """Damage is told as such."""
    for body in (data, gzip.compress(data)[: len(data) // 2], BROTLI + data):
        with contextlib.suppress(ContentDecodingError):
            list(unpacked(pieces(body, size), header))


@pytest.mark.parametrize(("header", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli)])
def test_a_bomb_is_stopped(header: str, pack: object) -> None:
    """It gives a piece at a time, and ends long before all of it was unpacked."""
    bomb = pack(bytes(64 << 20))  # type: ignore[operator]
    sizes = []
    with pytest.raises(ContentDecodingError, match="grows"):
        for piece in unpacked(pieces(bomb, 1 << 16), header):
            sizes.append(len(piece))
    assert max(sizes) <= 2 * PIECE  # brotli may give somewhat more than it was told
    assert sum(sizes) <= max(bodies.FREE, bodies.GROWTH * len(bomb))


def test_all_that_is_left_comes_at_the_end() -> None:
    """Also what a decompressor holds back when it gave all that it may at a time."""
    for size in (PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7):
        data = (b"a" * 257 + b"b") * (size // 258 + 1)
        assert b"".join(unpacked(pieces(gzip.compress(data[:size]), 1 << 20), "gzip")) == data[:size]


BROTLI = b"\x1bc\x00\xf8%\xc2\x02\xb1@\xa0\x03"  # of a hundred letters
OLD = SimpleNamespace(Decompressor=SimpleNamespace, error=ValueError)


@pytest.mark.parametrize("library", [None, OLD], ids=["without the library", "with an old one"])
def test_what_cannot_be_unpacked_is_told(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    """A poll or a download is asked again later; a create may have been taken, and says so."""
    monkeypatch.setitem(sys.modules, "brotli", library)
    packed = answer(200, BROTLI, [("Content-Encoding", "br")])
    with UglyServer([packed]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=5), "sk-key-12345")
        with failing(GatewayError, "network", "compressed with 'br', which needs the package brotli"):
            client.retrieve("video_1")
        with failing(NotOfferedError, "invalid_encoding", "compressed with 'br', which needs the package brotli"):
            client.content("video_1", {})
        with failing(PurchaseUncertainError, "connection_lost", "compressed with 'br'"):
            client.create(CreateCall({"prompt": "a boat"}))
        client.close()
        assert server.count("POST") == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_packed_create_is_read(way: str) -> None:
    """Its id is worth money."""
    header, pack = WAYS[way]
    with UglyServer([answer(200, pack(TEXT), [("Content-Encoding", header)])]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=5), "sk-key-12345")
        assert client.create(CreateCall({"prompt": "a boat"})).id == "video_1"
        client.close()
        assert server.requests[0].headers["accept-encoding"] == "identity"
