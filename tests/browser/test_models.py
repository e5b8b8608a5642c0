"""The combos offer what the chosen model takes, and a model that is gone is told, kept, and mapped only by a click."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..host.comfy import ComfyUI
from .editor import Editor
from .gateway import Gateway
from .workflows import create, node


@pytest.fixture(autouse=True)
def nothing_is_bought(comfy: ComfyUI, gateway: Gateway) -> Iterator[None]:
    before = len(comfy.sandbox_jobs())
    yield
    assert len(comfy.sandbox_jobs()) == before
    assert not [line for line in gateway.asked if line.startswith("POST")]


@pytest.fixture
def rows(comfy: ComfyUI) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in comfy.get("/sora/models")["models"]}


def of_state(rows: dict[str, dict[str, Any]], state: str) -> dict[str, Any]:
    found = (row for row in rows.values() if row["status"].get("cometapi", {}).get("state") == state)
    return next(row for row in found if row["seconds"] and row["sizes"])


def test_a_chosen_model_narrows_length_and_size(either: Editor, rows: dict[str, dict[str, Any]]) -> None:
    """What it makes stays; what it does not make becomes its default, and a toast says so."""
    row = rows["veo3.1"]
    either.load(create(1, "sora-2", "8", "720x1280"), create(2, "sora-2", "20", "1280x720"))
    either.choose(1, "model", "veo3.1")
    assert either.values(1) == ("veo3.1", "8", "720x1280")
    assert either.choices(1, "seconds") == row["seconds"]
    assert either.choices(1, "size") == row["sizes"]
    assert either.toasts() == []
    either.choose(2, "model", "veo3.1")
    assert either.values(2) == ("veo3.1", row["seconds"][0], "1280x720")
    assert either.shown(2, "seconds") == row["seconds"][0]
    assert f"seconds 20 is now {row['seconds'][0]}" in either.toast("veo3.1 does not make this")
    either.picture("narrowed")


def test_a_typed_or_open_model_shows_all(either: Editor, rows: dict[str, dict[str, Any]]) -> None:
    """An id in custom_model is sent as typed, so nobody knows what it takes."""
    lengths = {length for row in rows.values() for length in row["seconds"]}
    either.load(create(1, "sora-2", "8", "720x1280"))
    assert either.choices(1, "seconds") == rows["sora-2"]["seconds"]
    either.type(1, "custom_model", "something-new")
    assert set(either.choices(1, "seconds")) == lengths
    either.type(1, "custom_model", "")
    assert either.choices(1, "seconds") == rows["sora-2"]["seconds"]
    assert either.values(1) == ("sora-2", "8", "720x1280")


def test_a_loaded_workflow_keeps_what_it_says(either: Editor, rows: dict[str, dict[str, Any]]) -> None:
    """Also a length that its model does not make; the combo offers the right ones beside it."""
    old = create(1, "sora-2", "30", "1280x720")
    either.load(old)
    assert either.choices(1, "seconds") == ["30", *rows["sora-2"]["seconds"]]
    assert either.saved(1) == [*old["widgets_values"], ""]  # an input that came later is empty
    assert either.toasts() == []


def test_a_linked_model_shows_all(either: Editor) -> None:
    """A link gives it, whatever its widget still says."""
    linked = [{"name": "model", "type": "COMBO", "link": 1, "widget": {"name": "model"}}]
    source = node(2, "PrimitiveString", ["veo3.1"], outputs=[{"name": "STRING", "type": "COMBO", "links": [1]}])
    either.load(create(1, "sora-2", "8", "1280x720", inputs=linked), source, links=[[1, 2, 0, 1, 0, "COMBO"]])
    assert len(either.choices(1, "seconds")) > 10
    assert either.values(1)[1:] == ("8", "1280x720")


def test_a_retired_model_is_told_kept_and_mapped_by_a_click(either: Editor, comfy: ComfyUI, rows: Any) -> None:
    """The offered model is the one that the backend names."""
    gone = of_state(rows, "retired")
    old = create(1, gone["id"], gone["seconds"][0], gone["sizes"][0])
    choice = comfy.get(
        f"/sora/models/nearest?model={gone['id']}&seconds={gone['seconds'][0]}&size={gone['sizes'][0]}&provider=cometapi"
    )
    either.load(old)
    told = either.toast(f"cometapi retired {gone['id']} on {gone['status']['cometapi']['date']}")
    assert choice["model"] in told
    assert len(either.toasts()) == 1
    assert either.saved(1) == [*old["widgets_values"], ""]  # an input that came later is empty
    sent = {"model": gone["id"], "seconds": gone["seconds"][0], "size": gone["sizes"][0], "project": ""}
    assert either.sent(1) == sent
    either.picture("retired")
    either.accept(1)
    assert either.values(1) == (choice["model"], choice["seconds"], choice["size"])
    assert either.shown(1, "model") == choice["model"]
    assert either.offer(1) is None
    assert set(either.choices(1, "seconds")) == set(rows[choice["model"]]["seconds"])
    either.picture("mapped")


def test_an_unknown_model_is_told_kept_and_mapped_by_a_click(either: Editor) -> None:
    """The same for an id that no list has, which stays to be chosen."""
    old = create(1, "no-such-model-9", "8", "1280x720")
    either.load(old)
    assert "custom_model" in either.toast("has no no-such-model-9")
    assert either.shown(1, "model") == "no-such-model-9"
    assert either.saved(1) == [*old["widgets_values"], ""]  # an input that came later is empty
    either.accept(1)
    assert either.value(1, "model") != "no-such-model-9"
    assert either.offer(1) is None
