"""Money on a gateway that misbehaves: what is sent again, what never is, and what the ledger says afterwards."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import trustme
from sora_jobs.config.budget import Budget
from sora_jobs.config.extra_fields import REFUSED
from sora_jobs.config.keys import write_key
from sora_jobs.config.timing import Timing
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    JobFailedError,
    LedgerError,
    MissingKeyError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    StorageError,
    UnreachableError,
)
from sora_jobs.gateway import client
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.queue import TAKEN_OVER
from sora_jobs.util import disk
from sora_jobs.util.disk import LONGEST_PATH

from ..failures import failing
from ..timings import FAST
from ..trust.lines import stop_listening
from .ugly import Script, UglyServer, answer, hang_up, reset

SPEC = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
ACCEPTED = answer(200, {"id": "video_1", "status": "queued", "progress": 0})
BUSY = answer(429, {"error": {"message": "busy", "code": "rate_limit_exceeded"}}, [("Retry-After", "0")])


class Bench:
    """An engine in a folder of its own, talking to one ugly server."""

    def __init__(self, folder: Path, base_url: str, *, timing: Timing = FAST, **env: str) -> None:
        self.env = {"COMETAPI_KEY": "sk-test-key-123", "COMETAPI_BASE_URL": base_url, "SORA_POLL_SECONDS": "0.01"} | env
        self.home = folder / "home"
        self.engine = Engine(self.home, folder / "output", env=self.env, timing=timing)

    def buy(self, spec: VideoRequest = SPEC) -> object:
        return self.engine.start_create(spec).result(30)

    def only_job(self) -> object:
        (job,) = self.engine.ledger.jobs()
        return job


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Bench, UglyServer]]:
    with UglyServer(request.param) as server:
        made = Bench(tmp_path, server.url)
        yield made, server
        made.engine.close()


def scripted(*answers: Script) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bench", [list(answers)], indirect=True)


@scripted(ACCEPTED)
def test_the_form_is_multipart_and_whole(bench: tuple[Bench, UglyServer]) -> None:
    """Prompt, model, length and size as text fields, the reference as a PNG with name and type, the key as bearer."""
    made, server = bench
    pixels = np.full((100, 200, 3), (250, 100, 0), np.uint8)
    submission = made.buy(dataclasses.replace(SPEC, references=(Reference(pixels),)))
    (sent,) = server.requests
    assert (sent.method, sent.path) == ("POST", "/v1/videos")
    assert sent.headers["authorization"] == "Bearer sk-test-key-123"
    assert sent.headers["content-type"].startswith("multipart/form-data")
    for part in (b'name="seconds"\r\n\r\n4\r\n', b'name="size"\r\n\r\n1280x720\r\n', b'name="model"\r\n\r\nsora-2\r\n'):
        assert part in sent.body
    assert b'name="input_reference"; filename="reference_1.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in sent.body
    assert submission.images[0].shape == (720, 1280, 3)
    assert submission.images[0].dtype == np.uint8
    assert (made.home / "references" / submission.job.references[0]).read_bytes().startswith(b"\x89PNG")


@scripted(ACCEPTED)
def test_the_same_is_bought_once(bench: tuple[Bench, UglyServer]) -> None:
    """Run again, also by another process on the same ledger, it joins the job; another take is another purchase."""
    made, server = bench
    first, again = made.buy(), made.buy()
    assert (first.job.id, first.reused, again.reused) == (again.job.id, False, True)
    twin = Engine(made.home, made.home, env=made.env)
    assert twin.start_create(SPEC).result(30).job.id == first.job.id
    twin.close()
    assert server.count("POST") == 1
    assert made.buy(dataclasses.replace(SPEC, take=2)).job.id != first.job.id
    assert server.count("POST") == 2


def test_identical_calls_at_the_same_moment_buy_once(tmp_path: Path) -> None:
    """Two identical nodes in one graph: the second waits for the answer that the first one gets."""
    released = threading.Event()

    def slowly(connection: object) -> None:
        released.wait(5)
        connection.sendall(ACCEPTED)

    with UglyServer([slowly]) as server:
        made = Bench(tmp_path, server.url)
        futures = [made.engine.start_create(SPEC) for _ in range(6)]
        released.set()
        wait_for(futures, 20)
        assert len({future.result().job.id for future in futures}) == 1
        assert server.count("POST") == 1
        made.engine.close()


@scripted(BUSY, BUSY, ACCEPTED)
def test_a_readable_not_now_is_tried_again(bench: tuple[Bench, UglyServer]) -> None:
    """An explicit 429 means that nothing exists yet; the gateway's own pace is kept."""
    made, server = bench
    assert made.buy().job.state is JobState.SUBMITTED
    assert server.count("POST") == 3


