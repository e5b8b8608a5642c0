"""Core's OpenAIVideoSora2 nodes become CreateSoraJob and WaitForVideo, with their links; one undo takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .editor import Editor
from .workflows import node

OLD = "OpenAIVideoSora2"
IMAGE = {"name": "image", "type": "IMAGE", "link": 1}
VIDEO = {"name": "VIDEO", "type": "VIDEO", "links": [2]}
PUT_BACK = "() => { if (window.kept) LiteGraph.registered_node_types.OpenAIVideoSora2 = window.kept }"


def workflow(kind: str) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """EmptyImage -> the old node -> SaveVideo, and a second one that is muted and has no links."""
    values = ["sora-2-pro", "a boat\nat sea", "1024x1792", 12, 7, "randomize"]
    image = {"name": "IMAGE", "type": "IMAGE", "links": [1]}
    nodes = [
        node(1, "EmptyImage", [512, 512, 1, 0], outputs=[image]),
        node(2, kind, values, inputs=[dict(IMAGE)], outputs=[dict(VIDEO)]),
        node(3, "SaveVideo", ["video/a", "auto", "auto"], inputs=[{"name": "video", "type": "VIDEO", "link": 2}]),
        node(4, kind, ["sora-2", "a second one", "1280x720", 4, 7, "fixed"], mode=2, pos=[520, 900]),
    ]
    return nodes, [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "VIDEO"]]


def kinds(graph: dict[str, Any]) -> list[str]:
    return sorted(one["type"] for one in graph["nodes"])


def links(graph: dict[str, Any]) -> set[tuple[str, str, str]]:
    """(from, to, the input's name), by kinds of nodes."""
    nodes = {one["id"]: one for one in graph["nodes"]}
    return {
        (nodes[source]["type"], nodes[target]["type"], nodes[target]["inputs"][slot]["name"])
        for _, source, _, target, slot, _ in graph["links"]
    }


@pytest.fixture(params=["known", "unknown"])
def converted(request: pytest.FixtureRequest, editor: Editor) -> Iterator[Editor]:
    """The workflow, converted on a host that has core's node, and on one where it is gone."""
    editor.page.evaluate("() => { window.kept ??= LiteGraph.registered_node_types.OpenAIVideoSora2 }")
    if request.param == "unknown":
        editor.page.evaluate("() => { delete LiteGraph.registered_node_types.OpenAIVideoSora2 }")
    nodes, between = workflow(OLD)
    editor.load(*nodes, links=between)
    editor.page.keyboard.press("Escape")  # what the page says of a missing node
    editor.run("sora-jobs.convert")
    yield editor
    editor.page.evaluate(PUT_BACK)


def test_prompt_model_size_length_and_links_are_kept(converted: Editor) -> None:
    """Muted nodes stay muted. The user is told how many there were, and that a provider is to be chosen."""
    graph = converted.graph()
    assert kinds(graph) == ["CreateSoraJob", "CreateSoraJob", "EmptyImage", "SaveVideo", "WaitForVideo", "WaitForVideo"]
    assert links(graph) == {
        ("EmptyImage", "CreateSoraJob", "reference"),
        ("CreateSoraJob", "WaitForVideo", "job"),
        ("WaitForVideo", "SaveVideo", "video"),
    }
    first, second = sorted((one for one in graph["nodes"] if one["type"] == "CreateSoraJob"), key=lambda one: one["id"])
    assert first["widgets_values"][:4] == ["a boat\nat sea", "sora-2-pro", "12", "1024x1792"]
    assert second["widgets_values"][:4] == ["a second one", "sora-2", "4", "1280x720"]
    assert (first["pos"], first["mode"], second["mode"]) == ([520, 120], 0, 2)
    assert "Converted: 2." in converted.toast("Choose the provider")
    converted.picture("converted")


def test_one_undo_takes_it_back(converted: Editor) -> None:
    """Links, too."""
    converted.page.evaluate("() => app.extensionManager.command.execute('Comfy.Undo')")
    converted.page.wait_for_function("() => !app.graph.nodes.some((one) => one.type === 'CreateSoraJob')")
    graph = converted.graph()
    assert kinds(graph) == ["EmptyImage", OLD, OLD, "SaveVideo"]
    assert links(graph) == {("EmptyImage", OLD, "image"), (OLD, "SaveVideo", "video")}


def test_a_node_inside_a_subgraph_keeps_its_links(editor: Editor) -> None:
    """They come from and go to the subgraph's own inputs and outputs."""
    nodes, between = workflow(OLD)
    editor.load(*nodes, links=between)
    inside = editor.page.evaluate(
        """() => {
          app.graph.convertToSubgraph(new Set([app.graph.getNodeById(2)]));
          return [...app.graph.subgraphs.values()][0].nodes.length;
        }"""
    )
    if not inside:
        pytest.skip("this page loses a node of a class that is gone when it makes a subgraph of it")
    editor.run("sora-jobs.convert")
    assert "Converted: 2." in editor.toast("Choose the provider")
    (inner,) = editor.graph()["definitions"]["subgraphs"]
    job, wait = (
        next(one["id"] for one in inner["nodes"] if one["type"] == kind) for kind in ("CreateSoraJob", "WaitForVideo")
    )
    into, out_of = -10, -20  # how a subgraph's own slots are called in links
    assert {(link["origin_id"], link["target_id"]) for link in inner["links"]} == {
        (into, job),
        (job, wait),
        (wait, out_of),
    }


def test_a_workflow_without_such_nodes_is_left_alone(editor: Editor) -> None:
    """And the user is told."""
    editor.load(node(1, "EmptyImage", [512, 512, 1, 0]))
    editor.run("sora-jobs.convert")
    editor.toast("There is no OpenAI Video Sora node")
    assert kinds(editor.graph()) == ["EmptyImage"]
