"""Purchases in their threads: a few at a time for each provider, none of which sleeps while another sends its job."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from ..config.timing import Timing
from ..errors import NotFinishedError, no_thread_error
from ..jobs.spec import ARCHIVED
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool, PoolClosedError, fail, guarded
from .purchaser import PreparedPurchase, Purchaser, PurchaseResult

SUBMIT_THREADS = 4  # for one provider, which may ask each of them to wait; with those that poll and fetch fewer than 20
ALL_SUBMIT_THREADS = 16
JOIN = (
    "Run the same again: it joins what was sent, and buys nothing twice. The tab *Sora jobs* shows what became of it; "
    "in a shell: `sora jobs`."
)


class _Buying(Future[PurchaseResult]):
    """A purchase under way. Cancelled while it waits for another one's answer, it does not go on to send its own."""

    cancel_requested = False
    provider = ""

    def cancel(self) -> bool:
        self.cancel_requested = True
        return super().cancel()


class Buyer:
    """Buys what it is given; each result is a future, which may be cancelled.

    `begin(step, future)` has something short done in a thread that may wait for the ledger, `call_later(seconds, step)`
    after that time, and `bought(job_id)` is told of each purchase.
    """

    def __init__(
        self,
        ledger: Ledger,
        purchases: Purchaser,
        *,
        begin: Callable[[Callable[[], None], Future[Any]], None],
        call_later: Callable[[float, Callable[[], None]], None],
        bought: Callable[[str], None],
        timing: Timing,
    ) -> None:
        self._ledger, self._purchaser = ledger, purchases
        self._begin, self._call_later, self._bought = begin, call_later, bought
        self._timing = timing
        self._closing = threading.Event()
        self._pool = DaemonPool("sora-submit", ALL_SUBMIT_THREADS, SUBMIT_THREADS)
        self._buying: weakref.WeakSet[_Buying] = weakref.WeakSet()

    def buy(self, prepare: Callable[[], PreparedPurchase], provider: str) -> Future[PurchaseResult]:
        """Have `prepare()` and the purchase done in the threads for that provider."""
        future = self._new()
        future.provider = provider
        self._queue(future, prepare)
        return future

    def buy_for(
        self, prepare: Callable[[], PreparedPurchase], provider_of: Callable[[], str]
    ) -> Future[PurchaseResult]:
        """The same for a provider that the ledger has to be asked for."""
        future = self._new()

        def begin() -> None:
            future.provider = provider_of()
            self._queue(future, prepare)

        self._begin(begin, future)
        return future

    def close(self) -> None:
        """Creates that are under way get a moment for their response; whoever waits for another one is told."""
        self._closing.set()
        self._pool.close(self._timing.create_close_s)
        for future in list(self._buying):
            if not future.done() and not future.cancel():
                with contextlib.suppress(InvalidStateError):  # it has just ended
                    future.set_exception(
                        NotFinishedError("The program is closing.", hint=JOIN, charge="possible", code="closing")
                    )

    def _new(self) -> _Buying:
        future = _Buying()
        self._buying.add(future)
        return future

    def _queue(self, future: _Buying, prepare: Callable[[], PreparedPurchase]) -> None:
        end = self._timing.monotonic() + self._timing.join_max_s

        def first() -> None:
            if future.set_running_or_notify_cancel():
                run(prepare())

        def run(order: PreparedPurchase) -> None:
            submission = (
                None if future.cancel_requested else self._purchaser.attempt(order, lambda: future.cancel_requested)
            )
            if submission is not None:
                if submission.job.aside == ARCHIVED:  # it is wanted again
                    self._ledger.set_visibility(submission.job.id, "")
                self._bought(submission.job.id)
                future.set_result(submission)
            elif future.cancel_requested or self._closing.is_set() or self._timing.monotonic() > end:
                message = "Exactly this job is still being sent by another program."
                raise NotFinishedError(message, hint=JOIN, charge="possible", code="sent_elsewhere")
            else:  # not in this thread: others have something to send, too
                order = dataclasses.replace(order, joins=order.joins + 1)
                self._call_later(self._timing.join_delay_s(order.joins), lambda: queue(lambda: run(order)))

        def queue(step: Callable[[], None]) -> None:
            try:
                queued = self._pool.submit(guarded(step, future), future.provider)
            except PoolClosedError:
                future.cancel()  # `close` ends one that has begun
            except RuntimeError as error:
                fail(future, no_thread_error(error))
            else:
                queued.add_done_callback(lambda step: future.cancel() if step.cancelled() else None)

        queue(first)
