"""Pictures for people: contact sheets and frames as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sora_jobs.errors import MediaError, StorageError
from sora_jobs.media.export import save_frames, save_png
from sora_jobs.media.frames import FrameChoice, load_frames
from sora_jobs.media.probe import examine
from sora_jobs.media.sheet import Tile, contact_sheet, draw, tiles_of

from ..failures import failing
from .clips import cut, make_clip, number_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 40)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_frames_are_written_under_their_own_numbers(clip: Path, tmp_path: Path) -> None:
    """Named by the source's frame number, returned in order, equal to what load_frames gives; nothing else is left."""
    choice = FrameChoice(skip_first_frames=3, select_every_nth=10)
    files = save_frames(clip, tmp_path / "new" / "frames", choice)
    assert [file.name for file in files] == [f"frame_{number:06d}.png" for number in (3, 13, 23, 33)]
    assert sorted((tmp_path / "new" / "frames").iterdir()) == files
    loaded = load_frames(clip, choice)
    for file, frame in zip(files, loaded.pixels, strict=True):
        assert np.array_equal(opened(file), np.rint(frame * 255))


def test_a_repeated_frame_is_one_file_and_a_size_is_kept(clip: Path, tmp_path: Path) -> None:
    """60 a second out of 30 repeats frames: each is written once."""
    files = save_frames(clip, tmp_path, FrameChoice(force_rate=60, frame_load_cap=7, custom_width=80))
    assert [file.name for file in files] == [f"frame_{number:06d}.png" for number in range(4)]
    assert opened(files[0]).shape == (48, 80, 3)


def test_a_cut_file_gives_the_files_that_it_has(tmp_path: Path) -> None:
    """As many as load_frames gives, also when they are counted from the end."""
    short = cut(make_clip(tmp_path / "whole.mp4", 90), tmp_path / "short.mp4", 0.7)
    count = len(load_frames(short).pixels)
    assert len(save_frames(short, tmp_path / "all")) == count
    (last,) = save_frames(short, tmp_path / "last", FrameChoice(skip_first_frames=-1))
    assert last.name == f"frame_{count - 1:06d}.png"
    with failing(MediaError, "no_frame_chosen", "has 90"):
        save_frames(tmp_path / "whole.mp4", tmp_path, FrameChoice(skip_first_frames=90))


def test_a_disk_that_refuses_is_told_and_leaves_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the second file: StorageError, and no half-written file under any name."""
    plain = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "frame_000001.png":
            raise OSError(28, "No space left on device")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with failing(StorageError, "disk_full", "No space left"):
        save_frames(clip, tmp_path)
    assert not [file.name for file in tmp_path.iterdir() if not file.name.startswith("frame_")]
    assert all(opened(file).shape == (96, 160, 3) for file in tmp_path.iterdir())


def test_a_png_replaces_an_older_one_whole(tmp_path: Path) -> None:
    """The new picture is under the name, folders are made, and a folder in its place is StorageError."""
    target = tmp_path / "a" / "picture.png"
    for level in (10, 200):
        save_png(target, np.full((4, 5, 3), level, np.uint8))
        assert (opened(target) == level).all()
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(StorageError):
        save_png(tmp_path / "a", np.zeros((4, 5, 3), np.uint8))


def tiles_in(sheet: np.ndarray, columns: int, count: int, aspect: float) -> list[int]:
    """The frame numbers that the tiles of a 1600 wide sheet without title and labels carry."""
    margin, gap = 32, 12
    wide = (1600 - 2 * margin - (columns - 1) * gap) // columns
    tall = round(wide * aspect)
    found = []
    for at in range(count):
        left, top = margin + at % columns * (wide + gap), margin + at // columns * (tall + gap)
        found.append(number_of(sheet[top : top + tall, left : left + wide] / 255))
    return found


def bare(clip: Path) -> np.ndarray:
    """The sheet of a file without title and labels."""
    _, _, tiles = tiles_of(examine(clip), "auto", FrameChoice())
    return draw([Tile(tile.picture) for tile in tiles], "")


def test_a_sheet_shows_frames_evenly_from_first_to_last(clip: Path) -> None:
    """24 of 40, in rows, each one recognised."""
    assert tiles_in(bare(clip), 6, 24, 96 / 160) == [round(at * 39 / 23) for at in range(24)]


def test_labels_and_title_take_room_below_and_above(clip: Path, tmp_path: Path) -> None:
    """With labels the sheet is higher, and as wide."""
    contact_sheet(clip, tmp_path / "full.png")
    full = opened(tmp_path / "full.png")
    assert bare(clip).shape[1] == full.shape[1] == 1600
    assert full.shape[0] > bare(clip).shape[0] + 4 * 15


def test_a_sheet_of_a_cut_file_ends_with_its_last_frame(tmp_path: Path) -> None:
    """The last tile is the last frame that can be decoded, not a hole."""
    short = cut(make_clip(tmp_path / "whole.mp4", 90), tmp_path / "short.mp4", 0.7)
    count = len(load_frames(short).pixels)
    numbers = tiles_in(bare(short), 6, 24, 96 / 160)
    assert (numbers[0], numbers[-1], len(set(numbers))) == (0, count - 1, 24)


def test_a_sheet_of_few_frames_has_few_tiles(tmp_path: Path) -> None:
    """One frame takes the whole width; the colours are in RGB order."""
    single = bare(make_clip(tmp_path / "one.mp4", 1))
    assert (single.shape[1], single.dtype) == (1600, np.uint8)
    assert number_of(single[32:-32, 32:-32] / 255) == 0
    red, blue = single[-150, 100].astype(int), single[-150, -100].astype(int)
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
