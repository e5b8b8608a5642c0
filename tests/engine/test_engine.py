"""The engine on the sandbox: misbehaviour on the way from a finished job to a file, many at once, another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import DownloadExpiredError, InvalidInputError, NotFinishedError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState

from ..failures import failing
from ..systems import make_link
from ..timings import FAST


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    # Waiting for a gateway that is not ready takes seconds; here only the order of things matters.
    made = Engine(tmp_path / "home", tmp_path / "output", timing=replace(FAST, sleep=lambda *_: False))
    yield made
    made.close()


def spec(prompt: str, **more: object) -> VideoRequest:
    given = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480", "prompt": prompt}
    return VideoRequest(**(given | more))


def collected(engine: Engine, prompt: str) -> Job:
    job = engine.start_create(spec(prompt)).result(30).job
    return engine.start_wait(job.id, timeout=30).future.result(60)


@pytest.mark.usefixtures("one_film")
@pytest.mark.parametrize(
    "directive",
    ["notready=3", "cut=2", "bad_mp4=1", "html=3", "wrapped", "word=dreaming", "url", "redirect", "silent", "429=2"],
)
def test_a_gateway_that_misbehaves_gives_its_video_in_the_end(engine: Engine, directive: str) -> None:
    """Not ready yet, cut, a wrong body, a page while polling, an address instead of /content: no job is lost."""
    job = collected(engine, f"a boat [sandbox: {directive}]")
    assert job.state is JobState.STORED
    assert engine.path(job).read_bytes()[4:8] == b"ftyp"
    assert {path.suffix for path in engine.path(job).parent.iterdir()} == {".mp4", ".json"}


def test_a_lapsed_link_is_told(engine: Engine) -> None:
    """The error says so and what to do; the job stays known as completed."""
    job = engine.start_create(spec("a boat [sandbox: expired]")).result(30).job
    with failing(DownloadExpiredError, "", "does not offer") as caught:
        engine.start_wait(job.id, timeout=30).future.result(60)
    assert (caught.value.exit_code, caught.value.job) == (6, job.id)
    assert engine.ledger.job(job.id).state is JobState.COMPLETED


def test_a_word_that_nobody_knows_is_shown(engine: Engine) -> None:
    """It counts as still running, and a person sees the gateway's own word."""
    job = engine.start_create(spec("a boat [sandbox: word=dreaming, slow=3]")).result(30).job
    wait = engine.start_wait(job.id, timeout=30)
    end = time.monotonic() + 10
    while "dreaming" not in wait.status:
        assert time.monotonic() < end
        time.sleep(0.01)
    wait.cancel()


def test_twins_share_one_download(engine: Engine) -> None:
    """Many who wait for the same job get the same file, fetched once."""
    opened: list[str] = []
    engine.providers.client("sandbox").listen(lambda response, _: opened.append(response.url))
    job = engine.start_create(spec("a boat")).result(30).job
    waits = [engine.start_wait(job.id, timeout=30) for _ in range(10)]
    assert {wait.future.result(30).sha256 for wait in waits} == {waits[0].future.result(0).sha256}
    assert sum(url.endswith(f"{job.video_id}/content") for url in opened) == 1


def test_two_programs_share_a_ledger(engine: Engine) -> None:
    """The second one joins what the first one bought, and uses its file."""
    first = collected(engine, "a boat")
    other = Engine(engine.settings.home, engine.settings.output)
    assert other.start_create(spec("a boat")).result(30).job.id == first.id
    assert other.start_wait(first.id, timeout=5).future.result(10).path == first.path
    other.close()


def test_a_restart_of_the_sandbox_loses_no_job(engine: Engine) -> None:
    """Its jobs lie on disk and their progress is a function of time: another server, another port, the same job."""
    job = engine.start_create(spec("a boat [sandbox: slow=2]")).result(30).job
    address = engine.providers.client("sandbox").provider.base_url
    engine.close()
    again = Engine(engine.settings.home, engine.settings.output, timing=FAST)
    try:
        assert again.providers.client("sandbox").provider.base_url != address
        assert again.start_wait(job.id, timeout=30).future.result(60).state is JobState.STORED
    finally:
        again.close()


def test_closing_ends_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours is left running."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    before = set(threading.enumerate())
    engine = Engine(tmp_path / "home", tmp_path / "output")
    collected(engine, "a boat")
    engine.close()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert left == []


def test_a_job_of_another_program_is_opened_by_its_gateway_id(engine: Engine, tmp_path: Path) -> None:
    """Bought elsewhere, found at the gateway, fetched here; an id that is unknown there is an error, and no row."""
    bought = engine.start_create(spec("a boat")).result(30).job
    (tmp_path / "home2").mkdir()
    make_link(tmp_path / "home2" / "sandbox", engine.settings.home / "sandbox")
    other = Engine(tmp_path / "home2", tmp_path / "output2")
    opened = other.open(bought.video_id, "sandbox")
    assert (opened.video_id, opened.kind, opened.model) == (bought.video_id, "opened", "seedance-2-5")
    assert other.start_wait(opened.id, timeout=30).future.result(60).state is JobState.STORED
    with failing(InvalidInputError, "unknown_video", "not found"):
        other.open("video_" + "0" * 32, "sandbox")
    assert len(other.ledger.jobs()) == 1
    other.close()


def test_a_remix_needs_a_finished_source(engine: Engine) -> None:
    """The error names what to connect; nothing is bought."""
    job = engine.start_create(spec("a boat [sandbox: slow=30]", model="sora-2", size="1280x720")).result(30).job
    with failing(InvalidInputError, "job_not_finished", job.id):
        engine.start_remix(job.id, "at night").result(30)
    assert len(engine.ledger.jobs()) == 1


def test_a_model_without_remix_says_so(engine: Engine) -> None:
    """In plain words, before anything is sent."""
    job = collected(engine, "a boat")
    with failing(InvalidInputError, "remix_unsupported", "seedance-2-5"):
        engine.start_remix(job.id, "at night").result(30)


def test_a_wait_that_is_given_up_leaves_the_job(engine: Engine) -> None:
    """The deadline ends the waiting; a longer wait gets the video."""
    job = engine.start_create(spec("a boat [sandbox: slow=1]")).result(30).job
    with pytest.raises(NotFinishedError):
        engine.start_wait(job.id, timeout=0.05).future.result(10)
    assert engine.start_wait(job.id, timeout=30).future.result(60).state is JobState.STORED