@scripted(BUSY)
def test_a_gateway_that_stays_busy_is_given_up(bench: tuple[Bench, UglyServer]) -> None:
    """After five tries it counts as refused, and the same may be sent again later."""
    made, server = bench
    with pytest.raises(RequestRejectedError):
        made.buy()
    assert server.count("POST") == 5
    assert made.only_job().state is JobState.REFUSED


def busy_for(seconds: str) -> bytes:
    return answer(429, {"error": {"message": "busy", "code": "rate_limit_exceeded"}}, [("Retry-After", seconds)])


def test_the_gateways_own_pace_is_not_shortened(tmp_path: Path) -> None:
    """A create that comes too early is refused again, and some gateways count that."""
    ahead_s = [0.0]
    timing = dataclasses.replace(FAST, monotonic=lambda: time.monotonic() + ahead_s[0], clock_check_s=0.01)
    with UglyServer([busy_for("45"), ACCEPTED]) as server:
        made = Bench(tmp_path, server.url, timing=timing)
        try:
            future = made.engine.start_create(SPEC)
            while server.count("POST") < 1 or made.only_job().sent_at is not None:
                time.sleep(0.01)
            for _ in range(2):
                ahead_s[0] += 21.0  # too short for a machine that slept
                time.sleep(0.1)
            assert (server.count("POST"), future.done()) == (1, False)
            ahead_s[0] += 5.0
            assert future.result(30).job.state is JobState.SUBMITTED
        finally:
            made.engine.close()


@scripted(busy_for("900"), ACCEPTED)
def test_a_long_pace_is_told_instead_of_kept(bench: tuple[Bench, UglyServer]) -> None:
    """Nobody waits a quarter of an hour for a node; nothing was bought, and the same may be sent then."""
    made, server = bench
    with failing(RequestRejectedError, "rate_limit_exceeded", "run again in 900 s", charge="none"):
        made.buy()
    assert server.count("POST") == 1
    assert made.buy().job.state is JobState.SUBMITTED


@scripted(busy_for("30"), ACCEPTED)
def test_what_was_cancelled_is_not_sent_again(bench: tuple[Bench, UglyServer]) -> None:
    """The gateway was busy, and Cancel is pressed while the next try is waited for: nothing is bought any more."""
    made, server = bench
    future = made.engine.start_create(SPEC)
    while server.count("POST") < 1 or made.only_job().sent_at is not None:
        time.sleep(0.01)
    future.cancel()
    with pytest.raises(RequestRejectedError):
        future.result(5)
    assert server.count("POST") == 1
    assert made.only_job().state is JobState.REFUSED


@scripted(ACCEPTED)
def test_a_key_that_goes_missing_meanwhile_leaves_a_free_row(bench: tuple[Bench, UglyServer]) -> None:
    """Taken away between the check and the sending: nothing was sent, and the next run sends it."""
    made, server = bench
    settings, key = made.engine.settings, made.env.pop("COMETAPI_KEY")
    write_key(settings.read(), "cometapi", key)
    with failing(MissingKeyError, "missing_key", "cometapi"):
        made.engine.start_create(SPEC, tell=lambda _: write_key(settings.read(), "cometapi", "")).result(30)
    assert made.only_job().state is JobState.REFUSED
    write_key(settings.read(), "cometapi", key)
    assert made.buy().job.state is JobState.SUBMITTED
    assert server.count("POST") == 1


@scripted(answer(400, {"error": {"message": "no such size"}}), ACCEPTED)
def test_what_was_refused_may_be_sent_again(bench: tuple[Bench, UglyServer]) -> None:
    """A refusal frees the identity, and stays in the history."""
    made, server = bench
    with pytest.raises(RequestRejectedError) as caught:
        made.buy()
    assert caught.value.exit_code == 3
    assert caught.value.job == made.only_job().id
    assert made.buy().job.state is JobState.SUBMITTED
    assert [job.state for job in made.engine.ledger.jobs()] == [JobState.SUBMITTED, JobState.REFUSED]
    assert server.count("POST") == 2


