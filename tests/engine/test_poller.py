"""One scheduler for all who wait: shared looks, deadlines, patience with trouble."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import Any

import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.delivery.poller import Poller
from sora_jobs.errors import GatewayError, InvalidInputError, LedgerError, NotFinishedError, WaitTimeoutError
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState
from sora_jobs.util.daemon_pool import DaemonPool

from ..failures import failing


def job(name: str = "a", state: JobState = JobState.SUBMITTED) -> Job:
    empty = dict.fromkeys(("provider", "origin", "model", "seconds", "size", "prompt", "identity"), "")
    return Job(id=name, kind="create", state=state, take=1, **empty)


class Looks:
    """A gateway that finishes a job at its nth look, or does what `script` says."""

    def __init__(self, script: Callable[[int], Job]) -> None:
        self.script, self.count, self.lock = script, 0, threading.Lock()

    def __call__(self, seen: Job) -> Job:
        with self.lock:
            self.count += 1
            turn = self.count
        return replace(self.script(turn), id=seen.id)


@pytest.fixture
def monitors() -> Iterator[Callable[..., Poller]]:
    made: list[Poller] = []

    def make(looks: Callable[[Job], Job], pace_s: float = 0.001) -> Poller:
        made.append(Poller(looks, lambda _provider: pace_s))
        return made[-1]

    yield make
    for poller in made:
        poller.close()


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def finishing_at(turn: int) -> Callable[[int], Job]:
    return lambda now: job(state=JobState.COMPLETED if now >= turn else JobState.SUBMITTED)


def test_a_watch_ends_with_the_finished_job(monitors: Callable[..., Poller]) -> None:
    """It is looked at until the gateway is done."""
    looks = Looks(finishing_at(5))
    assert monitors(looks).watch(job(), timeout_s=10).future.result(10).state is JobState.COMPLETED
    assert looks.count == 5


def test_a_job_that_has_ended_needs_no_look(monitors: Callable[..., Poller]) -> None:
    """Nothing is asked for what is known."""
    looks = Looks(finishing_at(1))
    assert monitors(looks).watch(job(state=JobState.STORED), timeout_s=1).future.result(0).state is JobState.STORED
    assert looks.count == 0


def test_who_is_told_may_take_his_time(monitors: Callable[..., Poller]) -> None:
    """What he does then (a look at a slow disk, say) holds up nobody else who waits, or comes to wait."""
    poller = monitors(Looks(finishing_at(1)))
    told, slow = threading.Event(), threading.Event()

    def take_time(_: object) -> None:
        told.set()
        assert slow.wait(20)

    poller.watch(job("a"), timeout_s=5).future.add_done_callback(take_time)
    assert told.wait(10)
    assert poller.watch(job("b"), timeout_s=5).future.result(10).state is JobState.COMPLETED
    slow.set()


def test_looks_are_shared(monitors: Callable[..., Poller]) -> None:
    """Fifty who wait for one job cost no more looks than one."""
    looks = Looks(finishing_at(4))
    poller = monitors(looks, pace_s=0.02)
    watches = [poller.watch(job(), timeout_s=10) for _ in range(50)]
    assert {watch.future.result(10).state for watch in watches} == {JobState.COMPLETED}
    assert looks.count == 4


def test_the_deadline_ends_the_waiting_only(monitors: Callable[..., Poller]) -> None:
    """The error says that the job goes on and how to take it up."""
    watch = monitors(Looks(finishing_at(10**9))).watch(job(), timeout_s=0.05)
    with failing(WaitTimeoutError, "wait_timeout", charge="charged") as caught:
        watch.future.result(10)
    assert (caught.value.exit_code, caught.value.job) == (6, "a")


def test_a_cancelled_watch_lets_go_and_a_new_one_looks_at_once(monitors: Callable[..., Poller]) -> None:
    """After an interrupt the next run does not wait for the old pace."""
    looks = Looks(finishing_at(2))
    poller = monitors(looks, pace_s=30)
    first = poller.watch(job(), timeout_s=60)
    until(lambda: looks.count == 1)
    first.cancel()
    with pytest.raises(CancelledError):
        first.future.result(0)
    assert poller.watch(job(), timeout_s=60).future.result(5).state is JobState.COMPLETED


def test_passing_trouble_is_waited_out_and_shown(monitors: Callable[..., Poller]) -> None:
    """A gateway that answers badly for a while does not end the waiting."""
    seen: list[str] = []

    def script(turn: int) -> Job:
        if turn <= 3:
            raise GatewayError(f"HTTP 502, look {turn}")
        seen.append(watch.trouble)
        return finishing_at(4)(turn)

    watch = monitors(Looks(script)).watch(job(), timeout_s=10)
    assert watch.future.result(10).state is JobState.COMPLETED
    assert seen == ["HTTP 502, look 3"]


@pytest.mark.parametrize("error", [GatewayError("bad key", transient=False), InvalidInputError("was bought elsewhere")])
def test_trouble_that_stays_ends_the_waiting(monitors: Callable[..., Poller], error: Exception) -> None:
    """A bad key does not get better by asking again."""

    def script(_: int) -> Job:
        raise error

    looks = Looks(script)
    with pytest.raises(type(error)):
        monitors(looks).watch(job(), timeout_s=10).future.result(10)
    assert looks.count == 1


def test_a_bug_reaches_those_who_wait(monitors: Callable[..., Poller]) -> None:
    """An error that is none of ours must not end in silence."""

    def script(_: int) -> Job:
        raise ZeroDivisionError

    with failing(NotFinishedError, "unexpected_error", "ZeroDivisionError"):
        monitors(Looks(script)).watch(job(), timeout_s=10).future.result(10)


def test_the_gateways_pace_is_kept(monitors: Callable[..., Poller]) -> None:
    """Retry-After wins over our own pace."""
    times: list[float] = []

    def script(turn: int) -> Job:
        times.append(time.monotonic())
        if turn == 1:
            raise GatewayError("slow down", retry_after_s=0.2)
        return finishing_at(2)(turn)

    monitors(Looks(script)).watch(job(), timeout_s=10).future.result(10)
    assert times[1] - times[0] >= 0.2


@pytest.mark.parametrize("error", [LedgerError("the database is away"), GatewayError("HTTP 502", http_status=502)])
def test_an_outage_is_waited_out_until_the_deadline(monitors: Callable[..., Poller], error: Exception) -> None:
    """However long it lasts: what is paid for is not given up because of it."""

    def script(turn: int) -> Job:
        if turn <= 60:
            raise error
        return finishing_at(61)(turn)

    looks = Looks(script)
    poller = Poller(looks, lambda _provider: 1e-6)
    assert poller.watch(job(), timeout_s=30).future.result(30).state is JobState.COMPLETED
    assert looks.count == 61
    poller.close()


@pytest.mark.parametrize("how", [{"http_status": 404}, {"http_status": 200, "code": "task_not_exist"}])
def test_a_job_that_the_gateway_does_not_know_is_given_up(monitors: Callable[..., Poller], how: Any) -> None:
    """Right after the create that may pass; after twenty looks it does not, with whatever status it is said."""

    def script(_: int) -> Job:
        raise GatewayError("not known", **how)

    looks = Looks(script)
    with pytest.raises(GatewayError):
        monitors(looks, pace_s=1e-6).watch(job(), timeout_s=30).future.result(30)
    assert looks.count == 21


def test_one_answer_that_it_is_not_known_ends_nothing(monitors: Callable[..., Poller]) -> None:
    """After a long outage a single 404 is trouble like any other."""

    def script(turn: int) -> Job:
        if turn <= 25:
            raise GatewayError("HTTP 502", http_status=502)
        if turn == 26:
            raise GatewayError("HTTP 404", http_status=404)
        return finishing_at(27)(turn)

    looks = Looks(script)
    watch = monitors(looks, pace_s=1e-6).watch(job(), timeout_s=30)
    assert watch.future.result(30).state is JobState.COMPLETED


def test_an_alarm_that_fails_takes_nothing_with_it(
    monitors: Callable[..., Poller], caplog: pytest.LogCaptureFixture
) -> None:
    """All others still ring, and jobs are still looked at."""
    poller = monitors(Looks(finishing_at(2)))
    rung = threading.Event()
    poller.alarm(0, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    poller.alarm(0.05, rung.set)
    assert rung.wait(5)
    assert poller.watch(job(), timeout_s=10).future.result(10).state is JobState.COMPLETED
    assert "ZeroDivisionError" in caplog.text


def test_what_is_over_takes_no_memory(monitors: Callable[..., Poller]) -> None:
    """A day of waits that ended leaves neither deadlines nor alarms behind."""
    poller = monitors(Looks(finishing_at(1)))
    kept: weakref.WeakSet[Future[Job]] = weakref.WeakSet()
    for _ in range(3000):
        done = poller.watch(job(), timeout_s=86_400).future
        poller.alarm(86_400, lambda: None, unless=done)
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


class Sleeper:
    """A clock that goes on while the machine sleeps, as Windows' does."""

    def __init__(self) -> None:
        self.asleep_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.asleep_s

    def sleep(self, poller: Poller, seconds: float) -> None:
        awake = threading.Event()
        self.asleep_s += seconds
        poller.alarm(0, awake.set)
        assert awake.wait(10)


