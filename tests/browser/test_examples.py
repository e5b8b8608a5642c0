"""Each example runs as it is on the sandbox: loaded, converted and queued by the real page, to its end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from ..host.comfy import ComfyUI
from .desk import DESK
from .editor import Editor
from .examples import FOLDER
from .stories import stories


@pytest.fixture(scope="module")
def desk(comfy: ComfyUI) -> Iterator[Editor]:
    """The classic page; in the input folder lies what a new ComfyUI brings."""
    shutil.copy(comfy.comfyui / "input" / "example.png", comfy.base / "input")
    editor = DESK.editor(comfy, "classic")
    yield editor
    editor.check()


def test_every_story_has_its_files() -> None:
    """A workflow, and a picture of the same name."""
    there = {file.stem for file in FOLDER.glob("*.json")}
    assert there == {file.stem for file in FOLDER.glob("*.jpg")} == set(stories())


# recover_a_video is last: it opens what the others bought.
@pytest.mark.parametrize("name", stories())
def test_an_example_runs_as_it_is(desk: Editor, name: str) -> None:
    workflow = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    desk.page.evaluate("(workflow) => app.loadGraphData(workflow)", workflow)
    desk.page.wait_for_timeout(800)
    assert desk.page.evaluate("() => app.graph.nodes.length") == len(stories()[name].nodes)
    desk.finish()
