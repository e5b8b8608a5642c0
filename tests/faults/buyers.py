"""Persons behind a bad line who want their videos: what test_fault_proxy.py plays with."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

from sora_jobs.engine import Engine
from sora_jobs.errors import NotFinishedError, NotPurchasedError, PurchaseUncertainError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.sandbox import Sandbox

from ..timings import FAST
from .proxy import Proxy

MOST_RUNS = 200  # of one purchase; at half of all exchanges lost some ten are usual


def wanted(number: int) -> VideoRequest:
    """Each is a purchase of its own; the word is never shown, so that all of them have the same film."""
    prompt = f"a paper boat [sandbox: word={number}]"
    return VideoRequest(provider="cometapi", model="seedance-2-5", seconds="4", size="854x480", prompt=prompt)


class Buyers:
    """Who runs the same again after each trouble, on a farm (with the address of a `database`) at the next machine, and
    settles what is unknown with the gateway's own list. `met` counts what they were told."""

    def __init__(self, folder: Path, line: Proxy, gateway: Sandbox, database: str = "") -> None:
        env = {
            "COMETAPI_BASE_URL": line.url,
            "COMETAPI_KEY": "test-key-123456",
            "SORA_POLL_SECONDS": "0.02",
            "SORA_HTTP_TIMEOUT_SECONDS": "2",
            "SORA_BUDGET_USD_PER_DAY": "1000000",
            "SORA_DATABASE_URL": database,
        }
        homes = ["home", "another"] if database else ["home"]
        self.studios = [Engine(folder / home, folder / "output", env=env, timing=FAST) for home in homes]
        self.met: Counter[str] = Counter()
        self._line, self._gateway = line, gateway
        self._known: dict[str, str] = {}  # the gateway's ids and prompts, as far as they were read
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        return self.studios[0]

    def close(self) -> None:
        for engine in self.studios:
            engine.close()

    def bought(self, prompt: str) -> list[str]:
        """The ids of the jobs with that prompt that the gateway has: its own list, as a person would see it."""
        store = self._gateway.routes.jobs.store
        waiting = self._line.unanswered.copy()  # a person looks minutes later, when the gateway is done with all of it
        while waiting & self._line.unanswered.copy():
            time.sleep(0.001)
        with self._lock:
            for file in (store.folder / "jobs").glob("video_*.json"):
                if file.stem not in self._known and (job := store.load(file.stem)) is not None:
                    self._known[job.id] = job.said
            return [video_id for video_id, said in self._known.items() if said == prompt]

    def get(self, number: int) -> Job:
        """Run the same again until the video is there."""
        spec = wanted(number)
        for attempt in range(MOST_RUNS):
            engine = self.studios[(number + attempt) % len(self.studios)]
            try:
                job = engine.start_create(spec).result(60).job
                return engine.start_wait(job.id, timeout=30).future.result(60)
            except PurchaseUncertainError as error:
                self._met(error)
                self._settle(engine, spec.prompt, error.job)
            except NotPurchasedError as error:
                self._met(error)
                assert self.bought(spec.prompt) == [], f"told that nothing was bought: {error}"
            except NotFinishedError as error:
                self._met(error)
        raise AssertionError(f"no video after {MOST_RUNS} runs: {self.engine.ledger.queries.active_purchase(spec)}")

    def _settle(self, engine: Engine, prompt: str, job_id: str) -> None:
        found = self.bought(prompt)
        assert len(found) <= 1
        try:
            job = engine.reconcile(job_id, video_id="".join(found[:1]), lost=not found)
        except NotFinishedError as error:  # the line broke while the gateway was asked for it: the next run tries again
            self._met(error)
            return
        assert job.state in ((JobState.SUBMITTED, JobState.COMPLETED) if found else (JobState.LOST,))
        self._met("settled with its id" if found else "settled as lost")

    def _met(self, what: Exception | str) -> None:
        with self._lock:
            self.met[what if isinstance(what, str) else type(what).__name__] += 1
