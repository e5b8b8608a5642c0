"""What went wrong when a finished video was fetched, for those who wait for it."""

from __future__ import annotations

from typing import TypeGuard

from .errors import GatewayTrouble, LinkLapsed, NotFinished, NotOffered, SoraError, WaitTimeout
from .plain import TAKE_UP
from .spec import LAPSED, Job
from .timing import Timing
from .waiting import Fetch

NOT_OFFERED = (400, 404, 410, 422, 501)  # statuses: not ready, gone, failed, or no such call (quirk 8)


def is_not_offered(error: BaseException) -> TypeGuard[GatewayTrouble]:
    """Is there no video, by this way to it, as far as the gateway says?"""
    return isinstance(error, NotOffered) or (isinstance(error, GatewayTrouble) and error.http_status in NOT_OFFERED)


def told(error: SoraError, job: Job, timing: Timing) -> SoraError:
    """The error with the job; for a video that the gateway does not offer, with what to do about that."""
    if not is_not_offered(error) or (isinstance(error, NotOffered) and not error.transient):
        return error.for_job(job.id)  # of an address that we do not ask, it says itself what to do
    long_ago = job.completed_at is not None and timing.clock() - job.completed_at > timing.expired_after_s
    said_so = error.http_status is not None  # and not just a page that says that the gateway is being serviced
    gone = error.http_status == 410 and not isinstance(error, NotOffered)  # says the gateway, and not just an address
    return LinkLapsed(
        f"The gateway does not offer the finished video for download (any more): {error.what}",
        advice="Run the same again in a while. If it stays so, its link has lapsed: ask the gateway's support, or "
        "choose another take to buy it anew.",
        job=job.id,
        request_id=error.request_id,
        code=LAPSED if (long_ago and said_so) or gone else "",
    )


def unexpected(error: BaseException) -> NotFinished:
    """A bug, of ours or of a library: told with its job like all else, and the video is fetched by the next run."""
    wrapped = NotFinished(f"The video could not be fetched: {error!r}.", advice="Run again; if it stays so, report it.")
    wrapped.__cause__ = error
    return wrapped


def too_late(job: Job, fetch: Fetch) -> WaitTimeout:
    """Nobody waits any longer; with the reason of the last try."""
    why = f"; the last try failed: {fetch.trouble}" if fetch.trouble else "."
    return WaitTimeout(
        f"The video is finished, but could not be fetched in time{why}",
        advice=f"It is paid for. {TAKE_UP}",
        job=job.id,
        code="download_timeout",
    )
