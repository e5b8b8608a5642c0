"""Whose turn it is at a provider that may have so many jobs of ours at once; the oldest goes first, over all processes
and machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.budget import Budget
from ..jobs.spec import Job
from .database import Database
from .rows import as_job, run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import RowMapping

# Jobs that the provider has, or may have: an uncertain one until it is reconciled, for as long as a job can take.
_HELD = (
    "provider = :provider AND origin = :origin AND ((state = 'reserved' AND sent_at IS NOT NULL) "
    "OR (state = 'submitted' AND stale_at IS NULL) "
    "OR (state = 'unknown' AND COALESCE(sent_at, created_at) > :since))"
)


@dataclass(frozen=True)
class Turn:
    """How many jobs a provider may have `at_once`, and what else a job that was queued is checked for when its turn has
    come: the budget, and what it costs by now. `limit_s`: how long a job can take."""

    at_once: int
    limit_s: float
    budget: Budget
    estimated_usd: float | None


def holders(connection: Connection, provider: str, origin: str) -> list[Job]:
    """Return the jobs that the provider has, as far as it is known."""
    query = (
        "SELECT * FROM jobs WHERE state = 'submitted' AND stale_at IS NULL AND provider = :provider "
        "AND origin = :origin"
    )
    return [as_job(row) for row in run(connection, query, provider=provider, origin=origin).mappings()]


def held(connection: Connection, database: Database, provider: str, origin: str, limit_s: float) -> int:
    """Return how many jobs that provider has, or may have."""
    values = {"provider": provider, "origin": origin, "since": database.now(connection) - limit_s}
    return int(run(connection, f"SELECT count(*) FROM jobs WHERE {_HELD}", **values).scalar_one())  # noqa: S608 - ours


def has_turn(connection: Connection, database: Database, row: RowMapping, turn: Turn) -> bool:
    """Is there a place for that row, and is nobody before it? A row whose process has ended is before nobody."""
    if held(connection, database, row["provider"], row["origin"], turn.limit_s) >= turn.at_once:
        return False
    older = (
        "SELECT DISTINCT owner FROM jobs WHERE state = 'queued' AND provider = :provider AND origin = :origin "
        "AND (created_at < :at OR (created_at = :at AND id < :id))"
    )
    values = {"provider": row["provider"], "origin": row["origin"], "at": row["created_at"], "id": row["id"]}
    owners = run(connection, older, **values).scalars().all()
    return not any(database.owner.alive(owner, connection) for owner in owners)


def places(connection: Connection, database: Database) -> dict[str, int]:
    """Return the places of all jobs that wait, by their id: see `Queries.queue`."""
    query = "SELECT id, provider, origin, owner FROM jobs WHERE state = 'queued' ORDER BY created_at, id"
    rows = run(connection, query).mappings().all()
    alive = {owner: database.owner.alive(owner, connection) for owner in {row["owner"] for row in rows}}
    counted: Counter[tuple[str, str]] = Counter()
    found: dict[str, int] = {}
    for row in rows:
        at = (row["provider"], row["origin"])
        counted[at] += alive[row["owner"]]
        found[row["id"]] = counted[at] if alive[row["owner"]] else 0
    return found
