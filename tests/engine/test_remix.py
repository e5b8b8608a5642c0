"""The request for a remix, from the job that it starts from."""

from __future__ import annotations

import pytest
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.purchasing.remix import remix_request

from ..failures import failing

CATALOGUE = Catalogue.shipped()


def parent(state: JobState = JobState.STORED, model: str = "sora-2") -> Job:
    return Job(
        id="abc", kind="create", state=state, provider="mine", origin="https://videos.example.com", model=model,
        seconds="4", size="1280x720", prompt="a boat", take=3, identity="0" * 64, video_id="video_1", project="Zebra",
    )  # fmt: skip


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.STORED])
def test_a_remix_names_the_video_and_its_provider(state: JobState) -> None:
    """Length, size and model are the video's own, and are not sent; take and project are the remix's own."""
    expected = VideoRequest(kind="remix", provider="mine", prompt="at night", take=2, parent="video_1", project="Okapi")
    assert remix_request(parent(state), "at night", 2, "Okapi", CATALOGUE) == expected
    assert expected.model == expected.seconds == expected.size == ""


@pytest.mark.parametrize("state", [state for state in JobState if not state.is_rendered])
def test_only_a_finished_video_is_remixed(state: JobState) -> None:
    """The error says what to connect."""
    with failing(InvalidInputError, "job_not_finished", f"abc is {state.value}", "WaitForVideo") as caught:
        remix_request(parent(state), "at night", 1, "", CATALOGUE)
    assert caught.value.job == "abc"


def test_a_model_without_remix_is_refused() -> None:
    with failing(InvalidInputError, "remix_unsupported", "seedance-2-5") as caught:
        remix_request(parent(model="seedance-2-5"), "at night", 1, "", CATALOGUE)
    assert caught.value.job == "abc"
