"""The stories in example_workflows/, as they are made: each a graph, built, run and photographed by the real page.

`.venv/bin/python -m tests.browser.examples` writes the JSON and the picture of each anew, and the pictures
of the tab (with names, such as `remix tab`: of these alone).
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from ..host.comfy import PACK, ComfyUI
from .desk import FLAGS, find_chromium
from .editor import Classic
from .stories import Story, stories
from .tab import Tab

FOLDER = PACK / "example_workflows"
PICTURES = PACK / "docs" / "pictures"
HELP = PACK / "js" / "docs"
HAVE: set[str] = set()  # nodes that are photographed already
ROOM = {"left": 90, "top": 130}  # of the page's own bars
WIDEST = 1500  # pixels of a picture
HEIGHTS = {"list": 700, "job": 800, "settings": 446}  # the last: no path of the machine where it was made

BUILD = """({nodes, links}) => {
  app.graph.clear();
  const made = {};
  for (const [name, one] of Object.entries(nodes)) {
    const node = (made[name] = LiteGraph.createNode(one.type));
    app.graph.add(node);
    for (const [key, value] of Object.entries(one.widgets)) {
      const widget = node.widgets.find((widget) => widget.name === key);
      widget.value = value;
      widget.callback?.(value, app.canvas, node);
    }
    if (one.title) node.title = one.title;
    node.mode = one.mode;
    node.pos = one.at;
    node.setSize(one.size);
  }
  const at = (slots, name) => slots.findIndex((slot) => (slot.label ?? slot.localized_name ?? slot.name) === name);
  for (const [from, output, to, input] of links) {
    made[from].connect(at(made[from].outputs, output), made[to], at(made[to].inputs, input));
  }
}"""
SAVE = """() => {
  const saved = app.graph.serialize();
  saved.extra = {};
  delete saved.id;
  for (const node of saved.nodes) {
    if (node.type === "SoraOpenJob") {
      node.widgets_values[0] = ""; // not a job of the machine where it was made
      delete node.widgets_values_named;
    }
    node.size = [...node.size].map(Math.round);
    node.pos = [...node.pos].map(Math.round);
  }
  return JSON.stringify(saved, null, 1);
}"""
FRAME = """(room) => {
  const nodes = app.graph.nodes ?? app.graph._nodes;
  const left = Math.min(...nodes.map((node) => node.pos[0])), top = Math.min(...nodes.map((node) => node.pos[1]));
  const right = Math.max(...nodes.map((node) => node.pos[0] + node.size[0]));
  const bottom = Math.max(...nodes.map((node) => node.pos[1] + node.size[1]));
  const ds = app.canvas.ds;
  ds.scale = 1;
  ds.offset[0] = room.left + 20 - left;
  ds.offset[1] = room.top + 50 - top;
  app.canvas.deselectAll?.();
  app.canvas.show_info = false;
  app.canvas.setDirty(true, true);
  return [right - left + 40, bottom - top + 70];
}"""


WHERE = """() => (app.graph.nodes ?? app.graph._nodes).map((node) => {
  const [x, y] = app.canvas.ds.convertOffsetToCanvas([node.pos[0], node.pos[1]]);
  return [node.type, x, y, node.size[0], node.size[1]];
})"""


def build(editor: Classic, story: Story) -> None:
    """Make the story's graph in the page, as a person would with its own nodes and links."""
    nodes = {name: node._asdict() for name, node in story.nodes.items()}
    for node in nodes.values():
        node["widgets"] = {name: value for name, value in node["widgets"].items() if name}
    editor.page.evaluate(BUILD, {"nodes": nodes, "links": story.links})
    texts = {name: node.widgets[""] for name, node in story.nodes.items() if "" in node.widgets}
    for text in texts.values():
        script = "(text) => { app.graph.nodes.find((node) => node.type === 'MarkdownNote').widgets[0].value = text }"
        editor.page.evaluate(script, text)
    editor.page.wait_for_timeout(600)  # remote combos ask for their lists


def photographed(editor: Classic, path: Path) -> None:
    """The graph alone, without the page's bars."""
    editor.page.evaluate("document.querySelectorAll('.p-toast-close-button').forEach((button) => button.click())")
    editor.page.wait_for_timeout(1500)  # pictures come, and nodes grow for them
    width, height = editor.page.evaluate(FRAME, ROOM)
    editor.page.set_viewport_size({"width": int(width + ROOM["left"] + 60), "height": int(height + ROOM["top"] + 60)})
    editor.page.wait_for_timeout(300)
    editor.page.evaluate(FRAME, ROOM)
    editor.page.mouse.move(2, 2)
    editor.page.wait_for_timeout(900)
    clip = {"x": ROOM["left"], "y": ROOM["top"], "width": width, "height": height}
    picture = Image.open(io.BytesIO(editor.page.screenshot(clip=clip))).convert("RGB")
    for kind, left, top, wide, high in editor.page.evaluate(WHERE):
        if (HELP / kind).is_dir() and kind not in HAVE:  # the picture of a node for its help page
            HAVE.add(kind)
            around = (left - ROOM["left"] - 6, top - ROOM["top"] - 52, wide + 12, high + 58)
            box = (around[0], around[1], around[0] + around[2], min(picture.height, around[1] + around[3]))
            picture.crop(box).save(HELP / kind / "node.jpg", quality=82, optimize=True)
    scale = min(1.0, WIDEST / picture.width)
    picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS).save(
        path, quality=82, optimize=True
    )


def photograph_the_tab(comfy: ComfyUI, browser: Any) -> None:
    """The tab over a graph: the list, a remix in full, the settings."""
    editor = Classic(comfy, browser.new_page(viewport={"width": 1280, "height": 800}), PICTURES)
    editor.page.evaluate(
        "(workflow) => app.loadGraphData(workflow)",
        json.loads((FOLDER / "text_to_video.json").read_text(encoding="utf-8")),
    )
    editor.page.evaluate("() => { app.canvas.ds.scale = 0.8; app.canvas.ds.offset = [500, 130] }")
    tab = Tab(editor)
    steps = {
        "list": lambda: None,
        "job": lambda: (tab.root.get_by_role("searchbox").fill("northern"), tab.open("northern lights")),
        "settings": lambda: (tab.close(), Tab(editor).press("Settings")),
    }
    for name, step in steps.items():
        step()
        editor.page.wait_for_timeout(2500)  # small pictures are made
        picture = Image.open(io.BytesIO(editor.page.screenshot())).convert("RGB")
        picture = picture.crop((0, 38, 1040, HEIGHTS[name]))  # the tab and a piece of the graph
        picture.save(PICTURES / f"tab_{name}.jpg", quality=85, optimize=True)
    editor.close()


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        base = Path(folder)
        settings = base / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"Comfy.TutorialCompleted": true, "Comfy.Minimap.Visible": false}', encoding="utf-8")
        with ComfyUI(base, SORA_SANDBOX_SECONDS="1") as comfy:
            shutil.copy(comfy.comfyui / "input" / "example.png", base / "input")
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            for name, story in stories().items():
                if names and name not in names:
                    continue
                # A page of its own: the host keeps what nodes showed, and what widgets said, by the number of the node.
                editor = Classic(comfy, browser.new_page(viewport={"width": 1400, "height": 900}), base)
                build(editor, story)
                saved = editor.page.evaluate(SAVE)
                (FOLDER / f"{name}.json").write_text(saved + "\n", encoding="utf-8")
                editor.finish()
                photographed(editor, FOLDER / f"{name}.jpg")
                editor.close()
                print(name)
            if not names or "tab" in names:
                photograph_the_tab(comfy, browser)
            browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
