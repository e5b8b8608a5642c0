"""How long the engine waits for jobs, providers, files and other processes, how often it tries, and its clocks.

Not here: how often a terminal or a node is redrawn (`TICK_S`), and the pauses of `util/atomic_write.py`.

A process has one `Timing()`, which its `Engine` hands to whatever waits. A test hands in one of its own, so that it
neither sleeps nor changes a module. Owners of a machine set two of these waits for themselves: SORA_POLL_SECONDS and
SORA_HTTP_TIMEOUT_SECONDS (settings.py).
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

    # The gateway's own sample for 429: min(30 s, 2^n) and up to a second of jitter, five tries.
    create_attempts: int = 5
    create_backoff_max_s: float = 30.0
    rate_limit_max_s: float = 60.0  # that a gateway may ask for: longer than that no person waits for a node
    cancel_check_s: float = 0.25  # how often such a pause looks whether the purchase is still wanted
    create_close_s: float = 15.0  # a create that is under way may have been paid: its response is worth waiting for

    # -- joining the same purchase of another thread or process ---------------------------------------------------

    join_max_s: float = 3600.0
    join_poll_s: float = 0.2  # how often we look whether the other one got its response; then less often
    join_poll_max_s: float = 2.0

    # -- polling a job --------------------------------------------------------------------------------------------

    poll_backoff_max_s: float = 60.0  # a gateway in trouble is asked less and less often, but at least this often
    poll_tick_s: float = 0.25  # polls that are due within it are made together
    retry_after_max_s: float = 600.0  # a gateway that asks for more patience (by mistake, say) gets no more than this
    unknown_job_polls: int = 20  # of a job that the gateway does not know: right after the create that passes
    clock_check_s: float = 10.0  # at most between two looks at the clock: what passes more was a sleep of the machine
    slept_s: float = 30.0  # from which on it counts as one
    after_sleep_s: float = 60.0  # that one who waits has at least after a sleep, which is enough for a poll

    # -- downloading a finished video -----------------------------------------------------------------------------

    content_attempts: int = 8  # at which the gateway does not offer the video; outages are waited out
    content_retry_s: float = 1.0  # content is often not there for some seconds after completion: 1 + 2 + 4 ... s
    content_retry_max_s: float = 30.0
    expired_after_s: float = 6 * 3600.0  # refused for so long after its end, a video counts as expired
    download_attempts: int = 3  # connections in a row that bring nothing new; then it is tried again later
    download_max_s: float = 3600.0  # of one try; what arrived is kept
    download_stall_s: float = 60.0  # a download that brings less than 64 KiB in that time is broken off
    download_lock_s: float = 5.0  # for a twin's download to end
    other_download_poll_s: float = 1.0  # how often we look whether another process has it; then less often
    other_download_poll_max_s: float = 5.0

    # -- background downloads -------------------------------------------------------------------------------------

    background_max_s: float = 86_400.0  # no gateway keeps a job longer
    background_last_poll_s: float = 600.0  # for which an older job is polled once more, at each start
    background_retry_s: float = 300.0  # after a failure; that of an older job is not tried again by this process
    rescan_s: float = 60.0  # between two searches for jobs that others left

    # -- leases, and which processes live -------------------------------------------------------------------------

    lease_s: float = 120.0  # a watcher that was not heard of for so long has lost the job to the next one who asks
    owner_lock_s: float = 5.0  # for a lock that another process holds for a moment only
    heartbeat_s: float = 15.0
    heartbeat_timeout_s: float = 60.0  # a machine that was not heard of for so long counts as dead
    heartbeat_forget_s: float = 86_400.0
    heartbeat_close_s: float = 5.0  # for a heartbeat that is under way when the program ends
    machine_recent_s: float = 7 * 86_400.0  # a machine that was not heard of for longer may be gone

    # -- files that another program has open ----------------------------------------------------------------------

    ledger_busy_s: float = 30.0  # for another one's transaction, or while it opens the ledger
    ledger_copy_busy_s: float = 10.0  # for which another program may keep a ledger that is copied to itself
    settings_lock_s: float = 10.0  # for another process that writes the same file

    # -- calls ----------------------------------------------------------------------------------------------------

    connect_timeout_s: float = 10.0  # the timeout of a silence is the owner's to set
    failure_reason_timeout_s: float = 10.0  # for the reason of a failure, which changes nothing
    balance_timeout_s: float = 20.0
    model_list_timeout_s: float = 30.0

    # -- what a page is shown -------------------------------------------------------------------------------------

    change_delay_s: float = 0.25  # at least between two changes of a job that are told
    news_fresh_s: float = 120.0  # for which a job that is new to this process counts as one that just got into trouble
    typical_age_s: float = 60.0  # for which it is remembered how long jobs of a kind take
    evidence_age_s: float = 30.0  # so old what the ledger tells of models may be

    def content_delay_s(self, failed: int) -> float:
        """The pause before another download is tried, after that many tries that `failed`: 1, 2, 4, ... seconds."""
        return min(self.content_retry_max_s, self.content_retry_s * 2.0 ** min(failed, 9))

    def other_download_delay_s(self, failed: int) -> float:
        """The same while another process downloads the video."""
        return min(self.other_download_poll_max_s, self.other_download_poll_s * 2.0 ** min(failed, 9))

    def join_delay_s(self, joins: int) -> float:
        """The pause before the next look at a purchase that another one sends, after so many."""
        return min(self.join_poll_max_s, self.join_poll_s * 1.5 ** min(joins, 20))


DEFAULT = Timing()
