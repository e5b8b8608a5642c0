"""What a farm's machines owe each other while they all live: none takes what another one has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.delivery import download
from sora_jobs.engine import Engine
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run
from sora_jobs.sandbox import Sandbox

from .crash_world import share_films, until
from .wish import environment, spec

LAPSE_S = 2.0  # of a machine's silence
CLAIM_S = 1.5  # how long a claim to a job lasts that is not renewed
TIMING = Timing(heartbeat_s=LAPSE_S / 8, heartbeat_timeout_s=LAPSE_S, lease_s=CLAIM_S)
RUNNING = RemoteVideo(id="v", phase="running", status="x")


class Machine:
    """Its ledger, and its claims."""

    def __init__(self, home: Path, url: str, timing: Timing = TIMING) -> None:
        self.ledger = Ledger(home, url=url, timing=timing)
        self.watches = Leases(self.ledger.database)

    def reserve(self, prompt: str) -> tuple[str, bool]:
        wanted = spec(prompt, reference=False)
        job, mine = self.ledger.reserve(wanted, origin="https://x", estimated_usd=0.1, budget=Budget())
        return job.id, mine


@pytest.fixture
def machines(tmp_path: Path, postgresql: Any) -> Iterator[list[Machine]]:
    url = postgresql.database()
    made = [Machine(tmp_path / name, url) for name in ("one", "two")]
    yield made
    for machine in made:
        machine.ledger.close()


def test_a_machine_that_lives_is_not_taken_for_dead(machines: list[Machine]) -> None:
    """However long it sends one request, and watches one job without a word about it."""
    first, second = machines
    sent, _ = first.reserve("is being sent")
    first.ledger.sending(sent)
    watched, _ = first.reserve("is watched")
    first.ledger.sending(watched)
    first.ledger.submitted(watched, RUNNING)
    assert first.watches.take(watched, 3600)
    end = time.monotonic() + 2.5 * LAPSE_S
    while time.monotonic() < end:
        assert second.watches.claim_unwatched() == []
        assert not second.watches.take(watched)
        assert second.reserve("is being sent") == (sent, False)
        assert second.ledger.job(sent).state is JobState.RESERVED
        time.sleep(0.1)
    assert first.ledger.submitted(sent, RemoteVideo(id="w", phase="running", status="x")).state is JobState.SUBMITTED


def test_a_claim_under_way_is_neither_waited_for_nor_broken(machines: list[Machine]) -> None:
    """A machine takes a job, and its transaction lasts: another one's search leaves that job alone, and goes on."""
    first, second = machines
    jobs = []
    for prompt in ("taken now", "free"):
        job, _ = first.reserve(prompt)
        first.ledger.sending(job)
        first.ledger.submitted(job, RemoteVideo(id=f"v-{prompt}", phase="running", status="x"))
        jobs.append(job)
    taken, free = jobs
    mark = first.ledger.database.owner.id
    with ThreadPoolExecutor(1) as pool:
        with first.ledger.database.write() as connection:
            now = first.ledger.database.now(connection)
            claim = "UPDATE jobs SET watcher = :mark, watched_until = :until WHERE id = :job"
            run(connection, claim, mark=mark, until=now + 60, job=taken)
            search = pool.submit(second.watches.claim_unwatched)
            found = search.result(5)
        assert found == [free]
    assert not second.watches.take(taken)


@pytest.fixture
def slow_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """A film comes in pieces for twice as long as a claim lasts."""
    real, pieces = download.iter_body, 40
    monkeypatch.setattr("sora_jobs.gateway.bodies.PIECE", 16 << 10)  # the film has nearly a megabyte

    def iter_body(response: Any, **how: Any) -> Iterator[bytes]:
        for number, piece in enumerate(real(response, **how)):
            if number < pieces:
                time.sleep(2 * CLAIM_S / pieces)
            yield piece

    monkeypatch.setattr(download, "iter_body", iter_body)


def test_a_job_stays_with_the_one_who_watches_and_fetches_it(
    tmp_path: Path, films: Path, database_url: str, slow_download: None
) -> None:
    """The claim is renewed for as long as the gateway renders, and for as long as the film takes to come."""
    moment = [time.time()]
    with Sandbox(tmp_path / "gateway", seconds=1, clock=lambda: moment[0]) as gateway:
        share_films(gateway, films)
        engine = Engine(
            tmp_path / "home", tmp_path / "output", env=environment(gateway.url, database_url), timing=TIMING
        )
        other = Machine(tmp_path / ("other" if database_url else "home"), database_url)
        try:
            job = engine.start_create(spec("a paper boat", reference=False)).result(30).job
            wait = engine.start_wait(job.id, timeout=60)
            until(lambda: gateway.routes.counts["GET", "/v1/videos/{id}"] > 0)
            finished = time.monotonic() + 2 * CLAIM_S
            while time.monotonic() < finished:
                assert other.watches.claim_unwatched() == []
                time.sleep(0.05)
            moment[0] += 60
            while not wait.future.done():
                assert other.watches.claim_unwatched() == []
                time.sleep(0.05)
            assert wait.future.result().state is JobState.STORED
            assert time.monotonic() > finished + 2 * CLAIM_S
        finally:
            engine.close()
            other.ledger.close()
