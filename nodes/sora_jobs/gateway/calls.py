"""HTTP with one provider: sessions, its key, and responses that are read within limits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from ..config.providers import Provider
from ..config.timing import DEFAULT, Timing
from ..util.addresses import is_loopback
from .connections import Adapter
from .error_body import Response
from .http import Bearer, NoAuth, is_closed, iter_body, new_session, same_origin

LARGEST_ANSWER = 8 << 20  # bytes of JSON; real ones have a few hundred

Listener = Callable[[requests.Response, Response | None], None]


@dataclass
class Calls:
    """Thread-safe: every thread has sessions of its own. What goes wrong on the network is raised as it comes, one of
    NETWORK_ERRORS, and explained by whoever knows what was wanted."""

    provider: Provider
    key: str = field(repr=False)
    timing: Timing = DEFAULT
    accepted: bool = False  # has the provider taken a call with this key?
    # Told of each response: as it opens, and with its body once that was read. For whoever writes down what came.
    listener: Listener | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._sessions = threading.local()
        self._opened: list[requests.Session] = []
        self._lock = threading.Lock()

    @property
    def signed(self) -> Bearer:
        """For calls to the provider itself, and for nobody else."""
        return Bearer(self.key, self.provider)

    @property
    def timeouts(self) -> tuple[float, float]:
        """Seconds for connecting, and for a silence."""
        return (min(self.timing.connect_timeout_s, self.provider.timeout_s), self.provider.timeout_s)

    def url(self, path: str) -> str:
        """Where a call of the provider's is."""
        return self.provider.base_url + path

    def ask(self, path: str) -> Response:
        """The whole response to a call that changes nothing, and may be repeated."""
        with self.open(self.url(path)) as response:
            return self.read(response)

    def open(self, url: str, headers: Mapping[str, str] | None = None, *, with_key: bool = True) -> requests.Response:
        """An open response to a call that may be repeated. Redirects are the caller's to follow.

        It is made once; twice where the connection was kept from an earlier call, and the server had closed it.
        """
        session = self._session(url)
        auth = self.signed if with_key else NoAuth()

        def get() -> requests.Response:
            return session.get(
                url, headers=dict(headers or {}), auth=auth, timeout=self.timeouts, stream=True, allow_redirects=False
            )

        before = _connections(session, url)
        try:
            response = get()
        except requests.ConnectionError as error:
            if not is_closed(error) or _connections(session, url) > before:
                raise
            response = get()
        self._tell(response, None)
        return response

    def read(self, response: requests.Response, timeout_s: float | None = None) -> Response:
        """Read a response within a limit of bytes and of time, so that a slow drip cannot hold a thread for ever."""
        deadline = self.timing.monotonic() + (timeout_s or self.provider.timeout_s)
        pieces: list[bytes] = []
        size = 0
        for piece in iter_body(response):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_ANSWER or self.timing.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout("the response is too long or too slow")
        headers = {name.lower(): value for name, value in response.headers.items()}
        received = Response(response.status_code, headers, b"".join(pieces), response.url or "")
        self._tell(response, received)
        return received

    def close(self) -> None:
        with self._lock:
            for session in self._opened:
                session.close()
            self._opened.clear()

    def _tell(self, response: requests.Response, received: Response | None) -> None:
        """Whatever a listener raises, the response to a paid request is not lost over it."""
        if self.listener is not None:
            with contextlib.suppress(Exception):
                self.listener(response, received)

    def _session(self, url: str) -> requests.Session:
        """This thread's session for calls that may be repeated: to the provider itself, or to where it sends us."""
        given = not same_origin(url, self.provider.base_url)
        kind = f"{'given' if given else 'own'} {'direct' if is_loopback(urlsplit(url).hostname or '') else 'outside'}"
        session: requests.Session | None = getattr(self._sessions, kind, None)
        if session is None:
            session = new_session(url, self.provider, given=given)
            setattr(self._sessions, kind, session)
            with self._lock:
                self._opened.append(session)
        return session


def _connections(session: requests.Session, url: str) -> int:
    adapter = session.get_adapter(url)
    assert isinstance(adapter, Adapter)
    return adapter.connections
