"""When each job takes its next step, and in which thread: one entry a job, few threads, timers for nothing else.

What a step does is advance.py's. However many wait for a job, it takes one step at a time, and all of them learn what
came of it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import traceback
from collections.abc import Callable

from ..config.timing import DEFAULT, Timing
from ..errors import LocalError, SoraError
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..util.daemon_pool import DaemonPool, PoolClosedError
from ..util.redact import redact
from .advance import Pause
from .agenda import Agenda, AwakeClock, Line, together
from .entry import Entry, Order, Wait
from .step_errors import closing_error, no_thread_to_fetch, unexpected_error
from .workers import Workers, start_thread

MOST_POLLS_PER_S = 300  # of all jobs: half a core; with more jobs each is polled less often (bench/jobs.py)

_log = logging.getLogger("sora")


class Scheduler:
    """Has jobs take their steps. `step(entry)` takes one in one of the threads, and returns the pause before the next,
    None where the job is finished; SoraError ends it for all who wait. `ended(entry, error)` is told when nothing more
    is done for a job here."""

    def __init__(
        self,
        step: Callable[[Entry], Pause | None],
        *,
        ended: Callable[[Entry, SoraError | None], None] = lambda _entry, _error: None,
        send_pool: DaemonPool | None = None,
        timing: Timing = DEFAULT,
    ) -> None:
        self._step, self._ended, self._timing = step, ended, timing
        self._workers = Workers(send_pool)
        self._wake = threading.Condition()
        self._entries: dict[str, Entry] = {}
        self._agenda, self._line, self._clock = Agenda(), Line(), AwakeClock(timing)
        self._thread: threading.Thread | None = None
        self._closed = False

    def now(self) -> float:
        """Seconds on a clock that stands still while the machine sleeps."""
        with self._wake:
            now, slept_s = self._clock.now()
            if slept_s:
                self._agenda.after_sleep(self._entries.values(), now, slept_s, self._timing.after_sleep_s)
                self._wake.notify()
            return now

    def join(
        self,
        job: Job,
        wait: Wait | None = None,
        *,
        order: Order | None = None,
        background: bool = False,
        for_queue: bool = False,
    ) -> None:
        """Have the job take its steps: for one who waits, in the background, for those who wait for its place, or to
        send an `order`, the first step of which is taken here and now. LocalError where no thread can be had,
        NotFinishedError when the program is closing: then nothing was begun."""
        with self._wake:
            if self._closed:
                raise closing_error(job.id)
            if order is None:
                self._start()
            entry = self._entries.setdefault(job.id, Entry(job))
            entry.background |= background
            entry.for_queue |= for_queue
            takes_it_here = order is not None and not entry.busy
            if order is not None:
                entry.order, entry.woken = order, entry.busy  # a step that is under way is not ours to disturb
            if takes_it_here:
                entry.job, entry.busy = job, True
            if wait is not None and not wait.future.done():
                entry.waits.append(wait)
                wait.entry = entry
                if job.state is not JobState.QUEUED:
                    wait.count_from(self.now())
            # What is planned may be far off because of trouble: as soon as the provider's pace allows.
            entry.due = min(entry.due, max(self.now(), entry.not_before))
            self._agenda.plan(entry)
            self._awaken()
        if wait is not None:
            wait.future.add_done_callback(lambda future: self._leave(wait) if future.cancelled() else None)
        if takes_it_here:
            self._take(entry)

    def leave(self, job_id: str) -> None:
        """Do no more for a job in the background."""
        with self._wake:
            if (entry := self._entries.get(job_id)) is not None:
                entry.background = False
                self._end_unwanted(entry)

    def has(self, job_id: str) -> bool:
        """Does the job take its steps here?"""
        with self._wake:
            return job_id in self._entries

    def in_background(self) -> set[str]:
        """Return the ids of the jobs that the background looks after."""
        with self._wake:
            return {name for name, entry in self._entries.items() if entry.background}

    def wake(self, job_id: str, *, unless_wanted: bool = False) -> None:
        """Have a job take its next step now; with `unless_wanted`, only one that is not to be sent any more: the pause
        that its provider asked for is not shortened."""
        with self._wake:
            entry = self._entries.get(job_id)
            if entry is not None and not (unless_wanted and entry.is_to_be_sent):
                entry.woken, entry.due = entry.busy, self.now()
                self._agenda.plan(entry)
                self._awaken()

    def close(self, send_s: float = 1.0) -> None:
        """Take no more steps. Creates that are under way get `send_s` for their response; all who wait are told."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(1.0)
        self._give_up_orders()
        self._workers.close(send_s)
        with self._wake:
            waits = [(entry, wait) for entry in self._entries.values() for wait in entry.waits]
            self._entries.clear()
        for entry, wait in waits:
            wait.fail(closing_error(entry.job.id))

    def _give_up_orders(self) -> None:
        """What waits to be sent again is not, and its row says so."""
        with self._wake:
            sent_again = [one for one in self._entries.values() if one.order is not None and not one.busy]
            entries = [entry for entry in sent_again if entry.job.state is JobState.RESERVED]  # queued ones stay so
            for entry in entries:
                entry.busy = entry.is_given_up = True
        for entry in entries:
            self._take(entry)

    def _start(self) -> None:
        """Before anything is planned: where no thread can be had, the next one who comes tries again."""
        if self._thread is None:
            self._thread = start_thread("sora-scheduler", self._run)

    def _awaken(self) -> None:
        self._clock.is_needed()
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._closed:
                    return
                now = self.now()
                self._clock.is_idle_for(0.0)
                entry = self._agenda.pop(now)
                if entry is None:
                    pause_s = min(self._timing.clock_check_s, max(0.0, self._agenda.first - now))
                    self._clock.is_idle_for(pause_s)
                    self._wake.wait(pause_s)
                    continue
                late = [wait for wait in entry.waits if wait.deadline <= now]
                entry.waits = [wait for wait in entry.waits if wait.deadline > now]
                begins = not entry.busy and entry.due <= now and entry.is_wanted
                entry.busy |= begins
                self._agenda.plan(entry)
                self._end_unwanted(entry)
            for wait in late:  # outside the lock: who waited may do anything when told
                wait.end_late()
            if begins:
                self._begin(entry)

    def _begin(self, entry: Entry) -> None:
        """Have the step taken by one of the threads; where none can be had now, later."""
        try:
            self._workers.submit(entry, lambda: self._take(entry))
        except PoolClosedError:
            pass
        except RuntimeError as error:
            if entry.job.state.is_rendered:
                self._done(entry, None, no_thread_to_fetch(error, entry.job))
            else:
                _log.warning("Job %s has to wait: %s", entry.job.id, error)
                self._done(entry, Pause(self._timing.poll_backoff_max_s), order=entry.order)

    def _take(self, entry: Entry) -> None:
        """One step, told to all who wait."""
        pause, error, order = None, None, entry.order
        try:
            pause = self._step(entry)
        except SoraError as trouble:
            error = trouble
        except BaseException as bug:  # noqa: BLE001 - a bug must reach those who wait, not end a thread in silence
            _log.error("Job %s: %s", entry.job.id, redact(traceback.format_exc()))
            error = unexpected_error(bug, entry.job)
        if pause is not None and order is not None and entry.job.state.is_reserved and not self._closed:
            try:  # an order takes its first step before there is a thread that plans others
                with self._wake:
                    self._start()
            except LocalError as no_thread:
                error = no_thread.with_job(entry.job.id)
        if error is not None and order is not None and not order.is_over:
            self._give_up(entry)
        self._done(entry, pause, error, order)

    def _done(
        self, entry: Entry, pause: Pause | None, error: SoraError | None = None, order: Order | None = None
    ) -> None:
        """A step was taken, with that order: tell those for whom it was the last, and plan the next one."""
        job = entry.job
        with self._wake:
            if entry.order is not order:  # which came meanwhile: what was seen is no news any more
                pause, error = Pause(0.0), None
            entry.busy = False
            ends = error is not None or pause is None
            over = [wait for wait in entry.waits if ends or wait.is_over(job)]
            entry.waits = [wait for wait in entry.waits if wait not in over]
            if ends or not job.state.is_reserved:
                entry.order = None
            self._note_place(entry, ends=ends)
            if ends:
                self._remove(entry)
            else:
                entry.due = self._due(entry, pause or Pause(0.0))
                if entry.woken:
                    entry.due, entry.woken = entry.not_before if entry.is_to_be_sent else self.now(), False
                self._agenda.plan(entry)
                self._end_unwanted(entry)
            self._awaken()
        if ends:
            self._tell_end(entry, error)
        for wait in over:  # outside the lock: who waited may do anything when told, also look at a slow disk
            wait.end(job) if error is None else wait.fail(error)

    def _give_up(self, entry: Entry) -> None:
        """An order that nobody will send any more is refused: its row would hold up all others in the line."""
        entry.is_given_up = True
        with contextlib.suppress(Exception):  # what was wrong before is told
            self._step(entry)

    def _note_place(self, entry: Entry, *, ends: bool) -> None:
        """Those who wait are patient from when it is sent; and a job that leaves the line, or its provider, leaves a
        place."""
        left = self._line.note(entry)
        if entry.job.state is not JobState.QUEUED:
            for wait in entry.waits:
                wait.count_from(self.now())
        if left or ends or not entry.job.state.is_open:
            first = self._line.first(entry.job.provider)
            if first is not None:
                self.wake(first.job.id)

    def _due(self, entry: Entry, pause: Pause) -> float:
        """When the next step is due; polls more rarely, where there are very many jobs."""
        now, due_s, least_s = self.now(), pause.due_s, pause.least_s
        if entry.job.state is JobState.SUBMITTED:
            due_s, least_s = (max(each, len(self._entries) / MOST_POLLS_PER_S) for each in (due_s, least_s))
        entry.not_before = now + least_s
        return together(now + due_s, min(self._timing.poll_tick_s, due_s / 40))

    def _leave(self, wait: Wait) -> None:
        """One who waited does so no more."""
        with self._wake:
            if (entry := wait.entry) is not None and wait in entry.waits:
                entry.waits.remove(wait)
                self._end_unwanted(entry)

    def _end_unwanted(self, entry: Entry) -> None:
        if entry.busy or entry.is_wanted or self._entries.get(entry.job.id) is not entry:
            return
        self._remove(entry)
        if not self._closed:
            with contextlib.suppress(RuntimeError):  # its lease expires by itself
                self._workers.note(lambda: self._tell_end(entry, None))

    def _remove(self, entry: Entry) -> None:
        if self._entries.get(entry.job.id) is entry:
            del self._entries[entry.job.id]
        entry.planned = math.inf  # what the agenda has of it counts no more
        self._line.leave(entry)

    def _tell_end(self, entry: Entry, error: SoraError | None) -> None:
        try:
            self._ended(entry, error)
        except Exception:  # noqa: BLE001 - what follows from an end must not end a thread
            _log.exception("Sora Jobs: the end of job %s", entry.job.id)
