"""The drawing of docs/architecture.md against the imports that there are; what may be drawn, import-linter checks."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from itertools import product
from pathlib import Path

import pytest
from sora_jobs.delivery.advance import Advance
from sora_jobs.jobs.state import JobState

grimp = pytest.importorskip("grimp", reason="import-linter, which brings it, is not installed here")

PACK = Path(__file__).parents[2]
ENGINE = PACK / "nodes" / "sora_jobs"
PAGE = (PACK / "docs" / "architecture.md").read_text(encoding="utf-8")
# What nodes, routes and the command line may import of the engine. Jobs, money and settings have methods of `Engine`.
DOOR = re.compile(
    r"nodes\.sora_jobs(\.(engine|errors|jobs|messages|util|media|sandbox|diagnostics|config\.keys)(\..*)?)?"
)
CALLERS = re.compile(r"nodes\.(?!sora_jobs\b).*|nodes\.sora_jobs\.cli\b.*")
CLOSED = {"ledger", "settings", "timing"}  # of an engine
EVERYBODYS = {"jobs", "errors", "messages", "util", "sora_jobs", "__main__"}


def drawn() -> set[tuple[str, str]]:
    """The arrows of the drawing: `a --> c & d` is two."""
    lines = re.findall(r"^ *(\w+) --> ([\w &]+)$", PAGE.split("```mermaid", 1)[1].split("```", 1)[0], re.MULTILINE)
    return {arrow for source, targets in lines for arrow in product([source], targets.split(" & "))}


def box_of(module: str) -> str:
    """The box that a module stands in: a package of the engine, or `nodes` for all above it."""
    parts = [*module.split("."), "", ""]
    return (parts[2] or "sora_jobs") if parts[1] == "sora_jobs" else "nodes"


def imported(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    monkeypatch.setattr(sys, "path", [str(PACK), *sys.path])
    graph = grimp.build_graph("nodes", cache_dir=None)
    pairs = ((one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one))
    return {(box_of(one), box_of(other)) for one, other in pairs if box_of(one) != box_of(other)}


def test_what_is_drawn_is_what_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrows that nobody uses would be taken one day; those that are not drawn are decisions that nobody made."""
    arrows = imported(monkeypatch)
    assert drawn() == {(one, other) for one, other in arrows if not {one, other} & EVERYBODYS}


def test_the_boxes_are_the_packages_on_disk() -> None:
    """Nothing of the engine lies outside a package but what design names: engine, errors, messages."""
    packages = {path.parent.name for path in ENGINE.glob("*/__init__.py")}
    assert {box for arrow in drawn() for box in arrow} == {*packages, "engine", "nodes"} - EVERYBODYS
    assert {path.stem for path in ENGINE.glob("*.py")} == {"__init__", "__main__", "engine", "errors", "messages"}


def test_every_package_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| `(?:nodes/)?([\w*]+)(?:/|\.py)` ?(?:`messages\.py` )?\|", PAGE, re.MULTILINE))
    assert rows >= {path.parent.name for path in ENGINE.glob("*/__init__.py")} | {"engine", "errors", "host", "web"}


def test_callers_use_the_api_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else they imported of the engine would be one more way to a job, to money or to a setting."""
    monkeypatch.setattr(sys, "path", [str(PACK), *sys.path])
    graph = grimp.build_graph("nodes", cache_dir=None)
    assert "nodes.sora_jobs.cli.main" in graph.modules
    past = {
        (one, other)
        for one in graph.modules
        if CALLERS.fullmatch(one)
        for other in graph.find_modules_directly_imported_by(one)
        if other.startswith("nodes.sora_jobs") and not (DOOR.fullmatch(other) or CALLERS.fullmatch(other))
    }
    assert past == set()


def is_engine(node: ast.expr) -> bool:
    """Is it `engine`, `self._engine`, `get_engine()` or the like?"""
    name = node.func if isinstance(node, ast.Call) else node
    text = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
    return text.endswith("engine")


def test_callers_touch_no_inside_of_an_engine() -> None:
    """Neither its ledger and its settings nor what is private."""
    files = [*(PACK / "nodes").glob("*.py"), *(PACK / "nodes").glob("[hw]*/*.py"), *(ENGINE / "cli").glob("*.py")]
    assert len(files) > 25
    touched = [
        f"{file.relative_to(PACK)}:{node.lineno} {ast.unparse(node)}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and is_engine(node.value)
        if node.attr in CLOSED or node.attr.startswith("_")
    ]
    assert touched == []


def test_the_table_of_states_is_that_of_the_code() -> None:
    """What the docstring of `Advance` says is what docs/architecture.md says: copy it there."""
    table = [line for line in (inspect.getdoc(Advance) or "").splitlines() if line.startswith("|")]
    assert len(table) > 10
    assert "\n\n" + "\n".join(table) + "\n\n" in PAGE


def test_every_state_is_in_that_table() -> None:
    rows = re.findall(r"^\| ([a-z, ]+) \|", inspect.getdoc(Advance) or "", re.MULTILINE)
    assert {name for row in rows[1:] for name in row.split(", ")} == set(JobState)