@pytest.mark.parametrize(
    "bench",
    [[hang_up], [reset], [answer(500, b"")], [answer(200, b"<html>")], [answer(200, b'{"id": "v', length=500)]],
    ids=["hung up", "reset", "500 without a word", "a page", "cut in the middle"],
    indirect=True,
)
def test_what_may_have_arrived_is_never_sent_twice(bench: tuple[Bench, UglyServer]) -> None:
    """The row becomes unknown; the next run says so instead of buying; the user settles it."""
    made, server = bench
    for _ in range(2):
        with pytest.raises(PurchaseUncertainError) as caught:
            made.buy()
        assert caught.value.exit_code == 4
        assert caught.value.job == made.only_job().id
    assert server.count("POST") == 1
    assert made.only_job().state is JobState.UNKNOWN


def test_a_read_timeout_is_perhaps_bought(tmp_path: Path) -> None:
    """Silence after the request went out proves nothing."""
    released = threading.Event()
    with UglyServer([lambda _connection: released.wait(5)]) as server:
        made = Bench(tmp_path, server.url, SORA_HTTP_TIMEOUT_SECONDS="0.2")
        with failing(PurchaseUncertainError, "connection_lost"):
            made.buy()
        released.set()
        made.engine.close()


def test_a_closed_port_is_never_money(tmp_path: Path) -> None:
    """Where no connection was made nothing can have been bought, and the same may be sent again."""
    made = Bench(tmp_path, "http://127.0.0.1:9")
    with failing(UnreachableError, "network", "refused", charge="none"):
        made.buy()
    assert made.only_job().state is JobState.REFUSED
    made.engine.close()


@scripted(hang_up, answer(200, {"id": "video_7", "status": "in_progress"}))
def test_an_unknown_purchase_is_settled_with_its_id(bench: tuple[Bench, UglyServer]) -> None:
    """The user found it at the gateway; the same then joins it."""
    made, server = bench
    with pytest.raises(PurchaseUncertainError):
        made.buy()
    job = made.engine.reconcile(made.only_job().id, video_id="video_7")
    assert (job.state, job.video_id) == (JobState.SUBMITTED, "video_7")
    assert made.buy().job.video_id == "video_7"
    assert server.count("POST") == 1


@scripted(hang_up, answer(404, {"error": {"message": "no such task", "code": "task_not_exist"}}))
def test_a_wrong_id_leaves_the_money_perhaps_spent(bench: tuple[Bench, UglyServer]) -> None:
    """The gateway's no to a question is no proof of anything."""
    made, _ = bench
    with pytest.raises(PurchaseUncertainError) as lost:
        made.buy()
    with pytest.raises(GatewayError) as caught:
        made.engine.reconcile(lost.value.job, video_id="video_9")
    assert (caught.value.charge, caught.value.job) == ("possible", lost.value.job)
    assert "another take" in caught.value.hint
    in_the_tab, _, in_a_shell = caught.value.hint.partition(f"`sora resume {lost.value.job} --lost`")
    assert ("*Declare it lost*" in in_the_tab, bool(in_a_shell)) == (True, True)
    assert made.only_job().state is JobState.UNKNOWN


@scripted(hang_up, answer(200, {"id": "video_7", "object": "video", "status": "in_progress", "prompt": "a cat"}))
def test_another_ones_video_settles_nothing(bench: tuple[Bench, UglyServer]) -> None:
    """A wrong line of the gateway's list was copied; the purchase stays to be found, and the way to that video is
    told."""
    made, _ = bench
    with pytest.raises(PurchaseUncertainError):
        made.buy()
    with failing(InvalidInputError, "video_differs", "video_7", "its prompt is 'a cat'") as caught:
        made.engine.reconcile(made.only_job().id, video_id="video_7")
    assert "sora resume video_7" in caught.value.hint
    assert made.only_job().state is JobState.UNKNOWN


@scripted(hang_up, answer(200, {"id": "video_7", "object": "video", "status": "in_progress", "prompt": "a  boat"}))
def test_an_id_that_was_opened_first_still_settles_its_purchase(bench: tuple[Bench, UglyServer]) -> None:
    """Pasted into SoraOpenJob, which knows nothing of the unknown purchase: settling makes one job of both."""
    made, server = bench
    with pytest.raises(PurchaseUncertainError):
        made.buy()
    unknown = made.only_job()
    opened = made.engine.open("video_7", "cometapi")
    assert opened.id != unknown.id
    watches = Leases(made.engine.ledger.database)
    assert watches.take(opened.id)
    with failing(InvalidInputError, "download_in_progress", opened.id):
        made.engine.reconcile(unknown.id, video_id="video_7")
    watches.leave(opened.id)
    made.engine.ledger.observed(opened.id, RemoteVideo(id="video_7", phase="done", status="completed"))
    made.engine.ledger.stored(opened.id, path="x.mp4", root="/videos", sha256="ab", size=7)
    job = made.engine.reconcile(unknown.id, video_id="video_7")
    assert (job.id, job.state, job.path, job.sha256) == (unknown.id, JobState.STORED, "x.mp4", "ab")
    assert made.only_job().estimated_usd == 0.32
    assert made.buy().reused
    assert server.count("POST") == 1


