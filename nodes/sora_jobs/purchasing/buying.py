"""Purchases under way: each is prepared and reserved in a thread for its provider, and followed until it is sent."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Protocol

from ..errors import InvalidInputError, NotFinishedError, NotPurchasedError
from ..jobs.outcomes import cancelled_error
from ..jobs.spec import ARCHIVED, Job
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool, fail, guarded
from ..util.waiting import result_of
from .asking import begin_in
from .prepared import PreparedPurchase
from .purchaser import Purchaser, PurchaseResult
from .sending import Order

SUBMIT_THREADS, ALL_SUBMIT_THREADS = 4, 16  # for one provider, and for all
JOIN = (
    "Run the same again: it joins what was sent, and buys nothing twice. The tab *Sora jobs* shows what became of it; "
    "in a shell: `sora jobs`."
)


class _Buying(Future[PurchaseResult]):
    """A purchase under way. Cancelled before it is sent, it is not sent any more."""

    cancel_requested = False
    provider = ""
    unwanted: Callable[[], None] = staticmethod(lambda: None)

    def cancel(self) -> bool:
        self.cancel_requested = True
        self.unwanted()
        return super().cancel()


class Follow(Protocol):
    """Has a job advance until the provider has it, or it is not `wanted` any more: sent by `order`, whose first try is
    made in this thread, else by the process that has reserved it. The future gives the job as it is then."""

    def __call__(self, job: Job, order: Order | None, wanted: Callable[[], bool]) -> Future[Job]: ...


class Buyer:
    """Buys what it is given; each result is a future, which may be cancelled. `pool` has a few threads for each
    provider, `tasks` one for what is short and may wait for the ledger. `unwanted(job_id)` is told that one
    who followed a job wants it no more, and `bought(job_id)` of each purchase."""

    def __init__(
        self,
        ledger: Ledger,
        purchaser: Purchaser,
        *,
        pool: DaemonPool,
        tasks: DaemonPool,
        follow: Follow,
        unwanted: Callable[[str], None],
        bought: Callable[[str], None],
    ) -> None:
        self._ledger, self._purchaser = ledger, purchaser
        self._pool, self._tasks = pool, tasks
        self._follow, self._unwanted, self._bought = follow, unwanted, bought
        self._buying: weakref.WeakSet[_Buying] = weakref.WeakSet()

    def buy(self, prepare: Callable[[], PreparedPurchase], provider: str) -> Future[PurchaseResult]:
        """Have `prepare()` and the purchase done in the threads for that provider."""
        future = self._new()
        self._begin(future, prepare, provider)
        return future

    def buy_for(
        self, prepare: Callable[[], PreparedPurchase], provider_of: Callable[[], str]
    ) -> Future[PurchaseResult]:
        """The same for a provider that the ledger has to be asked for."""
        future = self._new()
        begin_in(self._tasks, lambda: self._begin(future, prepare, provider_of()), future)
        return future

    def close(self) -> None:
        """Tell whoever still waits for a purchase. Call it when nothing is sent any more."""
        for future in list(self._buying):
            if not future.done() and not future.cancel():
                fail(future, _closing_error())

    def _new(self) -> _Buying:
        future = _Buying()
        self._buying.add(future)
        return future

    def _begin(self, future: _Buying, prepare: Callable[[], PreparedPurchase], provider: str) -> None:
        def first() -> None:
            if future.set_running_or_notify_cancel():
                self._run(future, prepare())

        future.provider = provider
        begin_in(self._pool, first, future, provider)

    def _run(self, future: _Buying, prepared: PreparedPurchase) -> None:
        """Reserve it, and follow it until it is sent."""
        if future.cancel_requested:
            raise cancelled_error("")
        job, order = self._purchaser.reserve(prepared)
        if order is None and job.state is not JobState.RESERVED:  # also one that another process has queued
            self._settle(future, prepared, job, mine=False)
            return
        future.unwanted = lambda: self._unwanted(job.id)
        try:
            sent = self._follow(job, order, lambda: not future.cancel_requested)
        except NotFinishedError:  # the program is closing
            if order is None:
                raise _closing_error() from None
            raise NotPurchasedError("The program is closing, and nothing was sent.", code="closing") from None
        sent.add_done_callback(lambda done: self._sent(future, prepared, done, mine=order is not None))

    def _sent(self, future: _Buying, prepared: PreparedPurchase, done: Future[Job], *, mine: bool) -> None:
        if (error := done.exception()) is not None:
            closing = isinstance(error, NotFinishedError) and error.code == "closing"
            fail(future, _closing_error() if closing else error)
        elif mine:
            guarded(lambda: self._settle(future, prepared, done.result(), mine=True), future)()
        else:  # the provider may have to be asked, or the purchase be made anew
            settle = lambda: self._settle(future, prepared, done.result(), mine=False)  # noqa: E731
            begin_in(self._pool, settle, future, future.provider)

    def _settle(self, future: _Buying, prepared: PreparedPurchase, job: Job, *, mine: bool) -> None:
        """End with what became of it; begin again where another process was refused what it sent."""
        if job.state is JobState.RESERVED:
            message = "Exactly this job is still being sent by another program."
            raise NotFinishedError(message, hint=JOIN, charge="possible", code="sent_elsewhere")
        if job.state is JobState.QUEUED and mine and future.cancel_requested:
            try:
                self._ledger.cancel(job.id)
            except InvalidInputError:  # its turn came in that very moment
                self._settle(future, prepared, self._ledger.job(job.id), mine=True)
                return
            raise cancelled_error(job.id)
        result = self._purchaser.result(prepared, job, mine=mine)
        if result is None:
            self._run(future, prepared)
            return
        if result.job.aside == ARCHIVED:  # it is wanted again
            self._ledger.set_visibility(result.job.id, "")
        self._bought(result.job.id)
        future.set_result(result)


def _closing_error() -> NotFinishedError:
    return NotFinishedError("The program is closing.", hint=JOIN, charge="possible", code="closing")


def bought(future: Future[PurchaseResult]) -> Job:
    """Wait for a purchase, and return its job: see `Engine.create`."""
    try:
        return result_of(future).job
    except CancelledError:
        raise NotPurchasedError("The program is closing, and nothing was sent.", code="closing") from None
