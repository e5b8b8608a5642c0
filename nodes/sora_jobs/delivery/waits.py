"""One wait for a video: what to show meanwhile, and how it ends."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..config.timing import DEFAULT
from ..errors import LocalError, SoraError
from ..gateway.video_object import plain_status
from ..jobs.spec import Job
from .watch import Watch

OnProgress = Callable[[float, str], None]  # the fraction from 0 to 1, and a line for a person


@dataclass(eq=False)
class Fetch:
    """A download that is under way; everyone who waits for its job shares it."""

    future: Future[Job] = field(default_factory=Future)
    done: int = 0
    total: int | None = None
    tries: int = 0  # that failed, and may succeed later
    refused: int = 0  # of these, those at which the gateway did not offer the video, or only a part of it
    by_address: bool = False  # is it the turn of the video's address, or of the content call?
    away: Counter[bool] = field(default_factory=Counter)  # outages in a row at each of these two ways (by address?)
    opened: str = ""  # which of them opened the last stream: "call" or "address"
    cut: str = ""  # which of them brought a video that was cut short
    source: str = ""  # which brought the bytes that are in the part
    trouble: str = ""  # what the last one stumbled over
    waits: list[Wait] = field(default_factory=list)


@dataclass(eq=False)
class Wait:
    """One who waits for a video. `future` gives the stored Job, or a SoraError."""

    job: Job | None = None  # as last seen; None until its row was read
    future: Future[Job] = field(default_factory=Future)
    deadline: float = math.inf
    monotonic: Callable[[], float] = DEFAULT.monotonic
    started: float = field(init=False)
    watch: Watch | None = None
    fetch: Fetch | None = None
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.started = self.monotonic()

    @property
    def status(self) -> str:
        """One line for a person: what is going on, how far it is, how long we wait."""
        waited = f"{self.monotonic() - self.started:.0f} s"
        if self.fetch is not None:
            share = f" {100 * self.fetch.done // self.fetch.total} %" if self.fetch.total else ""
            return f"downloading{share} · {waited}" + (f" · {self.fetch.trouble}" if self.fetch.trouble else "")
        job = self._newest()
        if job is None:
            return "starting"
        word = plain_status(job.remote_status)
        share = f" {job.progress:.0f} %" if job.progress else ""
        trouble = f" · {self.watch.trouble}" if self.watch is not None and self.watch.trouble else ""
        return f"{word}{share} · {waited}{trouble}"

    @property
    def fraction(self) -> float:
        """How far it is, 0..1: rendering takes the first nine tenths, the download the last."""
        if self.fetch is not None:
            return 0.9 + (0.1 * self.fetch.done / self.fetch.total if self.fetch.total else 0.0)
        job = self._newest()
        return 0.009 * ((job.progress if job is not None else None) or 0.0)

    def cancel(self) -> None:
        """Wait no longer; the job goes on and stays in the ledger."""
        if self.watch is not None:
            self.watch.cancel()
        self.future.cancel()

    def fail(self, error: BaseException) -> None:
        """End with an error, if it has not ended yet: one of its own, since others may wait for the same video."""
        bought = isinstance(error, LocalError) if self.job is None else bool(self.job.video_id)
        own = error
        if isinstance(error, SoraError):
            charge = error.charge
            if bought and charge == "none":
                charge = "charged"  # what is waited for was bought before
            elif charge == "charged" and self.job is not None and not bought:
                charge = "possible"  # another process was still sending it
            own = error.changed(charge=charge)
        self._end(lambda: self.future.set_exception(own))

    def succeed(self, job: Job) -> None:
        """End with the stored job, if it has not ended yet."""
        self._end(lambda: self.future.set_result(job))

    def pass_on(self, done: Future[Job]) -> None:
        """End as the download did, if it has not ended yet."""
        if (error := done.exception()) is not None:
            self.fail(error)
        else:
            self.succeed(done.result())

    def _end(self, tell: Callable[[], None]) -> None:
        with self._ending:
            if not self.future.done() and self.future.set_running_or_notify_cancel():
                tell()

    def _newest(self) -> Job | None:
        return self.watch.job if self.watch is not None else self.job
