"""Changes of jobs, told as they happen, and again to a page that may have missed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config.timing import Timing
from ..jobs.spec import Job
from ..ledger.ledger import Ledger
from .change_feed import ChangeFeed
from .history import HistoryView
from .news import News, in_trouble


class Changes:
    """What this process writes and reads of jobs. Thread-safe."""

    def __init__(self, ledger: Ledger, history: HistoryView, timing: Timing) -> None:
        self._ledger, self._history, self._timing = ledger, history, timing
        self._feed: ChangeFeed | None = None
        self._news = News(timing)

    def listen(self, tell: Callable[[Job, str], None]) -> None:
        """Have `tell(job, the state before)` called, in a thread of the engine's, when a job of this process changed;
        for one job not more often than once in `Timing.change_delay_s`. `news` tells from now on what is noted here."""

        def note(job: Job, was: str) -> None:
            self._news.add(job, was)
            tell(job, was)

        self.close()
        self._feed = ChangeFeed(note, self._timing)
        self._ledger.listener = self._feed.changed

    def close(self) -> None:
        """Tell nothing more."""
        if self._feed is not None:
            self._feed.close()

    def now(self) -> float:
        """Return the engine's time, in seconds since the epoch: the one by which rows are dated."""
        return self._timing.clock()

    def news(self, after: str = "", age_s: float = 0.0) -> dict[str, Any]:
        """Return {"mark", "jobs"}: rows of jobs that got into trouble since that mark and still are, the latest last;
        without a mark those of the last `age_s` seconds. For who may have missed what `listen` told."""
        mark, names = self._news.since(after, age_s)
        jobs = [self._ledger.job(name) for name in names]
        return {"mark": mark, "jobs": [self._history.row(job) for job in jobs if in_trouble(job)]}
