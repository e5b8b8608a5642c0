"""At most so many jobs at once at a provider: the others wait here, the oldest goes first, none is bought twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    BudgetExceededError,
    GatewayError,
    InvalidInputError,
    LedgerError,
    LocalError,
    MissingKeyError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    UnreachableError,
)
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import update

from ..failures import failing
from ..gateway.studio import Studio
from ..gateway.ugly import hang_up
from ..timings import FAST

AT_ONCE = 2
QUICK = replace(FAST, queue_poll_s=0.02, queue_poll_max_s=0.05, rescan_s=0.05)


@pytest.fixture
def start(tmp_path: Path, studio: Studio, database_url: str) -> Iterator[Callable[..., Engine]]:
    """Start an engine on the one ledger, as often as asked: each stands for a process."""
    made: list[Engine] = []

    def engine(timing: Timing = QUICK, at_once: int | None = AT_ONCE, **variables: str) -> Engine:
        home, limit = tmp_path / "home", f"at_once = {at_once}\n" if at_once else ""
        studio.add_to(home, f"{limit}usd_per_second = 0.1\n")
        env = {"MINE_KEY": "sk-key-12345", "SORA_POLL_SECONDS": "0.02", "SORA_DATABASE_URL": database_url, **variables}
        made.append(Engine(home, tmp_path / "output", env=env, timing=timing))
        return made[-1]

    yield engine
    studio.finish()
    for one in made:
        one.close()


def request(prompt: str, **more: Any) -> VideoRequest:
    return VideoRequest(provider="mine", prompt=prompt, model="own", seconds="4", size="160x96", **more)


def buy(engine: Engine, *prompts: str) -> list[Job]:
    """Ask for them, one after the other."""
    return [engine.start_create(request(prompt)).result(30).job for prompt in prompts]


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def states(engine: Engine) -> dict[str, str]:
    return {job.prompt: job.state.value for job in engine.jobs()}


def test_ten_with_a_limit_of_two_never_have_three(start: Callable[..., Engine], studio: Studio) -> None:
    """Asked for by two processes: the provider never has three at once, each is bought once and stored."""
    studio.renders_s = 0.3
    engines = [start(), start()]
    asked = [engines[number % 2].start_create(request(f"number {number}")) for number in range(10)]
    jobs = [future.result(30).job for future in asked]
    waits = [engines[number % 2].start_wait(job, timeout=60) for number, job in enumerate(jobs)]
    assert {wait.future.result(60).state for wait in waits} == {JobState.STORED}
    assert studio.most == AT_ONCE
    assert sorted(studio.prompts) == sorted(f"number {number}" for number in range(10))


def test_what_has_no_place_returns_at_once_without_an_id(start: Callable[..., Engine], studio: Studio) -> None:
    """It has a row, a place in the line and a share of the budget; the same again joins it."""
    engine = start()
    jobs = buy(engine, "a", "b", "c", "d")
    assert [job.state.value for job in jobs] == ["submitted", "submitted", "queued", "queued"]
    assert [bool(job.video_id) for job in jobs] == [True, True, False, False]
    assert engine.queue.places() == {jobs[2].id: 1, jobs[3].id: 2}
    assert engine.spent().usd == pytest.approx(4 * 0.4)
    again = engine.start_create(request("c")).result(30)
    assert (again.job.id, again.reused, len(engine.jobs())) == (jobs[2].id, True, 4)
    assert studio.prompts == ["a", "b"]


def test_the_oldest_goes_first_over_all_processes(start: Callable[..., Engine], studio: Studio) -> None:
    """Whoever asked for it; a place that is free is taken by nobody who came later."""
    one, two = start(), start()
    buy(one, "a", "b", "c")
    buy(two, "d")
    buy(one, "e")
    for done in range(1, 4):
        studio.finish(f"video_{done}")
        until(lambda done=done: len(studio.prompts) == 2 + done)
    assert studio.prompts == ["a", "b", "c", "d", "e"]


def test_waiting_for_it_begins_when_it_is_sent(start: Callable[..., Engine], studio: Studio) -> None:
    """A minute in the line is no minute of the timeout, and the place is shown."""
    engine = start()
    jobs = buy(engine, "a", "b", "c")
    wait = engine.start_wait(jobs[2], timeout=3.0)
    until(lambda: "queued, 1st in line" in wait.status)
    time.sleep(3.5)
    assert not wait.future.done()
    studio.renders_s = 0.0
    studio.finish()
    assert wait.future.result(30).state is JobState.STORED


def test_what_was_queued_is_downloaded_in_the_background(start: Callable[..., Engine], studio: Studio) -> None:
    """As soon as it is sent and finished, and not only when the ledger is searched again."""
    engine = start(replace(QUICK, rescan_s=1e6))
    engine.background.begin()
    studio.renders_s = 0.05
    buy(engine, "a", "b", "c", "d")
    until(lambda: set(states(engine).values()) == {"stored"})


def test_what_is_queued_can_be_cancelled_and_costs_nothing(start: Callable[..., Engine], studio: Studio) -> None:
    """From another process as well: who waits is told, the budget is free again, and nothing was sent."""
    engine, other = start(), start()
    jobs = buy(engine, "a", "b", "c")
    wait = engine.start_wait(jobs[2], timeout=30)
    assert other.queue.cancel(jobs[2]).state is JobState.REFUSED
    with failing(NotPurchasedError, "cancelled"):
        wait.future.result(30)
    assert engine.spent().usd == pytest.approx(2 * 0.4)
    studio.finish()
    buy(engine, "c")
    until(lambda: studio.prompts == ["a", "b", "c"])
    with failing(InvalidInputError, "already_sent", "submitted"):
        until(lambda: engine.jobs()[0].state is JobState.SUBMITTED)
        engine.queue.cancel(engine.jobs()[0])


def test_what_a_process_left_in_the_line_is_not_bought_by_itself(start: Callable[..., Engine], studio: Studio) -> None:
    """It is shown as waiting, holds up nobody, and is sent when the same is asked for, or by its owner's word."""
    first = start()
    jobs = buy(first, "a", "b", "c", "d")
    first.close()
    studio.finish()
    second = start()
    second.background.begin()
    until(lambda: states(second)["a"] == states(second)["b"] == "stored")
    assert second.queue.places() == {jobs[2].id: 0, jobs[3].id: 0}
    with failing(NotPurchasedError, "not_sent_yet", jobs[2].id):
        second.start_wait(jobs[2], timeout=30).future.result(30)
    assert buy(second, "e")[0].state is JobState.SUBMITTED
    assert studio.prompts == ["a", "b", "e"]
    assert buy(second, "c")[0].id == jobs[2].id
    sent = second.queue.start_send(jobs[3]).result(30).job
    assert (sent.id, sent.state) == (jobs[3].id, JobState.QUEUED)
    studio.finish()
    until(lambda: studio.prompts == ["a", "b", "e", "c", "d"])
    with failing(InvalidInputError, "not_queued", "submitted"):
        until(lambda: second.ledger.job(sent.id).state is JobState.SUBMITTED)
        second.queue.start_send(sent).result(30)


