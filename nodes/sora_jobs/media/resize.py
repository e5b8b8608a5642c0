"""Pictures of one size made into pictures of another: crop, pad or stretch, without fringes and without moiré."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..jobs.identity import FITS, largest_part
from . import backends

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]  # 8 bits each, in the order of the pixels that it is put among
Point = tuple[float, float]  # x and y as shares of width and height, from the upper left

BLACK: Colour = (0, 0, 0)
CENTRE: Point = (0.5, 0.5)
BLURRED_SIDE = 64  # pixels of the longer side in which a backdrop is blurred: so small that it costs next to nothing
BLUR = 2.0  # standard deviation in those pixels: 3 % of the longer side


def on_colour(pixels: Pixels, colour: Colour = BLACK) -> Pixels:
    """uint8 [H, W, 3 or 4] -> uint8 [H, W, 3]; alpha is composited on the colour, RGB is returned as it is.

    Done before resizing it keeps the colour that hides under transparent pixels from bleeding into the edges.
    """
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3] * alpha
    if colour != BLACK:
        mixed += (255 - alpha) * np.array(colour, np.uint16)
    return ((mixed + 127) // 255).astype(np.uint8)


def stretched(pixels: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """uint8 or float32 [H, W, 3] -> [height, width, 3]: a side that shrinks is area-averaged, one that grows Lanczos.

    The sides are handled one after the other where they differ, since OpenCV's area average turns into something
    else when one of them grows. The same pixels come back where nothing changes.
    """
    cv2 = backends.cv2()
    smaller = (min(width, pixels.shape[1]), min(height, pixels.shape[0]))
    if smaller != (pixels.shape[1], pixels.shape[0]):
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    if smaller == (width, height):
        return pixels
    # In floats: the weights of OpenCV's bytes do not always add up to 1, and a plain colour would get another one.
    grown: NDArray[Any] = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_LANCZOS4)
    if pixels.dtype != np.uint8:
        return grown
    flat = grown.reshape(height, -1)  # two dimensions: OpenCV would take the factor for the first channel alone
    rounded: Pixels = cv2.multiply(flat, 1.0, dtype=cv2.CV_8U).reshape(grown.shape)
    return rounded


def middle(
    width: int, height: int, aspect_width: int, aspect_height: int, focus: Point = CENTRE
) -> tuple[int, int, int, int]:
    """The largest part of width x height with the other aspect: (left, top, width, height) in pixels. `focus` lies as
    near its middle as the edges allow."""
    wide, tall = largest_part(width, height, aspect_width, aspect_height)
    left = min(max(0, _nearest(focus[0] * width - wide / 2)), width - wide)
    top = min(max(0, _nearest(focus[1] * height - tall / 2)), height - tall)
    return left, top, wide, tall


def _nearest(place: float) -> int:
    """The whole number; of two that are as near the lower one."""
    return math.ceil(place - 0.5)


def cropped(pixels: Pixels, width: int, height: int, pixel_aspect: Fraction) -> Pixels:
    """uint8 [H, W, 3], whose pixels are `pixel_aspect` times as wide as they are high -> uint8 [height, width, 3] in
    square ones: the middle of what it shows, and all of it where only rounding keeps the proportions apart."""
    if pixel_aspect == 1:
        return fitted(pixels, width, height, "crop")
    tall, wide = pixels.shape[:2]
    shown = (round(wide * pixel_aspect), tall) if pixel_aspect > 1 else (wide, round(tall / pixel_aspect))
    left, top = 0, 0
    if not (round(width * shown[1] / shown[0]) == height or round(height * shown[0] / shown[1]) == width):
        shape = (width * pixel_aspect.denominator, height * pixel_aspect.numerator)
        left, top, wide, tall = middle(wide, tall, *shape)
    return stretched(pixels[top : top + tall, left : left + wide], width, height)


def fitted(
    pixels: Pixels,
    width: int,
    height: int,
    fit: str,
    *,
    focus: Point = CENTRE,
    background: Colour = BLACK,
    blurred: bool = False,
) -> Pixels:
    """uint8 [H, W, 3 or 4] -> uint8 [height, width, 3], RGB.

    `crop` fills the size and cuts what sticks out, with `focus` as near the middle as the edges allow; `pad` shows all
    of it between bars of the `background`, or `blurred` of a copy of itself, with what room there is shared out as
    `focus` says (0: at the left or upper edge, 1: at the other one); `stretch` changes its proportions. Alpha is
    composited on the background. RGB that has the size already comes back untouched. InvalidInputError for another
    `fit`, for a size below 1 and for pixels of another kind.
    """
    if fit not in FITS:
        raise InvalidInputError(
            f"{fit!r} is not a way to fit an image.", hint=f"Choose from: {', '.join(FITS)}.", code="unknown_option"
        )
    if width < 1 or height < 1:
        raise InvalidInputError(f"{width}x{height} is not a size.", code="invalid_size")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
        raise InvalidInputError(
            f"An image is uint8 [H, W, 3 or 4], not {pixels.dtype} {pixels.shape}.", code="invalid_image"
        )
    tall, wide = pixels.shape[:2]
    if (wide, tall) == (width, height) or fit == "stretch":
        return stretched(on_colour(pixels, background), width, height)
    if fit == "crop":
        left, top, wide, tall = middle(wide, tall, width, height, focus)
        return stretched(on_colour(pixels[top : top + tall, left : left + wide], background), width, height)
    picture = on_colour(pixels, background)
    _, _, wide, tall = middle(width, height, wide, tall)
    left, top = _nearest((width - wide) * focus[0]), _nearest((height - tall) * focus[1])
    canvas = _backdrop(picture, width, height) if blurred else np.full((height, width, 3), background, np.uint8)
    canvas[top : top + tall, left : left + wide] = stretched(picture, wide, tall)
    return canvas


def _backdrop(picture: Pixels, width: int, height: int) -> Pixels:
    """uint8 [height, width, 3]: the picture filling it, out of focus. It is blurred while it is small; its edges count
    as going on outside, so that they do not darken."""
    cv2 = backends.cv2()
    left, top, wide, tall = middle(picture.shape[1], picture.shape[0], width, height)
    scale = min(1.0, BLURRED_SIDE / max(width, height))
    small = stretched(
        picture[top : top + tall, left : left + wide], max(1, round(width * scale)), max(1, round(height * scale))
    )
    small = cv2.GaussianBlur(small, (0, 0), BLUR, borderType=cv2.BORDER_REPLICATE)
    canvas: Pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return canvas
