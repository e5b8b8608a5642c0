"""Leases: which process polls and downloads a job, one at a time among all that share the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..errors import LedgerError, NotPurchasedError
from ..jobs.spec import EXPIRED
from ..jobs.state import JobState
from .database import Database
from .identities import FREED
from .liveness import ProcessIdentity
from .rows import INTERRUPTED, error_columns, existing, run, state_in, update

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import RowMapping

_PENDING = state_in(lambda state: state.is_pending)


class Leases:
    """This process's leases on jobs. A lease ends with its process, or expires if its machine is not heard of."""

    def __init__(self, database: Database, recovered: Callable[[str], None] = lambda _: None) -> None:
        """`recovered(job)` is called for each job that a dead process left half sent, once it was put right."""
        self._database, self._recovered, self._timing = database, recovered, database.timing
        self._ours: dict[
            str, float
        ] = {}  # jobs whose lease is ours, and until when (by our clock) it need not be renewed

    def hold(self, job: str, for_s: float | None = None) -> bool:
        """Take or keep the lease on a job: `take`, repeated only when half of its time is over."""
        if self.held(job):
            return True
        for_s = self._timing.lease_s if for_s is None else for_s
        if not self.take(job, for_s):
            self._ours.pop(job, None)
            return False
        self._ours[job] = self._timing.monotonic() + for_s / 2
        return True

    def extend(self, job: str, for_s: float) -> bool:
        """Take or keep the lease on a job for that long from now."""
        self._ours.pop(job, None)
        return self.hold(job, for_s)

    def held(self, job: str) -> bool:
        """Is the lease ours, without asking the ledger?"""
        return self._ours.get(job, 0.0) > self._timing.monotonic()

    def let_go(self, job: str) -> None:
        """End what `hold` began."""
        if self._ours.pop(job, None) is not None:
            with contextlib.suppress(LedgerError):  # it expires by itself
                self.leave(job)

    def close(self) -> None:
        """End all leases of this process."""
        if self._ours:
            self._ours.clear()
            with contextlib.suppress(LedgerError):  # they expire by themselves
                self.leave()

    def take(self, job: str, for_s: float | None = None) -> bool:
        """Take or renew the lease on a job for `for_s` seconds, by default `Timing.lease_s`; False while another
        process has it."""
        for_s = self._timing.lease_s if for_s is None else for_s
        owner = self._database.owner
        with self._database.read() as connection:  # mostly another process has it, and keeps it: that needs no lock
            if self._taken(connection, existing(connection, job)):
                return False
        with self._database.write() as connection:
            row = existing(connection, job, lock=True)
            if self._taken(connection, row):
                return False
            update(connection, job, watcher=owner.id, watched_until=self._database.now(connection) + for_s)
            return True

    def _taken(self, connection: Connection, row: RowMapping) -> bool:
        """Does another process that runs have the lease?"""
        owner = self._database.owner
        others = row["watcher"] not in ("", owner.id) and row["watched_until"] > self._database.now(connection)
        return bool(others and owner.alive(row["watcher"], connection))

    def leave(self, job: str = "") -> None:
        """Give up the lease on a job, or all leases of this process."""
        with self._database.write() as connection:
            query = "UPDATE jobs SET watcher = '' WHERE watcher = :me AND (id = :job OR :job = '')"
            run(connection, query, me=self._database.owner.id, job=job)

    def claim_unwatched(self, *, but: Collection[str] = (), limit: int = 200) -> list[str]:
        """Take the leases on jobs that are unfinished or not yet downloaded, on which no process has a lease, that are
        not in `but` and that the provider still offers; return their ids, those that expire first in front. What a
        dead process left half sent is put right before."""
        owner = self._database.owner
        with self._database.exclusive() as connection:
            recovered = self._recover(connection, owner)
            query = (
                f"SELECT id FROM jobs WHERE {_PENDING} AND error_code <> :lapsed "  # noqa: S608 - ours
                "AND aside = '' AND (stale_at IS NULL OR stale_at > :stale) "
                "AND (watcher = '' OR watched_until < :now) ORDER BY submitted_at LIMIT :limit"
            )
            query += " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
            now = self._database.now(connection)
            stale = self._timing.clock() - self._timing.stale_forget_s
            rows = run(connection, query, lapsed=EXPIRED, now=now, stale=stale, limit=limit + len(but)).scalars()
            found = [job for job in rows if job not in but][:limit]
            if found:
                claim = "UPDATE jobs SET watcher = :me, watched_until = :until WHERE id IN :jobs"
                run(connection, claim, me=owner.id, until=now + self._timing.lease_s, jobs=found)
        self._ours |= dict.fromkeys(found, self._timing.monotonic() + self._timing.lease_s / 2)
        for job in recovered:
            self._recovered(job)
        return found

    def recover_orphans(self) -> None:
        """Put right what dead processes left half sent."""
        with self._database.exclusive() as connection:
            recovered = self._recover(connection, self._database.owner)
        for job in recovered:
            self._recovered(job)

    def _recover(self, connection: Connection, owner: ProcessIdentity) -> list[str]:
        """Return the jobs that were put right."""
        recovered = []
        for job in run(connection, "SELECT id FROM jobs WHERE state = 'reserved'").scalars().all():
            row = existing(connection, job, lock=True)
            if row["state"] == JobState.RESERVED and not owner.alive(row["owner"], connection):
                died = NotPurchasedError("The program ended before the request was sent.")
                sent = row["sent_at"] is not None
                changes = INTERRUPTED if sent else {"state": JobState.REFUSED, **error_columns(died)}
                update(connection, job, **changes, **({} if sent else FREED))
                recovered.append(job)
        watchers = f"SELECT DISTINCT watcher FROM jobs WHERE {_PENDING} AND watcher <> ''"  # noqa: S608 - ours
        for watcher in run(connection, watchers).scalars().all():
            if not owner.alive(watcher, connection):
                run(connection, "UPDATE jobs SET watcher = '' WHERE watcher = :watcher", watcher=watcher)
        return recovered