def test_an_owner_sends_what_was_left_with_its_images(start: Callable[..., Engine], studio: Studio) -> None:
    """From what the ledger keeps of it, the same upload as it would have been."""
    image = np.arange(96 * 160 * 3, dtype=np.uint32).astype(np.uint8).reshape(96, 160, 3)
    first = start()
    buy(first, "a", "b")
    wanted = request("c", references=(Reference(image, "pad"),), take=3, extra_fields={"seed": 1}, project="film")
    left = first.start_create(wanted).result(30).job
    first.close()
    studio.finish()
    second = start()
    second.background.begin()
    until(lambda: states(second)["a"] == states(second)["b"] == "stored")
    sent = second.queue.start_send(left).result(30)
    assert (sent.job.id, sent.job.state, sent.job.take, sent.job.project) == (left.id, JobState.SUBMITTED, 3, "film")
    assert np.array_equal(sent.images[0], image)


@pytest.mark.parametrize("changed", ["price", "budget", "key"])
def test_price_budget_and_key_are_checked_again_when_it_is_sent(
    start: Callable[..., Engine], studio: Studio, changed: str
) -> None:
    """Hours may have passed: what the owner decided since counts, and nothing was sent."""
    engine = start(SORA_BUDGET_USD_PER_DAY="2", SORA_BUDGET_USD_PER_JOB="1")
    job = buy(engine, "a", "b", "c")[2]
    wait = engine.start_wait(job, timeout=30)
    env: dict[str, str] = engine.settings.env  # type: ignore[assignment]
    expected: type[Exception] = BudgetExceededError
    if changed == "price":
        file = engine.settings.home / "providers.toml"
        file.write_text(file.read_text("utf-8").replace("usd_per_second = 0.1", "usd_per_second = 9.0"), "utf-8")
    elif changed == "budget":
        env["SORA_BUDGET_USD_PER_DAY"] = "0.5"
    else:
        env.pop("MINE_KEY")
        expected = MissingKeyError
    with engine.ledger.database.write() as connection:  # their videos are of no matter here
        for each in engine.jobs():
            if each.prompt != "c":
                update(connection, each.id, state=JobState.FAILED)
    with pytest.raises(expected):
        wait.future.result(30)
    assert engine.ledger.job(job.id).state is JobState.REFUSED
    assert studio.prompts == ["a", "b"]


