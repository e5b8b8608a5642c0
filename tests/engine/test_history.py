"""What the page shows of the ledger, what a person may set aside, and who is told of changes."""

from __future__ import annotations

import builtins
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    InvalidInputError,
    JobFailedError,
    MediaError,
    NotFinishedError,
    PurchaseUncertainError,
    RequestRejectedError,
    StorageError,
)
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.identity import FITS
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.queue import Turn
from sora_jobs.ledger.rows import run, update
from sora_jobs.views.history import HistoryView

from ..failures import failing
from ..systems import make_link

pytestmark = pytest.mark.usefixtures("one_film")
SPEC: dict[str, Any] = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Engine]:
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    shared = {"SORA_DATABASE_URL": database_url} if database_url else {}
    made = Engine(tmp_path / "home", tmp_path / "output", env={**os.environ, **shared})
    yield made
    made.close()


def told(video_id: str, phase: str = "running") -> RemoteVideo:
    return RemoteVideo(id=video_id, phase=phase, status=phase)


def row_of(engine: Engine, prompt: str, *, video_id: str = "", **changes: Any) -> Job:
    """A purchase that the ledger holds, as far as `video_id` and `changes` bring it."""
    spec = VideoRequest(prompt=prompt, **(SPEC | changes))
    job, mine = engine.ledger.reserve(spec, origin="sandbox", estimated_usd=0.0, budget=Budget())
    assert mine
    engine.ledger.sending(job.id)
    return engine.ledger.submitted(job.id, told(video_id)) if video_id else job


def seen(engine: Engine, job: Job, phase: str) -> Job:
    return engine.ledger.observed(job.id, told(job.video_id, phase))


def stored(engine: Engine, prompt: str, **changes: Any) -> Job:
    return engine.start_wait(
        engine.start_create(VideoRequest(prompt=prompt, **(SPEC | changes))).result(30).job.id, timeout=30
    ).future.result(30)


def test_without_a_ledger_the_list_is_empty(engine: Engine) -> None:
    if not engine.ledger.database.shared:
        assert engine.history.page() == {"jobs": [], "more": False, "running": 0, "places": {}}
        assert not engine.ledger.database.exists  # looking makes none


def test_pages_follow_each_other_and_filters_hold(engine: Engine) -> None:
    """Newest first, each once; `more` is true until the last one; `running` counts all that go on."""
    names = [row_of(engine, f"boat {number}", video_id=f"v{number}").id for number in range(7)]
    seen(engine, engine.ledger.job(names[0]), "failed")
    first = engine.history.page(limit=4)
    rest = engine.history.page(limit=4, after=first["jobs"][-1]["id"])
    assert [row["id"] for row in first["jobs"] + rest["jobs"]] == names[::-1]
    assert (first["more"], rest["more"]) == (True, False)
    assert first["running"] == 6
    assert [row["id"] for row in engine.history.page(state="failed")["jobs"]] == names[:1]
    assert len(engine.history.page(state="running")["jobs"]) == 6
    assert [row["id"] for row in engine.history.page(search="BOAT 3")["jobs"]] == [names[3]]
    assert engine.history.page(state="no such state")["jobs"] == []


