"""What becomes of a purchase that nobody knows about: it is looked for in the gateway's list, named, or given up."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from ..errors import GatewayError, InvalidInputError, PurchaseUncertainError, SoraError
from ..gateway.clients import Clients
from ..jobs.outcomes import existing_purchase_error
from ..jobs.remote_video import LONGEST_ID, RemoteVideo
from ..jobs.spec import Job, parse_size
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..messages import RECONCILE_HINT

CLOCKS_DIFFER_S = 600.0  # between us and a gateway, at most
MANY = 1000  # jobs that are being sent, or in doubt, at once
LARGEST_RATIO = 99  # a size with larger numbers is one in pixels
RATIOS_DIFFER = 0.05  # by which pixels may differ from the ratio that they are called by: 854x480 is no exact 16:9
LONGEST_TOLD = 220  # characters of a gateway's word in a sentence
LONGEST_CREATE_S = 3600.0  # from sending a create to the moment at which the gateway dates its job


def reconcile(ledger: Ledger, clients: Clients, job: Job, video_id: str = "", *, lost: bool = False) -> Job:
    """It is that job at the gateway, which is asked for it first; or it is `lost`; or its list is looked at.

    InvalidInputError where the gateway shows another video: the right one would never be looked for again.
    """
    if video_id and lost:
        raise InvalidInputError(f"Job {job.id} is either {video_id} or lost.", hint="Give one of both.", job=job.id)
    if lost:
        return ledger.reconcile(job.id)
    if not video_id:
        return find_in_provider_list(ledger, clients, job)
    if len(video_id) > LONGEST_ID:
        raise InvalidInputError(
            f"The id has {len(video_id)} characters; {LONGEST_ID} is the most.",
            hint="Copy the id alone from the gateway's list.",
            job=job.id,
            code="video_id_too_long",
        )
    with _still_unknown(job):
        video = clients.client_for(job).retrieve(video_id)
    if differences := _differences(job, video):
        raise InvalidInputError(
            f"{video_id} is another video; its {', its '.join(differences)}.",
            hint="Look for another id. If it is this purchase after all, in the gateway's own words, fetch it by its "
            f"id (node *Open Sora Job*; in a shell: `sora resume {video_id} --provider {job.provider}`), then declare "
            "this job lost (tab *Sora jobs*; in a shell: `sora resume JOB --lost`). Running the same again then buys "
            "it again.",
            job=job.id,
            code="video_differs",
        )
    return ledger.observed(ledger.reconcile(job.id, video_id=video_id).id, video)


def find_in_provider_list(ledger: Ledger, clients: Clients, job: Job) -> Job:
    """Settle it with the one job of the gateway's list that fits. PurchaseUncertainError where none does, where several
    do, or where another purchase of ours may be that job as well; it is never given up here, since a list may lag
    behind."""
    if job.state is not JobState.UNKNOWN:
        return job
    if not clients.provider(job.provider).lists:
        raise existing_purchase_error(job)
    others = [other for other in _in_doubt(ledger, job) if other.id != job.id]
    with _still_unknown(job):
        listed = clients.client_for(job).list_videos()
    fitting = [video for video in listed if _fits(job, video)]
    free = [video for video in fitting if _is_free(ledger.queries.by_gateway_id(job.provider, job.origin, video.id))]
    if len(free) != 1:
        found = f"{len(free)} jobs that it may be: {', '.join(video.id for video in free)}" if free else "no such job"
        raise PurchaseUncertainError(f"The list of {job.provider} shows {found}.", hint=RECONCILE_HINT, job=job.id)
    if rivals := [other for other in others if _fits(other, free[0])]:
        raise PurchaseUncertainError(
            f"The list of {job.provider} shows {free[0].id}, which may also be job {rivals[0].id}: both ask for the "
            "same.",
            hint=RECONCILE_HINT.replace(" ID`", f" {free[0].id}`"),
            job=job.id,
        )
    return ledger.observed(ledger.reconcile(job.id, video_id=free[0].id).id, free[0])


def ask_again(ledger: Ledger, clients: Clients, job: Job) -> Job:
    """The same as `ask_about`. JobFailedError where it cannot be asked, which says of both why; it stays as it is."""
    try:
        return ask_about(ledger, clients, job)
    except SoraError as error:
        failed = existing_purchase_error(job)
        message = f"{failed.message} The gateway could not be asked about it again: {error.message}"
        raise failed.changed(message=message, hint=f"{error.hint} {failed.hint}".strip()) from error


def ask_about(ledger: Ledger, clients: Clients, job: Job) -> Job:
    """A job that was seen to fail, as its gateway sees it now. Asking is free, and some say "failed" once and go on
    rendering. GatewayError, MissingKeyError where it cannot be asked: it stays as it is."""
    if job.state is not JobState.FAILED or not job.video_id:
        return job
    try:
        return ledger.taken_up_again(job.id, clients.client_for(job).retrieve(job.video_id))
    except GatewayError as error:
        raise error.with_job(job.id).changed(charge="possible") from error.__cause__


def _in_doubt(ledger: Ledger, job: Job) -> list[Job]:
    """Our purchases at that gateway which may be a job of its list: those that are unknown, or being sent now."""
    unknown = ledger.jobs(state=JobState.UNKNOWN, limit=MANY, forgotten=True)
    sending = ledger.jobs(state=JobState.RESERVED, limit=MANY, forgotten=True)
    return [other for other in (*unknown, *sending) if (other.provider, other.origin) == (job.provider, job.origin)]


@contextlib.contextmanager
def _still_unknown(job: Job) -> Iterator[None]:
    """A gateway that cannot tell leaves the purchase as it was: perhaps paid."""
    try:
        yield
    except GatewayError as error:
        told = error.changed(charge="possible", hint=f"{error.hint} {RECONCILE_HINT}")
        raise told.with_job(job.id) from error.__cause__


def _fits(job: Job, video: RemoteVideo) -> bool:
    """Is it that purchase, as far as the list tells? It tells the prompt, nothing differs, and it was made then."""
    sent = job.sent_at or job.created_at
    return (
        bool(video.prompt)
        and not _differences(job, video)
        and (
            video.created_at is None
            or sent - CLOCKS_DIFFER_S <= video.created_at <= sent + CLOCKS_DIFFER_S + LONGEST_CREATE_S
        )
    )


def _differences(job: Job, video: RemoteVideo) -> list[str]:
    """What speaks against it, for a person; what either side does not tell speaks against nothing."""
    count = len(job.references)
    checks = (
        (not video.prompt or _same_prompt(job, video), "prompt", repr(video.prompt[:200]), repr(job.prompt[:200])),
        (_same_model(job.model, video.model), "model", video.model, job.model),
        (_same_length(job.seconds, video.seconds), "length", f"{video.seconds} s", f"{job.seconds} s"),
        (_same_size(job.size, video.size), "size", video.size, job.size),
        (video.parent in ("", job.parent), "remix source", video.parent, job.parent or "empty"),
        (video.references in (None, count), "number of images", str(video.references), str(count)),
    )
    return [f"{name} is {told[:LONGEST_TOLD]}, not {asked}" for same, name, told, asked in checks if not same]


def _same_length(asked: str, told: str) -> bool:
    """In seconds, however they are written (4, 4.0, 4s); a remix of a video of unknown length asks for none."""
    lengths = [re.match(r"[0-9]+(\.[0-9]+)?", text) for text in (asked, told)]
    return len({float(length[0]) for length in lengths if length}) < 2


def _same_size(asked: str, told: str) -> bool:
    """In pixels, or as a ratio (16x9, 16:9) of the same shape; whatever else a gateway writes there says nothing."""
    match = re.fullmatch(r"([0-9]{1,5})[x:*]([0-9]{1,5})", told.strip().lower())
    if match is None or not asked or "0" in match.groups():
        return True
    width, height = int(match[1]), int(match[2])
    wide, tall = parse_size(asked)
    if max(width, height) > LARGEST_RATIO:
        return (width, height) == (wide, tall)
    return abs(width / height - wide / tall) < RATIOS_DIFFER * wide / tall


def _same_model(asked: str, told: str) -> bool:
    """The same id, or with the date of a version behind it (sora-2-2025-12-08, doubao-seedance-2-0-260128)."""
    asked, told = asked.lower(), told.lower()
    return told in ("", asked) or not asked or re.fullmatch(rf"{re.escape(asked)}(-[0-9]{{2,8}})+", told) is not None


def _same_prompt(job: Job, video: RemoteVideo) -> bool:
    return " ".join(video.prompt.split()) == " ".join(job.prompt.split())


def _is_free(known: Job | None) -> bool:
    """Nobody's purchase yet; one that was only opened by its id can become one."""
    return known is None or known.kind == "opened"
