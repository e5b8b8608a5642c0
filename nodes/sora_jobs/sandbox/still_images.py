"""A film's other two variants as files."""

from __future__ import annotations

import io
from pathlib import Path

from ..media import still_images
from ..media.resize import Pixels


def thumbnail(path: Path) -> bytes:
    """The frame in the film's middle, as a WebP of the film's size."""
    return _image_file(still_images.thumbnail(path), "WEBP")


def spritesheet(path: Path) -> bytes:
    """Twelve frames from the first to the last in a grid of four by three, as a JPEG."""
    return _image_file(still_images.spritesheet(path), "JPEG")


def _image_file(picture: Pixels, image_format: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, image_format, quality=90)
    return file.getvalue()
