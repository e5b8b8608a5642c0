"""Many purchases at once in one process: those that wait for another one's answer hold nobody up."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    LocalError,
    NotFinishedError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    WaitTimeoutError,
)
from sora_jobs.jobs.spec import ARCHIVED, Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run
from sora_jobs.purchasing.buying import ALL_SUBMIT_THREADS, SUBMIT_THREADS

from ..failures import failing
from ..gateway.ugly import UglyServer, answer

SPEC = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


@pytest.fixture
def found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[JobState]:
    """The states in which the engine's purchases have found their row so far: each look of a join is one more."""
    reserve, read, states = engine.ledger.reserve, engine.ledger.job, list[JobState]()

    def noted(*given: Any, **named: Any) -> tuple[Job, bool]:
        job, mine = reserve(*given, **named)
        states.append(job.state)
        return job, mine

    def noted_again(name: str) -> Job:
        states.append((job := read(name)).state)
        return job

    monkeypatch.setattr(engine.ledger, "reserve", noted)
    monkeypatch.setattr(engine.ledger, "job", noted_again)
    return states


@pytest.fixture
def other(engine: Engine) -> Iterator[Ledger]:
    """Another process on the same ledger, in the middle of a purchase that takes its time."""
    ledger = Ledger(engine.settings.home)
    yield ledger
    ledger.close()


def spec(prompt: str) -> VideoRequest:
    return VideoRequest(prompt=prompt, **SPEC)


def held(ledger: Ledger, prompt: str) -> Job:
    """Reserved and being sent by that process."""
    job, mine = ledger.reserve(spec(prompt), origin="sandbox", estimated_usd=0.0, budget=Budget())
    assert mine
    ledger.sending(job.id)
    return job


def test_joins_hold_up_no_other_purchase_and_no_wait(engine: Engine, other: Ledger) -> None:
    """A process that was stopped (Ctrl-Z) has more purchases in its hands than we have threads."""
    done = engine.start_create(spec("before")).result(30).job
    names = [f"held {number}" for number in range(SUBMIT_THREADS + 3)]
    for name in names:
        held(other, name)
    joins = [engine.start_create(spec(name)) for name in names]
    bought = engine.start_create(spec("another")).result(10).job
    assert engine.start_wait(bought.id, timeout=30).future.result(30).state is JobState.STORED
    assert engine.start_wait(done.id, timeout=30).future.result(30).state is JobState.STORED
    assert not any(join.done() for join in joins)


def test_a_join_ends_with_the_others_answer(engine: Engine, other: Ledger, found: list[JobState]) -> None:
    """Refused there, it is sent here; the second one who wants it joins that."""
    job = held(other, "a boat")
    joins = [engine.start_create(spec("a boat")) for _ in range(2)]
    until(lambda: len(found) > 6)
    assert not any(join.done() for join in joins)
    other.refused(job.id, RequestRejectedError("no"))
    submissions = [join.result(20) for join in joins]
    assert {submission.job.state.value for submission in submissions} <= {"submitted", "completed", "stored"}
    assert sorted(submission.reused for submission in submissions) == [False, True]


def test_a_join_has_a_deadline(start: Callable[..., Engine], other: Ledger) -> None:
    """The other process hangs: whoever wants the same is told that it may have been bought, and nothing is sent."""
    job = held(other, "a boat")
    with failing(NotFinishedError, "sent_elsewhere", charge="possible"):
        start(join_max_s=0.1).start_create(spec("a boat")).result(20)
    assert [(one.id, one.state) for one in other.jobs()] == [(job.id, JobState.RESERVED)]


def test_a_join_that_was_given_up_sends_nothing(engine: Engine, other: Ledger, found: list[JobState]) -> None:
    """Cancel was pressed while another process was sending it; that it is refused there does not make us buy."""
    job = held(other, "a boat")
    join = engine.start_create(spec("a boat"))
    until(lambda: found)
    join.cancel()
    other.refused(job.id, RequestRejectedError("no"))
    with pytest.raises((NotFinishedError, NotPurchasedError, CancelledError)):
        join.result(10)
    assert [one.state for one in engine.ledger.jobs()] == [JobState.REFUSED]


