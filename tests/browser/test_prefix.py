"""File names: the page sends ours as it sends SaveImage's, with date and widgets filled in."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..host.comfy import ComfyUI
from .editor import Editor
from .workflows import node

HOSTILE = 'a/b\\c:d?"<x>|*'
PATTERNS = [
    "shots/boat",
    "%date:yyyy-MM-dd%/boat",
    "%date:yyyy/M/d hh-mm%",
    "%CreateSoraJob.seconds%s_%CreateSoraJob.size%",
    "boat_%The sea.prompt%",
    "%CreateSoraJob.prompt%",
    "%CreateSoraJob.nothing%",
    "%No node.seed%",
    "%year%-%width%x%height%",
    "%",
    "50% boat",
    "",
]
SENT = """async (nodes) => {
  const { output } = await app.graphToPrompt();
  return nodes.map((id) => output[id].inputs.filename_prefix);
}"""
OURS = """() => Object.entries(LiteGraph.registered_node_types)
  .filter(([, type]) => type.nodeData?.python_module?.includes('sora-jobs'))
  .flatMap(([name]) => LiteGraph.createNode(name).widgets?.map((widget) => [name, widget]) ?? [])
  .filter(([, widget]) => widget.name.includes('prefix'))
  .map(([name, widget]) => [name, widget.name, typeof widget.serializeValue])"""


def graph(pattern: str, prompt: str = HOSTILE) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """A purchase at the sandbox with that name for its file, and a SaveImage with the same."""
    create = node(
        1, "CreateSoraJob", [prompt, "sora-2", "4", "1280x720", 1, "crop", "sandbox", "", ""], title="The sea"
    )
    create |= {"outputs": [{"name": "job", "type": "SORA_JOB", "links": [1]}]}
    create["properties"] = {"Node name for S&R": "CreateSoraJob"}
    wait = node(2, "WaitForVideo", [60, pattern], inputs=[{"name": "job", "type": "SORA_JOB", "link": 1}])
    save = node(3, "SaveImage", [pattern], inputs=[{"name": "images", "type": "IMAGE", "link": 2}])
    empty = node(4, "EmptyImage", [16, 16, 1, 0], outputs=[{"name": "IMAGE", "type": "IMAGE", "links": [2]}])
    return [create, wait, save, empty], [[1, 1, 0, 2, 0, "SORA_JOB"], [2, 4, 0, 3, 0, "IMAGE"]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_file_name_is_sent_as_save_image_sends_it(either: Editor, pattern: str) -> None:
    """Whatever is filled in, made safe, or left as it is; the widget and the saved workflow keep the pattern."""
    nodes, links = graph(pattern)
    either.load(*nodes, links=links)
    sent, theirs = either.page.evaluate(SENT, ["2", "3"])
    assert sent == theirs
    assert (sent != pattern) == ("date:" in pattern or ".prompt" in pattern or ".seconds" in pattern)
    assert either.value(2, "filename_prefix") == pattern
    assert either.saved(2)[-1] == pattern
    assert len(either.graph()["nodes"]) == len(nodes)


def test_every_file_name_of_ours_is_filled_in(either: Editor) -> None:
    """A node that gets one later, too."""
    assert either.page.evaluate(OURS) == [["WaitForVideo", "filename_prefix", "function"]]


def test_a_run_stores_the_video_under_the_date(editor: Editor, comfy: ComfyUI) -> None:
    nodes, links = graph("%date:yyyy-MM-dd%/%CreateSoraJob.prompt%_%width%", "a boat: dated")
    editor.load(*nodes, links=links)
    editor.finish()
    (video,) = (comfy.base / "output").glob("*-*-*/*.mp4")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d/a boat_ dated_1280_00001_\.mp4", video.relative_to(comfy.base / "output").as_posix()
    )
