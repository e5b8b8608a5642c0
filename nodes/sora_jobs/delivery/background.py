"""Jobs that nobody waits for are polled and downloaded in the background, before their links expire."""

from __future__ import annotations

import contextlib
import logging
import threading

from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import SoraError
from ..jobs.outcomes import ended_error
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool
from ..util.redact import redact
from .entry import Entry
from .tracker import JobTracker
from .workers import start_thread

_log = logging.getLogger("sora")


class BackgroundDownloads:
    """Looks after jobs, where the owner wants it.

    Once begun, it looks after all that is bought here, and searches the ledger now and then for what others left: a
    process that died, a node that was interrupted, a download that failed.
    """

    def __init__(
        self, ledger: Ledger, settings: Settings, tracker: JobTracker, tasks: DaemonPool, timing: Timing
    ) -> None:
        self._ledger, self._settings, self._tracker = ledger, settings, tracker
        self._tasks, self._timing = tasks, timing
        self._begun, self._closed = False, threading.Event()
        self._searches: threading.Thread | None = None
        self._resting: dict[str, float] = {}  # what failed, and until when it is left alone
        self._told: set[str] = set()  # reasons that the log knows already
        self._lock = threading.Lock()
        tracker.ended = self._ended

    def begin(self) -> int:
        """Look after every job that is unfinished or not yet downloaded and that nobody watches, and from now on after
        every purchase; return how many there are now. Other processes see from now on that the ledger is in use. On a
        farm this machine's caps count for the others, also before it buys anything. InvalidInputError, LedgerError: it
        could not begin."""
        self._ledger.database.stay()
        found = self._begin()
        if self._ledger.database.shared:
            _ = self._ledger.database.owner.id  # which begins the heartbeat
        return found

    def _begin(self) -> int:
        self._begun = True
        if not self._settings.read().background_downloads or not self._ledger.database.exists:
            return 0
        try:
            found = self._search()
        except SoraError:
            self._search_again()
            raise
        # What others watch may be left to us later.
        if self._ledger.database.shared or self._ledger.queries.unfinished():
            self._search_again()
        return found

    def bought(self, job_id: str) -> None:
        """A purchase is through: nobody may ever come to wait for it."""
        if self._begun:
            self.collect(job_id)

    def collect(self, job_id: str) -> None:
        """Poll and download an unfinished job that nobody waits for, unless the owner switched that off. What goes
        wrong is one line in the log: the job stays in the ledger."""

        def begin() -> None:
            try:
                if not self._settings.read().background_downloads:
                    return
                if self._begun:
                    self._search_again()
                job, scheduler = self._ledger.job(job_id), self._tracker.scheduler
                queued_here = job.state is JobState.QUEUED and scheduler.has(job_id)  # it is followed once it is sent
                if (job.state.is_pending or queued_here) and not job.aside:
                    scheduler.join(job, background=True)
            except SoraError as error:
                _log.warning("Job %s is not looked after: %s", job_id, self._text_of(error))

        try:
            self._tasks.submit(begin)
        except RuntimeError as error:  # the next search finds it
            _log.warning("Job %s is not looked after yet: %s", job_id, error)

    def set_visibility(self, job_id: str, aside: str) -> Job:
        """Stop downloading a job in the background (MUTED), leave it out of lists (ARCHIVED), or "" to end either; the
        errors are those of `Ledger.set_visibility`."""
        job = self._ledger.set_visibility(job_id, aside)
        if aside:
            self._tracker.scheduler.leave(job_id)
        else:
            self.collect(job_id)
        return job

    def close(self) -> None:
        """Search no more."""
        self._closed.set()

    def _ended(self, entry: Entry, error: SoraError | None) -> None:
        """A job advances no more; was it here for the background?"""
        job = entry.job
        if not entry.background or (error is None and job.state.is_running):  # one that has been stale for long
            return
        if error is None and job.state is not JobState.STORED:
            error = ended_error(job)
        with self._lock:
            self._resting.pop(job.id, None)
            if error is None:
                self._told.clear()
            else:
                self._resting[job.id] = self._timing.monotonic() + self._timing.background_retry_s
        if error is None:
            _log.info("Job %s was fetched in the background: %s", job.id, job.path)
        else:
            self._tell(job.id, error)

    def _tell(self, job_id: str, error: SoraError) -> None:
        """A reason is told once, however many jobs it stops."""
        reason = redact(error.message)
        with self._lock:
            known = reason in self._told
            self._told.add(reason)
        if not known:
            _log.warning("Job %s could not be fetched in the background: %s", job_id, self._text_of(error))

    def _text_of(self, error: SoraError) -> str:
        """In the language of the log."""
        return redact(str(error.changed(language=self._settings.read().shown_language)))

    def _search(self) -> int:
        if not self._settings.read().background_downloads:
            return 0
        now, scheduler = self._timing.monotonic(), self._tracker.scheduler
        with self._lock:
            resting = {job for job, until in self._resting.items() if until > now}
        found = 0
        while some := self._tracker.claim_unwatched(resting | scheduler.in_background()):
            for job_id in some:
                scheduler.join(self._ledger.job(job_id), background=True)
            found += len(some)
        return found

    def _search_again(self) -> None:
        """Search now and then, from now on. LocalError where no thread can be had for it: the next call tries again."""
        with self._lock:
            if self._searches is not None or self._closed.is_set():
                return
            self._searches = start_thread("sora-search", self._go_on)

    def _go_on(self) -> None:
        while not self._timing.sleep(self._closed, self._timing.rescan_s):
            with contextlib.suppress(SoraError):  # the database is away for the moment
                self._search()