def test_closing_sends_nothing_that_has_not_begun(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued when the program ends is not bought on its way out."""
    reserve, go_on = engine.ledger.reserve, threading.Event()

    def slowly(*given: Any, **named: Any) -> tuple[Job, bool]:
        assert go_on.wait(10)
        return reserve(*given, **named)

    monkeypatch.setattr(engine.ledger, "reserve", slowly)
    futures = [engine.start_create(spec(f"queued {number}")) for number in range(3 * SUBMIT_THREADS)]
    until(lambda: sum(future.running() for future in futures) == SUBMIT_THREADS)
    closing = threading.Thread(target=engine.close)
    closing.start()
    until(lambda: sum(future.cancelled() for future in futures) == 2 * SUBMIT_THREADS)
    go_on.set()
    closing.join(30)
    assert all(future.done() for future in futures)
    assert len(engine.ledger.jobs()) == SUBMIT_THREADS


def test_who_waits_for_a_purchase_learns_that_its_sender_died(
    engine: Engine, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sora resume` on a job that another program is sending: when that is killed, nobody waits an hour for nothing."""
    job = held(other, "a boat")
    read, reads = engine.ledger.job, []
    monkeypatch.setattr(engine.ledger, "job", lambda name: reads.append(name) or read(name))
    wait = engine.start_wait(job.id, timeout=60)
    until(lambda: len(reads) > 6)  # more than it takes to begin: it was looked at
    assert not wait.future.done()
    other.close()
    with pytest.raises(PurchaseUncertainError) as caught:
        wait.future.result(10)
    assert caught.value.job == job.id
    assert engine.ledger.job(job.id).state is JobState.UNKNOWN


def test_a_purchase_that_is_still_being_sent_is_not_called_bought(
    engine: Engine, other: Ledger, found: list[JobState]
) -> None:
    """Neither who joins it nor who waits for it can know more than that money may have been spent."""
    job = held(other, "a boat")
    with failing(WaitTimeoutError, "wait_timeout", "another program is still sending it", charge="possible"):
        engine.start_wait(job.id, timeout=0.1).future.result(10)
    read = len(found)
    join = engine.start_create(spec("a boat"))
    until(lambda: len(found) > read)
    engine.close()
    with failing(NotFinishedError, "closing", charge="possible"):
        join.result(10)


def test_a_list_settles_nothing_while_the_same_words_are_being_sent(engine: Engine, other: Ledger) -> None:
    """The job that the list shows may be the other take's, whose id nobody has written down yet."""
    take = dataclasses.replace(spec("a boat"), take=2)
    job, _ = engine.ledger.reserve(take, origin="sandbox", estimated_usd=0.0, budget=Budget())
    engine.ledger.unknown(job.id, PurchaseUncertainError("cut"))
    sent = engine.start_create(dataclasses.replace(spec("a boat"), take=3)).result(10).job
    with other.database.write() as connection:  # what the list shows is not known here
        run(connection, "DELETE FROM jobs WHERE id = :id", id=sent.id)
    held_job = held(other, "a boat")
    with pytest.raises(PurchaseUncertainError) as caught:
        engine.reconcile(job.id)
    assert held_job.id in caught.value.message
    assert engine.ledger.job(job.id).state is JobState.UNKNOWN


def test_creates_that_are_asked_to_wait_hold_up_nobody_else(tmp_path: Path) -> None:
    """More of them than there are threads in all: each is sent, and waits without a thread; another provider is bought
    from at once, and jobs are opened, reconciled and archived meanwhile."""
    busy = answer(429, {"error": {"message": "busy", "code": "rate_limit_exceeded"}}, [("Retry-After", "30")])
    listed = answer(200, {"object": "list", "data": []})
    with UglyServer([busy]) as slow, UglyServer([listed]) as lists:
        (tmp_path / "home").mkdir()
        tables = [
            f'[provider.{name}]\nbase_url = "{server.url}"\nkey = false\nlist = true\n'
            for name, server in (("slow", slow), ("lists", lists))
        ]
        (tmp_path / "home" / "providers.toml").write_text("".join(tables), encoding="utf-8")
        env = {"SORA_SANDBOX_SECONDS": "0.05", "SORA_POLL_SECONDS": "0.02", "SORA_BUDGET_USD_PER_DAY": "1000"}
        engine = Engine(tmp_path / "home", tmp_path / "output", env=env)
        try:
            unknown = unknown_at(engine, "lists", lists.url)
            wanted = [
                engine.start_create(dataclasses.replace(spec("a boat"), provider="slow", take=take))
                for take in range(1, ALL_SUBMIT_THREADS + 3)
            ]
            until(lambda: slow.count("POST") == len(wanted))  # a pause is no thread
            done = engine.start_create(spec("another")).result(10).job
            assert engine.start_wait(done.id, timeout=30).future.result(30).state is JobState.STORED
            assert engine.start(lambda: engine.open(done.id), job=done).result(30).id == done.id
            with pytest.raises(PurchaseUncertainError):
                engine.start(lambda: engine.reconcile(unknown), job=unknown).result(30)
            assert engine.background.set_visibility(done.id, ARCHIVED).aside == ARCHIVED
            assert not any(each.done() for each in wanted)
            assert slow.count("POST") == len(wanted)
        finally:
            engine.close()


def unknown_at(engine: Engine, provider: str, origin: str) -> Job:
    job, _ = engine.ledger.reserve(
        dataclasses.replace(spec("lost"), provider=provider), origin=origin, estimated_usd=None, budget=Budget()
    )
    engine.ledger.sending(job.id)
    return engine.ledger.unknown(job.id, PurchaseUncertainError("cut"))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- where not one thread can be had ----------------------------------------------------------------------------------


@pytest.fixture
def crowded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs yet, and no thread can be started any more."""

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)


@pytest.mark.usefixtures("crowded")
def test_without_a_thread_nothing_is_waited_for_in_vain(engine: Engine) -> None:
    """That is no end of the program: whoever asked is told at once, and can ask again."""
    for future in (
        engine.start_create(spec("a boat")),
        engine.start_remix("job", "at night"),
        engine.start_wait("job", timeout=600).future,
        engine.start(lambda: engine.reconcile("job"), job="job"),
        engine.start(lambda: engine.reconcile("job", lost=True), job="job"),
        engine.start(lambda: engine.ask_again("job"), job="job"),
        engine.start(lambda: engine.open("job"), job="job"),
    ):
        error = future.exception(5)
        assert isinstance(error, LocalError)
        assert error.code == "no_thread"


def test_without_the_monitors_thread_is_bought_and_the_wait_is_told(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told of what the ledger writes meanwhile; who waits gets an error of ours, and can wait again. The
    background download begins at the next start of it."""
    real, told, engine = threading.Thread.start, list[str](), start(rescan_s=0.05)

    def no_monitor(thread: threading.Thread) -> None:
        if thread.name == "sora-scheduler":
            raise RuntimeError("can't start new thread")
        real(thread)

    engine.changes.listen(lambda job, _: told.append(job.id))
    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", no_monitor)
        job = engine.start_create(spec("a boat")).result(20).job
        assert job.video_id
        for done in (lambda: True, lambda: engine.open(job.id).state is JobState.COMPLETED):
            until(done)  # first it would be watched, then fetched
            with failing(LocalError, "no_thread", "new thread", charge="charged"):
                engine.start_wait(job.id, timeout=600).future.result(20)
        with failing(LocalError, "no_thread"):
            engine.background.begin()
    assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
    until(lambda: told == [job.id])
    shell = start()
    left = shell.start_create(spec("left behind")).result(20).job
    shell.close()
    engine.background.begin()
    until(lambda: engine.ledger.job(left.id).state is JobState.STORED)


def test_a_poll_for_which_no_thread_could_be_had_is_made_later(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The background download goes on as soon as there is one."""
    engine, shell = start(rescan_s=0.01, poll_backoff_max_s=0.01), start()
    left = shell.start_create(spec("left behind")).result(20).job
    shell.close()
    real, refused = threading.Thread.start, list[str]()

    def refusing(thread: threading.Thread) -> None:
        if thread.name.startswith("sora-poll") and len(refused) < 3:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    assert engine.background.begin() == 1
    until(lambda: engine.ledger.job(left.id).state is JobState.STORED)
    assert len(refused) == 3


def test_one_event_that_fails_takes_no_other_with_it(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """A page that is gone, say: all others hear of all jobs."""
    told: list[str] = []

    def tell(job: Job, _: str) -> None:
        if not told:
            told.append("")
            raise ConnectionResetError("the page is gone")
        told.append(job.prompt)

    engine.changes.listen(tell)
    for name in "abc":
        engine.ledger.reserve(spec(name), origin="sandbox", estimated_usd=0.0, budget=Budget())
    until(lambda: len(told) == 3)
    assert told[1:] == ["b", "c"]
    assert "the page is gone" in caplog.text
