"""A video's other two variants, made from its file: a frame from the middle, and a sheet of twelve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from . import backends
from .container import DOWNLOAD_AGAIN_HINT
from .guard import guarded
from .probe import examine
from .reader import Miscounted, pictures, planned, reader_for
from .resize import Pixels, stretched
from .selection import FrameChoice
from .source import Source

COLUMNS, ROWS = 4, 3
COLUMN_WIDTH = 320  # pixels


@guarded
def still(path: Path, variant: str) -> Pixels:
    """uint8 [H, W, 3]: the thumbnail or the spritesheet of a video file. MediaError for a file that is none."""
    return thumbnail(path) if variant == "thumbnail" else spritesheet(path)


@guarded
def thumbnail(path: Path) -> Pixels:
    """The frame in the film's middle, as large as the film: uint8 [H, W, 3]."""
    _, frames = chosen_frames(examine(path), lambda count: np.array([count // 2]))
    return next(iter(frames.values()))


@guarded
def small_jpeg(path: Path, width: int) -> bytes:
    """The thumbnail, at most `width` pixels wide, as a JPEG. MediaError for a file that is none."""
    cv2 = backends.cv2()
    picture = thumbnail(path)
    width = min(width, picture.shape[1])
    picture = stretched(picture, width, max(1, round(picture.shape[0] * width / picture.shape[1])))
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise MediaError(f"No small picture of {path.name} could be made.", code="not_decodable")
    return bytes(jpeg)


@guarded
def spritesheet(path: Path) -> Pixels:
    """Twelve frames from the first to the last in a grid of four by three, edge to edge: uint8 [H, 1280, 3]."""

    def small(picture: Pixels) -> Pixels:
        height = max(1, COLUMN_WIDTH * picture.shape[0] // picture.shape[1])
        return stretched(picture, COLUMN_WIDTH, height)

    source, frames = chosen_frames(examine(path), _twelve, small)
    wanted = source.numbers[_twelve(len(source.numbers))]
    tiles = [frames[min(frames, key=lambda there: abs(there - number))] for number in wanted]
    return np.vstack([np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)])


def chosen_frames(
    source: Source,
    choose: Callable[[int], NDArray[np.int64]],
    shape: Callable[[Pixels], Pixels] = lambda picture: picture,
    untagged: str = "auto",
) -> tuple[Source, dict[int, Pixels]]:
    """(the source as its decoder counted it, {frame number: RGB picture after `shape`}) of the frames that
    `choose(how many there are)` names by their places among all that are there, rising. No more is decoded than that
    needs."""
    cv2 = backends.cv2()
    there = source.numbers
    made = replace(planned(source, FrameChoice()), indices=there[choose(len(there))], open_end=False)
    try:
        with reader_for(source, made, untagged) as reader:
            found = {
                number: shape(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                for number, _, picture in pictures(reader, source, made)
            }
    except Miscounted as better:
        return chosen_frames(better.source, choose, shape, untagged)
    if not found:
        raise MediaError(
            f"None of the chosen frames of {source.path.name} can be decoded.",
            hint=DOWNLOAD_AGAIN_HINT,
            code="not_decodable",
        )
    return source, found


def _twelve(count: int) -> NDArray[np.int64]:
    """Evenly from the first to the last; of a film with fewer frames some come more than once."""
    return np.rint(np.linspace(0, count - 1, COLUMNS * ROWS)).astype(np.int64)
