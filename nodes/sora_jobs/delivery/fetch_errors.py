"""What went wrong when a finished video was fetched, for those who wait for it."""

from __future__ import annotations

from typing import TypeGuard

from ..config.timing import Timing
from ..errors import DownloadExpiredError, GatewayError, NotOfferedError, SoraError
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
