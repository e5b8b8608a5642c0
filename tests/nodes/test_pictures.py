"""SoraFitReference and SoraThumbnail: what they give is what is sent, or what the gateway and the stored video hold."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ..failures import failing
from .conftest import Bench

HOW = {"size": "1280x720", "fit": "crop", "focus_x": 0.5, "focus_y": 0.5, "padding": "colour", "background": "#000000"}


async def fit(bench: Bench, image: np.ndarray, mask: np.ndarray | None = None, **change: Any) -> Any:
    """SoraFitReference with the values of its widgets as they stand in a new node."""
    given: dict[str, Any] = {"image": bench.image(image), **HOW, **change}
    if mask is not None:
        given["mask"] = bench.image(mask)
    return await bench.pack.run("SoraFitReference", "5", **given)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).random(shape, np.float32)


def shown(bench: Bench, made: Any) -> np.ndarray:
    """The picture that the node shows in the page."""
    (item,) = made.ui.as_dict()["images"]
    assert item["type"] == "temp"
    with Image.open(bench.temp / item["subfolder"] / item["filename"]) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("later", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(
    "change",
    [
        {"focus_x": 1.0},
        {"fit": "pad", "padding": "blurred", "focus_y": 0.2},
        {"fit": "pad", "background": "#3060c0"},
        {"fit": "stretch", "size": "720x1280"},
    ],
)
def test_what_it_shows_is_what_is_sent(bench: Bench, change: dict[str, Any], later: str) -> None:
    """The picture in the node, the output, CreateSoraJob's `reference` and the PNG at the gateway: the same pixels."""

    async def road() -> tuple[Any, Any]:
        fitted = await fit(bench, noise(1, 200, 300, 3), **change)
        size = change.get("size", "1280x720")
        return fitted, await bench.create("fitted", reference=fitted.args[0], fit=later, size=size)

    fitted, created = asyncio.run(road())
    output, sent = fitted.args[0].numpy(), created.args[2].numpy()
    width, height = map(int, change.get("size", "1280x720").split("x"))
    assert (output.shape, output.dtype) == ((1, height, width, 3), np.float32)
    eight = np.rint(output[0] * 255).astype(np.uint8)
    assert np.array_equal(output[0], eight / np.float32(255))
    assert np.array_equal(output, sent)
    (job,) = bench.sandbox_jobs()
    with Image.open(bench.home / "sandbox" / "references" / job["references"][0]) as uploaded:
        assert (uploaded.format, uploaded.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(uploaded), eight)
    assert np.array_equal(shown(bench, fitted), eight)


def test_image_and_mask_of_load_image_are_wired_straight_in(bench: Bench) -> None:
    """The mask is 1 where the file is clear; of a file without transparency it is 64x64 zeros, and means nothing."""
    image, mask = np.full((1, 72, 128, 3), 0.8, np.float32), np.zeros((1, 72, 128), np.float32)
    mask[:, :, :64] = 1
    out = asyncio.run(fit(bench, image, mask, background="#ff0000")).args[0].numpy()[0]
    assert np.array_equal(np.rint(out[300, [100, 1200]] * 255), [[255, 0, 0], [204, 204, 204]])
    opaque = asyncio.run(fit(bench, image, np.zeros((1, 64, 64), np.float32), background="#ff0000")).args[0].numpy()
    assert np.array_equal(np.unique(np.rint(opaque * 255)), [204])


def test_half_precision_is_as_good(bench: Bench) -> None:
    """Hosts may keep images and masks in 16 bits."""
    image, mask = np.full((1, 9, 16, 4), 0.5, np.float16), np.full((1, 9, 16), 0.25, np.float16)
    out = asyncio.run(fit(bench, image, mask)).args[0].numpy()
    assert np.array_equal(np.unique(np.rint(out * 255)), [64])


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"image": (2, 8, 8, 3)}, "several_images", "2 images"),
        ({"mask": (1, 9, 8)}, "mask_size_differs", "mask is 8x9, the image 8x8"),
        ({"background": "black"}, "invalid_colour", "'black'"),
        ({"size": "large"}, "invalid_size", "'large'"),
        ({"focus_x": 2.0}, "out_of_range", "focus_x is 2"),
    ],
)
def test_wrong_input_is_told(bench: Bench, change: dict[str, Any], code: str, name: str) -> None:
    """With a typed error of the pack."""
    given = dict(change)
    image = noise(*given.pop("image", (1, 8, 8, 3)))
    mask = noise(*given.pop("mask")) if "mask" in given else None
    with failing(bench.pack.error("InvalidInputError"), code, name):
        asyncio.run(fit(bench, image, mask, **given))


def test_the_hosts_own_check_of_sizes_is_off(bench: Bench) -> None:
    """A custom_model may take a size that no list holds; a wrong size or colour is told before anything runs."""
    node = bench.pack.nodes["SoraFitReference"]
    assert "size" in inspect.signature(node.validate_inputs).parameters
    (sizes,) = [one.options for one in node.GET_SCHEMA().inputs if one.id == "size"]
    (theirs,) = [one.options for one in bench.pack.nodes["CreateSoraJob"].GET_SCHEMA().inputs if one.id == "size"]
    assert sizes == theirs
    check = node.validate_inputs
    assert check(size="640x480", background="#ffffff") is True
    assert check(size=None) is True  # linked: known when the node runs
    assert "is not a size" in check(size="tall", background="#ffffff")
    assert "#ff8000" in check(size="640x480", background="white")
    assert asyncio.run(fit(bench, noise(1, 8, 8, 3), size="640x480")).args[0].shape[1:3] == (480, 640)


def test_nothing_is_bought_by_looking(bench: Bench) -> None:
    """No ledger, no sandbox: fitting touches neither."""
    asyncio.run(fit(bench, noise(1, 90, 90, 3), fit="pad"))
    assert not bench.home.exists()


@pytest.mark.parametrize(("variant", "shape"), [("thumbnail", (1, 720, 1280, 3)), ("spritesheet", (1, 540, 1280, 3))])
def test_a_finished_job_as_a_picture(bench: Bench, variant: str, shape: tuple[int, ...]) -> None:
    """The gateway's; once that has none any more, the stored video's. Both are shown, and nothing is bought."""

    async def road() -> Any:
        return (await bench.wait((await bench.create("a red kite")).args[0])).args[1]

    job = asyncio.run(road())
    given = asyncio.run(bench.pack.run("SoraThumbnail", job=job, variant=variant))
    for file in (bench.home / "sandbox" / "jobs").iterdir():
        file.unlink()
    bench.engine.close()
    bench.pack.engine._engine = None
    made = asyncio.run(bench.pack.run("SoraThumbnail", job=job, variant=variant))
    for one in (given, made):
        pixels = one.args[0].numpy()
        assert (pixels.shape, pixels.dtype) == (shape, np.float32)
        assert 0 <= pixels.min() < pixels.max() <= 1
        assert np.array_equal(shown(bench, one), np.rint(pixels[0] * 255))
    difference = np.abs(given.args[0].numpy() - made.args[0].numpy())
    assert 0 < difference.mean() < 6 / 255  # the gateway's is lossy, ours is the film's own
    assert Path(bench.engine.path(job)).is_file()


def test_an_unfinished_job_has_no_picture(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to connect, and the job goes on."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "60")
    job = asyncio.run(bench.create("a red kite")).args[0]
    with failing(bench.pack.error("NotFinishedError"), "job_not_finished", job.id) as caught:
        asyncio.run(bench.pack.run("SoraThumbnail", job=job))
    assert "WaitForVideo" in caught.value.hint
    assert len(bench.sandbox_jobs()) == 1
