"""Whatever ends a ledger, each connection to SQLite is closed: Python 3.13 warns of one that is not."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.errors import LedgerError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger import database
from sora_jobs.ledger.ledger import Ledger


class Connections:
    """Those that were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[sqlite3.Connection] = []
        real = sqlite3.dbapi2.connect

        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            self.made.append(real(*arguments, **options))
            return self.made[-1]

        monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)

    @property
    def open(self) -> int:
        count = 0
        for connection in self.made:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
                connection.total_changes  # noqa: B018 - the property is what raises
                count += 1
        return count


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    return Connections(monkeypatch)


def test_what_was_written_survives_a_power_cut(tmp_path: Path) -> None:
    """SQLite waits for the disk at each end of a transaction, on macOS for its platter, too."""
    with contextlib.closing(Ledger(tmp_path)) as ledger, ledger.database.read() as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "fullfsync")
        }
    assert said == {"synchronous": 2, "fullfsync": 1}


def test_closing_closes_what_was_used(connections: Connections, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.jobs()
    assert connections.open > 0
    ledger.close()
    assert connections.open == 0


def test_a_transaction_outlives_the_closing_and_closes_its_own(connections: Connections, tmp_path: Path) -> None:
    """It is in another thread, and ends as it would have; also where the ledger was used once more in between."""
    ledger = Ledger(tmp_path)
    ledger.jobs()
    inside, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with ledger.database.read() as connection:
            inside.set()
            assert go_on.wait(10)
            assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one() == 0

    thread = threading.Thread(target=read)
    thread.start()
    assert inside.wait(10)
    ledger.close()
    assert connections.open == 1
    ledger.jobs()
    assert connections.open == 1
    go_on.set()
    thread.join(10)
    assert connections.open == 0


def test_what_is_written_after_the_closing_is_kept_and_closed(connections: Connections, tmp_path: Path) -> None:
    """The response to a create came late: its id is worth more than an early end. No mark of a process is left."""
    ledger = Ledger(tmp_path)
    ledger.close()
    spec = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
    job, _ = ledger.reserve(spec, origin="https://x", estimated_usd=0.1, budget=Budget())
    assert connections.open == 0
    assert list((tmp_path / "owners").glob("*.lock")) == []
    with contextlib.closing(Ledger(tmp_path)) as again:
        assert [one.id for one in again.jobs()] == [job.id]


def test_a_ledger_that_does_not_open_leaves_nothing_open(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is none, and a folder in which no mark can be kept."""
    (tmp_path / "ledger.sqlite3").write_bytes(b"my diary " * 200)
    with pytest.raises(LedgerError):
        Ledger(tmp_path).jobs()
    assert (len(connections.made) > 0, connections.open) == (True, 0)

    def fails(*_: object) -> None:
        raise LedgerError("no")

    monkeypatch.setattr(database, "FileLiveness", fails)
    made = len(connections.made)
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "other").jobs()
    assert (len(connections.made) > made, connections.open) == (True, 0)
