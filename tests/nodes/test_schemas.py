"""The nodes' schemas are frozen: a saved workflow must find the ids, inputs, order and defaults that it was saved with.

To change them on purpose (an optional input at the end is allowed, anything else needs a line in the CHANGELOG with
the way back), rewrite the snapshot and read its diff::

    SORA_TESTS_REWRITE_SCHEMAS=1 python -m pytest tests/nodes/test_schemas.py
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench

SNAPSHOT = Path(__file__).parent / "schemas.json"
REWRITE = os.environ.get("SORA_TESTS_REWRITE_SCHEMAS") == "1"


def described(schema: Any) -> dict[str, Any]:
    """What a workflow depends on; lists of options are left out, since a catalogue may grow."""
    return {
        "id": schema.node_id,
        "is_output_node": schema.is_output_node,
        "inputs": [
            {
                "name": one.id,
                "type": one.get_io_type(),
                "optional": one.optional,
                **{key: getattr(one, key) for key in ("default", "min", "max") if getattr(one, key, None) is not None},
            }
            for one in schema.inputs
        ],
        "outputs": [{"name": one.display_name, "type": one.io_type} for one in schema.outputs],
    }


def test_the_schemas_are_those_of_the_snapshot(bench: Bench) -> None:
    """Ids, inputs in order with type and default, outputs in order: none changes by accident."""
    now = [described(node.GET_SCHEMA()) for node in bench.pack.nodes.values()]
    if REWRITE:
        SNAPSHOT.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        pytest.skip("schemas.json was rewritten; read its diff")
    assert [one["id"] for one in now] == list(bench.pack.nodes)
    assert now == json.loads(SNAPSHOT.read_text(encoding="utf-8")), (
        "schemas changed; if that is meant, see the top of this file"
    )


def test_nothing_is_an_api_node_and_no_take_is_randomised(bench: Bench) -> None:
    """The page would demand a sign-in for the first, and buy at each run with the second."""
    for node in bench.pack.nodes.values():
        schema = node.GET_SCHEMA()
        assert not schema.is_api_node
        assert not any(getattr(one, "control_after_generate", None) for one in schema.inputs)
        assert not {one.id for one in schema.inputs} & {"seed", "noise_seed"}


def test_the_defaults_are_offered(bench: Bench) -> None:
    """A default that is not in its own list would be refused by the page; sora-2, 4 and 1280x720 come first."""
    options = {}
    for node in bench.pack.nodes.values():
        for one in node.GET_SCHEMA().inputs:
            if getattr(one, "options", None):
                assert one.default in one.options
                options[one.id] = one.options[0]
    assert (options["model"], options["seconds"], options["size"]) == ("sora-2", "4", "1280x720")


def test_a_new_node_names_the_sandbox_until_there_is_a_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page asks for the schemas anew, so the default moves with the key; that of SoraOpenJob, whose sandbox has no
    job from elsewhere, stays. (The snapshot is of a machine without a key.)"""

    def default(name: str) -> str:
        return str({one.id: one for one in bench.pack.nodes[name].GET_SCHEMA().inputs}["provider"].default)

    write_key = bench.pack.module("sora_jobs.config.keys").write_key
    assert (default("CreateSoraJob"), default("SoraOpenJob")) == ("sandbox", "cometapi")
    write_key(bench.engine.settings.read(), "cometapi", "sk-test-0123456789")
    assert (default("CreateSoraJob"), default("SoraOpenJob")) == ("cometapi", "cometapi")
    write_key(bench.engine.settings.read(), "cometapi", "")
    assert default("CreateSoraJob") == "sandbox"
    monkeypatch.setenv("COMETAPI_KEY", "sk-test-0123456789")
    assert default("CreateSoraJob") == "cometapi"


def without(kind: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`kind` as an older host has it: a keyword of `names` is a TypeError."""
    signature = inspect.signature(kind)

    def older(*positional: Any, **keywords: Any) -> Any:
        if unknown := set(names) & set(keywords):
            raise TypeError(f"unexpected keywords {unknown}")
        return kind(*positional, **keywords)

    left = [parameter for name, parameter in signature.parameters.items() if name not in names]
    older.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    return older


def test_keywords_that_an_older_host_lacks_are_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`advanced` and `search_aliases` are later than the oldest supported host; the schemas come out the same."""
    before = [described(node.GET_SCHEMA()) for node in bench.pack.nodes.values()]
    monkeypatch.setattr(bench.io, "Schema", without(bench.io.Schema, "search_aliases"))
    for kind in ("String", "Int", "Float", "Combo"):
        monkeypatch.setattr(getattr(bench.io, kind), "Input", without(getattr(bench.io, kind).Input, "advanced"))
    assert [described(node.GET_SCHEMA()) for node in bench.pack.nodes.values()] == before


def test_arguments_that_are_supported_are_passed(bench: Bench) -> None:
    """The filter drops unknown keywords and nothing else."""

    def kind(first: int, *, known: int = 0) -> tuple[int, int]:
        return first, known

    assert bench.pack.module("host.schema").with_supported_arguments(kind, 1, known=2, unknown=3) == (1, 2)


def test_asking_for_schemas_leaves_no_trace(bench: Bench) -> None:
    """The page asks at every load: no state folder, no sandbox."""
    for node in bench.pack.nodes.values():
        node.GET_SCHEMA()
    assert not bench.home.exists()
    assert not bench.output.exists()
