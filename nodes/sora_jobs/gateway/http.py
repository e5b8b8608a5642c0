"""What our HTTP calls have in common: sessions, keys, bodies that are sent once, answers that arrive in time."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError
from urllib3.util import parse_url

from .. import __version__
from ..config.providers import Provider
from ..errors import GatewayError, InvalidInputError, NotOfferedError, SoraError
from ..util.addresses import is_loopback, is_of_link, is_private, is_public, is_unambiguous_url
from ..util.redact import redact, register_login
from .bodies import iter_raw, unpacked
from .connections import Adapter, NoPySocks

NETWORK_ERRORS = (requests.RequestException, HTTPError, OSError)
# They write addresses into the log, with what signs them: at a lost connection, and all of them when debugging.
TALKATIVE = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry", "urllib3.response")
SOCKS_ADVICE = "Install it with ComfyUI's Python (python -m pip install PySocks), restart, and run again."


class Bearer(requests.auth.AuthBase):
    """Sets our key, if the provider wants one, and the owner's extra headers, for the provider itself and for nobody
    else; since it is set this way, requests does not look for another key in a .netrc."""

    def __init__(self, key: str, provider: Provider) -> None:
        self._key, self._provider = key, provider

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not same_origin(request.url or "", self._provider.base_url):
            message = "The key is for the gateway's own address only."
            raise GatewayError(message, transient=False, code="key_not_for_origin")
        request.headers.update(dict(self._provider.headers))
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class NoAuth(requests.auth.AuthBase):
    """No key, and none from a .netrc either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class CountedBody:
    """A request body that knows whether any byte of it was handed to a connection.

    This decides about money: while none was, no gateway can have acted on the request.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self.handed_out = False

    def __len__(self) -> int:
        return len(self._data)

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if self.handed_out:  # whoever goes back wants to send it again
            raise OSError("a paid request is sent once")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size < 0 else self._position + size
        piece = self._data[self._position : end]
        self._position += len(piece)
        self.handed_out = self.handed_out or bool(piece)
        return piece


def iter_body(response: requests.Response, *, decode: bool = True) -> Iterator[bytes]:
    """The body as it arrives: waiting for a full piece would let a slow one pass every deadline, and lose what came
    before a cut. What comes compressed is unpacked, a piece at a time."""
    pieces = iter_raw(response.raw)
    yield from unpacked(pieces, response.headers.get("Content-Encoding", "")) if decode else pieces


class _Hush(logging.Filter):
    """Lets nothing pass that a thread of ours says while it is at a call. What went wrong is told by our errors."""

    def __init__(self) -> None:
        super().__init__()
        self.now = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - whatever it says
        return not getattr(self.now, "calling", False)


_hush = _Hush()


class Session(requests.Session):
    """Loopback, and a provider that is reached without TLS, never go through a proxy; other hosts use the usual
    variables, or what their provider's owner set."""

    def __init__(self, provider: Provider, *, outside: bool) -> None:
        super().__init__()
        self._provider = provider
        self.trust_env = outside  # also keeps a .netrc away from loopback
        for name in TALKATIVE:
            logging.getLogger(name).addFilter(_hush)

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:
        """Send it; no line about it comes into the log."""
        _hush.now.calling = True
        try:
            return super().send(request, **keywords)
        finally:
            _hush.now.calling = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - whatever it says
        """None: redirects are followed by whoever knows what may go there; requests fails on some that are none."""
        return None

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """What a request is sent with: proxies and authorities."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        host = urlsplit(str(url)).hostname or ""
        own = same_origin(str(url), self._provider.base_url)
        if is_loopback(host) or (own and self._provider.plain_http):
            settings["proxies"] = {}
        elif self._provider.proxy is not None:
            settings["proxies"] = dict.fromkeys(("http", "https"), self._provider.proxy) if self._provider.proxy else {}
        for proxy in dict(settings["proxies"]).values():
            register_login(proxy or "")
        # What it sends us to elsewhere has a certificate of the usual authorities, and of no others.
        if self._provider.ca_bundle and own:
            settings["verify"] = self._provider.ca_bundle
        return settings


def new_session(url: str, provider: Provider, *, given: bool = False) -> requests.Session:
    """A session for that provider's calls, or for downloads from an address that was `given` by it."""
    session = Session(provider, outside=not is_loopback(urlsplit(url).hostname or ""))
    session.headers["User-Agent"] = f"sora-jobs/{__version__}"
    session.headers["Accept-Encoding"] = "identity"

    def check(host: str, found: list[str]) -> list[str]:
        if is_loopback(host):
            found = _of_this_machine(host, found)
        elif provider.plain_http and not given:
            found = _private(host, found)
        return reachable(provider, host, found) if given else found

    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter(check))
    return session


