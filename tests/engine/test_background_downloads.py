"""Videos that nobody waits for are fetched all the same, and every file tells which job it is."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.delivery.receipts import origin_of
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.rows import update
from sora_jobs.util.redact import register_secret

from ..failures import failing
from ..timings import FAST

SPEC = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Callable[..., Engine]]:
    """Start the engine as often as asked, on one ledger: of one machine's folder `home`, or of a farm."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.4")
    made: list[Engine] = []

    def engine(home: str = "home", timing: Timing = FAST, **variables: str) -> Engine:
        shared = {"SORA_DATABASE_URL": database_url} if database_url else {}
        env = {**os.environ, **shared, **variables}
        made.append(Engine(tmp_path / home, tmp_path / "output", env=env, timing=timing))
        return made[-1]

    yield engine
    for one in made:
        one.close()


def buy(engine: Engine, prompt: str) -> Job:
    return engine.start_create(VideoRequest(prompt=prompt, **SPEC)).result(30).job


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def until_stored(engine: Engine, job: Job) -> Job:
    until(lambda: engine.ledger.job(job.id).state.value == "stored")
    return engine.ledger.job(job.id)


def test_a_restart_fetches_what_was_left(start: Callable[..., Engine]) -> None:
    """Bought, closed, started again: the video comes without anyone asking for it."""
    first = start()
    job = buy(first, "left behind")
    first.close()
    second = start()
    assert second.background.begin() == 1
    assert second.path(until_stored(second, job)).is_file()
    assert second.background.begin() == 0


def left_for_days(engine: Engine, prompt: str) -> Job:
    job = buy(engine, prompt)
    with engine.ledger.database.write() as connection:
        update(connection, job.id, submitted_at=time.time() - 3 * 86_400)
    engine.close()
    return job


def test_the_log_speaks_the_owners_language(start: Callable[..., Engine], caplog: pytest.LogCaptureFixture) -> None:
    engine = start(SORA_LANGUAGE="vi")
    engine.background.begin()
    buy(engine, "refused later [sandbox: fail=moderation_blocked]")
    until(lambda: "could not be fetched in the background: Cổng đã nhận công việc" in caplog.text)


def retrieving(monkeypatch: pytest.MonkeyPatch, says: Exception | str) -> list[str]:
    """Have every poll say that, and return the ids that were polled."""
    polled: list[str] = []

    def retrieve(_: Client, video_id: str) -> RemoteVideo:
        polled.append(video_id)
        if isinstance(says, Exception):
            raise says
        return RemoteVideo(id=video_id, phase="active", status=says)

    monkeypatch.setattr(Client, "retrieve", retrieve)
    return polled


UNKNOWN = GatewayError("The gateway answered HTTP 404.", http_status=404)
AWAY = GatewayError("The gateway answered HTTP 502.", http_status=502)


@pytest.mark.parametrize("says", ["in_progress", UNKNOWN, AWAY], ids=["renders for ever", "unknown", "away"])
def test_a_job_that_its_provider_does_not_finish_in_time_is_stale(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, says: Exception | str
) -> None:
    """However long the machine was off, it is polled after a start; one that was answered with "still running" or "not
    known" then is stale, and counts as running no more. What cannot be asked is no answer."""
    job = left_for_days(start(), "a boat [sandbox: slow=900]")
    polled, answered = retrieving(monkeypatch, says), says is not AWAY
    second = start(timing=replace(FAST, poll_backoff_max_s=0.01))
    assert second.background.begin() == 1
    until(lambda: second.ledger.job(job.id).stale if answered else len(polled) > 3)
    now = second.ledger.job(job.id)
    assert (now.state.value, now.standing) == ("submitted", "stale" if answered else "submitted")
    assert second.history.page()["running"] == (0 if answered else 1)
    assert [one.id for one in second.jobs(state="stale")] == ([job.id] if answered else [])
    if answered:
        before = len(polled)
        time.sleep(0.3)  # it is polled again only after hours
        assert len(polled) == before


