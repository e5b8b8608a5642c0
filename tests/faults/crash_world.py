"""A gateway and a ledger where a purchase is killed, run again, and settled: what test_crash_matrix.py plays in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import PurchaseUncertainError
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.sandbox import Sandbox

from .forks import Fork, Forker
from .wish import bare_environment, environment, spec

CHILD = Path(__file__).parent / "crash_child.py"
CREATE = ("POST", "/v1/videos")
# What may lie in a home and below its output: the ledger's own, videos, their receipts, references.
KEPT = {".sqlite3", ".sqlite3-opening", ".sqlite3-wal", ".sqlite3-shm", ".mp4", ".json", ".png"}


@dataclass
class Run:
    """What a process left behind: its exit status, what it printed, and what the gateway and the ledger hold."""

    status: int
    said: dict[str, Any]
    job: Job | None
    creates: int  # requests, also those of which only a part came
    bought: list[str]  # the gateway's ids

    @property
    def state(self) -> str:
        """The ledger's; "none" without a row, "sent" for a reserved one whose request may be on its way."""
        if self.job is None:
            return "none"
        return "sent" if self.job.state is JobState.RESERVED and self.job.sent_at else self.job.state.value


class World:
    """A machine with a ledger's file; or, with the address of a `database`, two machines of a farm that share it and
    the folder for videos. `films` is a folder of rendered films that all gateways share: each is rendered once. With
    `forked` its processes start in a tenth of a second, where the system can fork; without, in one, as users'."""

    def __init__(
        self,
        folder: Path,
        films: Path,
        *,
        database: str = "",
        prompt: str = "a paper boat",
        reference: bool = False,
        clock: Callable[[], float] = time.time,
        forked: bool = True,
    ) -> None:
        self.forked = forked and hasattr(os, "fork")
        self.prompt, self.reference, self.database = prompt, reference, database
        self.output = folder / "output"
        self.home = folder / "home"  # of the process that is killed
        self.other_home = folder / "other" if database else self.home  # of who runs the same again
        self.gateway = Sandbox(folder / "gateway", seconds=0.2, clock=clock)
        self.url = ""  # where the purchases go: the gateway itself, unless somebody stands before it
        share_films(self.gateway, films)

    def play(self, point: str) -> Played:
        """Kill a process at that point, run another one to its end, settle what is unknown."""
        with self.gateway:
            self.url = self.gateway.url
            killed = self.run(point)
            self.let_an_hour_pass()
            again = self.run("")
            if again.said.get("error") == "PurchaseUncertainError":
                self.reconcile(again)
                assert self.run("").status == 0
            return Played(self, killed, again, self.row())

    def run(self, point: str) -> Run:
        """The same call in a process of its own, which kills itself at that point; "" for none."""
        child = self.start(point, self.home if point else self.other_home, self.prompt)
        out, err = child.communicate(timeout=60)
        said = json.loads(out) if out else {"stderr": err}
        return Run(child.returncode, said, self.row(), self.gateway.routes.counts[CREATE], self.bought())

    def start(self, point: str, home: Path, prompt: str) -> subprocess.Popen[str] | Fork:
        """A process that buys that video and kills itself at that point; "" for none."""
        given = {"home": str(home), "output": str(self.output), "url": self.url, "database": self.database}
        given |= {"point": point, "prompt": prompt, "reference": self.reference}
        arguments = [str(CHILD), json.dumps(given)]
        if self.forked:
            return Forker.start(arguments, bare_environment())
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=bare_environment(),
        )

    def reconcile(self, run: Run) -> None:
        """As a person does it who looks into the gateway's list: name the job there, or give it up."""
        engine = Engine(self.other_home, self.output, env=environment(self.url, self.database))
        try:
            with pytest.raises(PurchaseUncertainError):  # however often it is asked for
                engine.start_create(spec(self.prompt, self.reference)).result(30)
            assert self.gateway.routes.counts[CREATE] == run.creates
            job = engine.reconcile(self.row().id, video_id="".join(run.bought[:1]), lost=not run.bought)
            assert job.state in ((JobState.SUBMITTED, JobState.COMPLETED) if run.bought else (JobState.LOST,))
        finally:
            engine.close()

    def let_an_hour_pass(self) -> None:
        """Over unfinished files, which are then known to be nobody's."""
        for folder in (self.home, self.other_home, self.output):
            for file in folder.rglob(".*.part"):
                os.utime(file, (0, 0))

    def row(self) -> Job | None:
        """The ledger's newest row."""
        ledger = Ledger(self.home, url=self.database)
        try:
            return next(iter(ledger.jobs()), None)
        finally:
            ledger.close()

    def bought(self) -> list[str]:
        """The gateway's ids."""
        return [job.id for job in self.gateway.routes.jobs.store.newest()]

    def row_of(self, prompt: str) -> Job:
        """The newest row with that prompt."""
        ledger = Ledger(self.home, url=self.database)
        try:
            return next(job for job in ledger.jobs() if job.prompt == prompt)
        finally:
            ledger.close()

    def state_of(self, prompt: str) -> str:
        """Its state in the ledger; "sent" for a reserved one whose request may be on its way."""
        job = self.row_of(prompt)
        return "sent" if job.state is JobState.RESERVED and job.sent_at else job.state.value

    def bought_of(self, prompt: str) -> list[str]:
        """The gateway's ids of that prompt."""
        return [job.id for job in self.gateway.routes.jobs.store.newest() if _same(job.prompt, prompt)]

    def film_of(self, prompt: str) -> str:
        """The SHA-256 of the gateway's own file of it."""
        (job,) = (job for job in self.gateway.routes.jobs.store.newest() if _same(job.prompt, prompt))
        return hashlib.sha256(self.gateway.routes.jobs.renders.path_of(job).read_bytes()).hexdigest()

    def film(self) -> Path:
        """The gateway's own file of the one job that was ever made there."""
        (job,) = self.gateway.routes.jobs.store.newest()
        return self.gateway.routes.jobs.renders.path_of(job)

    def litter(self) -> set[str]:
        """The suffixes of what lies about and belongs to nobody."""
        own = [*self.home.glob("ledger.*"), *self.home.glob("owners/*")]  # the ledger's business
        own += [home / "machine" for home in (self.home, self.other_home)]
        files = [path for folder in (self.home, self.other_home, self.output) for path in folder.rglob("*")]
        return {path.suffix for path in files if path.is_file() and path not in own} - KEPT


@dataclass
class Played:
    """What the killed process left, what the next one came to, and the job in the end."""

    world: World
    killed: Run
    again: Run
    end: Job


def _same(kept: str, prompt: str) -> bool:
    """Is it that prompt, which the sandbox keeps without its commands?"""
    return kept.split(" [sandbox:")[0].strip() == prompt.split(" [sandbox:")[0].strip()


def share_films(gateway: Sandbox, films: Path) -> None:
    """Have it keep its films in that folder, so that each is rendered once for all gateways."""
    renders = gateway.routes.jobs.renders
    usual = renders.path_of
    renders.path_of = lambda job: films / usual(job).name  # type: ignore[method-assign]


def until(true: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never became so"
        time.sleep(0.02)
