"""A job by what a person has of it: its id in the ledger, a line of a list, or its id at a provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError
from sora_jobs.jobs.state import JobState
from sora_jobs.purchasing.lookup import Lookup, id_in

from ..failures import failing
from .test_reconcile import Bench

NOT_THERE = {"error": {"code": "task_not_exist", "message": "no such task"}}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        yield made


@pytest.fixture
def lookup(bench: Bench) -> Lookup:
    """As the engine has it; without jobs under way it polls nothing."""
    return bench.engine._lookup


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("video_1", "video_1"),
        (" video_1\n", "video_1"),
        ("stored · 4s · a boat · x2b4", "x2b4"),
        ("stored · a · boat ·  x2b4 ", "x2b4"),
        ("a·b", "a·b"),
        (" ", ""),
    ],
)
def test_the_id_is_at_the_end_of_a_line(text: str, name: str) -> None:
    assert id_in(text) == name


def test_without_a_ledger_nothing_is_found_and_nothing_written(bench: Bench, lookup: Lookup) -> None:
    """A query changes nothing."""
    before = sorted(bench.engine.home.rglob("*"))
    assert lookup.find("video_1") is None
    assert lookup.find("video_1", "mine") is None
    assert lookup.provider_of("video_1") == ""
    assert sorted(bench.engine.home.rglob("*")) == before


def test_no_text_finds_no_job(bench: Bench, lookup: Lookup) -> None:
    """Nor one whose id at the provider is still empty."""
    bench.unknown()
    assert lookup.find("") is None
    assert lookup.find(" ", "mine") is None
    assert lookup.provider_of(" ") == ""


def test_the_provider_of_a_job(bench: Bench, lookup: Lookup) -> None:
    """By its id here or there, in a line of a list, too; "" of one that the ledger has not."""
    other = bench.engine.ledger.adopt("other", bench.server.url, "video_2")
    for text in (other.id, "video_2", f"submitted · 4s · {other.id}"):
        assert lookup.provider_of(text) == "other"
        assert [one and one.id for one in (lookup.find(text), lookup.open(text))] == [other.id, other.id]
    assert lookup.provider_of("video_3") == ""


def test_a_job_of_another_address_is_another_one(bench: Bench, lookup: Lookup) -> None:
    """The owner gave the provider another base URL, which counts its videos anew."""
    bench.engine.ledger.adopt("mine", "https://old.example.com", "video_1")
    assert lookup.find("video_1", "mine") is None
    ours = bench.engine.ledger.adopt("mine", bench.server.url, "video_1")
    assert lookup.find("video_1", "mine") == ours


def test_an_id_without_a_provider_is_opened_at_the_first_one(bench: Bench) -> None:
    (bench.folder / "second").mkdir()
    env = {"COMETAPI_KEY": "sk-key-12345", "COMETAPI_BASE_URL": bench.server.url}
    engine = Engine(bench.folder / "second", bench.folder / "output", env=env)
    try:
        opened = engine.open("video_1")
    finally:
        engine.close()
    assert (opened.provider, opened.origin, opened.state) == ("cometapi", bench.server.url, JobState.COMPLETED)


@pytest.mark.parametrize("name", ["", "video", "video 1", "video_1?", "../video_1!"])
def test_what_no_id_can_be_is_asked_of_nobody(bench: Bench, name: str) -> None:
    """Six characters at least, so that a typing error in a job's own id does not reach a provider."""
    with failing(InvalidInputError, "unknown_video", repr(name)):
        bench.engine.open(name, "mine")
    assert bench.server.requests == []
    assert bench.engine.open("v:._1/", "mine").state is JobState.COMPLETED


def test_an_id_that_nobody_knows_is_told(bench: Bench) -> None:
    """With what the provider said; the ledger gets no row."""
    bench.states = lambda _: NOT_THERE
    with failing(InvalidInputError, "unknown_video", "mine knows no job video_elsewhere", "no such task") as caught:
        bench.engine.open("video_elsewhere", "mine")
    assert caught.value.hint.startswith("Check the id")
    assert bench.engine.jobs() == []


def test_an_id_that_other_providers_know_is_told_with_all_of_them(bench: Bench) -> None:
    others = [bench.engine.ledger.adopt(name, bench.server.url, "video_1") for name in ("other", "third")]
    bench.states = lambda _: NOT_THERE
    with failing(InvalidInputError, "unknown_video") as caught:
        bench.engine.open("video_1", "mine")
    hints = [
        f"The ledger has it as job {one.id} ({one.provider}), {two.id} ({two.provider}): choose that one."
        for one, two in (others, others[::-1])
    ]
    assert caught.value.hint in hints


def test_looking_costs_nothing(bench: Bench) -> None:
    """Whatever goes wrong with it; and the error stays the provider's."""
    bench.refuses = True
    with failing(GatewayError, "invalid_api_key", charge="none"):
        bench.engine.open("video_1", "mine")
    assert bench.engine.jobs() == []
