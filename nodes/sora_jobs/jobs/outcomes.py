"""What a job that ended without a video means for whoever wants it, as the error to raise."""

from __future__ import annotations

from ..errors import JobFailedError, LocalError, NotPurchasedError, PurchaseUncertainError, SoraError
from ..messages import RECONCILE_HINT, Charge
from .spec import Job
from .state import JobState

CANCELLED = "cancelled"  # the error code of a job that was cancelled before it was sent


def existing_purchase_error(job: Job) -> SoraError:
    """Why running the same again does not send it: for a job that is UNKNOWN or FAILED."""
    if job.state is JobState.UNKNOWN:
        return PurchaseUncertainError(
            f"An earlier try of exactly this job may have been bought ({job.reason}).",
            hint=RECONCILE_HINT,
            job=job.id,
        )
    code = "" if job.error_code.lower() in job.reason.lower() else job.error_code
    why = ": ".join(part for part in (code, job.reason) if part) or "the gateway gave no reason"
    return JobFailedError(
        f"The gateway ended this job without a video ({why}).",
        hint="It is not bought again by itself. Running the same again, or *Ask again* in the tab *Sora jobs*, only "
        "asks the gateway about it, free of charge. For another try, change the prompt or choose another take.",
        job=job.id,
        request_id=job.request_id,
        code=job.error_code,
    )


def ended_error(job: Job) -> SoraError:
    """Why there is no video to wait for."""
    if job.state.blocks_purchase:
        return existing_purchase_error(job)
    return NotPurchasedError(
        f"Job {job.id} is {job.state}: there is no video to wait for{f' ({job.reason})' if job.error else ''}.",
        hint="Ask for the same video again to send it anew.",
        job=job.id,
        code=job.error_code,
    )


def charge_of(job: Job) -> Charge:
    """Return whether an unfinished job cost something."""
    if job.video_id:
        return "charged"
    return "none" if job.state is JobState.QUEUED else "possible"


def cancelled_error(job: str) -> NotPurchasedError:
    """Return the error for whoever wanted what was cancelled."""
    return NotPurchasedError("It was cancelled before it was sent.", job=job, code=CANCELLED)


def waiting_error(job: Job) -> NotPurchasedError:
    """Why there is no video of a queued job to wait for: its process has ended, and nothing is bought at a start by
    itself."""
    return NotPurchasedError(
        f"Job {job.id} waits to be sent, and the program that was to send it has ended.",
        hint="Run the same again: it keeps its place in the line. The tab *Sora jobs* shows it and can cancel it; in a "
        "shell: `sora resume JOB` sends it, `sora cancel JOB` cancels it.",
        job=job.id,
        code="not_sent_yet",
    )


def error_for_waiter(error: SoraError, job: Job | None) -> SoraError:
    """The error for one who waits for the video of `job` (None: its row could not be read): what is waited for was
    bought before, unless it is still being sent."""
    bought = isinstance(error, LocalError) if job is None else bool(job.video_id)
    if bought and error.charge == "none":
        return error.changed(charge="charged")
    if error.charge == "charged" and job is not None and not bought:
        return error.changed(charge="possible")
    return error
