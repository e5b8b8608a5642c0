"""Each line of a report of `sora verify`, from exchanges that no sandbox would have: what differs is told."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.diagnostics.verify.choice import Offer, Wish
from sora_jobs.diagnostics.verify.compare import Compared, with_rows
from sora_jobs.diagnostics.verify.private import Private
from sora_jobs.diagnostics.verify.quirks import with_quirks
from sora_jobs.diagnostics.verify.record import Exchange, Recorder
from sora_jobs.diagnostics.verify.shapes import merged, shape
from sora_jobs.diagnostics.verify.told import states_of, timings_of
from sora_jobs.diagnostics.verify.walk import UNKNOWN, Content, Walked
from sora_jobs.gateway.client import Client
from sora_jobs.gateway.error_body import Response
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState
from sora_jobs.media.source import VideoInfo

PROVIDER = Provider(name="mine", base_url="https://api.example.com", lists=True)
INFO = VideoInfo(
    width=640, height=352, fps=30.0, frames=30, declared_frames=30, duration_s=1.0, has_audio=False, audio_rate=0,
    codec="h264", pixel_format="yuv420p", rotation=0, colour_matrix="bt709", colour_primaries="bt709",
    colour_transfer="bt709", colour_range="limited", even=True, cut_short=False,
)  # fmt: skip
JOB = Job(
    id="j", kind="create", state=JobState.STORED, provider="mine", origin="x", model="m", seconds="1", size="640x352",
    prompt="p", take=1, identity="i", video_id="video_1", estimated_usd=0.1,
)  # fmt: skip


def exchange(call: Any, status: int = 200, body: Any = None, **more: Any) -> Exchange:
    """One that was answered with that JSON (or bytes)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = more.pop("headers", {})
    given = {
        "call": call, "method": "GET", "url": "https://api.example.com/v1/x", "video_id": "video_1", "variant": "",
        "headers": headers, "with_key": True, "at": 0.0, "took_s": 0.1,
    }  # fmt: skip
    return Exchange(**(given | more), status=status, response=None if body is None else Response(status, headers, data))


def walked(*exchanges: Exchange, **more: Any) -> Walked:
    recorder = Recorder(PROVIDER, exchanges)
    offer = Offer(model="m", seconds="1", size="640x352", reference=True, usd=0.1)
    given = {"offer": offer, "job": JOB, "info": INFO, "size": 1000}
    return Walked(Wish(provider="mine", spend=1), recorder, Client(PROVIDER, "key"), **(given | more))


def line(found: Walked, what: str) -> Compared:
    private = Private(found.recorder.seen())
    (one,) = [one for one in (*with_rows(found, private), *with_quirks(found, private)) if one.what == what]
    return one


STATE = {"id": "video_1", "object": "video", "status": "completed"}


def paid(usd: float) -> Exchange:
    """A finished video of a provider that is known to say what it charged."""
    one, url = exchange("retrieve", body=STATE | {"usage": {"cost": usd}}), "https://openrouter.ai/api/v1/videos/1"
    assert one.response is not None
    return dataclasses.replace(one, url=url, response=dataclasses.replace(one.response, url=url))


CONTENT = Content(url="https://api.example.com/v1/videos/video_1/content", answered=206, kind="video/mp4")


