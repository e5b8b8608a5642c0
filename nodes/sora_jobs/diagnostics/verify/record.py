"""What came over the line while a provider was verified: each response, when it came, and which call it answers."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import requests

from ...config.providers import Provider
from ...gateway.error_body import Response
from ...gateway.http import same_origin
from ...gateway.video_object import read_video
from ...jobs.remote_video import RemoteVideo

MOST = 1000  # exchanges that are kept: an hour of polls at CometAPI's pace has 360
FIRST = 100  # of these, from the beginning; what lies between them and the newest goes first
LARGEST, LARGEST_SUM = 256 << 10, 32 << 20  # bytes of a body whose shape is looked at, and of all

Call = Literal["models", "create", "remix", "list", "retrieve", "content", "address"]
PATHS: dict[Call, str] = {
    "models": "/v1/models",
    "create": "/v1/videos",
    "list": "/v1/videos",
    "retrieve": "/v1/videos/{id}",
    "content": "/v1/videos/{id}/content",
    "remix": "/v1/videos/{id}/remix",
    "address": "(the video's address)",
}


@dataclass
class Exchange:
    """A response. `call` is which of the API's it answers, or "address" for one that the provider gave for a video;
    `video_id` the id in its path; `at` on the monotonic clock, `took_s` seconds until its headers were there."""

    call: Call
    method: str
    url: str
    video_id: str
    variant: str
    status: int
    headers: dict[str, str]
    with_key: bool
    at: float
    took_s: float
    response: Response | None = None

    @property
    def video(self) -> RemoteVideo | None:
        """The video object in it; None where there is none."""
        return read_video(self.response) if self.response is not None else None


class Recorder:
    """Listens to a client. Thread-safe: engine threads poll while another one looks."""

    def __init__(self, provider: Provider, exchanges: Iterable[Exchange] = ()) -> None:
        """`exchanges` are those that were recorded before."""
        self._provider = provider
        self._lock = threading.Lock()
        self._exchanges = list(exchanges)
        self._room = LARGEST_SUM
        self._open: weakref.WeakKeyDictionary[requests.Response, Exchange] = weakref.WeakKeyDictionary()

    def __call__(self, response: requests.Response, received: Response | None) -> None:
        """A response that opens, or, with its `received`, one whose body was read."""
        with self._lock:
            exchange = self._open.get(response)
            if exchange is None:
                exchange = self._new(response)
                self._open[response] = exchange
                self._exchanges.append(exchange)
                if len(self._exchanges) > MOST:
                    del self._exchanges[FIRST]
            if received is not None and len(received.body) <= min(LARGEST, self._room):
                exchange.response = received
                self._room -= len(received.body)

    def seen(self, *calls: Call) -> list[Exchange]:
        """The exchanges so far, of those calls or of all."""
        with self._lock:
            return [one for one in self._exchanges if not calls or one.call in calls]

    def of(self, video_id: str) -> Iterator[Exchange]:
        """The polls of that job."""
        return (one for one in self.seen("retrieve") if one.video_id == video_id)

    def _new(self, response: requests.Response) -> Exchange:
        request = response.request
        method, url = request.method or "", request.url or ""
        call, video_id = call_of(method, url, self._provider)
        query = urlsplit(url).query
        return Exchange(
            call=call,
            method=method,
            url=url,
            video_id=video_id,
            variant=query.removeprefix("variant=") if query in ("variant=thumbnail", "variant=spritesheet") else "",
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            with_key="Authorization" in request.headers,
            at=time.monotonic(),
            took_s=response.elapsed.total_seconds(),
        )


def call_of(method: str, url: str, provider: Provider) -> tuple[Call, str]:
    """(which call of the API a URL is, the id in it)."""
    base, path = urlsplit(provider.base_url).path, urlsplit(url).path
    if not same_origin(url, provider.base_url) or not path.startswith(f"{base}/v1/"):
        return "address", ""
    parts = path.removeprefix(base).split("/")[2:]
    if parts == ["models"]:
        return "models", ""
    if parts == ["videos"]:
        return ("create" if method == "POST" else "list"), ""
    video_id = unquote(parts[1]) if len(parts) > 1 else ""
    if parts[0] == "videos" and len(parts) == 2:
        return "retrieve", video_id
    if parts[0] == "videos" and len(parts) == 3 and parts[2] in ("content", "remix"):
        return ("content" if parts[2] == "content" else "remix"), video_id
    return "address", ""