def test_a_machine_that_slept_looks_once_more_before_it_is_too_late() -> None:
    """The video was finished meanwhile. The time asleep is not the time that one who waits was willing to wait."""
    clock, looks = Sleeper(), Looks(finishing_at(2))
    poller = Poller(looks, lambda _provider: 10.0, timing=Timing(monotonic=clock))
    watch = poller.watch(job(), timeout_s=5)
    until(lambda: poller.next_poll_s("a"))
    clock.sleep(poller, 3600)
    assert watch.future.result(5).state is JobState.COMPLETED
    assert looks.count == 2
    poller.close()


def test_a_machine_that_slept_waits_no_longer_than_it_was_asked_to() -> None:
    """A job that goes on ends the waiting at the deadline, of which nothing was taken off; what should ring only if a
    wait goes on rings then, too."""
    clock, looks, rung = Sleeper(), Looks(finishing_at(10**9)), threading.Event()
    poller = Poller(looks, lambda _provider: 10.0, timing=Timing(monotonic=clock))
    watch = poller.watch(job(), timeout_s=3000)
    poller.alarm(3000, rung.set, unless=watch.future)
    begun = poller.now()
    for asleep_s in (3600, 86_400, 100):
        clock.sleep(poller, asleep_s)
    assert not watch.future.done()
    assert not rung.is_set()
    while not watch.future.done():
        clock.sleep(poller, 20)  # too short for a sleep: a machine that has much to do
    with failing(WaitTimeoutError, "wait_timeout"):
        watch.future.result(5)
    assert 3000 <= poller.now() - begun < 3120
    poller.close()


