"""Reserve -> create -> store the id: one function in one thread, never split, so that no paid answer is dropped."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..config.providers import SANDBOX
from ..config.timing import Timing
from ..errors import (
    BudgetExceededError,
    LedgerError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    UnreachableError,
)
from ..gateway.clients import ClientPool, Clients
from ..gateway.retries import delay
from ..jobs.identity import Identity
from ..jobs.outcomes import existing_purchase_error
from ..jobs.quote import Quote
from ..jobs.remote_video import RemoteVideo
from ..jobs.spec import Job, VideoRequest, parse_size
from ..jobs.state import JobState
from ..ledger.ledger import TAKEN_OVER, Ledger, cancelled_error
from ..ledger.merge import Elsewhere
from ..ledger.queue import Turn
from ..models.catalogue import Catalogue
from ..models.form import create_call
from ..util.disk import VIDEO_NAME
from .disk_room import check_room
from .quote import check_new, estimate
from .reconcile import ask_again

Image = NDArray[np.uint8]
Tell = Callable[[str], None]
QUEUE_FULL = ("video_queue_full",)  # codes of rejections that are a matter of how many jobs there are
UNPRICED = Quote(None)  # of what is not bought now


def tell_nobody(_: str) -> None:
    """For whoever wants no warning."""


@dataclass(frozen=True)
class PurchaseResult:
    """The job, and its references exactly as they went up: uint8 [H, W, 3] each.

    `reused` tells that the ledger had this purchase already: nothing was sent, and `quote` says nothing.
    """

    job: Job
    images: tuple[Image, ...] = ()
    reused: bool = False
    quote: Quote = UNPRICED


@dataclass(frozen=True)
class PreparedPurchase:
    """A purchase that was found right: nothing of it is written or sent yet. It goes on with the settings by which it
    was found so, those of `clients`. `files` are its kept references; `tell(warning)` is called before it is sent, with
    what the user should know of its model."""

    clients: Clients
    spec: VideoRequest
    remix_of: Job | None
    images: tuple[Image, ...]
    files: list[str]
    origin: str
    quote: Quote
    tell: Tell = tell_nobody


@dataclass(eq=False)
class Order:
    """A purchase that is reserved, and ours to send."""

    purchaser: Purchaser
    prepared: PreparedPurchase
    is_claimed: bool = False  # may a byte of it have been sent, with no response that rejects it?
    failed: Counter[type[SoraError]] = field(default_factory=Counter)  # tries that bought nothing, by their errors
    error: SoraError | None = None  # of the last of them

    def send(self, job: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """Send it: see `Purchaser.send`."""
        return self.purchaser.send(job, self, wanted)


class Purchaser:
    """Buys, once per identity."""

    def __init__(
        self,
        ledger: Ledger,
        gateways: ClientPool,
        catalogue: Callable[[], Catalogue],
        *,
        timing: Timing,
        elsewhere: Callable[[Identity], Elsewhere | None] = lambda identity: None,  # noqa: ARG005 - nowhere
    ) -> None:
        self._ledger, self._clients, self._catalogue = ledger, gateways, catalogue
        self._elsewhere = elsewhere
        self._timing = timing
        self._reserving = threading.Lock()
        self._full_until: dict[str, float] = {}  # providers that take no more jobs for a while
        self._sending: set[str] = set()  # rows that a thread of this process is sending now
        self._not_kept: dict[str, RemoteVideo] = {}  # what the gateway said of a create, and the ledger could not keep
        self._refusals: dict[str, SoraError] = {}

    def prepare(
        self, spec: VideoRequest, *, remix_of: Job | None = None, listed: bool = False, tell: Tell = tell_nobody
    ) -> PreparedPurchase:
        """Everything that can be found wrong before a row is written: InvalidInputError, MissingKeyError, StorageError.
        With `listed` the catalogue has to have the model. `tell`: see PreparedPurchase."""
        clients = self._clients.now()
        provider = clients.provider(spec.provider)
        active_purchase = self._ledger.queries.active_purchase(spec)
        if active_purchase is not None and not active_purchase.state.is_reserved:
            # What is paid for needs neither key nor room, and may be what no catalogue has any more.
            files = list(active_purchase.references)
            return PreparedPurchase(clients, spec, remix_of, self._fitted(spec), files, provider.origin, UNPRICED)
        if (
            active_purchase is None
            and spec.provider != SANDBOX
            and (other := self._elsewhere(spec.identity)) is not None
        ):
            raise other.error
        if active_purchase is None or active_purchase.sent_at is None:
            clients.check_fields(spec, self._catalogue().fields(spec.model))
        if listed:
            self._catalogue().require(spec.model)
        check_new(spec, provider, self._catalogue())
        images = self._fitted(spec)
        clients.client_to_buy(spec, remix_of)
        check_room(clients.config.settings.videos, VIDEO_NAME)
        price = estimate(spec, provider, self._catalogue(), remix_of)
        files = self._keep_references(spec)
        return PreparedPurchase(clients, spec, remix_of, images, files, provider.origin, price, tell)

    def reserve(self, prepared: PreparedPurchase) -> tuple[Job, Order | None]:
        """Write down the purchase, or find the job that the ledger already has for it; with the order to send, where it
        is ours to send. BudgetExceededError, LedgerError: nothing is to be sent."""
        for job_id, refusal in list(self._refusals.items()):
            self._note_refused(job_id, refusal)
        job, mine = self._reserve(prepared)
        if not mine and job.id in self._not_kept:
            job = self._keep(job, self._not_kept[job.id])
        return job, Order(self, prepared) if mine else None

    def result(self, prepared: PreparedPurchase, job: Job, *, mine: bool) -> PurchaseResult | None:
        """Return what became of a purchase that is sent, by us if it is `mine`; None where another one sent it and it
        was refused there, so that it may be reserved anew. PurchaseUncertainError, JobFailedError: see the table in the
        README."""
        if job.state is JobState.FAILED and not mine:
            job = ask_again(self._ledger, prepared.clients, job)  # free, and some gateways say so only once
        if job.state.blocks_purchase:
            raise existing_purchase_error(job)
        if job.state.is_free:
            return None
        return PurchaseResult(job, prepared.images, reused=not mine, quote=prepared.quote if mine else UNPRICED)

    def _reserve(self, prepared: PreparedPurchase) -> tuple[Job, bool]:
        """The row of the purchase, and whether we are to send it. BudgetExceededError says why a price is unknown."""
        try:
            with self._reserving:
                job, mine = self._ledger.reserve(
                    prepared.spec,
                    origin=prepared.origin,
                    estimated_usd=prepared.quote.usd,
                    budget=lambda: prepared.clients.config.budget,
                    references=prepared.files,
                    remix_of=prepared.remix_of,
                    sending=self._sending | self._not_kept.keys() | self._refusals.keys(),
                )
                if mine:
                    self._sending.add(job.id)
        except BudgetExceededError as error:
            raise error.changed(message=f"{error.message} {prepared.quote.why_unknown()}".strip()) from None
        return job, mine

    def _warn(self, prepared: PreparedPurchase) -> None:
        """Say what is known of the model while nothing is sent yet; who cannot hear it holds nothing up."""
        language = prepared.clients.config.shown_language
        if warning := self._catalogue().warning(prepared.spec, prepared.remix_of, language):
            with contextlib.suppress(Exception):
                prepared.tell(warning)

    def send(self, job: Job, order: Order, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """Send the reserved job, as long as it is `wanted`, and record what the provider says: one function in one
        thread, never split. The job and None; or seconds, after which it is sent again, where the provider rejected it
        for now.

        Whatever happens, its row tells afterwards what became of the money. NotPurchasedError: it may be sent again;
        PurchaseUncertainError: it never is, by itself.
        """
        delay_s = None
        try:
            job, delay_s = self._try(job, order, wanted)
            return job, delay_s
        except PurchaseUncertainError as error:
            if error.charge == "possible":
                self._note_unknown(job, error)
            raise error.with_job(job.id) from error.__cause__
        except LedgerError as error:
            # Only before a try: nothing of it was sent. If not even this can be noted, the next run sees that nobody
            # sends the row.
            if error.code != TAKEN_OVER:
                with contextlib.suppress(LedgerError):
                    self._ledger.refused(job.id, error)
            raise
        except SoraError as error:  # NotPurchasedError, or something that was wrong before it was sent
            self._note_refused(job.id, error)
            raise self._with_another_model(error, order.prepared.spec).with_job(job.id) from error.__cause__
        except BaseException as error:
            # Not one of ours: nobody knows how far it came, so the money counts as perhaps spent.
            self._note_unknown(job, PurchaseUncertainError(f"the create was broken off: {error!r}"))
            raise
        finally:
            if delay_s is None:
                self._sending.discard(job.id)

    def _with_another_model(self, error: SoraError, spec: VideoRequest) -> SoraError:
        if error.kind != "model_gone":
            return error
        near = self._catalogue().instead(spec.model, spec.seconds, spec.size, spec.provider, len(spec.references))
        return error.changed(hint=f"{error.hint} {near}".strip())

    def _note_refused(self, job_id: str, error: SoraError) -> None:
        """Nothing was bought. That is known also where it cannot be written down now: the next purchase tries again."""
        try:
            self._ledger.refused(job_id, error)
        except LedgerError:
            self._refusals[job_id] = error
        else:
            self._refusals.pop(job_id, None)

    def _note_unknown(self, job: Job, error: PurchaseUncertainError) -> None:
        """What became of the money counts for more than that it could not be noted: the next run sees that the row was
        sent and that nobody sends it any more."""
        with contextlib.suppress(LedgerError):
            self._ledger.unknown(job.id, error)

    def _try(self, job: Job, order: Order, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """The create itself; repeated only where the provider clearly rejected it for now."""
        if job.state is JobState.QUEUED:
            if self._full_until.get(job.provider, 0.0) > self._timing.monotonic():
                return job, 0.0
            order.prepared = self._prepared_again(order.prepared)
        prepared = order.prepared
        if order.error is None and wanted():
            self._warn(prepared)
        create = self._create(prepared)
        if not wanted():
            raise order.error or cancelled_error(job.id)
        if not order.is_claimed:
            claimed = self._ledger.sending(job.id, self._turn(prepared))
            if claimed.state is JobState.QUEUED:
                return claimed, 0.0
            order.is_claimed = True
        try:
            return self._keep(job, create()), None
        except UnreachableError as error:  # nobody was reached: the claim stays, since only a response ends it
            return job, self._again_s(order, error)
        except RequestRejectedError as error:
            if error.code in QUEUE_FULL:
                self._full_until[job.provider] = self._timing.monotonic() + self._timing.full_s(error.retry_after_s)
                rejected = self._ledger.not_sent(job.id, state=JobState.QUEUED)
                order.is_claimed, order.error = False, error
                return rejected, 0.0
            delay_s = self._again_s(order, error)
            self._ledger.not_sent(job.id)
            order.is_claimed = False
            return job, delay_s

    def _again_s(self, order: Order, error: RequestRejectedError | UnreachableError) -> float:
        """Seconds until it is sent again, of which nothing was bought. The error, where it is not."""
        order.error = error
        order.failed[type(error)] += 1
        delay_s = delay("create", error, order.failed[type(error)], self._timing)
        if delay_s is not None:
            return delay_s
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        if not error.transient or asked_s <= self._timing.rate_limit_max_s:
            raise error
        raise error.changed(hint=f"The gateway asks for patience: run again in {math.ceil(asked_s)} s.") from None

    def _turn(self, prepared: PreparedPurchase) -> Turn | None:
        """What its provider may have at once; None without such a limit."""
        provider = prepared.clients.provider(prepared.spec.provider)
        if provider.at_once is None:
            return None
        return Turn(provider.at_once, provider.limit_s, prepared.clients.config.budget, prepared.quote.usd)

    def _prepared_again(self, prepared: PreparedPurchase) -> PreparedPurchase:
        """The same with the settings, the key and the price of now: it may have waited for hours."""
        clients, spec, catalogue = self._clients.now(), prepared.spec, self._catalogue()
        provider = clients.provider(spec.provider)
        clients.check_fields(spec, catalogue.fields(spec.model))
        price = estimate(spec, provider, catalogue, prepared.remix_of)
        return dataclasses.replace(prepared, clients=clients, origin=provider.origin, quote=price)

    def _create(self, prepared: PreparedPurchase) -> Callable[[], RemoteVideo]:
        """The call that buys it, ready to be made."""
        spec = prepared.spec
        client = prepared.clients.client_to_buy(spec, prepared.remix_of)
        if spec.kind != "create":
            return lambda: client.remix(spec.parent, spec.prompt)
        call = create_call(spec, self._catalogue(), _pngs(prepared.images))
        return lambda: client.create(call)

    def _keep(self, job: Job, video: RemoteVideo) -> Job:
        """Store the id. If even that fails, the error carries it: it is worth money. The next run tries once more."""
        try:
            kept = self._ledger.submitted(job.id, video)
        except LedgerError as error:
            self._not_kept[job.id] = video
            raise PurchaseUncertainError(
                f"The gateway accepted the job as {video.id}, but the ledger could not keep that: {error.message}",
                hint=f"{error.hint} Running the same again keeps the id, and buys nothing. After a restart it is "
                f"an uncertain purchase: open it in the tab *Sora jobs* and *Use this id*, {video.id}; in a shell: "
                f"`sora resume {job.id} --video-id {video.id}`.",
                job=job.id,
                charge="charged",
                code="id_not_stored",
            ) from error
        self._not_kept.pop(job.id, None)
        return kept

    def _fitted(self, spec: VideoRequest) -> tuple[Image, ...]:
        if not spec.references:
            return ()
        from ..media.reference import fitted

        width, height = parse_size(spec.size)
        return tuple(fitted(reference.pixels, width, height, reference.fit) for reference in spec.references)

    def _keep_references(self, spec: VideoRequest) -> list[str]:
        """Keep the source images."""
        return [self._ledger.references.keep(png) for png in _pngs(tuple(one.pixels for one in spec.references))]


def _pngs(images: tuple[Image, ...]) -> list[bytes]:
    if not images:
        return []
    from ..media.reference import to_png

    return [to_png(image) for image in images]
