"""One scheduler for all jobs on their way: shared polls, deadlines, patience with trouble."""

from __future__ import annotations

import contextlib
import gc
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import Any

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.config.timing import DEFAULT, Timing
from sora_jobs.delivery.advance import Advance
from sora_jobs.delivery.agenda import AwakeClock
from sora_jobs.delivery.entry import Entry, Wait
from sora_jobs.delivery.scheduler import Scheduler
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    LedgerError,
    NotFinishedError,
    NotPurchasedError,
    SoraError,
    WaitTimeoutError,
)
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState
from sora_jobs.util.daemon_pool import DaemonPool

from ..failures import failing


def job(name: str = "a", state: JobState = JobState.SUBMITTED) -> Job:
    empty = dict.fromkeys(("provider", "origin", "model", "seconds", "size", "prompt", "identity"), "")
    return Job(id=name, kind="create", state=state, take=1, video_id="video_1", **empty)


class Looks:
    """A provider that finishes a job at its nth poll, or does what `script` says."""

    def __init__(self, script: Callable[[int], Job]) -> None:
        self.script, self.count, self.lock = script, 0, threading.Lock()

    def __call__(self, seen: Job) -> Job:
        with self.lock:
            self.count += 1
            turn = self.count
        return replace(self.script(turn), id=seen.id)


class Ours:
    """Leases, when no other process is there."""

    def held(self, job: str) -> bool:
        return True

    def hold(self, job: str, for_s: float | None = None) -> bool:
        return True

    def extend(self, job: str, for_s: float) -> bool:
        return True


class Rows:
    """The ledger's side, and what the provider says."""

    def __init__(self, looks: Callable[[Job], Job], pace_s: Callable[[str], float]) -> None:
        self.looks, self.pace_s = looks, pace_s

    def provider(self, name: str) -> Provider:
        return Provider(name=name, base_url="", poll_s=self.pace_s(name))

    def read(self, job_id: str) -> Job:
        return job(job_id)

    def poll(self, seen: Job) -> Job:
        return self.looks(seen)

    def not_known(self, seen: Job) -> Job:
        return seen

    def place(self, job_id: str) -> int:
        return 1

    def poll_holders(self, queued: Job) -> None:
        pass


class AtOnce:
    """Downloads that take no time."""

    def fetch(self, entry: Entry) -> Job:
        return replace(entry.job, state=JobState.STORED)

    def delay_s(self, entry: Entry, error: SoraError) -> float:
        raise AssertionError


def scheduler_of(
    looks: Callable[[Job], Job],
    pace_s: Callable[[str], float],
    timing: Timing = DEFAULT,
    jitter: Callable[[], float] = random.random,
    ended: Callable[[Entry, SoraError | None], None] = lambda _entry, _error: None,
) -> Scheduler:
    advance = Advance(Rows(looks, pace_s), Ours(), AtOnce(), timing, jitter)
    return Scheduler(advance, timing=timing, ended=ended)


def watch(scheduler: Scheduler, seen: Job, timeout_s: float) -> Wait:
    wait = Wait(job=seen, timeout_s=timeout_s)
    scheduler.join(seen, wait)
    return wait


def next_step_s(scheduler: Scheduler, wait: Wait) -> float | None:
    """Seconds until the job's next step; None while it takes one."""
    entry = wait.entry
    assert entry is not None
    return None if entry.busy else max(0.0, entry.due - scheduler.now())


@pytest.fixture
def schedulers() -> Iterator[Callable[..., Scheduler]]:
    made: list[Scheduler] = []

    def make(looks: Callable[[Job], Job], pace_s: float = 0.001) -> Scheduler:
        made.append(scheduler_of(looks, lambda _provider: pace_s))
        return made[-1]

    yield make
    for scheduler in made:
        scheduler.close()


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def finishing_at(turn: int) -> Callable[[int], Job]:
    return lambda now: job(state=JobState.COMPLETED if now >= turn else JobState.SUBMITTED)


def test_a_watch_ends_with_the_finished_job(schedulers: Callable[..., Scheduler]) -> None:
    """It is looked at until the gateway is done."""
    looks = Looks(finishing_at(5))
    assert watch(schedulers(looks), job(), 10).future.result(10).state is JobState.STORED
    assert looks.count == 5