def test_a_stale_job_is_polled_every_six_hours_for_a_week(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is asked for by a person; what its provider finishes after all is stored."""
    job = left_for_days(start(), "a boat")
    ahead_s = [0.0]
    timing = replace(
        FAST,
        monotonic=lambda: time.monotonic() + ahead_s[0],
        clock=lambda: time.time() + ahead_s[0],
        clock_check_s=0.01,
        slept_s=1e9,  # what passes is no sleep
    )
    with monkeypatch.context() as unfinished:
        polled = retrieving(unfinished, "in_progress")
        engine = start(timing=timing)
        engine.background.begin()
        until(lambda: engine.ledger.job(job.id).stale)
        for hours, more in ((5.5, 0), (1, 1), (5.5, 0), (1, 1)):
            time.sleep(0.3)
            before = len(polled)
            ahead_s[0] += 3600 * hours
            until(lambda wanted=before + more: len(polled) >= wanted)
            time.sleep(0.3)
            assert len(polled) == before + more, hours
        ahead_s[0] += 7 * 86_400
        time.sleep(0.2)
        before = len(polled)
        ahead_s[0] += 7 * 3600
        time.sleep(0.2)
        assert len(polled) == before
        engine.close()
        third = start(timing=timing)
        assert third.background.begin() == 0
        wait = third.start_wait(job.id, timeout=1e6)
        until(lambda: len(polled) > before + 3)  # at the provider's usual pace, for one who waits
        assert not wait.future.done()
    assert wait.future.result(30).stale_at is None


def test_every_unfinished_job_is_polled_after_a_start(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than are searched for at a time."""
    first = start()
    jobs = [first.ledger.adopt("sandbox", "sandbox", f"video_{number:03}") for number in range(450)]
    first.close()
    polled = retrieving(monkeypatch, "in_progress")
    assert start().background.begin() == len(jobs)
    until(lambda: len(set(polled)) == len(jobs))


def test_the_owner_can_turn_it_off(start: Callable[..., Engine]) -> None:
    """By variable or by file."""
    first = start()
    buy(first, "left alone")
    first.close()
    assert start(SORA_BACKGROUND_DOWNLOADS="0").background.begin() == 0
    (first.settings.home / "settings.toml").write_text("rescue = false\n", encoding="utf-8")
    assert start().background.begin() == 0


def test_without_a_ledger_nothing_starts(tmp_path: Path) -> None:
    """No file, no folder, no thread."""
    threads = threading.active_count()
    engine = Engine(tmp_path / "home", tmp_path / "output", env={})
    assert engine.background.begin() == 0
    assert not engine.settings.home.exists()
    assert threading.active_count() == threads
    engine.close()


def test_two_processes_fetch_once(start: Callable[..., Engine]) -> None:
    """Both wait for the job; one of them asks the gateway and downloads, the other one sees the result."""
    first, second = start(), start()
    job = buy(first, "for two")
    waits = [engine.start_wait(job.id, timeout=30) for engine in (first, second)]
    paths = {engine.path(wait.future.result(30)) for engine, wait in zip((first, second), waits, strict=True)}
    assert len(paths) == 1


def test_a_receipt_tells_the_job(start: Callable[..., Engine], tmp_path: Path) -> None:
    """Here by the ledger, on another machine by the file beside the video; it holds no key and no address."""
    engine = start()
    job = buy(engine, "with a receipt")
    engine.start_wait(job.id, timeout=30).future.result(30)
    video = engine.path(engine.ledger.job(job.id))
    receipt = json.loads(video.with_suffix(".json").read_text(encoding="utf-8"))
    assert (receipt["job"], receipt["video_id"], receipt["prompt"]) == (job.id, job.video_id, "with a receipt")
    assert (receipt["bytes"], receipt["model"]) == (video.stat().st_size, "seedance-2-5")
    assert "http" not in json.dumps(receipt)
    moved = tmp_path / "copy.mp4"
    moved.write_bytes(video.read_bytes())
    assert origin_of(moved, engine.ledger)[0].id == job.id
    elsewhere = Engine(tmp_path / "another", tmp_path / "output", env={})
    with failing(InvalidInputError, "unknown_file", moved):
        origin_of(moved, elsewhere.ledger)
    moved.with_suffix(".json").write_text(json.dumps(receipt), encoding="utf-8")
    assert origin_of(moved, elsewhere.ledger) == (None, receipt)
    moved.write_bytes(b"another film")
    with failing(InvalidInputError, "unknown_file", moved):
        origin_of(moved, elsewhere.ledger)
    elsewhere.close()


def test_a_receipt_keeps_the_users_own_words(start: Callable[..., Engine]) -> None:
    """Words that look like a secret's stay as they are, and the file stays JSON; a key of ours does not get in."""
    engine = start()
    register_secret("sk-a-key-that-is-known")
    prompt = 'The ring bearer "Frodo" reads https://x.org/?a=b, sk-a-key-that-is-known'
    job = buy(engine, prompt)
    engine.start_wait(job.id, timeout=30).future.result(30)
    receipt = json.loads(engine.path(engine.ledger.job(job.id)).with_suffix(".json").read_text(encoding="utf-8"))
    assert receipt["prompt"] == prompt.replace("sk-a-key-that-is-known", "[hidden]")


def test_a_video_under_another_name_has_its_receipt_there_too(start: Callable[..., Engine], tmp_path: Path) -> None:
    """That is the file which people pass on."""
    engine = start()
    job = buy(engine, "shots/boat")
    kept = engine.start_wait(job.id, timeout=30).future.result(30)
    named = engine.files.link(kept, tmp_path / "shots" / "boat_00001_.mp4")
    moved = Engine(tmp_path / "another", tmp_path / "output", env={})
    found, receipt = origin_of(named, moved.ledger)
    assert (found, receipt["job"]) == (None, job.id)
    moved.close()


def test_the_owner_can_do_without_receipts(start: Callable[..., Engine]) -> None:
    """Then only the video is there."""
    engine = start(SORA_RECEIPTS="0")
    job = buy(engine, "no receipt")
    engine.start_wait(job.id, timeout=30).future.result(30)
    assert [file.suffix for file in engine.path(engine.ledger.job(job.id)).parent.iterdir()] == [".mp4"]


@pytest.mark.usefixtures("one_film")
def test_two_processes_that_watch_each_others_jobs_do_not_stand_still(start: Callable[..., Engine]) -> None:
    """Each waits for eight jobs, four of which the other one watches, and has four threads that fetch."""
    first, second = start(), start()
    jobs = [buy(first, f"many {number}") for number in range(8)]
    for number, job in enumerate(jobs):
        assert Leases((first if number < 4 else second).ledger.database).take(job.id)
        first.ledger.observed(job.id, RemoteVideo(id=job.video_id, phase="done", status="completed"))
    gateway = first.providers.client("sandbox")
    until(lambda: all(gateway.retrieve(job.video_id).phase == "done" for job in jobs))
    waits = [first.start_wait(job.id, timeout=60) for job in jobs[4:] + jobs[:4]]
    waits += [second.start_wait(job.id, timeout=60) for job in jobs]
    assert {wait.future.result(60).state.value for wait in waits} == {"stored"}
    assert len(list((first.settings.output / "sora").glob("*.mp4"))) == 8