@pytest.mark.parametrize(
    ("what", "verdict", "quirk", "found"),
    [
        ("size", "differs", 0, walked(info=VideoInfo(**(INFO.__dict__ | {"width": 854, "height": 480})))),
        ("size", "agrees", 0, walked()),
        ("seconds", "differs", 0, walked(info=VideoInfo(**(INFO.__dict__ | {"duration_s": 1.6})))),
        ("seconds", "agrees", 0, walked(info=VideoInfo(**(INFO.__dict__ | {"duration_s": 1.4})))),
        ("price", "differs", 0, walked(paid(0.2))),
        ("price", "agrees", 0, walked(paid(0.102))),
        ("price", "unknown", 0, walked(exchange("retrieve", body=STATE | {"usage": {"cost": 0.1}}))),
        ("price", "unknown", 0, walked(exchange("retrieve", body=STATE | {"cost_usd": "0.2"}))),
        ("price", "unknown", 0, walked(exchange("retrieve", body=STATE))),
        ("list", "differs", 0, walked(exchange("list", 404, {"error": {"message": "no such call"}}))),
        ("list", "agrees", 0, walked(exchange("list", body={"data": []}))),
        ("variants", "differs", 0, walked(variants={"thumbnail": (200, "image/webp", True)})),
        ("variants", "agrees", 0, walked(variants={"thumbnail": (200, "video/mp4", False)})),
        ("states", "differs", 0, walked(exchange("retrieve", body=STATE | {"status": "dreaming"}))),
        ("states", "agrees", 0, walked(exchange("retrieve", body=STATE))),
        ("ids", "agrees", 11, walked(
            exchange("create", body=STATE | {"id": "video_2"}), exchange("retrieve", body=STATE))),
        ("ids", "agrees", 0, walked(exchange("create", body=STATE), exchange("retrieve", body=STATE))),
        ("numbers", "agrees", 1, walked(exchange("retrieve", body=STATE))),
        ("numbers", "agrees", 0, walked(
            exchange("retrieve", body=STATE | {"progress": "45%", "seconds": "1", "size": "640x352"}))),
        ("unknown id", "differs", 0, walked(exchange("retrieve", 500, {"error": {"message": "x"}}, video_id=UNKNOWN))),
        ("unknown id", "differs", 0, walked(exchange("retrieve", body=STATE, video_id=UNKNOWN))),
        ("unknown id", "unknown", 0, walked(exchange("retrieve", 401, {"error": {"message": "x"}}, video_id=UNKNOWN))),
        ("unknown id", "agrees", 5, walked(exchange("retrieve", 400, {"code": "task_not_exist"}, video_id=UNKNOWN))),
        ("content of an unknown id", "differs", 0, walked(exchange("content", 200, video_id=UNKNOWN))),
        ("errors", "differs", 0, walked(exchange("retrieve", 500, b"<html></html>"))),
        ("errors", "agrees", 6, walked(exchange("retrieve", 500, {"detail": "gone"}))),
        ("content", "agrees", 8, walked(content=Content(way="address", url="https://cdn.example/a", answered=206))),
        ("content", "agrees", 9, walked(content=CONTENT)),
        ("content", "agrees", 0, walked(content=Content(**(CONTENT.__dict__ | {"with_key": True})))),
        ("content", "differs", 9, walked(exchange("address", url="https://cdn.example/a?sig=1"), content=CONTENT)),
        ("content", "differs", 9, walked(exchange("address", url="https://cdn.example.com/a"), content=CONTENT)),
        ("ranges", "agrees", 0, walked(content=CONTENT)),
        ("ranges", "agrees", 8, walked(content=Content(**(CONTENT.__dict__ | {"answered": 200})))),
        ("content type", "differs", 8, walked(content=Content(**(CONTENT.__dict__ | {"kind": "text/plain"})))),
        ("number of the request", "agrees", 6, walked(exchange("models", headers={"x-request-id": "1"}))),
        ("number of the request", "differs", 0, walked(exchange("models", headers={"x-own-request-id": "1"}))),
        ("number of the request", "agrees", 6, walked(
            exchange("models", 404, {"message": "no (request id: abcdef12)"}))),
        ("number of the request", "unknown", 0, walked(exchange("models"))),
        ("number of the request", "unknown", 0, walked(exchange("address", headers={"x-request-id": "1"}))),
        ("pace", "agrees", 0, walked(exchange("retrieve", headers={"openai-poll-after-ms": "500"}))),
    ],
)  # fmt: skip
def test_a_line(what: str, verdict: str, quirk: int, found: Walked) -> None:
    """What is told of it, with the number of the quirk that it is."""
    one = line(found, what)
    assert (one.verdict, one.quirk) == (verdict, quirk), one.text


