"""A contact sheet: frames of a video side by side, for people who would rather look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .export import save_png
from .guard import guarded
from .notes import warnings_of
from .probe import examine
from .reader import planned
from .resize import Pixels, cropped, stretched
from .selection import SQUARE, FrameChoice
from .source import Source
from .still_images import chosen_frames

if TYPE_CHECKING:
    from PIL import Image, ImageFont

COLUMNS, ROWS = 6, 4  # at most
WIDTH = 1600  # pixels
BACKGROUND, TITLE, CAPTION, FAINT = (17, 19, 24), (236, 238, 243), (198, 203, 214), (112, 119, 134)


@dataclass(frozen=True)
class Tile:
    """A picture with what stands below it, on the left and on the right."""

    picture: Pixels
    left: str = ""
    right: str = ""


@guarded
def contact_sheet(
    path: str | Path,
    target: str | Path,
    *,
    untagged: str = "auto",
    square_pixels: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Write a sheet of a video's frames as a PNG to `target`: up to 24 evenly chosen, first and last among them.

    `untagged` as in `load_frames`, whose warnings `warn` is told; `square_pixels` as in FrameChoice. Errors are those
    of `load_frames`, and StorageError.
    """
    choice = FrameChoice(square_pixels=square_pixels)
    source, title, tiles = tiles_of(examine(path), untagged, choice)
    for warning in warnings_of(source, planned(source, FrameChoice()), source.info.frames, choice):
        warn(warning)
    save_png(Path(target), draw(tiles, title))


def draw(tiles: list[Tile], title: str) -> Pixels:
    """uint8 [H, WIDTH, 3]: the tiles in rows, all as large as the first one is in proportion."""
    from PIL import Image, ImageDraw

    columns = min(COLUMNS, len(tiles))
    margin, gap = round(WIDTH * 0.02), round(WIDTH * 0.0075)
    wide = (WIDTH - 2 * margin - (columns - 1) * gap) // columns
    tall = max(1, round(wide * tiles[0].picture.shape[0] / tiles[0].picture.shape[1]))
    small = max(10, min(round(wide * 0.062), 18))
    below = round(small * 2.2) if any(tile.left or tile.right for tile in tiles) else 0
    head = round(small * 2.6) if title else 0
    rows = -(-len(tiles) // columns)
    height = 2 * margin + head + rows * (tall + below) + (rows - 1) * gap
    sheet = Image.new("RGB", (WIDTH, height), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    if title:
        name, _, facts = title.partition("\n")
        pen.text((WIDTH - margin, margin + 2), facts, FAINT, _font(small + 1), anchor="ra")
        room = WIDTH - 3 * margin - pen.textlength(facts, _font(small + 1))
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


def _evenly(count: int) -> NDArray[np.int64]:
    """Up to COLUMNS * ROWS of 0..count-1, evenly spaced, the first and the last among them."""
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, COLUMNS * ROWS))).astype(np.int64))


def tiles_of(source: Source, untagged: str, choice: FrameChoice) -> tuple[Source, str, list[Tile]]:
    """(the source as its decoder counted it, title, tiles) of a file, of which no more is held than the tiles. Of the
    choice only the size counts."""
    aspect = source.info.pixel_aspect if choice.square_pixels else SQUARE
    width, height = choice.size(source.info.width, source.info.height, aspect)
    source, frames = chosen_frames(
        source, _evenly, lambda picture: cropped(picture, width, height, aspect), untagged=untagged
    )
    tiles = [Tile(picture, f"{source.times_s[number]:.2f} s", f"frame {number}") for number, picture in frames.items()]
    info = source.info
    facts = f"{info.frames} frames  ·  {info.duration_s:.2f} s  ·  {width}x{height}  ·  {info.fps:.4g} fps"
    return source, f"{source.path.name}\n{facts}", tiles
