"""Finished videos that cannot be fetched now: none of them holds up another, and nobody is asked for ever."""

from __future__ import annotations

import contextlib
import errno
import gzip
import logging
import os
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from sora_jobs.cli.console import described
from sora_jobs.config.timing import Timing
from sora_jobs.delivery.workers import FETCH_THREADS, POLL_THREADS
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    DownloadExpiredError,
    GatewayError,
    InvalidInputError,
    LedgerError,
    MediaError,
    NotFinishedError,
    NotOfferedError,
    StorageError,
    WaitTimeoutError,
)
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.media.frames import load_frames

from ..failures import WORDING, failing
from ..gateway.ugly import Script, UglyServer, answer, hang_up, reset
from ..media.clips import cut, make_clip
from ..media.test_delivered import coded
from ..timings import FAST

AT_ONCE = replace(FAST, content_attempts=1)  # a video that is cut is taken at the first try
SPEC = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


def bought(engine: Engine, prompt: str) -> Job:
    return engine.start_create(VideoRequest(prompt=prompt, **SPEC)).result(30).job


@contextlib.contextmanager
def gateway(
    folder: Path,
    content: Script,
    address: Script = b"",
    *,
    polls: Callable[[], bytes] | None = None,
    url: str = "",
    timing: Timing = FAST,
    **env: str,
) -> Iterator[tuple[Engine, UglyServer, Job]]:
    """A job of a provider whose videos are finished at once: what its content call answers (`server.content` changes
    that), and the address that its video object carries (as `url`), if it carries one. With `polls`, which answer when
    it is asked for, it is not finished at once."""

    def reply(connection: socket.socket) -> None:
        request = server.requests[-1]
        video = {"id": "video_1", "object": "video", "status": "completed" if polls is None else "queued"}
        video |= {"video_url": url or f"{server.url}/signed?sig=1"} if address else {}
        if "/content" in request.path:
            given = server.content  # type: ignore[attr-defined]
        elif request.path.startswith("/signed"):
            given = address or server.signed  # type: ignore[attr-defined]
        else:
            given = polls() if polls is not None and request.method == "GET" else answer(200, video)
        if callable(given):
            given(connection)
        else:
            connection.sendall(given)

    (folder / "home").mkdir()
    with UglyServer([reply]) as server:
        server.content = content  # type: ignore[attr-defined]
        provider = f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\n'
        (folder / "home" / "providers.toml").write_text(provider, encoding="utf-8")
        env = {"MINE_KEY": "sk-key-12345", "SORA_BACKGROUND_DOWNLOADS": "0", "SORA_POLL_SECONDS": "0.02", **env}
        engine = Engine(folder / "home", folder / "output", env=env, timing=timing)
        try:
            spec = VideoRequest(provider="mine", prompt="a boat", model="own", seconds="4", size="160x96")
            yield engine, server, engine.start_create(spec).result(30).job
        finally:
            engine.close()


def raising(error: BaseException) -> Callable[..., object]:
    def called(*_: object, **__: object) -> object:
        raise error

    return called


def film(folder: Path, share: float = 1.0) -> bytes:
    return cut(make_clip(folder / "film.mp4"), folder / "cut.mp4", share).read_bytes()