def test_a_provider_that_says_that_it_is_full_is_believed(start: Callable[..., Engine], studio: Studio) -> None:
    """Without any limit of ours: nothing was bought, the job waits in the line, and is sent a while later."""
    engine = start(at_once=None)
    buy(engine, "a")
    studio.says_full = True
    job = buy(engine, "b")[0]
    assert (job.state, job.sent_at, job.video_id) == (JobState.QUEUED, None, "")
    studio.says_full = False
    until(lambda: engine.ledger.job(job.id).state is JobState.SUBMITTED)
    assert studio.prompts == ["a", "b"]


def test_a_purchase_whose_turn_comes_as_it_is_cancelled_is_not_called_free(
    start: Callable[..., Engine], studio: Studio
) -> None:
    """It was in the line when Cancel came, and sent before it could be taken out: it is the job that it is."""
    engine, asked = start(at_once=1), list[Future[Any]]()
    (first,) = buy(engine, "a")
    sending, cancel, reserve = engine.ledger.sending, engine.ledger.cancel, engine.ledger.reserve

    def cancelled_meanwhile(*given: Any) -> Job:
        job = sending(*given)
        asked[0].cancel()
        return job

    def too_late(job_id: str) -> Job:
        studio.finish()
        until(lambda: engine.ledger.job(job_id).state is JobState.SUBMITTED)
        return cancel(job_id)

    def slowly(*given: Any, **named: Any) -> tuple[Job, bool]:
        until(lambda: asked)
        return reserve(*given, **named)

    engine.ledger.sending, engine.ledger.cancel = cancelled_meanwhile, too_late  # type: ignore[method-assign]
    engine.ledger.reserve = slowly  # type: ignore[method-assign]
    engine.start_wait(first, timeout=60)
    asked.append(engine.start_create(request("b")))
    job = asked[0].result(30).job
    assert (job.prompt, bool(job.video_id), studio.prompts) == ("b", True, ["a", "b"])


def test_without_the_schedulers_thread_nothing_is_queued(
    start: Callable[..., Engine], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would send it: who asked is told, its row is refused, and the same may be asked for again."""
    engine, real = start(at_once=1), threading.Thread.start
    buy(engine, "a")

    def no_scheduler(thread: threading.Thread) -> None:
        if thread.name == "sora-scheduler":
            raise RuntimeError("can't start new thread")
        real(thread)

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", no_scheduler)
        with failing(LocalError, "no_thread", "new thread", charge="none"):
            buy(engine, "b")
    assert states(engine) == {"a": "submitted", "b": "refused"}
    assert buy(engine, "b")[0].state is JobState.QUEUED


def test_who_waits_for_a_place_does_not_pester_a_provider(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that holds it cannot be asked about, since the key is not taken: that is found once, and not at each look
    at the line."""
    engine, polls = start(at_once=1), list[str]()
    buy(engine, "a")

    def refused(_: Client, video_id: str) -> RemoteVideo:
        polls.append(video_id)
        raise GatewayError("HTTP 401", transient=False, http_status=401)

    monkeypatch.setattr(Client, "retrieve", refused)
    buy(engine, "b")
    until(lambda: polls)
    time.sleep(0.5)  # many looks at the line
    assert len(polls) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        UnreachableError("refused", code="network", transient=True),
        RequestRejectedError("busy", code="rate_limit_exceeded", transient=True, retry_after_s=0.5),
    ],
    ids=["unreachable", "rate limit"],
)
def test_trouble_as_its_turn_comes_is_that_of_any_create(
    start: Callable[..., Engine], studio: Studio, monkeypatch: pytest.MonkeyPatch, trouble: SoraError
) -> None:
    """Nothing was bought by that: it is sent again after the pause of the table, and never called uncertain."""
    engine, real, tried = start(replace(QUICK, connect_retry_s=0.3), at_once=1), Client.create, list[float]()
    job = buy(engine, "a", "b")[1]

    def create(client: Client, call: CreateCall) -> RemoteVideo:
        tried.append(time.monotonic())
        if len(tried) < 3:
            raise trouble
        return real(client, call)

    monkeypatch.setattr(Client, "create", create)
    wait = engine.start_wait(job, timeout=30)
    studio.renders_s = 0.0
    studio.finish()
    assert wait.future.result(30).state is JobState.STORED
    least_s = (0.3, 0.6) if isinstance(trouble, UnreachableError) else (0.5, 0.5)
    assert [later - earlier >= pause for earlier, later, pause in zip(tried, tried[1:], least_s, strict=False)] == [
        True, True,
    ]  # fmt: skip
    assert studio.prompts == ["a", "b"]


