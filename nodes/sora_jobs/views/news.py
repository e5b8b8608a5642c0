"""Jobs that just got into trouble, which a page tells at once. Kept for a while, since an event may reach no page."""

from __future__ import annotations

import secrets
import threading
from collections import deque

from ..config.timing import DEFAULT, Timing
from ..jobs.outcomes import CANCELLED
from ..jobs.spec import Job
from ..jobs.state import JobState

KEPT = 64


class News:
    """The latest trouble of this process, numbered. Thread-safe."""

    def __init__(self, timing: Timing = DEFAULT) -> None:
        self._timing = timing
        self._run = secrets.token_hex(4)  # another process numbers anew
        self._number = 0
        self._kept: deque[tuple[int, float, str]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, job: Job, was: str) -> None:
        """A job changed; `was` is the state before, "" for one that is new to this process."""
        if not is_news(job, was, self._timing):
            return
        with self._lock:
            self._number += 1
            self._kept.append((self._number, self._timing.monotonic(), job.id))

    def since(self, after: str, age_s: float) -> tuple[str, list[str]]:
        """(the mark to ask with next time, ids of jobs, the latest last): what came after the mark `after`, everything
        if another process gave that mark, and without a mark what came in the last `age_s` seconds."""
        run, _, number = after.partition("-")
        seen = int(number) if run == self._run and number.isdecimal() else 0
        begin = 0.0 if after else self._timing.monotonic() - age_s
        with self._lock:
            fresh = [job for count, at, job in self._kept if count > seen and at >= begin]
            mark = f"{self._run}-{self._number}"
        return mark, list(reversed(dict.fromkeys(reversed(fresh))))


def is_news(job: Job, was: str, timing: Timing) -> bool:
    """Did it just get into trouble? One that is new to this process may only have been read. What may have been bought
    is told however old it is: a process that ended while it sent it told nobody."""
    if not in_trouble(job):
        return False
    if was:
        return was != job.standing
    age_s = timing.clock() - max(job.created_at, job.completed_at or 0.0)
    return job.state is JobState.UNKNOWN or age_s < timing.news_fresh_s


def in_trouble(job: Job) -> bool:
    """Is there something that a person should be told of? What they cancelled themselves they know."""
    refused = job.state is JobState.REFUSED and job.error_code != CANCELLED
    return not job.aside and (job.lapsed or job.state.blocks_purchase or refused)
