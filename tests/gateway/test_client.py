"""Every odd answer of a gateway becomes a state or a typed error (docs/gateway.md)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sora_jobs.errors import GatewayError, NotPurchasedError, PurchaseUncertainError, RequestRejectedError, SoraError
from sora_jobs.gateway.error_body import Response, read_complaint
from sora_jobs.gateway.responses import read_created, read_status, retry_after_s
from sora_jobs.jobs.remote_video import LONGEST_ID
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.form import create_call

from ..failures import failing

HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


def answer(status: int, body: object, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


STATES = {
    "as documented": ({"id": "v", "status": "in_progress", "progress": 40}, "running", 40),
    "percent in text": ({"id": "v", "status": "IN_PROGRESS", "progress": "45%"}, "running", 45),
    "progress as text": ({"id": "v", "status": "processing", "progress": "7"}, "running", 7),
    "no progress": ({"id": "v", "status": "queued"}, "waiting", None),
    "progress beyond the end": ({"id": "v", "status": "running", "progress": 250}, "running", 100),
    "progress that is none": ({"id": "v", "status": "running", "progress": {"a": 1}}, "running", None),
    "upper case": ({"id": "v", "status": "SUCCESS"}, "done", None),
    "empty fields": ({"id": "v", "status": "completed", "seconds": "", "size": None}, "done", None),
    "wrapped once": ({"code": "success", "message": "", "data": {"task_id": "v", "status": "SUCCESS"}}, "done", None),
    "wrapped twice": ({"code": 0, "data": {"data": {"id": "v", "status": "NOT_START"}}}, "waiting", None),
    "failure around running": ({"id": "v", "status": "FAILURE", "data": {"status": "running"}}, "running", None),
    "an unknown word": ({"id": "v", "status": "dreaming"}, "running", None),
    "failed, error as text": ({"id": "v", "status": "failed", "error": "too dark"}, "failed", None),
    "failed, code as number": (
        {"id": "v", "status": "failed", "error": {"code": 1027, "message": "no"}},
        "failed",
        None,
    ),
    "no id": ({"status": "queued", "polling_url": "/x"}, "waiting", None),
    "two words": ({"id": "v", "status": "In Progress"}, "running", None),
    "a hyphen": ({"id": "v", "status": "not-start"}, "waiting", None),
    "unknown inside done": ({"id": "v", "status": "completed", "data": {"status": "UNKNOWN"}}, "done", None),
    "a fraction": ({"id": "v", "status": "running", "progress_pct": 0.5}, "running", 50),
    "the whole fraction": ({"id": "v", "status": "running", "progress_pct": 1}, "running", 100),
    "percent that are percent": ({"id": "v", "status": "running", "progress_pct": 1.5}, "running", 1.5),
    "in a list": ({"data": [{"id": "v", "status": "queued"}]}, "waiting", None),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_read_whatever_it_is_wrapped_in(name: str) -> None:
    """Words in any case, progress in any form, wrappers around it."""
    body, phase, progress = STATES[name]
    video = read_status(answer(200, body), "v")
    assert (video.id, video.phase, video.progress) == ("v", phase, progress)


def test_a_failed_job_is_a_state_even_with_an_error_status() -> None:
    """Some gateways deliver the whole video object with a 4xx or 5xx."""
    body = {"id": "v", "status": "failed", "error": {"code": 400, "message": "blocked"}}
    video = read_status(answer(500, body), "v")
    assert video.phase == "failed"
    assert video.complaint is not None
    assert video.complaint.message == "blocked"


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"id": "v", "status": "completed", "video_url": "https://a/b.mp4?sig=1"}, "https://a/b.mp4?sig=1"),
        ({"id": "v", "status": "completed", "metadata": {"url": "https://a/c"}}, "https://a/c"),
        ({"id": "v", "status": "SUCCESS", "fail_reason": "https://a/d"}, "https://a/d"),
        ({"id": "v", "status": "completed", "output": ["https://a/e"]}, "https://a/e"),
        ({"id": "v", "status": "completed", "output": {"url": "https://a/f"}}, "https://a/f"),
        ({"id": "v", "status": "completed", "url": "file:///etc/passwd"}, ""),
        ({"id": "v", "status": "completed", "url": 7}, ""),
    ],
)
def test_a_direct_address_is_found_where_gateways_put_it(body: dict[str, object], url: str) -> None:
    """And nothing but http(s) is taken for one."""
    assert read_status(answer(200, body), "v").url == url


GATEWAY = "https://api.example.com/v1/videos/v"
OWN = "https://api.example.com"
PATHS = {
    "a path": ({"video_url": "/cdn/a.mp4"}, f"{OWN}/cdn/a.mp4"),
    "with white space around it": ({"video_url": "\n /cdn/a.mp4\t"}, f"{OWN}/cdn/a.mp4"),
    "an address with white space": ({"video_url": " https://cdn.example/a.mp4 "}, "https://cdn.example/a.mp4"),
    "with a query": ({"url": "/v1/files/video?id=7"}, f"{OWN}/v1/files/video?id=7"),
    "the scheme left out": ({"url": "//cdn.example/a"}, "https://cdn.example/a"),
    "relative": ({"url": "./a.mp4"}, f"{OWN}/a.mp4"),
    "above": ({"url": "../../a.mp4"}, f"{OWN}/a.mp4"),
    "a folder and a name": ({"result_url": "cdn/a.mp4?sig=1"}, f"{OWN}/cdn/a.mp4?sig=1"),
    "in a table": ({"video": {"url": "/a"}}, f"{OWN}/a"),
    "in a list": ({"videos": [{"url": "/a"}]}, f"{OWN}/a"),
    "an address goes first": (
        {"video": {"url": "/v1/videos/v/content"}, "output": "https://c.example/a"},
        "https://c.example/a",
    ),
    "a word": ({"url": "pending"}, ""),
    "two letters": ({"url": "N/A"}, ""),
    "a sentence": ({"url": "/not ready yet"}, ""),
    "no host": ({"url": "//"}, ""),
    "no path": ({"url": "/"}, ""),
    "half a host": ({"url": "//[::1"}, ""),
    "two hosts": ({"url": "//evil.example\\@api.example.com/"}, ""),
    "a file": ({"url": "file:///etc/passwd"}, ""),
    "a picture as text": ({"data": "/9j/4AAQSkZJRg"}, ""),
    "a place on its disk": ({"output": "/srv/outputs/a.mp4"}, ""),
    "too long": ({"url": "/" + "a" * 3000}, ""),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_joined_to_the_gateways_own_origin(name: str) -> None:
    """Where a key says that it is an address; and nothing of it where it is not known what was asked."""
    fields, url = PATHS[name]
    body = json.dumps({"id": "v", "status": "completed", **fields}).encode()
    assert read_status(Response(200, {}, body, GATEWAY), "v").url == url
    assert read_status(Response(200, {}, body), "v").url == (url if url.encode() in body else "")


BLOCKED = "Your request was blocked by our moderation system when checking inputs."
SATURATED = '{"error": {"code": "upstream_load_saturated", "message": "busy"}}'


def error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, **more}}


REFUSALS = {
    "moderation": (400, error(BLOCKED, code=None), "moderation_blocked", False),
    "unknown model as 503": (503, error("no channel", code="model_not_found"), "model_not_found", False),
    "bad request as 500": (500, error("bad", code="invalid_request"), "invalid_request", False),
    "saturated as 403": (403, error(SATURATED, code="x"), "upstream_load_saturated", True),
    "rate limit": (429, error("slow down", type="rate_limit_error"), "rate_limit_error", True),
    "rate limit in HTML": (429, HTML, "429", True),
    "no balance": (403, {"code": "insufficient_user_quota", "message": "empty"}, "insufficient_user_quota", False),
    "no balance, other family": (402, error("pay"), "402", False),
    "error with HTTP 200": (200, error("nope", code="bad"), "bad", False),
    "no success, with HTTP 200": (200, {"success": False, "message": "no such model"}, "200", False),
    "a code of errors, with HTTP 200": (200, {"code": 1027, "message": "sensitive"}, "moderation_blocked", False),
    "a word of errors, with HTTP 200": (
        200,
        {"code": "bad_prompt", "message": "no", "data": None},
        "bad_prompt",
        False,
    ),
    "a failed call, with HTTP 200": (200, {"status": "error", "message": "Too many requests"}, "200", False),
    "error with an id of its own": (200, {"id": "req_1", **error("nope", code="bad")}, "bad", False),
    "FastAPI": (422, {"detail": [{"msg": "field required", "loc": ["body"]}]}, "422", False),
    "FastAPI, text": (400, {"detail": "no such size"}, "400", False),
    "a key that is wrong": (401, error("Incorrect key", code="invalid_api_key"), "invalid_api_key", False),
    "a redirect": (301, HTML, "301", False),
    "a page": (404, HTML, "404", False),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_readable_no_means_that_nothing_was_bought(name: str) -> None:
    """Refused carries the gateway's code and whether the same may be tried again by itself."""
    status, body, code, transient = REFUSALS[name]
    with pytest.raises(RequestRejectedError) as caught:
        read_created(answer(status, body))
    assert (caught.value.code, caught.value.transient, caught.value.charge) == (code, transient, "none")
    assert caught.value.hint


