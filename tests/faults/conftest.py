"""What these tests found is printed at their end: it is worth reading, not only passing."""

from __future__ import annotations

from typing import Any

import pytest

Row = tuple[str, ...]
_TABLES = pytest.StashKey[dict[str, list[Row]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLES] = {}


@pytest.fixture(scope="session")
def tables(request: pytest.FixtureRequest) -> dict[str, list[Row]]:
    """Tables for the end, by their titles; the first row of each is its head."""
    return request.config.stash[_TABLES]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a worker of xdist, whose tables are printed by the one that began it
        session.config.workeroutput["tables"] = session.config.stash[_TABLES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_TABLES] |= getattr(node, "workeroutput", {}).get("tables", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, rows in config.stash[_TABLES].items():
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        terminalreporter.section(title)
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line(line.rstrip())
