"""What becomes of a purchase that nobody knows about: it is looked for in the gateway's list, named, or given up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .errors import GatewayTrouble, InvalidInput, MaybeBought
from .gateways import Gateways
from .ledger import Ledger, taken_error
from .spec import Job, JobState
from .verdict import SETTLE
from .wire import RemoteVideo

CLOCKS_DIFFER_S = 600.0  # between us and a gateway, at most
MANY = 1000  # jobs that are being sent at once
LONGEST_CREATE_S = 3600.0  # from sending a create to the moment at which the gateway dates its job


def settle(ledger: Ledger, gateways: Gateways, job: Job, video_id: str) -> Job:
    """It is that job at the gateway, which is asked for it first; with no id, it is given up as lost.

    InvalidInput where the gateway shows that it is another video: this one would then never be found again.
    """
    if not video_id:
        return ledger.settle(job.id)
    with _still_unknown(job):
        video = gateways.client_for(job).retrieve(video_id)
    if video.prompt and not _same_prompt(job, video):
        raise InvalidInput(
            f"{video_id} is another video; its prompt is: {video.prompt[:200]!r}.",
            advice=f"Look for another id. The other video is fetched with `sora resume {video_id}`, or SoraOpenJob.",
            job=job.id,
        )
    return ledger.observed(ledger.settle(job.id, video_id=video_id).id, video)


def look_for(ledger: Ledger, gateways: Gateways, job: Job) -> Job:
    """Settle it with the one job of the gateway's list that fits. MaybeBought where none does, or several do; it is
    never given up here, since a list may lag behind."""
    if job.state is not JobState.UNKNOWN:
        return job
    if not gateways.provider(job.provider).lists:
        raise taken_error(job)
    if any(_same_words(job, other) for other in ledger.jobs(state=JobState.RESERVED, limit=MANY)):
        what = "The very same words are being sent at this moment: the list could show that job."
        raise MaybeBought(what, advice="Run this again in a minute.", job=job.id)
    with _still_unknown(job):
        fitting = [video for video in gateways.client_for(job).newest() if _fits(job, video)]
    free = [video for video in fitting if _is_free(ledger.at_gateway(job.provider, video.id))]
    if len(free) == 1:
        return ledger.observed(ledger.settle(job.id, video_id=free[0].id).id, free[0])
    found = f"{len(free)} jobs that it may be: {', '.join(video.id for video in free)}" if free else "no such job"
    raise MaybeBought(f"The list of {job.provider} shows {found}.", advice=SETTLE, job=job.id)


@contextlib.contextmanager
def _still_unknown(job: Job) -> Iterator[None]:
    """A gateway that cannot tell leaves the purchase as it was: perhaps paid."""
    try:
        yield
    except GatewayTrouble as error:
        error.money = "perhaps"
        raise error.for_job(job.id)  # noqa: B904 - the same error, now with the job's id


def _fits(job: Job, video: RemoteVideo) -> bool:
    """The same prompt, and whatever else the list tells does not speak against it."""
    sent = job.sent_at or job.created_at
    return (
        _same_prompt(job, video)
        and video.seconds in ("", job.seconds)
        and (
            video.created_at is None
            or sent - CLOCKS_DIFFER_S <= video.created_at <= sent + CLOCKS_DIFFER_S + LONGEST_CREATE_S
        )
    )


def _same_words(job: Job, other: Job) -> bool:
    return (job.provider, job.prompt) == (other.provider, other.prompt)


def _same_prompt(job: Job, video: RemoteVideo) -> bool:
    return " ".join(video.prompt.split()) == " ".join(job.prompt.split())


def _is_free(known: Job | None) -> bool:
    """Nobody's purchase yet; one that was only opened by its id can become one."""
    return known is None or known.kind == "opened"
