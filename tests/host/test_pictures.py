"""SoraFitReference and SoraThumbnail in a real ComfyUI, between its own nodes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import requests
from PIL import Image

from .comfy import ComfyUI, RequestRejectedError
from .graphs import SORA, Graph, bought, create, frames, image, node, saved

HOW = {"size": "1280x720", "fit": "crop", "focus_x": 0.5, "focus_y": 0.5, "padding": "colour", "background": "#000000"}


def shown(comfy: ComfyUI, item: dict[str, str]) -> np.ndarray:
    """A picture that the page asks for, of a preview or of a saved image."""
    answer = requests.get(f"{comfy.url}/view", params=item, timeout=10)
    answer.raise_for_status()
    with Image.open(io.BytesIO(answer.content)) as found:
        return np.asarray(found.convert("RGB"))


def fit(source: str, **change: object) -> dict[str, object]:
    return node("SoraFitReference", image=[source, 0], **(HOW | change))


def test_a_clear_picture_is_looked_at_and_then_sent(comfy: ComfyUI) -> None:
    """LoadImage's image and mask, wired straight in and alone in a graph, are shown; with CreateSoraJob behind it the
    same pixels go up, whatever its own `fit` says."""
    disc = np.full((200, 400, 4), (255, 0, 0, 0), np.uint8)
    y, x = np.indices((200, 400))
    disc[np.hypot(x - 300, y - 100) < 50] = 255
    Image.fromarray(disc).save(comfy.base / "input" / "disc.png")
    graph: Graph = {"0": node("LoadImage", image="disc.png")}
    graph |= {"1": fit("0", mask=["0", 1], size="720x1280", background="#0000ff", focus_x=0.75)}
    looked = comfy.run(graph)
    assert looked.ok, looked.error
    (item,) = looked.outputs["1"]["images"]
    seen = shown(comfy, item)
    assert seen.shape == (1280, 720, 3)
    assert seen[640, 360].tolist() == [255, 255, 255]
    assert (seen[..., 0].astype(int) - seen[..., 1]).max() <= 1  # the red that hides where it is clear stays hidden
    assert seen[5, 5].tolist() == [0, 0, 255]
    assert [job for job in comfy.sandbox_jobs() if job["prompt"] == "the disc"] == []
    graph |= {
        "2": create("the disc", reference=["1", 0], fit="pad", model="sora-2", size="720x1280"),
        "3": saved("2", 2, "sent"),
    }
    sent = comfy.run(graph)
    assert sent.ok, sent.error
    assert np.array_equal(shown(comfy, sent.outputs["3"]["images"][0]), seen)
    (job,) = [job for job in comfy.sandbox_jobs() if job["prompt"] == "the disc"]
    with Image.open(comfy.home / "sandbox" / "references" / job["references"][0]) as uploaded:
        assert np.array_equal(np.asarray(uploaded), seen)


def test_the_mask_of_a_picture_without_transparency_is_none(comfy: ComfyUI) -> None:
    """LoadImage gives 64x64 zeros then; padded with a blurred copy, a plain picture is plain all over."""
    Image.new("RGB", (300, 90), (10, 120, 230)).save(comfy.base / "input" / "plain.png")
    graph: Graph = {"0": node("LoadImage", image="plain.png")}
    run = comfy.run(graph | {"1": fit("0", mask=["0", 1], fit="pad", padding="blurred")})
    assert run.ok, run.error
    seen = shown(comfy, run.outputs["1"]["images"][0])
    assert seen.shape == (720, 1280, 3)
    assert (seen == (10, 120, 230)).all()


def test_wrong_input_is_told(comfy: ComfyUI) -> None:
    """A colour before anything runs; a mask of another size when it does; a size that no list holds is taken."""
    graph: Graph = {"0": image(300, 90), "9": node("SolidMask", value=1.0, width=90, height=300)}
    with pytest.raises(RequestRejectedError, match="is not a colour"):
        comfy.queue(graph | {"1": fit("0", background="blue")})
    assert "mask is 90x300, the image 300x90" in comfy.run(graph | {"1": fit("0", mask=["9", 0])}).error
    run = comfy.run(graph | {"1": fit("0", size="64x48")})
    assert run.ok, run.error
    assert shown(comfy, run.outputs["1"]["images"][0]).shape == (48, 64, 3)


def test_pictures_of_a_job(comfy: ComfyUI) -> None:
    """Thumbnail and spritesheet of the finished job, shown and handed on; the thumbnail is the film's middle."""
    graph: Graph = bought("for its pictures", **SORA)
    graph |= {"3": node("SoraThumbnail", job=["2", 1], variant="thumbnail"), "4": saved("3", 0, "thumb")}
    graph |= {"5": node("SoraThumbnail", job=["2", 1], variant="spritesheet")}
    graph |= {"6": frames("2", skip_first_frames=60, frame_load_cap=1), "7": saved("6", 0, "middle")}
    run = comfy.run(graph)
    assert run.ok, run.error
    thumb = shown(comfy, run.outputs["3"]["images"][0])
    assert np.array_equal(thumb, shown(comfy, run.outputs["4"]["images"][0]))
    assert np.abs(thumb.astype(int) - shown(comfy, run.outputs["7"]["images"][0])).mean() < 6
    assert shown(comfy, run.outputs["5"]["images"][0]).shape == (540, 1280, 3)
    assert len([job for job in comfy.sandbox_jobs() if job["prompt"] == "for its pictures"]) == 1


def test_an_unfinished_job_has_no_picture(comfy: ComfyUI) -> None:
    """The error names the output to connect instead."""
    graph: Graph = {"1": create("no picture yet [sandbox: slow=30]"), "2": node("SoraThumbnail", job=["1", 0])}
    graph["2"]["inputs"]["variant"] = "thumbnail"
    run = comfy.run(graph)
    assert not run.ok
    assert "not finished yet" in run.error
    assert "WaitForVideo" in run.error