@pytest.mark.parametrize("step", ["sending", "has_turn", "queries"])
def test_a_ledger_that_is_away_for_a_moment_takes_nothing_out_of_the_line(
    start: Callable[..., Engine], studio: Studio, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever could not be read or written: it is sent when its turn comes."""
    engine, calls = start(at_once=1), list[str]()
    buy(engine, "a", "b")
    owner, name = (engine.ledger.queries, "queue") if step == "queries" else (engine.ledger, step)
    real = getattr(owner, name)

    def away(*given: Any) -> Any:
        calls.append(name)
        if len(calls) < 4:
            raise LedgerError("the database is away")
        return real(*given)

    monkeypatch.setattr(owner, name, away)
    studio.finish()
    until(lambda: states(engine)["b"] == "submitted")
    assert len(calls) >= 4


def test_an_uncertain_purchase_holds_a_place_until_it_is_reconciled(
    start: Callable[..., Engine], studio: Studio
) -> None:
    """It may be rendered there; declared lost it holds none, nor after the time that a job can take."""
    engine = start(at_once=1)
    studio.server.answers.insert(0, hang_up)
    with pytest.raises(PurchaseUncertainError):
        buy(engine, "a")
    assert buy(engine, "b")[0].state is JobState.QUEUED
    lost = engine.jobs(state="unknown")[0]
    with engine.ledger.database.write() as connection:
        update(connection, lost.id, sent_at=time.time() - 2 * 86_400)
    until(lambda: states(engine)["b"] == "submitted")
    assert buy(engine, "c")[0].state is JobState.QUEUED
    with engine.ledger.database.write() as connection:
        update(connection, lost.id, sent_at=time.time())
    studio.finish()
    engine.background.begin()
    until(lambda: states(engine)["b"] == "stored")
    assert states(engine)["c"] == "queued"
    engine.reconcile(lost, lost=True)
    until(lambda: states(engine)["c"] == "submitted")


def test_a_stale_job_holds_no_place(start: Callable[..., Engine], studio: Studio) -> None:
    """Its provider has not finished it for longer than a job can take."""
    engine = start(at_once=1)
    first = buy(engine, "a")[0]
    assert buy(engine, "b")[0].state is JobState.QUEUED
    with engine.ledger.database.write() as connection:
        update(connection, first.id, stale_at=time.time())
    until(lambda: states(engine)["b"] == "submitted")


def test_a_purchase_that_is_cancelled_in_the_line_leaves_it(start: Callable[..., Engine], studio: Studio) -> None:
    """Cancel came while it was asked for: nobody has it sent later."""
    engine = start(at_once=1)
    buy(engine, "a")
    sending, asked = engine.ledger.sending, list[Future[Any]]()

    def cancelled_meanwhile(*given: Any) -> Job:
        job = sending(*given)
        asked[0].cancel()
        return job

    engine.ledger.sending = cancelled_meanwhile  # type: ignore[method-assign]
    held = engine.ledger.reserve

    def reserve(*given: Any, **named: Any) -> tuple[Job, bool]:
        until(lambda: asked)
        return held(*given, **named)

    engine.ledger.reserve = reserve  # type: ignore[method-assign]
    asked.append(engine.start_create(request("b")))
    with failing(NotPurchasedError, "cancelled"):
        asked[0].result(30)
    assert states(engine) == {"a": "submitted", "b": "refused"}