def same_origin(url: str, base_url: str) -> bool:
    """Scheme, host and port, the standard ones with or without their number, as the connection will read them."""
    if not is_unambiguous_url(url):
        return False
    standard = {"http": 80, "https": 443}
    ours, other = parse_url(base_url), parse_url(url)
    return (ours.scheme, ours.host, ours.port or standard.get(ours.scheme or "")) == (
        other.scheme,
        other.host,
        other.port or standard.get(other.scheme or ""),
    )


def reachable(provider: Provider, host: str, found: list[str]) -> list[str]:
    """Those of a host's addresses to which a download may lead that the provider sent us to. NotOfferedError, which
    does not pass, where it is none of them."""
    local = is_loopback(urlsplit(provider.base_url).hostname or "")
    good = [address for address in found if is_public(address, provider.ranges) or (local and is_loopback(address))]
    if found and not good:
        raise NotOfferedError(
            f"The gateway gave an address for the download that leads into a private network ({host} is {found[0]}), "
            "so nothing was asked of it.",
            hint="Where that is right (storage of your own, or a proxy that gives every name an address of its own), "
            f"the machine's owner allows it in settings.toml: [downloads] ranges = ['{found[0]}'].",
            transient=False,
            code="url_not_public",
        )
    return good


def _of_this_machine(host: str, found: list[str]) -> list[str]:
    """A name that means this machine, and goes over plain http and past every proxy, has to lead to this machine."""
    good = [address for address in found if is_loopback(address)]
    if not good:
        message = f"The name {host} leads elsewhere than to this machine."
        raise InvalidInputError(message, hint="Write 127.0.0.1 instead.", code="url_not_loopback")
    return good


def _private(host: str, found: list[str]) -> list[str]:
    """A provider that is reached without TLS has to be in the private network, at each connection anew and with all of
    its addresses: whoever answers for its name could otherwise send prompts, and perhaps a key, across the internet.
    Only IPv6 addresses of a link are left out where there are others, and not connected to: mDNS names them, too."""
    good = [address for address in found if not is_of_link(address)]
    if outside := next((address for address in good or found if not is_private(address)), ""):
        raise InvalidInputError(
            f"Plain http is allowed to a private network only, and {host} leads to {outside}: nothing was sent.",
            hint="Use https or an ssh tunnel, or write the server's own address instead of a name.",
            code="url_not_private",
        )
    return good


def classify_network_error(error: BaseException) -> str:
    """What was in the way: "tls", "proxy", "socks" or "network", as messages.py names it."""
    for seen in _causes(error):
        if isinstance(seen, NoPySocks):
            return "socks"
        if isinstance(seen, requests.exceptions.SSLError | ssl.SSLError):
            return "tls"
        if isinstance(seen, requests.exceptions.ProxyError):
            return "proxy"
    return "network"


def is_not_connected(error: BaseException) -> bool:
    """Could the provider, or its proxy, not be connected to? Not where the connection was made, and TLS or the proxy
    refused it."""
    return any(isinstance(seen, ConnectTimeoutError) for seen in _causes(error))  # NewConnectionError is one, too


def is_closed(error: BaseException) -> bool:
    """Had the other side closed the connection before any byte of its response came?"""
    gone = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    return any(isinstance(seen, gone) for seen in _causes(error))


def network_hint(error: BaseException, usual: str) -> str:
    """What to do about it: the `usual`, unless what is missing is known."""
    return SOCKS_ADVICE if classify_network_error(error) == "socks" else usual


def in_words(error: BaseException) -> str:
    """What went wrong on the network, short and without addresses: the innermost cause says most."""
    if isinstance(error, SoraError):
        return error.message
    *_, seen = _causes(error)
    # urllib3 puts the connection first, and its words last.
    text = seen.args[-1] if isinstance(seen, HTTPError) and seen.args and isinstance(seen.args[-1], str) else str(seen)
    if " at 0x" in text or text.startswith(("HTTPConnection", "HTTPSConnection")):
        text = text.rsplit(": ", 1)[-1]
    return redact(text.rstrip("."))[:200] or type(seen).__name__  # cut last: half a key is none that is known


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what is in it, what is in that."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        candidates = [getattr(seen, "reason", None), *seen.args[:2]]
        seen = next((item for item in candidates if isinstance(item, BaseException)), None)
