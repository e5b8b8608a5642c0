"""From a submitted job to its file: watch it, then fetch it, once for all who wait."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

import requests

from .client import Client
from .download import Downloaded, download
from .errors import GatewayTrouble, LedgerTrouble, LinkLapsed, NotBought, WaitTimeout
from .gateways import Gateways
from .ledger import Ledger, taken_error
from .monitor import Monitor
from .receipt import write_receipt
from .settings import Settings
from .spec import Job, JobState
from .threads import DaemonPool
from .waiting import Fetch, Wait
from .watches import WATCH_S, Watches

FETCH_THREADS = 4
NOT_READY_TRIES = 8  # content is often not there for some seconds after completion: 1 + 2 + 4 ... s, 30 s at most
LONGEST_PAUSE_S = 30.0
LONGEST_DOWNLOAD_S = 3600.0
OTHERS_PACE_S = 1.0  # how often we look whether another process has fetched a file


class Collector:
    """Watches and fetches. `pause(seconds)` waits and returns True when the program is closing."""

    def __init__(self, ledger: Ledger, gateways: Gateways, settings: Settings, pause: Callable[[float], bool]) -> None:
        self._ledger, self._gateways, self._settings, self._pause = ledger, gateways, settings, pause
        self._watches = Watches(ledger.database)
        self._ours: dict[str, float] = {}  # jobs that this process watches, and until when it need not say so again
        self._monitor = Monitor(self._round, lambda provider: gateways.provider(provider).poll_s, dropped=self._leave)
        self._pool = DaemonPool("sora-fetch", FETCH_THREADS)
        self._fetches: dict[str, Fetch] = {}
        self._lock = threading.Lock()

    def read(self, job_id: str) -> Job:
        """The job's row; one that a process which is dead now was sending tells what that means."""
        job = self._ledger.job(job_id)
        if job.state is not JobState.RESERVED:
            return job
        self._watches.bury()
        return self._ledger.job(job_id)

    def look(self, job_id: str) -> Job:
        """Ask the gateway about a job and write down what it says."""
        job = self.read(job_id)
        if job.state is not JobState.SUBMITTED:
            return job
        return self._ledger.observed(job.id, self._gateways.client_for(job).retrieve(job.video_id))

    def bury(self) -> None:
        """Put right what processes left half sent that are dead now."""
        self._watches.bury()

    def rescuable(self) -> list[Job]:
        """Jobs to be watched and fetched that nobody watches; from now on we do."""
        found = self._watches.rescuable()
        for job in found:
            self._ours[job.id] = time.monotonic() + WATCH_S / 2
        return found

    def start(self, wait: Wait, job: Job, timeout_s: float) -> None:
        """Take `wait` on its way, from whatever state its job is in."""
        wait.job = job
        wait.deadline = time.monotonic() + timeout_s
        if job.state in (JobState.STORED, JobState.COMPLETED):
            self._join_fetch(wait, job)
            return
        wait.watch = self._monitor.watch(job, timeout_s=timeout_s)
        wait.watch.future.add_done_callback(lambda seen: self._watched(wait, seen))

    def path(self, job: Job) -> Path | None:
        """Where the stored file lies, or None if it is gone: under our output root, else where it was written."""
        if not job.path:
            return None
        places = (self._settings.output / job.path, Path(job.root) / job.path)
        return next((place for place in places if place.is_file()), None)

    def close(self) -> None:
        self._monitor.close()
        self._pool.close()
        if self._ours:
            with contextlib.suppress(LedgerTrouble):  # they lapse by themselves
                self._watches.leave()

    def _round(self, job_id: str) -> Job:
        """The monitor's look: at the gateway if we watch the job, else at what another process wrote down."""
        job = self._ledger.job(job_id)
        return self.look(job_id) if job.state is JobState.SUBMITTED and self._watch(job_id) else job

    def _watch(self, job_id: str) -> bool:
        """Do we watch this job? Said again, so that it does not lapse, only when half of the time is over."""
        if self._ours.get(job_id, 0.0) > time.monotonic():
            return True
        if not self._watches.take(job_id):
            self._ours.pop(job_id, None)
            return False
        self._ours[job_id] = time.monotonic() + WATCH_S / 2
        return True

    def _leave(self, job_id: str) -> None:
        if self._ours.pop(job_id, None) is not None:
            with contextlib.suppress(LedgerTrouble):  # it lapses by itself
                self._watches.leave(job_id)

    def _watched(self, wait: Wait, seen: Future[Job]) -> None:
        if seen.cancelled() or wait.future.done():
            return
        if (error := seen.exception()) is not None:
            wait.fail(error)
            return
        wait.job = job = seen.result()
        if job.state in (JobState.STORED, JobState.COMPLETED):
            self._join_fetch(wait, job)
        else:
            wait.fail(ended_error(job))

    def _join_fetch(self, wait: Wait, job: Job) -> None:
        with self._lock:
            fetch = self._fetches.get(job.id)
            if fetch is None:
                fetch = self._fetches[job.id] = Fetch()
                self._pool.submit(lambda: self._run(job.id, fetch))
        wait.fetch = fetch
        self._monitor.alarm(wait.deadline, lambda: wait.fail(_too_late(job)))  # the download itself goes on
        fetch.future.add_done_callback(wait.pass_on)

    def _run(self, job_id: str, fetch: Fetch) -> None:
        try:
            job = self._stored(job_id, fetch)
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            self._forget(job_id)
            fetch.future.set_exception(error)
            return
        if job is None:
            # Not in this thread: two processes whose threads all wait for each other's downloads would stand still.
            self._monitor.alarm(time.monotonic() + OTHERS_PACE_S, lambda: self._again(job_id, fetch))
            return
        self._forget(job_id)
        fetch.future.set_result(job)

    def _again(self, job_id: str, fetch: Fetch) -> None:
        with contextlib.suppress(RuntimeError):  # the program is closing
            self._pool.submit(lambda: self._run(job_id, fetch))

    def _forget(self, job_id: str) -> None:
        with self._lock:
            del self._fetches[job_id]

    def _stored(self, job_id: str, fetch: Fetch) -> Job | None:
        """The job with its file on disk: the one that is there, or a new download (also of a deleted file). None while
        another process is at it."""
        job = self._ledger.job(job_id)
        if self.path(job) is not None:
            return job
        if not self._watch(job_id):
            return None
        try:
            return self._fetched(job, fetch)
        finally:
            self._leave(job_id)

    def _fetched(self, job: Job, fetch: Fetch) -> Job:
        client = self._gateways.client_for(job)
        place = job.path or self._new_place(job)
        target = self._settings.output / place
        arrived = self._patiently(job, lambda: self._download(job, client, target, fetch))
        if self._settings.receipts:
            write_receipt(job, arrived)
        root = str(self._settings.output)
        return self._ledger.stored(job.id, path=place, root=root, sha256=arrived.sha256, size=arrived.size)

    def _new_place(self, job: Job) -> str:
        day = datetime.fromtimestamp(job.created_at).astimezone().strftime("%Y-%m-%d")
        name = f"{day}_{job.id}.mp4"
        return f"{self._settings.folder}/{name}" if self._settings.folder else name

    def _download(self, job: Job, client: Client, target: Path, fetch: Fetch) -> Downloaded:
        from .media.frames import verify_mp4

        deadline = time.monotonic() + LONGEST_DOWNLOAD_S

        def progress(done: int, total: int | None) -> None:
            fetch.done, fetch.total = done, total
            with contextlib.suppress(LedgerTrouble):  # a download that runs is worth more than the note that we do it
                self._watch(job.id)
            if time.monotonic() > deadline:
                raise GatewayTrouble("The download takes too long.", transient=False, advice="Run again.")

        return download(
            lambda headers: _open(client, job.video_id, headers), target, check=verify_mp4, progress=progress
        )

    def _patiently(self, job: Job, fetch: Callable[[], Downloaded]) -> Downloaded:
        """Try again while the gateway may only not be ready yet."""
        for attempt in range(NOT_READY_TRIES):
            try:
                return fetch()
            except GatewayTrouble as error:
                if not error.transient or attempt == NOT_READY_TRIES - 1 or self._pause(_delay_s(attempt, error)):
                    raise _lapsed(job, error) from error
        raise AssertionError("unreachable: the last try returns or raises")


