"""kill -9 at every step from the wish to the file: the same call afterwards buys nothing twice and loses no video.

On PostgreSQL that call is another machine's. It begins at once: until the dead one has been silent for long enough, it
counts as one that is still at it. The gateway is a sandbox in this process, so it outlives the one that is killed
(crash_child.py). Three points are played at a time.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.jobs.state import JobState
from sora_jobs.media.probe import probe

from .conftest import Row
from .crash_expected import CASES, EXPECTED, Case
from .crash_points import KILLED, POINTS
from .crash_world import Played, World
from .proxy import Proxy

pytestmark = [
    # aiohttp leaves the file of an upload that broke off to the garbage collector.
    pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"),
]

FRAMES = 120  # four seconds at 30
THREADS = 3  # on a farm much of the time is waiting
Plays = dict[Case, Future[Played]]
Ledgers = tuple[str, Callable[[], str]]  # (their kind, what gives the address of a new one)

ALL = [(database, case) for database, cases in CASES.items() for case in cases]
each_case = pytest.mark.parametrize(
    ("database", "case"),
    ALL,
    ids=[f"{database}: {point}{' (image)' * image}" for database, (point, image) in ALL],
    indirect=["database"],
)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Ledgers:
    """The kind of ledger that a case is played on."""
    if request.param == "sqlite":
        return "sqlite", lambda: ""
    return "postgresql", request.getfixturevalue("postgresql").database


@pytest.fixture(scope="module")
def plays(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    films: Path,
    tables: dict[str, list[Row]],
) -> Iterator[Callable[[Ledgers], Plays]]:
    """The plays of all chosen cases of a kind of ledger, under way since it was first asked for; tables at the end."""
    asking = [item.callspec.params for item in request.session.items if "plays" in getattr(item, "fixturenames", ())]
    begun: dict[str, Plays] = {}
    with ThreadPoolExecutor(THREADS) as pool:

        def of(ledgers: Ledgers) -> Plays:
            kind, new = ledgers

            def play(case: Case) -> Played:
                point, reference = case
                prompt = "a paper boat" + " [sandbox: 429=1]" * point.startswith("busy")  # the same film
                folder = tmp_path_factory.mktemp("world")
                return World(folder, films, database=new(), prompt=prompt, reference=reference).play(point)

            if kind not in begun:
                chosen = dict.fromkeys(params["case"] for params in asking if params["database"] == kind)
                for reference in sorted({reference for _, reference in chosen}):
                    play(("", reference))  # renders the film
                begun[kind] = {case: pool.submit(play, case) for case in chosen}
            return begun[kind]

        yield of
    head = ("killed at", "ledger then", "jobs", "second run", "jobs", "in the end", "jobs", "left over")
    for kind, futures in begun.items():
        done = [(case, future.result()) for case, future in futures.items() if future.exception() is None]
        tables[f"crash matrix, {kind}"] = [head, *(_row(case, played) for case, played in done)]
    gc.collect()  # here the warning of that file is ignored, in the tests that follow it is not


def _row(case: Case, played: Played) -> Row:
    name = f"{case[0]} (image)" if case[1] else case[0]
    unknown = played.again.status == 4
    second = "unknown, exit 4" if unknown else str(played.again.said.get("state"))
    end = f"settled, {played.end.state}" if unknown else str(played.end.state)
    jobs = [str(len(ids)) for ids in (played.killed.bought, played.again.bought, played.world.bought())]
    litter = " ".join(sorted(played.world.litter())) or "-"
    return (name, played.killed.state, jobs[0], second, jobs[1], end, jobs[2], litter)


@each_case
def test_a_killed_purchase(case: Case, database: Ledgers, plays: Callable[[Ledgers], Plays]) -> None:
    """Bought once, stored whole; or unknown, told so, never sent again by itself, and settled by a person."""
    played = plays(database)[case].result(120)
    state, bought = EXPECTED[case[0]]
    killed, again = played.killed, played.again
    assert (killed.status, killed.state) == (KILLED, state), killed.said
    assert len(killed.bought) in bought
    if state == "sent":
        assert again.creates <= 1, "what may have arrived was sent again"
        assert (again.status, again.job.state) == (4, JobState.UNKNOWN)
        for words in ("Money may have been spent", "sora resume", "--video-id", "--lost", again.job.id):
            assert words in again.said["text"]
    else:
        assert again.creates == 1 + case[0].startswith("busy")  # that refusal was read, so nothing was there
        assert (again.status, again.said.get("state")) == (0, "stored"), again.said
    assert_whole(played)


def assert_whole(played: Played) -> None:
    """The video on disk is the gateway's of its one job, bit by bit, and it is the only one."""
    world, job = played.world, played.end
    (video,) = world.output.rglob("*.mp4")
    assert job.state is JobState.STORED
    assert video == world.output / job.path
    sha256 = hashlib.sha256(video.read_bytes()).hexdigest()
    assert sha256 == job.sha256 == hashlib.sha256(world.film().read_bytes()).hexdigest()
    assert probe(video).frames == FRAMES
    assert json.loads(video.with_suffix(".json").read_text("utf-8"))["sha256"] == sha256


@each_case
def test_nothing_half_done_is_left(case: Case, database: Ledgers, plays: Callable[[Ledgers], Plays]) -> None:
    """No part of a video, no note about one, no half reference: the second run puts away what the first one left."""
    assert plays(database)[case].result(120).world.litter() == set()


def test_a_download_that_is_killed_again_and_again_goes_on(films: Path, tmp_path: Path) -> None:
    """Each process takes up what the one before it left: the film is asked for once, its rest three times."""
    world = World(tmp_path, films, forked=False)  # as users start them
    with world.gateway, Proxy(world.gateway.url) as line:
        world.url = line.url
        killed = [world.run("half downloaded") for _ in range(3)]
        again = world.run("")
    asked = Counter(call for call, _ in line.tally.elements())
    assert [run.status for run in (*killed, again)] == [KILLED, KILLED, KILLED, 0]
    assert (asked["create"], asked["content"], asked["rest of content"]) == (1, 1, 3)
    assert_whole(Played(world, killed[-1], again, again.job))
    assert world.litter() == set()


def test_every_point_is_in_the_matrix() -> None:
    """A point that the child knows has an expectation, and the other way round."""
    assert set(EXPECTED) == set(POINTS) - {""}
