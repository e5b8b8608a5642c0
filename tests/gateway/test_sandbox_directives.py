"""The sandbox misbehaves when a prompt asks for it: each directive does what its line in the help says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sora_jobs.sandbox.directives import DIRECTIVES, REFUSALS, describe_directives
from sora_jobs.sandbox.store import LINK_LASTS_S

from .test_sandbox_setup import SMALL, TAKES_S, Gateway, films, gateway, gateways

__all__ = ["films", "gateway", "gateways"]


def test_the_help_names_every_directive() -> None:
    """One line each, beginning with how it is written."""
    lines = [line.strip() for line in describe_directives().splitlines()]
    assert [line.split(":")[0].split("=")[0] for line in lines] == list(DIRECTIVES)


def test_a_directive_is_not_part_of_the_film(gateway: Gateway, tmp_path: Path) -> None:
    """Several may stand in one bracket or in many, anywhere, in any case; the video object tells what was sent."""
    prompt = "a [sandbox: slow=7, stuck] boat [SANDBOX: silent]  sails"
    video_id = gateway.made(prompt=prompt)
    assert gateway.look(video_id)["prompt"] == prompt
    (file,) = tmp_path.rglob(f"{video_id}.json")
    assert json.loads(file.read_text(encoding="utf-8"))["prompt"] == "a boat sails"


@pytest.mark.parametrize(("directive", "status"), [(why, one[0]) for why, one in REFUSALS.items()])
def test_refuse(gateway: Gateway, directive: str, status: int) -> None:
    """No job, and the status and code of that refusal."""
    answer = gateway.create(prompt=f"x [sandbox: refuse={directive}]")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, REFUSALS[directive][2])
    assert gateway.get("/v1/videos").json()["data"] == []


def test_refuse_saturated_is_nested(gateway: Gateway) -> None:
    """The upstream's JSON comes as a string inside `message`, with HTTP 403, as it was seen."""
    answer = gateway.create(prompt="x [sandbox: refuse=saturated]").json()
    assert json.loads(answer["error"]["message"])["error"]["code"] == "upstream_load_saturated"


