"""Who is sending or watching a job: the process's mark in the ledger, and whether the process of a mark still lives."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BEAT_S = 15.0
LAPSE_S = 60.0  # a machine that was not heard of for so long is taken for dead
FORGET_S = 86_400.0


class Owner(Protocol):
    """This process among those that share a ledger."""

    @property
    def id(self) -> str:
        """Its mark: 32 hex digits."""

    @property
    def started(self) -> bool:
        """Has it a mark yet?"""

    def alive(self, mark: str, connection: Connection) -> bool:
        """Does the process with that mark still run? `connection` is the caller's transaction."""

    def close(self) -> None:
        """Say that it ends."""


class FileOwner:
    """On one machine every process holds a locked file. The operating system frees the lock when the process ends,
    however it ends, so that others see it at once."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "owners"
        self._lock: FileLock | None = None
        self._guard = threading.Lock()
        self._id = ""

    @property
    def id(self) -> str:
        """The mark; the first use locks its file."""
        with self._guard:
            if self._lock is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._sweep()
                self._id = secrets.token_hex(16)
                # One lock for all threads of the process: whichever thread asks first must not be its only holder.
                self._lock = FileLock(self._file(self._id), thread_local=False)
                self._lock.acquire(timeout=5)  # a sweep of another process may hold it for a moment
                while not self._file(self._id).exists():  # and may have removed it in that moment
                    self._lock.release()
                    self._lock.acquire(timeout=5)
            return self._id

    @property
    def started(self) -> bool:
        return self._lock is not None

    def alive(self, mark: str, connection: Connection | None = None) -> bool:  # noqa: ARG002 - needs none
        """Does the process with that mark still run?"""
        if mark == self._id:
            return True
        if not re.fullmatch(r"[0-9a-f]{32}", mark) or not self._file(mark).exists():
            return False
        probe = FileLock(self._file(mark), thread_local=False)
        try:
            probe.acquire(timeout=0)
        except Timeout:
            return True
        probe.release()
        return False

    def close(self) -> None:
        with self._guard:
            if self._lock is not None:
                self._lock.release()
                self._file(self._id).unlink(missing_ok=True)
                self._lock = None

    def _file(self, mark: str) -> Path:
        return self._folder / f"{mark}.lock"

    def _sweep(self) -> None:
        """Remove the files of processes that ended without a word, so that they do not pile up."""
        for file in self._folder.glob("*.lock"):
            if not self.alive(file.stem):
                file.unlink(missing_ok=True)


class DatabaseOwner:
    """On a farm every process says in the database, again and again, that it lives. The times are the server's, since
    the machines' clocks may differ."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._id = ""

    @property
    def id(self) -> str:
        """The mark; the first use starts the heartbeat."""
        with self._guard:
            if not self._id:
                self._id = secrets.token_hex(16)
                self._beat()
                threading.Thread(target=self._go_on, name="sora-heartbeat", daemon=True).start()
            return self._id

    @property
    def started(self) -> bool:
        return bool(self._id)

    def alive(self, mark: str, connection: Connection) -> bool:
        """Was it heard of in the last minute?"""
        from sqlalchemy import text

        heard = text(f"SELECT count(*) FROM owners WHERE id = :id AND seen_at > {_NOW} - {LAPSE_S}")  # noqa: S608 - ours
        return mark == self._id or bool(connection.execute(heard, {"id": mark}).scalar_one())

    def close(self) -> None:
        from sqlalchemy.exc import DBAPIError

        self._ended.set()
        if self._id:
            with contextlib.suppress(DBAPIError):  # the mark lapses by itself
                self._run("DELETE FROM owners WHERE id = :id")

    def _beat(self) -> None:
        self._run(
            f"INSERT INTO owners VALUES (:id, {_NOW}) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",  # noqa: S608 - ours
            f"DELETE FROM owners WHERE id <> :id AND seen_at < {_NOW} - {FORGET_S}",  # noqa: S608 - ours
        )

    def _go_on(self) -> None:
        from sqlalchemy.exc import DBAPIError

        while not self._ended.wait(BEAT_S):
            with contextlib.suppress(DBAPIError):  # the server is away: the next beat comes soon
                self._beat()

    def _run(self, *statements: str) -> None:
        from sqlalchemy import text

        with self._engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), {"id": self._id})


_NOW = "extract(epoch FROM clock_timestamp())"
