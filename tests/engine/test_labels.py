"""How a job is shown to a person, and what is said of words that cannot be taken: each sentence once, whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sora_jobs.errors import GatewayError, InvalidInputError
from sora_jobs.gateway.error_body import Response
from sora_jobs.gateway.responses import read_created, read_list
from sora_jobs.gateway.video_object import plain_status, video_in
from sora_jobs.jobs.spec import (
    EXPIRED,
    LONGEST_FIELDS,
    LONGEST_PROMPT,
    Job,
    Reference,
    VideoRequest,
    parse_extra_fields,
)
from sora_jobs.jobs.state import JobState

from ..failures import failing

JOB = Job(
    id="abc", kind="create", state=JobState.SUBMITTED, provider="p", origin="o", model="sora-2", seconds="4",
    size="1280x720", prompt="a boat\n on a  lake", take=1, identity="i", video_id="v1",
)  # fmt: skip
EMPTY = Response(200, {}, b"")


def test_the_label_of_a_job() -> None:
    """Prompt in one line of 48 letters at most, state, model, length and id; without a prompt the gateway's id."""
    assert JOB.label == "a boat on a lake · submitted sora-2 4s · abc"
    assert replace(JOB, prompt="", model="", seconds="").label == "v1 · submitted · abc"
    assert replace(JOB, prompt="x" * 48).label.startswith("x" * 48 + " · ")
    assert replace(JOB, prompt="x" * 49).label.startswith("x" * 47 + "… · ")


def test_only_an_unfinished_job_lapses() -> None:
    """A stored one whose link is gone is stored."""
    lapsed = {state for state in JobState if replace(JOB, state=state, error_code=EXPIRED).lapsed}
    assert lapsed == {JobState.SUBMITTED, JobState.COMPLETED}
    assert not JOB.lapsed
    assert (JOB.standing, replace(JOB, error_code=EXPIRED).standing) == ("submitted", EXPIRED)


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("", "queued"), ("queued", "queued"), ("in_progress", "rendering"), ("completed", "finished"),
        ("FAILED", "failed"), ("Cosmic Dust", "Cosmic Dust"),
    ],
)  # fmt: skip
def test_a_status_in_plain_words(word: str, plain: str) -> None:
    """One that nobody knows is shown as it came."""
    assert plain_status(word) == plain


def test_extra_fields_that_cannot_be_taken() -> None:
    """What is wrong, and what is wanted; as long as is allowed is not too long."""
    fits = '{"a": "' + "x" * (LONGEST_FIELDS - 9) + '"}'
    assert len(fits) == LONGEST_FIELDS
    assert list(parse_extra_fields(fits)) == ["a"]
    for text, name in ((fits + " ", f"not JSON: it has more than {LONGEST_FIELDS} characters."), ("[1]", "JSON list")):
        with failing(InvalidInputError, "invalid_extra_fields", name):
            parse_extra_fields(text)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3)])
def test_pixels_of_another_shape_are_no_reference(shape: tuple[int, ...]) -> None:
    """Three or four letters of colour per pixel."""
    with failing(InvalidInputError, "invalid_image", shape):
        Reference(np.zeros(shape, np.uint8))
    for letters in (3, 4):
        Reference(np.zeros((4, 4, letters), np.uint8))
    with failing(InvalidInputError, "unknown_option", "'squeeze'", "Choose from: crop, pad, stretch."):
        Reference(np.zeros((4, 4, 3), np.uint8), "squeeze")


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"model": " "}, "no_model", ""),
        ({"prompt": " "}, "empty_prompt", ""),
        ({"provider": " "}, "no_provider", ""),
        ({"take": 0}, "invalid_take", "take is 0."),
        ({"prompt": "\ud800"}, "lone_surrogate", ""),
        ({"prompt": "\udfff"}, "lone_surrogate", ""),
        ({"kind": "remix"}, "no_source_video", ""),
        ({"seconds": "four"}, "invalid_seconds", "'four'"),
        ({"size": "big"}, "invalid_size", "'big'"),
        ({"size": "8193x1"}, "invalid_size", "'8193x1'"),
    ],
)
def test_a_wrong_wish_is_told_with_a_right_one(change: dict[str, Any], code: str, name: str) -> None:
    """In words that can be typed in."""
    right: dict[str, Any] = {"provider": "p", "prompt": "a" * LONGEST_PROMPT, "model": "m", "seconds": "4"}
    right |= {"size": "8192x1", "extra_fields": {"Resolution": "720p"}}
    with pytest.raises(TypeError):
        VideoRequest(**right).extra_fields["more"] = 1  # type: ignore[index]
    with failing(InvalidInputError, code, name):
        VideoRequest(**right | change)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("http://127.0.0.1:1/a.mp4", True), ("https://x.org/a.mp4", True), ("ftp://x.org/a.mp4", False),
        ("https:///a.mp4", False), ("https://x.org:0/a", False), ("https://x.org/a\x07", False), ("a.mp4", False),
    ],
)  # fmt: skip
def test_what_counts_as_an_address(text: str, taken: bool) -> None:
    """http or https with a host; everything else is left, and the film asked for by the job's id."""
    video = video_in({"id": "video_1", "status": "completed", "video_url": text}, EMPTY)
    assert video is not None
    assert video.url == (text if taken else "")


def test_a_list_that_is_none_is_trouble() -> None:
    """Told with what was asked, and with the gateway's own words."""
    for status in (300, 500):
        with failing(GatewayError, "", f"HTTP {status} when asked for its list of jobs: so sorry.") as caught:
            read_list(Response(status, {}, b'{"data": [], "error": {"message": "so sorry"}}'))
        assert caught.value.http_status == status
    listed = read_list(Response(200, {}, b'{"data": {"data": [{"id": "video_1", "status": "queued"}, {"x": 1}]}}'))
    assert [video.id for video in listed] == ["video_1"]


@pytest.mark.parametrize(
    ("body", "phase"),
    [
        ('{"id": "video_1", "status": "success"}', "waiting"),
        ('{"id": "video_1", "status": "success", "object": "video"}', "done"),
        ('{"id": "video_1", "status": "success", "video_url": "https://x.org/a.mp4"}', "done"),
        ('{"id": "video_1", "status": "success", "progress": 100}', "done"),
        ('{"id": "video_1", "status": "success", "progress": 99}', "waiting"),
    ],
)
def test_a_success_around_a_bare_id_is_the_calls(body: str, phase: str) -> None:
    """A job that was just made is finished only where a film is shown."""
    assert read_created(Response(200, {}, body.encode())).phase == phase
