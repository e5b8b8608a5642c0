"""An image on its way up: the pixels that are sent are the pixels that were meant."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sora_jobs.errors import InvalidInputError, MediaError
from sora_jobs.media.reference import fitted, from_file, from_float, to_png

from ..failures import failing

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [40, 50, 60], [70, 80, 90]]], np.uint8)


def test_floats_are_rounded_and_saturated() -> None:
    """Every 8-bit value survives the way there and back; a half rounds, and what is outside 0..1 is held."""
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    assert np.array_equal(from_float(every.astype(np.float32) / 255), every[0])
    odd = np.array([-3, -0.001, 0.00197, 0.9979, 1.001, 40], np.float32).reshape(1, 2, 3).repeat(3, axis=0)
    assert from_float(odd)[0].reshape(-1).tolist() == [0, 0, 1, 254, 255, 255]


def test_channels_keep_their_order_and_alpha() -> None:
    """RGB and RGBA come out as they went in, whatever the memory's order; one channel becomes three equal ones."""
    floats = COLOURS.astype(np.float32) / 255
    assert np.array_equal(from_float(floats), COLOURS)
    assert np.array_equal(from_float(np.asfortranarray(floats)), COLOURS)
    assert np.array_equal(from_float(floats[:, ::-1]), COLOURS[:, ::-1])
    clear = np.concatenate([floats, np.full((2, 3, 1), 0.5, np.float32)], axis=2)
    assert from_float(clear[None])[0, 0].tolist() == [255, 0, 0, 128]
    assert from_float(np.full((4, 5, 1), 0.2, np.float32)).tolist() == np.full((4, 5, 3), 51).tolist()


@pytest.mark.parametrize(
    ("image", "code", "names"),
    [
        (np.zeros((3, 8, 8, 3), np.float32), "several_images", ("3 images", "ImageFromBatch")),
        (np.zeros((0, 8, 8, 3), np.float32), "several_images", ("0 images",)),
        (np.full((1, 8, 8, 3), np.nan, np.float32), "not_finite", ("reference",)),
        (np.full((8, 8, 3), -np.inf, np.float32), "not_finite", ("reference",)),
        (np.zeros((8, 8), np.float32), "invalid_image", ("channels", "(8, 8)")),
        (np.zeros((1, 8, 8, 2), np.float32), "invalid_image", ("channels", "(8, 8, 2)")),
        (np.zeros((1, 0, 8, 3), np.float32), "invalid_image", ("channels", "(0, 8, 3)")),
        (np.zeros((1, 8, 8, 3), np.uint8), "invalid_image", ("uint8",)),
    ],
)
def test_what_is_no_single_image_is_refused(image: np.ndarray, code: str, names: tuple[str, ...]) -> None:
    """The words say what is wrong, for a batch also which node picks one."""
    with failing(InvalidInputError, code, *names):
        from_float(image)


@pytest.mark.parametrize("kind", ["png", "webp", "bmp", "tiff"])
def test_an_image_file_gives_its_pixels(tmp_path: Path, kind: str) -> None:
    """Lossless files come back exactly."""
    path = tmp_path / f"image.{kind}"
    Image.fromarray(COLOURS).save(path, **({"lossless": True} if kind == "webp" else {}))
    assert np.array_equal(from_file(path), COLOURS)


def saved(tmp_path: Path, image: Image.Image, name: str = "image.png", **options: object) -> np.ndarray:
    image.save(tmp_path / name, **options)  # type: ignore[arg-type]
    return from_file(tmp_path / name)


def test_a_photograph_comes_upright(tmp_path: Path) -> None:
    """EXIF orientation 6 (a phone held upright) is applied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(saved(tmp_path, Image.fromarray(COLOURS), exif=exif), np.rot90(COLOURS, -1))


def test_palettes_greys_and_alpha_are_converted(tmp_path: Path) -> None:
    """Palettes with and without a clear colour, two colours, grey with alpha, 16 bits."""
    palette = Image.fromarray(COLOURS).quantize(8)
    assert saved(tmp_path, palette).shape == (2, 3, 3)
    assert np.abs(saved(tmp_path, palette).astype(int) - COLOURS).max() < 8
    assert saved(tmp_path, palette, transparency=0)[..., 3].min() == 0
    assert saved(tmp_path, Image.new("1", (2, 2), 1)).tolist() == [[[255] * 3] * 2] * 2
    assert saved(tmp_path, Image.new("LA", (1, 1), (7, 9))).tolist() == [[[7, 7, 7, 9]]]
    deep = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert saved(tmp_path, deep)[0, :, 1].tolist() == [0, 1, 128, 255]
    assert saved(tmp_path, Image.fromarray(np.array([[0.4, 300.0]], np.float32)), "f.tiff")[0, :, 0].tolist() == [
        0,
        255,
    ]
    red = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "image.jpg", quality=100)
    assert red[4, 4, 0] > 200 > 60 > red[4, 4, 1]


def test_files_that_are_no_image_are_refused(tmp_path: Path) -> None:
    """Missing, text, cut short, and too many pixels: each is wrong input, none an accident."""
    (tmp_path / "text.png").write_text("hello", encoding="utf-8")
    png = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)).save(png, "PNG")
    (tmp_path / "cut.png").write_bytes(png.getvalue()[:5000])
    unreadable = {"gone.png": "file_not_found", "text.png": "unreadable_image", "cut.png": "unreadable_image"}
    for name, code in unreadable.items():
        with failing(InvalidInputError, code, name):
            from_file(tmp_path / name)
    (tmp_path / "whole.png").write_bytes(png.getvalue())
    with failing(InvalidInputError, "image_too_large", "whole.png"):
        from_file(tmp_path / "whole.png", most_pixels=64 * 63)
    assert from_file(tmp_path / "whole.png", most_pixels=64 * 64).shape == (64, 64, 3)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A file of few bytes that would be 900 million pixels."""
    Image.new("1", (30000, 30000)).save(tmp_path / "bomb.png")
    with failing(InvalidInputError, "image_too_large", "bomb.png"):
        from_file(tmp_path / "bomb.png")


