"""What is said of an answer: the gateway's own words, what to do about them, and what goes with the error, whole."""

from __future__ import annotations

import json

import pytest
from sora_jobs.errors import GatewayError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.gateway.error_body import Response, complaint_in, read_complaint, says_error
from sora_jobs.gateway.responses import read_created, read_status, refusal, trouble
from sora_jobs.gateway.video_object import read_video
from sora_jobs.gateway.vocabulary import ADVICE, ADVICE_BY_STATUS
from sora_jobs.jobs.remote_video import LONGEST_ID
from sora_jobs.messages import RECONCILE_HINT

from ..failures import failing


def answer(status: int, body: object = None, **headers: str) -> Response:
    return Response(status, headers, b"" if body is None else json.dumps(body).encode())


def error(message: str, code: str = "", **more: str) -> dict[str, object]:
    return {"error": {"message": message, "code": code, **more}}


@pytest.mark.parametrize(
    ("status", "body", "what", "hint", "code"),
    [
        (400, error("too long..", "oops"), "(HTTP 400, oops): too long.", ADVICE_BY_STATUS[400], "oops"),
        (418, error("teapot"), "(HTTP 418): teapot.", ADVICE_BY_STATUS[400], "418"),
        (401, None, "(HTTP 401): it gave no reason.", ADVICE_BY_STATUS[401], "401"),
        (404, None, "(HTTP 404): it gave no reason.", ADVICE_BY_STATUS[404], "404"),
        (413, error("big"), "(HTTP 413): big.", ADVICE_BY_STATUS[413], "413"),
        (300, None, "(HTTP 300): it wants to be asked at another address.", ADVICE_BY_STATUS[404], "300"),
        (399, error("x"), "(HTTP 399): it wants to be asked at another address.", ADVICE_BY_STATUS[404], "399"),
        (
            400, error("no", "MODERATION_BLOCKED"), "(HTTP 400, MODERATION_BLOCKED): no.",
            ADVICE["moderation_blocked"], "MODERATION_BLOCKED",
        ),
        (
            400, error("no", "own_code", type="moderation_blocked"), "(HTTP 400, own_code): no.",
            ADVICE["moderation_blocked"], "own_code",
        ),
    ],
)  # fmt: skip
def test_a_refusal(status: int, body: object, what: str, hint: str, code: str) -> None:
    """Its status, its code and its words, and the advice of the innermost code that is known, else of the status."""
    given = answer(status, body)
    no = refusal(given, read_complaint(given))
    assert no.message == f"The gateway refused {what}"
    assert (no.hint, no.code, no.http_status) == (hint, code, status)


@pytest.mark.parametrize(
    ("status", "body", "said", "hint", "passes"),
    [
        (500, None, "", "The job goes on there; run again later.", True),
        (500, error("sorry.."), ": sorry", "The job goes on there; run again later.", True),
        (429, None, "", ADVICE_BY_STATUS[429], True),
        (404, error("none", "TASK_NOT_EXIST"), ": none", ADVICE["task_not_exist"], True),
        (403, error("busy", "rate_limit_exceeded"), ": busy", ADVICE["rate_limit_exceeded"], True),
        *((status, None, "", None, False) for status in (401, 402, 403, 405, 410)),
    ],
)
def test_trouble(status: int, body: object, said: str, hint: str | None, passes: bool) -> None:
    """What was asked stands in it; a key that is refused does not pass, a busy gateway does."""
    given = answer(status, body)
    found = trouble(given, read_complaint(given), "asked")
    assert found.message == f"The gateway answered HTTP {status} when asked{said}."
    assert found.hint == (hint or ADVICE_BY_STATUS.get(status, "The job goes on there; run again later."))
    assert (found.transient, found.http_status) == (passes, status)
    assert found.code == (read_complaint(given).code if body and read_complaint(given) else "")


def test_the_request_id_is_found_in_the_words() -> None:
    """Where no header and no field has it."""
    said = error("no (request id: 20261126abc)")
    assert trouble(answer(500, said), read_complaint(answer(500, said)), "asked").request_id == "20261126abc"
    assert refusal(answer(400, said), read_complaint(answer(400, said))).request_id == "20261126abc"
    assert trouble(answer(500), None, "asked").request_id == ""


