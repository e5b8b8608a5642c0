"""A film's other two variants: a picture from its middle, and a sheet of twelve."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
COLUMNS, ROWS = 4, 3
COLUMN_WIDTH = 320  # pixels


def thumbnail(path: Path) -> bytes:
    """The frame in the film's middle, as a WebP of the film's size."""
    return _image_file(_frames(path, 3)[1], "WEBP")


def spritesheet(path: Path) -> bytes:
    """Twelve frames from the first to the last in a grid of four by three, as a JPEG."""
    import cv2

    frames = _frames(path, COLUMNS * ROWS)
    size = (COLUMN_WIDTH, COLUMN_WIDTH * frames[0].shape[0] // frames[0].shape[1])
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    rows = [np.hstack(small[start : start + COLUMNS]) for start in range(0, len(small), COLUMNS)]
    return _image_file(np.vstack(rows), "JPEG")


def _frames(path: Path, count: int) -> list[Picture]:
    """`count` frames, evenly from the first to the last, as RGB."""
    import av

    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        wanted = [round(place) for place in np.linspace(0, stream.frames - 1, count)]
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for number, frame in enumerate(container.decode(stream))
            if number in wanted
        ]


def _image_file(picture: Picture, image_format: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, image_format, quality=90)
    return file.getvalue()
