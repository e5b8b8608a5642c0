"""The table of wordings covers the codes that the pack gives its own errors: all of them, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..failures import WORDING

NODES = Path(__file__).parents[2] / "nodes"


def codes() -> Iterator[str]:
    """The value of each `code="…"` in a call below nodes/, but for the sandbox's, which are a gateway's."""
    for file in NODES.rglob("*.py"):
        if "sandbox" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield node.value.value


def test_each_code_of_ours_has_its_wording() -> None:
    assert set(WORDING) == set(filter(None, codes()))


def test_the_table_is_sorted() -> None:
    assert list(WORDING) == sorted(WORDING)
