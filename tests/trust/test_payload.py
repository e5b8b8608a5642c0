"""Attacks by what a download brings: wrong kinds, wrong lengths, no end, a drip, a thousandfold when unpacked."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from sora_jobs.delivery.download import download
from sora_jobs.errors import GatewayError, NotOfferedError
from sora_jobs.media.delivered import examine_delivered

from ..failures import failing
from ..gateway.ugly import UglyServer, answer
from ..media.clips import make_clip
from .lines import client


def fetched(folder: Path, script: bytes | Callable[[socket.socket], None], timeout_s: float = 5.0, **more: int) -> Path:
    """One download from a gateway that says `script`, checked as films are."""
    target = folder / "output" / "v.mp4"
    with UglyServer([script]) as server, client(server.url, timeout_s=timeout_s) as made:
        download(
            lambda headers: made.content("v", headers),
            target,
            check=examine_delivered,
            progress=lambda done, total: None,
            **more,
        )
    return target


def ending(
    folder: Path, script: bytes | Callable[[socket.socket], None], timeout_s: float = 5.0, **more: int
) -> GatewayError:
    """The same where it must fail; nothing has the final name, and no half file is left that is none of a film's."""
    with pytest.raises(GatewayError) as caught:
        fetched(folder, script, timeout_s, **more)
    assert not list((folder / "output").glob("*.mp4"))
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><script>alert(1)</script>",
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + b"\0" * 200,  # a zip
        b"\x1f\x8b\x08\x00" + b"\0" * 200,  # gzip
        b"MZ\x90\x00" + b"\0" * 200,  # a program
        b"\x7fELF" + b"\0" * 200,
        b"#!/bin/sh\nrm -rf /\n",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",  # a playlist, which FFmpeg would follow
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x1a\x45\xdf\xa3" + b"\0" * 200,  # Matroska
        b"\0\0\0\x20ftypisom" + b"\0" * 200,  # the head of an MP4 and nothing else
        b"\0\0\0\x08moov\0\0\0\x08ftyp",
        b"\0\0\0\x08free" * 1000,
        b"\0\0\0\x00ftypisom",
        b"",
    ],
)
def test_only_a_film_gets_the_name(tmp_path: Path, body: bytes) -> None:
    """Whatever it says that it is."""
    error = ending(tmp_path, answer(200, body, [("Content-Type", "video/mp4")]))
    assert isinstance(error, NotOfferedError)


def test_a_film_gets_the_name_that_we_chose(tmp_path: Path) -> None:
    """And not one that a server wishes."""
    wish = [("Content-Disposition", 'attachment; filename="../../evil.sh"'), ("Content-Type", "application/x-sh")]
    target = fetched(tmp_path, answer(200, make_clip(tmp_path / "c.mp4").read_bytes(), wish))
    assert [path.name for path in target.parent.iterdir()] == ["v.mp4"]
    assert not target.stat().st_mode & 0o111


@pytest.mark.parametrize("length", [5, 10**18, 0])
def test_a_wrong_length_makes_no_half_film(tmp_path: Path, length: int) -> None:
    """Too short, too long, or none."""
    ending(tmp_path, answer(200, make_clip(tmp_path / "c.mp4").read_bytes(), length=length))


@pytest.mark.parametrize("length", ["-1", "5, 6", "0x10", "1e3", "٣", "9" * 5000])
def test_a_length_that_is_no_number_is_survived(tmp_path: Path, length: str) -> None:
    """It ends in one of our errors, or in the film."""
    film = make_clip(tmp_path / "c.mp4").read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()
    with contextlib.suppress(GatewayError):
        assert fetched(tmp_path, head + film).read_bytes() == film


def test_a_huge_body_is_broken_off(tmp_path: Path) -> None:
    """At the limit, whatever length was declared."""

    def endless(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n\0\0\0\x20ftypisom")
        while True:
            line.sendall(b"\0" * 65536)

    error = ending(tmp_path, endless, largest=3_000_000)
    assert error.code == "too_large"
    assert not error.transient


@pytest.mark.parametrize("where", ["status", "headers", "chunk sizes"])
def test_a_drip_holds_no_thread(tmp_path: Path, where: str) -> None:
    """Each byte in time, and the whole never: also where no piece of the body is complete."""
    start = {"status": b"HTTP/1.1 ", "headers": b"HTTP/1.1 200 OK\r\nX: ", "chunk sizes": b"HTTP/1.1 200 OK\r\n"}[where]
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" if where == "chunk sizes" else b""
    gone = threading.Event()

    def drip(line: socket.socket) -> None:
        line.sendall(start + chunked)
        while not gone.wait(0.05):
            line.sendall(b"0" if chunked else b"x")

    begun = time.monotonic()
    ending(tmp_path, drip, timeout_s=0.2)
    assert time.monotonic() - begun < 8
    gone.set()


def test_a_packed_answer_swells_to_no_more_than_is_allowed() -> None:
    """A thousandfold in memory, if it were unpacked at once."""
    bomb = answer(200, gzip.compress(bytes(64 << 20), 1), [("Content-Encoding", "gzip")])
    with UglyServer([bomb]) as gateway, client(gateway.url) as made:
        tracemalloc.start()
        with failing(GatewayError, "network", "too long"):
            made.retrieve("video_1")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
        tracemalloc.stop()


def test_a_packed_answer_is_read_all_the_same() -> None:
    """Nothing packed is asked for, but some send it."""
    packed = gzip.compress(b'{"id": "video_1", "object": "video", "status": "queued"}')
    given = [
        answer(200, packed, [("Content-Encoding", "gzip")]),
        answer(200, b"\x1b\x03", [("Content-Encoding", "br")]),
    ]
    with UglyServer(given) as gateway, client(gateway.url) as made:
        assert made.retrieve("video_1").id == "video_1"
        with pytest.raises(GatewayError):
            made.retrieve("video_1")
    assert gateway.requests[0].headers["accept-encoding"] == "identity"