def ended_error(job: Job) -> Exception:
    """Why there is no video to wait for."""
    if job.state in (JobState.UNKNOWN, JobState.FAILED):
        return taken_error(job)
    return NotBought(
        f"Job {job.id} is {job.state}: there is no video to wait for{f' ({job.error})' if job.error else ''}.",
        advice="Ask for the same video again to send it anew.",
        job=job.id,
    )


def _open(client: Client, video_id: str, headers: Mapping[str, str]) -> requests.Response:
    """The content call, or the address in the video object where the gateway has no such call (quirk 8)."""
    try:
        return client.content(video_id, headers)
    except GatewayTrouble as error:
        if error.http_status not in (400, 401, 403, 404, 405, 410, 501):
            raise
        url = client.retrieve(video_id).url  # asked anew: such addresses lapse
        if not url:
            raise
        return client.stream(url, headers)


def _delay_s(attempt: int, error: GatewayTrouble) -> float:
    return min(LONGEST_PAUSE_S, error.retry_after_s if error.retry_after_s is not None else 2.0**attempt)


def _lapsed(job: Job, error: GatewayTrouble) -> Exception:
    if error.http_status not in (404, 410):
        return error.for_job(job.id)
    return LinkLapsed(
        f"The gateway does not offer the finished video for download (any more): {error.what}",
        advice="Run the same again in a while. If it stays so, its link has lapsed: ask the gateway's support, or "
        "choose another take to buy it anew.",
        job=job.id,
        request_id=error.request_id,
    )


def _too_late(job: Job) -> WaitTimeout:
    return WaitTimeout(
        "The video is finished, but could not be fetched in time.",
        advice="It is paid for and waits at the gateway. Run the same again, or use `sora resume`.",
        job=job.id,
    )
