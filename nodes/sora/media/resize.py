"""Pictures of one size made into pictures of another: crop, pad or stretch, without fringes and without moiré."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInput
from ..spec import FITS
from . import lazy

Pixels = NDArray[np.uint8]


def on_black(pixels: Pixels) -> Pixels:
    """uint8 [H, W, 3 or 4] -> uint8 [H, W, 3]; alpha is composited on black, RGB is returned as it is.

    On black this equals premultiplied colour, so done before resizing it keeps the colour that hides under
    transparent pixels from bleeding into the edges.
    """
    if pixels.shape[2] == 3:
        return pixels
    weighted = pixels[..., :3].astype(np.uint16) * pixels[..., 3:]
    return ((weighted + 127) // 255).astype(np.uint8)


def stretched(pixels: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """uint8 or float32 [H, W, 3] -> [height, width, 3]: a side that shrinks is area-averaged, one that grows Lanczos.

    The sides are handled one after the other where they differ, since OpenCV's area average turns into something
    else when one of them grows. The same pixels come back where nothing changes.
    """
    cv2 = lazy.cv2()
    smaller = (min(width, pixels.shape[1]), min(height, pixels.shape[0]))
    for size, kernel in ((smaller, cv2.INTER_AREA), ((width, height), cv2.INTER_LANCZOS4)):
        if size != (pixels.shape[1], pixels.shape[0]):
            pixels = cv2.resize(pixels, size, interpolation=kernel)
    return pixels


def middle(width: int, height: int, aspect_width: int, aspect_height: int) -> tuple[int, int, int, int]:
    """The largest centred part of width x height with the other aspect: (left, top, width, height) in pixels."""
    wide = min(width, max(1, (2 * height * aspect_width + aspect_height) // (2 * aspect_height)))
    tall = min(height, max(1, (2 * width * aspect_height + aspect_width) // (2 * aspect_width)))
    return (width - wide) // 2, (height - tall) // 2, wide, tall


def fitted(pixels: Pixels, width: int, height: int, fit: str) -> Pixels:
    """uint8 [H, W, 3 or 4] -> uint8 [height, width, 3], RGB.

    `crop` fills the size and cuts what sticks out, equally on both sides; `pad` shows all of it between black
    bars; `stretch` changes its proportions. Alpha is composited on black. RGB that has the size already comes
    back untouched. InvalidInput for another `fit`, for a size below 1 and for pixels of another kind.
    """
    if fit not in FITS:
        raise InvalidInput(f"{fit!r} is not a way to fit an image.", advice=f"Choose from: {', '.join(FITS)}.")
    if width < 1 or height < 1:
        raise InvalidInput(f"{width}x{height} is not a size.")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
        raise InvalidInput(f"An image is uint8 [H, W, 3 or 4], not {pixels.dtype} {pixels.shape}.")
    tall, wide = pixels.shape[:2]
    if (wide, tall) == (width, height) or fit == "stretch":
        return stretched(on_black(pixels), width, height)
    if fit == "crop":
        left, top, wide, tall = middle(wide, tall, width, height)
        return stretched(on_black(pixels[top : top + tall, left : left + wide]), width, height)
    left, top, inner_width, inner_height = middle(width, height, wide, tall)
    canvas = np.zeros((height, width, 3), np.uint8)
    inner = stretched(on_black(pixels), inner_width, inner_height)
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas
