"""One scheduler for everything that waits: it looks at every watched job in turn, with few threads, at the right pace.

However many wait for a job, it is looked at once per round, and all of them learn what was seen.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from .errors import GatewayTrouble, LedgerTrouble, NotFinished, SoraError, WaitTimeout
from .spec import Job, JobState
from .threads import DaemonPool

POLL_THREADS = 6
SLOWEST_S = 60.0  # a gateway in trouble is asked less and less often, but at least this often
LONGEST_ASKED_S = 600.0  # a gateway that asks for more patience (by mistake, say) gets no more than this
NOT_KNOWN_TRIES = 20  # looks at a job that the gateway does not know: right after the create that passes
ENDED = (JobState.STORED, JobState.COMPLETED, JobState.FAILED, JobState.LOST, JobState.REFUSED, JobState.UNKNOWN)


@dataclass(eq=False)
class Watch:
    """One who waits. `future` ends with the Job as soon as the gateway is done with it, or with a SoraError."""

    job: Job
    deadline: float
    future: Future[Job] = field(default_factory=Future)
    trouble: str = ""  # what the last look stumbled over, to be shown while it is tried again

    def cancel(self) -> None:
        """Wait no longer; the job goes on at the gateway."""
        self.future.cancel()


@dataclass
class _Watched:
    job: str
    provider: str
    watches: list[Watch]
    troubles: int = 0
    turn: int = 0  # only the newest planned look counts
    planned: float = 0.0
    not_before: float = 0.0  # the gateway's pace, which one who comes later must keep as well


class Monitor:
    """Looks at jobs. `look(job)` asks the gateway and returns the job as it is now; it runs in the monitor's threads.

    `pace_s(provider)` gives the seconds between two looks at one job of that provider; `dropped(job)` is told when
    nobody waits for an unfinished job any more.
    """

    def __init__(
        self,
        look: Callable[[str], Job],
        pace_s: Callable[[str], float],
        *,
        dropped: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._look, self._pace_s, self._dropped, self._clock, self._jitter = look, pace_s, dropped, clock, jitter
        self._pool = DaemonPool("sora-poll", POLL_THREADS)
        self._wake = threading.Condition()
        self._watched: dict[str, _Watched] = {}
        self._due: list[tuple[float, int, str]] = []  # (when, turn, job)
        self._ends: list[tuple[float, int, Watch]] = []  # (deadline, count, one who waits)
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, job: Job, *, timeout_s: float) -> Watch:
        """Look at `job` until the gateway is done with it, `timeout_s` is over, or the watch is cancelled."""
        watch = Watch(job, self._clock() + timeout_s)
        if job.state in ENDED:
            watch.future.set_result(job)
            return watch
        with self._wake:
            watched = self._watched.setdefault(job.id, _Watched(job.id, job.provider, []))
            # Nobody waited, or what is planned is far off because of trouble: look as soon as the pace allows.
            soon = max(self._clock(), watched.not_before)
            if not watched.watches or soon < watched.planned:
                self._plan(watched, soon)
            watched.watches.append(watch)
            heapq.heappush(self._ends, (watch.deadline, next(self._count), watch))
            watch.future.add_done_callback(lambda future: self._left(watch) if future.cancelled() else None)
            self._start()
            self._wake.notify()
        return watch

    def alarm(self, moment: float, ring: Callable[[], None]) -> None:
        """Have `ring()` called when the clock shows `moment`, by the monitor's own thread."""
        if moment == math.inf:
            return
        with self._wake:
            heapq.heappush(self._alarms, (moment, next(self._count), ring))
            self._start()
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(5.0)
        self._pool.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sora-monitor", daemon=True)
            self._thread.start()

    def _plan(self, watched: _Watched, moment: float) -> None:
        watched.turn, watched.planned = next(self._count), moment
        heapq.heappush(self._due, (moment, watched.turn, watched.job))

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._closed:
                    return
                now = self._clock()
                late, rings = self._late(now), self._ringing(now)
                if not late and not rings and (not self._due or self._due[0][0] > now):
                    self._wake.wait(self._sleep_s(now))
                    continue
                job = self._next(now)
            for watch in late:  # outside the lock: who waited may do anything when told
                if watch.future.set_running_or_notify_cancel():
                    watch.future.set_exception(_timed_out(watch))
            for ring in rings:
                ring()
            if job is None:
                continue
            self._pool.submit(lambda job=job: self._round(job))  # type: ignore[misc]  # bound now, not when it runs

    def _sleep_s(self, now: float) -> float | None:
        moments = [heap[0][0] for heap in (self._due, self._ends, self._alarms) if heap]
        return max(0.0, min(moments) - now) if moments else None

    def _next(self, now: float) -> str | None:
        """The job whose turn it is, if one is due."""
        while self._due and self._due[0][0] <= now:
            _, turn, job = heapq.heappop(self._due)
            if job in self._watched and self._watched[job].turn == turn:
                return job
        return None

    def _late(self, now: float) -> list[Watch]:
        """Those whose time is over; they are taken off the list."""
        late = []
        while self._ends and self._ends[0][0] <= now:
            watch = heapq.heappop(self._ends)[2]
            if self._take_off(watch) and not watch.future.done():
                late.append(watch)
        return late

    def _ringing(self, now: float) -> list[Callable[[], None]]:
        rings = []
        while self._alarms and self._alarms[0][0] <= now:
            rings.append(heapq.heappop(self._alarms)[2])
        return rings

    def _left(self, watch: Watch) -> None:
        """One who waited does so no more."""
        with self._wake:
            self._take_off(watch)

    def _take_off(self, watch: Watch) -> bool:
        """Take one who waits off the list; the last one takes the job with him."""
        watched = self._watched.get(watch.job.id)
        if watched is None or watch not in watched.watches:
            return False
        watched.watches.remove(watch)
        if not watched.watches:
            del self._watched[watched.job]
            if not self._closed:
                self._pool.submit(lambda: self._dropped(watched.job))
        return True

    def _round(self, job: str) -> None:
        """One look, told to all who wait; then the next one is planned."""
        error: SoraError | None = None
        seen: Job | None = None
        try:
            seen = self._look(job)
        except SoraError as trouble:
            error = trouble
        except Exception as bug:  # noqa: BLE001 - a bug must reach those who wait, not end a thread in silence
            error = NotFinished(f"The job's state could not be read: {bug!r}.", job=job)
        with self._wake:
            watched = self._watched.get(job)
            if watched is None:
                return
            if seen is not None:
                self._told(watched, seen)
            elif error is not None and _passes(error, watched.troubles):
                watched.troubles += 1
                for watch in watched.watches:
                    watch.trouble = error.what
            else:
                self._end(watched, lambda watch: watch.future.set_exception(error or NotFinished("")))
            if job in self._watched:
                self._plan_next(watched, error)
            self._wake.notify()

    def _told(self, watched: _Watched, seen: Job) -> None:
        watched.troubles = 0
        for watch in watched.watches:
            watch.job, watch.trouble = seen, ""
        if seen.state in ENDED:
            self._end(watched, lambda watch: watch.future.set_result(seen))

    def _end(self, watched: _Watched, finish: Callable[[Watch], None]) -> None:
        del self._watched[watched.job]
        for watch in watched.watches:
            if not watch.future.done() and watch.future.set_running_or_notify_cancel():
                finish(watch)

    def _plan_next(self, watched: _Watched, error: SoraError | None) -> None:
        """At the provider's pace and up to a tenth more, so that many jobs do not ask in step; slower in trouble."""
        try:
            pace = self._pace_s(watched.provider)
        except SoraError:  # the owner has just changed providers.toml: the next look tells
            pace = SLOWEST_S
        asked = min(getattr(error, "retry_after_s", None) or 0.0, LONGEST_ASKED_S)
        slowed = min(max(SLOWEST_S, pace), pace * 2 ** min(watched.troubles, 10)) if watched.troubles else pace
        now = self._clock()
        watched.not_before = now + max(asked, pace)
        self._plan(watched, now + max(asked, slowed) + pace * 0.1 * self._jitter())


def _passes(error: SoraError, before: int) -> bool:
    """Is it worth looking again? Then it is, until the deadline of those who wait: an outage or a database that is away
    must not end what is paid for. `before` counts the troubles before this one."""
    if isinstance(error, LedgerTrouble):
        return True
    if not isinstance(error, GatewayTrouble) or not error.transient:
        return False
    return error.http_status not in (400, 404) or before < NOT_KNOWN_TRIES


def _timed_out(watch: Watch) -> WaitTimeout:
    state = watch.job.remote_status or watch.job.state.value
    return WaitTimeout(
        f"The video was not finished in time (the gateway says: {state})"
        + (f"; the last look failed: {watch.trouble}" if watch.trouble else "."),
        advice="The job goes on at the gateway. Run the same again to take it up, or use `sora resume`.",
        job=watch.job.id,
    )