@scripted(hang_up, ACCEPTED)
def test_an_unknown_purchase_can_be_declared_lost(bench: tuple[Bench, UglyServer]) -> None:
    """Then, and only then, the same is bought anew."""
    made, _ = bench
    with pytest.raises(PurchaseUncertainError):
        made.buy()
    made.engine.reconcile(made.only_job().id, lost=True)
    assert made.buy().job.state is JobState.SUBMITTED
    assert [job.state for job in made.engine.ledger.jobs()] == [JobState.SUBMITTED, JobState.LOST]
    with failing(InvalidInputError, "not_uncertain", "submitted"):
        made.engine.reconcile(made.engine.ledger.jobs()[0].id, lost=True)


@scripted(
    ACCEPTED,
    answer(200, {"id": "video_1", "status": "failed", "error": {"code": "moderation_blocked", "message": "a face"}}),
)
def test_a_failed_job_says_why_and_is_not_sent_again(bench: tuple[Bench, UglyServer]) -> None:
    """Waiting for it and buying the same again both give the gateway's reason and name the way on: another take."""
    made, server = bench
    job = made.buy().job
    for attempt in (lambda: made.engine.start_wait(job.id, timeout=10).future.result(10), made.buy):
        with failing(JobFailedError, "moderation_blocked", "moderation_blocked: a face") as caught:
            attempt()
        assert "another take" in caught.value.hint
    assert server.count("POST") == 1


def test_no_key_comes_before_anything_is_written(tmp_path: Path) -> None:
    """The error names the variable, the key file and the free sandbox; no ledger row, no reference."""
    made = Bench(tmp_path, "http://127.0.0.1:9", COMETAPI_KEY="")
    with failing(MissingKeyError, "missing_key", "cometapi") as caught:
        made.buy(dataclasses.replace(SPEC, references=(Reference(np.zeros((9, 9, 3), np.uint8)),)))
    for named in ("COMETAPI_KEY", str(made.home / "keys" / "cometapi"), "sandbox"):
        assert named in caught.value.hint
    assert made.engine.ledger.jobs() == []
    assert not (made.home / "references").exists()
    made.engine.close()


@scripted(ACCEPTED)
def test_a_job_never_moves_to_another_gateway(bench: tuple[Bench, UglyServer]) -> None:
    """Polls and content of a job go to the origin where it was bought, and nowhere else."""
    made, _ = bench
    job = made.buy().job
    with UglyServer([ACCEPTED]) as other:
        made.env["COMETAPI_BASE_URL"] = other.url
        with failing(InvalidInputError, "origin_changed", job.origin, other.url):
            made.engine.open(job.id)
        assert other.requests == []


@scripted(answer(302, b"", [("Location", "http://127.0.0.1:9/v1/videos")]))
def test_a_create_is_never_redirected(bench: tuple[Bench, UglyServer]) -> None:
    """A wrong base URL is a refusal that says so; key and form stay here."""
    made, _ = bench
    with failing(RequestRejectedError, "302", "another address") as caught:
        made.buy()
    assert (caught.value.http_status, caught.value.kind) == (302, "wrong_address")


@scripted(ACCEPTED)
def test_waiting_for_what_is_paid_never_says_that_nothing_was_spent(bench: tuple[Bench, UglyServer]) -> None:
    """Whatever stops it: here the key was taken away."""
    made, _ = bench
    job = made.buy().job
    del made.env["COMETAPI_KEY"]
    with failing(MissingKeyError, "missing_key", "cometapi", charge="charged"):
        made.engine.start_wait(job.id, timeout=10).future.result(10)


def broken_ledger(monkeypatch: pytest.MonkeyPatch, made: Bench, step: str) -> None:
    """The disk fails at that step."""

    def full(*_: object) -> None:
        raise LedgerError("disk full")

    monkeypatch.setattr(made.engine.ledger, step, full)


