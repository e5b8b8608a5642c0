"""What CreateSoraJob and LoadVideoFrames say above them, and the reference as it will be sent. Nothing is bought."""

from __future__ import annotations

import re
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


def reads(editor: Editor, number: int, text: str) -> None:
    """Wait until the badge says so, which in most renderers is seen."""
    editor.page.wait_for_function(f"([id, text]) => ({SHOWN})(id).at(-1) === text", arg=[number, text])
    if text and editor.vue and not editor.frozen:
        editor.page.locator(f'[data-node-id="{number}"]', has_text=text).wait_for()


def pixel(editor: Editor, x: float, y: float) -> list[int]:
    """Of the preview, by shares of its width and height."""
    script = """([x, y]) => {
      const canvas = document.querySelector('.sora-preview canvas');
      return [...canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data].slice(0, 3);
    }"""
    return list(editor.page.evaluate(script, [x, y]))


@pytest.fixture
def asked(road: Editor) -> Iterator[list[dict[str, Any]]]:
    """What the page asks /sora/quote."""
    found: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/sora/quote"):
            found.append(request.post_data_json)

    road.page.on("request", note)
    yield found
    road.page.remove_listener("request", note)


def test_the_price_follows_the_widgets(road: Editor) -> None:
    """What is seen is what the badge says, in both renderers."""
    reads(road, 2, "≈ $0.64")
    road.type(2, "seconds", "4")
    reads(road, 2, "≈ $0.32")
    road.type(2, "provider", "sandbox")
    reads(road, 2, "free")


def test_what_the_budget_does_not_know_is_unknown(road: Editor) -> None:
    """A field that may make it dearer, and an id that no list has; what cannot be bought has no price."""
    road.type(2, "extra_fields", '{"resolution": "1080p"}')
    reads(road, 2, "price unknown (resolution may change it)")
    road.type(2, "extra_fields", "")
    reads(road, 2, "≈ $0.64")
    road.type(2, "custom_model", "brand-new-9")
    reads(road, 2, "price unknown (not listed for brand-new-9)")
    road.type(2, "custom_model", "")
    road.type(2, "seconds", "5")
    reads(road, 2, "")
    road.type(2, "provider", "sandbox")
    reads(road, 2, "")  # which does not make it either


def test_the_owners_price_counts(road: Editor, comfy: ComfyUI) -> None:
    """And another one that is written into the file, once the page is looked at again."""
    file = comfy.home / "providers.toml"
    comfy.home.mkdir(exist_ok=True)
    row = '[provider.mine]\nbase_url = "https://gpu.example"\nkey_variable = "MINE"\nusd_per_second = '
    try:
        file.write_text(row + "0.5\n", encoding="utf-8")
        road.type(2, "provider", "mine")
        reads(road, 2, "≈ $4.00")
        file.write_text(row + "0\n", encoding="utf-8")
        road.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
        reads(road, 2, "free")
    finally:
        file.unlink(missing_ok=True)


def test_typing_asks_at_a_pace(road: Editor, asked: list[dict[str, Any]]) -> None:
    """Of a hundred letters only a few ask; the last one counts, whichever answer comes last."""
    reads(road, 2, "≈ $0.64")
    asked.clear()
    script = """async (id) => {
      const widget = app.graph.getNodeById(id).widgets.find(({ name }) => name === "custom_model");
      const begin = performance.now();
      for (const letter of "sora-2-pro".repeat(10)) {
        widget.value = widget.value.length < 10 ? widget.value + letter : letter;
        widget.callback?.(widget.value, app.canvas, app.graph.getNodeById(id));
        app.canvas.draw(true, true);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return performance.now() - begin;
    }"""
    took_ms = road.page.evaluate(script, 2)
    reads(road, 2, "≈ $1.92")
    assert "sora-2-pro" in [one["custom_model"] for one in asked]
    assert len(asked) <= took_ms / 500 + 2