def test_who_is_told_may_take_his_time(schedulers: Callable[..., Scheduler]) -> None:
    """What he does then (a look at a slow disk, say) holds up nobody else who waits, or comes to wait."""
    scheduler = schedulers(Looks(finishing_at(1)))
    told, slow = threading.Event(), threading.Event()

    def take_time(_: object) -> None:
        told.set()
        assert slow.wait(20)

    watch(scheduler, job("a"), 5).future.add_done_callback(take_time)
    assert told.wait(10)
    assert watch(scheduler, job("b"), 5).future.result(10).state is JobState.STORED
    slow.set()


def test_looks_are_shared(schedulers: Callable[..., Scheduler]) -> None:
    """Fifty who wait for one job cost no more looks than one."""
    looks = Looks(finishing_at(4))
    scheduler = schedulers(looks, pace_s=0.02)
    waits = [watch(scheduler, job(), 10) for _ in range(50)]
    assert {each.future.result(10).state for each in waits} == {JobState.STORED}
    assert looks.count == 4


def test_the_deadline_ends_the_waiting_only(schedulers: Callable[..., Scheduler]) -> None:
    """The error says that the job goes on and how to take it up."""
    waiting = watch(schedulers(Looks(finishing_at(10**9))), job(), 0.05)
    with failing(WaitTimeoutError, "wait_timeout", charge="charged") as caught:
        waiting.future.result(10)
    assert (caught.value.exit_code, caught.value.job) == (6, "a")


def test_a_cancelled_watch_lets_go_and_a_new_one_looks_at_once(schedulers: Callable[..., Scheduler]) -> None:
    """After an interrupt the next run does not wait for the old pace."""
    looks = Looks(finishing_at(2))
    scheduler = schedulers(looks, pace_s=30)
    first = watch(scheduler, job(), 60)
    until(lambda: looks.count == 1)
    first.cancel()
    with pytest.raises(CancelledError):
        first.future.result(0)
    assert watch(scheduler, job(), 60).future.result(5).state is JobState.STORED


def test_passing_trouble_is_waited_out_and_shown(schedulers: Callable[..., Scheduler]) -> None:
    """A gateway that answers badly for a while does not end the waiting."""
    seen: list[str] = []

    def script(turn: int) -> Job:
        if turn <= 3:
            raise GatewayError(f"HTTP 502, look {turn}")
        seen.append(waiting.entry.trouble)
        return finishing_at(4)(turn)

    waiting = watch(schedulers(Looks(script)), job(), 10)
    assert waiting.future.result(10).state is JobState.STORED
    assert seen == ["HTTP 502, look 3"]


@pytest.mark.parametrize("error", [GatewayError("bad key", transient=False), InvalidInputError("was bought elsewhere")])
def test_trouble_that_stays_ends_the_waiting(schedulers: Callable[..., Scheduler], error: Exception) -> None:
    """A bad key does not get better by asking again."""

    def script(_: int) -> Job:
        raise error

    looks = Looks(script)
    with pytest.raises(type(error)):
        watch(schedulers(looks), job(), 10).future.result(10)
    assert looks.count == 1


def test_a_bug_reaches_those_who_wait(schedulers: Callable[..., Scheduler]) -> None:
    """An error that is none of ours must not end in silence."""

    def script(_: int) -> Job:
        raise ZeroDivisionError

    with failing(NotFinishedError, "unexpected_error", "ZeroDivisionError"):
        watch(schedulers(Looks(script)), job(), 10).future.result(10)


def test_the_gateways_pace_is_kept(schedulers: Callable[..., Scheduler]) -> None:
    """Retry-After wins over our own pace."""
    times: list[float] = []

    def script(turn: int) -> Job:
        times.append(time.monotonic())
        if turn == 1:
            raise GatewayError("slow down", retry_after_s=0.2)
        return finishing_at(2)(turn)

    watch(schedulers(Looks(script)), job(), 10).future.result(10)
    assert times[1] - times[0] >= 0.2


@pytest.mark.parametrize("error", [LedgerError("the database is away"), GatewayError("HTTP 502", http_status=502)])
def test_an_outage_is_waited_out_until_the_deadline(schedulers: Callable[..., Scheduler], error: Exception) -> None:
    """However long it lasts: what is paid for is not given up because of it."""

    def script(turn: int) -> Job:
        if turn <= 60:
            raise error
        return finishing_at(61)(turn)

    looks = Looks(script)
    scheduler = scheduler_of(looks, lambda _provider: 1e-6)
    assert watch(scheduler, job(), 30).future.result(30).state is JobState.STORED
    assert looks.count == 61
    scheduler.close()