@scripted(ACCEPTED)
def test_an_answer_that_cannot_be_stored_is_told(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fails in that very moment, the error carries the gateway's id, and its advice brings it back."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "submitted")
        with pytest.raises(PurchaseUncertainError) as caught:
            made.buy()
    assert caught.value.charge == "charged"
    in_the_tab, command, _ = caught.value.hint.partition(f"`sora resume {caught.value.job} --video-id video_1`")
    assert ("*Use this id*, video_1" in in_the_tab, bool(command)) == (True, True)
    assert made.engine.reconcile(caught.value.job, video_id="video_1").state.value == "submitted"
    assert made.buy().reused
    assert server.count("POST") == 1


@scripted(ACCEPTED)
def test_an_answer_that_could_not_be_stored_is_stored_by_the_next_run(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program still knows it; nothing is sent again."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "submitted")
        for _ in range(2):
            with failing(PurchaseUncertainError, "id_not_stored", "video_1", charge="charged"):
                made.buy()
    assert made.buy().job.video_id == "video_1"
    assert server.count("POST") == 1


@scripted(ACCEPTED)
def test_what_cannot_be_noted_before_is_not_sent(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was spent, and the next run sends it, however little could be written."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "sending")
        broken_ledger(broken, made, "refused")
        for _ in range(2):
            with pytest.raises(LedgerError) as caught:
                made.buy()
            assert caught.value.charge == "none"
    assert server.requests == []
    assert made.buy().job.state.value == "submitted"


@scripted(hang_up)
def test_money_that_is_perhaps_spent_is_told_also_when_it_cannot_be_noted(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in that very moment; the next run finds the row sent by nobody, and does not buy either."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "unknown")
        with pytest.raises(PurchaseUncertainError) as caught:
            made.buy()
    assert (caught.value.charge, caught.value.exit_code) == ("possible", 4)
    with pytest.raises(PurchaseUncertainError):
        made.buy()
    assert server.count("POST") == 1


@scripted(answer(400, {"error": {"message": "no", "code": "bad"}}), ACCEPTED)
def test_a_refusal_that_cannot_be_noted_stays_known(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user reads that nothing was bought, and that stays so: the next run notes it, and buys."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "refused")
        with pytest.raises(RequestRejectedError):
            made.buy()
        assert made.only_job().state is JobState.RESERVED
    bought = made.buy()
    assert (bought.job.state, bought.reused) == (JobState.SUBMITTED, False)
    assert server.count("POST") == 2
    assert sorted(job.state for job in made.engine.ledger.jobs()) == [JobState.REFUSED, JobState.SUBMITTED]


@scripted(ACCEPTED)
def test_an_id_belongs_to_one_purchase(bench: tuple[Bench, UglyServer]) -> None:
    """A wrong paste does not give one job another one's video."""
    made, _ = bench
    first = made.buy().job
    job, _ = made.engine.ledger.reserve(
        dataclasses.replace(SPEC, take=2), origin=first.origin, estimated_usd=None, budget=Budget()
    )
    made.engine.ledger.unknown(job.id, PurchaseUncertainError("cut"))
    with failing(InvalidInputError, "video_id_taken", "video_1", first.id):
        made.engine.reconcile(job.id, video_id="video_1")


@scripted(
    ACCEPTED,
    answer(200, {"id": "video_1", "object": "video", "model": "sora-2", "status": "completed"}),
    answer(200, {"id": "video_2", "object": "video", "model": "sora-2", "status": "queued"}),
)
def test_a_remix_is_warned_of_its_model_too(bench: tuple[Bench, UglyServer]) -> None:
    """Whether the parent's model is still served is as little known as it was for the parent. Both are said before
    anything is sent, and nothing is said of what is bought already; who cannot hear it buys all the same."""
    made, server = bench
    heard: list[tuple[str, int]] = []

    def tell(warning: str) -> None:
        heard.append((warning, len(server.requests)))
        raise OSError("nobody listens")

    job = made.engine.start_create(SPEC, tell=tell).result(30).job
    made.engine.start_create(SPEC, tell=tell).result(30)
    made.engine.start_remix(job.id, "at night", tell=tell).result(30)
    (first, sent_before), (second, _) = heard
    assert (first, sent_before) == (second, 0)
    assert "Whether cometapi still serves sora-2 is not known" in first
    assert len(server.requests) == 3  # the create, a look whether it is finished, the remix


@scripted(ACCEPTED)
def test_who_has_given_up_is_warned_of_nothing(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows another prompt by then."""
    made, server = bench
    heard: list[str] = []
    reserve, begun, cancelled = made.engine.ledger.reserve, threading.Event(), threading.Event()

    def slowly(*given: object, **named: object) -> object:
        begun.set()
        assert cancelled.wait(10)
        return reserve(*given, **named)

    monkeypatch.setattr(made.engine.ledger, "reserve", slowly)
    future = made.engine.start_create(SPEC, tell=heard.append)
    assert begun.wait(10)
    future.cancel()
    cancelled.set()
    with pytest.raises(NotPurchasedError):
        future.result(30)
    assert (heard, server.requests) == ([], [])


@scripted(ACCEPTED)
def test_no_room_for_the_video_is_found_before_it_is_bought(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, and an output folder that cannot be made."""
    made, server = bench
    usage = type("Usage", (), {"free": 5 << 20})
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda _: usage)
        with failing(StorageError, "disk_full", "5 MiB", made.engine.settings.videos, charge="none") as caught:
            made.buy()
    assert caught.value.exit_code == 7
    shutil.rmtree(made.engine.settings.output)
    made.engine.settings.output.write_text("a file", encoding="utf-8")
    with failing(StorageError, "", "No video could be stored", made.engine.settings.videos, charge="none"):
        made.buy()
    assert server.requests == []


@pytest.mark.skipif(os.name == "nt", reason="makes a folder that Windows does not take")
def test_a_folder_too_deep_for_windows_is_found_before_it_is_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name that the video will have in it: the folder alone would still be taken."""
    monkeypatch.setattr(disk, "_is_windows", lambda: True)
    monkeypatch.setattr(disk, "_long_paths_are_enabled", lambda: False)
    deep = tmp_path / ("x" * (LONGEST_PATH - len(str(tmp_path / "output" / "sora")) - 41))
    with UglyServer([ACCEPTED]) as server:
        made, usual = Bench(deep, server.url), Bench(tmp_path, server.url)
        try:
            assert len(str(made.engine.settings.videos)) == LONGEST_PATH - 40
            with failing(StorageError, "path_too_long", made.engine.settings.videos, charge="none"):
                made.buy()
            assert server.requests == []
            assert usual.buy().job.video_id
        finally:
            made.engine.close()
            usual.engine.close()


@scripted(ACCEPTED)
def test_fields_that_may_make_it_dearer_have_no_known_price(bench: tuple[Bench, UglyServer]) -> None:
    """A workflow cannot slip past the budget with a field that the catalogue's price does not know."""
    made, _ = bench
    assert made.buy().job.estimated_usd == 0.32
    odd = dataclasses.replace(SPEC, extra_fields={"resolution": "1080p"})
    assert made.buy(odd).job.estimated_usd is None
    harmless = dataclasses.replace(SPEC, extra_fields={"seed": 7, "negative_prompt": "fog", "watermark": False})
    assert made.buy(harmless).job.estimated_usd == 0.32


@pytest.mark.parametrize(
    "fields",
    [
        {"frame_interpolation_model_path": "evil/repo"}, {"seed": "abc"}, {"negative_prompt": "https://evil.example/x"},
        {"n": 20}, {"duration": "600"}, {"seed": 7, "user": "1"},
    ],
)  # fmt: skip
@scripted(ACCEPTED)
def test_a_field_that_may_not_be_sent_is_refused_before_anything_is_written(
    bench: tuple[Bench, UglyServer], fields: dict[str, Any]
) -> None:
    """Neither a row nor a request."""
    made, server = bench
    with pytest.raises(InvalidInputError) as caught:
        made.buy(dataclasses.replace(SPEC, extra_fields=fields))
    assert (caught.value.code, caught.value.charge) == (REFUSED, "none")
    assert str(made.home / "providers.toml") in caught.value.hint
    assert (made.engine.ledger.jobs(), server.requests) == ([], [])


@scripted(ACCEPTED)
def test_what_is_bought_is_handed_out_whatever_its_fields(bench: tuple[Bench, UglyServer]) -> None:
    """The owner opened a field and closed it again: the job stays, and nothing more is sent with that field."""
    made, server = bench
    spec = dataclasses.replace(SPEC, extra_fields={"lora": "https://example.com/film"})
    made.home.mkdir(exist_ok=True)
    opened = made.home / "providers.toml"
    opened.write_text('[provider.cometapi]\nextra_fields = ["lora"]\n', encoding="utf-8")
    first = made.buy(spec).job
    assert b'name="lora"\r\n\r\nhttps://example.com/film\r\n' in server.requests[0].body
    assert first.estimated_usd is None
    opened.unlink()
    assert (made.buy(spec).job.id, made.buy(spec).reused) == (first.id, True)
    with pytest.raises(InvalidInputError) as caught:
        made.buy(dataclasses.replace(spec, take=2))
    assert caught.value.code == REFUSED
    assert server.count("POST") == 1


@scripted(ACCEPTED)
def test_a_row_of_an_older_version_is_used_and_never_sent_anew(bench: tuple[Bench, UglyServer]) -> None:
    """Older versions wrote rows with any field. What was bought is handed out, what may have been is settled, and what
    was never sent is refused."""
    made, server = bench
    ledger = made.engine.ledger
    names = ("stored", "sent", "never sent")
    specs = {name: dataclasses.replace(SPEC, prompt=name, extra_fields={"lora": "evil/repo"}) for name in names}
    rows = {
        name: ledger.reserve(spec, origin=server.url, estimated_usd=None, budget=Budget(), references=[])[0]
        for name, spec in specs.items()
    }
    ledger.submitted(rows["stored"].id, RemoteVideo(id="video_1", phase="waiting"))
    ledger.sending(rows["sent"].id)
    joined = made.buy(specs["stored"])
    assert (joined.job.id, joined.reused) == (rows["stored"].id, True)
    with pytest.raises(PurchaseUncertainError):
        made.buy(specs["sent"])
    with pytest.raises(InvalidInputError) as caught:
        made.buy(specs["never sent"])
    assert caught.value.code == REFUSED
    assert server.count("POST") == 0


def test_what_comes_of_an_unknown_price_has_an_unknown_price(tmp_path: Path) -> None:
    """A remix of a remix does not forget what its first parent was asked to be."""
    with UglyServer([lambda connection: connection.sendall(next(answers))]) as server:
        answers = (
            answer(200, {"id": f"video_{turn // 2}", "object": "video", "model": "sora-2", "status": "completed"})
            for turn in itertools.count(2)
        )
        made = Bench(tmp_path, server.url, SORA_BUDGET_USD_PER_DAY="100")
        job = made.buy(dataclasses.replace(SPEC, extra_fields={"resolution": "4k"})).job
        for _ in range(2):
            job = made.engine.start_remix(job.id, "at night").result(30).job
            assert (job.kind, job.estimated_usd) == ("remix", None)
        made.engine.close()


@pytest.mark.parametrize(("price", "usd"), [("", None), ("usd_per_second = 0", 0.0), ("usd_per_second = 0.5", 2.0)])
def test_the_catalogues_prices_are_cometapis(tmp_path: Path, price: str, usd: float | None) -> None:
    """What the same model costs elsewhere only the machine's owner can say."""
    with UglyServer([ACCEPTED]) as server:
        made = Bench(tmp_path, server.url, MINE_KEY="sk-mine-12345")
        made.home.mkdir()
        (made.home / "providers.toml").write_text(
            f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\n{price}\n', encoding="utf-8"
        )
        spec = dataclasses.replace(SPEC, provider="mine")
        assert made.buy(spec).job.estimated_usd == usd
        for more in (
            {"num_frames": 600},
            {"resolution": "4k"},
        ):  # dearer than the owner's price, unless all of it is free
            odd = dataclasses.replace(spec, prompt=f"{more}", extra_fields=more)
            assert made.buy(odd).job.estimated_usd == (0.0 if usd == 0.0 else None)
        made.engine.close()


@scripted(ACCEPTED)
def test_what_is_paid_for_is_joined_whatever_the_catalogue_says_today(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model may be gone from the catalogue, its references from the disk, and the disk may be full."""
    made, server = bench
    spec = dataclasses.replace(SPEC, references=(Reference(np.zeros((9, 16, 3), np.uint8)),))
    first = made.buy(spec)
    (made.home / "references" / first.job.references[0]).unlink()
    (made.home / "references").rmdir()
    (made.home / "references").write_text("a file", encoding="utf-8")
    monkeypatch.setattr(made.engine.catalogue, "check", lambda _: 1 / 0)
    again = made.buy(spec)
    assert (again.job.id, again.reused, again.images[0].shape) == (first.job.id, True, (720, 1280, 3))
    assert server.count("POST") == 1


def test_a_provider_without_remix_says_so(tmp_path: Path) -> None:
    """In plain words, before anything is sent."""
    with UglyServer([ACCEPTED, answer(200, {"id": "video_1", "object": "video", "status": "completed"})]) as server:
        made = Bench(tmp_path, server.url, MINE_KEY="sk-mine-12345")
        made.home.mkdir()
        (made.home / "providers.toml").write_text(
            f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\n', encoding="utf-8"
        )
        job = made.buy(dataclasses.replace(SPEC, provider="mine")).job
        with failing(InvalidInputError, "remix_unsupported", "mine") as caught:
            made.engine.start_remix(job.id, "at night").result(30)
        assert "Create a new video" in caught.value.hint
        assert server.count("POST") == 1
        made.engine.close()


def test_a_create_is_sent_once_also_when_tls_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A middlebox answers in plain text inside the TLS connection, after the whole request went out."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    received = []

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                plain = listening.accept()[0]
            except OSError:
                return
            with plain.dup() as under, context.wrap_socket(plain, server_side=True) as tls:
                data = tls.recv(65_536)
                while not data.endswith(b"--\r\n"):
                    data += tls.recv(65_536)
                received.append(data)
                under.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        made = Bench(tmp_path, f"https://127.0.0.1:{listening.getsockname()[1]}")
        new_session = client.new_session

        def trusting(*given: Any) -> requests.Session:
            session = new_session(*given)
            session.verify = str(bundle)
            return session

        monkeypatch.setattr(client, "new_session", trusting)
        with pytest.raises(PurchaseUncertainError):
            made.buy()
        assert len(received) == 1
        assert made.only_job().state.value == "unknown"
        made.engine.close()
        stop_listening(listening)
        thread.join()


def test_an_answer_that_drips_keeps_to_the_deadline(tmp_path: Path) -> None:
    """A byte now and then is no answer; without a deadline on the whole it would hold the thread for ever."""
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n")
        while not gone.wait(0.05):
            connection.sendall(b" ")

    with UglyServer([drip]) as server:
        made = Bench(tmp_path, server.url, SORA_HTTP_TIMEOUT_SECONDS="0.4")
        begun = time.monotonic()
        with pytest.raises(PurchaseUncertainError):
            made.buy()
        assert time.monotonic() - begun < 5
        gone.set()
        made.engine.close()


@scripted(ACCEPTED)
def test_a_full_disk_is_found_before_anything_is_sent(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference that cannot be kept stops the purchase while it is free."""
    made, server = bench

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with failing(StorageError, "disk_full", "No space left", charge="none") as caught:
        made.buy(dataclasses.replace(SPEC, references=(Reference(np.zeros((9, 9, 3), np.uint8)),)))
    assert caught.value.exit_code == 7
    assert server.requests == []


@scripted(ACCEPTED)
def test_an_id_that_is_stored_late_is_stored_once(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run until then names the job; later ones join it as it is and write nothing, whatever became of it."""
    made, server = bench
    with monkeypatch.context() as broken:
        broken_ledger(broken, made, "submitted")
        for _ in range(2):
            with pytest.raises(PurchaseUncertainError) as caught:
                made.buy()
            assert caught.value.job == made.only_job().id
    assert made.buy().job.video_id == "video_1"
    broken_ledger(monkeypatch, made, "submitted")
    assert made.buy().job.video_id == "video_1"
    assert server.count("POST") == 1


@scripted(ACCEPTED)
def test_what_could_not_be_sent_is_free_again_but_not_what_another_process_took_over(
    bench: tuple[Bench, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger fails before anything is sent: the row says why, and may be sent again. A row that belongs to another
    process by now stays as it is: that one may be sending it, and marked as refused, it would be bought twice."""
    made, server = bench

    def fail(code: str) -> None:
        def sending(*_: object) -> None:
            raise LedgerError("the ledger is away", code=code)

        with monkeypatch.context() as broken:
            broken.setattr(made.engine.ledger, "sending", sending)
            with pytest.raises(LedgerError):
                made.buy()

    fail("")
    refused = made.only_job()
    assert (refused.state, "the ledger is away" in refused.error) == (JobState.REFUSED, True)
    fail(TAKEN_OVER)
    assert sorted(job.state for job in made.engine.ledger.jobs()) == [JobState.REFUSED, JobState.RESERVED]
    assert server.requests == []