def test_the_right_size_comes_back_untouched() -> None:
    """Not even a copy, for every fit."""
    image = np.zeros((9, 16, 3), np.uint8)
    for fit in ("crop", "pad", "stretch"):
        assert fitted(image, 16, 9, fit) is image


@given(
    wide=st.integers(1, 80),
    tall=st.integers(1, 80),
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    channels=st.sampled_from([3, 4]),
)
def test_every_size_fits_into_every_other(
    wide: int, tall: int, width: int, height: int, fit: str, channels: int
) -> None:
    """The size is exact, and a plain opaque colour stays that colour (between black bars for pad)."""
    image = np.full((tall, wide, channels), 255, np.uint8)
    image[..., :3] = (200, 100, 50)
    out = fitted(image, width, height, fit)
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8
    coloured = (out == (200, 100, 50)).all(axis=2)
    black = (out == 0).all(axis=2)
    assert (coloured | black).all()
    assert coloured.any()
    assert fit == "pad" or coloured.all()


def test_crop_keeps_the_middle_and_pad_keeps_all() -> None:
    """Three stripes, side by side, into a square and into a tall frame."""
    image = np.zeros((30, 90, 3), np.uint8)
    image[:, :30, 0], image[:, 30:60, 1], image[:, 60:, 2] = 255, 255, 255
    assert np.array_equal(fitted(image, 30, 30, "crop"), image[:, 30:60])
    padded = fitted(image, 90, 50, "pad")
    assert np.array_equal(padded[10:40], image)
    assert not padded[:10].any()
    assert not padded[40:].any()
    stretched = fitted(image, 30, 30, "stretch")
    assert stretched[15, [5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_shrinking_averages_areas() -> None:
    """Stripes of two pixels become an even grey, where interpolating would give black, white or moiré."""
    history = np.indices((120, 160)).sum(axis=0) // 2 % 2 * 255
    image = history.astype(np.uint8)[..., None].repeat(3, axis=2)
    assert np.abs(fitted(image, 40, 30, "crop").astype(int) - 127.5).max() <= 1
    assert np.abs(fitted(image, 40, 300, "stretch")[10:-10, 5:-5].astype(int) - 127.5).max() <= 1


def test_growing_is_smooth_and_sharp() -> None:
    """An edge made eight times larger passes through many levels, and steeper than a straight line would."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4], image[:, 4:] = 60, 180
    row = fitted(image, 64, 64, "crop")[32, :, 1].astype(int)
    assert len(set(row)) > 6
    assert np.diff(row).max() > (180 - 60) / 8
    assert row.min() < 60 < 180 < row.max()


def test_clear_pixels_leave_no_fringe() -> None:
    """A white disc whose clear surroundings are secretly red: made smaller, no red appears; clear becomes black."""
    y, x = np.indices((200, 200))
    image = np.zeros((200, 200, 4), np.uint8)
    image[..., 0] = 255
    image[np.hypot(x - 100, y - 100) < 60] = 255
    out = fitted(image, 37, 37, "crop").astype(int)
    assert np.ptp(out, axis=2).max() <= 1
    assert out[0, 0].tolist() == [0, 0, 0]
    assert out[18, 18].tolist() == [255, 255, 255]
    half = np.full((2, 2, 4), (100, 128, 255, 150), np.uint8)
    assert fitted(half, 2, 2, "crop")[0, 0].tolist() == [59, 75, 150]


def test_a_fit_that_is_none_is_refused() -> None:
    """Another word, another size, another kind of array."""
    image = np.zeros((4, 4, 3), np.uint8)
    for code, arguments in {
        "unknown_option": (image, 4, 4, "zoom"),
        "invalid_size": (image, 0, 4, "crop"),
        "invalid_image": (image.astype(float), 4, 4, "crop"),
    }.items():
        with failing(InvalidInputError, code):
            fitted(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_is_lossless_in_rgb_order_and_repeatable(channels: int) -> None:
    """Another reader sees the same pixels, red as red; the same pixels give the same bytes."""
    image = np.random.default_rng(3).integers(0, 256, (33, 47, channels), np.uint8)
    png = to_png(image)
    assert png.startswith(b"\x89PNG")
    assert np.array_equal(np.array(Image.open(io.BytesIO(png))), image)
    assert to_png(image.copy()) == png
    assert np.array_equal(np.array(Image.open(io.BytesIO(to_png(image[::-1, ::-1])))), image[::-1, ::-1])


def test_an_image_that_no_png_can_hold_is_told() -> None:
    """libpng takes a width of one million pixels at most."""
    with failing(MediaError, "not_encodable"):
        to_png(np.zeros((1, 1_000_001, 3), np.uint8))