def planned_after(error: Exception, pace_s: Callable[[str], float] = lambda _provider: 10.0) -> tuple[float, float]:
    """Seconds from a look that failed to the next one; the same once another one waits for the job, too."""
    clock, looks = Clock(), Looks(finishing_at(10**9))

    def fail(_: int) -> Job:
        raise error

    looks.script = fail
    poller = Poller(looks, pace_s, timing=Timing(monotonic=clock), jitter=lambda: 0.0)
    poller.watch(job(), timeout_s=1e6)
    until(lambda: poller.next_poll_s("a"))
    first = poller.next_poll_s("a")
    poller.watch(job(), timeout_s=1e6)
    second = poller.next_poll_s("a")
    poller.close()
    assert first is not None
    assert second is not None
    return first, second


def test_looks_that_are_due_at_about_the_same_time_are_taken_together() -> None:
    """A thousand jobs wake the process four times a second, not a hundred times; none is looked at too early."""
    clock, looks, jitter = Clock(), Looks(finishing_at(10**9)), iter([0.1, 0.6, 0.9, 0.123])
    timing = Timing(monotonic=clock)
    poller = Poller(looks, lambda _provider: 10.0, timing=timing, jitter=lambda: next(jitter))
    for name in "abcd":
        poller.watch(job(name), timeout_s=1e6)
    until(lambda: all(poller.next_poll_s(name) for name in "abcd"))
    planned = sorted(poller.next_poll_s(name) or 0.0 for name in "abcd")
    poller.close()
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


def test_a_thousand_jobs_need_few_threads(monitors: Callable[..., Poller]) -> None:
    """The number of threads does not grow with the number of jobs."""
    done = threading.Event()

    def look(seen: Job) -> Job:
        return job(seen.id, JobState.COMPLETED if done.is_set() else JobState.SUBMITTED)

    poller = monitors(look, pace_s=0.2)
    before = threading.active_count()
    watches = [poller.watch(job(str(number)), timeout_s=30) for number in range(1000)]
    assert threading.active_count() - before <= 9
    done.set()
    assert all(watch.future.result(20).state is JobState.COMPLETED for watch in watches)


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
