"""Tell listeners of jobs that changed: the newest state of each, not more often than a page can show it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from ..config.timing import DEFAULT, Timing
from ..jobs.spec import Job
from ..util.daemon_pool import DaemonPool

_log = logging.getLogger("sora")
REMEMBERED = 4096  # jobs: more than go on at once


class ChangeFeed:
    """Collects what the ledger tells, and passes it on as `tell(job, was)`; `was` is "" for a job that is new here."""

    def __init__(self, tell: Callable[[Job, str], None], timing: Timing = DEFAULT) -> None:
        self._tell, self._timing = tell, timing
        self._pool, self._closing = DaemonPool("sora-changes", 1), threading.Event()
        self._told: dict[str, Job] = {}  # the newest
        self._fresh: dict[str, Job] = {}
        self._planned = False
        self._lock = threading.Lock()

    def changed(self, job: Job) -> None:
        """The ledger wrote or read this row."""
        with self._lock:
            known = self._fresh.get(job.id) or self._told.get(job.id)
            if known is not None and _shown(known) == _shown(job):
                return
            self._fresh[job.id] = job
            if self._planned:
                return
            self._planned = True
        try:
            self._pool.submit(self._pass_on)
        except RuntimeError:  # not one thread could be had: the next change tries again, with all that is fresh
            with self._lock:
                self._planned = False

    def close(self) -> None:
        """Tell nothing more."""
        self._closing.set()
        self._pool.close()

    def _pass_on(self) -> None:
        self._timing.sleep(self._closing, self._timing.change_delay_s)
        with self._lock:
            self._planned = False
            fresh, self._fresh = self._fresh, {}
            pairs = [(job, self._told.pop(name, None)) for name, job in fresh.items()]
            self._told |= fresh
            for name in list(self._told)[:-REMEMBERED]:
                del self._told[name]
        for job, before in pairs:
            try:
                self._tell(job, before.standing if before is not None else "")
            except Exception:  # noqa: BLE001 - what one event stumbles over must not take the others with it
                _log.exception("Sora Jobs: a change of job %s could not be told", job.id)


def _shown(job: Job) -> tuple[Any, ...]:
    seen = job.state, job.stale, job.remote_status, job.progress, job.error, job.error_code
    return *seen, job.path, job.aside, job.video_id
