"""Who watches and fetches a job: one process at a time, among all that share the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .database import Database
from .errors import NotBought
from .owner import Owner
from .rows import INTERRUPTED, error_columns, existing, run, update
from .spec import Job, JobState

if TYPE_CHECKING:
    from sqlalchemy import Connection

WATCH_S = 120.0  # a watcher that was not heard of for so long has lost the job to the next one who asks


class Watches:
    """Claims on the ledger's jobs. They lapse with their process, and by themselves where a machine falls silent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, job: str) -> bool:
        """Become the one who watches and fetches a job, or stay it, for WATCH_S; False while another one does."""
        owner = self._database.owner
        with self._database.write() as connection:
            row = existing(connection, job, lock=True)
            now = self._database.now(connection)
            taken = row["watcher"] not in ("", owner.id) and row["watched_until"] > now
            if taken and owner.alive(row["watcher"], connection):
                return False
            update(connection, job, watcher=owner.id, watched_until=now + WATCH_S)
            return True

    def leave(self, job: str = "") -> None:
        """Leave a job (or all that are ours) to the next one who asks."""
        with self._database.write() as connection:
            query = "UPDATE jobs SET watcher = '' WHERE watcher = :me AND (id = :job OR :job = '')"
            run(connection, query, me=self._database.owner.id, job=job)

    def rescuable(self, limit: int = 1000) -> list[Job]:
        """Jobs that are unfinished or not yet fetched and that nobody watches; from now on we do. First those whose
        links lapse first. What a dead process left half sent is put right before."""
        owner = self._database.owner
        with self._database.exclusive() as connection:
            self._bury(connection, owner)
            query = (
                "SELECT id FROM jobs WHERE state IN ('submitted', 'completed') AND (watcher = '' OR watched_until < "
                ":now) ORDER BY submitted_at LIMIT :limit"
            )
            query += " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
            now = self._database.now(connection)
            found = [row["id"] for row in run(connection, query, now=now, limit=limit).mappings()]
            return [update(connection, job, watcher=owner.id, watched_until=now + WATCH_S) for job in found]

    def bury(self) -> None:
        """Put right what processes left that live no more."""
        with self._database.exclusive() as connection:
            self._bury(connection, self._database.owner)

    def _bury(self, connection: Connection, owner: Owner) -> None:
        for job in run(connection, "SELECT id FROM jobs WHERE state = 'reserved'").scalars().all():
            row = existing(connection, job, lock=True)
            if row["state"] == JobState.RESERVED and not owner.alive(row["owner"], connection):
                died = NotBought("The program ended before the request was sent.")
                sent = row["sent_at"] is not None
                changes = INTERRUPTED if sent else {"state": JobState.REFUSED, **error_columns(died)}
                update(connection, job, **changes, **({} if sent else {"slot": None}))
        watchers = "SELECT DISTINCT watcher FROM jobs WHERE state IN ('submitted', 'completed') AND watcher <> ''"
        for mark in run(connection, watchers).scalars().all():
            if not owner.alive(mark, connection):
                run(connection, "UPDATE jobs SET watcher = '' WHERE watcher = :mark", mark=mark)
