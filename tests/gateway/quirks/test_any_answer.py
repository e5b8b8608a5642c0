"""Answers that nobody has seen yet: whatever comes is a state or an error that tells, and the money is never wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sora_jobs.errors import GatewayError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.gateway.error_body import Response, complaint_in, read_complaint
from sora_jobs.gateway.responses import read_created, read_list, read_status, retry_after_s
from sora_jobs.gateway.video_object import read_video
from sora_jobs.gateway.vocabulary import (
    ADDRESS_KEYS,
    ADVICE,
    FINISH_KEYS,
    ID_KEYS,
    NO_CHANNEL,
    PACE_HEADERS,
    PACE_KEYS,
    PACE_MS_HEADERS,
    PERHAPS_TAKEN,
    PHASES,
    REFUSALS_AS_5XX,
    REQUEST_ID_HEADERS,
    SATURATED,
    STATE_KEYS,
    TEXTS,
    WRAPPERS,
)
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.util.redact import redact

from .test_table import ROWS

READ = [
    *ADDRESS_KEYS, *FINISH_KEYS, *ID_KEYS, *STATE_KEYS, *WRAPPERS, *PACE_KEYS, "error", "errors", "detail", "message",
    "msg", "code", "type", "success", "object", "model", "progress", "progress_pct", "created_at", "created", "seconds",
    "size", "prompt", "request_id", "requestId", "error_message", "loc", "param", "issues", "path", "field",
]  # fmt: skip
CODES = sorted({*ADVICE, *REFUSALS_AS_5XX, *PERHAPS_TAKEN, *SATURATED})
SAID = [
    *PHASES, *CODES, *TEXTS, "video", "task_1", "https://cdn.example/a.mp4", "http://[", "45%", "success", "null",
    "2026-11-25T10:00:00Z", "9999-12-31T23:59:59-23:59", "a\0b", "\ud800", "1" * 5000, "request id: 20261125",
]  # fmt: skip

words = st.sampled_from(SAID) | st.text(max_size=8)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words


def _trees(keys: list[str]) -> tuple[st.SearchStrategy[Any], st.SearchStrategy[dict[str, Any]]]:
    """(any JSON, JSON objects) with mostly such keys, also as text inside a text."""
    names = st.sampled_from(keys) | st.text(max_size=4)

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some = st.dictionaries(names, inner, max_size=5)
        return some | st.lists(inner, max_size=3) | some.map(lambda value: f"upstream: {json.dumps(value)}.")

    any_value = st.recursive(leaves, deeper, max_leaves=14)
    return any_value, st.dictionaries(names, any_value, max_size=6)


values, objects = _trees(READ)
_, without_error = _trees([key for key in READ if key not in ("error", "errors", "success")])
bodies = (objects | values).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
header_names = st.sampled_from([*REQUEST_ID_HEADERS, *PACE_HEADERS, *PACE_MS_HEADERS, "location"])
header_values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=12) | st.sampled_from(
    ["7", "-1", "1e999", "nan", "Thu, 01 Jan 1970 00:01:40 GMT", "Mon, 01 Jan 0001 00:00:00 -0000", "9" * 400]
)
answers = st.builds(Response, st.integers(100, 599), st.dictionaries(header_names, header_values, max_size=2), bodies)


def check(video: RemoteVideo) -> None:
    assert video.phase in ("waiting", "running", "done", "failed")
    assert video.progress is None or 0 <= video.progress <= 100
    assert video.url == "" or video.url.startswith(("http://", "https://"))
    for text in (video.id, video.status, video.url, video.model, video.prompt):
        text.encode()
        assert "\0" not in text


@given(answers)
def test_any_answer_is_a_state_or_an_error_that_tells(got: Response) -> None:
    """From create, retrieve and list; nothing of it is too odd to be written down or shown."""
    for read, errors in (
        (read_created, (RequestRejectedError, PurchaseUncertainError)),
        (lambda one: read_status(one, "task_1"), (GatewayError,)),
    ):
        try:
            video = read(got)
        except errors as error:
            assert error.hint
            redact(f"{error.message} {error.code} {error.request_id} {error}").encode()
            pace = getattr(error, "retry_after_s", None)
            assert pace is None or pace >= 0
        else:
            assert video.id
            check(video)
    try:
        for video in read_list(got):
            assert video.id
            check(video)
    except GatewayError as error:
        assert error.message
    read_complaint(got)
    pace = retry_after_s(got.headers)
    assert pace is None or pace >= 0


@given(values)
def test_any_piece_is_a_complaint_or_none(value: Any) -> None:
    """Whatever stands under `error`."""
    said = complaint_in(value)
    assert said is None or isinstance(f"{said.code}: {said.message}".encode(), bytes)


@given(st.integers(200, 299), without_error, st.sampled_from(ID_KEYS), st.booleans())
def test_an_accepted_create_with_an_id_is_never_refused(
    status: int, fields: dict[str, Any], key: str, wrapped: bool
) -> None:
    """Whatever else stands beside it, as long as no error does: taken for a refusal, it would be bought again."""
    body: Any = {**fields, key: "task_1"}
    got = Response(status, {}, json.dumps({"code": 0, "data": body} if wrapped else body).encode())
    try:
        assert read_created(got).id
    except PurchaseUncertainError as error:
        assert error.charge == "possible"


@given(st.integers(500, 599), bodies)
def test_a_broken_gateway_without_a_known_refusal_is_perhaps_bought(status: int, body: bytes) -> None:
    """Only a code that says so makes a 5xx a refusal; texts, types and states do not, but for new-api's own words of a
    model without a channel, with HTTP 503."""
    got = Response(status, {}, body)
    complaint = read_complaint(got)
    assume(not any(code.encode() in body.lower() for code in REFUSALS_AS_5XX))
    assume(status != 503 or complaint is None or not any(words in complaint.message.lower() for words in NO_CHANNEL))
    try:
        read_created(got)
    except PurchaseUncertainError as error:
        assert error.charge == "possible"


@given(st.integers(200, 599), without_error | objects, st.sampled_from(sorted(SATURATED)), st.sampled_from(ID_KEYS))
def test_what_is_sent_again_by_itself_has_no_id(status: int, fields: dict[str, Any], code: str, key: str) -> None:
    """A refusal that passes is repeated only where nothing in it can be a job (docs/gateway.md)."""
    for body in (fields, {**fields, "code": code}, {**fields, "code": code, key: "task_1"}):
        got = Response(status, {}, json.dumps(body).encode())
        try:
            read_created(got)
        except RequestRejectedError as error:
            video = read_video(got)
            assert not error.transient or video is None or not video.id
        except PurchaseUncertainError as error:
            assert error.charge == "possible"


@given(st.integers(200, 599), st.sampled_from(sorted(PERHAPS_TAKEN)), st.sampled_from(sorted(REFUSALS_AS_5XX)))
def test_an_upstream_answer_that_was_not_read_is_never_a_refusal(status: int, code: str, quoted: str) -> None:
    """Whatever it quotes of that answer."""
    body = {"code": code, "message": "body: " + json.dumps({"error": {"code": quoted, "message": "no"}})}
    with pytest.raises(PurchaseUncertainError):
        read_created(Response(status, {}, json.dumps(body).encode()))


@pytest.mark.parametrize("depth", [50, 900, 5000])
def test_an_answer_that_is_deep_as_a_well(depth: int) -> None:
    """JSON that nests without end is no way to break a program that holds paid jobs."""
    for start, end in (("[", "]"), ('{"data":', "}"), ('{"error":', "}"), ('{"output":', "}")):
        body = start * depth + '{"id":"v","status":"failed","error":' + "[" * depth + "]" * depth + "}" + end * depth
        got = Response(200, {}, body.encode())
        for read in (read_created, lambda one: read_status(one, "v"), read_list):
            try:
                read(got)
            except (RequestRejectedError, PurchaseUncertainError, GatewayError) as error:
                assert error.hint


@given(st.sampled_from(ROWS), st.integers(0, 400), st.binary(max_size=3))
def test_a_row_that_arrives_damaged(row: Any, at: int, dirt: bytes) -> None:
    """Cut, or with other bytes in it: still a state or an error that tells."""
    for body in (row.body[:at], row.body[:at] + dirt + row.body[at + len(dirt) :]):
        got = Response(row.status, row.headers, body)
        for read in (read_created, lambda one: read_status(one, "task_v"), read_list):
            try:
                read(got)
            except (RequestRejectedError, PurchaseUncertainError, GatewayError) as error:
                assert error.hint
