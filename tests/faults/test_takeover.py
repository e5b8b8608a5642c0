"""A process dies, and another one that lives takes its jobs over: nobody has to run anything again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.engine import Engine
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import run

from .crash_points import KILLED
from .crash_world import CREATE, World, until
from .wish import environment, spec

pytestmark = [
    pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"),
]

CONTENT = ("GET", "/v1/videos/{id}/content")
LAPSE_S = 2.0  # of which a process that lives says eight times that it does
RESCAN_S = 0.2
TIMING = Timing(heartbeat_s=LAPSE_S / 8, heartbeat_timeout_s=LAPSE_S, rescan_s=RESCAN_S)


class Moment:
    """The gateway's clock, which stands still: no video is finished before it is moved on."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Moment:
    return Moment()


@pytest.fixture
def world(tmp_path: Path, films: Path, database_url: str, clock: Moment) -> Iterator[World]:
    made = World(tmp_path, films, database=database_url, clock=clock)
    with made.gateway:
        made.url = made.gateway.url
        yield made


@pytest.fixture
def survivor(world: World) -> Iterator[Callable[[str], Engine]]:
    """Start another process's engine, which looks after what others leave: a machine of that name in a farm, else one
    more program on the same machine."""
    made: list[Engine] = []

    def start(name: str) -> Engine:
        home = world.home.with_name(name) if world.database else world.home
        env = environment(world.url, world.database)
        made.append(Engine(home, world.output, env=env, timing=TIMING))
        made[-1].background.begin()
        if not world.database:  # with a file it searches once it has bought something itself
            made[-1].start_create(spec(f"a paper boat [sandbox: word={name}]", reference=False)).result(30)
        return made[-1]

    yield start
    for engine in made:
        engine.close()


def watcher(engine: Engine, prompt: str) -> str:
    """Who watches the job with that prompt."""
    query = "SELECT watcher FROM jobs WHERE prompt = :prompt AND state = 'submitted'"
    with engine.ledger.database.read() as connection:
        return run(connection, query, prompt=prompt).scalars().first() or ""


def test_a_killed_watchers_job_is_fetched_by_another(
    world: World, survivor: Callable[[str], Engine], clock: Moment
) -> None:
    """While it lives nobody takes its job, however often they look. Then one of two others fetches it, once."""
    others = [survivor("one"), survivor("two")]
    child = world.start("", world.home, world.prompt)
    try:
        until(lambda: watcher(others[0], world.prompt) != "")
        mark = watcher(others[0], world.prompt)
        end = time.monotonic() + 1.5 * LAPSE_S
        while time.monotonic() < end:
            assert watcher(others[1], world.prompt) == mark
            time.sleep(RESCAN_S / 2)
    finally:
        child.kill()
        assert child.communicate() == ("", "")  # it got to no end of its own
    clock.now += 60
    jobs = others[0].ledger.jobs()
    until(lambda: {job.state for job in others[0].ledger.jobs()} == {JobState.STORED})
    assert world.gateway.routes.counts[CREATE] == world.gateway.routes.counts[CONTENT] == len(jobs)
    (row,) = (job for job in others[0].ledger.jobs() if job.prompt == world.prompt)
    assert [engine.path(row) for engine in others] == [world.output / row.path] * 2
    assert len(list(world.output.rglob("*.mp4"))) == len(jobs)
    assert world.litter() == set()


# where it was killed -> what a living process makes of it by itself
ENDS = {
    "reserved": JobState.REFUSED,
    "sending": JobState.UNKNOWN,
    "answer read, not stored": JobState.UNKNOWN,
    "submitted": JobState.STORED,
    "half downloaded": JobState.STORED,
    "before stored": JobState.STORED,
}


def test_what_the_dead_left_is_put_right(
    world: World, survivor: Callable[[str], Engine], clock: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From every state, among them what may have been sent: that is told, and never sent again by itself."""
    prompts = {point: f"a paper boat [sandbox: word={number}]" for number, point in enumerate(ENDS)}
    children = [world.start(point, world.home, prompt) for point, prompt in prompts.items()]
    until(lambda: len(world.bought()) == len(ENDS) - 2)  # the first two are killed before
    clock.now += 60
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [KILLED] * len(ENDS)
    living = survivor("one")  # not before: it would take a job over that its buyer does not watch yet
    creates = world.gateway.routes.counts[CREATE]

    def states() -> dict[str, JobState]:
        rows = {job.prompt: job.state for job in living.ledger.jobs()}
        return {point: rows[prompt] for point, prompt in prompts.items()}

    until(lambda: states() == ENDS)
    searches, search = [], living.ledger.database.exclusive  # each search for jobs is one such transaction
    monkeypatch.setattr(living.ledger.database, "exclusive", lambda: searches.append(1) or search())
    until(lambda: len(searches) > 3)
    assert states() == ENDS
    assert world.gateway.routes.counts[CREATE] == creates
    assert world.litter() == set()
