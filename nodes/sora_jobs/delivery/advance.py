"""What comes next for a job, in each state: the only place that says it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..config.providers import Provider
from ..config.timing import Timing
from ..errors import GatewayError, LedgerError, NotPurchasedError, SoraError
from ..gateway.retries import delay, least_s
from ..jobs.outcomes import waiting_error
from ..jobs.spec import Job
from ..jobs.state import JobState
from .entry import Entry, Fetch, Order


class Pause(NamedTuple):
    """Seconds until the next step, and before which there is none, whoever wants one."""

    due_s: float
    least_s: float = 0.0


class Jobs(Protocol):
    """Rows of the ledger, and what providers say of them."""

    def provider(self, name: str) -> Provider:
        """The provider of that name. InvalidInputError."""

    def read(self, job_id: str) -> Job:
        """The row, after putting right what a process that has ended left half sent."""

    def poll(self, job: Job) -> Job:
        """Ask the provider, and record what it says. GatewayError."""

    def not_known(self, job: Job) -> Job:
        """Record that the provider does not know it."""

    def place(self, job_id: str) -> int:
        """The place of a queued job in the line: 1 is the next, 0 for one that nobody sends."""

    def poll_holders(self, job: Job) -> None:
        """Have the jobs polled that the provider of a queued job has: who else would see that a place is free?"""


class Claims(Protocol):
    """The leases of this process: see `Leases`."""

    def held(self, job: str) -> bool: ...

    def hold(self, job: str, for_s: float | None = None) -> bool: ...

    def extend(self, job: str, for_s: float) -> bool: ...


class Downloads(Protocol):
    """The downloads of this process."""

    def fetch(self, entry: Entry) -> Job | None:
        """Return the stored job; None while another process is at it."""

    def delay_s(self, entry: Entry, error: SoraError) -> float:
        """Return the pause before another try. The error for those who wait, where there is none."""


class Advance:
    """Has a job take one step, in the calling thread, and returns the pause before the next; None: it is finished.

    | state | whose it is | the step | what follows |
    |---|---|---|---|
    | queued, reserved | ours to send | send it, unless anything of it was sent before; record the id | submitted, refused or unknown; the same again where it was rejected for now; queued while the provider has as many jobs as it may have |
    | queued, reserved | another process is to send it, or sends it | read the row | what the row says |
    | queued | its process has ended | nothing: it is sent when the same is asked for again, or `sora resume` says so | |
    | reserved | its process has ended | put the row right | refused if nothing was sent; else unknown: it is never sent again |
    | submitted | the lease is ours | ask the provider, record what it says | completed or failed; the same again after the polling interval, of a stale job after hours |
    | submitted | another process has the lease | read the row | what the row says |
    | completed | the lease is ours | download, check, publish and record the video | stored; the same again where it is not there yet |
    | completed | another process has the lease | read the row | what the row says |
    | stored | its file is missing, changed or truncated, and somebody waits for it | as for a completed one | stored |
    | stored, failed, refused, unknown, lost | | nothing | |
    """  # noqa: E501 - a table

    def __init__(
        self,
        jobs: Jobs,
        leases: Claims,
        downloads: Downloads,
        timing: Timing,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jobs, self._leases, self._downloads = jobs, leases, downloads
        self._timing, self._jitter = timing, jitter

    def __call__(self, entry: Entry) -> Pause | None:
        """Take the step. SoraError: it is over, for all who wait."""
        before = entry.job.state
        try:
            pause = self._step(entry)
        except SoraError as error:
            pause = self._again(entry, error)
            entry.error = error
            return pause
        entry.error = None
        now = entry.job.state
        if now is before or now.is_reserved:
            return pause
        entry.rounds = 0
        return Pause(0.0) if now.is_running else None

    def _step(self, entry: Entry) -> Pause | None:
        match entry.job.state:
            case JobState.QUEUED | JobState.RESERVED if entry.order is not None:
                pause = self._sent(entry, entry.order)
            case JobState.QUEUED | JobState.RESERVED:
                pause = self._joined(entry)
            case JobState.SUBMITTED:
                pause = self._polled(entry)
            case JobState.COMPLETED | JobState.STORED:
                pause = self._stored(entry)
            case _:
                pause = None
        return pause

    def _sent(self, entry: Entry, order: Order) -> Pause | None:
        if entry.job.state is JobState.QUEUED and not entry.is_given_up and self._place(entry) > 1:
            return self._in_line(entry)
        entry.job, pause_s = order.send(entry.job, lambda: entry.is_to_be_sent)
        if entry.job.state is JobState.QUEUED:
            self._place(entry)
            return self._in_line(entry)
        return None if pause_s is None else Pause(pause_s, pause_s)

    def _joined(self, entry: Entry) -> Pause:
        entry.job = self._jobs.read(entry.job.id)
        if entry.job.state is JobState.QUEUED:
            self._place(entry)
            return self._in_line(entry)
        entry.rounds += 1
        return Pause(self._timing.join_delay_s(entry.rounds))

    def _polled(self, entry: Entry) -> Pause | None:
        entry.job = self._as_seen_now(entry)
        entry.rounds = entry.unknown_polls = 0
        return self._between_polls(entry)

    def _stored(self, entry: Entry) -> Pause | None:
        entry.fetch = entry.fetch or Fetch()
        if (stored := self._downloads.fetch(entry)) is not None:
            entry.job = stored
            return None
        entry.rounds += 1
        return Pause(self._timing.other_download_delay_s(entry.rounds - 1))

    def _place(self, entry: Entry) -> int:
        entry.place = self._jobs.place(entry.job.id)
        return entry.place

    def _in_line(self, entry: Entry) -> Pause:
        """The pause of a queued job. NotPurchasedError where nobody sends it."""
        if not entry.place and entry.order is None:
            raise waiting_error(entry.job)
        if entry.place == 1 and entry.order is not None:
            self._jobs.poll_holders(entry.job)
        return Pause(self._timing.queue_delay_s(entry.place))

    def _as_seen_now(self, entry: Entry) -> Job:
        job = entry.job
        if not self._leases.held(job.id):
            job = self._jobs.read(job.id)
            # A slow pace must not let our lease expire between two polls.
            lease_s = max(self._timing.lease_s, 3 * self._jobs.provider(job.provider).poll_s)
            if job.state is not JobState.SUBMITTED or not self._leases.hold(job.id, lease_s):
                return job
        return self._jobs.poll(job)

    def _again(self, entry: Entry, error: SoraError) -> Pause | None:
        """The pause before a step that failed is taken again. The error, where it is not."""
        if entry.order is not None and not entry.order.is_over and isinstance(error, LedgerError):
            return Pause(self._timing.queue_delay_s(entry.place))  # the line could not be read for a moment
        if entry.order is not None or isinstance(error, NotPurchasedError):
            raise error
        entry.rounds += 1
        if entry.job.state.is_rendered:
            pause_s = self._downloads.delay_s(entry, error)
            return Pause(pause_s, pause_s)
        unknown = isinstance(error, GatewayError) and error.is_unknown_job
        entry.unknown_polls = entry.unknown_polls + 1 if unknown else 0
        if unknown:
            entry.job = self._jobs.not_known(entry.job)
        return self._between_polls(entry, error)

    def _between_polls(self, entry: Entry, error: SoraError | None = None) -> Pause | None:
        """The pause before the next poll; None for a job that has been stale for long. A stale job that nobody waits
        for is polled every few hours, whatever was the matter. The error, where there is no other poll."""
        try:
            usual_s = self._jobs.provider(entry.job.provider).poll_s
        except SoraError:  # the owner has just changed providers.toml: the next poll tells
            usual_s = self._timing.poll_backoff_max_s
        if entry.job.stale_at is not None and entry.job.stale and not entry.waits:
            if self._timing.clock() - entry.job.stale_at > self._timing.stale_forget_s:
                return None
            self._leases.extend(entry.job.id, 3 * self._timing.stale_poll_s)
            return Pause(max(usual_s, self._timing.stale_poll_s), usual_s)
        failures = entry.unknown_polls or entry.rounds
        due_s = delay("poll", error, failures, self._timing, interval_s=usual_s, jitter=self._jitter)
        if due_s is None:
            assert error is not None
            raise error
        return Pause(due_s, least_s(error, failures, self._timing, interval_s=usual_s))
