"""Which call that failed is made again, and after what pause: one table. Its numbers are those of config/timing.py.

Neither requests nor urllib3 repeats anything by itself (connections.py).

| call | made again where | pause | how often | why this number |
|---|---|---|---|---|
| create | no connection was made: nothing was sent | 0.3, 0.6 s | `connect_attempts` (3) | bridges a provider's restart; somebody waits for it |
| create | it was clearly rejected for now (429, saturated) | what the provider asks for, else 2, 4, 8, 16 s (`create_backoff_max_s`: 30) and up to 1 s of jitter | `create_attempts` (5); not where it asks for more than `rate_limit_max_s` (60 s) | CometAPI's own sample; after a minute it is sent by whoever runs it again |
| poll | it succeeded | the provider's interval | until the deadline of those who wait | as the provider advises |
| poll | no response came, for the first time | `poll_soon_s` (1 s), or the interval if that is less | once | mostly a connection that was cut |
| poll | outages, rate limits, a ledger that is away | the interval times 2, 4, 8, ..., at most `poll_backoff_max_s` (60 s) or the interval; at least what the provider asks for, up to `retry_after_max_s` (600 s) | until the deadline | what is paid for outlasts an outage; a longer Retry-After is a mistake |
| poll | the provider does not know the job | the same | `unknown_job_polls` (20) in a row | right after the create this passes |
| content | the video is not offered (yet), or only a part of it | what the provider asks for, up to `retry_after_max_s`, else 1, 2, 4, ... s (`content_retry_max_s`: 30) | `content_attempts` (8) | often it is there some seconds after completion; 8 are 1.5 minutes |
| content, download | outages, rate limits, a broken stream, a ledger that is away | the same | until the deadline | as for a poll |

A poll's pause has up to a tenth of the interval (of the pause, if that is less) added, so that many jobs do not poll in
step. All else (a rejection, a bad key, a full disk) is not made again, nor is a create that was sent and has no response.

Without a pause, and not here: a stream that breaks off goes on by Range until `download_attempts` connections in a row
brought nothing (delivery/download.py); a call other than a create that meets a kept connection which the server has
closed is made once more (calls.py). Calls that a person makes (list, balance, models, the doctor's) have nothing else.
What the background does after a job failed there is in delivery/background.py (`background_retry_s`).
"""  # noqa: E501 - a table

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from ..config.timing import Timing
from ..errors import GatewayError, LedgerError, NotOfferedError, RequestRejectedError, UnreachableError

Call = Literal["create", "poll", "content", "download"]
NO_RESPONSE = ("network", "proxy", "tls")  # as http.py classifies it


def delay(
    call: Call,
    error: BaseException | None,
    attempt: int,
    timing: Timing,
    *,
    interval_s: float = 0.0,
    jitter: Callable[[], float] = random.random,
) -> float | None:
    """Return the seconds until a call is made again, or None where it is not.

    `attempt`: how often in a row it failed so far, the last time with `error`; a row of the table that has a number of
    its own has a count of its own. A poll that succeeded has attempt 0 and no error. `interval_s`: the provider's,
    between two polls. `jitter()`: 0 to 1.
    """
    if call == "create":
        return _create_delay_s(error, attempt, timing, jitter)
    if call == "poll":
        return _poll_delay_s(error, attempt, timing, interval_s, jitter)
    if call == "content" and attempt >= timing.content_attempts:
        return None
    # Also where one of the two ways to the video is closed for good: the other one may be open.
    if not (isinstance(error, NotOfferedError) or _may_pass(error)):
        return None
    asked_s = _asked_s(error, timing)
    return timing.content_delay_s(attempt - 1) if asked_s is None else asked_s


def least_s(error: BaseException | None, attempt: int, timing: Timing, *, interval_s: float) -> float:
    """Return the seconds before which a job is not polled again, whoever comes to wait for it; at most its `delay`."""
    if _is_soon(error, attempt):
        return min(timing.poll_soon_s, interval_s)
    return max(_asked_s(error, timing) or 0.0, interval_s)


def _create_delay_s(
    error: BaseException | None, attempt: int, timing: Timing, jitter: Callable[[], float]
) -> float | None:
    if isinstance(error, UnreachableError):
        again = error.transient and attempt < timing.connect_attempts
        return timing.connect_retry_s * 2.0 ** (attempt - 1) if again else None
    if not isinstance(error, RequestRejectedError) or not error.transient or attempt >= timing.create_attempts:
        return None
    if error.retry_after_s is None:
        return min(timing.create_backoff_max_s, 2.0**attempt + jitter())
    return error.retry_after_s if error.retry_after_s <= timing.rate_limit_max_s else None


def _poll_delay_s(
    error: BaseException | None, attempt: int, timing: Timing, interval_s: float, jitter: Callable[[], float]
) -> float | None:
    unknown = isinstance(error, GatewayError) and error.is_unknown_job
    if error is not None and (not _may_pass(error) or (unknown and attempt > timing.unknown_job_polls)):
        return None
    pause_s = least_s(error, attempt, timing, interval_s=interval_s)
    if not _is_soon(error, attempt):
        slowest_s = max(timing.poll_backoff_max_s, interval_s)
        pause_s = max(pause_s, min(slowest_s, interval_s * 2.0 ** min(attempt, 10)))
    return pause_s + 0.1 * min(interval_s, pause_s) * jitter()


def _may_pass(error: BaseException | None) -> bool:
    """Can the same call succeed later? An outage, or a database that is away, must not end what is paid for."""
    return isinstance(error, LedgerError) or (isinstance(error, GatewayError) and error.transient)


def _is_soon(error: BaseException | None, attempt: int) -> bool:
    no_response = isinstance(error, GatewayError) and error.http_status is None and error.code in NO_RESPONSE
    return no_response and attempt == 1


def _asked_s(error: BaseException | None, timing: Timing) -> float | None:
    """What the provider asks for, in seconds; None where it does not."""
    asked_s: float | None = getattr(error, "retry_after_s", None)
    return None if asked_s is None else min(asked_s, timing.retry_after_max_s)
