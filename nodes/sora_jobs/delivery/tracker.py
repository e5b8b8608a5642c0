"""From a submitted job to its file: watch it until the gateway is done, then have it fetched."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import NotFinishedError, no_thread_error
from ..gateway.clients import ClientPool
from ..jobs.outcomes import ended_error
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..ledger.leases import Leases
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool, PoolClosedError, fail, guarded
from .fetcher import Fetcher
from .poller import Poller
from .waits import Wait


class JobTracker:
    """Watches jobs, and has their videos fetched."""

    def __init__(self, ledger: Ledger, gateways: ClientPool, settings: Settings, timing: Timing) -> None:
        self._ledger, self._clients, self._timing = ledger, gateways, timing
        self._leases = Leases(ledger.database, lambda job: ledger.listener(ledger.job(job)))
        self._waits: weakref.WeakSet[Wait] = weakref.WeakSet()
        self.poller = Poller(self._round, self._pace_s, dropped=self._leases.let_go, timing=timing)
        # One thread of its own: no purchase or download that takes long may hold up the beginning of a wait.
        self._pool = DaemonPool("sora-wait", 1)
        self._fetcher = Fetcher(ledger, gateways, settings, self._leases, self.poller, timing)

    def read(self, job_id: str) -> Job:
        """The job's row; one that a process which is dead now was sending tells what that means."""
        job = self._ledger.job(job_id)
        if job.state is not JobState.RESERVED:
            return job
        self.recover_orphans()
        return self._ledger.job(job_id)

    def look(self, job_id: str) -> Job:
        """Ask the gateway about a job and write down what it says."""
        job = self.read(job_id)
        return self._ask(job) if job.state is JobState.SUBMITTED else job

    def recover_orphans(self) -> None:
        """Put right what processes left half sent that are dead now."""
        self._leases.recover_orphans()

    def claim_unwatched(self, but: Collection[str]) -> list[str]:
        """Ids of jobs to be watched and fetched that nobody watches, without those in `but`; from now on we do."""
        return self._leases.claim_unwatched(but=but)

    def wait(self, job_id: str, *, timeout_s: float) -> Wait:
        """Wait until the job's MP4 is on disk. `timeout_s` ends the waiting, never the job."""
        wait = Wait(deadline=self.poller.now() + timeout_s, monotonic=self._timing.monotonic)
        self._waits.add(wait)

        def begin() -> None:
            try:
                self._start(wait, self.read(job_id))
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                wait.fail(error)

        try:
            self._pool.submit(begin)
        except PoolClosedError:
            wait.fail(_closing_error(job_id))
        except RuntimeError as error:
            wait.fail(no_thread_error(error).with_job(job_id))
        return wait

    def submit(self, work: Callable[[], None]) -> None:
        """Have something short done in a thread that may wait for the ledger; nothing when the program is closing.
        RuntimeError where not one thread can be had."""
        with contextlib.suppress(PoolClosedError):
            self._pool.submit(work)

    def begin(self, step: Callable[[], None], future: Future[Any]) -> None:
        """The same for what ends `future` in the end; what goes wrong at its beginning ends it, too. It is cancelled
        when the program is closing."""
        try:
            begun = self._pool.submit(guarded(step, future))
        except PoolClosedError:
            future.cancel()
        except RuntimeError as error:
            fail(future, no_thread_error(error))
        else:
            begun.add_done_callback(lambda step: future.cancel() if step.cancelled() else None)

    def _start(self, wait: Wait, job: Job) -> None:
        """Take `wait` on its way, from whatever state its job is in."""
        wait.job = job
        if wait.future.done():  # cancelled before it began
            return
        if job.state.is_rendered:
            self._fetcher.join(wait, job)
            return
        wait.watch = self.poller.watch(job, timeout_s=self.poller.left_s(wait.deadline))
        wait.watch.future.add_done_callback(lambda seen: self._watched(wait, seen))
        if wait.future.done():  # cancelled in that very moment
            wait.watch.cancel()

    def close(self) -> None:
        self._pool.close()
        self.poller.close()
        self._fetcher.close()
        self._leases.close()
        for wait in list(self._waits):
            if not wait.future.done():
                wait.fail(_closing_error(wait.job.id if wait.job is not None else ""))

    def _ask(self, job: Job) -> Job:
        return self._ledger.observed(job.id, self._clients.now().client_for(job).retrieve(job.video_id))

    def _pace_s(self, provider: str) -> float:
        return self._clients.now().provider(provider).poll_s

    def _round(self, job: Job) -> Job:
        """The monitor's look: at the gateway if we watch the job, else at what another process wrote down."""
        if not self._leases.held(job.id):
            job = self.read(job.id)
            if job.state is not JobState.SUBMITTED:
                return job
            # A slow pace must not let our claim lapse between two looks.
            if not self._leases.hold(job.id, max(self._timing.lease_s, 3 * self._pace_s(job.provider))):
                return job
        return self._ask(job)

    def _watched(self, wait: Wait, seen: Future[Job]) -> None:
        if seen.cancelled():
            return
        if wait.future.done():  # nobody is left who would have it fetched
            with contextlib.suppress(RuntimeError):  # our claim expires by itself
                self.submit(lambda: self._leases.let_go(seen.result().id if seen.exception() is None else ""))
            return
        if (error := seen.exception()) is not None:
            wait.fail(error)
            return
        wait.job = job = seen.result()
        if job.state.is_rendered:
            self._fetcher.join(wait, job)
        else:
            wait.fail(ended_error(job))


def _closing_error(job_id: str) -> NotFinishedError:
    hint = "The job goes on; run again later."
    return NotFinishedError("The program is closing.", hint=hint, job=job_id, code="closing")
