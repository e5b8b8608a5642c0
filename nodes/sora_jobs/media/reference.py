"""An image on its way up: from ComfyUI's floats or from a file to the very pixels that are sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, MediaError
from . import backends
from .guard import guarded
from .resize import Pixels, fitted

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["eight_bits", "fitted", "from_bytes", "from_file", "from_float", "to_png"]

MOST_PIXELS = 100_000_000  # of an image file: four times a large camera's, and 400 MB as RGBA


@guarded
def from_float(image: NDArray[np.float32]) -> Pixels:
    """ComfyUI's IMAGE, float [B, H, W, C] or [H, W, C] in 0..1 -> uint8 [H, W, 3 or 4], rounded and saturated.

    One channel is taken as grey. InvalidInputError for a batch that is not one image, for NaN or infinity, and for
    another shape.
    """
    if image.ndim == 4:
        if image.shape[0] != 1:
            raise InvalidInputError(
                f"The reference holds {image.shape[0]} images; exactly one is wanted.",
                hint="Pick one with the core node ImageFromBatch.",
                code="several_images",
            )
        image = image[0]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise InvalidInputError(
            f"An image is [H, W, C] with 1, 3 or 4 channels, not {image.shape}.", code="invalid_image"
        )
    if not np.issubdtype(image.dtype, np.floating):
        raise InvalidInputError(f"An image has floats in 0..1, not {image.dtype}.", code="invalid_image")
    height, width, channels = image.shape
    pixels = eight_bits(image.reshape(height, width * channels), "reference").reshape(image.shape)
    return pixels.repeat(3, axis=2) if channels == 1 else pixels


def eight_bits(values: NDArray[np.floating], what: str) -> NDArray[np.uint8]:
    """Float [H, W] in 0..1 -> uint8 [H, W], rounded and saturated. InvalidInputError about `what` for NaN, infinity."""
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"The {what} has pixels that are not numbers (NaN or infinity).",
            hint="A node before this one went wrong; often a VAE in half precision.",
            code="not_finite",
        )
    cv2 = backends.cv2()
    # Two dimensions: OpenCV would otherwise take the factor for the first channel alone.
    eight: NDArray[np.uint8] = cv2.multiply(np.ascontiguousarray(values, np.float32), 255.0, dtype=cv2.CV_8U)
    return eight


def from_file(path: str | Path, *, most_pixels: int = MOST_PIXELS) -> Pixels:
    """An image file -> uint8 [H, W, 3], or [H, W, 4] where it has transparency; upright as its EXIF says.

    Palettes, 16-bit greys and CMYK are converted; of an animation the first picture counts. InvalidInputError when
    there is no such file, it is no image that Pillow reads whole, or it has more than `most_pixels`.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInputError(f"There is no image file {path.name}.", code="file_not_found")
    return _read(path, path.name, None, most_pixels)


def from_bytes(data: bytes, name: str, kinds: tuple[str, ...]) -> Pixels:
    """The same for a file in memory that goes by that name in errors; `kinds` are Pillow's names of those allowed."""
    return _read(io.BytesIO(data), name, kinds, MOST_PIXELS)


def _read(file: Path | io.BytesIO, name: str, kinds: tuple[str, ...] | None, most_pixels: int) -> Pixels:
    from PIL import Image, ImageOps  # at first use

    too_large = f"{name} has too many pixels; {most_pixels // 1_000_000} million is the most."
    try:
        with Image.open(file, formats=kinds) as image:
            if image.width * image.height > most_pixels:
                raise InvalidInputError(too_large, hint="Make it smaller first.", code="image_too_large")
            return _pixels(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidInputError(too_large, hint="Make it smaller first.", code="image_too_large") from None
    except InvalidInputError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them raise
        raise InvalidInputError(
            f"{name} cannot be read as an image: {type(error).__name__}.",
            hint="Give a whole PNG, JPEG or WebP file.",
            code="unreadable_image",
        ) from error


def _pixels(image: Image.Image) -> Pixels:
    """A Pillow image of any mode -> uint8 [H, W, 3 or 4]."""
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit greys; Pillow's own conversion clips them at 255
        grey = np.asarray(image).astype(np.float64)
        scale = 255 / 65535 if image.mode.startswith("I") else 1.0
        eight = np.clip(np.rint(np.nan_to_num(grey) * scale), 0, 255).astype(np.uint8)
        return np.repeat(eight[..., None], 3, axis=2)
    clear = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    return np.array(image.convert("RGBA" if clear else "RGB"))


@guarded
def to_png(pixels: Pixels) -> bytes:
    """uint8 [H, W, 3 or 4], RGB or RGBA -> a lossless PNG; the same pixels always give the same bytes.

    With OpenCV's own settings, which are made for speed: options that compress harder cost time for few per cent.
    """
    cv2 = backends.cv2()
    swap = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    picture = cv2.cvtColor(np.ascontiguousarray(pixels), swap)
    try:
        done, png = cv2.imencode(".png", picture)
    except cv2.error:  # OpenCV up to 4.10; newer ones return False
        done = False
    if not done:
        raise MediaError("OpenCV could not write a PNG.", code="not_encodable")
    return bytes(png)
