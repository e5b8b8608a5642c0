"""What counts for the owner's budget: the ledger's rows of the last 24 hours, against the caps of all machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config.budget import DAY_S, Budget, Spending
from .database import Database
from .rows import run

if TYPE_CHECKING:
    from sqlalchemy import Connection


def check(
    database: Database,
    connection: Connection,
    budget: Budget | Callable[[], Budget],
    estimated_usd: float | None,
    *,
    but: str = "",
) -> None:
    """BudgetExceededError if this machine's `budget`, or another one's on a farm, has no room for a job at that price.
    `but`: a row that does not count, since it is the job itself."""
    own = budget() if callable(budget) else budget
    known_usd, unknown = _counted(database, connection, but)
    for each in database.owner.budgets(own, connection):
        each.check(estimated_usd, each.sum_usd(known_usd, unknown))


def spent_usd(database: Database, budget: Budget) -> float:
    """Dollars that count for the last 24 hours."""
    with database.read() as connection:
        return budget.sum_usd(*_counted(database, connection))


def spending(database: Database, budget: Budget) -> Spending:
    """The same, and which caps count beside this machine's `budget`."""
    owner = database.owner
    with database.read() as connection:
        known_usd, unknown = _counted(database, connection)
        budgets = owner.budgets(budget, connection)
    per_day = min(budgets, key=lambda each: each.usd_per_day - each.sum_usd(known_usd, unknown))
    per_job = min(budgets, key=lambda each: each.usd_per_job)
    return Spending(per_day.sum_usd(known_usd, unknown), per_day, per_job)


def _counted(database: Database, connection: Connection, but: str = "") -> tuple[float, int]:
    """(dollars, number of jobs whose price nobody knows): whatever was bought, may have been bought, or is being sent.
    What the user declared lost counts, too: it may have been paid, and a workflow must not empty the budget by
    declaring."""
    query = (
        "SELECT sum(estimated_usd) AS known_usd, count(*) - count(estimated_usd) AS unknown FROM jobs "
        "WHERE created_at > :since AND state <> 'refused' AND kind <> 'opened' AND id <> :but"
    )
    since = database.now(connection) - DAY_S
    row = run(connection, query, since=since, but=but).mappings().one()
    return float(row["known_usd"] or 0.0), int(row["unknown"])