@pytest.mark.parametrize("how", [{"http_status": 404}, {"http_status": 200, "code": "task_not_exist"}])
def test_a_job_that_the_gateway_does_not_know_is_given_up(schedulers: Callable[..., Scheduler], how: Any) -> None:
    """Right after the create that may pass; after twenty looks it does not, with whatever status it is said."""

    def script(_: int) -> Job:
        raise GatewayError("not known", **how)

    looks = Looks(script)
    with pytest.raises(GatewayError):
        watch(schedulers(looks, pace_s=1e-6), job(), 30).future.result(30)
    assert looks.count == 21


def test_one_answer_that_it_is_not_known_ends_nothing(schedulers: Callable[..., Scheduler]) -> None:
    """After a long outage a single 404 is trouble like any other."""

    def script(turn: int) -> Job:
        if turn <= 25:
            raise GatewayError("HTTP 502", http_status=502)
        if turn == 26:
            raise GatewayError("HTTP 404", http_status=404)
        return finishing_at(27)(turn)

    looks = Looks(script)
    waiting = watch(schedulers(looks, pace_s=1e-6), job(), 30)
    assert waiting.future.result(30).state is JobState.STORED


def test_an_end_that_cannot_be_told_takes_nothing_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """All others still take their steps."""

    def ended(entry: Entry, _: SoraError | None) -> None:
        if entry.job.id == "a":
            raise ZeroDivisionError

    scheduler = scheduler_of(Looks(finishing_at(1)), lambda _provider: 0.001, ended=ended)
    assert watch(scheduler, job("a"), 10).future.result(10).state is JobState.STORED
    assert watch(scheduler, job("b"), 10).future.result(10).state is JobState.STORED
    scheduler.close()
    assert "ZeroDivisionError" in caplog.text


def test_what_is_over_takes_no_memory(schedulers: Callable[..., Scheduler]) -> None:
    """A day of waits that ended leaves no deadlines behind."""
    scheduler = schedulers(Looks(finishing_at(1)))
    kept: weakref.WeakSet[Future[Job]] = weakref.WeakSet()
    for _ in range(3000):
        done = watch(scheduler, job(), 86_400).future
        done.result(10)
        kept.add(done)
    gc.collect()
    assert len(kept) < 600


class Clock:
    """Time that passes only when it is told to, and what the monitor plans by it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_machine_that_has_much_to_do_does_not_sleep() -> None:
    """For longer than a sleep is: each look at the clock counts, and time goes on. One that nobody takes is a sleep."""
    clock = Clock()
    awake = AwakeClock(Timing(monotonic=clock))
    for _ in range(10):
        awake.is_idle_for(0.0)
        clock.now += 20.0
        assert awake.now() == (clock.now, 0.0)
    awake.is_idle_for(10.0)
    clock.now += 45.0
    assert awake.now() == (200.0 + 10.0, 35.0)
    awake.is_idle_for(1000.0)
    awake.is_needed()  # before it was meant to be
    clock.now += 31.0
    assert awake.now() == (210.0, 31.0)


class Sleeper:
    """A clock that goes on while the machine sleeps, as Windows' does."""

    def __init__(self) -> None:
        self.asleep_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.asleep_s

    def sleep(self, scheduler: Scheduler, seconds: float) -> None:
        self.asleep_s += seconds
        with contextlib.suppress(WaitTimeoutError):
            watch(scheduler, job("awake"), 0).future.result(10)


def test_a_machine_that_slept_looks_once_more_before_it_is_too_late() -> None:
    """The video was finished meanwhile. The time asleep is not the time that one who waits was willing to wait."""
    clock, looks = Sleeper(), Looks(finishing_at(2))
    scheduler = scheduler_of(looks, lambda _provider: 10.0, timing=Timing(monotonic=clock))
    waiting = watch(scheduler, job(), 5)
    until(lambda: next_step_s(scheduler, waiting))
    clock.sleep(scheduler, 3600)
    assert waiting.future.result(5).state is JobState.STORED
    assert looks.count == 2
    scheduler.close()


