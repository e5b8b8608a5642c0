"""What a page that missed an event asks for afterwards: jobs that got into trouble."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.engine import Engine
from sora_jobs.errors import PurchaseUncertainError
from sora_jobs.jobs.spec import ARCHIVED, EXPIRED, Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import run
from sora_jobs.views.news import KEPT, News, is_news

NOW = 1_800_000_000.0
TIMING = Timing(clock=lambda: NOW)
BOAT: dict[str, Any] = {"prompt": "a boat", "model": "sora-2", "seconds": "4", "size": "1280x720"}
FAILED = Job(
    id="a", kind="create", provider="sandbox", origin="sandbox", take=1, identity="x", state=JobState.FAILED,
    created_at=NOW - 900, **BOAT,
)  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "home", tmp_path / "output", env={})
    yield made
    made.close()


def reserved(engine: Engine, prompt: str) -> Job:
    spec = VideoRequest(provider="cometapi", **(BOAT | {"prompt": prompt}))
    return engine.ledger.reserve(spec, origin="https://x", estimated_usd=0.1, budget=Budget())[0]


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("changes", "was", "expected"),
    [
        ({}, "submitted", True),
        ({}, "failed", False),
        ({}, "", False),  # an old one that was only read
        ({"completed_at": NOW - TIMING.news_fresh_s / 2}, "", True),  # it failed before this process told of it once
        ({"created_at": NOW - 1}, "", True),
        ({"aside": ARCHIVED}, "submitted", False),
        ({"state": JobState.STORED}, "submitted", False),
        ({"state": JobState.SUBMITTED}, "reserved", False),
        ({"state": JobState.SUBMITTED, "error_code": EXPIRED}, "submitted", True),
        ({"state": JobState.REFUSED}, "reserved", True),
        ({"state": JobState.UNKNOWN}, "", True),  # however old: the process that sent it told nobody
    ],
)
def test_news_is_a_job_that_just_got_into_trouble(changes: dict[str, Any], was: str, expected: bool) -> None:
    assert is_news(replace(FAILED, **changes), was, TIMING) is expected


def test_a_mark_tells_what_came_since() -> None:
    """Each job once, the latest last; nothing is told twice, and nothing is left out."""
    news = News()
    for name in "aba":
        news.add(replace(FAILED, id=name), "submitted")
    mark, jobs = news.since("", 60)
    assert jobs == ["b", "a"]
    assert news.since(mark, 60) == (mark, [])
    news.add(replace(FAILED, id="c"), "submitted")
    assert news.since(mark, 60)[1] == ["c"]
    assert news.since(mark, 0)[1] == ["c"]  # however long ago it was


def test_who_has_no_mark_hears_only_what_is_young() -> None:
    news = News()
    news.add(FAILED, "submitted")
    assert news.since("", 0)[1] == []
    assert news.since("", 60)[1] == ["a"]


@pytest.mark.parametrize("mark", ["0123abcd-7", "-", "x", "0123abcd-²", "-9" * 50])
def test_a_mark_of_another_process_hears_everything(mark: str) -> None:
    """The page was there before this server began."""
    news = News()
    news.add(FAILED, "submitted")
    assert news.since(mark, 0)[1] == ["a"]


def test_only_so_much_is_kept() -> None:
    news = News()
    for number in range(KEPT + 5):
        news.add(replace(FAILED, id=str(number)), "submitted")
    assert len(news.since("", 60)[1]) == KEPT


def test_a_job_in_trouble_is_told_after_its_event(engine: Engine) -> None:
    """Also to one who did not hear the event; not any more once the trouble is over."""
    events: list[str] = []
    engine.changes.listen(lambda job, _: events.append(job.standing))
    job = reserved(engine, "a boat")
    engine.ledger.sending(job.id)
    engine.ledger.unknown(job.id, PurchaseUncertainError("The answer was lost."))
    until(lambda: "unknown" in events)
    told = engine.changes.news(age_s=60)
    assert [(row["id"], row["state"], row["prompt"]) for row in told["jobs"]] == [(job.id, "unknown", "a boat")]
    assert engine.changes.news(told["mark"])["jobs"] == []
    engine.ledger.reconcile(job.id, video_id="v1")
    assert engine.changes.news(age_s=60)["jobs"] == []


def test_without_trouble_there_is_no_news(engine: Engine) -> None:
    """Nothing is opened or written for the question."""
    assert engine.changes.news(age_s=60)["jobs"] == []
    assert not engine.settings.home.exists()


@pytest.mark.parametrize("how", ["background.begin", "uncertain_jobs"])
def test_a_purchase_that_a_dead_process_was_sending_is_told(engine: Engine, tmp_path: Path, how: str) -> None:
    """By the process that finds it, as an event and as news, though the ledger has it for a day."""
    dead = Engine(tmp_path / "home", tmp_path / "output", env={})
    sent, unsent = reserved(dead, "sent"), reserved(dead, "not sent")
    dead.ledger.sending(sent.id)
    with dead.ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET created_at = created_at - 86400")
    dead.ledger.database.owner.close()
    events: dict[str, str] = {}
    engine.changes.listen(lambda job, _: events.update({job.id: job.standing}))
    operator.attrgetter(how)(engine)()
    until(lambda: len(events) == 2)
    assert events == {sent.id: "unknown", unsent.id: "refused"}
    assert [row["id"] for row in engine.changes.news(age_s=60)["jobs"]] == [sent.id]
    dead.close()
