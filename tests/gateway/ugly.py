"""A small scripted server: it answers with exactly the bytes it is told to, however wrong they are."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from urllib3 import HTTPResponse

Script = bytes | Callable[[socket.socket], None]
# Before 2.1 urllib3 reads no less than it is asked for: a trickle ends with "timed out", and not in our own words.
OLD_URLLIB3 = not hasattr(HTTPResponse, "read1")


@dataclass
class Request:
    """What a client sent: header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class UglyServer:
    """Gives its answers one connection after the other; the last one again and again. A context manager."""

    answers: list[Script]
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> UglyServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.requests)

    def _run(self) -> None:
        turn = 0
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                request = _read(connection)
                if request is None:
                    continue
                self.requests.append(request)
                answer = self.answers[min(turn, len(self.answers) - 1)]
                turn += 1
                try:
                    if callable(answer):
                        answer(connection)
                    else:
                        connection.sendall(answer)
                except OSError:
                    pass  # the client may have gone; that is its business


def answer(
    status: int, body: object = b"", headers: Iterable[tuple[str, str]] = (), length: int | None = None
) -> bytes:
    """The bytes of an HTTP answer; JSON for anything but bytes; `length` lies about the Content-Length."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw) if length is None else length}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def hang_up(connection: socket.socket) -> None:
    """Close without a word, after the whole request was read."""


def reset(connection: socket.socket) -> None:
    """Break the connection hard."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)