ACCEPTED = {
    "wrapped in a success": {"code": "success", "message": "", "data": {"task_id": "task_1"}},
    "wrapped in a code 0 and a word": {"code": 0, "message": "SUCCEED", "data": {"task_id": "task_1"}},
    "wrapped in a code 200": {"code": 200, "message": "ok", "data": {"id": "task_1"}},
    "code 1, as at Midjourney proxies": {"code": 1, "description": "Submit success", "id": "task_1"},
    "with a friendly message": {"message": "Task submitted", "task_id": "task_1"},
    "with a type that is no error's": {"type": "video", "task_id": "task_1"},
    "an error that is none": {"id": "task_1", "error": None, "code": ""},
    "an error beside a state": {"id": "task_1", "status": "queued", "error": {"message": "slow today"}},
    "the id alone": {"code": "success", "message": "", "data": "task_1"},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_id_without_an_error_is_a_job(name: str) -> None:
    """Gateways also use `message`, `code` and `type` to say that all went well; taken for a refusal, each run would buy
    again."""
    assert read_created(answer(200, ACCEPTED[name])).id == "task_1"


@pytest.mark.parametrize("status", [400, 409, 429, 500, 503])
def test_a_job_that_comes_with_an_error_status_is_not_sent_again(status: int) -> None:
    """The object shows it alive: kept, or, beside an error, told with its id; never taken for a refusal."""
    video = {"id": "video_1", "object": "video", "model": "sora-2", "status": "queued"}
    assert read_created(answer(status, video)).id == "video_1"
    with failing(PurchaseUncertainError, "", "the job video_1 exists") as caught:
        read_created(answer(status, {**video, **error("slow down", code="rate_limit_exceeded")}))
    assert "--video-id video_1`" in caught.value.hint
    with failing(PurchaseUncertainError, "", "the job video_1 exists"):
        read_created(answer(status, {"id": "video_1", "status": "in_progress", "message": "busy"}))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"code": "success", "message": ""}),
        (200, {"code": 22, "message": "in the queue"}),
        (200, {"status": "queued", "message": "Task is in queue"}),
        (202, {"message": "accepted"}),
        (503, {"error": {"message": "upstream timeout", "type": "invalid_request_error", "code": ""}}),
        (500, {"error": {"message": "oops", "type": "authentication_error"}}),
        (200, HTML),
        (200, b""),
        (200, b'{"id": "video_1", "sta'),
        (200, {"object": "video"}),
        (200, []),
        (202, {"status": "queued"}),
        (500, HTML),
        (500, {"error": {"message": "Internal error", "type": "server_error"}}),
        (502, b""),
        (504, {"error": {"message": "timeout"}}),
        (408, b""),
        (499, b""),
        (408, {"error": {"message": "timeout", "type": "invalid_request_error"}}),
        (504, {"error": {"message": "late", "type": "invalid_request_error", "code": "timeout"}}),
        (504, {"error": {"message": "late", "code": "invalid_request"}}),
        (500, {"error": {"message": "oops", "type": "rate_limit_error", "code": "internal"}}),
        (500, {"error": {"message": "oops", "type": "invalid_request_error", "code": "do_request_failed"}}),
    ],
)
def test_whatever_leaves_it_open_is_perhaps_bought(status: int, body: object) -> None:
    """Without a readable refusal the gateway may hold a job, so it is never sent again by itself."""
    with pytest.raises(PurchaseUncertainError) as caught:
        read_created(answer(status, body))
    assert caught.value.charge == "possible"
    assert "sora resume" in caught.value.hint


