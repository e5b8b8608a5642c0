"""From a finished job to its file on disk: one try, and whether there is another one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import requests

from ..config.settings import Settings
from ..config.timing import Timing
from ..errors import GatewayError, InvalidInputError, LedgerError, SoraError, StorageError, TruncatedVideoError
from ..gateway.client import Client
from ..gateway.clients import ClientPool
from ..gateway.retries import delay
from ..jobs.spec import TRUNCATED, Job
from ..ledger.leases import Leases
from ..ledger.ledger import Ledger
from .download import Downloaded, download
from .entry import Entry, Fetch
from .receipts import write_receipt
from .step_errors import NOT_OFFERED, is_not_offered, told
from .stored_files import file_of, free_name, is_intact, new_file_of

ASK_FOR_URL = (*NOT_OFFERED, 401, 403, 405)  # also where the key is good
LEAST_BYTES = 64 << 10  # a download that brings less in `download_stall_s` is broken off, to be taken up later
DIFFERS = (
    "{name} is not the file that was stored (another size, or changed since), and the video could not be fetched anew"
)


class Fetcher:
    """Downloads videos, while it holds the lease on their jobs."""

    def __init__(self, ledger: Ledger, clients: ClientPool, settings: Settings, leases: Leases, timing: Timing) -> None:
        self._ledger, self._clients, self._settings = ledger, clients, settings
        self._leases, self._timing = leases, timing

    def fetch(self, entry: Entry) -> Job | None:
        """Return the job with its file on disk: the one that is there, or a new download (also of a deleted file, of
        one that is not what was stored, or of a truncated one). None while another process is at it."""
        assert entry.fetch is not None
        job = self._ledger.job(entry.job.id)
        there = file_of(job, self._settings)
        intact = there is not None and is_intact(job, there)
        if intact and job.error_code != TRUNCATED:
            return job
        if not self._leases.hold(job.id):
            return None
        try:
            return self._fetched(job, entry.fetch, entry)
        except TimeoutError:  # a process that slept while its lease expired is still writing
            return None
        except SoraError as error:
            if there is None:
                raise
            # It could not be had this time either, for whatever reason: what is there is better than nothing.
            if not intact:
                return replace(job, error=DIFFERS.format(name=there.name), error_code="")
            # What keeps a better copy from its place is told: on Windows a player that has the truncated one open, say.
            why = f" ({error.message} {error.hint})" if isinstance(error, StorageError) else ""
            return replace(job, error=job.error + why)

    def delay_s(self, entry: Entry, error: SoraError) -> float:
        """Return the pause before another try, after one that failed. The error for those who wait, where there is
        none."""
        fetch, attempts = entry.fetch, self._timing.content_attempts
        assert fetch is not None
        refused = self._is_refused(fetch, error)
        fetch.refused += refused
        fetch.by_url ^= isinstance(error, GatewayError)  # the content endpoint and the URL, each in its turn
        if isinstance(error, TruncatedVideoError):
            fetch.truncated = fetch.opened
        # The last try takes a truncated video, if there is one.
        if refused and fetch.truncated and fetch.refused == attempts - 1:
            fetch.by_url = fetch.truncated == "url"
        fetch.tries += 1
        pause_s = (
            delay("content", error, fetch.refused, self._timing)
            if refused
            else delay("download", error, fetch.tries, self._timing)
        )
        if pause_s is None:
            raise told(error, entry.job, self._timing) from error.__cause__
        return pause_s

    def _fetched(self, job: Job, fetch: Fetch, entry: Entry) -> Job:
        wanted = new_file_of(job, self._settings)
        target = wanted if job.error_code == TRUNCATED else free_name(job, wanted)
        arrived = self._download(job, target, fetch, self._progress(job.id, fetch, entry))
        place = arrived.path.relative_to(self._settings.output).as_posix()
        with contextlib.suppress(InvalidInputError):  # settings.toml is being edited: the video counts for more
            if self._settings.read().receipts:
                write_receipt(job, arrived)
        root = str(self._settings.output)
        return self._ledger.stored(
            job.id, path=place, root=root, sha256=arrived.sha256, size=arrived.size, whole=arrived.whole,
            warning=" ".join(arrived.warnings),
        )  # fmt: skip

    def _download(
        self, job: Job, target: Path, fetch: Fetch, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        from ..media.delivered import examine_delivered

        return download(
            # What is here completely needs neither key nor provider.
            lambda headers: _open(self._clients.now().client_for(job), job.video_id, headers, fetch),
            target,
            check=lambda path: examine_delivered(path).measured_against(job.size),
            progress=progress,
            accept_cut=fetch.refused == self._timing.content_attempts - 1 and job.error_code != TRUNCATED,
            anew=job.error_code == TRUNCATED,
            timing=self._timing,
        )

    def _progress(self, job_id: str, fetch: Fetch, entry: Entry) -> Callable[[int, int | None], None]:
        """What is called for each piece that arrives. GatewayError ends a download that a thread is too good for,
        TimeoutError one that another process has taken over."""
        timing, now = self._timing, self._timing.monotonic
        end = now() + timing.download_max_s
        mark = (now() + timing.download_stall_s, 0)  # by when so many bytes and LEAST_BYTES more have to be here

        def progress(done: int, total: int | None) -> None:
            nonlocal mark
            fetch.done, fetch.total, fetch.source, entry.error = done, total, fetch.opened, None
            with contextlib.suppress(LedgerError):  # a download that runs is worth more than the note that we do it
                if not self._leases.hold(job_id):
                    raise TimeoutError(f"Job {job_id} was taken over by another process")
            if now() > mark[0]:
                if 0 <= done - mark[1] < LEAST_BYTES:
                    raise _too_slow("is too slow")
                mark = (now() + timing.download_stall_s, done)
            if now() > end:
                raise _too_slow("takes too long")

        return progress

    def _is_refused(self, fetch: Fetch, error: BaseException) -> bool:
        """Is it the video that is wrong, and not the line? Not as long as the other way to it meets an outage: it may
        have the video when that is over. A part of it is fetched in full at each try, so that it waits for
        `content_attempts` outages only.
        """
        if not (isinstance(error, TruncatedVideoError) or is_not_offered(error)):
            if isinstance(error, GatewayError):
                fetch.away[fetch.by_url] += 1
            return False
        fetch.away[fetch.by_url] = 0
        outages = fetch.away[not fetch.by_url]
        return not outages or (outages > self._timing.content_attempts and isinstance(error, TruncatedVideoError))


def _too_slow(how: str) -> GatewayError:
    return GatewayError(f"The download {how}.", hint="What arrived is kept; run again.", code="too_slow")


def _open(client: Client, video_id: str, headers: Mapping[str, str], fetch: Fetch) -> requests.Response:
    """The content endpoint, or the URL in the video object where the provider has no such endpoint (quirk 8), or where
    it is the URL's turn. What one of them brought is not continued by the other: they may have different files."""

    def ask(way: str, call: Callable[[Mapping[str, str]], requests.Response]) -> requests.Response:
        response = call(headers if fetch.source in ("", way) else {})
        fetch.opened = way
        return response

    if fetch.by_url and (url := client.retrieve(video_id).url):
        return ask("url", lambda wanted: client.stream(url, wanted))
    try:
        return ask("content", lambda wanted: client.content(video_id, wanted))
    except GatewayError as error:
        if error.http_status not in ASK_FOR_URL:
            raise
        url = client.retrieve(video_id).url  # asked anew: such URLs expire
        if not url:
            raise
        return ask("url", lambda wanted: client.stream(url, wanted))
