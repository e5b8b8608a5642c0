"""What the page is told of a job beside its state: what may be done with it, and which lists it is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import ARCHIVED, EXPIRED, MUTED, Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import update
from sora_jobs.views.actions import actions_of, was_running
from sora_jobs.views.news import in_trouble

from ..failures import failing

VIDEO = ["frames", "open", "remix", "again"]
JOB = Job(
    id="abcdefghjk", kind="create", state=JobState.STORED, provider="sandbox", origin="", model="sora-2", seconds="4",
    size="1280x720", prompt="a boat", take=1, identity="", video_id="v1",
)  # fmt: skip
ACTIONS = {
    "queued": ["open", "again", "cancel"],
    "reserved": ["open", "again"],
    "submitted": ["open", "again", "unwatch"],
    "completed": [*VIDEO, "unwatch"],
    "stored": [*VIDEO, "archive"],
    "refused": ["open", "again", "archive"],
    "unknown": ["reconcile", "open", "again"],
    "failed": ["open", "ask", "again", "archive"],
    "lost": ["open", "again", "archive"],
}


@pytest.mark.parametrize("state", JobState)
def test_what_may_be_done_follows_from_the_state(state: JobState) -> None:
    assert actions_of(replace(JOB, state=state), "") == ACTIONS[state]


@pytest.mark.parametrize(
    ("job", "cure", "actions"),
    [
        (replace(JOB, state=JobState.REFUSED, video_id=""), "", ["again", "archive"]),
        (replace(JOB, state=JobState.FAILED, video_id=""), "", ["open", "again", "archive"]),
        (replace(JOB, state=JobState.REFUSED, video_id=""), "nearest", ["nearest", "again", "archive"]),
        (replace(JOB, kind="opened"), "", ["frames", "open", "remix", "archive"]),
        (replace(JOB, state=JobState.SUBMITTED, error_code=EXPIRED), "", ["open", "again", "archive"]),
        (replace(JOB, state=JobState.COMPLETED, error_code=EXPIRED), "", ["open", "again", "archive"]),
        (replace(JOB, state=JobState.SUBMITTED, aside=MUTED), "", ["open", "again", "watch"]),
        (replace(JOB, state=JobState.SUBMITTED, stale_at=1.0), "", ["open", "ask", "again"]),
        (replace(JOB, state=JobState.SUBMITTED, stale_at=1.0, aside=MUTED), "", ["open", "ask", "again", "watch"]),
        (replace(JOB, aside=MUTED), "", [*VIDEO, "watch"]),
        (replace(JOB, aside=ARCHIVED), "", [*VIDEO, "restore"]),
    ],
)
def test_what_may_be_done_with_others(job: Job, cure: str, actions: list[str]) -> None:
    assert actions_of(job, cure) == actions


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """One whose ledger has a row of each state, of each that can expire and a stale one, and of each a muted and an
    archived one."""
    made = Engine(tmp_path / "home", tmp_path / "output", env={})
    kinds: list[tuple[JobState, str, float | None]] = [(state, "", None) for state in JobState]
    kinds += [(state, EXPIRED, None) for state in JobState if state.is_pending]
    kinds += [(JobState.SUBMITTED, "", 1.0)]
    for number, ((state, code, stale_at), aside) in enumerate(product(kinds, ("", MUTED, ARCHIVED))):
        spec = VideoRequest(
            provider="sandbox", prompt="a boat", model="sora-2", seconds="4", size="1280x720", take=number + 1
        )
        job, _ = made.ledger.reserve(spec, origin="sandbox", estimated_usd=0.0, budget=Budget())
        with made.ledger.database.write() as connection:
            update(connection, job.id, state=state, error_code=code, stale_at=stale_at, aside=aside)
    yield made
    made.close()


def test_the_lists_of_the_ledger_are_the_groups_of_its_rows(engine: Engine) -> None:
    """The page keeps its lists right by the groups of events: by another rule a row would come and go."""
    rows = [engine.history.brief(job) for job in engine.ledger.jobs(limit=1000, forgotten=True)]
    assert len(rows) == 3 * (len(JobState) + 3)
    for group in {"running", "stale", "unknown", "failed", "stored", "refused", ARCHIVED}:
        listed = {job.id for job in engine.ledger.jobs(state=group, limit=1000)}
        assert listed == {row["id"] for row in rows if row["group"] == group}
    listed = {job.id for job in engine.ledger.jobs(limit=1000)}
    assert listed == {row["id"] for row in rows if row["group"] != ARCHIVED}


def test_what_is_counted_as_running(engine: Engine) -> None:
    rows = [engine.history.brief(job) for job in engine.ledger.jobs(limit=1000, forgotten=True)]
    assert engine.ledger.queries.running() == len([row for row in rows if row["is_counted"]]) == 4
    assert {row["state"] for row in rows if row["is_running"]} == {"queued", "reserved", "submitted", "completed"}
    assert {row["is_counted"] for row in rows if row["state"] == "stale"} == {False}


def test_what_is_offered_is_what_the_ledger_does(engine: Engine) -> None:
    """No button leads to an error, and none is missing."""
    for job in engine.ledger.jobs(limit=1000, forgotten=True):
        for action, aside in (("unwatch", MUTED), ("archive", ARCHIVED)):
            if action in actions_of(job, ""):
                assert engine.background.set_visibility(job.id, aside).aside == aside
            elif not job.aside and not job.lapsed and not job.stale:
                with failing(InvalidInputError, "cannot_set_aside"):
                    engine.background.set_visibility(job.id, aside)
            with engine.ledger.database.write() as connection:
                update(connection, job.id, aside=job.aside)
        if "cancel" in actions_of(job, ""):
            cancelled = engine.queue.cancel(job.id)
            assert (cancelled.state, in_trouble(cancelled)) == (JobState.REFUSED, False)
        elif not job.state.is_reserved:
            with failing(InvalidInputError, "already_sent"):
                engine.queue.cancel(job.id)


@pytest.mark.parametrize("state", JobState)
def test_trouble_is_what_a_person_should_be_told_of(state: JobState) -> None:
    job = replace(JOB, state=state)
    assert in_trouble(job) is (state in {"failed", "unknown", "refused"})
    assert in_trouble(replace(job, error_code=EXPIRED)) is (state not in {"queued", "reserved", "stored", "lost"})
    assert not in_trouble(replace(job, aside=ARCHIVED))
    if state is JobState.REFUSED:  # by their own wish
        assert not in_trouble(replace(job, error_code="cancelled"))


def test_what_was_running_before_an_event() -> None:
    running = {"queued", "reserved", "submitted", "completed"}
    assert {state for state in (*JobState, "", EXPIRED, "another") if was_running(state)} == running
