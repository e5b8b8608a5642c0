"""kill -9 before and after each kind of step that a job takes, as a whole run takes them: nothing is bought twice, and
no video is lost. What lies inside of a step is test_crash_matrix.py's."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sora_jobs.engine import Engine
from sora_jobs.jobs.state import JobState

from .advance_points import Edge, points_of, watched
from .crash_points import KILLED
from .crash_world import World
from .wish import TIMING, environment, spec

BOAT = "a paper boat"
HOLDER = "the one before it [sandbox: slow=1]"
SCENARIOS = {
    "plain": BOAT,
    "rejected for now": f"{BOAT} [sandbox: 429=1]",
    "queued": BOAT,
}
# The kinds of steps that each scenario has to have, so that none is left out unseen.
EXPECTED = {
    "plain": {("reserved", "submitted"), ("submitted", "completed"), ("completed", "stored")},
    "rejected for now": {("reserved", "reserved"), ("reserved", "submitted"), ("completed", "stored")},
    "queued": {("reserved", "queued"), ("queued", "queued"), ("queued", "submitted"), ("completed", "stored")},
}
THREADS = 3


@dataclass
class Place:
    """A world for one scenario; in that of a queue, another job holds the one place that there is."""

    world: World
    scenario: str

    def __enter__(self) -> World:
        self.world.gateway.__enter__()
        self.world.url = self.world.gateway.url
        if self.scenario == "queued":
            self.world.home.mkdir(parents=True)
            (self.world.home / "providers.toml").write_text("[provider.cometapi]\nat_once = 1\n", encoding="utf-8")
            engine = Engine(self.world.home, self.world.output, env=environment(self.world.url), timing=TIMING)
            assert engine.start_create(spec(HOLDER, reference=False)).result(30).job.state is JobState.SUBMITTED
            engine.close()
        return self.world

    def __exit__(self, *_: object) -> None:
        self.world.gateway.__exit__(None, None, None)


def steps_of(place: Place) -> list[Edge]:
    """Those of a run that nobody kills."""
    edges: list[Edge] = []
    with place as world:
        end = watched(world.prompt, lambda _: None, edges.append)
        engine = Engine(world.home, world.output, env=environment(world.url), timing=TIMING)
        try:
            job = engine.start_create(spec(world.prompt, reference=False)).result(30).job
            assert engine.start_wait(job.id, timeout=60).future.result(60).state is JobState.STORED
        finally:
            end()
            engine.close()
    return edges


def play(place: Place, point: str) -> str:
    """Kill a process there and run the same again; what went wrong, in a line."""
    with place as world:
        killed = world.run(point)
        if killed.status != KILLED:
            return f"{point}: it was not killed: {killed.said}"
        state = world.state_of(world.prompt)
        creates = killed.creates
        again = world.run("")
        if state == "sent":
            if again.status != 4 or again.creates != creates:
                return f"{point}: what may have been bought was sent again: {again.said}"
            ids = world.bought_of(world.prompt)
            engine = Engine(world.home, world.output, env=environment(world.url), timing=TIMING)
            engine.reconcile(world.row_of(world.prompt).id, video_id="".join(ids[:1]), lost=not ids)
            engine.close()
            again = world.run("")
        if again.said.get("state") != "stored":
            return f"{point} ({state}): {again.said}"
        if len(world.bought_of(world.prompt)) != 1:
            return f"{point} ({state}): bought {len(world.bought_of(world.prompt))} times"
        row = world.row_of(world.prompt)
        sha256 = hashlib.sha256((world.output / row.path).read_bytes()).hexdigest()
        return "" if sha256 == row.sha256 == world.film_of(world.prompt) else f"{point}: another file"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_job_that_is_killed_at_a_step_is_bought_once_and_stored(scenario: str, films: Path, tmp_path: Path) -> None:
    def place(name: str) -> Place:
        return Place(World(tmp_path / name, films, prompt=SCENARIOS[scenario]), scenario)

    edges = steps_of(place("whole"))
    assert set(edges) >= EXPECTED[scenario]
    points = points_of(edges)
    with ThreadPoolExecutor(THREADS) as pool:
        told = list(pool.map(lambda point: play(place(point.replace(" ", "_")), point), points))
    assert [line for line in told if line] == []