def test_states_and_times() -> None:
    """From the create on: waiting, rendering, and until the content was there; earlier polls do not count."""
    found = walked(
        exchange("retrieve", body=STATE | {"status": "queued"}, at=5.0),
        exchange("create", body=STATE | {"status": "queued"}, method="POST", at=10.0, took_s=0.5),
        exchange("retrieve", body=STATE | {"status": "queued"}, at=11.0),
        exchange("retrieve", body=STATE | {"status": "IN_PROGRESS"}, at=13.0),
        exchange("retrieve", body=STATE | {"status": "IN_PROGRESS"}, at=15.0),
        exchange("retrieve", body=STATE | {"status": "SUCCESS"}, at=20.0),
        exchange("content", 404, {"error": {"message": "not ready"}}, at=20.5),
        exchange("content", 200, at=22.0),
    )
    private = Private(found.recorder.seen())
    states = states_of(found.recorder, "video_1", private)
    assert [(one.word, one.phase, one.first_s, one.polls) for one in states] == [
        ("queued", "waiting", 0.0, 1), ("in_progress", "running", 3.0, 2), ("success", "done", 10.0, 1),
    ]  # fmt: skip
    assert timings_of(found.recorder, states) == {
        "create_s": 0.5, "queued_s": 3.0, "rendering_s": 7.0, "content_after_s": 2.0,
    }  # fmt: skip
    assert line(found, "states").text == "each is known: queued, in_progress, success."


def test_shapes() -> None:
    """Names and kinds: no value but states and codes, and several kinds side by side."""
    private = Private([])
    body = {
        "id": "video_1", "status": "NOT_START", "progress": "45%", "seconds": "4", "size": "1280x720",
        "prompt": "a boat", "created_at": 1_788_400_582, "ms": 1_788_400_582_123, "share": 0.5, "whole": True,
        "error": None, "none": "", "url": "https://cdn.example/a.mp4?sig=1", "ratio": "16:9",
        "day": "2026-11-29T00:00:00Z", "urls": [None, "x"], "code": 404, "task_0123456789abcdef": 1,
        "type": "a sentence that is longer than any code of an interface",
        "message": 'upstream said {"error": {"code": "server_error"}}', "detail": "Current status: VIOLATION",
    }  # fmt: skip
    assert shape(body, private, {"video_1"}) == {
        "id": "id", "status": "word NOT_START", "progress": "text, a percentage", "seconds": "text, a number",
        "size": "text, WxH", "prompt": "text", "created_at": "whole number, a moment",
        "ms": "whole number, a moment in milliseconds", "share": "number", "whole": "true or false", "error": "null",
        "none": "text, empty", "url": "address", "ratio": "text, a ratio", "day": "text, a date",
        "urls": ["null | text"], "code": "number 404", "type": "text", "(another)": "whole number",
        "message": {"(text around JSON)": {"error": {"code": "word server_error"}}},
        "detail": "text with current status: violation",
    }  # fmt: skip
    assert merged({"a": "text"}, {"a": ["text"], "b": "null"}) == {"a": "text | list", "b": "null"}


def test_a_shape_has_limits() -> None:
    """Neither depth, nor length, nor names come through without end."""
    deep: Any = "x"
    for _ in range(60):
        deep = {"a": deep}
    wide = {f"name{'x' * number}": number for number in range(500)}
    assert len(json.dumps(shape(deep, Private([]), set()))) < 200
    assert len(shape(wide, Private([]), set())) <= 60
    assert len(json.dumps(shape([wide] * 1000, Private([]), set()))) < 5000


def test_polls_without_end_are_not_all_kept() -> None:
    """The first and the newest stay."""
    import requests

    recorder = Recorder(PROVIDER)
    for number in range(1500):
        response = requests.Response()
        response.status_code = 200
        response.request = requests.Request("GET", f"https://api.example.com/v1/videos/{number}").prepare()
        recorder(response, None)
    kept = [one.video_id for one in recorder.seen("retrieve")]
    assert (len(kept), kept[0], kept[-1]) == (1000, "0", "1499")
