"""What went wrong with a step, for those who wait for the job."""

from __future__ import annotations

from typing import TypeGuard

from ..config.timing import Timing
from ..errors import DownloadExpiredError, GatewayError, NotFinishedError, NotOfferedError, SoraError
from ..jobs.spec import EXPIRED, Job

NOT_OFFERED = (400, 404, 410, 422, 501)  # statuses: not ready, gone, failed, or no such call (quirk 8)


def is_not_offered(error: BaseException) -> TypeGuard[GatewayError]:
    """Is there no video, by this way to it, as far as the gateway says?"""
    return isinstance(error, NotOfferedError) or (isinstance(error, GatewayError) and error.http_status in NOT_OFFERED)


def told(error: SoraError, job: Job, timing: Timing) -> SoraError:
    """The error with the job; for a video that the gateway does not offer, with what to do about that."""
    if not is_not_offered(error) or (isinstance(error, NotOfferedError) and not error.transient):
        return error.with_job(job.id)  # of an address that we do not ask, it says itself what to do
    long_ago = job.completed_at is not None and timing.clock() - job.completed_at > timing.expired_after_s
    said_so = error.http_status is not None  # and not just a page that says that the gateway is being serviced
    # Said by the provider's content call, and not just by the URL of a file.
    gone = error.http_status == 410 and not isinstance(error, NotOfferedError)
    return DownloadExpiredError(
        f"The gateway does not offer the finished video for download (any more): {error.message}",
        hint="Run the same again in a while. If it stays so, its link has expired: ask the gateway's support, or "
        "choose another take to buy it anew.",
        job=job.id,
        request_id=error.request_id,
        code=EXPIRED if (long_ago and said_so) or gone else "",
    )


def closing_error(job_id: str) -> NotFinishedError:
    """Return the error for one who waits when the program ends."""
    hint = "The job goes on; run again later."
    return NotFinishedError("The program is closing.", hint=hint, job=job_id, code="closing")


def no_thread_to_fetch(error: RuntimeError, job: Job) -> NotFinishedError:
    """Return the error for a finished video that no thread can be had for."""
    message = f"The video cannot be fetched now: {error}."
    return NotFinishedError(message, hint="Run again.", job=job.id, code="no_thread")


def unexpected_error(bug: BaseException, job: Job) -> NotFinishedError:
    """Return the error for a bug, of ours or of a library: it is told with its job, and the next run goes on."""
    wrapped = NotFinishedError(
        f"The job could not go on: {bug!r}.",
        hint="Run again; if it stays so, report it.",
        job=job.id,
        code="unexpected_error",
    )
    wrapped.__cause__ = bug
    return wrapped
