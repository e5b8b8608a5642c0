"""Whose turn it is at a provider that may have so many jobs of ours at once; the oldest goes first, over all processes
and machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.budget import Budget
from ..errors import InvalidInputError, LedgerError
from ..jobs.outcomes import CANCELLED, cancelled_error
from ..jobs.spec import Job
from ..jobs.state import JobState
from .database import Database
from .rows import as_job, run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import RowMapping

TAKEN_OVER = "taken_over"
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


def check_ours_to_send(row: RowMapping, owner_id: str) -> None:
    """NotPurchasedError for a row that was cancelled; LedgerError for one that is not ours to send, or of which
    something may have been sent."""
    state = JobState(row["state"])
    if state is JobState.REFUSED and row["error_code"] == CANCELLED:
        raise cancelled_error(row["id"])
    if not state.is_reserved or row["owner"] != owner_id or row["sent_at"] is not None:
        raise LedgerError(
            f"Job {row['id']} was taken over by another process.",
            hint="Run the same again to join it.",
            job=row["id"],
            code=TAKEN_OVER,
        )


def check_unsent(row: RowMapping) -> None:
    """InvalidInputError for a row of which something may have been sent, or that has ended."""
    if not JobState(row["state"]).is_reserved or row["sent_at"] is not None:
        raise InvalidInputError(
            f"Job {row['id']} is {as_job(row).standing}: only what is not sent yet can be cancelled.",
            job=row["id"],
            code="already_sent",
        )


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
