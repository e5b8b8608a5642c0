"""One scheduler for everything that waits: it looks at every watched job in turn, with few threads, at the right pace.

However many wait for a job, it is looked at once per round, and all of them learn what was seen.
"""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..config.timing import DEFAULT, Timing
from ..errors import NotFinishedError, SoraError, no_thread_error
from ..gateway.retries import delay, least_s
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..util.daemon_pool import DaemonPool, PoolClosedError
from .watch import Timers, Watch, Watched

POLL_THREADS = 6

_log = logging.getLogger("sora")


class Poller:
    """Looks at jobs. `look(job)` asks the gateway and returns the job, given as it was seen last, as it is now; it runs
    in the monitor's threads.

    `pace_s(provider)` gives the seconds between two looks at one job of that provider; `dropped(job)` is told when
    nobody waits for an unfinished job any more.
    """

    def __init__(
        self,
        look: Callable[[Job], Job],
        pace_s: Callable[[str], float],
        *,
        dropped: Callable[[str], None] = lambda _: None,
        timing: Timing = DEFAULT,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._look, self._pace_s, self._dropped, self._timing, self._jitter = look, pace_s, dropped, timing, jitter
        self._monotonic = timing.monotonic
        self._pool = DaemonPool("sora-poll", POLL_THREADS)
        self._wake = threading.Condition()
        self._watched: dict[str, Watched] = {}
        self._due: Timers[tuple[str, int]] = Timers(lambda planned: not self._is_planned(*planned))  # (job, turn)
        self._ends: Timers[Watch] = Timers(lambda watch: watch.future.done())
        self._alarms: Timers[tuple[Callable[[], None], Future[Any] | None]] = Timers(
            lambda alarm: alarm[1] is not None and alarm[1].done()
        )
        self._count = itertools.count()
        self._thread: threading.Thread | None = None
        self._slept = 0.0  # seconds
        self._least = -math.inf  # until when nobody is too late after a sleep
        self._rested = math.inf  # by the clock: until when nothing had to be done
        self._closed = False

    def now(self) -> float:
        """Seconds on a clock that stands still while the machine sleeps."""
        with self._wake:
            return self._notice_sleep() - self._slept

    def left_s(self, deadline: float) -> float:
        """Seconds until `now()` shows that deadline, and enough for a look at the job right after a sleep."""
        now = self.now()
        return max(deadline, self._least) - now

    def next_poll_s(self, job_id: str) -> float | None:
        """Seconds until a watched job is looked at again; None for one that is not watched."""
        with self._wake:
            watched = self._watched.get(job_id)
            return None if watched is None else max(0.0, watched.planned - self.now())

    def watch(self, job: Job, *, timeout_s: float) -> Watch:
        """Look at `job` until the gateway is done with it, `timeout_s` is over, or the watch is cancelled. LocalError
        where the monitor's own thread cannot be started: then nothing is watched."""
        watch = Watch(job, self.now() + timeout_s)
        if not job.state.is_open:
            watch.future.set_result(job)
            return watch
        with self._wake:
            self._start()
            watched = self._watched.setdefault(job.id, Watched(job, []))
            # Nobody waited, or what is planned is far off because of trouble: look as soon as the pace allows.
            soon = max(self.now(), watched.not_before)
            if not watched.watches or soon < watched.planned:
                self._plan(watched, soon)
            watched.watches.append(watch)
            self._ends.add(watch.deadline, watch)
            watch.future.add_done_callback(lambda future: self._left(watch) if future.cancelled() else None)
            self._rested = min(self._rested, self._monotonic())  # from now on it is not idle
            self._wake.notify()
        return watch

    def alarm(self, delay_s: float, ring: Callable[[], None], *, unless: Future[Any] | None = None) -> None:
        """Have `ring()` called after so many seconds, by the monitor's own thread; not if `unless` is done.
        LocalError where that thread cannot be started."""
        if delay_s == math.inf:
            return
        moment = self.now() + delay_s
        with self._wake:
            self._start()
            self._alarms.add(moment, (ring, unless))
            self._rested = min(self._rested, self._monotonic())  # from now on it is not idle
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(1.0)
        self._pool.close()

    def _start(self) -> None:
        """Before anything is planned: where no thread can be had, the next one who waits tries again."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="sora-monitor", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise no_thread_error(error) from error
            self._thread = thread

    def _plan(self, watched: Watched, moment: float) -> None:
        watched.turn, watched.planned = next(self._count), moment
        self._due.add(moment, (watched.job.id, watched.turn))

    def _is_planned(self, job: str, turn: int) -> bool:
        return job in self._watched and self._watched[job].turn == turn

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._closed:
                    return
                self._rested = self._notice_sleep()
                now = self._rested - self._slept
                late = [watch for watch in self._ends.pop_due(now) if self._take_off(watch)]
                rings = [ring for ring, _ in self._alarms.pop_due(now)]
                if not late and not rings and self._due.first > now:
                    pause_s = self._sleep_s(now)
                    self._rested += math.inf if pause_s is None else pause_s
                    self._wake.wait(pause_s)
                    continue
                job = self._next(now)
            for watch in late:  # outside the lock: who waited may do anything when told
                watch.end(None, watch.timeout_error())
            for ring in rings:
                _guarded(ring)
            if job is not None:
                self._begin(job)

    def _notice_sleep(self) -> float:
        """What the clock shows. A machine that slept has not waited: where its clock goes on meanwhile (on Windows),
        the time is taken off, each job is looked at once more, and nobody who waits for one is told that it is too late
        before that."""
        moment = self._monotonic()
        slept = moment - self._rested
        if slept < self._timing.slept_s:
            return moment
        self._rested = moment
        self._slept += slept
        now = moment - self._slept
        for watched in self._watched.values():
            watched.not_before -= slept
            self._plan(watched, max(now, watched.not_before))
        self._least = now + self._timing.after_sleep_s
        self._ends.postpone(self._least)
        self._alarms.postpone(self._least, lambda alarm: alarm[1] is not None)
        self._wake.notify()
        return moment

    def _begin(self, job: Job) -> None:
        """Have the job looked at by one of the threads; where none can be had now, later."""
        try:
            self._pool.submit(lambda: self._round(job), job.provider)
        except PoolClosedError:
            pass
        except RuntimeError as error:
            _log.warning("Job %s is looked at later: %s", job.id, error)
            with self._wake:
                if job.id in self._watched:
                    self._plan(self._watched[job.id], self.now() + self._timing.poll_backoff_max_s)

    def _sleep_s(self, now: float) -> float | None:
        first = min(self._due.first, self._ends.first, self._alarms.first)
        return None if first == math.inf else min(self._timing.clock_check_s, max(0.0, first - now))

    def _next(self, now: float) -> Job | None:
        """The job whose turn it is, if one is due."""
        return next((self._watched[job].job for job, _ in self._due.pop_due(now)), None)

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
            del self._watched[watched.job.id]
            self._drop(watched.job.id)
        return True

    def _drop(self, job: str) -> None:
        if not self._closed:
            _guarded(lambda: self._pool.submit(lambda: self._dropped(job)))

    def _round(self, job: Job) -> None:
        """One look, told to all who wait; then the next one is planned."""
        error: SoraError | None = None
        seen: Job | None = None
        try:
            seen = self._look(job)
        except SoraError as trouble:
            error = trouble
        except Exception as bug:  # noqa: BLE001 - a bug must reach those who wait, not end a thread in silence
            error = NotFinishedError(
                f"The job's state could not be read: {bug!r}.", job=job.id, code="unexpected_error"
            )
        ended: list[Watch] = []
        with self._wake:
            watched = self._watched.get(job.id)
            if watched is None:
                return
            if seen is not None:
                ended = self._told(watched, seen)
            elif error is None or not watched.is_repeated(error, self._timing):
                ended = self._end(watched)
                self._drop(job.id)
            if job.id in self._watched:
                self._plan_next(watched, error)
            self._wake.notify()
        for watch in ended:  # outside the lock: who waited may do anything when told, also look at a slow disk
            watch.end(seen, error)

    def _told(self, watched: Watched, seen: Job) -> list[Watch]:
        """Keep what was seen; those whose waiting it ends."""
        watched.saw(seen)
        if seen.state.is_open:
            return []
        if seen.state is not JobState.COMPLETED:  # which is fetched now, by the same process
            self._drop(seen.id)
        return self._end(watched)

    def _end(self, watched: Watched) -> list[Watch]:
        """Look no more at a job; those who waited for it, to be told."""
        del self._watched[watched.job.id]
        return watched.watches

    def _plan_next(self, watched: Watched, error: SoraError | None) -> None:
        """At the provider's pace; slower in trouble."""
        try:
            pace = self._pace_s(watched.job.provider)
        except SoraError:  # the owner has just changed providers.toml: the next look tells
            pace = self._timing.poll_backoff_max_s
        failures, timing = watched.failures, self._timing
        now = self.now()
        watched.not_before = now + least_s(error, failures, timing, interval_s=pace)
        moment = now + (delay("poll", error, failures, timing, interval_s=pace, jitter=self._jitter) or 0.0)
        # Many looks in one go take half the CPU that the same take one by one (bench/jobs.py).
        tick = min(self._timing.poll_tick_s, pace / 40)
        self._plan(watched, math.ceil(moment / tick) * tick if tick else moment)


def _guarded(step: Callable[[], object]) -> None:
    """Nothing that one of them does may end the thread on which all wait."""
    try:
        step()
    except Exception:  # noqa: BLE001 - see above; it is told
        _log.exception("Sora Jobs: a step of the monitor failed")
