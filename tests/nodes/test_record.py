"""The word that the nodes leave for the command line."""

from __future__ import annotations

import pytest

from .conftest import Bench


def test_the_record_tells_which_database_the_nodes_use(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not its address. With settings that cannot be read it still names the folders."""
    host, locations = bench.pack.engine, bench.pack.module("sora_jobs.config.locations")
    monkeypatch.setenv("SORA_DATABASE_URL", "postgresql+psycopg://user:pass-word@db.example/sora")
    monkeypatch.setattr(host.pool, "submit", lambda task: task())
    engine = bench.engine
    told = locations.recorded_location()
    assert told.home == str(bench.home)
    assert told.database == engine.ledger.database.mark != ""
    monkeypatch.setenv("SORA_DATABASE_URL", "db.example")
    host._record_location(engine)
    told = locations.recorded_location()
    assert (told.home, told.database) == (str(bench.home), None)
