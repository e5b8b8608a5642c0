"""From a submitted job to its file, for all who wait for it and for the background."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Future

from ..config.providers import Provider
from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import SoraError, no_thread_error
from ..gateway.clients import ClientPool
from ..jobs.spec import TRUNCATED, Job
from ..jobs.state import JobState
from ..ledger.leases import Leases
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool, PoolClosedError
from .advance import Advance
from .entry import Entry, Order, Wait
from .fetcher import Fetcher
from .scheduler import Scheduler
from .step_errors import closing_error, told
from .stored_files import unchanged_file_of


class JobTracker:
    """Has jobs advance. `tasks` is one thread for what is short and may wait for the ledger: no purchase or download
    that takes long may hold up the beginning of a wait. `ended(entry, error)` is told of jobs that advance no more."""

    def __init__(
        self,
        ledger: Ledger,
        clients: ClientPool,
        settings: Settings,
        tasks: DaemonPool,
        send_pool: DaemonPool,
        timing: Timing,
    ) -> None:
        self._ledger, self._clients, self._settings = ledger, clients, settings
        self._tasks, self._timing = tasks, timing
        self._leases = Leases(ledger.database, lambda job: ledger.listener(ledger.job(job)))
        self._begun: dict[str, float] = {}  # when jobs began to be polled for those who wait for their places
        self._waits: weakref.WeakSet[Wait] = weakref.WeakSet()
        self.ended: Callable[[Entry, SoraError | None], None] = lambda _entry, _error: None
        downloads = Fetcher(ledger, clients, settings, self._leases, timing)
        advance = Advance(self, self._leases, downloads, timing)
        self.scheduler = Scheduler(advance, ended=self._over, send_pool=send_pool, timing=timing)

    def read(self, job_id: str) -> Job:
        """The job's row; one that a process which has ended was sending tells what that means."""
        job = self._ledger.job(job_id)
        if job.state is not JobState.RESERVED:
            return job
        self.recover_orphans()
        return self._ledger.job(job_id)

    def look(self, job_id: str) -> Job:
        """Ask the provider about a job and write down what it says."""
        job = self.read(job_id)
        return self.poll(job) if job.state is JobState.SUBMITTED else job

    def provider(self, name: str) -> Provider:
        """See `Jobs`."""
        return self._clients.now().provider(name)

    def poll(self, job: Job) -> Job:
        """See `Jobs`."""
        clients = self._clients.now()
        video = clients.client_for(job).retrieve(job.video_id)
        return self._ledger.observed(job.id, video, clients.provider(job.provider).limit_s)

    def not_known(self, job: Job) -> Job:
        """See `Jobs`."""
        return self._ledger.not_known(job.id, self.provider(job.provider).limit_s)

    def place(self, job_id: str) -> int:
        """See `Jobs`."""
        return self._ledger.queries.queue().get(job_id, 0)

    def poll_holders(self, job: Job) -> None:
        """See `Jobs`."""
        now = self._timing.monotonic()
        for holder in self._ledger.queries.holders(job.provider, job.origin):
            # One that cannot be asked (its key is gone, say) is not asked at each look at the line.
            rested = now - self._begun.get(holder.id, -math.inf) > self._timing.poll_backoff_max_s
            if rested and not self.scheduler.has(holder.id):
                self._begun[holder.id] = now
                self.scheduler.join(holder, for_queue=True)

    def recover_orphans(self) -> None:
        """Put right what processes left half sent that have ended."""
        if self._ledger.database.exists:
            self._leases.recover_orphans()

    def claim_unwatched(self, but: Collection[str]) -> list[str]:
        """Ids of jobs to be polled and downloaded on which no process has a lease, without those in `but`; from now on
        we have."""
        return self._leases.claim_unwatched(but=but)

    def wait(self, job_id: str, *, timeout_s: float) -> Wait:
        """Wait until the job's MP4 is on disk. `timeout_s` ends the waiting, never the job."""
        wait = Wait(timeout_s=timeout_s, monotonic=self._timing.monotonic)
        asked_at = self.scheduler.now()
        self._waits.add(wait)

        def begin() -> None:
            try:
                self._begin(wait, job_id, asked_at)
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                wait.fail(error)

        try:
            self._tasks.submit(begin)
        except PoolClosedError:
            wait.fail(closing_error(job_id))
        except RuntimeError as error:
            wait.fail(no_thread_error(error).with_job(job_id))
        return wait

    def follow(self, job: Job, order: Order | None, wanted: Callable[[], bool]) -> Future[Job]:
        """Wait until the provider has the job, sent by `order` or by another process; or until it is not `wanted` any
        more. The future gives the job as it is then."""
        wait = Wait(job=job, until_sent=True, wanted=wanted, monotonic=self._timing.monotonic)
        if order is None:
            wait.timeout_s = self._timing.join_max_s
        self._waits.add(wait)
        self.scheduler.join(job, wait, order=order)
        return wait.future

    def close(self, send_s: float) -> None:
        """Creates that are under way get `send_s` seconds for their response; all who wait are told."""
        self.scheduler.close(send_s)
        self._leases.close()
        for wait in list(self._waits):
            if not wait.future.done():
                wait.fail(closing_error(wait.job.id if wait.job is not None else ""))

    def _begin(self, wait: Wait, job_id: str, asked_at: float) -> None:
        """Have it end with the job's file: at once if it is there, else when the job has come so far."""
        wait.job = job = self.read(job_id)
        there = job.state is JobState.STORED and unchanged_file_of(job, self._settings) is not None
        if (there and job.error_code != TRUNCATED) or not (job.state.is_open or job.state.is_rendered):
            wait.end(job)
        elif not wait.future.done():  # cancelled before it began
            if job.state is not JobState.QUEUED:
                wait.count_from(asked_at)
            self.scheduler.join(job, wait)

    def _over(self, entry: Entry, error: SoraError | None) -> None:
        """A job advances no more here: its row tells why its video is not here, and others may have it."""
        why = error or entry.error
        if entry.fetch is not None and why is not None:
            with contextlib.suppress(SoraError):  # what went wrong with the video says more
                self._ledger.not_fetched(entry.job.id, told(why, entry.job, self._timing))
        if not self.scheduler.has(entry.job.id):
            self._leases.let_go(entry.job.id)
        self.ended(entry, error)
