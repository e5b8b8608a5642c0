"""Connections that lead only where they may, and that no server can hold open forever.

A name is resolved once, its addresses are checked, and the connection is made to a checked address: a second look-up
could give another one (DNS rebinding). TLS goes on verifying the name. Through a proxy it is the proxy that resolves.

This file alone uses parts of urllib3 and http.client that their documentation does not promise: `_new_conn`,
`ConnectionCls`, `response_class`, `pool_classes_by_scheme`, `allowed_gai_family` and `fp`. They work in the versions
that TESTED names (`make matrix`). `prove` finds out, before the first request, whether the check is really called.
"""

from __future__ import annotations

import functools
import io
import itertools
import socket
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3.util.connection
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ..errors import LocalError
from ..util.addresses import is_loopback, parse_ip_literal

TESTED = ("2.0.7", "2.2.3", "2.8.0")  # versions of urllib3, as in tests/matrix_urllib3.py
LEAST_BYTES = 4096  # that have to come in SILENCES of the longest silence allowed: a drip keeps every one short
SILENCES = 2  # more than one: whoever reads a whole response has a deadline of his own, and better words for it
NOWHERE = "127.0.0.1:1"  # where the self-test would connect to if the check were not called: nothing listens there

Check = Callable[[str, list[str]], list[str]]  # (host, its addresses) -> those to try; raises what is to be told


def any_address(_host: str, found: list[str]) -> list[str]:
    """The check for a proxy, which the machine's owner chose."""
    return found


class Adapter(HTTPAdapter):
    """An adapter whose connections ask `check` before they are made, and those to a proxy `proxy_check`. It repeats
    nothing: that is decided in retries.py.

    `connections` counts those that were begun, but for the ones through SOCKS: a call that began none had a kept one.
    """

    def __init__(self, check: Check, proxy_check: Check = any_address) -> None:
        self.connections = 0
        # First: the base class makes its manager.
        self._pools, self._proxy_pools = _pools(self._counted(check)), _pools(self._counted(proxy_check))
        super().__init__(max_retries=0)  # for requests: not even a connection that could not be made

    def _counted(self, check: Check) -> Check:
        def counted(host: str, found: list[str]) -> list[str]:
            self.connections += 1
            return check(host, found)

        return counted

    def init_poolmanager(self, *positional: Any, **keywords: Any) -> None:
        """As requests wants it."""
        super().init_poolmanager(*positional, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **keywords: Any) -> Any:
        """As requests wants it. NoPySocks where the proxy is of a kind that requests needs PySocks for."""
        try:
            manager = super().proxy_manager_for(proxy, **keywords)
        except requests.exceptions.InvalidSchema as error:  # so requests says it
            raise NoPySocks("a SOCKS proxy is set, and the package PySocks is not installed") from error
        if not str(proxy).lower().startswith("socks"):  # whose connections are those of PySocks
            manager.pool_classes_by_scheme = self._proxy_pools
        return manager

    def send(self, request: requests.PreparedRequest, *positional: Any, **keywords: Any) -> requests.Response:
        """Send it. LocalError where the check would not be called; a numeric loopback address needs none."""
        if not is_loopback(parse_ip_literal(urlsplit(request.url or "").hostname or "")):
            prove()
        return super().send(request, *positional, **keywords)


class NoPySocks(requests.exceptions.ProxyError):
    """A SOCKS proxy (ALL_PROXY=socks5://…) without the package that requests needs for it."""


class _Checked(Exception):
    """What the check of the self-test raises."""


@functools.cache
def prove() -> None:
    """Find out, once per process, whether urllib3 calls the check before it connects: plain and over TLS, directly and
    through a proxy. No connection is made. LocalError where it does not, or where this cannot be found out."""

    def check(_host: str, _found: list[str]) -> NoReturn:
        raise _Checked

    for scheme, proxies in itertools.product(("http", "https"), ({}, {"all": f"http://{NOWHERE}"})):
        request = requests.Request("GET", f"{scheme}://{NOWHERE}/").prepare()
        try:
            adapter = Adapter(check, check)
            super(Adapter, adapter).send(request, timeout=1.0, proxies=proxies)
        except _Checked:
            continue
        except Exception as error:  # whatever an unknown version does: the check was not called
            if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
                raise _not_tried(error) from error
            raise _not_called(repr(error)) from None
        raise _not_called("a response came")


def _not_called(why: str) -> LocalError:
    version = getattr(urllib3, "__version__", "")
    return LocalError(
        f"urllib3 {version} connects without calling this pack's check of addresses, so nothing was sent ({why}).",
        hint=f"Install a version that was tested ({', '.join(TESTED)}), then restart: "
        f"python -m pip install urllib3=={TESTED[-1]}",
        code="unsupported_library",
    )


def _not_tried(error: OSError) -> LocalError:
    """Not one of requests' own: a file that it needs before it connects, such as certifi's, cannot be read."""
    return LocalError(
        f"The check of addresses could not be tried, so nothing was sent: {str(error).rstrip('.')}.",
        hint="Where this names a file of certificates, install it anew, then restart: "
        "python -m pip install --force-reinstall certifi",
        code="check_not_tried",
    )


class _Line:
    """What both kinds of connections do differently from urllib3's."""

    check: Check

    def _new_conn(self: Any) -> socket.socket:
        trouble: Exception | None = None
        for address in self.check(self.host, _resolved(self)):
            try:
                return _connected(self, address)
            except TimeoutError:
                message = f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
                trouble = ConnectTimeoutError(self, message)
            except OSError as error:
                trouble = NewConnectionError(self, f"Failed to establish a new connection: {error}")
        raise trouble or NewConnectionError(self, f"Failed to resolve '{self.host}'")


class _Answer(HTTPResponse):
    """A response that has to come at some pace, its headers and the sizes of its chunks, too."""

    def __init__(self, sock: Any, *positional: Any, **keywords: Any) -> None:
        super().__init__(sock, *positional, **keywords)
        paced = _Paced(sock.makefile("rb", buffering=0), sock.gettimeout())
        self.fp.close()
        self.fp = io.BufferedReader(paced)


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
            raise TimeoutError("the response comes too slowly")
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


def _resolved(connection: Any) -> list[str]:
    """The addresses of a connection's host, in the resolver's order. NewConnectionError where it has none."""
    try:
        family = urllib3.util.connection.allowed_gai_family()
        found = socket.getaddrinfo(connection.host.strip("[]"), connection.port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the second: a name that no name server can be asked for
        raise NewConnectionError(connection, f"Failed to resolve '{connection.host}' ({error})") from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _connected(connection: Any, address: str) -> socket.socket:
    """A socket that is connected to that address, and to no other."""
    made = socket.create_connection((address, connection.port), connection.timeout, connection.source_address)
    try:
        for option in connection.socket_options or ():
            made.setsockopt(*option)
    except OSError:
        made.close()
        raise
    return made
