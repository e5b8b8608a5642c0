"""Engines of the tests, and the test clips that they share: most of the time would go into rendering them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sora_jobs.engine import Engine
from sora_jobs.sandbox.renders import Renders

from ..films import any_film
from ..gateway.studio import Studio, open_studio
from ..timings import FAST


@pytest.fixture(autouse=True)
def shared_films(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sandboxes keep them in one folder, under names that say all that decides them."""
    usual = Renders.path_of
    monkeypatch.setattr(Renders, "path_of", lambda renders, job: films / usual(renders, job).name)


@pytest.fixture
def one_film(shared_films: None, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for all jobs that are alike, where it matters how many there are and not what they show."""
    monkeypatch.setattr(Renders, "path_of", lambda renders, job: films / any_film(renders, job))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with open_studio(tmp_path) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Start the engine with those waits of FAST changed; each further one is another process on the same ledger."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.05")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    made: list[Engine] = []

    def engine(**waits: float) -> Engine:
        made.append(Engine(tmp_path / "home", tmp_path / "output", timing=replace(FAST, **waits)))
        return made[-1]

    yield engine
    for one in made:
        one.close()


@pytest.fixture
def engine(start: Callable[..., Engine]) -> Engine:
    return start()
