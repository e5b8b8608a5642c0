"""kill -9 at every step from the wish to the file: the same call afterwards buys nothing twice and loses no video.

The gateway is a sandbox in this process, so it outlives the one that is killed (crash_child.py). Two points are played
at a time.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sora.media.probe import probe
from sora.spec import JobState

from .conftest import Row
from .crash_child import POINTS
from .crash_world import Played, World
from .proxy import Proxy

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL"),
    # aiohttp leaves the file of an upload that broke off to the garbage collector.
    pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"),
]

FRAMES = 120  # four seconds at 30
Case = tuple[str, bool]  # (point, whether an image goes up with the job)
Plays = dict[Case, Future[Played]]

# point -> (what the ledger says after the kill, how many jobs the gateway then has). "sent" is reserved, and the
# request may be on its way: that is what the second run must call unknown.
EXPECTED: dict[str, tuple[str, set[int]]] = {
    "reference written, not renamed": ("none", {0}),
    "before reserve": ("none", {0}),
    "row written, not committed": ("none", {0}),
    "reserved": ("reserved", {0}),
    "sending written, not committed": ("reserved", {0}),
    "sending": ("sent", {0}),
    "connected": ("sent", {0}),
    "headers sent": ("sent", {0}),
    "half of the body sent": ("sent", {0}),
    "whole body sent": ("sent", {0, 1}),  # the dead process's connection may be reset before the gateway reads it
    "busy, not noted": ("sent", {0}),
    "busy, noted": ("reserved", {0}),
    "answer there, not read": ("sent", {1}),
    "answer read, not stored": ("sent", {1}),
    "id written, not committed": ("sent", {1}),
    "submitted": ("submitted", {1}),
    "before the first poll": ("submitted", {1}),
    "poll answered, not observed": ("submitted", {1}),
    "completed seen, not observed": ("submitted", {1}),
    "completed observed": ("completed", {1}),
    "download opened": ("completed", {1}),
    "first bytes downloaded": ("completed", {1}),
    "half downloaded": ("completed", {1}),
    "last byte, before fsync": ("completed", {1}),
    "on disk, before the check": ("completed", {1}),
    "checked, before the rename": ("completed", {1}),
    "renamed": ("completed", {1}),
    "receipt written, not renamed": ("completed", {1}),
    "before stored": ("completed", {1}),
    "stored written, not committed": ("completed", {1}),
    "stored": ("stored", {1}),
}
WITH_REFERENCE = [
    "reference written, not renamed", "reserved", "half of the body sent", "whole body sent", "answer there, not read",
    "half downloaded",
]  # fmt: skip
CASES = [(point, False) for point in EXPECTED if point != WITH_REFERENCE[0]] + [(name, True) for name in WITH_REFERENCE]
each_case = pytest.mark.parametrize("case", CASES, ids=[f"{point}{' (image)' * image}" for point, image in CASES])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all gateways of this module keep their films."""
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def plays(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    films: Path,
    tables: dict[str, list[Row]],
) -> Iterator[Plays]:
    """The plays of all chosen cases, under way since the first of them was asked for; a table at the end."""

    def play(case: Case) -> Played:
        point, reference = case
        prompt = "a paper boat" + " [sandbox: 429=1]" * point.startswith("busy")  # the same film
        return World(tmp_path_factory.mktemp("world"), films, prompt=prompt, reference=reference).play(point)

    asking = [item for item in request.session.items if "plays" in getattr(item, "fixturenames", ())]
    chosen = dict.fromkeys(item.callspec.params["case"] for item in asking)
    with ThreadPoolExecutor(2) as pool:
        for reference in sorted({reference for _, reference in chosen}):
            play(("", reference))  # renders the film
        futures = {case: pool.submit(play, case) for case in chosen}
        yield futures
    head = ("killed at", "ledger then", "jobs", "second run", "jobs", "in the end", "jobs", "left over")
    done = [(case, future.result()) for case, future in futures.items() if future.exception() is None]
    tables["crash matrix"] = [head, *(_row(case, played) for case, played in done)]
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
def test_a_killed_purchase(case: Case, plays: Plays) -> None:
    """Bought once, stored whole; or unknown, told so, never sent again by itself, and settled by a person."""
    played = plays[case].result(120)
    state, bought = EXPECTED[case[0]]
    killed, again = played.killed, played.again
    assert (killed.status, killed.state) == (-9, state), killed.said
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
    (video,) = world.home.rglob("*.mp4")
    assert job.state is JobState.STORED
    assert video == world.home / "output" / job.path
    sha256 = hashlib.sha256(video.read_bytes()).hexdigest()
    assert sha256 == job.sha256 == hashlib.sha256(world.film().read_bytes()).hexdigest()
    assert probe(video).frames == FRAMES
    assert json.loads(video.with_suffix(".json").read_text("utf-8"))["sha256"] == sha256


@each_case
def test_nothing_half_done_is_left(case: Case, plays: Plays) -> None:
    """No part of a video, no note about one, no half reference: the second run puts away what the first one left."""
    assert plays[case].result(120).world.litter() == set()


def test_a_download_that_is_killed_again_and_again_goes_on(films: Path, tmp_path: Path) -> None:
    """Each process takes up what the one before it left: the film is asked for once, its rest three times."""
    world = World(tmp_path, films)
    with world.gateway, Proxy(world.gateway.url) as line:
        world.url = line.url
        killed = [world.run("half downloaded") for _ in range(3)]
        again = world.run("")
    asked = Counter(call for call, _ in line.tally.elements())
    assert [run.status for run in (*killed, again)] == [-9, -9, -9, 0]
    assert (asked["create"], asked["content"], asked["rest of content"]) == (1, 1, 3)
    assert_whole(Played(world, killed[-1], again, again.job))
    assert world.litter() == set()


def test_every_point_is_in_the_matrix() -> None:
    """A point that the child knows has an expectation, and the other way round."""
    assert set(EXPECTED) == set(POINTS) - {""}
