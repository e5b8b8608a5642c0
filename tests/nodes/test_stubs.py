"""What mypy is told of the host (tests/stubs) is what the host has: every name, and every parameter."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..host.comfy import find_comfyui, host_version
from .conftest import REAL
from .hosts import PACK, Pack

STUBS = PACK / "tests" / "stubs"
OURS = ("__main__", "sora")  # the pack's own, for mypy alone
MODULES = sorted(file for file in STUBS.rglob("*.pyi") if file.relative_to(STUBS).parts[0] not in OURS)
NEWEST = (0, 33)  # the ComfyUI that the stubs describe
# What older ones lack, and the pack does without there.
SINCE = ("has no keyword advanced", "has no keyword search_aliases", "get_active_trim_window does not exist")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def owner_of(file: Path) -> Any:
    """The module that a stub describes. `io` and `ui` are attributes of `comfy_api.latest`, and no modules."""
    *folders, name = file.relative_to(STUBS).with_suffix("").parts
    if name == "__init__":
        return importlib.import_module(".".join(folders))
    if name in ("io", "ui"):
        return getattr(importlib.import_module(".".join(folders)), name)
    return importlib.import_module(".".join([*folders, name]))


def differences(body: list[ast.stmt], owner: Any, name: str) -> Iterator[str]:
    """What the names in `body`, of a stub's module or class, say otherwise than `owner`, which is called `name`."""
    for node in body:
        if isinstance(node, ast.ClassDef | Function):
            if not hasattr(owner, node.name):
                yield f"{name}.{node.name} does not exist"
            elif isinstance(node, ast.ClassDef):
                yield from differences(node.body, getattr(owner, node.name), f"{name}.{node.name}")
            else:
                yield from parameters_that_differ(node, getattr(owner, node.name), f"{name}.{node.name}")
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            assert isinstance(target, ast.Name)
            if not has_attribute(owner, target.id):
                yield f"{name}.{target.id} does not exist"


def has_attribute(owner: Any, name: str) -> bool:
    """Has it this attribute, or do its instances? Those of the server, of which there is one, are looked at."""
    if hasattr(owner, name) or name in getattr(owner, "__annotations__", {}):
        return True
    if hasattr(owner, "instance"):
        return hasattr(owner.instance, name)
    return isinstance(owner, type) and name in inspect.signature(owner).parameters


def parameters_that_differ(node: Function, function: Any, name: str) -> Iterator[str]:
    """The parameters that the host does not take as the stub gives them, and those that it wants besides."""
    try:
        there = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    except ValueError:  # written in C, without a signature
        return
    given = node.args
    by_place = [one.arg for one in (*given.posonlyargs, *given.args) if one.arg != "self"]
    with_default = set(by_place[len(by_place) - len(given.defaults) :] if given.defaults else [])
    by_name = [one.arg for one in given.kwonlyargs]
    with_default |= {one for one, default in zip(by_name, given.kw_defaults, strict=True) if default is not None}
    known = {one.name: one for one in there}
    places = [one.name for one in there if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if not given.posonlyargs and by_place != places[: len(by_place)]:
        yield f"{name} takes {places}, not {by_place}"
    for one in by_name:
        if one not in known or known[one].kind is known[one].POSITIONAL_ONLY:
            yield f"{name} has no keyword {one}"
    for place, one in enumerate(there):
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            if place >= len(by_place) and one.name not in by_name:
                yield f"{name} also wants {one.name}"
            if one.name in with_default:
                yield f"{name} has no default for {one.name}"
    if given.vararg and not any(one.kind is one.VAR_POSITIONAL for one in there):
        yield f"{name} takes no further values"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(STUBS)))
def test_the_host_has_what_mypy_is_told(pack: Pack, file: Path) -> None:
    """On the stand-in, and in test_real_host.py on ComfyUI: each class, function, parameter and attribute."""
    tree, owner, comfyui = ast.parse(file.read_text(encoding="utf-8")), owner_of(file), find_comfyui()
    older = REAL and comfyui is not None and tuple(map(int, host_version(comfyui).split(".")))[:2] < NEWEST
    found = differences(tree.body, owner, owner.__name__)
    assert [one for one in found if not (older and one.endswith(SINCE))] == []


def test_a_stub_that_makes_things_up_is_found(pack: Pack) -> None:
    """A name, a parameter, a place, a default and an attribute that the host does not have."""
    wrong = """
class ProgressBar:
    steps: int
    def __init__(self, total: int = 1, *, node: str = "") -> None: ...
    def update_absolute(self, total: int) -> None: ...
    def update_relative(self) -> None: ...
def beep() -> None: ...
"""
    import comfy.utils

    assert list(differences(ast.parse(wrong).body, comfy.utils, "utils")) == [
        "utils.ProgressBar.steps does not exist",
        "utils.ProgressBar.__init__ has no keyword node",
        "utils.ProgressBar.__init__ has no default for total",
        "utils.ProgressBar.update_absolute takes ['value', 'total', 'preview'], not ['total']",
        "utils.ProgressBar.update_relative does not exist",
        "utils.beep does not exist",
    ]
