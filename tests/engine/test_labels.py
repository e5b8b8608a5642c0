"""How a job is shown to a person, and what is said of words that cannot be taken: each sentence once, whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sora.envelope import Answer
from sora.errors import GatewayTrouble, InvalidInput
from sora.spec import LAPSED, LONGEST_FIELDS, LONGEST_PROMPT, Job, JobSpec, JobState, Reference, parse_extra_fields
from sora.verdict import read_created, read_list
from sora.wire import plain_status, video_in

from ..failures import failing

JOB = Job(
    id="abc", kind="create", state=JobState.SUBMITTED, provider="p", origin="o", model="sora-2", seconds="4",
    size="1280x720", prompt="a boat\n on a  lake", take=1, identity="i", video_id="v1",
)  # fmt: skip
EMPTY = Answer(200, {}, b"")
HALF = "The text holds half a character (a lone surrogate)."


def test_the_label_of_a_job() -> None:
    """Prompt in one line of 48 letters at most, state, model, length and id; without a prompt the gateway's id."""
    assert JOB.label == "a boat on a lake · submitted sora-2 4s · abc"
    assert replace(JOB, prompt="", model="", seconds="").label == "v1 · submitted · abc"
    assert replace(JOB, prompt="x" * 48).label.startswith("x" * 48 + " · ")
    assert replace(JOB, prompt="x" * 49).label.startswith("x" * 47 + "… · ")


def test_only_an_unfinished_job_lapses() -> None:
    """A stored one whose link is gone is stored."""
    lapsed = {state for state in JobState if replace(JOB, state=state, error_code=LAPSED).lapsed}
    assert lapsed == {JobState.SUBMITTED, JobState.COMPLETED}
    assert not JOB.lapsed
    assert (JOB.standing, replace(JOB, error_code=LAPSED).standing) == ("submitted", LAPSED)


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
    wanted = 'It wants a JSON object of form fields, such as {"resolution": "720p"}, or nothing.'
    fits = '{"a": "' + "x" * (LONGEST_FIELDS - 9) + '"}'
    assert len(fits) == LONGEST_FIELDS
    assert list(parse_extra_fields(fits)) == ["a"]
    for text, what in (
        (fits + " ", f"extra_fields is not JSON: it has more than {LONGEST_FIELDS} characters."),
        ("[1]", "extra_fields is a JSON list, not an object."),
    ):
        with pytest.raises(InvalidInput) as caught:
            parse_extra_fields(text)
        assert (caught.value.what, caught.value.advice) == (what, wanted)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3)])
def test_pixels_of_another_shape_are_no_reference(shape: tuple[int, ...]) -> None:
    """Three or four letters of colour per pixel."""
    with failing(InvalidInput, "invalid_image", shape):
        Reference(np.zeros(shape, np.uint8))
    for letters in (3, 4):
        Reference(np.zeros((4, 4, letters), np.uint8))
    with pytest.raises(InvalidInput) as caught:
        Reference(np.zeros((4, 4, 3), np.uint8), "squeeze")
    assert caught.value.advice == "Choose from: crop, pad, stretch."


@pytest.mark.parametrize(
    ("change", "what", "advice"),
    [
        ({"model": " "}, "No model is chosen.", ""),
        ({"prompt": " "}, "The prompt is empty.", "Say what the video should show."),
        ({"provider": " "}, "No provider is chosen.", ""),
        ({"take": 0}, "take is 0.", "Takes are counted from 1."),
        ({"prompt": "\ud800"}, HALF, "Type it again."),
        ({"prompt": "\udfff"}, HALF, "Type it again."),
        ({"kind": "remix"}, "A remix needs the video that it starts from.", "Connect a finished job."),
        ({"seconds": "four"}, "'four' is not a length.", "Write whole seconds, such as 4."),
        ({"size": "big"}, "'big' is not a size.", "Write width and height in pixels, such as 1280x720."),
        ({"size": "8193x1"}, "'8193x1' is not a size.", "Write width and height in pixels, such as 1280x720."),
    ],
)
def test_a_wrong_wish_is_told_with_a_right_one(change: dict[str, Any], what: str, advice: str) -> None:
    """In words that can be typed in."""
    right: dict[str, Any] = {"provider": "p", "prompt": "a" * LONGEST_PROMPT, "model": "m", "seconds": "4"}
    right |= {"size": "8192x1", "extra_fields": {"Resolution": "720p"}}
    with pytest.raises(TypeError):
        JobSpec(**right).extra_fields["more"] = 1  # type: ignore[index]
    with pytest.raises(InvalidInput) as caught:
        JobSpec(**right | change)
    assert (caught.value.what, caught.value.advice) == (what, advice)


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
        with failing(GatewayTrouble, "", f"HTTP {status} when asked for its list of jobs: so sorry.") as caught:
            read_list(Answer(status, {}, b'{"data": [], "error": {"message": "so sorry"}}'))
        assert caught.value.http_status == status
    listed = read_list(Answer(200, {}, b'{"data": {"data": [{"id": "video_1", "status": "queued"}, {"x": 1}]}}'))
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
    assert read_created(Answer(200, {}, body.encode())).phase == phase
