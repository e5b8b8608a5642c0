"""The rooms of docs/architecture.md against the imports in nodes/: what is drawn is what is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from itertools import product
from pathlib import Path

PACK = Path(__file__).parents[2]
NODES = PACK / "nodes"
PAGE = (PACK / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = sorted(file.relative_to(NODES).with_suffix("") for file in NODES.rglob("*.py"))
EVERYBODYS = "basics"

Arrow = tuple[str, str]


def rooms_of(page: str) -> dict[str, list[str]]:
    """Room -> patterns of files, from the table."""
    rows = re.findall(r"^\| `(\w+)` \| (`[^|]+`) \|", page, re.MULTILINE)
    return {room: re.findall(r"`([^`]+)`", files) for room, files in rows}


def arrows_of(page: str) -> set[Arrow]:
    """The arrows of the drawing: `a & b --> c & d` is four."""
    drawing = page.split("```mermaid", 1)[1].split("```", 1)[0]
    lines = re.findall(r"^ *([\w &]+) --> ([\w &]+)$", drawing, re.MULTILINE)
    return {pair for left, right in lines for pair in product(left.split(" & "), right.split(" & "))}


def rooms_that_have(rooms: dict[str, list[str]], file: Path) -> list[str]:
    return [room for room, patterns in rooms.items() if any(fnmatchcase(file.as_posix(), one) for one in patterns)]


def imported(file: Path, source: str) -> Iterator[Path]:
    """Every file of the pack that `file` imports, wherever in it the import stands."""
    package = file.parent
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = Path(*package.parts[: len(package.parts) - node.level + 1], *(node.module or "").split("."))
        for alias in node.names:
            found = (base / alias.name, base, base / "__init__")
            yield next(place for place in found if (NODES / place).with_suffix(".py").is_file())


def real_arrows() -> dict[Arrow, list[str]]:
    """(room, room) -> the imports that make that arrow. A file without a room has none; that is told elsewhere."""
    rooms = rooms_of(PAGE)
    arrows: dict[Arrow, list[str]] = {}
    for file in FILES:
        for other in imported(file, (NODES / file).with_suffix(".py").read_text(encoding="utf-8")):
            for room, target in product(rooms_that_have(rooms, file), rooms_that_have(rooms, other)):
                if target not in (room, EVERYBODYS):
                    arrows.setdefault((room, target), []).append(f"{file} imports {other}")
    return arrows


def test_every_file_stands_in_one_room() -> None:
    """A new file gets its place in the table of docs/architecture.md, and one that is gone loses it."""
    rooms = rooms_of(PAGE)
    found = {str(file): rooms_that_have(rooms, file) for file in FILES}
    assert {file: where for file, where in found.items() if len(where) != 1} == {}
    patterns = [one for files in rooms.values() for one in files]
    assert [one for one in patterns if not any(fnmatchcase(file.as_posix(), one) for file in FILES)] == []


def test_no_import_goes_where_no_arrow_is_drawn() -> None:
    """A new arrow is drawn first, or not made."""
    new = {arrow: why for arrow, why in real_arrows().items() if arrow not in arrows_of(PAGE)}
    assert new == {}


def test_no_arrow_is_drawn_that_nobody_uses() -> None:
    """What is allowed and not needed would be taken one day."""
    assert arrows_of(PAGE) - real_arrows().keys() == set()


def test_the_drawing_has_no_circle() -> None:
    """Neither among the rooms nor with names that are no rooms."""
    arrows = arrows_of(PAGE)
    assert {room for arrow in arrows for room in arrow} == rooms_of(PAGE).keys() - {EVERYBODYS}
    graph: dict[str, set[str]] = {}
    for room, target in arrows:
        graph.setdefault(room, set()).add(target)
    order = list(TopologicalSorter(graph).static_order())
    assert order[-1] in ("nodes", "cli")


def test_an_import_is_seen_however_it_is_written() -> None:
    """At the top, in a function, of a module, of a name in it, of a package, from above."""
    source = "def f():\n    from .media import frames\n\n"
    source += "from . import errors\nfrom .spec import Job\nfrom .sandbox import Sandbox"
    seen = {path.as_posix() for path in imported(Path("sora/board"), source)}
    assert seen == {"sora/media/frames", "sora/errors", "sora/spec", "sora/sandbox/__init__"}
    above = imported(Path("sora/media/clip"), "from ..errors import SoraError\nfrom .. import spec")
    assert [path.as_posix() for path in above] == ["sora/errors", "sora/spec"]