def test_429(gateway: Gateway) -> None:
    """So many times for this very request, with Retry-After; then it is accepted."""
    prompt = "x [sandbox: 429=2, fail=x]"
    answers = [gateway.create(prompt=prompt) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[0].json()["error"]["code"] == "rate_limit_exceeded"
    assert gateway.create(prompt=prompt, seconds="5").status_code == 429


@pytest.mark.parametrize("directive", ["lost_answer", "broken_answer"])
def test_create_is_done_but_not_said(gateway: Gateway, directive: str) -> None:
    """The job exists although its buyer got a broken connection or a 502 without a word."""
    prompt = f"x [sandbox: {directive}, fail=x]"
    if directive == "lost_answer":
        with pytest.raises(requests.ConnectionError):
            gateway.create(prompt=prompt)
    else:
        answer = gateway.create(prompt=prompt)
        assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert [video["prompt"] for video in gateway.get("/v1/videos").json()["data"]] == [prompt]


def test_fail(gateway: Gateway) -> None:
    """It runs its time, then it is failed, with the code; its content is not to be had."""
    video_id = gateway.made("fail=moderation_blocked")
    gateway.clock.now += TAKES_S - 1
    assert gateway.look(video_id)["status"] == "in_progress"
    gateway.clock.now += 1
    video = gateway.look(video_id)
    assert (video["status"], video["error"]["code"]) == ("failed", "moderation_blocked")
    assert "moderation_blocked" in video["error"]["message"]
    assert video["expires_at"] is None
    assert gateway.content(video_id).status_code == 404


@pytest.mark.parametrize("seconds", ["500", "0.5"])
def test_slow(gateway: Gateway, seconds: str) -> None:
    """It takes that long, however long others take."""
    video_id = gateway.made(f"slow={seconds}")
    gateway.clock.now += float(seconds) - 0.01
    assert gateway.look(video_id)["status"] == "in_progress"
    gateway.clock.now += 0.01
    assert gateway.look(video_id)["status"] == "completed"


def test_stuck(gateway: Gateway) -> None:
    """99 % for ever."""
    video_id = gateway.made("stuck")
    gateway.clock.now += 1e6
    video = gateway.look(video_id)
    assert (video["status"], video["progress"]) == ("in_progress", 99)


def test_word(gateway: Gateway) -> None:
    """An unknown word while it renders; queued and completed are as ever."""
    video_id = gateway.made("word=dreaming")
    words = []
    for after in (0, TAKES_S / 2, TAKES_S / 2):
        gateway.clock.now += after
        words.append(gateway.look(video_id)["status"])
    assert words == ["queued", "dreaming", "completed"]


def test_wrapped(gateway: Gateway) -> None:
    """The object lies in `data`."""
    video_id = gateway.made("wrapped")
    answer = gateway.look(video_id)
    assert set(answer) == {"code", "message", "data"}
    assert answer["data"]["id"] == video_id


def test_html(gateway: Gateway) -> None:
    """A page with HTTP 200 so many times."""
    video_id = gateway.made("html=2")
    kinds = [gateway.get(f"/v1/videos/{video_id}").headers["Content-Type"].split(";")[0] for _ in range(3)]
    assert kinds == ["text/html", "text/html", "application/json"]


def test_notready(gateway: Gateway) -> None:
    """Completed, and yet 404 so many times."""
    video_id = gateway.finished("notready=2")
    assert gateway.look(video_id)["status"] == "completed"
    assert [gateway.content(video_id).status_code for _ in range(3)] == [404, 404, 200]


def test_bad_mp4(gateway: Gateway) -> None:
    """JSON with HTTP 200 where an MP4 should be."""
    video_id = gateway.finished("bad_mp4=1")
    first, second = gateway.content(video_id), gateway.content(video_id)
    assert (first.status_code, "error" in first.json()) == (200, True)
    assert second.content[4:8] == b"ftyp"


def test_cut(gateway: Gateway) -> None:
    """It breaks off in the middle; what is missing can be asked for, and may break off again."""
    video_id = gateway.finished("cut=2")
    got, etag = b"", ""
    for turn in range(3):
        headers = {"Range": f"bytes={len(got)}-", "If-Range": etag} if got else {}
        with gateway.content(video_id, headers=headers, stream=True) as answer:
            assert answer.status_code == (206 if got else 200)
            etag = answer.headers["ETag"]
            try:
                take = getattr(answer.raw, "read1", answer.raw.read)  # urllib3 before 2.1 has no read1
                while piece := take(1 << 10):
                    got += piece
            except requests.packages.urllib3.exceptions.HTTPError:
                assert turn < 2
    assert got == gateway.content(video_id).content


def test_url(gateway: Gateway) -> None:
    """The finished object carries an address on another host, which refuses a key; /content does not exist."""
    video_id = gateway.made("url")
    assert "video_url" not in gateway.look(video_id)
    gateway.clock.now += TAKES_S
    address = gateway.look(video_id)["video_url"]
    assert not address.startswith(gateway.url)
    assert gateway.content(video_id).status_code == 404
    with requests.Session() as keyless:
        assert keyless.get(address, timeout=5).content[4:8] == b"ftyp"
        assert keyless.get(address, headers={"Authorization": "Bearer any"}, timeout=5).status_code == 403
        assert keyless.get(address[:-1] + "x", timeout=5).status_code == 403
        gateway.clock.now += LINK_LASTS_S + 1
        assert keyless.get(address, timeout=5).status_code == 404


def test_redirect(gateway: Gateway) -> None:
    """A 302 to another host; a client that keeps its key to itself gets the film, from any byte on."""
    video_id = gateway.finished("redirect")
    sent_on = gateway.content(video_id, allow_redirects=False)
    assert (sent_on.status_code, sent_on.headers["x-request-id"][:4]) == (302, "req_")
    assert not sent_on.headers["Location"].startswith(gateway.url)
    assert gateway.content(video_id).content[4:8] == b"ftyp"
    assert gateway.content(video_id, headers={"Range": "bytes=4-7"}).content == b"ftyp"


def test_expired(gateway: Gateway) -> None:
    """Completed, and already over."""
    video_id = gateway.finished("expired")
    video = gateway.look(video_id)
    assert (video["status"], video["expires_at"]) == ("completed", video["completed_at"])
    answer = gateway.content(video_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "expired")


def test_silent(gateway: Gateway) -> None:
    """No sound at all, not a silent track."""
    import io

    import av

    for directive, tracks in (("silent", 0), ("", 1)):
        with av.open(io.BytesIO(gateway.content(gateway.finished(directive)).content)) as container:
            assert len(container.streams.audio) == tracks


def test_faults_are_counted_under_a_crowd(gateway: Gateway) -> None:
    """Exactly so many of many calls at the same time."""
    video_id = gateway.made("html=5")

    def kind(_: int) -> str:
        with requests.Session() as session:
            headers = {"Authorization": "Bearer any"}
            return session.get(f"{gateway.url}/v1/videos/{video_id}", headers=headers, timeout=5).headers[
                "Content-Type"
            ]

    with ThreadPoolExecutor(8) as pool:
        assert sum(kind.startswith("text/html") for kind in pool.map(kind, range(20))) == 5


def test_directives_in_a_remix(gateway: Gateway) -> None:
    """A remix misbehaves by its own prompt, not by its parent's."""
    parent = gateway.finished("word=dreaming", model="sora-2", size="1280x720")
    address = f"/v1/videos/{parent}/remix"
    bodies = [{"prompt": "y [sandbox: 429=1, fail=tired]"}] * 2
    first, second = (gateway.call("POST", address, json=body) for body in bodies)
    assert (first.status_code, second.status_code) == (429, 200)
    gateway.clock.now += TAKES_S
    assert gateway.look(second.json()["id"])["error"]["code"] == "tired"
    assert gateway.call("POST", address, json={"prompt": "[sandbox: refuse=quota] y"}).status_code == 403
    assert gateway.look(parent)["prompt"] == f"{SMALL['prompt']} [sandbox: word=dreaming]"
