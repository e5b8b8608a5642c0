"""The word that the nodes leave for the command line."""

from __future__ import annotations

import pytest

from .conftest import Bench


def test_the_record_tells_which_database_the_nodes_use(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not its address. With settings that cannot be read it still names the folders."""
    engine, locations = bench.pack.engine, bench.pack.module("sora_jobs.config.locations")
    monkeypatch.setenv("SORA_DATABASE_URL", "postgresql+psycopg://user:pass-word@db.example/sora")
    monkeypatch.setattr(engine.pool, "submit", lambda task: task())
    studio = bench.studio
    told = locations.recorded_location()
    assert told.home == str(bench.home)
    assert told.database == studio.ledger.database.mark != ""
    monkeypatch.setenv("SORA_DATABASE_URL", "db.example")
    engine._record_location(studio)
    told = locations.recorded_location()
    assert (told.home, told.database) == (str(bench.home), None)