def test_a_maybe_says_how_it_is_settled() -> None:
    """With the id that may be the job's, where there is one."""
    with pytest.raises(PurchaseUncertainError) as caught:
        read_created(answer(502, error("bad gateway.")))
    bare = "The gateway answered HTTP 502 without saying whether the job exists: bad gateway."
    assert (caught.value.message, caught.value.hint) == (bare, RECONCILE_HINT)
    with pytest.raises(PurchaseUncertainError) as caught:
        read_created(answer(502))
    assert caught.value.message == "The gateway answered HTTP 502 without saying whether the job exists."
    with pytest.raises(PurchaseUncertainError) as caught:
        read_created(answer(200, {"id": "task_12345678", "code": "weird"}))
    assert "whether the job task_12345678 exists" in caught.value.message
    assert "--video-id task_12345678`" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "bought"),
    [
        ({"status": "queued", **error("busy")}, "possible"),  # an error beside a job that waits
        ({"status": "failed", **error("no")}, "none"),
        ({"status": "success", **error("no")}, "none"),  # the call's own success
        ({"status": "success", "message": "submitted"}, "possible"),
    ],
)
def test_a_state_without_an_id_is_a_refusal_only_where_it_says_so(body: dict[str, object], bought: str) -> None:
    """With HTTP 200. What may be waiting somewhere is not bought again by itself."""
    with pytest.raises((RequestRejectedError, PurchaseUncertainError)) as caught:
        read_created(answer(200, body))
    assert caught.value.charge == bought


def test_a_family_of_errors_over_a_broken_upstream_promises_nothing() -> None:
    """Of a 5xx only the exact code counts: a type that sounds busy does not make it worth another try."""
    said = answer(500, error("no", "invalid_request", type="rate_limit_exceeded"))
    assert refusal(said, read_complaint(said)).transient is False
    said = answer(499, error("no", "invalid_request", type="rate_limit_exceeded"))
    assert refusal(said, read_complaint(said)).transient is True


def test_a_state_that_cannot_be_told() -> None:
    """An id that is not known, or not any more, has an advice of its own."""
    for status, is_unknown_job in ((404, True), (410, True), (500, False)):
        with failing(GatewayError, "", f"HTTP {status} when asked for the job's state") as caught:
            read_status(answer(status), "v")
        assert caught.value.hint.startswith("It does not know this job") is is_unknown_job, status
        assert (caught.value.http_status, caught.value.is_unknown_job) == (status, is_unknown_job)


def test_a_detail_is_an_error_and_a_word_of_success_is_none() -> None:
    """Numbers from 400 on are errors, those below mean "taken" at some."""
    assert says_error(answer(200, {"detail": "not found"}))
    assert not says_error(answer(200, {"detail": "success"}))
    assert not says_error(answer(200, {"detail": False}))
    assert not says_error(answer(200, {"message": "Success", "code": 500}))
    assert [says_error(answer(200, {"code": code})) for code in (399, 400, 401)] == [False, True, True]


def test_an_error_in_a_job_has_no_request_id_of_its_own() -> None:
    """It is read from a piece of an answer, without its headers."""
    said = complaint_in({"message": "too dark", "code": "x"})
    assert said is not None
    assert (said.message, said.code, said.request_id) == ("too dark", "x", "")


def test_what_is_an_id() -> None:
    """Text or a whole number, of a length that an id can have; a mere word beside a success is none."""
    longest = "v" * LONGEST_ID
    for value, found in ((longest, longest), (longest + "v", ""), (17, "17"), (1.5, "")):
        video = read_video(answer(200, {"id": value, "status": "queued", "model": "sora-2"}))
        assert video is not None
        assert (video.id, video.model) == (found, "sora-2")
    assert read_video(answer(200, {"code": "success", "data": "accepted"})) is None
    bare = read_video(answer(200, {"code": "success", "data": "task_12345678"}))
    assert bare is not None
    assert bare.id == "task_12345678"
