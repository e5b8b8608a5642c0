"""A job that failed without a reason: its content call is asked for one, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.engine import Engine
from sora_jobs.errors import JobFailedError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.jobs.state import JobState

from .ugly import Script, UglyServer, answer, hang_up, reset

FAILED = answer(200, {"id": "video_1", "object": "video", "status": "failed", "progress": 100})
ACCEPTED = answer(200, {"id": "video_1", "object": "video", "model": "own", "status": "queued"})
FILM = answer(200, b"\0\0\0\x18ftypmp42" + bytes(1 << 16), [("Content-Type", "video/mp4")])
KEY = "sk-mine-12345"


def status(word: str) -> bytes:
    """CometAPI's answer to the content call of a job that has no video."""
    said = f"Task is not completed yet, current status: {word}"
    return answer(400, {"error": {"message": said, "type": "invalid_request_error"}})


def asked(content: Script, timeout_s: float = 5) -> tuple[tuple[str, str] | None, list[str]]:
    """What is learned of a job that failed: (code, words) or None, and the paths that were asked for."""
    with UglyServer([FAILED, content]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=timeout_s), KEY)
        video = client.retrieve("video_1")
        client.close()
        assert video.phase == "failed"
        assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
        why = video.complaint
        return None if why is None else (why.code, why.message), [request.path for request in server.requests]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (status("VIOLATION"), "output_moderated", "current status: VIOLATION"),
        (status("FAILURE"), "", "current status: FAILURE"),
        (answer(404, {"error": {"message": "x, current status: EXPIRED"}}), "", "current status: EXPIRED"),
        (answer(422, {"detail": "out of memory"}), "", "out of memory"),
    ],
)
def test_the_content_call_tells_why(content: bytes, code: str, says: str) -> None:
    """In its words; VIOLATION means that the finished video was moderated."""
    why, paths = asked(content)
    assert why is not None
    assert (why[0], says in why[1]) == (code, True)
    assert paths == ["/v1/videos/video_1", "/v1/videos/video_1/content"]


@pytest.mark.parametrize(
    "content",
    [answer(404, {"error": {"message": "Video not found"}}), answer(401), answer(502, b"<html>"), answer(302), FILM,
     answer(400, {"code": "task_not_exist", "message": "task_not_exist"}), answer(200, b"{}"), hang_up, reset,
     b"no http\r\n\r\n"],
)  # fmt: skip
def test_a_content_call_that_tells_nothing_changes_nothing(content: Script) -> None:
    """The job has failed all the same; the call is not repeated."""
    why, paths = asked(content)
    assert why is None
    assert len(paths) == 2


def test_a_content_call_without_an_answer_holds_nothing_up() -> None:
    """It has a deadline of its own, and is not repeated."""
    gone = threading.Event()
    why, paths = asked(lambda _: gone.wait(5) and None, timeout_s=0.3)
    gone.set()
    assert (why, len(paths)) == (None, 2)


def test_a_reason_that_is_given_is_not_asked_for() -> None:
    """Nor is one of a job that goes on."""
    for video in ({"status": "failed", "error": {"message": "too dark"}}, {"status": "queued"}, {"status": "done"}):
        with UglyServer([answer(200, {"id": "video_1", **video})]) as server:
            client = Client(Provider(name="x", base_url=server.url, timeout_s=5), KEY)
            client.retrieve("video_1")
            client.close()
            assert len(server.requests) == 1


@pytest.fixture
def bought(tmp_path: Path) -> Callable[[UglyServer], JobFailedError]:
    """Buys at that server and waits; the failure."""

    def wait(server: UglyServer) -> JobFailedError:
        row = f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\npoll_seconds = 0.02\n'
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "providers.toml").write_text(row, encoding="utf-8")
        engine = Engine(tmp_path / "home", tmp_path / "output", env={"MINE_KEY": KEY})
        try:
            spec = VideoRequest(provider="mine", prompt="a boat", model="own", seconds="4", size="1280x720")
            job = engine.start_create(spec).result(20).job
            with pytest.raises(JobFailedError) as caught:
                engine.start_wait(job.id, timeout=30).future.result(30)
            assert engine.ledger.job(job.id).state is JobState.FAILED
            return caught.value
        finally:
            engine.close()

    return wait


def test_a_moderated_video_is_told_as_such(bought: Callable[[UglyServer], JobFailedError]) -> None:
    """It is a failure of its own kind, which may have been charged."""
    with UglyServer([ACCEPTED, FAILED, status("VIOLATION")]) as server:
        error = bought(server)
        assert (error.kind, error.code, error.charge) == ("moderation_output", "output_moderated", "possible")
        assert [request.path.rsplit("/", 1)[-1] for request in server.requests] == ["videos", "video_1", "content"]


def test_a_failure_without_any_reason_ends_the_job(bought: Callable[[UglyServer], JobFailedError]) -> None:
    """As before."""
    with UglyServer([ACCEPTED, FAILED, hang_up]) as server:
        error = bought(server)
        assert (error.kind, error.code) == ("job_failed", "")
        assert len(server.requests) == 3
