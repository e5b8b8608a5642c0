"""The one file that joins the pieces: what nodes and the command line call.

Everything that can block runs in the engine's own threads and comes back as a `concurrent.futures.Future`; nothing is
opened, started or imported before it is needed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

from .catalogue import Catalogue
from .collect import Collector, Wait
from .errors import DiskTrouble, InvalidInput
from .gateways import Gateways
from .ledger import Ledger
from .purchase import Purchases, Submission
from .settings import Settings
from .spec import Job, JobSpec, JobState
from .threads import DaemonPool

SUBMIT_THREADS = 16
CLOSE_WAIT_S = 15.0  # a create that is under way may have been paid: its answer is worth waiting for

__all__ = ["Studio", "Submission", "Wait"]


class Studio:
    """One per process. `output` is the root of all video files; they go into its folder `folder`."""

    def __init__(self, home: Path, output: Path, *, folder: str = "sora", env: Mapping[str, str] | None = None) -> None:
        self.settings = Settings(home=home, output=output, folder=folder, env=os.environ if env is None else env)
        self.catalogue = Catalogue.shipped()
        self.ledger = Ledger(home)
        self._closing = threading.Event()
        self._gateways = Gateways(self.settings)
        self._purchases = Purchases(self.ledger, self._gateways, self.catalogue, home, pause=self._closing.wait)
        self._collector = Collector(self.ledger, self._gateways, self.settings, self._closing.wait)
        self._pool = DaemonPool("sora-submit", SUBMIT_THREADS)

    def provider_names(self) -> list[str]:
        """The providers that a workflow may name, cometapi first."""
        return self._gateways.names()

    def submit(self, spec: JobSpec) -> Future[Submission]:
        """Buy what `spec` asks for, once; the errors are those of `Purchases.submit`."""
        return self._pool.submit(lambda: self._purchases.submit(spec))

    def remix(self, job_id: str, prompt: str, take: int = 1) -> Future[Submission]:
        """Buy a remix of a finished job. InvalidInput if it is not finished, or its provider has no remix."""

        def buy() -> Submission:
            parent = self._collector.look(job_id)
            if parent.state not in (JobState.COMPLETED, JobState.STORED):
                raise InvalidInput(
                    f"Job {parent.id} is {parent.state.value}: only a finished video can be remixed.",
                    advice="Connect the `job` output of WaitForVideo, which waits until it is finished.",
                    job=parent.id,
                )
            model = self.catalogue.find(parent.model)
            if model is not None and not model.remix:
                raise InvalidInput(
                    f"{model.id} cannot be remixed.",
                    advice="Create a new video with the changed prompt.",
                    job=parent.id,
                )
            spec = JobSpec(kind="remix", provider=parent.provider, prompt=prompt, take=take, parent=parent.video_id)
            return self._purchases.submit(spec, like=parent)

        return self._pool.submit(buy)

    def wait(self, job_id: str, *, timeout_s: float) -> Wait:
        """Wait until the job's MP4 is on disk. `timeout_s` ends the waiting for the gateway, never the job."""
        wait = Wait()

        def begin() -> None:
            try:
                self._collector.start(wait, self.ledger.job(job_id), timeout_s)
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                with contextlib.suppress(Exception):  # who no longer waits does not need it
                    wait.future.set_exception(error)

        self._pool.submit(begin)
        return wait

    def open(self, text: str, provider: str = "") -> Future[Job]:
        """A job by its ledger id, a line of `labels()`, or a gateway's id from elsewhere (which is looked up there)."""
        name = text.strip().rsplit(" · ", 1)[-1].strip()

        def find() -> Job:
            job = self.ledger.find(name)
            if job is not None:
                return self._collector.look(job.id)
            if not re.fullmatch(r"[\w.:=+/-]{6,200}", name):
                raise InvalidInput(f"{name!r} is no job of the ledger and no gateway's id.")
            chosen = self._gateways.provider(provider or self.provider_names()[0])
            video = self._gateways.client(chosen.name).retrieve(name)
            return self.ledger.observed(self.ledger.adopt(chosen.name, chosen.origin, name).id, video)

        return self._pool.submit(find)

    def settle(self, job_id: str, *, video_id: str = "") -> Future[Job]:
        """End an unknown purchase: with the id found at the gateway (asked for it first), or declared lost."""

        def end() -> Job:
            job = self.ledger.job(job_id)
            if not video_id:
                return self.ledger.settle(job.id)
            video = self._gateways.client_for(job).retrieve(video_id)
            return self.ledger.observed(self.ledger.settle(job.id, video_id=video_id).id, video)

        return self._pool.submit(end)

    def reach(self, provider: str) -> tuple[str, int]:
        """(origin, HTTP status) of a call that costs nothing; MissingKey, or GatewayTrouble where nothing answers."""
        client = self._gateways.client(provider)
        return client.provider.origin, client.reach()

    def labels(self, limit: int = 200) -> list[str]:
        """The ledger's newest jobs as readable lines, for a combo; [] where there is no ledger yet."""
        if not (self.settings.home / "ledger.sqlite3").exists():
            return []
        return [job.label for job in self.ledger.jobs(limit=limit)]

    def path(self, job: Job) -> Path:
        """The absolute path of a stored job's file under our own output root; DiskTrouble where it is gone.

        A file that was stored under another root (by the command line, say) is linked to ours first.
        """
        found = self._collector.path(job)
        if found is None:
            raise DiskTrouble(f"The file of job {job.id} is not there.", advice="Run the same again.", job=job.id)
        if found.resolve().is_relative_to(self.settings.output.resolve()):
            return found
        ours = self.settings.output / self.settings.folder / found.name
        return ours if ours.exists() else _linked(job, found, ours)

    def link(self, job: Job, target: Path) -> Path:
        """The stored file under another name, too: a hard link, else a copy. Nothing is overwritten."""
        source = self.path(job)
        if target.exists() and not target.samefile(source):
            raise DiskTrouble(f"{target} exists already.", advice="Choose another name.", job=job.id)
        return target if target.exists() else _linked(job, source, target)

    def close(self) -> None:
        """Stop all threads. Creates that are under way get a moment for their answer; the rest goes on next time."""
        self._closing.set()
        self._pool.close(CLOSE_WAIT_S)
        self._collector.close()
        self._gateways.close()
        self.ledger.close()


def _linked(job: Job, source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # another disk, or a file system without hard links
            unfinished = target.with_suffix(".part")
            shutil.copyfile(source, unfinished)
            unfinished.replace(target)
    except OSError as error:
        raise DiskTrouble(f"{target} could not be written: {error.strerror}.", job=job.id) from error
    return target
