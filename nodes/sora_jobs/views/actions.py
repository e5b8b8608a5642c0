"""What a person may do with a job now. None of it buys."""

from __future__ import annotations

from ..jobs.spec import ARCHIVED, MUTED, Job
from ..jobs.state import JobState


def actions_of(job: Job, cure: str) -> list[str]:
    """Return the names of the actions that the page offers for a job, in the order in which it shows them; `cure` is
    what helps with its failure. Whether its file is there and its model has a remix is seen when it is shown."""
    has_video = job.state.is_rendered and not job.lapsed
    may = {
        "reconcile": job.state is JobState.UNKNOWN,
        "frames": has_video,
        "open": bool(job.video_id) or job.state is not JobState.REFUSED,
        "remix": has_video,
        "nearest": cure == "nearest",
        "ask": (job.state is JobState.FAILED and bool(job.video_id)) or job.stale,
        "again": job.kind != "opened",
        "unwatch": job.is_running and job.may_be_muted and not job.aside,
        "watch": job.aside == MUTED,
        "cancel": job.state is JobState.QUEUED,
        "restore": job.aside == ARCHIVED,
        "archive": job.may_be_archived and not job.aside,
    }
    return [name for name, holds in may.items() if holds]


def group_of(job: Job) -> str:
    """Return the list that shows a job beside the one of all: "forgotten" for an archived one, which only that list
    has, "running", or its state."""
    if job.aside == ARCHIVED:
        return ARCHIVED
    return "running" if job.is_running else job.standing


def was_running(standing: str) -> bool:
    """Was a job of that `standing` on its way? "" is that of a job that nobody knew."""
    return standing in list(JobState) and JobState(standing).is_running
