"""What CreateSoraJob and LoadVideoFrames say above them, and the reference as it will be sent. Nothing is bought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from ..host.comfy import ComfyUI
from .editor import Editor
from .gateway import Gateway
from .workflows import node

SHOWN = "(id) => app.graph.getNodeById(id).badges.map((one) => (typeof one === 'function' ? one() : one).text)"
JOB = "SORA_JOB"


@pytest.fixture(autouse=True)
def nothing_is_bought(comfy: ComfyUI, gateway: Gateway) -> Iterator[None]:
    before = len(comfy.sandbox_jobs())
    yield
    assert len(comfy.sandbox_jobs()) == before
    assert not [line for line in gateway.asked if line.startswith("POST")]


@pytest.fixture
def road(either: Editor, comfy: ComfyUI) -> Editor:
    """LoadImage -> CreateSoraJob -> WaitForVideo -> LoadVideoFrames; the image is half red and half blue."""
    picture = Image.new("RGB", (400, 400), (255, 0, 0))
    picture.paste((0, 0, 255), (200, 0, 400, 400))
    picture.save(comfy.base / "input" / "halves.png")
    values = ["a boat", "sora-2", "8", "1280x720", 1, "pad", "cometapi", "", ""]
    image = [{"name": "IMAGE", "type": "IMAGE", "links": [1]}, {"name": "MASK", "type": "MASK", "links": []}]
    reference = [{"name": "reference", "type": "IMAGE", "link": 1}]
    either.load(
        node(1, "LoadImage", ["halves.png", "image"], outputs=image),
        node(2, "CreateSoraJob", values, inputs=reference, outputs=[{"name": "job", "type": JOB, "links": [2]}]),
        node(
            3,
            "WaitForVideo",
            [60, ""],
            inputs=[{"name": "job", "type": JOB, "link": 2}],
            outputs=[{"name": "video", "type": "VIDEO", "links": [3]}],
        ),
        node(
            4,
            "LoadVideoFrames",
            [0, 0, 0, 1, 0, 0, "auto", "ram"],
            inputs=[{"name": "video", "type": "VIDEO", "link": 3}],
        ),
        links=[[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, JOB], [3, 3, 0, 4, 0, "VIDEO"]],
    )
    either.page.evaluate(
        "() => { app.canvas.ds.scale = 0.7; app.canvas.ds.offset = [0, 60]; app.canvas.draw(true, true) }"
    )
    return either


def badge(editor: Editor, number: int) -> Any:
    return editor.page.evaluate(SHOWN, number)[-1]


def pixel(editor: Editor, x: float, y: float) -> list[int]:
    """Of the preview, by shares of its width and height."""
    script = """([x, y]) => {
      const canvas = document.querySelector('.sora-preview canvas');
      return [...canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data].slice(0, 3);
    }"""
    return list(editor.page.evaluate(script, [x, y]))


def test_the_price_follows_the_widgets(road: Editor) -> None:
    """What is seen is what the badge says, in both renderers."""
    assert badge(road, 2) == "≈ $0.64"
    road.type(2, "seconds", "4")
    assert badge(road, 2) == "≈ $0.32"
    if road.vue and not road.frozen:
        road.page.locator('[data-node-id="2"]', has_text="≈ $0.32").wait_for()
    road.type(2, "provider", "sandbox")
    assert badge(road, 2) == "free"
    if road.vue and not road.frozen:
        road.page.locator('[data-node-id="2"]', has_text="free").wait_for()


def test_a_retired_model_says_so(road: Editor, comfy: ComfyUI) -> None:
    """In place of its price."""
    rows = comfy.get("/sora/models")["models"]
    gone = next(row["id"] for row in rows if row["status"].get("cometapi", {}).get("state") == "retired")
    road.type(2, "model", gone)
    assert badge(road, 2) == "retired"


def test_frames_say_what_memory_they_need(road: Editor) -> None:
    """Of the job behind the video, and with the settings of the node."""
    assert badge(road, 4) == "≈ 2.0 GiB of memory"
    road.type(4, "frame_load_cap", 10)  # type: ignore[arg-type]
    assert badge(road, 4) == "≈ 105 MiB of memory"
    road.type(2, "seconds", "4")
    road.type(4, "frame_load_cap", 0)  # type: ignore[arg-type]
    assert badge(road, 4) == "≈ 1.0 GiB of memory"


def test_the_reference_is_seen_as_it_will_be_sent(road: Editor) -> None:
    """Padded, cropped, and gone with its link; no value of the node moves."""
    if road.frozen:
        pytest.skip("the first Nodes 2.0 take no widget that comes later")
    before = road.saved(2)
    road.page.locator(".sora-preview canvas").wait_for()
    assert [pixel(road, x, 0.5) for x in (0.05, 0.4, 0.6, 0.95)] == [[0, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 0]]
    road.picture("preview")
    road.type(2, "fit", "crop")
    road.page.locator(".sora-preview", has_text="crop").wait_for()
    assert [pixel(road, x, 0.5) for x in (0.05, 0.95)] == [[255, 0, 0], [0, 0, 255]]
    road.type(2, "fit", "pad")
    assert road.saved(2) == before
    road.page.evaluate("() => app.graph.getNodeById(2).disconnectInput(0)")
    road.page.locator(".sora-preview").wait_for(state="detached")
    assert road.saved(2) == before
