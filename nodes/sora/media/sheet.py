"""A contact sheet: frames of a video side by side, for people who would rather look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInput
from .choice import FrameChoice
from .export import save_frames, save_png
from .frames import warnings_of
from .probe import Source, examine, verify_mp4
from .reader import planned
from .resize import Pixels, stretched
from .stills import chosen_frames

if TYPE_CHECKING:
    from PIL import Image, ImageFont

__all__ = ["contact_sheet", "save_frames", "save_png", "sheet_of", "verify_mp4"]

ROWS = 4  # of a sheet whose number of tiles nobody chose
BACKGROUND, TITLE, CAPTION, FAINT = (17, 19, 24), (236, 238, 243), (198, 203, 214), (112, 119, 134)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """A picture with what stands below it, on the left and on the right."""

    picture: Pixels
    left: str = ""
    right: str = ""


def contact_sheet(
    pixels_or_path: Floats | str | Path,
    target: str | Path,
    *,
    columns: int = 6,
    width: int = 1600,
    labels: bool = True,
    fps: float | None = None,
    untagged: str = "auto",
    warn: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write a sheet of up to 4 rows as a PNG to `target`: frames evenly chosen, first and last among them.

    From a video file, or from float32 [N, H, W, 3] in 0..1; then `fps` gives the captions their times. `width` in
    pixels; `untagged` as in `load_frames`, whose warnings `warn` is told. Errors are those of `load_frames`, and
    DiskTrouble.
    """
    most = columns * ROWS
    if isinstance(pixels_or_path, np.ndarray):
        title, tiles = "", _tiles_of(pixels_or_path, fps, None, most)
    else:
        source, title, tiles = _tiles_of_file(examine(pixels_or_path), most, untagged)
        for warning in warnings_of(source, planned(source, FrameChoice()), source.info.frames):
            warn(warning)
    if not labels:
        title, tiles = "", [replace(tile, left="", right="") for tile in tiles]
    save_png(Path(target), draw(tiles, columns=columns, width=width, title=title))
    return Path(target)


def sheet_of(frames: Floats, *, fps: float, indices: NDArray[np.int64] | None = None, tiles: int = 12) -> Pixels:
    """The sheet of float32 [N, H, W, 3] as uint8 [H, W, 3]; `indices` [N] are the frame numbers to show."""
    chosen = _tiles_of(frames, fps, indices, tiles)
    return draw(chosen, columns=4 if len(chosen) <= 12 else 6, width=1600, title="")


def draw(tiles: list[Tile], *, columns: int, width: int, title: str) -> Pixels:
    """uint8 [H, width, 3]: the tiles in rows, all as large as the first one is in proportion."""
    if not tiles or columns < 1 or width < columns * 32:
        raise InvalidInput(f"A sheet of {len(tiles)} frames in {columns} columns does not fit {width} pixels.")
    from PIL import Image, ImageDraw

    columns = min(columns, len(tiles))
    margin, gap = round(width * 0.02), max(4, round(width * 0.0075))
    wide = (width - 2 * margin - (columns - 1) * gap) // columns
    tall = max(1, round(wide * tiles[0].picture.shape[0] / tiles[0].picture.shape[1]))
    small = max(10, min(round(wide * 0.062), 18))
    below = round(small * 2.2) if any(tile.left or tile.right for tile in tiles) else 0
    head = round(small * 2.6) if title else 0
    rows = -(-len(tiles) // columns)
    height = 2 * margin + head + rows * (tall + below) + (rows - 1) * gap
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    if title:
        name, _, facts = title.partition("\n")
        pen.text((width - margin, margin + 2), facts, FAINT, _font(small + 1), anchor="ra")
        room = width - 3 * margin - pen.textlength(facts, _font(small + 1))
        pen.text((margin, margin), _shortened(name, room, _font(small + 4)), TITLE, _font(small + 4))
    corners = _rounded(wide, tall, max(3, wide // 50))
    for number, tile in enumerate(tiles):
        left = margin + number % columns * (wide + gap)
        top = margin + head + number // columns * (tall + below + gap)
        sheet.paste(Image.fromarray(stretched(tile.picture, wide, tall)), (left, top), corners)
        line = top + tall + round(small * 0.5)
        pen.text((left + 2, line), tile.left, CAPTION, _font(small))
        pen.text((left + wide - 2, line), tile.right, FAINT, _font(small), anchor="ra")
    return np.array(sheet)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _shortened(name: str, room: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """A name that fits `room` pixels, its middle left out; none where the font has no signs for it."""
    if not name.isascii():
        return ""
    keep = len(name)
    shown = name
    while keep > 4 and font.getlength(shown) > room:
        keep -= 1
        shown = f"{name[: keep // 2]}...{name[-(keep - keep // 2) :]}"
    return shown


def _rounded(width: int, height: int, radius: int) -> Image.Image:
    """A mask of the tile with smooth round corners."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return mask.resize((width, height), Image.Resampling.BOX)


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` of 0..count-1, evenly spaced, the first and the last among them."""
    if count < 1 or most < 1:
        raise InvalidInput(f"A sheet of {most} out of {count} frames has nothing to show.")
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


def _tiles_of(frames: Floats, fps: float | None, indices: NDArray[np.int64] | None, most: int) -> list[Tile]:
    if frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise InvalidInput(f"Frames are [N, H, W, 3], not {frames.shape}.")
    tiles = []
    for at in _evenly(len(frames), most):
        eight = np.clip(np.rint(frames[at] * 255), 0, 255).astype(np.uint8)
        number = int(at if indices is None else indices[at])
        tiles.append(Tile(eight, f"{at / fps:.2f} s" if fps else "", f"frame {number}"))
    return tiles


def _tiles_of_file(source: Source, most: int, untagged: str) -> tuple[Source, str, list[Tile]]:
    """(the source as its decoder counted it, title, tiles) from a file, of which no more is held than the tiles."""
    source, frames = chosen_frames(source, lambda count: _evenly(count, most), untagged=untagged)
    tiles = [Tile(picture, f"{source.times_s[number]:.2f} s", f"frame {number}") for number, picture in frames.items()]
    info = source.info
    facts = f"{info.frames} frames  ·  {info.duration_s:.2f} s  ·  {info.width}x{info.height}  ·  {info.fps:.4g} fps"
    return source, f"{source.path.name}\n{facts}", tiles
