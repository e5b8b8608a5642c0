"""A video's thumbnail and spritesheet, made from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sora_jobs.errors import MediaError
from sora_jobs.media.frames import load_frames
from sora_jobs.media.still_images import spritesheet, thumbnail

from ..failures import failing
from .clips import cut, make_clip, number_of, numbers_of, rotated


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 100, size=(320, 180))


def tiles(sheet: np.ndarray) -> list[int]:
    """The frame numbers that a sheet shows, row by row."""
    tall = sheet.shape[0] // 3
    return [
        number_of(sheet[row * tall : (row + 1) * tall, column * 320 : (column + 1) * 320] / 255)
        for row in range(3)
        for column in range(4)
    ]


def test_the_thumbnail_is_the_frame_in_the_middle(clip: Path) -> None:
    """Pixel for pixel as LoadVideoFrames gives it, in the film's own size."""
    picture = thumbnail(clip)
    assert (picture.shape, picture.dtype, number_of(picture / 255)) == ((180, 320, 3), np.uint8, 50)
    assert np.array_equal(picture, np.rint(load_frames(clip).pixels[50] * 255))


def test_the_spritesheet_shows_twelve_from_first_to_last(clip: Path, tmp_path: Path) -> None:
    """Edge to edge in four columns of 320 pixels; a film of fewer frames shows some more than once."""
    sheet = spritesheet(clip)
    assert sheet.shape == (3 * 180, 4 * 320, 3)
    assert tiles(sheet) == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    assert tiles(spritesheet(make_clip(tmp_path / "short.mp4", 3))) == [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2]


def test_any_shape_and_one_frame(tmp_path: Path) -> None:
    """A single tall frame, and one that is turned."""
    one = make_clip(tmp_path / "one.mp4", 1, size=(90, 160))
    assert thumbnail(one).shape == (160, 90, 3)
    assert spritesheet(one).shape == (3 * (320 * 160 // 90), 1280, 3)
    turned = rotated(make_clip(tmp_path / "flat.mp4", 5), tmp_path / "turned.mp4", 90)
    assert thumbnail(turned).shape == (160, 96, 3)


def test_a_cut_file_shows_what_it_has(clip: Path, tmp_path: Path) -> None:
    """Of a file that lost its end, the middle and the twelve are those of what is left; of no video, it is told."""
    short = cut(clip, tmp_path / "short.mp4", 0.6)
    left = numbers_of(load_frames(short).pixels)
    count = len(left)
    assert 12 < count < 90
    assert abs(number_of(thumbnail(short) / 255) - count // 2) <= 1  # a packet may be whole and its frame not
    shown = tiles(spritesheet(short))
    assert (shown[0], shown[-1]) == (0, left[-1])  # of the last ones, some may be lost
    (tmp_path / "text.mp4").write_text("hello", encoding="utf-8")
    for make in (thumbnail, spritesheet):
        with failing(MediaError, "not_a_video", "text.mp4"):
            make(tmp_path / "text.mp4")