def until(what: str, holds: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.mark.usefixtures("one_film")
def test_videos_that_are_not_ready_hold_up_no_other(start: Callable[..., Engine]) -> None:
    """Ten wait for their next try, more than there are threads; another one is fetched meanwhile."""
    engine = start(content_retry_s=600.0, content_retry_max_s=600.0)
    stuck = [
        engine.start_wait(bought(engine, f"late [sandbox: notready=9, word={n}]").id, timeout=180) for n in range(10)
    ]
    until("all were tried", lambda: all(wait.fetch is not None and wait.fetch.tries == 1 for wait in stuck))
    assert "HTTP 404" in stuck[0].status
    good = engine.start_wait(bought(engine, "a boat").id, timeout=180)
    assert good.future.result(120).state is JobState.STORED
    assert not any(wait.future.done() for wait in stuck)


def test_a_file_that_is_there_waits_for_no_download(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running a graph again must not wait behind downloads of other jobs."""
    done = bought(engine, "a boat")
    engine.start_wait(done.id, timeout=30).future.result(30)
    free, taken = threading.Event(), threading.Semaphore(0)

    def slow(*_: object, **__: object) -> None:
        taken.release()
        free.wait(20)
        raise GatewayError("never mind", transient=False)

    monkeypatch.setattr(Client, "content", slow)
    for n in range(6):
        engine.start_wait(bought(engine, f"slow [sandbox: word={n}]").id, timeout=60)
    assert all(taken.acquire(timeout=10) for _ in range(FETCH_THREADS - 1))  # all that one gateway may have
    try:
        assert engine.start_wait(done.id, timeout=5).future.result(5).id == done.id
    finally:
        free.set()


def test_a_lapsed_video_is_marked_and_not_asked_for_again(start: Callable[..., Engine]) -> None:
    """By itself, that is: the list shows it, the rescue leaves it alone, and a new run of the user's tries it."""
    engine = start(expired_after_s=-1.0)
    job = bought(engine, "a boat [sandbox: expired]")
    with pytest.raises(DownloadExpiredError):
        engine.start_wait(job.id, timeout=30).future.result(30)
    job = engine.ledger.job(job.id)
    assert (job.state, job.standing) == (JobState.COMPLETED, "lapsed")
    assert "does not offer" in job.error
    assert "lapsed" in job.label
    assert start().background.begin() == 0
    with pytest.raises(DownloadExpiredError):
        engine.start_wait(job.id, timeout=30).future.result(30)


def test_a_lapsed_video_that_comes_back_is_stored(start: Callable[..., Engine]) -> None:
    """The gateway's support gave the link new life: the mark goes."""
    engine = start(expired_after_s=-1.0)
    job = bought(engine, "a boat [sandbox: notready=8]")
    with pytest.raises(DownloadExpiredError):
        engine.start_wait(job.id, timeout=30).future.result(30)
    assert engine.ledger.job(job.id).lapsed
    stored = engine.start_wait(job.id, timeout=30).future.result(30)
    assert (stored.standing, stored.error, stored.error_code) == ("stored", "", "")


def test_a_gateway_that_is_slow_to_offer_a_video_has_not_lost_it(start: Callable[..., Engine]) -> None:
    """It says 404 for longer than all tries take: within hours of its end that is no lapsed link, and the rescue comes
    back for it."""
    engine = start(rescan_s=0.05, background_retry_s=0.1)
    engine.background.begin()
    job = bought(engine, "a boat [sandbox: notready=20]")
    until("it is stored", lambda: engine.ledger.job(job.id).state is JobState.STORED)


PAGE = answer(200, b"<!doctype html>", [("Content-Type", "text/html")])
JSON = answer(200, {"error": {"message": "no such page"}})


@pytest.mark.parametrize(
    "content",
    [PAGE, JSON, answer(200, b"Not here"), answer(401), answer(501)],
    ids=["page", "json", "text", "401", "501"],
)
def test_the_address_is_used_where_the_content_call_gives_no_video(tmp_path: Path, content: bytes) -> None:
    """Whatever the call gives instead, and whether or not it says so (quirks 7 and 8)."""
    with gateway(tmp_path, content, answer(200, film(tmp_path))) as (engine, server, job):
        stored = engine.start_wait(job.id, timeout=30).future.result(30)
        assert stored.state is JobState.STORED
        assert sum(request.path.startswith("/signed") for request in server.requests) == 1


OUTAGES: dict[str, Script] = {
    **{str(status): answer(status) for status in (429, 500, 502, 503, 504)},
    "reset": reset,
    "hung up": hang_up,
    "silence": b"",
    "broken off": answer(200, bytes(500), length=10**6),
    "no http": b"220 mail ready\r\n",
}


@pytest.fixture
def outage(request: pytest.FixtureRequest) -> Iterator[tuple[Script, dict[str, str]]]:
    """What a way to the video does, by name, and the variables for it: silence has to end some time."""
    held: list[socket.socket] = []
    if request.param == "silence":
        yield lambda connection: held.append(connection.dup()), {"SORA_HTTP_TIMEOUT_SECONDS": "0.5"}
    else:
        yield OUTAGES[request.param], {}
    for connection in held:
        connection.close()


def asked(server: UglyServer, path: str) -> int:
    return sum(path in request.path for request in server.requests)


@pytest.mark.parametrize("outage", OUTAGES, indirect=True)
def test_the_address_gets_its_turn_when_the_content_call_is_broken(
    tmp_path: Path, outage: tuple[Script, dict[str, str]]
) -> None:
    """After its first failure, whatever that was, for which a connection that breaks is made up to four times."""
    good = answer(200, film(tmp_path))
    with gateway(tmp_path, outage[0], good, **outage[1]) as (engine, server, job):
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
        assert asked(server, "/content") <= 4
        assert asked(server, "/signed") == 1


@pytest.mark.parametrize("outage", OUTAGES, indirect=True)
def test_the_content_call_gets_its_turn_when_the_address_is_broken(
    tmp_path: Path, outage: tuple[Script, dict[str, str]]
) -> None:
    """The other way round: it was away for a moment only."""
    turns = iter([answer(502)])
    good = answer(200, film(tmp_path))

    def content(connection: socket.socket) -> None:
        connection.sendall(next(turns, good))

    with gateway(tmp_path, content, outage[0], **outage[1]) as (engine, server, job):
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
        assert asked(server, "/content") == 2


def test_an_address_that_has_lapsed_gives_up_no_video_during_an_outage(tmp_path: Path) -> None:
    """The content call is broken for more tries than a lapsed address is asked: the video may be there afterwards."""
    good = answer(200, film(tmp_path))
    turns = iter([answer(502)] * 2 * FAST.content_attempts)

    def content(connection: socket.socket) -> None:
        connection.sendall(next(turns, good))

    with gateway(tmp_path, content, answer(403)) as (engine, server, job):
        assert engine.start_wait(job.id, timeout=60).future.result(60).state is JobState.STORED
        assert asked(server, "/signed") > FAST.content_attempts


REFUSED = ["http://minio.internal/x.mp4", "https://10.0.0.5/x.mp4", "ftp://x/y.mp4"]


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.parametrize("first", [404, 500, 429])
def test_an_address_that_may_not_be_asked_ends_no_fetch(tmp_path: Path, first: int, url: str) -> None:
    """The content call was not ready, or away for a moment; the next time it has the video."""
    turns = iter([answer(first)] * 2)
    good = answer(200, film(tmp_path))

    def content(connection: socket.socket) -> None:
        connection.sendall(next(turns, good))

    with gateway(tmp_path, content, b"x", url=url) as (engine, _, job):
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED


@pytest.mark.parametrize("url", REFUSED[:2])
def test_an_address_that_may_not_be_asked_is_told_where_the_content_call_has_nothing(tmp_path: Path, url: str) -> None:
    """After all tries, with what its owner can do about it, and not as trouble at the gateway."""
    with gateway(tmp_path, answer(404), b"x", url=url) as (engine, server, job):
        error = engine.start_wait(job.id, timeout=30).future.exception(30)
        assert isinstance(error, NotOfferedError)
        assert (error.kind, error.job) == ("link_lapsed", job.id)
        assert ("[downloads] ranges" in error.hint) == ("10.0.0.5" in url)
        assert "in trouble" not in str(error)
        assert asked(server, "/content") == FAST.content_attempts / 2
        assert not engine.ledger.job(job.id).lapsed


def test_what_one_way_brought_is_not_continued_by_the_other(tmp_path: Path) -> None:
    """Two thirds came from the content call; the address has another file, and would send the rest of that one."""
    whole = film(tmp_path)
    other = answer(206, bytes(len(whole) // 3), [("Content-Range", f"bytes {len(whole) * 2 // 3}-{len(whole) - 1}/*")])
    broken = answer(200, whole[: len(whole) * 2 // 3], [("ETag", '"one"')], length=len(whole))

    def address(connection: socket.socket) -> None:
        connection.sendall(other if "range" in server.requests[-1].headers else answer(200, whole))

    with gateway(tmp_path, broken, address) as (engine, server, job):
        stored = engine.start_wait(job.id, timeout=30).future.result(30)
        assert engine.path(stored).read_bytes() == whole
        assert any("range" in request.headers for request in server.requests if "/content" in request.path)


@pytest.mark.parametrize("url", ["/signed?sig=1", " /signed?sig=1\n", "./signed.mp4", "signed.mp4"])
def test_an_address_without_a_host_is_the_gateways_own(tmp_path: Path, url: str) -> None:
    """Joined to its origin, and asked without the key as every address is."""
    with gateway(tmp_path, answer(404), answer(200, film(tmp_path)), url=url) as (engine, server, job):
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
        (signed,) = [request for request in server.requests if request.path.startswith("/signed")]
        assert "authorization" not in signed.headers


@pytest.mark.parametrize(
    "body",
    ['{"url":"%s"}', '{"data":{"video_url":" %s "}}', '"%s"', "%s\n", '[{"url":"/signed"}]', '{"url":"/signed"}'],
)
@pytest.mark.parametrize("kind", ["application/json", "video/mp4"])
def test_an_address_in_place_of_the_video_is_followed(tmp_path: Path, body: str, kind: str) -> None:
    """Whatever it is called, and in the same try; without the key."""
    good = answer(200, film(tmp_path))

    def content(connection: socket.socket) -> None:
        text = body % f"{server.url}/signed" if "%s" in body else body
        connection.sendall(answer(200, text.encode(), [("Content-Type", kind)]))

    with gateway(tmp_path, content) as (engine, server, job):
        server.signed = good  # type: ignore[attr-defined]
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
        assert asked(server, "/content") == 1
        assert "authorization" not in server.requests[-1].headers


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_video_that_comes_compressed_is_unpacked(tmp_path: Path, coding: str) -> None:
    """Byte for byte; one that breaks off is fetched anew, since a range of it is none of the video's."""
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(coding)
    pack = pack or pytest.importorskip("brotli", "1.2").compress
    whole = film(tmp_path)
    packed = pack(whole)
    headers = [("Content-Encoding", coding), ("ETag", '"packed"')]
    turns = iter([answer(200, packed[: len(packed) // 2], headers, length=len(packed))])

    def content(connection: socket.socket) -> None:
        connection.sendall(next(turns, answer(200, packed, headers)))

    with gateway(tmp_path, content) as (engine, server, job):
        stored = engine.start_wait(job.id, timeout=30).future.result(30)
        assert engine.path(stored).read_bytes() == whole
        assert not any("range" in request.headers for request in server.requests)


SLOW = {"too little at a time": {"download_stall_s": 0.2}, "for too long": {"download_max_s": 0.2}}


@pytest.mark.parametrize("name", SLOW)
def test_a_download_that_is_too_slow_is_broken_off_and_taken_up(tmp_path: Path, name: str) -> None:
    """The row says why when nobody waits any more; what arrived is not fetched again."""
    whole, quickly = film(tmp_path) + (200_000).to_bytes(4, "big") + b"free" + bytes(199_992), threading.Event()

    def content(connection: socket.socket) -> None:
        at = int(server.requests[-1].headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        span = [("Content-Range", f"bytes {at}-{len(whole) - 1}/{len(whole)}"), ("ETag", '"one"')]
        connection.sendall(answer(206 if at else 200, b"", span[not at :], length=len(whole) - at))
        for start in range(at, len(whole), 1000):
            connection.sendall(whole[start : start + 1000])
            quickly.wait(0.03)

    with gateway(tmp_path, content, timing=replace(FAST, **SLOW[name])) as (engine, server, job):
        with failing(WaitTimeoutError, "download_timeout"):
            engine.start_wait(job.id, timeout=0.5).future.result(30)
        until("it is given up", lambda: engine.ledger.job(job.id).error_code == "too_slow")
        assert re.search(WORDING["too_slow"], engine.ledger.job(job.id).error)
        quickly.set()
        stored = engine.start_wait(job.id, timeout=30).future.result(30)
        assert engine.path(stored).read_bytes() == whole
        assert "range" in server.requests[-1].headers


def test_a_video_that_cannot_be_unpacked_is_fetched_from_its_address(tmp_path: Path) -> None:
    """What is wrong is told; where there is no address it ends after all tries."""
    packed = answer(200, b"(\xb5/\xfd" + bytes(100), [("Content-Encoding", "zstd")])
    with gateway(tmp_path, packed, answer(200, film(tmp_path))) as (engine, _, job):
        assert engine.start_wait(job.id, timeout=30).future.result(30).state is JobState.STORED
    (tmp_path / "other").mkdir()
    with gateway(tmp_path / "other", packed) as (engine, _, job), failing(DownloadExpiredError, "", "'zstd'"):
        engine.start_wait(job.id, timeout=30).future.result(30)


@pytest.mark.parametrize(
    "content",
    [PAGE, JSON, answer(200, b"Not here"), answer(400), answer(501)],
    ids=["page", "json", "text", "400", "501"],
)
def test_a_gateway_that_never_gives_a_video_is_given_up(tmp_path: Path, content: bytes) -> None:
    """After all tries, in words, and not only at the deadline; a page that it shows for a while is no lapsed link."""
    with gateway(tmp_path, content, timing=replace(FAST, expired_after_s=-1.0)) as (engine, server, job):
        said_so = content.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
        named = content[9:12].decode() if said_so else "not a video"
        with failing(DownloadExpiredError, "lapsed" if said_so else "", named):
            engine.start_wait(job.id, timeout=60).future.result(30)
        assert sum("/content" in request.path for request in server.requests) == FAST.content_attempts
        assert engine.ledger.job(job.id).lapsed == said_so


@pytest.mark.parametrize(("long_ago", "status"), [(False, 403), (True, 400), (True, 401), (True, 403)])
def test_a_signed_address_that_says_no_has_lapsed(tmp_path: Path, long_ago: bool, status: int) -> None:
    """The gateway is asked for a new one each time; if that does not help, neither would another key, and long after
    its end the rescue leaves it alone."""
    timing = replace(FAST, expired_after_s=-1.0 if long_ago else 3600.0)
    with gateway(tmp_path, answer(404), answer(status, b"<Error/>"), timing=timing) as (engine, server, job):
        with pytest.raises(DownloadExpiredError) as caught:
            engine.start_wait(job.id, timeout=60).future.result(30)
        assert "key" not in caught.value.message + caught.value.hint  # an id may have these letters
        looks = [request.path for request in server.requests if request.path.endswith("/video_1")]
        assert len(looks) >= FAST.content_attempts
        row = engine.ledger.job(job.id)
        assert (row.state, row.lapsed) == (JobState.COMPLETED, long_ago)


@pytest.mark.parametrize("status", [401, 403])
def test_a_content_call_that_refuses_a_key_which_was_accepted_is_asked_again(tmp_path: Path, status: int) -> None:
    """The create was taken with that very key, and there is no other address: the refusal is shown, and told at the
    deadline; meanwhile the video may come."""
    with gateway(tmp_path, answer(status)) as (engine, server, job):
        with failing(WaitTimeoutError, "download_timeout", f"HTTP {status}"):
            engine.start_wait(job.id, timeout=1).future.result(30)
        wait = engine.start_wait(job.id, timeout=60)
        until("it is shown", lambda: f"HTTP {status}" in wait.status)
        server.content = answer(200, film(tmp_path))  # type: ignore[attr-defined]
        assert wait.future.result(30).state is JobState.STORED


def test_a_key_that_was_never_accepted_ends_the_wait(tmp_path: Path) -> None:
    """Another process bought it: here it is the key that the provider does not take."""
    with gateway(tmp_path, answer(401)) as (engine, _, job):
        engine.ledger.observed(job.id, RemoteVideo(id="video_1", phase="done"))
        again = Engine(engine.settings.home, engine.settings.output, env=engine.settings.env)
        try:
            with failing(GatewayError, "") as caught:
                again.start_wait(job.id, timeout=60).future.result(30)
            assert (caught.value.http_status, caught.value.kind) == (401, "bad_key")
            assert "key" in caught.value.hint
        finally:
            again.close()


WALL = b"<html><head><title>Access denied</title></head></html>"
REFUSALS = [answer(401), answer(403, {"error": {"message": "no"}}), answer(403, WALL), answer(405, WALL), answer(402)]


def test_polls_that_refuse_a_key_which_was_accepted_are_asked_again(tmp_path: Path) -> None:
    """Right after a create that was taken with that very key it is a gateway that is being changed, or a firewall: the
    refusal is shown and does not end the wait."""
    polls = iter([*REFUSALS, answer(200, {"id": "video_1", "status": "completed"})])
    with gateway(tmp_path, answer(200, film(tmp_path)), polls=lambda: next(polls)) as (engine, _, job):
        seen: set[str] = set()
        wait = engine.start_wait(job.id, timeout=60)
        until("it is stored", lambda: wait.future.done() or seen.add(wait.status))
        assert wait.future.result(0).state is JobState.STORED
        assert any("HTTP 40" in status for status in seen)


def test_a_poll_that_goes_on_refusing_the_key_is_told_at_the_deadline(tmp_path: Path) -> None:
    """With what the gateway said."""
    with gateway(tmp_path, b"", polls=lambda: answer(403, WALL)) as (engine, _, job):
        with failing(WaitTimeoutError, "wait_timeout", "HTTP 403"):
            engine.start_wait(job.id, timeout=1).future.result(30)
        assert engine.ledger.job(job.id).state is JobState.SUBMITTED


def test_polls_with_a_key_that_was_never_accepted_end_the_wait(tmp_path: Path) -> None:
    """Of a job that was opened by its id, say."""
    with gateway(tmp_path, b"", polls=lambda: answer(401)) as (engine, server, _):
        opened = engine.ledger.adopt("mine", server.url, "video_9")
        again = Engine(engine.settings.home, engine.settings.output, env=engine.settings.env)
        try:
            with failing(GatewayError, "") as caught:
                again.start_wait(opened.id, timeout=60).future.result(30)
            assert (caught.value.http_status, caught.value.kind) == (401, "bad_key")
            assert "key" in caught.value.hint
        finally:
            again.close()


@pytest.mark.parametrize("status", [500, 502])
def test_an_outage_while_fetching_is_waited_out(tmp_path: Path, status: int) -> None:
    """The video is paid for: the line may be away for as long as somebody waits."""
    turns = iter([answer(status)] * 15)
    good = answer(200, film(tmp_path))
    with gateway(tmp_path, lambda connection: connection.sendall(next(turns, good))) as (engine, server, job):
        assert engine.start_wait(job.id, timeout=60).future.result(60).state is JobState.STORED
        assert asked(server, "/content") == 16


class Broken(Timing):
    """Its first pause between two tries meets a bug."""

    bugs: ClassVar[list[BaseException]] = []

    def content_delay_s(self, failed: int) -> float:
        if self.bugs:
            raise self.bugs.pop()
        return 0.001


@pytest.mark.parametrize("bug", [OverflowError("too large"), SystemExit(1)], ids=repr)
def test_a_bug_between_two_tries_ends_the_fetch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bug: BaseException
) -> None:
    """In words and in the log; who comes later begins another one, instead of waiting for what nobody does."""
    turns = iter([answer(404)])
    good = answer(200, film(tmp_path))
    timing = Broken()
    timing.bugs[:] = [bug]
    with gateway(tmp_path, lambda line: line.sendall(next(turns, good)), timing=timing) as (engine, _, job):
        wait = engine.start_wait(job.id, timeout=30)
        with pytest.raises(NotFinishedError) as caught:
            wait.future.result(20)
        assert (caught.value.job, caught.value.charge) == (job.id, "charged")
        assert (job.id in caplog.text, repr(bug)[:8] in caplog.text) == (True, True)
        again = engine.start_wait(job.id, timeout=30)
        assert again.future.result(30).state is JobState.STORED
        assert again.fetch is not wait.fetch


def test_a_silent_gateway_holds_up_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls and downloads that hang at one leave room for the jobs of another."""
    free, hung = threading.Event(), threading.Semaphore(0)
    retrieve = Client.retrieve

    def silent(self: Client, video_id: str) -> RemoteVideo:
        if self.provider.name == "cometapi":
            hung.release()
            free.wait(30)
            raise GatewayError("nothing came")
        return retrieve(self, video_id)

    monkeypatch.setattr(Client, "retrieve", silent)
    monkeypatch.setenv("COMETAPI_KEY", "sk-test-key-123")
    try:
        for number in range(POLL_THREADS + 2):
            job = engine.ledger.adopt("cometapi", "https://api.cometapi.com", f"video_{number}")
            engine.start_wait(job.id, timeout=60)
        assert all(hung.acquire(timeout=10) for _ in range(POLL_THREADS - 1))
        assert engine.start_wait(bought(engine, "a boat").id, timeout=30).future.result(30).state is JobState.STORED
    finally:
        free.set()


def test_a_cut_video_is_the_last_resort_and_is_fetched_anew(tmp_path: Path) -> None:
    """What a proxy cuts off is not taken at once; after all tries it is better than nothing, and says so; the next run
    gets the whole one."""
    part = film(tmp_path, 2 / 3)
    with gateway(tmp_path, answer(200, part)) as (engine, server, job):
        stored = engine.start_wait(job.id, timeout=60).future.result(60)
        assert asked(server, "/content") == FAST.content_attempts
        assert (stored.state, stored.error_code, stored.bytes) == (JobState.STORED, "cut_short", len(part))
        assert "only a part" in stored.error
        again = engine.start_wait(job.id, timeout=60).future.result(60)  # no better, and not worse
        assert (again.bytes, asked(server, "/content")) == (len(part), FAST.content_attempts + 1)
        server.content = answer(200, film(tmp_path))  # type: ignore[attr-defined]
        whole = engine.start_wait(job.id, timeout=60).future.result(60)
        assert (whole.error, whole.error_code) == ("", "")
        assert (whole.bytes or 0) > len(part)
        assert engine.path(whole).stat().st_size == whole.bytes


@pytest.mark.parametrize("lapsed", [403, 404, 410])
@pytest.mark.parametrize("cut_one", ["call", "address"])
def test_the_last_try_is_made_where_a_cut_video_came_from(tmp_path: Path, cut_one: str, lapsed: int) -> None:
    """The other way has lapsed: a part of what was paid for is not lost because the last turn is that one's."""
    part, gone = answer(200, film(tmp_path, 0.9)), answer(lapsed)
    ways = (part, gone) if cut_one == "call" else (gone, part)
    with gateway(tmp_path, *ways) as (engine, _, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (done.state, done.error_code) == (JobState.STORED, "cut_short")


@pytest.mark.parametrize(("end", "fetched", "code"), [(b"free", 1, ""), (b"uuid", FAST.content_attempts, "cut_short")])
def test_a_video_of_which_only_the_end_behind_its_frames_is_missing_is_stored(
    tmp_path: Path, end: bytes, fetched: int, code: str
) -> None:
    """At once where it can be read; else as one that is cut off, after all tries."""
    with gateway(tmp_path, answer(200, film(tmp_path) + b"\0\0\x10\0" + end + bytes(10))) as (engine, server, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (done.state, done.error_code, asked(server, "/content")) == (JobState.STORED, code, fetched)


@pytest.mark.parametrize("cut_one", ["call", "address"])
def test_a_cut_video_is_taken_though_the_other_way_is_away_for_good(tmp_path: Path, cut_one: str) -> None:
    """An address that was never right, say. The part is fetched in full at each try: not until the deadline."""
    part, away = answer(200, film(tmp_path, 0.9)), answer(503)
    ways = (part, away) if cut_one == "call" else (away, part)
    with gateway(tmp_path, *ways) as (engine, server, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (done.state, done.error_code) == (JobState.STORED, "cut_short")
        assert asked(server, "/content" if cut_one == "call" else "/signed") <= 2 * FAST.content_attempts


def test_an_address_that_is_gone_is_asked_for_again_in_the_background(tmp_path: Path) -> None:
    """Its 410 is about that address, and the gateway may give another one; within hours nothing is taken for gone."""
    with gateway(tmp_path, answer(404), answer(410)) as (engine, _, job):
        with pytest.raises(DownloadExpiredError):
            engine.start_wait(job.id, timeout=30).future.result(30)
        assert not engine.ledger.job(job.id).lapsed


@pytest.mark.parametrize("gone", ["key", "provider", "room"])
def test_a_cut_video_can_be_used_though_it_cannot_be_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Whatever the new attempt ends with, the file is there."""
    with gateway(tmp_path, answer(200, film(tmp_path))) as (engine, server, job):
        kept = engine.start_wait(job.id, timeout=30).future.result(30)
        place = {"path": kept.path, "root": kept.root, "sha256": kept.sha256, "size": kept.bytes or 0}
        engine.ledger.stored(job.id, **place, whole=False)
        if gone == "key":
            engine.settings.env.pop("MINE_KEY")  # type: ignore[attr-defined]
        elif gone == "provider":
            (engine.settings.home / "providers.toml").unlink()
        else:
            server.content = answer(200, film(tmp_path) + b"\0\0\0\x08free")  # type: ignore[attr-defined]
            monkeypatch.setattr(os, "fsync", raising(OSError(errno.ENOSPC, "No space left on device")))
        assert engine.path(engine.start_wait(job.id, timeout=30).future.result(30)) == engine.path(kept)
        engine.path(kept).unlink()
        with pytest.raises((InvalidInputError, StorageError)):
            engine.start_wait(job.id, timeout=30).future.result(30)


def test_a_better_copy_that_a_player_keeps_from_its_place_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows renames nothing over a file that is open. The cut one is handed out, with what keeps the whole one from
    its place; that is kept, and takes it without another download once the player is closed."""
    rename, sleep = Path.replace, time.sleep

    def held_open(source: Path, target: Path) -> Path:
        if target.suffix == ".mp4":
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(source, target)

    with gateway(tmp_path, answer(200, film(tmp_path, 0.7)), timing=AT_ONCE) as (engine, server, job):
        kept = engine.start_wait(job.id, timeout=30).future.result(30)
        server.content = answer(200, film(tmp_path))  # type: ignore[attr-defined]
        with monkeypatch.context() as windows:
            windows.setattr(Path, "replace", held_open)
            windows.setattr(time, "sleep", lambda _: sleep(0.001))  # for some seconds the player might have closed it
            held = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (held.state, held.error_code, held.bytes) == (JobState.STORED, "cut_short", kept.bytes)
        assert all(part in held.error for part in (kept.error, "Another program has it open", "player"))
        fetched = sum("/content" in one.path for one in server.requests)
        whole = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (whole.error, whole.error_code, whole.path) == ("", "", kept.path)
        assert (whole.bytes or 0) > (kept.bytes or 0)
        assert sum("/content" in one.path for one in server.requests) - fetched <= 1  # what is there, and no more


def test_a_cut_video_whose_row_was_not_written_counts_as_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died between the rename and the ledger: whoever finds the file looks into it."""
    with gateway(tmp_path, answer(200, film(tmp_path, 0.7)), timing=AT_ONCE) as (engine, _, job):
        with monkeypatch.context() as dying:
            dying.setattr(engine.ledger, "stored", raising(KeyboardInterrupt()))
            with failing(NotFinishedError, "unexpected_error", "KeyboardInterrupt"):
                engine.start_wait(job.id, timeout=30).future.result(30)
        assert len(list(engine.settings.output.rglob("*.mp4"))) == 1
        stored = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (stored.state, stored.error_code) == (JobState.STORED, "cut_short")


def test_a_fetch_for_which_no_thread_can_be_had_fails(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the next one who waits begins anew instead of waiting for what nobody does."""
    job, real = bought(engine, "a boat"), threading.Thread.start

    def none_to_fetch(thread: threading.Thread) -> None:
        if thread.name.startswith("sora-fetch"):
            raise RuntimeError("can't start new thread")
        real(thread)

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", none_to_fetch)
        first = engine.start_wait(job.id, timeout=600)
        with failing(NotFinishedError, "no_thread", "can't start new thread") as caught:
            first.future.result(20)
        assert caught.value.job == job.id
    again = engine.start_wait(job.id, timeout=30)
    assert again.future.result(30).state is JobState.STORED
    assert again.fetch is not first.fetch


def test_one_who_comes_when_a_fetch_is_being_given_up_gets_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waited for it any more, and it met an outage: that is not the answer for the one who has just come."""
    waits, joined, good = [], [], answer(200, film(tmp_path))

    def away_once(connection: socket.socket) -> None:
        if asked(server, "/content") == 1:
            until("it is waited for", lambda: waits)
            waits[0].cancel()
            connection.sendall(answer(502))
        else:
            connection.sendall(good)

    with gateway(tmp_path, away_once) as (engine, server, job):
        real = engine.ledger.not_fetched

        def given_up(job_id: str, error: GatewayError) -> Job:
            joined.append(engine.start_wait(job_id, timeout=60))
            until("it has joined", lambda: joined[0].fetch is not None)
            return real(job_id, error)

        monkeypatch.setattr(engine.ledger, "not_fetched", given_up)
        waits.append(engine.start_wait(job.id, timeout=60))
        until("it is given up", lambda: joined)
        assert joined[0].future.result(30).state is JobState.STORED
        assert asked(server, "/content") == 2


def test_waits_end_when_the_program_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits without a deadline of his own is told; and a silent gateway does not hold up the end."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.05")
    engine = Engine(tmp_path / "home", tmp_path / "output")
    free = threading.Event()
    job = bought(engine, "a boat [sandbox: slow=60]")
    monkeypatch.setattr(Client, "retrieve", lambda *_: free.wait(20))
    waits = [engine.start_wait(job.id, timeout=600) for _ in range(3)]
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 10
    free.set()
    for wait in waits:
        with failing(NotFinishedError, "closing"):
            wait.future.result(1)


def test_a_wait_that_was_cancelled_before_it_began_watches_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the thread that begins waits was busy."""
    job, read = bought(engine, "a boat [sandbox: slow=60]"), engine.ledger.job
    begun, go_on = threading.Event(), threading.Event()

    def slowly(job_id: str) -> Job:
        begun.set()
        assert go_on.wait(10)
        return read(job_id)

    with monkeypatch.context() as busy:
        busy.setattr(engine.ledger, "job", slowly)
        waits = [engine.start_wait(job.id, timeout=600) for _ in range(2)]  # the second one has not begun at all
        assert begun.wait(10)
        for wait in waits:
            wait.cancel()
        go_on.set()
        last = engine.start_wait(job.id, timeout=600)
        until("the one thread came to the last of them", lambda: last.entry is not None)
    assert [wait.entry for wait in waits] == [None, None]


@pytest.mark.parametrize("when", ["rendering", "downloading"])
def test_a_laptop_that_slept_gets_its_video(tmp_path: Path, when: str) -> None:
    """For hours, while it was rendered or downloaded, by a clock that goes on: the time asleep is no time waited."""
    finished, arrived, asked = threading.Event(), threading.Event(), threading.Event()
    whole = film(tmp_path)

    def content(connection: socket.socket) -> None:
        asked.set()
        assert arrived.wait(30)
        connection.sendall(answer(200, whole))

    def state() -> bytes:
        word = "completed" if finished.is_set() else "in_progress"
        return answer(200, {"id": "video_1", "object": "video", "status": word})

    asleep_s = [0.0]
    timing = replace(FAST, monotonic=lambda: time.monotonic() + asleep_s[0], clock_check_s=0.05)
    with gateway(tmp_path, content, polls=state, timing=timing) as (engine, _, job):
        wait = engine.start_wait(job.id, timeout=120)
        if when == "downloading":
            finished.set()
            assert asked.wait(30)
        else:
            until("it was looked at", lambda: wait.entry is not None and wait.entry.job.remote_status == "in_progress")
        asleep_s[0] += 4 * 3600
        finished.set()
        arrived.set()
        assert wait.future.result(30).state is JobState.STORED


def test_a_failed_watch_leaves_its_claim(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the key gives the job up, and one that has it can take it at once."""
    job = bought(engine, "a boat [sandbox: slow=60]")

    def refused(*_: object) -> RemoteVideo:
        raise GatewayError("HTTP 401", transient=False, http_status=401)

    monkeypatch.setattr(Client, "retrieve", refused)
    with pytest.raises(GatewayError):
        engine.start_wait(job.id, timeout=60).future.result(30)
    other = Ledger(engine.settings.home)
    until("the claim is free", lambda: Leases(other.database).take(job.id), 5)
    other.close()


def test_what_failed_in_the_background_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a rest, until it is here; the log says each reason once."""
    real, full = os.fsync, iter([OSError(errno.ENOSPC, "no room")] * 3)

    def fsync(descriptor: int) -> None:
        for error in full:
            raise error
        real(descriptor)

    timing = replace(FAST, rescan_s=0.05, background_retry_s=0.1)
    on = {"SORA_BACKGROUND_DOWNLOADS": "1"}
    with (
        caplog.at_level(logging.INFO, "sora"),
        gateway(tmp_path, answer(200, film(tmp_path)), timing=timing, **on) as (engine, _, job),
    ):
        monkeypatch.setattr(os, "fsync", fsync)
        engine.background.begin()
        until("it is stored", lambda: engine.ledger.job(job.id).state is JobState.STORED)
        until("and told", lambda: "was fetched in the background" in caplog.text)
        assert list(full) == []
    assert caplog.text.count("could not be fetched in the background") == caplog.text.count("no room") == 1


def test_every_purchase_is_looked_after(engine: Engine) -> None:
    """Where the rescue was begun (in ComfyUI), a video comes even if its graph ended before anyone waited for it."""
    assert engine.background.begin() == 0
    job = bought(engine, "nobody waits")
    until("it is stored", lambda: engine.ledger.job(job.id).state is JobState.STORED)


def test_a_job_that_another_process_left_is_found_later(start: Callable[..., Engine]) -> None:
    """The search is repeated: a command line that was closed leaves its job to the ComfyUI beside it."""
    engine = start(rescan_s=0.05)
    engine.background.begin()
    bought(engine, "the first purchase")
    shell = start()
    job = bought(shell, "from the shell [sandbox: slow=0.3]")
    assert shell.ledger.job(job.id).state is JobState.SUBMITTED
    shell.close()
    until("it is stored", lambda: engine.ledger.job(job.id).state is JobState.STORED)


def test_a_ledger_that_is_away_for_a_moment_ends_no_wait(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it renders nor while it is fetched."""
    calls: list[str] = []

    def away_at_times(real: Callable[..., Job]) -> Callable[..., Job]:
        def called(job: str, *given: object) -> Job:
            calls.append(job)
            if len(calls) % 3 == 0:
                raise LedgerError("the database is away")
            return real(job, *given)

        return called

    wait = engine.start_wait(bought(engine, "a boat [sandbox: slow=0.3]").id, timeout=60)
    until("it is watched", lambda: wait.entry is not None)
    for name in ("job", "observed"):
        monkeypatch.setattr(engine.ledger, name, away_at_times(getattr(engine.ledger, name)))
    assert wait.future.result(30).state is JobState.STORED
    assert len(calls) >= 4


def test_a_ledger_that_cannot_be_read_never_says_that_nothing_was_spent(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits has bought."""

    def away(_: str) -> Job:
        raise LedgerError("the database is away")

    job = bought(engine, "a boat")
    monkeypatch.setattr(engine.ledger, "job", away)
    with pytest.raises(LedgerError) as caught:
        engine.start_wait(job.id, timeout=30).future.result(30)
    assert caught.value.charge == "charged"


@pytest.mark.usefixtures("one_film")
def test_threads_are_few_however_many_wait(engine: Engine) -> None:
    """Buying, polling, fetching and searching together, with the two of the nodes: fewer than twenty."""
    engine.background.begin()
    futures = [
        engine.start_create(VideoRequest(prompt=f"many [sandbox: slow=0.5, word={n}]", **SPEC)) for n in range(30)
    ]
    waits = [engine.start_wait(future.result(30).job.id, timeout=180) for future in futures]
    most = 0
    while not all(wait.future.done() for wait in waits):
        names = [thread.name for thread in threading.enumerate()]
        most = max(most, sum(name.startswith("sora-") and "sandbox" not in name for name in names))
        time.sleep(0.005)
    assert 10 < most + 2 < 20
    assert {wait.future.result(0).state for wait in waits} == {JobState.STORED}


def test_each_who_waits_gets_an_error_of_their_own(tmp_path: Path) -> None:
    """For one download that fails: what one of them does with it is not seen by the other, and tracebacks do not
    grow."""
    with gateway(tmp_path, answer(404, {"error": "none"})) as (engine, _, job):
        waits = [engine.start_wait(job.id, timeout=30) for _ in range(3)]
        errors = [wait.future.exception(30) for wait in waits]
    assert {type(error) for error in errors} == {DownloadExpiredError}
    assert len({id(error) for error in errors}) == 3
    assert len({str(error) for error in errors}) == 1


@pytest.mark.parametrize("bug", [TypeError("no such keyword"), MemoryError()], ids=repr)
def test_a_bug_while_fetching_is_told_as_ours(tmp_path: Path, bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its job, and as something to run again: it is paid for."""
    monkeypatch.setattr(Client, "content", raising(bug))
    with gateway(tmp_path, b"") as (engine, _, job):
        error = engine.start_wait(job.id, timeout=30).future.exception(30)
        assert isinstance(error, NotFinishedError)
        assert (error.job, error.charge, error.__cause__) == (job.id, "charged", bug)
        assert repr(bug) in engine.ledger.job(job.id).error


def test_a_provider_that_sends_webm_is_stored_as_that(tmp_path: Path) -> None:
    """Under its own suffix, with a second name and a receipt of its own; its frames are read from there."""
    webm = coded(tmp_path / "sent.webm", "libvpx").read_bytes()
    with gateway(tmp_path, answer(200, webm)) as (engine, server, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        file = engine.path(done)
        assert (file.suffix, file.read_bytes(), done.error) == (".webm", webm, "")
        assert engine.files.link(done, file.parent / "shots" / "boat.webm").read_bytes() == webm
        assert file.with_suffix(".json").is_file()
        assert len(load_frames(file).pixels)
        file.unlink()
        asked = len(server.requests)
        assert engine.path(engine.start_wait(job.id, timeout=30).future.result(30)) == file
        assert len(server.requests) > asked


def test_what_plays_at_all_is_stored_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is broken must not leave a paid video behind as a `.part`."""
    monkeypatch.setattr("sora_jobs.media.delivered._described", raising(AttributeError("no such field")))
    with gateway(tmp_path, answer(200, film(tmp_path))) as (engine, _, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        assert (done.state, done.error_code) == (JobState.STORED, "")
        assert f"{engine.path(done).name} could not be checked" in done.error
        assert ".part" not in done.error
        assert engine.history.row(done)["warning"] == done.error
        assert not list(tmp_path.rglob("*.part"))


def test_a_video_that_cannot_be_decoded_here_is_described_without_its_frames(tmp_path: Path) -> None:
    """It may play elsewhere: nothing ends in an error, nor advises to delete what was paid for."""
    unknown = film(tmp_path).replace(b"avc1", b"zzz1")
    with gateway(tmp_path, answer(200, unknown)) as (engine, _, job):
        done = engine.start_wait(job.id, timeout=30).future.result(30)
        told = described(engine, done)
        assert (told["frames"], told["width"], told["fps"], told["has_audio"]) == (0, 0, 0, False)
        assert (told["path"], told["warning"]) == (str(engine.path(done)), done.error)
        assert "no decoder" in done.error
        with failing(MediaError, "no_decoder") as caught:
            load_frames(engine.path(done))
        assert "delete" not in str(caught.value)