def test_a_late_answer_does_not_undo_a_newer_one(road: Editor) -> None:
    """The first question is held back until the second one is answered."""
    held: list[Any] = []
    road.page.route("**/sora/quote", lambda route: held.append(route) if not held else route.continue_())
    road.type(2, "seconds", "12")
    for _ in range(100):
        road.page.wait_for_timeout(50)
        if held:
            break
    road.type(2, "seconds", "4")
    reads(road, 2, "≈ $0.32")
    held[0].continue_()
    road.page.wait_for_timeout(300)
    assert badge(road, 2) == "≈ $0.32"
    road.page.unroute("**/sora/quote")
    road.type(2, "seconds", "12")
    reads(road, 2, "≈ $0.96")


def test_a_remix_has_the_price_of_its_parent(either: Editor) -> None:
    """Which is not there yet: by the node that will buy it. Of a job from elsewhere nobody knows it."""
    job = [{"name": "job", "type": JOB, "links": []}]
    video = [{"name": "video", "type": "VIDEO", "links": []}, *job]
    values = ["a boat", "sora-2", "8", "1280x720", 1, "crop", "cometapi", "", ""]

    def linked(number: int, output: int, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one | {"links": [number] if at == output else []} for at, one in enumerate(outputs)]

    def given(number: int | None) -> list[dict[str, Any]]:
        return [{"name": "job", "type": JOB, "link": number}]

    either.load(
        node(1, "CreateSoraJob", values, outputs=linked(1, 0, job)),
        node(2, "WaitForVideo", [60, ""], inputs=given(1), outputs=linked(2, 1, video)),
        node(3, "Remix", ["at night", 1], inputs=given(2), outputs=job),
        node(4, "SoraOpenJob", [], outputs=linked(3, 0, job)),
        node(5, "Remix", ["at night", 1], inputs=given(3), outputs=job),
        node(6, "Remix", ["at night", 1], inputs=given(None), outputs=job),
        links=[[1, 1, 0, 2, 0, JOB], [2, 2, 1, 3, 0, JOB], [3, 4, 0, 5, 0, JOB]],
    )
    either.page.evaluate(
        "() => { app.canvas.ds.scale = 0.45; app.canvas.ds.offset = [0, 160]; app.canvas.draw(true, true) }"
    )
    reads(either, 3, "≈ $0.64")
    either.type(4, "video_id", "video_from_elsewhere")  # by name: the page's versions have other widgets around it
    reads(either, 5, "price unknown (job not in the ledger)")
    reads(either, 6, "")
    either.type(1, "seconds", "4")
    reads(either, 3, "≈ $0.32")
    either.picture("remix_price")
    either.type(1, "provider", "sandbox")
    reads(either, 3, "free")
    either.type(1, "model", "seedance-2-5")
    either.type(1, "provider", "cometapi")
    reads(either, 3, "")  # it has no remix


def test_a_retired_model_says_so(road: Editor, comfy: ComfyUI) -> None:
    """In place of its price."""
    rows = comfy.get("/sora/models")["models"]
    gone = next(row["id"] for row in rows if row["status"].get("cometapi", {}).get("state") == "retired")
    road.type(2, "model", gone)
    reads(road, 2, "retired")


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


def test_an_old_price_has_its_age_and_a_size_what_comes_out(either: Editor) -> None:
    """Before anything is bought: a price that is older than 90 days, and a size that the model makes as another one."""
    either.load(
        node(1, "CreateSoraJob", ["a boat", "veo3.1", "4", "1280x720", 1, "crop", "cometapi", "", ""]),
        node(2, "CreateSoraJob", ["a boat", "omni-fast", "4", "1920x1080", 1, "crop", "cometapi", "", ""]),
    )
    reads(either, 2, "price unknown (not listed for omni-fast) · comes out as 1280×720")
    either.page.wait_for_function(f"(id) => ({SHOWN})(id).at(-1) !== '…'", arg=1)
    assert re.fullmatch(r"≈ \$1\.28 · a price \d+ (mths|yrs?) old", badge(either, 1))
    either.picture("old_price")
