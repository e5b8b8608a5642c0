"""The list of what mutation testing changes, which nothing else reads until somebody runs it."""

from __future__ import annotations

import ast

import pytest

from .. import mutation


@pytest.mark.parametrize("module", mutation.listed(), ids=lambda module: module.name)
def test_what_is_listed_is_there(module: mutation.Module) -> None:
    """Also after a file was moved; and what mutmut is given is still Python."""
    file = mutation.ROOT / "nodes" / module.path
    assert module.tests
    for test in module.tests:
        assert (mutation.ROOT / "tests" / test).is_file(), test
    names = {node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if hasattr(node, "name")}
    mutable = ast.parse(module.mutable(file.read_text(encoding="utf-8")))
    assert {node.name for node in ast.walk(mutable) if hasattr(node, "name")} == names
    targets = [ast.unparse(node.targets) for node in mutable.body if isinstance(node, ast.Assign)]
    assert ("__name__" in targets) is module.in_host
