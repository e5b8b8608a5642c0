"""The line of jobs on the command line: places, cancelling, sending what was left, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.engine import Engine
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import update
from sora_jobs.purchasing.queue import Queue

from ..failures import failed_as
from ..gateway.studio import Studio
from .test_cli import Shell, started, until

ASK = ["--provider", "mine", "--model", "own", "--seconds", "4", "--size", "160x96"]
WAITING = "queued, waiting: its program has ended"
signals = pytest.mark.skipif(os.name != "posix", reason="sends a signal")


@pytest.fixture
def sora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], studio: Studio) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name, value in (("SORA_HOME", "home"), ("SORA_POLL_SECONDS", "0.02"), ("MINE_KEY", "sk-key-12345")):
        monkeypatch.setenv(name, value)
    studio.add_to(tmp_path / "home", "at_once = 1\nusd_per_second = 0.1\n")
    return Shell(capsys)


@pytest.fixture
def another(sora: Shell, studio: Studio) -> Iterator[Callable[[], Engine]]:
    """Engines on the same ledger: each stands for another program that runs."""
    made: list[Engine] = []

    def engine() -> Engine:
        made.append(Engine(Path("home").absolute(), Path("out").absolute(), folder=""))
        return made[-1]

    yield engine
    studio.finish()
    for one in made:
        one.close()


def buy(engine: Engine, *prompts: str) -> list[Job]:
    def request(prompt: str) -> VideoRequest:
        return VideoRequest(provider="mine", prompt=prompt, model="own", seconds="4", size="160x96")

    return [engine.start_create(request(prompt)).result(30).job for prompt in prompts]


def listed(sora: Shell, *options: str) -> dict[str, Any]:
    """{prompt: row} of `sora jobs`."""
    return {row["prompt"]: row for row in sora.json("jobs", *options)["jobs"]}


def test_jobs_shows_who_is_next(sora: Shell, another: Callable[[], Engine]) -> None:
    """The place is beside the state, and a number for scripts; a job whose program has ended has none to be next."""
    engine = another()
    buy(engine, "a boat", "b boat", "c boat")
    assert {name: row.get("place") for name, row in listed(sora).items()} == {"a boat": None, "b boat": 1, "c boat": 2}
    assert set(listed(sora, "--state", "queued")) == {"b boat", "c boat"}
    assert "place" not in listed(sora)["a boat"]
    assert sora("jobs") == 0
    lines = sora.out.splitlines()
    for line, state in zip(lines, ("queued, 2nd in line", "queued, 1st in line", "submitted"), strict=True):
        assert f"  {state}  " in line
    assert len({line.index("$") for line in lines}) == 1
    engine.close()
    assert {row["place"] for row in listed(sora, "--state", "queued").values()} == {0}
    assert sora("jobs", "--state", "queued") == 0
    assert sora.out.count(WAITING) == 2


def test_a_stale_job_is_shown_as_one_and_can_be_taken_up(
    sora: Shell, another: Callable[[], Engine], studio: Studio
) -> None:
    """Its provider may finish it after all."""
    engine = another()
    job = buy(engine, "a boat")[0]
    with engine.ledger.database.write() as connection:
        update(connection, job.id, stale_at=job.created_at)
    engine.close()
    assert sora("jobs") == 0
    assert sora.out.split()[3] == "stale"
    row = listed(sora, "--state", "stale")["a boat"]
    assert (row["state"], row["stale_at"]) == ("submitted", job.created_at)
    studio.finish()
    assert sora.json("resume", job.id)["state"] == "stored"
    assert listed(sora, "--state", "stale") == {}


def test_cancel_ends_what_is_not_sent_and_nothing_else(
    sora: Shell, another: Callable[[], Engine], studio: Studio
) -> None:
    """Exit 0, and it costs nothing; what was sent goes on, exit 2 with what to do instead."""
    engine = another()
    sent, queued, last = buy(engine, "a boat", "b boat", "c boat")
    cancelled = sora.json("cancel", queued.id)
    assert (cancelled["exit"], cancelled["job"], cancelled["state"]) == (0, queued.id, "refused")
    assert cancelled["error_code"] == "cancelled"
    assert sora("cancel", last.id) == 0
    assert sora.out == f"{last.id} is cancelled: it was not sent, and nothing was spent.\n"
    assert engine.spent().usd == pytest.approx(0.4)
    for name in (sent.id, sent.video_id):
        refused = sora.json("cancel", name)
        assert (refused["exit"], refused["charge"], refused["kind"]) == (2, "none", "already_sent")
        failed_as(refused, "already_sent", "submitted")
        assert f"sora resume {sent.id}" in refused["hint"]
    again = sora.json("cancel", queued.id)
    failed_as(again, "already_sent", "refused")
    assert (again["exit"], again["hint"]) == (2, "")
    assert sora.json("cancel", "nothing")["code"] == "unknown_job"
    assert engine.find(sent.id).state is JobState.SUBMITTED  # type: ignore[union-attr]
    assert studio.prompts == ["a boat"]


def test_an_uncertain_purchase_is_reconciled_and_not_cancelled(sora: Shell, another: Callable[[], Engine]) -> None:
    """It may be at its provider."""
    engine = another()
    job = buy(engine, "a boat")[0]
    with engine.ledger.database.write() as connection:
        update(connection, job.id, state=JobState.UNKNOWN)
    failed_as(sora.json("cancel", job.id), "already_sent", "unknown", f"sora resume {job.id} --lost")


def test_resume_sends_what_was_left(sora: Shell, another: Callable[[], Engine], studio: Studio) -> None:
    """In its turn, and once: the job that its provider still has goes first."""
    engine = another()
    left = buy(engine, "a boat", "b boat")[1]
    engine.close()
    threading.Timer(1.0, studio.finish).start()
    studio.renders_s = 0.0
    resumed = sora.json("resume", left.id)
    assert (resumed["exit"], resumed["job"], resumed["state"], resumed["reused"]) == (0, left.id, "stored", False)
    assert f"job {left.id}, mine: queued, 1st in line" in sora.err
    assert (studio.prompts, studio.most) == (["a boat", "b boat"], 1)


def test_resume_waits_for_the_job_of_a_program_that_runs(
    sora: Shell, another: Callable[[], Engine], studio: Studio
) -> None:
    """That one sends it."""
    engine = another()
    queued = buy(engine, "a boat", "b boat")[1]
    threading.Timer(0.5, studio.finish).start()
    studio.renders_s = 0.0
    resumed = sora.json("resume", queued.id)
    assert (resumed["state"], resumed["reused"]) == ("stored", True)
    assert f"job {queued.id}, mine: queued, 1st in line" in sora.err
    assert studio.prompts == ["a boat", "b boat"]


@signals
def test_ctrl_c_in_the_line_leaves_the_job_there(sora: Shell, another: Callable[[], Engine], studio: Studio) -> None:
    """Nothing was bought: exit 3, with how to send or to cancel it. It is not sent by itself."""
    buy(another(), "a boat")
    with started("run", "b boat", *ASK) as process:
        assert process.stderr is not None
        until(lambda: listed(sora, "--state", "queued"))
        told = iter(process.stderr.readline, "")
        line = next(one for one in told if one.startswith("job "))
        job = listed(sora)["b boat"]["job"]
        assert line == f"job {job}, mine: queued, 1st in line\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 3, err
    assert all(part in err for part in ("stays in the line", "Nothing was spent", f"`sora resume {job}`"))
    assert f"`sora cancel {job}`" in err
    row = listed(sora)["b boat"]
    assert (row["state"], row["place"], row["sent_at"]) == ("queued", 0, None)
    studio.finish()
    assert studio.prompts == ["a boat"]


@pytest.mark.parametrize("where", [(Queue, "places"), (Engine, "start_wait")], ids=["told", "begins"])
def test_ctrl_c_before_the_bar_is_there_leaves_it_as_well(
    sora: Shell, another: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
) -> None:
    """Whoever is told the place can press it before the waiting has begun."""
    buy(another(), "a boat")
    whole = getattr(*where)

    def interrupted(*_: object) -> None:
        monkeypatch.setattr(*where, whole)
        raise KeyboardInterrupt

    monkeypatch.setattr(*where, interrupted)
    assert sora("run", "b boat", *ASK) == 3
    assert all(part in sora.err for part in ("stays in the line", "Nothing was spent", "`sora resume "))


@signals
def test_ctrl_c_leaves_the_job_of_another_program_to_it(
    sora: Shell, another: Callable[[], Engine], studio: Studio
) -> None:
    """It may be sent at any time: exit 6, as for what goes on."""
    engine = another()
    queued = buy(engine, "a boat", "b boat")[1]
    with started("resume", queued.id, "--json") as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        assert next(one for one in told if one.startswith("job "))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 6, err
    assert '"charge": "possible"' in out
    assert engine.queue.places() == {queued.id: 1}
    assert studio.prompts == ["a boat"]
