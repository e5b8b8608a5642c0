"""Reserve -> create -> store the id: one function in one thread, never split, so that no paid answer is dropped."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config.providers import SANDBOX
from ..config.timing import Timing
from ..errors import (
    BudgetExceededError,
    LedgerError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    UnreachableError,
)
from ..gateway.client import Client
from ..gateway.clients import ClientPool, Clients
from ..gateway.retries import delay
from ..jobs.identity import Identity
from ..jobs.outcomes import existing_purchase_error
from ..jobs.quote import Quote
from ..jobs.remote_video import RemoteVideo
from ..jobs.spec import Job, VideoRequest, parse_size
from ..jobs.state import JobState
from ..ledger.ledger import TAKEN_OVER, Ledger
from ..ledger.merge import Elsewhere
from ..models.catalogue import Catalogue
from ..models.form import create_call
from ..util.disk import VIDEO_NAME
from .disk_room import check_room
from .quote import check_new, estimate
from .reconcile import ask_again

Image = NDArray[np.uint8]
Tell = Callable[[str], None]
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
    joins: int = 0  # how often it found that another one was sending the same


class Purchaser:
    """Buys, once per identity. Pauses end when the program is `closing`."""

    def __init__(
        self,
        ledger: Ledger,
        gateways: ClientPool,
        catalogue: Callable[[], Catalogue],
        *,
        timing: Timing,
        closing: threading.Event,
        elsewhere: Callable[[Identity], Elsewhere | None] = lambda identity: None,  # noqa: ARG005 - nowhere
    ) -> None:
        self._ledger, self._clients, self._catalogue, self._elsewhere = ledger, gateways, catalogue, elsewhere
        self._timing, self._closing = timing, closing
        self._reserving = threading.Lock()
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
        if active_purchase is not None and active_purchase.state is not JobState.RESERVED:
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

    def attempt(
        self, prepared: PreparedPurchase, is_cancelled: Callable[[], bool] = lambda: False
    ) -> PurchaseResult | None:
        """Buy it, or join the job that the ledger already has for it; None while another one is sending it. Nothing is
        sent, or sent again, once it is `is_cancelled()`.

        BudgetExceededError comes before anything is sent; NotPurchasedError: it may be sent again;
        PurchaseUncertainError, JobFailedError: see the table in the README.
        """
        for job_id, refusal in list(self._refusals.items()):
            self._note_refused(job_id, refusal)
        job, mine = self._reserve(prepared)
        if mine:
            if not is_cancelled():
                self._warn(prepared)
            job = self._send(job, prepared, is_cancelled)
        elif job.id in self._not_kept:
            job = self._keep(job, self._not_kept[job.id])
        if job.state is JobState.FAILED and not mine:
            job = ask_again(self._ledger, prepared.clients, job)  # free, and some gateways say so only once
        if job.state.blocks_purchase:
            raise existing_purchase_error(job)
        if job.state is JobState.RESERVED:
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

    def _send(self, job: Job, prepared: PreparedPurchase, is_cancelled: Callable[[], bool]) -> Job:
        """Send the reserved job; whatever happens, its row tells afterwards what became of the money."""
        try:
            client = prepared.clients.client_to_buy(prepared.spec, prepared.remix_of)
            return self._keep(job, self._create(job, prepared, client, is_cancelled))
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
            near = ""
            if error.kind == "model_gone":
                spec = prepared.spec
                near = self._catalogue().instead(
                    spec.model, spec.seconds, spec.size, spec.provider, len(spec.references)
                )
            raise error.with_job(job.id).changed(hint=f"{error.hint} {near}".strip()) from error.__cause__
        except BaseException as error:
            # Not one of ours: nobody knows how far it came, so the money counts as perhaps spent.
            self._note_unknown(job, PurchaseUncertainError(f"the create was broken off: {error!r}"))
            raise
        finally:
            self._sending.discard(job.id)

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

    def _create(
        self, job: Job, prepared: PreparedPurchase, client: Client, is_cancelled: Callable[[], bool]
    ) -> RemoteVideo:
        """The create itself; repeated only where nobody was reached, or the gateway said that there is nothing yet."""
        spec = prepared.spec
        call = create_call(spec, self._catalogue(), _pngs(prepared.images)) if spec.kind == "create" else None
        failed: dict[type[SoraError], int] = {RequestRejectedError: 0, UnreachableError: 0}
        while True:
            if is_cancelled():
                raise NotPurchasedError("It was cancelled before it was sent.")
            self._ledger.sending(job.id)
            try:
                return client.create(call) if call is not None else client.remix(spec.parent, spec.prompt)
            except (RequestRejectedError, UnreachableError) as error:
                failed[type(error)] += 1
                pause_s = delay("create", error, failed[type(error)], self._timing)
                if pause_s is None:
                    asked_s = getattr(error, "retry_after_s", None) or 0.0
                    if not error.transient or asked_s <= self._timing.rate_limit_max_s:
                        raise
                    patience = f"The gateway asks for patience: run again in {math.ceil(asked_s)} s."
                    raise error.changed(hint=patience) from None  # nothing was bought: it can be sent later as well
                if isinstance(error, RequestRejectedError):  # nothing but a response empties sent_at
                    self._ledger.not_sent(job.id)
                if self._rest(pause_s, is_cancelled):
                    raise

    def _rest(self, seconds: float, is_cancelled: Callable[[], bool]) -> bool:
        """Wait, in steps; True as soon as there is nothing more to wait for."""
        step_s = self._timing.cancel_check_s
        steps = (min(step_s, seconds - n * step_s) for n in range(math.ceil(seconds / step_s)))
        return any(is_cancelled() or self._timing.sleep(self._closing, each) for each in steps)

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
