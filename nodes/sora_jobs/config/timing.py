"""How long the engine waits for jobs, providers, files and other processes, how often it tries, and its clocks.

Not here: how often a terminal or a node is redrawn (`TICK_S`), and the pauses of `util/atomic_write.py`.

A process has one `Timing()`, which its `Engine` hands to whatever waits. A test hands in one of its own, so that it
neither sleeps nor changes a module. Owners of a machine set two of these waits for themselves: SORA_POLL_SECONDS and
SORA_HTTP_TIMEOUT_SECONDS (snapshot.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Durations in seconds (`_s`), and numbers of attempts. Each name begins with what it is about."""

    clock: Callable[[], float] = time.time  # Unix seconds
    monotonic: Callable[[], float] = time.monotonic  # seconds since any moment, never set back
    # sleep(event, seconds): sleep until the event is set, at most that long; True if it is set.
    sleep: Callable[[threading.Event, float], bool] = threading.Event.wait

    # -- sending a create -----------------------------------------------------------------------------------------

    connect_attempts: int = 3  # that reached nobody, with 0.3 and 0.6 s in between
    connect_retry_s: float = 0.3
    # CometAPI's own sample for 429: min(30 s, 2^n) and up to a second of jitter, five tries.
    create_attempts: int = 5
    create_backoff_max_s: float = 30.0
    rate_limit_max_s: float = 60.0  # a create whose Retry-After is longer is given up: nobody waits so long
    cancel_check_s: float = 0.25  # how often such a pause checks whether the purchase is still wanted
    create_close_s: float = 15.0  # for a create that is under way at the end of the program: it may have been paid

    # -- joining the same purchase of another thread or process ---------------------------------------------------

    join_max_s: float = 3600.0
    join_poll_s: float = 0.2  # how often the row of the other one is read; then less often
    join_poll_max_s: float = 2.0

    # -- waiting for a place at the provider ----------------------------------------------------------------------

    queue_poll_s: float = 1.0  # how often the first in the line looks whether a place is free; the others less often
    queue_poll_max_s: float = 30.0
    queue_full_s: float = 60.0  # a provider that says that it takes no more jobs is believed so long

    # -- polling a job --------------------------------------------------------------------------------------------

    poll_soon_s: float = 1.0  # after the first poll that had no response
    poll_backoff_max_s: float = 60.0  # a provider in trouble is polled less and less often, but at least this often
    poll_tick_s: float = 0.25  # polls that are due within it are made together
    retry_after_max_s: float = 600.0  # a longer Retry-After of a poll is cut to this
    unknown_job_polls: int = 20  # of a job that the provider does not know: right after the create this passes
    clock_check_s: float = 10.0  # the longest pause between two readings of the clock
    slept_s: float = 30.0  # if more than this passed meanwhile, the machine was asleep
    after_sleep_s: float = 60.0  # what a waiter has left at least after such a sleep: enough for a poll

    # -- downloading a finished video -----------------------------------------------------------------------------

    content_attempts: int = 8  # that find no video; outages are not counted
    content_retry_s: float = 1.0  # content is often not there for some seconds after completion: 1 + 2 + 4 ... s
    content_retry_max_s: float = 30.0
    expired_after_s: float = 6 * 3600.0  # refused for so long after its end, a video counts as expired
    download_attempts: int = 3  # connections in a row that bring nothing new; then it is tried again later
    download_max_s: float = 3600.0  # for one try; what arrived is kept
    download_stall_s: float = 60.0  # a download of less than 64 KiB in this time is broken off
    download_lock_s: float = 5.0  # for the end of another download of the same file
    other_download_poll_s: float = 1.0  # how often the row of the other process is read; then less often
    other_download_poll_max_s: float = 5.0

    # -- background downloads -------------------------------------------------------------------------------------

    background_retry_s: float = 300.0  # after a failure
    stale_poll_s: float = 6 * 3600.0  # a job that its provider has not finished in time is polled so often
    stale_forget_s: float = 7 * 86_400.0  # so long; then a person has to ask for it
    rescan_s: float = 60.0  # between two searches for jobs that other processes left

    # -- leases, and which processes live -------------------------------------------------------------------------

    lease_s: float = 120.0  # a lease that was not renewed for so long is given to the next process
    owner_lock_s: float = 5.0  # for a lock that another process holds for a moment only
    heartbeat_s: float = 15.0
    heartbeat_timeout_s: float = 60.0  # a process whose heartbeat is older counts as dead
    heartbeat_forget_s: float = 86_400.0
    heartbeat_close_s: float = 5.0  # for a heartbeat that is under way when the program ends
    machine_recent_s: float = 7 * 86_400.0  # a machine whose last heartbeat is older may be gone

    # -- files that another program has open ----------------------------------------------------------------------

    ledger_busy_s: float = 30.0  # for a transaction of another process, or while it opens the ledger
    ledger_copy_busy_s: float = 10.0  # for another program that has a ledger open which is to be copied
    settings_lock_s: float = 10.0  # for another process that writes the same file

    # -- requests -------------------------------------------------------------------------------------------------

    connect_timeout_s: float = 10.0  # the timeout of reading is SORA_HTTP_TIMEOUT_SECONDS
    failure_reason_timeout_s: float = 10.0  # for the reason of a failure, which changes nothing
    balance_timeout_s: float = 20.0
    model_list_timeout_s: float = 30.0

    # -- what a page is shown -------------------------------------------------------------------------------------

    change_delay_s: float = 0.25  # at least between two events about one job
    news_fresh_s: float = 120.0  # a job new to this process that is younger counts as one that just got into trouble
    typical_age_s: float = 60.0  # of what is remembered of how long jobs of a kind take
    evidence_age_s: float = 30.0  # of what is remembered of what the ledger saw of models

    def content_delay_s(self, failed: int) -> float:
        """The pause before another download is tried, after that many tries that `failed`: 1, 2, 4, ... seconds."""
        return min(self.content_retry_max_s, self.content_retry_s * 2.0 ** min(failed, 9))

    def other_download_delay_s(self, failed: int) -> float:
        """The same while another process downloads the video."""
        return min(self.other_download_poll_max_s, self.other_download_poll_s * 2.0 ** min(failed, 9))

    def full_s(self, asked_s: float | None) -> float:
        """How long a provider that takes no more jobs is left alone: as long as it asks for, within limits."""
        return min(self.retry_after_max_s, max(self.queue_poll_s, self.queue_full_s if asked_s is None else asked_s))

    def queue_delay_s(self, place: int) -> float:
        """The pause before a job that waits for a free place looks again, as the first, second … in the line."""
        return min(self.queue_poll_max_s, self.queue_poll_s * max(1, place))

    def join_delay_s(self, joins: int) -> float:
        """The pause before the row of a purchase that another process sends is read again, after `joins` readings."""
        return min(self.join_poll_max_s, self.join_poll_s * 1.5 ** min(joins, 20))


DEFAULT = Timing()
