"""From a reserved job to one that the provider has: sent once, and its id recorded."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..config.timing import Timing
from ..errors import (
    InvalidInputError,
    LedgerError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    UnreachableError,
)
from ..gateway.clients import ClientPool
from ..gateway.retries import delay
from ..jobs.outcomes import cancelled_error
from ..jobs.remote_video import RemoteVideo
from ..jobs.spec import Job, VideoRequest
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..ledger.queue import TAKEN_OVER, Turn
from ..models.catalogue import Catalogue
from ..models.form import create_call
from .prepared import PreparedPurchase, pngs
from .quote import estimate

QUEUE_FULL = ("video_queue_full",)  # codes of rejections that are a matter of how many jobs there are
NO_LIMIT = 10**6  # jobs at once


@dataclass(eq=False)
class Order:
    """A purchase that is reserved, and ours to send."""

    sender: Sender
    prepared: PreparedPurchase
    lock: threading.Lock = field(default_factory=threading.Lock)  # one try at a time
    is_over: bool = False  # is it sent, or not to be sent any more?
    is_told: bool = False  # was the user warned of its model?
    is_claimed: bool = False  # may a byte of it have been sent, with no response that rejects it?
    failed: Counter[type[SoraError]] = field(default_factory=Counter)  # tries that bought nothing, by their errors
    error: SoraError | None = None  # of the last of them

    def send(self, job: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """Send it: see `Sender.send`."""
        return self.sender.send(job, self, wanted)


class Sender:
    """Sends what is reserved."""

    def __init__(self, ledger: Ledger, clients: ClientPool, catalogue: Callable[[], Catalogue], timing: Timing) -> None:
        self._ledger, self._clients, self._catalogue, self._timing = ledger, clients, catalogue, timing
        self._full_until: dict[str, float] = {}  # providers that take no more jobs for a while
        self._ours: set[str] = set()  # rows whose orders are not over
        self._not_kept: dict[str, RemoteVideo] = {}  # what the provider said of a create, and the ledger could not keep
        self._refusals: dict[str, SoraError] = {}

    @property
    def busy(self) -> set[str]:
        """Ids of rows that are ours to send, or of which more is known here than in the ledger."""
        return self._ours | self._not_kept.keys() | self._refusals.keys()

    def order(self, job: Job, prepared: PreparedPurchase) -> Order:
        """Return the order to send a row that has just been reserved."""
        self._ours.add(job.id)
        return Order(self, prepared)

    def catch_up(self) -> None:
        """Write down what could not be written when it was known."""
        for job_id, refusal in list(self._refusals.items()):
            self._note_refused(job_id, refusal)

    def kept(self, job: Job) -> Job:
        """The job, with its id if only that is missing in its row. PurchaseUncertainError: it still cannot be kept."""
        return self._keep(job, self._not_kept[job.id]) if job.id in self._not_kept else job

    def send(self, job: Job, order: Order, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """Send the reserved job, as long as it is `wanted`, and record what the provider says: one function in one
        thread, never split. The job and None; or seconds, after which it is sent again, where the provider rejected it
        for now.

        Whatever happens, its row tells afterwards what became of the money. NotPurchasedError: it may be sent again;
        PurchaseUncertainError: it never is, by itself.
        """
        with order.lock:
            if order.is_over:
                return self._ledger.job(job.id), None
            return self._send(job, order, wanted)

    def _send(self, job: Job, order: Order, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
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
            # Not one of ours: once it was claimed nobody knows how far it came, so the money counts as perhaps spent.
            if order.is_claimed:
                self._note_unknown(job, PurchaseUncertainError(f"the create was broken off: {error!r}"))
            else:
                self._note_refused(job.id, NotPurchasedError(f"the create did not begin: {error!r}"))
            raise
        finally:
            if delay_s is None:
                order.is_over = True
                self._ours.discard(job.id)

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
        """The create itself; repeated only where nobody was reached, or the provider clearly rejected it for now."""
        self._check_wanted(job, order, wanted)
        if job.state is JobState.QUEUED and not self._has_turn(job, order):
            return job, 0.0
        if not order.is_told:
            self._warn(order)
        create = self._create(order.prepared)
        self._check_wanted(job, order, wanted)  # the user may have been told something, or an image took its time
        if not order.is_claimed:
            job = self._claimed(job, order)
            if job.state is JobState.QUEUED:
                return job, 0.0
            order.is_claimed = True
        try:
            return self._keep(job, create()), None
        except UnreachableError as error:  # the claim stays, since only a response ends it
            return job, self._again_s(order, error)
        except RequestRejectedError as error:
            state, delay_s = JobState.RESERVED, 0.0
            if error.code in QUEUE_FULL:
                state, order.error = JobState.QUEUED, error
                self._full_until[job.provider] = self._timing.monotonic() + self._timing.full_s(error.retry_after_s)
            else:
                delay_s = self._again_s(order, error)
            rejected = self._ledger.not_sent(job.id, state=state)
            order.is_claimed = False
            return rejected, delay_s

    def _check_wanted(self, job: Job, order: Order, wanted: Callable[[], bool]) -> None:
        if not wanted():
            raise order.error or cancelled_error(job.id)

    def _claimed(self, job: Job, order: Order) -> Job:
        """The row, once it is ours to send; QUEUED where it has to wait, also for a ledger that is away."""
        try:
            return self._ledger.sending(job.id, self._turn(job, order.prepared))
        except LedgerError as error:
            if job.state is JobState.QUEUED and error.code != TAKEN_OVER:
                return job
            raise

    def _warn(self, order: Order) -> None:
        """Say what is known of the model while nothing is sent yet; who cannot hear it holds nothing up."""
        order.is_told, prepared = True, order.prepared
        language = prepared.clients.config.shown_language
        if warning := self._catalogue().warning(prepared.spec, prepared.remix_of, language):
            with contextlib.suppress(Exception):
                prepared.tell(warning)

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

    def _turn(self, job: Job, prepared: PreparedPurchase) -> Turn | None:
        """What its provider may have at once; None where there is no line to wait in."""
        provider = prepared.clients.provider(prepared.spec.provider)
        at_once = provider.at_once
        if self._full_until.get(provider.name, 0.0) > self._timing.monotonic():
            at_once = 0
        if at_once is None and job.state is not JobState.QUEUED:
            return None
        budget, usd = prepared.clients.config.budget, prepared.quote.usd
        return Turn(NO_LIMIT if at_once is None else at_once, provider.limit_s, budget, usd)

    def _has_turn(self, job: Job, order: Order) -> bool:
        """Has the turn of a queued job come? It goes on with the settings, the key and the price of now: it may have
        waited for hours. A file of settings that is being edited is waited for, and a ledger that is away."""
        try:
            clients, catalogue = self._clients.now(), self._catalogue()
        except (InvalidInputError, LedgerError):
            return False
        spec = order.prepared.spec
        provider = clients.provider(spec.provider)
        clients.check_fields(spec, catalogue.fields(spec.model))
        price = estimate(spec, provider, catalogue, order.prepared.remix_of)
        order.prepared = dataclasses.replace(order.prepared, clients=clients, origin=provider.origin, quote=price)
        turn = self._turn(job, order.prepared)
        try:
            return turn is None or self._ledger.has_turn(job.id, turn)
        except LedgerError as error:
            if error.code == TAKEN_OVER:
                raise
            return False

    def _create(self, prepared: PreparedPurchase) -> Callable[[], RemoteVideo]:
        """The call that buys it, ready to be made."""
        spec = prepared.spec
        client = prepared.clients.client_to_buy(spec, prepared.remix_of)
        if spec.kind != "create":
            return lambda: client.remix(spec.parent, spec.prompt)
        call = create_call(spec, self._catalogue(), pngs(prepared.images))
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
