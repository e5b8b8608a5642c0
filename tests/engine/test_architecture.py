"""The drawing of docs/architecture.md against the imports that there are; what may be drawn, import-linter checks."""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="import-linter, which brings it, is not installed here")

PACK = Path(__file__).parents[2]
ENGINE = PACK / "nodes" / "sora_jobs"
PAGE = (PACK / "docs" / "architecture.md").read_text(encoding="utf-8")
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
