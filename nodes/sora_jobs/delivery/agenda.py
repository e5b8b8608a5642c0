"""When something is due, whose turn it is, and a clock that stands still while the machine sleeps."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable

from ..config.timing import Timing
from ..jobs.state import JobState
from .entry import Entry


def together(moment: float, tick_s: float) -> float:
    """Return the next full tick: steps that are due at about the same time are taken together, which takes half the CPU
    (bench/jobs.py)."""
    return math.ceil(moment / tick_s) * tick_s if tick_s else moment


class Agenda:
    """Entries by the moment at which each has to be looked at. The heap keeps old moments, too; only the newest one of
    an entry counts."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._count = itertools.count()

    @property
    def first(self) -> float:
        """The soonest moment; infinite without one. It may be an old one."""
        return self._heap[0][0] if self._heap else math.inf

    def plan(self, entry: Entry) -> None:
        """Have the entry looked at when its step is due, or the first of those who wait is too late."""
        first = min((wait.deadline for wait in entry.waits), default=math.inf)
        moment = first if entry.busy else min(entry.due, first)
        if moment != entry.planned:
            entry.planned = moment
            if moment < math.inf:
                heapq.heappush(self._heap, (moment, next(self._count), entry))

    def after_sleep(self, entries: Iterable[Entry], now: float, slept_s: float, patience_s: float) -> None:
        """After a sleep each job takes a step, and nobody who waits is told that it is too late before that."""
        for entry in entries:
            entry.not_before -= slept_s
            for wait in entry.waits:
                wait.deadline = max(wait.deadline, now + patience_s)
            entry.due = max(now, entry.not_before)
            self.plan(entry)

    def pop(self, now: float) -> Entry | None:
        """Take off an entry that has to be looked at by now."""
        while self._heap and self._heap[0][0] <= now:
            moment, _, entry = heapq.heappop(self._heap)
            if entry.planned == moment:
                entry.planned = math.inf
                return entry
        return None


class Line:
    """The queued jobs that are ours to send."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def note(self, entry: Entry) -> bool:
        """Note whether it is in the line; return whether it has left it."""
        if entry.job.state is JobState.QUEUED and entry.order is not None:
            self._entries[entry.job.id] = entry
            return False
        return self.leave(entry)

    def leave(self, entry: Entry) -> bool:
        """Take it out of the line; return whether it was in it."""
        return self._entries.pop(entry.job.id, None) is not None

    def first(self, provider: str) -> Entry | None:
        """The oldest of that provider."""
        same = [entry for entry in self._entries.values() if entry.job.provider == provider]
        return min(same, key=lambda entry: entry.job.created_at, default=None)


class AwakeClock:
    """Seconds since any moment. A machine that slept has not waited: where its clock goes on meanwhile (on Windows),
    that time is taken off. The scheduler's lock guards it."""

    def __init__(self, timing: Timing) -> None:
        self._monotonic, self._slept_s = timing.monotonic, timing.slept_s
        self._slept = 0.0  # seconds
        self._idle_until = math.inf  # by the clock: until when nobody looked at it, as was meant

    def now(self) -> tuple[float, float]:
        """Return the time, and for how long the machine has just slept: 0.0 where it has not."""
        moment = self._monotonic()
        slept = moment - self._idle_until
        if slept < self._slept_s:
            return moment - self._slept, 0.0
        self._idle_until = moment
        self._slept += slept
        return moment - self._slept, slept

    def is_idle_for(self, pause_s: float) -> None:
        """Say that nobody looks at it for so long from now on, as is meant."""
        self._idle_until = self._monotonic() + pause_s

    def is_needed(self) -> None:
        """Say that it is looked at from now on: what passes without a look is a sleep."""
        self._idle_until = min(self._idle_until, self._monotonic())
