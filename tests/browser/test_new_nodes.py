"""The provider that a new node names: the sandbox until cometapi has a key, without a reload of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..host.comfy import ComfyUI
from .desk import DESK
from .editor import RENDERERS, Editor
from .tab import Tab
from .workflows import node

ADD = """(type) => {
  const node = LiteGraph.createNode(type);
  app.graph.add(node);
  return node.id;
}"""
COPY = """(id) => {
  const node = app.graph.getNodeById(id).clone();
  app.graph.add(node);
  return node.id;
}"""


@pytest.fixture(params=sorted(RENDERERS))
def page(request: pytest.FixtureRequest, host: ComfyUI) -> Iterator[Editor]:
    editor = DESK.editor(host, request.param)
    yield editor
    editor.check()


def added(page: Editor) -> Any:
    """What a node that is added now names."""
    return page.value(page.page.evaluate(ADD, "CreateSoraJob"), "provider")


def test_a_new_node_names_the_sandbox_until_there_is_a_key(page: Editor, host: ComfyUI) -> None:
    """A stored key moves it at once, and its removal back; what is loaded or copied keeps what it says."""

    def saved(number: int, provider: str) -> dict[str, Any]:
        return node(number, "CreateSoraJob", ["a boat", "sora-2", "4", "1280x720", 1, "crop", provider, "", ""])

    page.load(saved(1, "cometapi"), saved(2, "sandbox"))
    assert [page.value(number, "provider") for number in (1, 2)] == ["cometapi", "sandbox"]
    first = page.page.evaluate(ADD, "CreateSoraJob")
    assert page.value(first, "provider") == "sandbox"
    assert page.value(page.page.evaluate(ADD, "SoraOpenJob"), "provider") == "cometapi"
    assert page.value(page.page.evaluate(COPY, 1), "provider") == "cometapi"

    tab = Tab(page)
    tab.press("Settings")
    key = tab.root.get_by_label("Key of cometapi")
    key.fill("sk-test-0123456789")
    key.press("Enter")
    tab.root.get_by_role("button", name="Remove").wait_for()
    page.page.evaluate("() => { app.canvas.ds.scale = 0.7; app.canvas.ds.offset = [700, 60]; }")
    assert added(page) == "cometapi"
    page.page.wait_for_timeout(500)
    page.picture("new_node")
    assert page.value(page.page.evaluate(COPY, 2), "provider") == "sandbox"
    assert page.value(first, "provider") == "sandbox"
    page.load(saved(1, "cometapi"), saved(2, "sandbox"))
    assert [page.value(number, "provider") for number in (1, 2)] == ["cometapi", "sandbox"]
    about = host.get("/object_info/CreateSoraJob")["CreateSoraJob"]["input"]["optional"]["provider"][1]
    assert about["default"] == "cometapi"

    tab.press("Remove")
    tab.confirm("cometapi")
    tab.root.get_by_role("button", name="Remove").wait_for(state="detached")
    assert added(page) == "sandbox"
    tab.close()
