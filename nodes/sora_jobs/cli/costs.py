"""The command costs: what the jobs of the ledger cost, as a table, as JSON or as CSV."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine import BY
from ..errors import InvalidInputError
from .console import open_engine, safe_cell, say, tell

NUMBERS = (
    "jobs", "seconds", "usd", "estimated_usd", "charged_usd", "charged_jobs", "unpriced", "uncertain_jobs",
    "uncertain_usd", "uncertain_unpriced", "failed_jobs", "failed_usd", "failed_unpriced",
)  # fmt: skip
HEADINGS = ("jobs", "seconds", "cost", "estimated", "charged", "no price", "uncertain", "failed")


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add costs to the command line."""
    costs = commands.add_parser(
        "costs",
        parents=[common],
        help="what the jobs cost, by day, week, model, provider or project",
        description="What the jobs of the ledger cost: what a provider says it charged, where it says so, else the\n"
        "estimate. Whether uncertain and failed jobs were charged is unknown: they are counted apart. Jobs that\n"
        "were bought elsewhere are left out. Days are those of this machine's local time, weeks those of\n"
        "ISO 8601. `sora spent` shows what counts for the budget.\n"
        "--json gives by, since, rows and total. Each row, and each line of --csv, has its name and\n"
        f"{', '.join(NUMBERS[:7])},\n{', '.join(NUMBERS[7:])}.",
        epilog="""examples:
  sora costs --by week --since 90d
  sora costs --by project --since 2026-11-01 --csv > costs.csv
  sora costs --json | jq .total.usd""",
    )
    costs.add_argument("--by", choices=BY, default="day", metavar="WHAT", help=f"{', '.join(BY)} (day)")
    costs.add_argument(
        "--since", default="", metavar="DATE", help="from that day on: 2026-11-30, or 7d for the last 7 days (all)"
    )
    costs.add_argument("--csv", action="store_true", help="comma-separated values on stdout")
    costs.set_defaults(command=costs_command)


def costs_command(options: argparse.Namespace) -> dict[str, Any]:
    if options.csv and options.json:
        raise InvalidInputError("--csv and --json were given.", hint="Choose one of both.", code="wrong_usage")
    with open_engine(options.home, name=True) as engine:
        told = engine.history.costs(options.by, options.since)
    if options.csv:
        _write_csv(options.by, told["rows"])
    elif not told["rows"]:
        say("No jobs.")
    else:
        for line in _table(options.by, told["rows"], told["total"]):
            tell(options, line)
        _explain(told["total"])
    return {name: told[name] for name in ("by", "since", "rows", "total")}


def _write_csv(by: str, rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([by, *NUMBERS])
    for row in rows:
        writer.writerow([safe_cell(row["name"]), *(row[name] for name in NUMBERS)])


def _table(by: str, rows: Sequence[Mapping[str, Any]], total: Mapping[str, Any]) -> list[str]:
    names = [*(row["name"] or "(none)" for row in rows), "total"]
    cells = [[by, *HEADINGS], *([name, *_cells(row)] for name, row in zip(names, [*rows, total], strict=True))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([name.ljust(widths[0]), *(text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))])
        for name, *rest in cells
    ]


def _cells(row: Mapping[str, Any]) -> list[str]:
    def apart(part: str) -> str:
        return f"{row[f'{part}_jobs']} (${row[f'{part}_usd']:.2f})" if row[f"{part}_jobs"] else "-"

    return [
        str(row["jobs"]),
        f"{row['seconds']:.10g}",
        "?" if row["jobs"] and row["jobs"] == row["unpriced"] else f"${row['usd']:.2f}",
        f"${row['estimated_usd']:.2f}",
        f"${row['charged_usd']:.2f}" if row["charged_jobs"] else "-",
        str(row["unpriced"] or "-"),
        apart("uncertain"),
        apart("failed"),
    ]


def _explain(total: Mapping[str, Any]) -> None:
    if count := total["unpriced"]:
        say(f"The price of {count} job{'' if count == 1 else 's'} is unknown, and is in no sum.")
    if total["uncertain_jobs"]:
        say("Uncertain: perhaps bought. `sora jobs --state unknown` lists them, `sora resume JOB` reconciles one.")
    if total["failed_jobs"]:
        say("Failed: whether these were charged is unknown.")
