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
from typing import Any, NamedTuple

from PIL import Image

from ..host.comfy import PACK, ComfyUI
from .conftest import FLAGS, find_chromium
from .editor import Classic
from .tab import Tab

FOLDER = PACK / "example_workflows"
PICTURES = PACK / "docs" / "pictures"
ROOM = {"left": 90, "top": 130}  # of the page's own bars
WIDEST = 1500  # pixels of a picture
HEIGHTS = {"list": 700, "job": 800, "settings": 446}  # the last: no path of the machine where it was made
THREE = range(3)
SHOTS = ("A lighthouse at dawn, wide", "Gulls over the cliffs, from below", "The keeper's lamp goes out")
MANY = ("A red balloon over a city", "Rain on a window at night", "Waves in slow motion")
FOX = "A fox runs through fresh snow"

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
  app.canvas.setDirty(true, true);
  return [right - left + 40, bottom - top + 70];
}"""


class Node(NamedTuple):
    """A node of a story: where it stands, how large it is, what its widgets say."""

    type: str
    at: tuple[int, int]
    size: tuple[int, int]
    widgets: dict[str, Any] = {}  # noqa: RUF012 - never changed
    title: str = ""
    mode: int = 0


class Story(NamedTuple):
    nodes: dict[str, Node]
    links: list[tuple[str, str, str, str]]  # from, its output, to, its input


def note(text: str, at: tuple[int, int] = (0, 0), size: tuple[int, int] = (380, 400)) -> Node:
    return Node("MarkdownNote", at, size, {"": text})


def create(at: tuple[int, int], prompt: str, title: str = "", **widgets: Any) -> Node:
    values = {"prompt": prompt, "provider": "sandbox"} | widgets
    return Node("CreateSoraJob", at, (380, 420), values, title)


def wait(at: tuple[int, int], title: str = "", *, mode: int = 0) -> Node:
    return Node("WaitForVideo", at, (380, 420), {}, title, mode)


def stories() -> dict[str, Story]:
    """Name of the file -> story. All of them run as they are, free, on the sandbox."""
    return {
        "text_to_video": Story(
            {
                "note": note(
                    "# From a prompt to frames\n\nPress **Run**. It works as it is, without a key: the provider is "
                    "`sandbox`, a gateway on this machine that costs nothing.\n\nFor real videos set a key (tab *Sora "
                    "jobs*, gear) and choose the provider `cometapi`.\n\nRunning it again buys nothing: the job is "
                    "found again. A new **take** is a new purchase."
                ),
                "job": create((420, 0), "A paper boat drifts over a calm lake at sunset, slow camera"),
                "video": wait((840, 0)),
                "frames": Node("LoadVideoFrames", (1260, 0), (320, 320)),
                "last": Node("PreviewImage", (1620, 0), (400, 300), title="The last frame"),
                "sound": Node("PreviewAudio", (1620, 360), (400, 90), title="The sound"),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "frames", "video"),
                ("frames", "last_frame", "last", "images"), ("frames", "audio", "sound", "audio"),
            ],
        ),
        "image_to_video": Story(
            {
                "note": note(
                    "# From an image to a video\n\nPut the end of any image workflow (*VAE Decode*, say) in place of "
                    "*Load Image*.\n\n**Fit Sora Reference** shows what will be sent before anything is paid: move "
                    "the focus point, pad instead of crop. Its output is exactly the video's size.\n\n*Create Sora "
                    "Job* can do the simple cases by itself: `fit`."
                ),
                "image": Node("LoadImage", (420, 0), (340, 380), {"image": "example.png"}),
                "fit": Node("SoraFitReference", (800, 0), (340, 520), {"fit": "pad", "padding": "blurred"}),
                "job": create((1180, 0), "The camera moves slowly towards it, dust in the light"),
                "video": wait((1600, 0)),
            },
            [
                ("image", "IMAGE", "fit", "image"), ("fit", "image", "job", "reference"),
                ("job", "job", "video", "job"),
            ],
        ),
        "remix": Story(
            {
                "note": note(
                    "# A remix\n\n**Remix** starts from a finished video, which it gets from *Wait For Video*, and "
                    "changes what its prompt says. It is a purchase of its own; run again, it is found again.\n\nNot "
                    "every model can be remixed: the error says so before anything is sent."
                ),
                "job": create((420, 0), "A winter morning at a lake, snow on the hills"),
                "video": wait((840, 0)),
                "remix": Node("Remix", (1260, 0), (360, 240), {"prompt": "The same lake under the northern lights"}),
                "remixed": wait((1660, 0), "Wait For The Remix"),
            },
            [("job", "job", "video", "job"), ("video", "job", "remix", "job"), ("remix", "job", "remixed", "job")],
        ),
        "continue_a_shot": Story(
            {
                "note": note(
                    "# Continue a shot from its last frame\n\n`skip_first_frames` = -1 is the last frame alone: it is "
                    "sought, not decoded up to. It becomes the first frame of the next shot.\n\nAt the end both are "
                    "one film; the second one leaves out its first frame, which both have."
                ),
                "job": create((420, 0), "A sailing boat leaves the harbour", "First shot"),
                "video": wait((840, 0)),
                "last": Node("LoadVideoFrames", (1260, 0), (320, 320), {"skip_first_frames": -1}, "Its last frame"),
                "next": create((1620, 0), "It reaches the open sea, the wind freshens", "Second shot, from that frame"),
                "second": wait((2040, 0)),
                "a": Node("LoadVideoFrames", (1260, 500), (320, 320), {"custom_height": 360}, "All of the first"),
                "b": Node(
                    "LoadVideoFrames", (1620, 500), (320, 320), {"custom_height": 360, "skip_first_frames": 1},
                    "The second, without its first frame",
                ),
                "both": Node("ImageBatch", (2040, 500), (240, 60), title="One after the other"),
                "film": Node("CreateVideo", (2040, 620), (240, 100)),
                "save": Node("SaveVideo", (2320, 500), (360, 360), {"filename_prefix": "video/continued"}),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "last", "video"),
                ("last", "last_frame", "next", "reference"), ("next", "job", "second", "job"),
                ("video", "video", "a", "video"), ("second", "video", "b", "video"),
                ("a", "frames", "both", "image1"), ("b", "frames", "both", "image2"),
                ("both", "IMAGE", "film", "images"), ("a", "fps", "film", "fps"), ("film", "VIDEO", "save", "video"),
            ],
        ),
        "storyboard": Story(
            {
                "note": note(
                    "# A storyboard in one graph\n\nThree shots are bought in one go and render **at the same time**; "
                    "the graph goes on when the last one is there.\n\nChange one prompt and run again: only that shot "
                    "is bought, the others are found."
                ),
                **{
                    f"job{number}": create((420 + 400 * number, 0), prompt, f"Shot {number + 1}")
                    for number, prompt in enumerate(SHOTS)
                },
                **{f"video{number}": wait((420 + 400 * number, 480)) for number in THREE},
                **{
                    f"frames{number}": Node(
                        "LoadVideoFrames", (420 + 400 * number, 960), (380, 320), {"custom_height": 360}
                    )
                    for number in THREE
                },
                "two": Node("ImageBatch", (1660, 960), (240, 60), title="One after the other"),
                "all": Node("ImageBatch", (1660, 1080), (240, 60), title="One after the other"),
                "film": Node("CreateVideo", (1660, 1200), (240, 100)),
                "save": Node("SaveVideo", (1660, 480), (400, 400), {"filename_prefix": "video/storyboard"}),
            },
            [
                *[(f"job{number}", "job", f"video{number}", "job") for number in THREE],
                *[(f"video{number}", "video", f"frames{number}", "video") for number in THREE],
                ("frames0", "frames", "two", "image1"), ("frames1", "frames", "two", "image2"),
                ("two", "IMAGE", "all", "image1"), ("frames2", "frames", "all", "image2"),
                ("all", "IMAGE", "film", "images"), ("frames0", "fps", "film", "fps"),
                ("film", "VIDEO", "save", "video"),
            ],
        ),
        "batch_of_takes": Story(
            {
                "note": note(
                    "# Several takes of one prompt\n\nThe wire has no seed. A **take** is how you ask for the same "
                    "once more, and each is a purchase of its own – three here, on the free sandbox.\n\n*Sora "
                    "Thumbnail* shows them side by side without decoding the films."
                ),
                **{
                    f"job{take}": create((420 + 400 * take, 0), FOX, f"Take {take + 1}", take=take + 1)
                    for take in THREE
                },
                **{f"video{take}": wait((420 + 400 * take, 480)) for take in THREE},
                **{f"still{take}": Node("SoraThumbnail", (420 + 400 * take, 960), (380, 90)) for take in THREE},
                "two": Node("ImageBatch", (1640, 960), (240, 60), title="One after the other"),
                "all": Node("ImageBatch", (1640, 1070), (240, 60), title="One after the other"),
                "look": Node("PreviewImage", (1640, 480), (420, 420), title="Side by side"),
            },
            [
                *[(f"job{take}", "job", f"video{take}", "job") for take in THREE],
                *[(f"video{take}", "job", f"still{take}", "job") for take in THREE],
                ("still0", "image", "two", "image1"), ("still1", "image", "two", "image2"),
                ("two", "IMAGE", "all", "image1"), ("still2", "image", "all", "image2"),
                ("all", "IMAGE", "look", "images"),
            ],
        ),
        "submit_now_collect_later": Story(
            {
                "note": note(
                    "# Submit many now, collect later\n\n*Submit Sora Job Only* ends the graph as soon as the jobs are "
                    "bought. Close ComfyUI if you like: they render on, and are fetched in the background when it runs "
                    "again.\n\nTo collect: select the three muted *Wait For Video*, press **Ctrl+M**, and run again. "
                    "Nothing is bought twice."
                ),
                **{
                    f"job{number}": create((420 + 400 * number, 0), prompt)
                    for number, prompt in enumerate(MANY)
                },
                **{f"only{number}": Node("SoraSubmitOnly", (420 + 400 * number, 480), (380, 60)) for number in THREE},
                **{f"video{number}": wait((420 + 400 * number, 600), mode=2) for number in THREE},
            },
            [
                *[(f"job{number}", "job", f"only{number}", "job") for number in THREE],
                *[(f"job{number}", "job", f"video{number}", "job") for number in THREE],
            ],
        ),
        "recover_a_video": Story(
            {
                "note": note(
                    "# Recover a video\n\n*Open Sora Job* takes up any job of this machine, newest first, or one from "
                    "elsewhere by its id (`video_id` and `provider`). Nothing is bought.\n\nThe tab **Sora jobs** has "
                    "the same for every job: *Add to graph*. Drop an MP4 there to find the job it came from."
                ),
                "job": Node("SoraOpenJob", (420, 0), (420, 140)),
                "video": wait((880, 0)),
                "frames": Node("LoadVideoFrames", (1300, 0), (320, 320), {"frame_load_cap": 1}),
                "first": Node("PreviewImage", (1660, 0), (400, 300), title="Its first frame"),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "frames", "video"),
                ("frames", "frames", "first", "images"),
            ],
        ),
    }  # fmt: skip


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
        "job": lambda: tab.open("northern lights"),
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
        settings.write_text('{"Comfy.TutorialCompleted": true, "Comfy.Minimap.Visible": false}')
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
