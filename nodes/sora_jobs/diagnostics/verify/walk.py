"""The walk over a provider's calls: those that cost nothing, and, where the owner allows a sum, one job from its create
to its file. The job is bought like any other, through the ledger, its budget and its identity."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import requests

from ...engine import Engine, PurchaseResult
from ...errors import (
    BudgetExceededError,
    GatewayError,
    InvalidInputError,
    NotPurchasedError,
    RequestRejectedError,
    SoraError,
)
from ...gateway.client import Client
from ...gateway.error_body import Response
from ...gateway.http import NETWORK_ERRORS, iter_body
from ...jobs.spec import Job
from .choice import REMIX, Offer, Wish, cheapest, check_spend, offer_of, taken_up
from .record import Recorder

if TYPE_CHECKING:
    from ...media.source import VideoInfo

UNKNOWN = f"video_{'0' * 32}"  # an id that no job has
VARIANTS = ("thumbnail", "spritesheet")
RANGE = 1024  # bytes that are asked for to see whether ranges work
MEASURED, MEASURED_S = 16 << 20, 20.0  # bytes, and seconds, after which a download has been measured
PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF")

Buy = Callable[[Future[PurchaseResult]], PurchaseResult]
Collect = Callable[[PurchaseResult], Path]  # waits until the job's file is on disk


@dataclass
class Content:
    """How a finished video is handed out. `way` is the content call or an address in the video object; `answered` the
    status of a request for a range, `size` in bytes as it was told, `rate` in bytes per second."""

    way: Literal["call", "address"] = "call"
    url: str = ""
    answered: int = 0
    kind: str = ""
    size: int | None = None
    rate: float | None = None
    headers: tuple[str, ...] = ()
    with_key: bool = False


@dataclass
class Walked:
    """All that a walk found, before any of it is put into a report."""

    wish: Wish
    recorder: Recorder
    client: Client
    listed: frozenset[str] | None = None
    offer: Offer | None = None
    why_not: SoraError | None = None  # why there is nothing to be bought
    job: Job | None = None
    was_there: bool = False  # the job is an earlier run's
    remix: Job | None = None
    no_remix: str = ""  # why none was bought
    remix_is_refused: bool = False  # by the provider
    error: SoraError | None = None  # what ended the walk before its end
    info: VideoInfo | None = None
    size: int = 0  # bytes of the stored file; 0 without one
    content: Content | None = None
    variants: dict[str, tuple[int, str, bool]] = field(default_factory=dict)  # (status, content type, a picture?)


class Walk:
    """One provider, one walk. `buy` and `collect` wait, and show how far it is."""

    def __init__(self, engine: Engine, wish: Wish, buy: Buy, collect: Collect) -> None:
        self._engine, self._wish, self._buy, self._collect = engine, wish, buy, collect
        self._client = engine.providers.client(wish.provider)  # MissingKeyError, InvalidInputError
        self.found = Walked(wish, Recorder(self._client.provider), self._client)

    def go(self) -> Walked:
        """Walk. InvalidInputError and BudgetExceededError come before anything is bought; what goes wrong with the job
        itself is kept as `error`, with all that was seen until then."""
        self._client.listen(self.found.recorder)
        try:
            self._free_calls()
            job = taken_up(self._engine, self._wish)
            self._choose(job)
            if self._wish.buys:
                self._walk_job()
        finally:
            self._client.listen(None)
        return self.found

    def _free_calls(self) -> None:
        """List of models, an id that nobody has, its content, and the list of jobs. GatewayError where the provider
        cannot be reached at all."""
        response = self._client.reach()
        self.found.listed = _ids(Response(response.status, {}, response.body))
        with contextlib.suppress(SoraError):
            self._client.retrieve(UNKNOWN)
        with contextlib.suppress(SoraError):
            self._client.content(UNKNOWN, {}).close()
        with contextlib.suppress(SoraError):
            self._client.list_videos()

    def _choose(self, job: Job | None) -> None:
        """What is bought, or would be."""
        found = self.found
        if job is not None:
            found.offer, found.was_there = offer_of(job), True
            return
        try:
            found.offer = cheapest(self._engine, self._wish, found.listed)
        except InvalidInputError as error:
            if self._wish.buys:
                raise
            found.why_not = error
            return
        if self._wish.buys:
            check_spend(found.offer, self._wish.spend or 0.0)

    def _walk_job(self) -> None:
        found, offer = self.found, self.found.offer
        assert offer is not None
        try:
            bought = self._buy(self._engine.start_create(offer.spec(self._wish.provider, self._wish.take)))
            found.job, found.was_there = bought.job, bought.reused
            path = self._collect(bought)
            found.job = self._engine.ledger.job(bought.job.id)
            self._measure(path, found.job)
            self._make_free_requests(found.job)
            self._remix(found.job)
        except (InvalidInputError, BudgetExceededError):
            raise
        except SoraError as error:
            found.error = error

    def _measure(self, path: Path, job: Job) -> None:
        from ...media.probe import probe

        self.found.size = job.bytes or 0
        with contextlib.suppress(SoraError):  # what cannot be decoded here may play elsewhere
            self.found.info = probe(path)

    def _make_free_requests(self, job: Job) -> None:
        """The free calls for a job that is finished; none of them ends the walk."""
        with contextlib.suppress(SoraError):
            self._client.retrieve(job.video_id)
        with contextlib.suppress(SoraError):
            self._client.list_videos()
        with contextlib.suppress(SoraError, *NETWORK_ERRORS):
            self._read_content(job.video_id)
        for variant in VARIANTS:
            with contextlib.suppress(*NETWORK_ERRORS):
                self.found.variants[variant] = self._variant(job.video_id, variant)

    def _read_content(self, video_id: str) -> None:
        """Whether a range can be asked for, and how fast the whole comes."""
        found = Content()
        with self._opened(video_id, {"Range": f"bytes=0-{RANGE - 1}"}, found) as response:
            found.answered, found.url = response.status_code, response.url or ""
            found.with_key = "Authorization" in response.request.headers
        start, came = time.monotonic(), 0
        with self._opened(video_id, {}, found) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            found.headers, found.kind = tuple(headers), headers.get("content-type", "")
            length = headers.get("content-length", "")
            found.size = int(length) if length.isdecimal() and len(length) < 16 else None
            self.found.content = found
            for piece in iter_body(response, decode=False):
                came += len(piece)
                if came > MEASURED or time.monotonic() - start > MEASURED_S:
                    break
            found.rate = came / max(time.monotonic() - start, 1e-3)

    def _opened(self, video_id: str, headers: dict[str, str], found: Content) -> requests.Response:
        """The content call, or the address in the video object where there is no such call (quirk 8)."""
        if found.way == "call":
            try:
                return self._client.content(video_id, headers)
            except GatewayError:
                if not (url := self._client.retrieve(video_id).url):
                    raise
                found.way = "address"
                return self._client.stream(url, headers)
        return self._client.stream(self._client.retrieve(video_id).url, headers)

    def _variant(self, video_id: str, variant: str) -> tuple[int, str, bool]:
        try:
            with self._client.content(video_id, {}, variant) as response:
                head = next(iter_body(response), b"")
                kind = response.headers.get("content-type", "")
                return response.status_code, kind, head.startswith(PICTURES)
        except GatewayError as error:
            return error.http_status or 0, "", False

    def _remix(self, job: Job) -> None:
        """Where there is one, and the money is enough for it, too, at today's price."""
        found = self.found
        try:
            self._client.provider.check_remix()
            self._engine.catalogue.check_remix(job.model)
            usd = self._engine.quote({"job": job.id, "provider": job.provider}).usd
        except InvalidInputError as error:
            found.no_remix = error.message
            return
        spent = 0.0 if found.was_there else job.estimated_usd
        if usd is None or spent is None:
            found.no_remix = "its price is unknown."
            return
        if spent + usd - (self._wish.spend or 0.0) > 1e-6:
            found.no_remix = "--spend is not enough for it."
            return
        try:
            bought = self._buy(self._engine.start_remix(job.id, REMIX, self._wish.take))
            found.remix = bought.job
            self._collect(bought)
            found.remix = self._engine.ledger.job(bought.job.id)
        except NotPurchasedError as error:  # the job itself is there all the same
            found.remix_is_refused = isinstance(error, RequestRejectedError)
            # Without the error's own words: they may name a machine or a host.
            found.no_remix = "" if found.remix_is_refused else f"it was not sent ({error.kind})."


def _ids(response: Response) -> frozenset[str] | None:
    """The ids of a list of models; None where it is none."""
    value = response.json()
    rows = value.get("data") if isinstance(value, dict) else value
    if response.status != 200 or not isinstance(rows, list):
        return None
    return frozenset(str(row["id"]) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str))