def test_a_machine_that_slept_waits_no_longer_than_it_was_asked_to() -> None:
    """A job that goes on ends the waiting at the deadline, of which nothing was taken off."""
    clock, looks = Sleeper(), Looks(finishing_at(10**9))
    scheduler = scheduler_of(looks, lambda _provider: 10.0, timing=Timing(monotonic=clock))
    waiting = watch(scheduler, job(), 3000)
    begun = scheduler.now()
    for asleep_s in (3600, 86_400, 100):
        clock.sleep(scheduler, asleep_s)
    assert not waiting.future.done()
    while not waiting.future.done():
        clock.sleep(scheduler, 20)  # too short for a sleep: a machine that has much to do
    with failing(WaitTimeoutError, "wait_timeout"):
        waiting.future.result(5)
    assert 3000 <= scheduler.now() - begun < 3120
    scheduler.close()


def planned_after(error: Exception, pace_s: Callable[[str], float] = lambda _provider: 10.0) -> tuple[float, float]:
    """Seconds from a look that failed to the next one; the same once another one waits for the job, too."""
    clock, looks = Clock(), Looks(finishing_at(10**9))

    def fail(_: int) -> Job:
        raise error

    looks.script = fail
    scheduler = scheduler_of(looks, pace_s, timing=Timing(monotonic=clock), jitter=lambda: 0.0)
    waiting = watch(scheduler, job(), 1e6)
    until(lambda: next_step_s(scheduler, waiting))
    first = next_step_s(scheduler, waiting)
    watch(scheduler, job(), 1e6)
    second = next_step_s(scheduler, waiting)
    scheduler.close()
    assert first is not None
    assert second is not None
    return first, second


def test_looks_that_are_due_at_about_the_same_time_are_taken_together() -> None:
    """A thousand jobs wake the process four times a second, not a hundred times; none is looked at too early."""
    clock, looks, jitter = Clock(), Looks(finishing_at(10**9)), iter([0.1, 0.6, 0.9, 0.123])
    timing = Timing(monotonic=clock)
    scheduler = scheduler_of(looks, lambda _provider: 10.0, timing=timing, jitter=lambda: next(jitter))
    waits = [watch(scheduler, job(name), 1e6) for name in "abcd"]
    until(lambda: all(next_step_s(scheduler, wait) for wait in waits))
    planned = sorted(next_step_s(scheduler, wait) or 0.0 for wait in waits)
    scheduler.close()
    assert planned == [10.25, 10.25, 10.75, 11.0]


def test_a_gateway_cannot_ask_for_endless_patience() -> None:
    """A day in Retry-After is a mistake; ten minutes are kept, also by one who comes later."""
    assert planned_after(GatewayError("busy", retry_after_s=86_400.0)) == (600.0, 600.0)


def test_one_who_comes_later_looks_as_soon_as_the_pace_allows() -> None:
    """Trouble made the looks rare; a person who presses Run does not wait a minute for the next one."""
    assert planned_after(GatewayError("HTTP 502")) == (20.0, 10.0)


def test_a_poll_without_a_response_is_made_again_soon() -> None:
    """Mostly a connection was cut, and the next one is good."""
    assert planned_after(GatewayError("reset by peer", code="network")) == (1.0, 1.0)


def test_a_provider_that_is_gone_for_a_moment_ends_no_wait() -> None:
    """providers.toml is being edited: the next look is planned all the same."""

    def pace(_: str) -> float:
        raise InvalidInputError("There is no provider 'mine'.")

    assert planned_after(GatewayError("HTTP 502"), pace)[0] == 60.0


def test_a_thousand_jobs_need_few_threads(schedulers: Callable[..., Scheduler]) -> None:
    """The number of threads does not grow with the number of jobs."""
    done = threading.Event()

    def look(seen: Job) -> Job:
        return job(seen.id, JobState.COMPLETED if done.is_set() else JobState.SUBMITTED)

    scheduler = schedulers(look, pace_s=0.2)
    before = threading.active_count()
    waits = [watch(scheduler, job(str(number)), 30) for number in range(1000)]
    assert threading.active_count() - before <= 9
    done.set()
    assert all(each.future.result(20).state is JobState.STORED for each in waits)


def test_a_pool_passes_results_and_errors_and_never_grows_beyond_its_size() -> None:
    """Its threads are daemons: a silent connection never holds up the end of the program."""
    pool = DaemonPool("test", 3)
    futures = [pool.submit(lambda n=n: (time.sleep(0.001), threading.current_thread(), n)) for n in range(50)]
    results = [future.result(5) for future in futures]
    assert [number for _, _, number in results] == list(range(50))
    assert len({thread for _, thread, _ in results}) <= 3
    assert all(thread.daemon for _, thread, _ in results)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(5)
    pool.close()
    with pytest.raises(RuntimeError):
        pool.submit(int)


