"""Which call that failed is made again, and after what pause: one table for creates, polls and downloads. The numbers
are those of config/timing.py.

| call | made again | pause | how often |
|---|---|---|---|
| create | the provider clearly rejected it for now (429, saturated) | what it asks for, else 2, 4, 8, ... s and jitter | `create_attempts`; not where it asks for more than `rate_limit_max_s` |
| poll | outages, rate limits; an unknown id `unknown_job_polls` times; a ledger that is away | the interval, doubled with each failure; what the provider asks for | until the deadline of those who wait |
| download | the same; a video that is not offered (yet) | what the provider asks for, else 1, 2, 4, ... s | `content_attempts` times where it is not offered; outages until the deadline |
| connecting, for any call | no connection was made, so that nothing was sent | 0.3, 0.6 s | twice; a read of a call that buys nothing once more |

What the background does after a job failed there is in delivery/background.py (`background_retry_s`).
"""  # noqa: E501 - a table

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..config.timing import Timing
from ..errors import GatewayError, LedgerError, NotOfferedError, RequestRejectedError, SoraError

if TYPE_CHECKING:
    from urllib3.util.retry import Retry


def create_delay_s(
    error: RequestRejectedError, attempt: int, timing: Timing, jitter: Callable[[], float] = random.random
) -> float | None:
    """Return the pause before a create that was rejected is sent again, after so many attempts; None where it is
    not."""
    if not error.transient or attempt >= timing.create_attempts:
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s
    return min(timing.create_backoff_max_s, 2.0**attempt + jitter())


def poll_is_repeated(error: SoraError, unknown_polls: int, timing: Timing) -> bool:
    """Is it worth polling again after this error? `unknown_polls`: how often in a row the provider did not know the
    job. An outage, or a database that is away, must not end what is paid for."""
    if isinstance(error, LedgerError):
        return True
    return isinstance(error, GatewayError) and error.transient and unknown_polls <= timing.unknown_job_polls


class PollDelay(NamedTuple):
    """Seconds until the next poll, and before which there is none, whoever wants one."""

    due_s: float
    least_s: float


def poll_delay_s(error: SoraError | None, interval_s: float, failures: int, timing: Timing) -> PollDelay:
    """Return the pause before the next poll, after so many `failures` in a row of which `error` is the last."""
    asked_s = min(getattr(error, "retry_after_s", None) or 0.0, timing.retry_after_max_s)
    slowest_s = max(timing.poll_backoff_max_s, interval_s)
    slowed_s = min(slowest_s, interval_s * 2 ** min(failures, 10)) if failures else interval_s
    return PollDelay(max(asked_s, slowed_s), max(asked_s, interval_s))


def download_is_repeated(error: BaseException) -> bool:
    """May another try bring the video? Also where one of the two ways to it is closed for good."""
    if isinstance(error, LedgerError | NotOfferedError):
        return True
    return isinstance(error, GatewayError) and error.transient


def download_delay_s(error: BaseException, failed: int, timing: Timing) -> float:
    """Return the pause before another try to download, after so many that `failed` with `error` as the last."""
    asked_s: float | None = getattr(error, "retry_after_s", None)
    return timing.content_delay_s(failed) if asked_s is None else min(timing.retry_after_max_s, asked_s)


def create_connection() -> Retry:
    """Return how a create's connection is retried: only the connecting. A read error may come after it was bought, and
    TLS errors, which count as "other", after the body went out."""
    return _retry(total=2, connect=2, read=0, other=0)


def call_connection() -> Retry:
    """The same for calls that buy nothing: a response that broke off is read once more."""
    return _retry(total=2, connect=2, read=1)


def list_connection() -> Retry:
    """The same for a public list, which nobody waits for."""
    return _retry(total=1)


def _retry(*, total: int, connect: int | None = None, read: int | None = None, other: int | None = None) -> Retry:
    from urllib3.util.retry import Retry

    return Retry(total=total, connect=connect, read=read, other=other, redirect=0, status=0, backoff_factor=0.3)
