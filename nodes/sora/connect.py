"""Connections that lead where they may, and that nobody can hold for ever.

A name is resolved once, what it gave is checked, and the connection is made to a checked address: asking the name
server a second time would let it answer otherwise (DNS rebinding). TLS goes on verifying the name. Through a proxy it
is the proxy that resolves.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.retry import Retry

LEAST_BYTES = 4096  # that have to come in SILENCES of the longest silence allowed: a drip keeps every one short
SILENCES = 2  # more than one: whoever reads a whole answer has a deadline of his own, and better words for it

Check = Callable[[str, list[str]], list[str]]  # (host, its addresses) -> those to try; raises what is to be told


class Adapter(HTTPAdapter):
    """An adapter whose connections ask `check` before they are made."""

    def __init__(self, check: Check, retry: Retry) -> None:
        self._pools = _pools(check)  # first: the base class makes its manager at once
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *positional: Any, **keywords: Any) -> None:
        """As requests wants it."""
        super().init_poolmanager(*positional, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **keywords: Any) -> Any:
        """The owner chose the proxy: any address is right for it."""
        manager = super().proxy_manager_for(proxy, **keywords)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _pools(lambda _, addresses: addresses)
        return manager


class _Line:
    """What both kinds of connections do otherwise than urllib3's."""

    check: Check

    def _new_conn(self: Any) -> socket.socket:
        name = self._dns_host
        trouble: Exception | None = None
        for address in self.check(name, _resolved(self, name)):
            self._dns_host = address
            try:
                connected: socket.socket = super()._new_conn()  # type: ignore[misc]  # of urllib3's class behind us
            except (NewConnectionError, ConnectTimeoutError) as error:
                trouble = error
            else:
                return connected
            finally:
                self._dns_host = name  # which TLS verifies
        raise trouble or NewConnectionError(self, f"Failed to resolve '{name}'")


class _Answer(HTTPResponse):
    """An answer that has to come at some pace, its headers and the sizes of its chunks, too."""

    def __init__(self, sock: Any, *positional: Any, **keywords: Any) -> None:
        super().__init__(sock, *positional, **keywords)
        self.fp = io.BufferedReader(_Paced(self.fp.detach(), sock.gettimeout()))


class _Paced(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, longest_s: float | None) -> None:
        self._raw, self._longest_s = raw, longest_s
        self._waited_s: float | None = None  # None: nothing came yet, and one silence may be as long as it may be
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int | None:
        began = time.monotonic()
        count = self._raw.readinto(into)
        if self._waited_s is None:
            self._waited_s = 0.0
            return count
        self._waited_s += time.monotonic() - began
        self._bytes += count or 0
        if self._bytes >= LEAST_BYTES:
            self._waited_s, self._bytes = 0.0, 0
        elif self._longest_s is not None and self._waited_s > SILENCES * self._longest_s:
            raise TimeoutError("the answer comes too slowly")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pools(check: Check) -> dict[str, type]:
    ours = {"check": staticmethod(check), "response_class": _Answer}
    # By the names that their errors are known by.
    plain, tls = (type(base.__name__, (_Line, base), ours) for base in (HTTPConnection, HTTPSConnection))
    return {
        "http": type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPSConnectionPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


def _resolved(connection: Any, name: str) -> list[str]:
    """The addresses of a name, in the resolver's order. NewConnectionError where it has none."""
    try:
        found = socket.getaddrinfo(name.strip("[]"), connection.port, allowed_gai_family(), socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the second: a name that no name server can be asked for
        raise NewConnectionError(connection, f"Failed to resolve '{name}' ({error})") from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))