def entry_of(wait: Wait) -> Entry:
    assert wait.entry is not None
    return wait.entry


def test_what_the_background_leaves_is_dropped_unless_somebody_waits(schedulers: Callable[..., Scheduler]) -> None:
    """And its polls go on for one who does."""
    looks = Looks(finishing_at(10**9))
    scheduler = schedulers(looks, pace_s=0.01)
    for name in "ab":
        scheduler.join(job(name), background=True)
    waiting = watch(scheduler, job("b"), 60)
    assert scheduler.in_background() == {"a", "b"}
    for name in ("a", "b", "never heard of"):
        scheduler.leave(name)
    until(lambda: not scheduler.has("a"))
    assert (scheduler.has("b"), scheduler.in_background()) == (True, set())
    before = looks.count
    until(lambda: looks.count > before + 2)
    waiting.cancel()
    until(lambda: not scheduler.has("b"))


def test_who_waits_when_it_is_closed_is_told(schedulers: Callable[..., Scheduler]) -> None:
    """With the job that goes on; who comes later is, too, and nothing is begun for them."""
    scheduler = schedulers(Looks(finishing_at(10**9)), pace_s=0.01)
    waiting = watch(scheduler, job("a"), 60)
    scheduler.close()
    with failing(NotFinishedError, "closing") as caught:
        waiting.future.result(1)
    assert caught.value.job == "a"
    with failing(NotFinishedError, "closing") as caught:
        watch(scheduler, job("b"), 60)
    assert (caught.value.job, scheduler.has("a"), scheduler.has("b")) == ("b", False, False)