def test_what_opencv_raises_is_no_bug_of_the_page(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small picture that cannot be made is an error in words, whatever the library raises."""
    job = stored(engine, "a boat")

    def refuse(*_: object) -> None:
        raise RuntimeError("OpenCV was built without JPEG")

    monkeypatch.setattr(cv2, "imencode", refuse)
    with failing(MediaError, "", "without JPEG"):
        engine.history.thumbnail(job.id)


def test_a_stored_job_has_a_file_and_a_small_picture(engine: Engine) -> None:
    """The file as the host's page asks for it; the picture is made once."""
    row = engine.history.row(job := stored(engine, "a boat"))
    assert (row["state"], row["is_running"], row["error"], row["cure"]) == ("stored", False, "", "")
    assert row["file"] == {"filename": Path(job.path).name, "subfolder": "sora", "type": "output"}
    place = engine.history.thumbnail(job.id)
    assert cv2.imread(str(place)).shape == (180, 320, 3)
    made = place.stat().st_mtime_ns
    assert engine.history.thumbnail(job.id).stat().st_mtime_ns == made
    engine.path(job).unlink()
    assert engine.history.row(job)["file"] is None
    with failing(NotFinishedError, "not_stored", job.id):
        engine.history.thumbnail(job.id)


def test_a_file_outside_the_output_folder_is_not_shown(engine: Engine, tmp_path: Path) -> None:
    """A link that leads elsewhere is none of the page's files."""
    job = stored(engine, "a boat")
    elsewhere = tmp_path / "elsewhere.mp4"
    file = engine.path(job)
    file.rename(elsewhere)
    make_link(file, elsewhere)
    assert engine.history.row(job)["file"] is None


@pytest.mark.parametrize(
    ("end", "state", "words", "cure"),
    [
        (lambda s, j: seen(s, j, "failed"), "failed", "without a video", "take"),
        (lambda s, j: s.ledger.not_fetched(j.id, NotFinishedError("gone", code="lapsed")), "lapsed", "gone", ""),
        (
            lambda s, j: s.ledger.not_fetched(j.id, NotFinishedError("the disk is full")),
            "submitted",
            "the disk is full",
            "",
        ),
        (lambda s, j: j, "submitted", "", ""),
    ],
)
def test_what_became_of_it_is_told(
    engine: Engine, end: Callable[[Engine, Job], Job], state: str, words: str, cure: str
) -> None:
    row = engine.history.row(end(engine, row_of(engine, "a boat", video_id="v1")))
    assert (row["state"], row["cure"]) == (state, cure)
    assert words in row["error"]
    assert bool(row["error"]) == bool(words)


def test_an_unknown_and_a_refused_purchase_are_told(engine: Engine) -> None:
    """One says how it is settled, the other what cures it; both say what became of the money."""
    unknown = engine.ledger.unknown(row_of(engine, "a boat").id, NotFinishedError("no answer came"))
    row = engine.history.row(unknown)
    assert row["cure"] == "reconcile"
    assert "may have been bought" in row["error"]
    refused = engine.ledger.refused(
        row_of(engine, "another").id, RequestRejectedError("No such key.", code="invalid_api_key")
    )
    row = engine.history.row(refused)
    assert row["cure"] == "settings"
    assert "Nothing was spent" in row["error"]


def test_a_remix_shows_its_tree(engine: Engine) -> None:
    parent = stored(engine, "a boat", model="sora-2", size="1280x720")
    child = engine.start_remix(parent.id, "a boat at night").result(30).job
    assert [row["id"] for row in engine.history.tree(parent.id)["children"]] == [child.id]
    tree = engine.history.tree(child.id)
    assert tree["parent"]["id"] == parent.id
    assert tree["children"] == []


def test_time_left_is_learned_from_past_jobs(engine: Engine) -> None:
    """The median of the same provider, model and length; None where there was none."""
    running = row_of(engine, "now", video_id="v9")
    assert engine.history.row(running)["expected_s"] is None
    for number, took_s in enumerate((10.0, 30.0, 20.0)):
        job = row_of(engine, f"past {number}", video_id=f"v{number}")
        with engine.ledger.database.write() as connection:
            update(connection, job.id, state="stored", submitted_at=100.0, completed_at=100.0 + took_s)
    assert engine.history.row(running)["expected_s"] == 20.0
    assert engine.history.row(row_of(engine, "longer", video_id="v8", seconds="8"))["expected_s"] is None


def test_a_page_asks_once_for_what_jobs_like_these_took(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of sixty would read the past sixty times."""
    asked: list[str] = []
    monkeypatch.setattr(
        engine.ledger.queries, "median_render_s", lambda job: asked.append(job.seconds) or float(job.seconds)
    )
    for number, seconds in enumerate(("4", "8", "4", "4")):
        row_of(engine, f"shot {number}", video_id=f"v{number}", seconds=seconds)
    rows = engine.history.page()["jobs"]
    assert sorted(row["expected_s"] for row in rows) == [4.0, 4.0, 4.0, 8.0]
    assert sorted(asked) == ["4", "8"]


def test_an_event_costs_no_disk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand jobs on a network drive tell how they stand: no file and no settings are looked at."""
    jobs = [
        row_of(engine, "running", video_id="v1"),
        engine.ledger.unknown(row_of(engine, "lost").id, PurchaseUncertainError("cut")),
    ]
    done = engine.start_create(VideoRequest(prompt="a boat", **SPEC)).result(30).job
    jobs.append(engine.start_wait(done.id, timeout=30).future.result(30))
    monkeypatch.setattr(engine.ledger.queries, "median_render_s", lambda job: 20.0)
    shown = [engine.history.row(job) for job in jobs]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the disk was looked at")

    for owner, name in ((Path, "stat"), (Path, "resolve"), (Path, "open"), (os, "stat"), (builtins, "open")):
        monkeypatch.setattr(owner, name, refuse)
    brief = [engine.history.brief(job) for job in jobs]
    monkeypatch.undo()
    assert brief == [{name: row[name] for name in brief[0]} for row in shown]
    assert brief[0]["expected_s"] == 20.0


def in_line(engine: Engine, prompt: str) -> Job:
    """A purchase that waits for its turn, behind one that the provider has."""
    job, _ = engine.ledger.reserve(
        VideoRequest(prompt=prompt, **SPEC), origin="sandbox", estimated_usd=0.0, budget=Budget()
    )
    return engine.ledger.sending(job.id, Turn(1, 1000.0, Budget(), 0.0))


def test_a_queued_job_has_its_place_and_moves_up(engine: Engine) -> None:
    """In its row, in an event, and for all of the ledger in each page; 0 for one whose process has ended."""
    running = row_of(engine, "running", video_id="v1")
    first, second, left = (in_line(engine, name) for name in ("first", "second", "left"))
    with engine.ledger.database.write() as connection:
        update(connection, left.id, owner="0" * 32)
    page = engine.history.page()
    assert page["places"] == {first.id: 1, second.id: 2, left.id: 0}
    assert {row["id"]: row["place"] for row in page["jobs"]} == page["places"] | {running.id: None}
    assert [row["group"] for row in page["jobs"]] == ["running"] * 4
    assert engine.history.event(second, "")["job"]["place"] == 2
    engine.queue.cancel(first.id)
    assert engine.history.page(limit=1)["places"] == {second.id: 1, left.id: 0}
    assert engine.history.tree(second.id)["job"]["place"] == 1
    assert engine.history.brief(first)["place"] is None  # read while it left


def test_many_that_are_queued_at_a_time_read_the_line_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them tell how they stand within a second; what is new in the line is read all the same."""
    row_of(engine, "running", video_id="v1")
    jobs = [in_line(engine, f"shot {number}") for number in range(4)]
    read = engine.ledger.queries.queue
    asked: list[int] = []
    monkeypatch.setattr(engine.ledger.queries, "queue", lambda: asked.append(1) or read())
    engine.history = HistoryView(engine.ledger, engine.settings, replace(engine.timing, change_delay_s=60.0))
    assert [engine.history.brief(job)["place"] for job in jobs] == [1, 2, 3, 4]
    assert len(asked) == 1
    assert engine.history.brief(in_line(engine, "one more"))["place"] == 5
    assert len(asked) == 2
    engine.history.page()
    assert len(asked) == 3


def test_what_a_person_cancelled_is_no_trouble(engine: Engine) -> None:
    """The page tells it as cancelled, and not as a purchase that went wrong."""
    row_of(engine, "running", video_id="v1")
    row = engine.history.row(engine.queue.cancel(in_line(engine, "cancelled")))
    assert (row["state"], row["in_trouble"], row["cure"]) == ("refused", False, "")
    assert (row["failure"]["code"], row["failure"]["values"]["charge"]) == ("cancelled", "none")


def test_asking_about_a_stale_job_polls_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now, also where background downloads are off; that it became stale, and is so no more, is told."""
    heard: list[tuple[str, str]] = []
    job = row_of(engine, "late", video_id="v1")
    with engine.ledger.database.write() as connection:
        update(connection, job.id, submitted_at=time.time() - 3 * 86_400)
    engine.changes.listen(lambda job, was: heard.append((was, job.standing)))
    phases = iter(("running", "running", "done"))
    monkeypatch.setattr(Client, "retrieve", lambda _, video_id: told(video_id, next(phases)))
    assert engine.open(job.id).stale
    settle(lambda: heard[-1:] == [("", "stale")])
    assert engine.ask_again(job.id).standing == "stale"
    assert engine.ask_again(job.id).standing == "completed"
    settle(lambda: heard[-1:] == [("stale", "completed")])


def settle(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_references_are_the_images_that_went_up(engine: Engine) -> None:
    pixels = np.full((40, 60, 3), 90, np.uint8)
    spec = VideoRequest(prompt="a boat", references=(Reference(pixels),), **SPEC)
    job = engine.start_create(spec).result(30).job
    (place,) = engine.history.references(job.id)
    assert np.array_equal(cv2.imread(str(place))[..., ::-1], pixels)
    place.unlink()
    with failing(StorageError, "missing_reference", place.name) as caught:
        engine.history.references(job.id)
    assert caught.value.job == job.id


@pytest.mark.parametrize("name", ["../keys/cometapi", "/etc/passwd", "a.png", ""])
def test_a_reference_that_is_none_of_ours_is_not_brought(engine: Engine, name: str) -> None:
    """Others may write into a ledger that a farm shares; the page would show them what they named."""
    job = row_of(engine, "a boat")
    with engine.ledger.database.write() as connection:
        update(connection, job.id, reference_files=json.dumps([name]))
    for ask in (engine.history.references, engine.history.again):
        with failing(InvalidInputError, "foreign_reference", repr(name)):
            ask(job.id)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [3, 4])
def test_the_board_knows_how_they_were_fitted(engine: Engine, fit: str, channels: int) -> None:
    pixels = np.full((40, 60, channels), 90, np.uint8)
    job = (
        engine.start_create(VideoRequest(prompt="a boat", references=(Reference(pixels, fit),), **SPEC)).result(30).job
    )
    assert engine.history.again(job.id) == {"fit": fit, "take": 2}


def test_the_next_take_is_one_that_nobody_asked_for(engine: Engine) -> None:
    """Whatever became of it; another prompt's takes do not count."""
    jobs = [row_of(engine, "a boat", take=take) for take in (1, 2, 4)]
    row_of(engine, "another boat", take=3)
    engine.ledger.refused(jobs[1].id, RequestRejectedError("no"))
    assert [engine.history.again(job.id)["take"] for job in jobs] == [3, 3, 5]


def test_it_says_nothing_where_it_cannot_know(engine: Engine) -> None:
    pixels = np.full((40, 60, 3), 90, np.uint8)
    job = (
        engine.start_create(VideoRequest(prompt="a boat", references=(Reference(pixels, "pad"),), **SPEC))
        .result(30)
        .job
    )
    with engine.ledger.database.write() as connection:  # a row of older code, whose images are elsewhere
        run(connection, "UPDATE jobs SET fit = ''")
    assert engine.history.again(job.id) == {"fit": "", "take": 2}
    assert engine.history.again(row_of(engine, "without an image").id) == {"fit": "", "take": 2}


# -- set aside --------------------------------------------------------------------------------------------------------


def test_a_forgotten_job_is_listed_no_more_and_stays_bought(engine: Engine) -> None:
    """Its row, its file and what it counts for stay; asked for again, it is there again, and nothing is paid."""
    job = stored(engine, "a boat")
    engine.background.set_visibility(job.id, "forgotten")
    assert engine.history.page()["jobs"] == []
    assert engine.history.labels() == []
    assert [row["id"] for row in engine.history.page(state="forgotten")["jobs"]] == [job.id]
    assert engine.path(job).is_file()
    again = engine.start_create(VideoRequest(prompt="a boat", **SPEC)).result(30)
    assert (again.job.id, again.reused) == (job.id, True)
    assert [row["id"] for row in engine.history.page()["jobs"]] == [job.id]


def test_forgetting_does_not_free_the_budget(engine: Engine) -> None:
    spec = VideoRequest(prompt="dear", **SPEC)
    job, _ = engine.ledger.reserve(spec, origin="sandbox", estimated_usd=4.0, budget=Budget())
    engine.ledger.submitted(job.id, told("v1"))
    seen(engine, engine.ledger.job(job.id), "failed")
    engine.ledger.set_visibility(job.id, "forgotten")
    assert engine.ledger.spent_usd(Budget()) == 4.0
    with pytest.raises(JobFailedError):  # nor is it sent again
        engine.start_create(spec).result(30)


def test_an_unwatched_job_is_fetched_only_when_somebody_waits(engine: Engine) -> None:
    """Not by the rescue, also not after a restart; a node that waits gets it."""
    asked: list[str] = []
    engine.providers.client("sandbox").listen(lambda response, _: asked.append(response.url))
    job = row_of(engine, "a boat", video_id="v1")
    engine.background.set_visibility(job.id, "unwatched")
    assert engine.background.begin() == 0
    engine.background.collect(job.id)
    assert engine.history.page()["running"] == 0
    bought = engine.start_create(VideoRequest(prompt="another", **SPEC)).result(30).job
    engine.background.set_visibility(bought.id, "unwatched")
    assert engine.start_wait(bought.id, timeout=30).future.result(30).state is JobState.STORED
    assert engine.ledger.job(job.id).state is JobState.SUBMITTED
    assert any(bought.video_id in url for url in asked)
    assert [url for url in asked if "/v1/videos/v1" in url] == []


def test_watching_again_fetches_it(engine: Engine) -> None:
    job = engine.start_create(VideoRequest(prompt="a boat", **SPEC)).result(30).job
    engine.background.set_visibility(job.id, "unwatched")
    engine.background.set_visibility(job.id, "")
    end = time.monotonic() + 20
    while engine.ledger.job(job.id).state is not JobState.STORED:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("aside", "video_id"), [("forgotten", "v1"), ("forgotten", ""), ("unwatched", ""), ("x", "v1")]
)
def test_what_may_still_cost_or_come_is_not_forgotten(engine: Engine, aside: str, video_id: str) -> None:
    job = row_of(engine, "a boat", video_id=video_id)
    with pytest.raises(InvalidInputError):
        engine.background.set_visibility(job.id, aside)
    assert engine.ledger.job(job.id).aside == ""


# -- who is told ------------------------------------------------------------------------------------------------------


def test_changes_are_told_from_reserved_to_stored(engine: Engine) -> None:
    """Each with the state before; the last thing told is the last state, and nothing is told twice."""
    heard: list[tuple[str, str, str]] = []
    engine.changes.listen(lambda job, was: heard.append((job.id, was, job.standing)))
    job = stored(engine, "a boat")
    end = time.monotonic() + 10
    while not heard or heard[-1][2] != "stored":
        assert time.monotonic() < end, heard
        time.sleep(0.02)
    assert {name for name, _, _ in heard} == {job.id}
    states = [state for _, _, state in heard]
    assert [was for _, was, _ in heard] == ["", *states[:-1]]
    before = len(heard)
    engine.ledger.observed(job.id, told(job.video_id, "done"))
    other = row_of(engine, "another")
    end = time.monotonic() + 10
    while len(heard) == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert heard[before:] == [(other.id, "", "reserved")]  # told after, or with, what came before
