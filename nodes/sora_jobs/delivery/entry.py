"""A job on its way to its file, as the scheduler keeps it, and those who wait for it."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from ..config.timing import DEFAULT
from ..errors import SoraError, WaitTimeoutError
from ..gateway.video_object import plain_status
from ..jobs.outcomes import ended_error, error_for_waiter
from ..jobs.spec import Job
from ..jobs.state import JobState, queued_text
from ..messages import RESUME_HINT

OnProgress = Callable[[float, str], None]  # the fraction from 0 to 1, and a line for a person


class Order(Protocol):
    """A purchase that this process has reserved, and is to send."""

    is_over: bool  # is it sent, or not to be sent any more?

    def send(self, job: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        """Send it, unless it is not `wanted` any more. The job, and the seconds until it is sent again; None where it
        is not. SoraError: it is over, and the row tells what became of the money."""


@dataclass
class Fetch:
    """How far the download of a job is."""

    done: int = 0
    total: int | None = None
    tries: int = 0  # that failed, and may succeed later
    refused: int = 0  # of these, those at which the provider did not offer the video, or only a part of it
    by_url: bool = False  # is it the turn of the video's URL, or of the content endpoint?
    away: Counter[bool] = field(default_factory=Counter)  # outages in a row at each of these two ways (by URL?)
    opened: str = ""  # which of them opened the last stream: "content" or "url"
    truncated: str = ""  # which of them brought a truncated video
    source: str = ""  # which brought the bytes that are in the part


@dataclass(eq=False)
class Entry:
    """A job on its way: when its next step is due, what went wrong so far, and who wants it."""

    job: Job  # as it was seen last
    waits: list[Wait] = field(default_factory=list)
    order: Order | None = None  # until it is sent
    background: bool = False  # is it to be stored though nobody waits?
    is_given_up: bool = False  # is it not to be sent any more?
    for_queue: bool = False  # is it to be polled since others wait for its place?
    due: float = math.inf
    not_before: float = 0.0  # the provider's pace, which one who comes later must keep as well
    busy: bool = False  # is a step under way?
    woken: bool = False  # has another one to follow it at once?
    planned: float = math.inf  # of what it has in the scheduler's heap, only this moment counts
    rounds: int = 0  # steps in a row that failed, or found that another process is at it
    unknown_polls: int = 0  # polls in a row at which the provider did not know the job
    error: SoraError | None = None  # of the last step, if that failed and is tried again
    place: int = 0  # of a queued job in the line
    fetch: Fetch | None = None  # once its download has begun

    @property
    def trouble(self) -> str:
        """Why the last step failed, to be shown while it is tried again."""
        return self.error.message if self.error is not None else ""

    @property
    def is_wanted(self) -> bool:
        """Does anybody, or the background, want its video, or its purchase, or its place?"""
        wanted = bool(self.waits or self.background or self.order is not None)
        return wanted or (self.for_queue and self.job.state is JobState.SUBMITTED)

    @property
    def is_to_be_sent(self) -> bool:
        """Does anybody still want it to be sent? A queued one is, until it is cancelled."""
        if self.is_given_up:
            return False
        return self.job.state is JobState.QUEUED or any(wait.wanted() for wait in list(self.waits))


@dataclass(eq=False)
class Wait:
    """One who waits: `future` gives the stored Job, or with `until_sent` the Job as soon as the provider has it; or a
    SoraError of its own."""

    job: Job | None = None  # as it was when the waiting began; None until its row was read
    until_sent: bool = False
    wanted: Callable[[], bool] = lambda: True  # asked of what is not sent yet
    future: Future[Job] = field(default_factory=Future)
    timeout_s: float = math.inf  # counted from when it is sent
    deadline: float = math.inf  # by the scheduler's clock; never, for what is still queued
    monotonic: Callable[[], float] = DEFAULT.monotonic
    started: float = field(init=False)
    entry: Entry | None = None
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.started = self.monotonic()

    @property
    def fetch(self) -> Fetch | None:
        """The download that is waited for, once it has begun."""
        return self.entry.fetch if self.entry is not None else None

    @property
    def status(self) -> str:
        """One line for a person: what is going on, how far it is, how long we wait."""
        waited = f"{self.monotonic() - self.started:.0f} s"
        trouble = f" · {self.entry.trouble}" if self.entry is not None and self.entry.trouble else ""
        if (fetch := self.fetch) is not None:
            share = f" {100 * fetch.done // fetch.total} %" if fetch.total else ""
            return f"downloading{share} · {waited}{trouble}"
        job = self._newest
        if job is None:
            return "starting"
        if job.state is JobState.QUEUED and self.entry is not None:
            place = queued_text(self.entry.place) if self.entry.place else job.state.value  # which is not known yet
            return f"{place} · {waited}{trouble}"
        share = f" {job.progress:.0f} %" if job.progress else ""
        return f"{plain_status(job.remote_status)}{share} · {waited}{trouble}"

    @property
    def fraction(self) -> float:
        """How far it is, 0..1: rendering takes the first nine tenths, the download the last."""
        if (fetch := self.fetch) is not None:
            return 0.9 + (0.1 * fetch.done / fetch.total if fetch.total else 0.0)
        job = self._newest
        return 0.009 * ((job.progress if job is not None else None) or 0.0)

    def cancel(self) -> None:
        """Wait no longer; the job goes on and stays in the ledger."""
        self.future.cancel()

    def is_over(self, job: Job) -> bool:
        """Does that end the waiting?"""
        return self.until_sent and (job.state is not JobState.RESERVED or not self.wanted())

    def count_from(self, now: float) -> None:
        """Let the time begin that one who waits is willing to wait."""
        if self.deadline == math.inf:
            self.deadline = now + self.timeout_s

    def end_late(self) -> None:
        """End since the deadline has passed."""
        if self.until_sent and self._newest is not None:
            self.end(self._newest)
        else:
            self.fail(self.timeout_error())

    def end(self, job: Job) -> None:
        """End with the job as it has become, if the waiting has not ended yet."""
        if self.until_sent or job.state is JobState.STORED:
            self._end(lambda: self.future.set_result(job))
        else:
            self.job = job
            self.fail(ended_error(job))

    def fail(self, error: BaseException) -> None:
        """End with an error, if the waiting has not ended yet: one of its own."""
        own = error_for_waiter(error, self._newest) if isinstance(error, SoraError) and not self.until_sent else error
        own = own.changed() if isinstance(own, SoraError) else own
        self._end(lambda: self.future.set_exception(own))

    def timeout_error(self) -> WaitTimeoutError:
        """Return the error of one whose deadline has passed."""
        job, trouble = self._newest, self.entry.trouble if self.entry is not None else ""
        assert job is not None
        if self.fetch is not None:
            why = f"; the last try failed: {trouble}" if trouble else "."
            return WaitTimeoutError(
                f"The video is finished, but could not be fetched in time{why}",
                hint=f"It is paid for. {RESUME_HINT}",
                job=job.id,
                code="download_timeout",
            )
        state = f"the gateway says: {job.remote_status or job.state.value}"
        if job.state is JobState.RESERVED:
            state = "another program is still sending it"
        return WaitTimeoutError(
            f"The video was not finished in time ({state})"
            + (f"; the last look failed: {trouble}" if trouble else "."),
            hint=RESUME_HINT,
            job=job.id,
            code="wait_timeout",
        )

    @property
    def _newest(self) -> Job | None:
        return self.entry.job if self.entry is not None else self.job

    def _end(self, tell: Callable[[], None]) -> None:
        with self._ending:
            if not self.future.done() and self.future.set_running_or_notify_cancel():
                tell()