def test_a_page_instead_of_a_state_is_asked_again() -> None:
    """HTTP 200 with HTML while polling is trouble that passes."""
    with pytest.raises(GatewayError) as caught:
        read_status(answer(200, HTML), "v")
    assert caught.value.transient


@pytest.mark.parametrize(("status", "transient"), [(401, False), (403, False), (404, True), (400, True), (500, True)])
def test_only_what_can_pass_is_asked_again(status: int, transient: bool) -> None:
    """An id can be unknown for a moment right after create; a bad key stays bad."""
    with pytest.raises(GatewayError) as caught:
        read_status(answer(status, {"error": {"message": "m", "code": "task_not_exist"}}), "v")
    assert caught.value.transient is transient


def test_the_request_id_is_kept() -> None:
    """Support asks for it, whether it came in a header or inside the message."""
    with pytest.raises(RequestRejectedError) as caught:
        read_created(answer(400, {"error": {"message": "bad (request id: 2026abc-DEF)"}}))
    assert caught.value.request_id == "2026abc-DEF"
    with pytest.raises(RequestRejectedError) as caught:
        read_created(answer(400, {"error": {"message": "bad"}}, x_request_id="req_9"))
    assert "req_9" in str(caught.value)


def test_an_echoed_key_is_hidden() -> None:
    """A gateway that repeats our header in its error does not carry it into ours."""
    with pytest.raises(RequestRejectedError) as caught:
        read_created(answer(401, {"error": {"message": "Bad header 'Authorization: Bearer sk-abcdef123456'"}}))
    assert "abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"openai-poll-after-ms": "1500"}, 1.5),
        ({"llm_provider-retry-after": "3"}, 3),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_the_gateways_pace_is_read_from_every_header_it_uses(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date."""
    assert retry_after_s(headers, now=60.0) == seconds


def test_the_form_says_length_and_size_as_text() -> None:
    """Gateways differ in their defaults, so both always go; a model's own words for a size come from the catalogue."""
    spec = VideoRequest(
        provider="cometapi",
        prompt="p",
        model="veo3-fast",
        seconds="8",
        size="720x1280",
        extra_fields={"x": True, "y": False},
    )
    form = create_call(spec, Catalogue.shipped()).fields
    assert form == {"prompt": "p", "model": "veo3-fast", "seconds": "8", "size": "9x16", "x": "true", "y": "false"}


def test_extra_fields_replace_ours_for_an_unlisted_model() -> None:
    """Someone who types a model's id may know better what it wants."""
    spec = VideoRequest(
        provider="cometapi", prompt="p", model="mine", seconds="8", size="720x1280", extra_fields={"size": "9:16"}
    )
    assert create_call(spec, Catalogue.shipped()).fields["size"] == "9:16"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "status", "error", "data", "message", "code", "url", "progress", "detail", "output"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.integers(100, 599), json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_no_answer_causes_another_kind_of_error(status: int, body: bytes) -> None:
    """Whatever comes, the outcome is a state or an error of our tree."""
    got = Response(status, {}, body)
    for read in (read_created, lambda one: read_status(one, "v")):
        try:
            video = read(got)
        except (NotPurchasedError, PurchaseUncertainError, GatewayError) as error:
            assert isinstance(error, SoraError)
        else:
            assert video.id
            assert video.phase in ("waiting", "running", "done", "failed")
    read_complaint(got)


@pytest.mark.parametrize("status", [200, 401, 429, 500, 503])
@pytest.mark.parametrize("body", [{"status": "error", "message": "Too many requests"}, {"status": "fail"}])
def test_a_call_that_failed_is_not_a_job_that_failed(status: int, body: dict[str, str]) -> None:
    """Some gateways give every error a "status"; taken for the job's own, a paid video would be given up."""
    with pytest.raises(GatewayError):
        read_status(answer(status, body), "v")


def test_a_refused_create_with_a_status_is_no_job() -> None:
    """The id of such an error is the request's."""
    with pytest.raises(RequestRejectedError):
        read_created(answer(429, {"status": "error", "id": "req-1", "message": "Too many requests"}))


def test_the_id_is_our_gateways_and_the_state_the_innermost() -> None:
    """A gateway in front of another one: only its own id can be asked for there."""
    body = {
        "code": "success",
        "data": {"task_id": "ours", "status": "FAILURE", "data": {"id": "theirs", "status": "running"}},
    }
    created = read_created(answer(200, body))
    assert (created.id, created.phase) == ("ours", "running")


@pytest.mark.parametrize("length", [250, LONGEST_ID])
def test_an_id_alone_may_be_as_long_as_any(length: int) -> None:
    name = "task_1".ljust(length, "a")
    assert read_created(answer(200, {"code": "success", "data": name})).id == name


def test_a_failure_without_an_id_is_the_calls() -> None:
    """However much it looks like a job's own."""
    for status in (500, 404):
        with pytest.raises(GatewayError):
            read_status(answer(status, {"object": "video", "model": "sora-2", "status": "failed"}), "v")


def test_a_failed_job_needs_no_word_of_its_kind() -> None:
    """Shown with its model and its id it was taken, whatever HTTP status it came with, and its id counts."""
    body = {"id": "task_1", "model": "sora-2", "status": "failed", "error": {"message": "too dark", "code": "x"}}
    assert (read_created(answer(500, body)).id, read_created(answer(500, body)).phase) == ("task_1", "failed")
    assert read_status(answer(200, {"id": "v", "status": "failed", "detail": "too dark"}), "v").phase == "failed"