class Ordered:
    """A purchase that is rejected for now, as often as it is tried; it is refused once nobody wants it any more."""

    def __init__(self, state: JobState = JobState.RESERVED) -> None:
        self.state, self.tries, self.given_up, self.is_over = state, 0, 0, False

    def send(self, seen: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        if not wanted():
            self.given_up += 1
            self.is_over = True
            raise NotPurchasedError("It was cancelled before it was sent.", job=seen.id)
        self.tries += 1
        return replace(seen, state=self.state), 60.0


def test_what_waits_to_be_sent_again_is_given_up_at_the_end(schedulers: Callable[..., Scheduler]) -> None:
    """Its row says so; what is queued stays in the line, and what is polled is not disturbed."""
    scheduler = schedulers(Looks(finishing_at(10**9)), pace_s=0.01)
    again, queued = Ordered(), Ordered(JobState.QUEUED)
    waits = [Wait(job=job("a"), until_sent=True), Wait(job=job("b"), until_sent=True)]
    scheduler.join(replace(job("a"), state=JobState.RESERVED), waits[0], order=again)
    scheduler.join(replace(job("b"), state=JobState.RESERVED), waits[1], order=queued)
    assert (waits[0].future.done(), waits[1].future.result(1).state) == (False, JobState.QUEUED)
    scheduler.close()
    with failing(NotPurchasedError, "") as caught:
        waits[0].future.result(1)
    assert caught.value.job == "a"
    assert (again.tries, again.given_up, queued.tries, queued.given_up) == (1, 1, 1, 0)


def test_one_who_wants_it_no_more_ends_the_order(schedulers: Callable[..., Scheduler]) -> None:
    """At once, and not when it is due again."""
    scheduler, order, wanted = schedulers(Looks(finishing_at(1))), Ordered(), [True]
    wait = Wait(job=job("a"), until_sent=True, wanted=lambda: wanted[0])
    scheduler.join(replace(job("a"), state=JobState.RESERVED), wait, order=order)
    wanted[0] = False
    scheduler.wake("a", unless_wanted=True)
    scheduler.wake("never heard of")
    with failing(NotPurchasedError, ""):
        wait.future.result(5)
    assert order.given_up == 1


def test_nobody_shortens_the_pause_that_a_provider_asked_for(schedulers: Callable[..., Scheduler]) -> None:
    """Neither one who comes to wait for the same nor one who wants it no more while others do."""
    scheduler, order = schedulers(Looks(finishing_at(1))), Ordered()
    reserved = replace(job("a"), state=JobState.RESERVED)
    scheduler.join(reserved, Wait(job=reserved, until_sent=True), order=order)
    gone = Wait(job=reserved, until_sent=True, wanted=lambda: False)
    scheduler.join(reserved, gone)
    scheduler.wake("a", unless_wanted=True)
    waiting = watch(scheduler, reserved, 60)
    time.sleep(0.1)
    assert (order.tries, (next_step_s(scheduler, waiting) or 0.0) > 50) == (1, True)


def test_an_order_that_comes_during_a_step_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another graph waits for the row of a process that has ended, and looks at it while we take it over: what that
    step saw ends nothing, and the order is sent once, by one thread."""
    looking, go_on = threading.Event(), threading.Event()

    def place(_: Rows, job_id: str) -> int:
        if not looking.is_set():
            looking.set()
            assert go_on.wait(10)
            return 0  # nobody sends it, as far as that step has seen
        return 1

    reserved = replace(job("a"), state=JobState.QUEUED)
    monkeypatch.setattr(Rows, "read", lambda *_: reserved)
    monkeypatch.setattr(Rows, "place", place)
    scheduler, order = scheduler_of(Looks(finishing_at(1)), lambda _provider: 0.001), Ordered()
    waiting = watch(scheduler, reserved, 60)
    assert looking.wait(10)
    bought = Wait(job=reserved, until_sent=True)
    scheduler.join(reserved, bought, order=order)
    assert order.tries == 0  # not beside the step that is under way
    go_on.set()
    until(lambda: order.tries)
    time.sleep(0.1)
    assert (order.tries, bought.future.result(1).id, waiting.future.done()) == (1, "a", False)
    scheduler.close()


def test_a_step_that_breaks_leaves_no_order_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row would stand in the line for ever, before all others."""

    def broken(_: Rows, job_id: str) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(Rows, "place", broken)
    scheduler, order = scheduler_of(Looks(finishing_at(1)), lambda _provider: 0.001), Ordered(JobState.QUEUED)
    wait = Wait(job=job("a"), until_sent=True)
    scheduler.join(replace(job("a"), state=JobState.RESERVED), wait, order=order)
    with failing(NotFinishedError, "unexpected_error", "ZeroDivisionError"):
        wait.future.result(5)
    assert (order.tries, order.given_up, scheduler.has("a")) == (1, 1, False)
    scheduler.close()


def test_a_download_that_gets_no_thread_is_told(
    schedulers: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A poll that gets none is made later, and the log says so."""
    real, refused = threading.Thread.start, list[str]()

    def refusing(thread: threading.Thread) -> None:
        if thread.name.startswith(("sora-poll", "sora-fetch")):
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        real(thread)

    scheduler = schedulers(Looks(finishing_at(1)))
    monkeypatch.setattr(threading.Thread, "start", refusing)
    polled = watch(scheduler, job("a"), 60)
    fetched = watch(scheduler, replace(job("b"), state=JobState.COMPLETED), 60)
    with failing(NotFinishedError, "no_thread", "can't start new thread") as caught:
        fetched.future.result(5)
    assert caught.value.job == "b"
    until(lambda: "Job a has to wait: can't start new thread" in caplog.text)
    assert not polled.future.done()
    assert (next_step_s(scheduler, polled) or 0) > 50


def test_a_wait_whose_time_is_over_the_moment_it_begins_ends(schedulers: Callable[..., Scheduler]) -> None:
    looks = Looks(finishing_at(10**9))
    scheduler = schedulers(looks)
    with failing(WaitTimeoutError, "wait_timeout"):
        watch(scheduler, job("a"), 0).future.result(5)
    until(lambda: not scheduler.has("a"))


def test_the_thread_of_the_scheduler_never_holds_up_the_end_of_a_program(schedulers: Callable[..., Scheduler]) -> None:
    before = set(threading.enumerate())
    watch(schedulers(Looks(finishing_at(10**9))), job("a"), 60)
    new = set(threading.enumerate()) - before
    assert [one.daemon for one in new if one.name == "sora-scheduler"] == [True]


@pytest.mark.parametrize(("jobs", "pause_s"), [(10, 10.0), (6000, 20.0)])
def test_very_many_jobs_are_polled_more_rarely(jobs: int, pause_s: float) -> None:
    """So that all together cost half a core; each as rarely as the others."""
    clock, looks = Clock(), Looks(finishing_at(10**9))
    scheduler = scheduler_of(looks, lambda _provider: 10.0, timing=Timing(monotonic=clock), jitter=lambda: 0.0)
    waits = [watch(scheduler, job(str(number)), 1e6) for number in range(jobs)]
    until(lambda: looks.count >= jobs and not any(entry_of(wait).busy for wait in waits))
    assert {next_step_s(scheduler, wait) for wait in waits[-5:]} == {pause_s}
    scheduler.close()
