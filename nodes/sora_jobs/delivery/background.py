"""Jobs that nobody waits for are watched and fetched in the background, before their links lapse."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from concurrent.futures import Future

from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import GatewayError, SoraError, WaitTimeoutError
from ..jobs.spec import EXPIRED, MUTED, Job
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..util.redact import redact
from .tracker import JobTracker
from .waits import Wait

_log = logging.getLogger("sora")


class BackgroundDownloads:
    """Looks after jobs, where the owner wants it.

    Once begun, it looks after all that is bought here, and searches the ledger now and then for what others left: a
    process that died, a node that was interrupted, a download that failed.
    """

    def __init__(self, ledger: Ledger, settings: Settings, tracker: JobTracker, timing: Timing) -> None:
        self._ledger, self._settings, self._tracker, self._timing = ledger, settings, tracker, timing
        self._begun = self._searching = False
        self._after: dict[str, Wait] = {}  # what is looked after now
        self._resting: dict[str, float] = {}  # what failed, and until when it is left alone
        self._told: set[str] = set()  # reasons that the log knows already
        self._lock = threading.Lock()

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
                job = self._ledger.job(job_id)
                if job.state.is_pending and not job.aside:
                    self._watch(job_id)
            except SoraError as error:
                _log.warning("Job %s is not looked after: %s", job_id, self._text_of(error))

        try:
            self._tracker.submit(begin)
        except RuntimeError as error:  # the next search finds it
            _log.warning("Job %s is not looked after yet: %s", job_id, error)

    def set_visibility(self, job_id: str, aside: str) -> Job:
        """Stop downloading a job in the background (MUTED), leave it out of lists (ARCHIVED), or "" to end either; the
        errors are those of `Ledger.set_visibility`."""
        job = self._ledger.set_visibility(job_id, aside)
        if aside:
            self._leave(job_id)
        else:
            self.collect(job_id)
        return job

    def _leave(self, job_id: str) -> None:
        with self._lock:
            wait = self._after.get(job_id)
        if wait is not None:
            wait.cancel()

    def _watch(self, job_id: str) -> None:
        over = (job := self._ledger.job(job_id)).state is JobState.SUBMITTED and self._is_old(job)
        with self._lock:
            if job_id in self._after:
                return
            timeout_s = self._timing.background_last_poll_s if over else self._timing.background_max_s
            wait = self._after[job_id] = self._tracker.wait(job_id, timeout_s=timeout_s)
        wait.future.add_done_callback(lambda done: self._ended(wait.job, job_id, done))
        wait.future.add_done_callback(lambda done: self._give_up(wait, done) if over else None)

    def _give_up(self, wait: Wait, done: Future[Job]) -> None:
        """A job that its gateway shows as unfinished after more than a day is not looked after at every start, nor
        counted as running, for ever: it becomes unwatched, which a person can take back."""
        error, watch = (None, None) if done.cancelled() else (done.exception(), wait.watch)
        seen = watch is not None and watch.job is not wait.job and not watch.trouble
        if watch is None or not seen or not isinstance(error, WaitTimeoutError):
            return
        with contextlib.suppress(SoraError):
            self._ledger.not_fetched(watch.job.id, error)
            self._ledger.set_visibility(watch.job.id, MUTED)
        _log.warning(
            "The gateway has not finished job %s for more than a day. It is not watched any more: *Watch again* in the "
            "tab *Sora jobs* or `sora resume %s` looks at it.",
            watch.job.id,
            watch.job.id,
        )

    def _ended(self, job: Job | None, job_id: str, done: Future[Job]) -> None:
        error = None if done.cancelled() else done.exception()
        old = job is not None and self._is_old(job)
        with self._lock:
            self._after.pop(job_id, None)
            self._resting.pop(job_id, None)
            if error is None:
                self._told.clear()
            else:
                self._resting[job_id] = math.inf if old else self._timing.monotonic() + self._timing.background_retry_s
        if error is not None:
            self._tell(job_id, error)
            if old and isinstance(error, GatewayError) and (error.is_unknown_job or error.http_status == 410):
                with contextlib.suppress(SoraError):  # it is not asked for again by itself, at no start
                    self._ledger.not_fetched(job_id, error.changed(code=EXPIRED))
        elif not done.cancelled():
            _log.info("Job %s was fetched in the background: %s", job_id, done.result().path)

    def _tell(self, job_id: str, error: BaseException) -> None:
        """A reason is told once, however many jobs it stops."""
        reason = redact(error.message if isinstance(error, SoraError) else str(error))
        with self._lock:
            known = reason in self._told
            self._told.add(reason)
        if not known:
            _log.warning("Job %s could not be fetched in the background: %s", job_id, self._text_of(error))

    def _text_of(self, error: BaseException) -> str:
        """In the language of the log."""
        if isinstance(error, SoraError):
            error = error.changed(language=self._settings.read().shown_language)
        return redact(str(error))

    def _search(self) -> int:
        if not self._settings.read().background_downloads:
            return 0
        now = self._timing.monotonic()
        with self._lock:
            busy = self._after.keys() | {job for job, until in self._resting.items() if until > now}
        found = self._tracker.claim_unwatched(busy)
        for job in found:
            self._watch(job)
        return len(found)

    def _search_again(self) -> None:
        with self._lock:
            if self._searching:
                return
            self._plan()  # first: where no thread can be had, the next call tries again
            self._searching = True

    def _plan(self) -> None:
        self._tracker.poller.alarm(self._timing.rescan_s, self._round)

    def _round(self) -> None:
        """In a thread that may wait for the database; then the next one is planned."""

        def search() -> None:
            try:
                with contextlib.suppress(SoraError):  # the database is away for the moment
                    self._search()
            finally:
                self._plan()

        try:
            self._tracker.submit(search)
        except RuntimeError:  # not one thread could be had: the next search may find one
            self._plan()

    def _is_old(self, job: Job) -> bool:
        return self._timing.clock() - (job.submitted_at or job.created_at) > self._timing.background_max_s
