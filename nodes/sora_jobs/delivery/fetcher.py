"""From a finished job to its file on disk, once for all who wait for it. A gateway is often not ready at once, and
another process may be at it: such pauses are alarms, so that no thread sleeps and no video holds up another."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import requests

from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import (
    GatewayError,
    InvalidInputError,
    LedgerError,
    LocalError,
    NotFinishedError,
    SoraError,
    StorageError,
    TruncatedVideoError,
)
from ..gateway.client import Client
from ..gateway.clients import ClientPool
from ..gateway.retries import delay
from ..jobs.spec import TRUNCATED, Job
from ..ledger.leases import Leases
from ..ledger.ledger import Ledger
from ..util.daemon_pool import DaemonPool, PoolClosedError
from ..util.redact import redact
from .download import Downloaded, download
from .fetch_errors import NOT_OFFERED, is_not_offered, told, too_late, unexpected
from .poller import Poller
from .receipts import write_receipt
from .stored_files import file_of, free_name, is_intact, new_file_of, unchanged_file_of
from .waits import Fetch, Wait

FETCH_THREADS = 4
ASK_FOR_ADDRESS = (*NOT_OFFERED, 401, 403, 405)  # also where the key is good
LEAST_BYTES = 64 << 10  # a download that brings less in `download_stall_s` is broken off, to be taken up later
DIFFERS = (
    "{name} is not the file that was stored (another size, or changed since), and the video could not be fetched anew"
)

_log = logging.getLogger("sora")


class Fetcher:
    """Fetches videos. Its deadlines and pauses are the monitor's."""

    def __init__(
        self,
        ledger: Ledger,
        gateways: ClientPool,
        settings: Settings,
        leases: Leases,
        poller: Poller,
        timing: Timing,
    ) -> None:
        self._ledger, self._clients, self._settings = ledger, gateways, settings
        self._leases, self._poller, self._timing = leases, poller, timing
        self._pool = DaemonPool("sora-fetch", FETCH_THREADS)
        self._fetches: dict[str, Fetch] = {}
        self._lock = threading.Lock()

    def join(self, wait: Wait, job: Job) -> None:
        """Have `wait` end with the finished job's file: at once if it is there, else when it is fetched."""
        if unchanged_file_of(job, self._settings) is not None and job.error_code != TRUNCATED:
            wait.succeed(job)
            return
        with self._lock:
            known = self._fetches.get(job.id)
            fetch = known or Fetch()
            left_s = self._poller.left_s(wait.deadline)  # the download itself goes on; first, since it may fail
            self._poller.alarm(left_s, lambda: wait.fail(too_late(job, fetch)), unless=wait.future)
            self._fetches[job.id] = fetch
            fetch.waits.append(wait)
        wait.fetch = fetch
        fetch.future.add_done_callback(wait.pass_on)
        if known is None:
            self._queue(job, fetch)

    def close(self) -> None:
        self._pool.close()

    def _queue(self, job: Job, fetch: Fetch) -> None:
        try:
            self._pool.submit(lambda: self._run(job, fetch), job.provider)
        except RuntimeError as error:  # the program is closing, or not one thread can be had
            self._forget(job.id, fetch)  # our claim to it lapses by itself: the monitor's thread asks no ledger
            message = f"The video cannot be fetched now: {error}."
            code = "closing" if isinstance(error, PoolClosedError) else "no_thread"
            why = NotFinishedError(message, hint="Run again.", job=job.id, code=code)
            fetch.future.set_exception(why)

    def _run(self, job: Job, fetch: Fetch) -> None:
        """One try. What goes wrong with the try itself ends the fetch, too: nobody else would end it."""
        try:
            self._try(job, fetch)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait have to be told
            _log.error("The video of job %s is not fetched: %s", job.id, redact(traceback.format_exc()))
            try:
                self._let_go(job.id, fetch)
            finally:
                if not fetch.future.done():
                    fetch.future.set_exception(unexpected(error).with_job(job.id))

    def _try(self, job: Job, fetch: Fetch) -> None:
        """It ends the fetch, or has it tried again later."""
        try:
            stored = self._stored(job.id, fetch)
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            attempts, refused = self._timing.content_attempts, self._is_refused(fetch, error)
            fetch.refused += refused
            fetch.by_address ^= isinstance(error, GatewayError)  # the call and the address, each in its turn
            if isinstance(error, TruncatedVideoError):
                fetch.cut = fetch.opened
            if refused and fetch.cut and fetch.refused == attempts - 1:  # the last try takes a cut one, if there is one
                fetch.by_address = fetch.cut == "address"
            again_s = (
                delay("content", error, fetch.refused, self._timing)
                if refused
                else delay("download", error, fetch.tries + 1, self._timing)
            )
            if again_s is None or self._abandoned(job.id, fetch):
                self._failed(job, fetch, error)
                return
            pause_s = again_s
            fetch.trouble = str(error.args[0])
        else:
            if stored is not None:
                self._let_go(job.id, fetch)
                fetch.future.set_result(stored)
                return
            pause_s = self._timing.other_download_delay_s(fetch.tries)
        fetch.tries += 1
        try:
            self._poller.alarm(pause_s, lambda: self._queue(job, fetch))
        except LocalError as error:
            self._failed(job, fetch, error)

    def _failed(self, job: Job, fetch: Fetch, error: BaseException) -> None:
        if isinstance(error, Exception):
            error = told(error if isinstance(error, SoraError) else unexpected(error), job, self._timing)
            with contextlib.suppress(SoraError):  # what went wrong with the video says more
                self._ledger.not_fetched(job.id, error)
        self._let_go(job.id, fetch)
        fetch.future.set_exception(error)

    def _abandoned(self, job_id: str, fetch: Fetch) -> bool:
        """Does nobody wait for it any more? Then it is over, and one who comes now begins another."""
        with self._lock:
            over = all(wait.future.done() for wait in fetch.waits)
            if over:
                del self._fetches[job_id]
        return over

    def _let_go(self, job_id: str, fetch: Fetch) -> None:
        self._forget(job_id, fetch)
        self._leases.let_go(job_id)

    def _forget(self, job_id: str, fetch: Fetch) -> None:
        with self._lock:
            if self._fetches.get(job_id) is fetch:  # and not another one that was begun since
                del self._fetches[job_id]

    def _stored(self, job_id: str, fetch: Fetch) -> Job | None:
        """The job with its file on disk: the one that is there, or a new download (also of a deleted file, of one that
        is not what was stored, or of one that was cut short). None while another process is at it."""
        job = self._ledger.job(job_id)
        there = file_of(job, self._settings)
        intact = there is not None and is_intact(job, there)
        if intact and job.error_code != TRUNCATED:
            return job
        if not self._leases.hold(job_id):
            return None
        try:
            return self._fetched(job, fetch)
        except TimeoutError:  # a process that slept while its lease expired is still writing
            return None
        except SoraError as error:
            if there is None:
                raise
            # It could not be had this time either, for whatever reason: what is there is better than nothing.
            if not intact:
                return replace(job, error=DIFFERS.format(name=there.name), error_code="")
            # What keeps a better copy from its place is told: on Windows a player that has the cut one open, say.
            why = f" ({error.message} {error.hint})" if isinstance(error, StorageError) else ""
            return replace(job, error=job.error + why)

    def _fetched(self, job: Job, fetch: Fetch) -> Job:
        wanted = new_file_of(job, self._settings)
        arrived = self._download(job, wanted if job.error_code == TRUNCATED else free_name(job, wanted), fetch)
        place = arrived.path.relative_to(self._settings.output).as_posix()
        with contextlib.suppress(InvalidInputError):  # settings.toml is being edited: the video counts for more
            if self._settings.read().receipts:
                write_receipt(job, arrived)
        root = str(self._settings.output)
        return self._ledger.stored(
            job.id, path=place, root=root, sha256=arrived.sha256, size=arrived.size, whole=arrived.whole,
            warning=" ".join(arrived.warnings),
        )  # fmt: skip

    def _download(self, job: Job, target: Path, fetch: Fetch) -> Downloaded:
        from ..media.delivered import examine_delivered

        timing, now = self._timing, self._timing.monotonic
        end = now() + timing.download_max_s
        mark = (now() + timing.download_stall_s, 0)  # by when so many bytes and LEAST_BYTES more have to be here

        def progress(done: int, total: int | None) -> None:
            nonlocal mark
            fetch.done, fetch.total, fetch.trouble, fetch.source = done, total, "", fetch.opened
            with contextlib.suppress(LedgerError):  # a download that runs is worth more than the note that we do it
                if not self._leases.hold(job.id):
                    raise TimeoutError(f"Job {job.id} was taken over by another process")
            if now() > mark[0]:
                if 0 <= done - mark[1] < LEAST_BYTES:  # a thread is too good for this
                    raise GatewayError(
                        "The download is too slow.", hint="What arrived is kept; run again.", code="too_slow"
                    )
                mark = (now() + timing.download_stall_s, done)
            if now() > end:
                raise GatewayError(
                    "The download takes too long.", hint="What arrived is kept; run again.", code="too_slow"
                )

        return download(
            # What is here completely needs neither key nor provider.
            lambda headers: _open(self._clients.now().client_for(job), job.video_id, headers, fetch),
            target,
            check=lambda path: examine_delivered(path).measured_against(job.size),
            progress=progress,
            accept_cut=fetch.refused == timing.content_attempts - 1 and job.error_code != TRUNCATED,
            anew=job.error_code == TRUNCATED,
            timing=timing,
        )

    def _is_refused(self, fetch: Fetch, error: BaseException) -> bool:
        """Is it the video that is wrong, and not the line? Not as long as the other way to it meets an outage: it may
        have the video when that is over. A part of it is fetched in full at each try, so that it waits for
        `content_attempts` outages only.
        """
        if not (isinstance(error, TruncatedVideoError) or is_not_offered(error)):
            if isinstance(error, GatewayError):
                fetch.away[fetch.by_address] += 1
            return False
        fetch.away[fetch.by_address] = 0
        outages = fetch.away[not fetch.by_address]
        return not outages or (outages > self._timing.content_attempts and isinstance(error, TruncatedVideoError))


def _open(client: Client, video_id: str, headers: Mapping[str, str], fetch: Fetch) -> requests.Response:
    """The content call, or the address in the video object where the gateway has no such call (quirk 8), or where it is
    the address's turn. What one of them brought is not continued by the other: they may have different files."""

    def ask(way: str, call: Callable[[Mapping[str, str]], requests.Response]) -> requests.Response:
        response = call(headers if fetch.source in ("", way) else {})
        fetch.opened = way
        return response

    if fetch.by_address and (url := client.retrieve(video_id).url):
        return ask("address", lambda wanted: client.stream(url, wanted))
    try:
        return ask("call", lambda wanted: client.content(video_id, wanted))
    except GatewayError as error:
        if error.http_status not in ASK_FOR_ADDRESS:
            raise
        url = client.retrieve(video_id).url  # asked anew: such addresses lapse
        if not url:
            raise
        return ask("address", lambda wanted: client.stream(url, wanted))
