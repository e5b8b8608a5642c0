"""What the jobs of the ledger cost, by day, week, model, provider or project: estimated dollars, and real ones where a
provider told them.

Jobs whose purchase is uncertain, or was given up as lost, and jobs that failed have sums of their own, since what they
cost is unknown. Refused jobs cost nothing, and opened ones were bought elsewhere: they are left out.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..jobs.state import JobState
from .database import Database
from .rows import run, state_in

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

BY = ("day", "week", "model", "provider", "project")
LATEST = ("day", "week")  # of these the last rows count most, of the others the dearest
MOST_ROWS = 400  # that a page is shown
# Days are those of the local time of whoever asks, which the database need not know: it adds up quarters of an hour, at
# whose borders every time zone begins its days.
SLICE_S = 900
LENGTH = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
DAYS = re.compile(r"([1-9][0-9]{0,3})d")

_PART = (
    f"CASE WHEN {state_in(lambda state: state.is_bought)} THEN '' "
    f"WHEN state = '{JobState.FAILED}' THEN 'failed_' ELSE 'uncertain_' END"
)
# A reserved job that was sent has an answer on its way, which may be lost.
_COUNTED = f"state <> '{JobState.REFUSED}' AND (NOT {state_in(lambda state: state.is_reserved)} OR sent_at IS NOT NULL)"


@dataclass
class Cost:
    """Sums over the jobs of one `name`. Of those that were bought: their number, the `seconds` of video asked for, the
    `estimated_usd`, and what providers say they charged, `charged_usd` for `charged_jobs` of them. `usd` is what they
    cost as far as it is known: charged dollars where there are any, else the estimate; `unpriced` have neither. The
    same for uncertain and for failed jobs, of which it is unknown whether they were charged."""

    name: str = ""
    jobs: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    estimated_usd: float = 0.0
    charged_usd: float = 0.0
    charged_jobs: int = 0
    unpriced: int = 0
    uncertain_jobs: int = 0
    uncertain_usd: float = 0.0
    uncertain_unpriced: int = 0
    failed_jobs: int = 0
    failed_usd: float = 0.0
    failed_unpriced: int = 0

    def add(self, row: RowMapping) -> None:
        """Add what the database summed up."""
        part = row["part"]
        for name in ("jobs", "usd", "unpriced"):
            setattr(self, f"{part}{name}", getattr(self, f"{part}{name}") + (row[name] or 0))
        if not part:
            for name in ("estimated_usd", "charged_usd", "charged_jobs"):
                setattr(self, name, getattr(self, name) + (row[name] or 0))
            self.seconds += row["jobs"] * (float(row["seconds"]) if LENGTH.fullmatch(row["seconds"]) else 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; dollars to a millionth, since sums of cents are not exact."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(self).items()
        }


COLUMNS = tuple(each.name for each in dataclasses.fields(Cost))


def report(database: Database, *, by: str, since: str = "", now: float, page: bool = False) -> dict[str, Any]:
    """{"by", "since": the first day that counts or "", "rows": a `Cost` each, "total", "more": rows that are left out}.

    Days and weeks come in order, anything else the dearest first. For a `page` days and weeks without jobs are rows,
    too, and there are at most MOST_ROWS. InvalidInputError for a `by` or `since` that is not one.
    """
    if by not in BY:
        hint = f"Choose from: {', '.join(BY)}."
        raise InvalidInputError(f"Costs by {by[:40]!r} are unknown.", hint=hint, code="unknown_option")
    first = first_day(since, now)
    rows, total = _read(database, by, _midnight(first) if first else 0.0) if database.exists else ([], Cost())
    more = 0
    if page:
        rows = _with_gaps(rows, by, first, _day_at(now))
        more = max(0, len(rows) - MOST_ROWS)
        rows = rows[-MOST_ROWS:] if by in LATEST else rows[:MOST_ROWS]
    return {
        "by": by,
        "since": first.isoformat() if first else "",
        "rows": [row.as_dict() for row in rows],
        "total": total.as_dict(),
        "more": more,
    }


def first_day(since: str, now: float) -> date | None:
    """The day that `since` means: a date as 2026-11-30, or `7d` for today and the six days before; None for "", which
    is all there ever was. InvalidInputError for anything else."""
    if not since:
        return None
    try:
        if days := DAYS.fullmatch(since):
            return _day_at(now) - timedelta(days=int(days[1]) - 1)
        day = date.fromisoformat(since) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", since) else None
        if day is not None:
            _midnight(day)
            return day
    except (ValueError, OverflowError, OSError):  # no such day, or one that this system's clock does not have
        pass
    hint = "Write it as 2026-11-30, or as 7d for seven days."
    raise InvalidInputError(f"{since[:40]!r} is not a date.", hint=hint, code="invalid_date")


def _midnight(day: date) -> float:
    """When that day begins here, in seconds since the epoch."""
    return time.mktime((day.year, day.month, day.day, 0, 0, 0, 0, 0, -1))


def _read(database: Database, by: str, since: float) -> tuple[list[Cost], Cost]:
    found: dict[str, Cost] = {}
    total = Cost()
    name_of = _NAMES.get(by, str)
    with database.read() as connection:
        # SQLite need not have floor(), and PostgreSQL's CAST rounds.
        whole = "floor({})" if connection.dialect.name == "postgresql" else "CAST({} AS INTEGER)"
        column = whole.format(f"created_at / {SLICE_S}") if by in LATEST else by
        query = (
            f"SELECT {column} AS name, {_PART} AS part, seconds, count(*) AS jobs, "  # noqa: S608 - ours
            "sum(COALESCE(charged_usd, estimated_usd)) AS usd, sum(estimated_usd) AS estimated_usd, "
            "sum(charged_usd) AS charged_usd, count(charged_usd) AS charged_jobs, "
            "count(*) - count(COALESCE(charged_usd, estimated_usd)) AS unpriced "
            f"FROM jobs WHERE kind <> 'opened' AND created_at >= :since AND {_COUNTED} GROUP BY 1, 2, 3"
        )
        for row in run(connection, query, since=since).mappings():
            name = name_of(row["name"])
            found.setdefault(name, Cost(name)).add(row)
            total.add(row)
    if by in LATEST:
        return [found[name] for name in sorted(found)], total
    dearest = sorted(found.values(), key=lambda each: (-each.usd, -each.jobs, each.name.casefold(), each.name))
    return dearest, total


def _day_at(moment: float) -> date:
    return date(*time.localtime(moment)[:3])


def _week(day: date) -> str:
    """As ISO 8601 has it: 2026-W01 begins on Monday, 2025-12-29."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


_NAMES: dict[str, Callable[[Any], str]] = {
    "day": lambda part: _day_at(part * SLICE_S).isoformat(),
    "week": lambda part: _week(_day_at(part * SLICE_S)),
}


def _with_gaps(rows: list[Cost], by: str, first: date | None, today: date) -> list[Cost]:
    """The same with a row for every day or week from `first`, else from the first job, until today."""
    if not rows or by not in LATEST:
        return rows
    known = {row.name: row for row in rows}
    step = timedelta(days=1 if by == "day" else 7)
    start = first or _beginning(rows[0].name)
    start = max(start, min(today - (MOST_ROWS - 1) * step, _beginning(rows[0].name)))  # no page shows more
    if by == "week":
        start -= timedelta(days=start.weekday())
    names = [_name(start + step * number, by) for number in range(max(0, (today - start) // step) + 1)]
    return [known.get(name) or Cost(name) for name in sorted({*names, *known})]


def _name(day: date, by: str) -> str:
    return day.isoformat() if by == "day" else _week(day)


def _beginning(name: str) -> date:
    """The first day of a row's name."""
    year, _, week = name.partition("-W")
    return date.fromisocalendar(int(year), int(week), 1) if week else date.fromisoformat(name)
