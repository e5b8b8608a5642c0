"""The films of the engine's tests: most of their time would go into rendering them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sora_jobs.sandbox.renders import Renders

from ..films import any_film


@pytest.fixture(autouse=True)
def shared_films(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sandboxes keep them in one folder, under names that say all that decides them."""
    usual = Renders.path_of
    monkeypatch.setattr(Renders, "path_of", lambda renders, job: films / usual(renders, job).name)


@pytest.fixture
def one_film(shared_films: None, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for all jobs that are alike, where it matters how many there are and not what they show."""
    monkeypatch.setattr(Renders, "path_of", lambda renders, job: films / any_film(renders, job))
