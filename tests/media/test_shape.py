"""Anamorphic files: as they are stored, with a warning; in square pixels, as players show them, on request."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sora_jobs.media.export import save_frames
from sora_jobs.media.frames import Frames, load_frames, probe
from sora_jobs.media.resize import cropped, fitted, stretched
from sora_jobs.media.selection import FrameChoice, shown_size
from sora_jobs.media.sheet import contact_sheet

from .clips import make_clip, numbers_of, rotated

PACK = Path(__file__).parents[2]
ASPECTS = [Fraction(16, 15), Fraction(8, 9), Fraction(2), Fraction(1, 2), Fraction(40, 33)]


def anamorphic(path: Path, aspect: Fraction, *, matrix: str = "bt601") -> Path:
    """Six frames of 160x96 pixels of that aspect."""
    return make_clip(path, 6, matrix=matrix, aspect=aspect)


@pytest.fixture(scope="module", params=ASPECTS, ids=str)
def film(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, Fraction]:
    return anamorphic(tmp_path_factory.mktemp("film") / "film.mp4", request.param), request.param


def bytes_of(loaded: Frames) -> np.ndarray:
    return np.rint(loaded.pixels * 255).astype(np.uint8)


def test_it_comes_as_it_is_stored_with_a_warning(film: tuple[Path, Fraction]) -> None:
    """Both sizes are named, and how to get the other one."""
    path, aspect = film
    loaded = load_frames(path)
    assert loaded.pixels.shape == (6, 96, 160, 3)
    assert loaded.info.pixel_aspect == probe(path).pixel_aspect == aspect
    width, height = shown_size(160, 96, aspect)
    (warning,) = loaded.warnings
    assert "160x96" in warning
    assert f"{width}x{height}" in warning
    assert "square_pixels" in warning


def test_square_pixels_are_what_players_show(film: tuple[Path, Fraction]) -> None:
    """One side grows and none shrinks; the frames are the stored ones, stretched, and nobody is warned."""
    path, aspect = film
    stored, shown = load_frames(path), load_frames(path, FrameChoice(square_pixels=True))
    width, height = shown_size(160, 96, aspect)
    assert (width >= 160, height >= 96) == (True, True)
    assert width / height == pytest.approx(160 / 96 * float(aspect), rel=0.01)
    assert shown.pixels.shape == (6, height, width, 3)
    assert shown.warnings == ()
    assert numbers_of(shown.pixels) == list(range(6))
    for mine, theirs in zip(bytes_of(shown), bytes_of(stored), strict=True):
        assert np.array_equal(mine, stretched(theirs, width, height))


@pytest.mark.parametrize("size", [(80, 0), (0, 200), (100, 100), (320, 90)])
def test_a_size_is_one_of_the_picture_as_shown(film: tuple[Path, Fraction], size: tuple[int, int]) -> None:
    """One side keeps the shown proportions; both crop its middle. A circle stays one."""
    path, aspect = film
    choice = FrameChoice(custom_width=size[0], custom_height=size[1], square_pixels=True, frame_load_cap=1)
    loaded = load_frames(path, choice)
    shown = shown_size(160, 96, aspect)
    width, height = FrameChoice(custom_width=size[0], custom_height=size[1]).size(*shown)
    assert loaded.pixels.shape[1:3] == (height, width)
    whole = load_frames(path, FrameChoice(square_pixels=True, frame_load_cap=1))
    twice = fitted(bytes_of(whole)[0], width, height, "crop")  # enlarged, and then brought to the size
    assert np.abs(bytes_of(loaded)[0].astype(int) - twice).mean() < 6


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_file_is_shown_in_its_shape(tmp_path: Path, degrees: int) -> None:
    """What was its width is its height, also in the pixels."""
    path = rotated(anamorphic(tmp_path / "flat.mp4", Fraction(2)), tmp_path / "turned.mp4", degrees)
    shape = (96, 320) if degrees == 180 else (320, 96)
    loaded = load_frames(path, FrameChoice(square_pixels=True))
    assert loaded.pixels.shape[1:3] == shape
    assert loaded.info.pixel_aspect == (2 if degrees == 180 else Fraction(1, 2))
    assert probe(path).pixel_aspect == loaded.info.pixel_aspect
    plain = load_frames(anamorphic(tmp_path / "flat.mp4", Fraction(2)), FrameChoice(square_pixels=True))
    assert np.abs(loaded.pixels - np.rot90(plain.pixels, -degrees // 90, axes=(1, 2))).max() < 0.02


@pytest.mark.parametrize("matrix", ["bt601", ""], ids=["OpenCV", "PyAV"])
def test_files_and_sheets_have_the_same_shape(tmp_path: Path, matrix: str) -> None:
    """Whichever library reads it."""
    path = anamorphic(tmp_path / "film.mp4", Fraction(16, 15), matrix=matrix)
    told: list[str] = []
    choice = FrameChoice(square_pixels=True)
    files = save_frames(path, tmp_path / "png", choice, warn=told.append)
    for file, frame in zip(files, bytes_of(load_frames(path, choice)), strict=True):
        with Image.open(file) as image:
            assert np.array_equal(np.asarray(image), frame)
    for square, high in ((True, 96 / 171), (False, 96 / 160)):
        contact_sheet(path, tmp_path / f"{square}.png", square_pixels=square, warn=told.append)
        with Image.open(tmp_path / f"{square}.png") as image:
            tile = 1600 - 2 * 32 - 5 * 12
            assert image.height == pytest.approx(2 * 32 + 47 + 40 + tile / 6 * high, abs=25)
    assert [("anamorphic" in one) for one in told] == [True]


def test_an_ordinary_file_is_left_as_it_is(tmp_path: Path) -> None:
    """Bit for bit, with the option and without; nothing is said."""
    path = make_clip(tmp_path / "film.mp4", 6, matrix="bt709")
    plain, square = load_frames(path), load_frames(path, FrameChoice(square_pixels=True))
    assert np.array_equal(plain.pixels, square.pixels)
    assert plain.info.pixel_aspect == 1
    assert (plain.warnings, square.warnings) == ((), ())


@pytest.mark.parametrize("aspect", [Fraction(1, 40), Fraction(60)])
def test_an_aspect_that_makes_no_sense_is_passed_over(tmp_path: Path, aspect: Fraction) -> None:
    path = anamorphic(tmp_path / "film.mp4", aspect)
    assert load_frames(path, FrameChoice(square_pixels=True)).pixels.shape == (6, 96, 160, 3)
    assert load_frames(path).warnings == ()


@given(st.integers(1, 4000), st.integers(1, 4000), st.fractions(Fraction(1, 16), 16, max_denominator=200))
def test_the_shown_size_loses_nothing(width: int, height: int, aspect: Fraction) -> None:
    """No side gets smaller, and one stays."""
    wide, tall = shown_size(width, height, aspect)
    assert (wide >= width, tall >= height) == (True, True)
    assert wide == width or tall == height
    assert abs(wide / tall - width * aspect / height) <= max(wide, tall) / tall


@pytest.mark.parametrize("aspect", [Fraction(3, 2), Fraction(2, 3)])
def test_what_is_cropped_lies_in_the_middle(aspect: Fraction) -> None:
    """A square out of a wide picture shows its middle, as far to the left as to the right."""
    picture = np.zeros((60, 120, 3), np.uint8)
    picture[:, :60] = 200
    square = cropped(picture, 40, 40, aspect).astype(int)
    assert np.abs(square[:, :18] - 200).max() <= 2
    assert square[:, 22:].max() <= 2


def ffmpeg_square(path: Path, size: tuple[int, int]) -> np.ndarray:
    scale = f"scale={size[0]}:{size[1]}:flags=lanczos"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", scale, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg to compare with")
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("make", [lambda: Fraction(16, 11), lambda: Fraction(10, 11)])
def test_the_shape_is_that_of_ffmpeg(tmp_path: Path, suffix: str, make: Callable[[], Fraction]) -> None:
    """Its display aspect ratio, in containers that say it and in those that leave it to the codec; and its picture."""
    path = anamorphic(tmp_path / f"film.{suffix}", make())
    asked = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=display_aspect_ratio"]
    said = subprocess.run([*asked, "-of", "csv=p=0", str(path)], capture_output=True, encoding="utf-8", check=True)
    wide, tall = map(int, said.stdout.split()[0].strip(",").split(":"))
    loaded = load_frames(path, FrameChoice(square_pixels=True))
    height, width = loaded.pixels.shape[1:3]
    assert width / height == pytest.approx(wide / tall, rel=0.01)
    assert np.abs(bytes_of(loaded).astype(int) - ffmpeg_square(path, (width, height))).mean() < 3


def test_the_command_has_the_option(tmp_path: Path) -> None:
    """And warns without it."""
    path = anamorphic(tmp_path / "film.mp4", Fraction(2))
    for options, width, warned in (([], 160, 1), (["--square-pixels"], 320, 0)):
        command = [sys.executable, str(PACK / "sora.py"), "frames", str(path), "--out", str(tmp_path / "png"), "--json"]
        ran = subprocess.run([*command, *options], cwd=PACK, capture_output=True, encoding="utf-8", timeout=60)
        assert ran.returncode == 0, ran.stderr
        assert len(json.loads(ran.stdout)["warnings"]) == warned
        with Image.open(tmp_path / "png" / "frame_000000.png") as image:
            assert image.size == (width, 96)
