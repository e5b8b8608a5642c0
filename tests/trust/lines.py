"""What stands at the other end of a line: a gateway's client, a name server, storage with TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from sora_jobs.config.providers import Provider
from sora_jobs.gateway.client import Client

KEY = "sk-key-of-the-gateway"
GATEWAY = "https://api.example.com"  # never reached in these tests


@contextlib.contextmanager
def client(base_url: str = GATEWAY, **more: Any) -> Iterator[Client]:
    made = Client(Provider(name="x", base_url=base_url, timeout_s=more.pop("timeout_s", 5.0), **more), KEY)
    yield made
    made.close()


def stop_listening(line: socket.socket) -> None:
    """Close it, and end an `accept` that another thread waits in."""
    with contextlib.suppress(OSError):  # Linux needs it; elsewhere it is an error, and closing is enough
        line.shutdown(socket.SHUT_RDWR)
    line.close()


class Resolver:
    """A name server: each name's addresses, of which every question gets the next. It counts the questions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
        self.asked: list[str] = []
        self._names = {name.replace("_", "."): iter([*given, *given[-1:] * 9]) for name, given in names.items()}
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: Any, *more: Any, **named: Any) -> Any:
        if host not in self._names:
            return self._real(host, port, *more, **named)
        self.asked.append(host)
        return self._real(next(self._names[host]), port, *more, **named)


class TLSServer:
    """One answer to everybody, over TLS, as the name that its certificate has."""

    def __init__(self, name: str, folder: Path, given: bytes) -> None:
        authority = trustme.CA()
        self.bundle = folder / f"{name}.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._context)
        self._given, self.heard = given, list[bytes]()

    def __enter__(self) -> TLSServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        stop_listening(self._socket)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            plain.settimeout(5)
            try:
                with self._context.wrap_socket(plain, server_side=True) as line:
                    self.heard.append(line.recv(65536))
                    line.sendall(self._given)
            except OSError:
                plain.close()
