"""What the poller keeps: those who wait for a job, what was seen of it, and when something is due."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..config.timing import Timing
from ..errors import GatewayError, SoraError, WaitTimeoutError
from ..gateway.retries import delay
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..messages import RESUME_HINT

MANY = 256  # entries from which on dead ones are looked for

T = TypeVar("T")


@dataclass(eq=False)
class Watch:
    """One who waits. `future` ends with the Job as soon as the provider is done with it, or with a SoraError."""

    job: Job
    deadline: float
    future: Future[Job] = field(default_factory=Future)
    trouble: str = ""  # why the last poll failed, to be shown while it is tried again

    def cancel(self) -> None:
        """Wait no longer; the job goes on at the provider."""
        self.future.cancel()

    def end(self, seen: Job | None, error: SoraError | None) -> None:
        """End the waiting with one of both, if it has not ended yet."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            if seen is not None:
                self.future.set_result(seen)
            else:
                self.future.set_exception(error)

    def timeout_error(self) -> WaitTimeoutError:
        """Return the error of one whose deadline has passed."""
        state = f"the gateway says: {self.job.remote_status or self.job.state.value}"
        if self.job.state is JobState.RESERVED:
            state = "another program is still sending it"
        return WaitTimeoutError(
            f"The video was not finished in time ({state})"
            + (f"; the last look failed: {self.trouble}" if self.trouble else "."),
            hint=RESUME_HINT,
            job=self.job.id,
            code="wait_timeout",
        )


@dataclass
class Watched:
    """A job that is polled, for those who wait for it."""

    job: Job  # as it was seen last
    watches: list[Watch]
    troubles: int = 0  # failed polls in a row
    unknown_polls: int = 0  # polls in a row at which the provider did not know it
    turn: int = 0  # only the newest planned poll counts
    planned: float = 0.0
    not_before: float = 0.0  # the provider's pace, which one who comes later must keep as well

    @property
    def failures(self) -> int:
        """Failed polls in a row, as `retries.delay` counts them."""
        return self.unknown_polls or self.troubles

    def saw(self, job: Job) -> None:
        """Keep what a poll told."""
        self.job, self.troubles, self.unknown_polls = job, 0, 0
        for watch in self.watches:
            watch.job, watch.trouble = job, ""

    def is_repeated(self, error: SoraError, timing: Timing) -> bool:
        """Count a failed poll, and return whether there is another one."""
        unknown = isinstance(error, GatewayError) and error.is_unknown_job
        self.unknown_polls = self.unknown_polls + 1 if unknown else 0
        self.troubles += 1
        if delay("poll", error, self.failures, timing) is None:
            return False
        for watch in self.watches:
            watch.trouble = error.message
        return True


class Timers(Generic[T]):
    """What is due, the soonest first. Those that are dead by then are dropped."""

    def __init__(self, is_dead: Callable[[T], bool]) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._is_dead, self._limit, self._count = is_dead, MANY, itertools.count()

    @property
    def first(self) -> float:
        """The moment of the soonest; infinite without one."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, moment: float, item: T) -> None:
        """Have an item due at that moment."""
        if len(self._heap) >= self._limit:
            self._heap = [entry for entry in self._heap if not self._is_dead(entry[2])]
            heapq.heapify(self._heap)
            self._limit = max(MANY, 2 * len(self._heap))
        heapq.heappush(self._heap, (moment, next(self._count), item))

    def pop_due(self, now: float) -> Iterator[T]:
        """Take off and yield what is due; what a caller leaves stays."""
        while self.first <= now:
            item = heapq.heappop(self._heap)[2]
            if not self._is_dead(item):
                yield item

    def postpone(self, least: float, applies: Callable[[T], bool] = lambda _: True) -> None:
        """Have nothing to which it `applies` due before that moment."""
        self._heap = [(max(at, least) if applies(item) else at, count, item) for at, count, item in self._heap]
        heapq.heapify(self._heap)
