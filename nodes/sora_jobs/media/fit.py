"""A reference as SoraFitReference makes it: fitted by hand, to be looked at before anything is paid for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..jobs.identity import FITS
from ..jobs.spec import parse_size
from .guard import guarded
from .reference import eight_bits, from_float
from .resize import Colour, Pixels, fitted

PADDINGS = ("colour", "blurred")
NO_MASK = (64, 64)  # LoadImage's mask of an image without transparency, whatever that image's size: all zero


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How an image is brought to a size, as `fitted` explains it. InvalidInputError for an option that makes no sense.

    `focus_x` and `focus_y` are shares of the width and the height, from the upper left; `padding` is what the bars of
    `pad` show; on `background` ("#rrggbb") transparent images are put, too.
    """

    fit: str = "crop"
    focus_x: float = 0.5
    focus_y: float = 0.5
    padding: str = "colour"
    background: str = "#000000"

    def __post_init__(self) -> None:
        for name, value, known in (("fit", self.fit, FITS), ("padding", self.padding, PADDINGS)):
            if value not in known:
                raise InvalidInputError(
                    f"{name} is {value!r}.", hint=f"Choose from: {', '.join(known)}.", code="unknown_option"
                )
        for name, share in (("focus_x", self.focus_x), ("focus_y", self.focus_y)):
            if not 0 <= share <= 1:
                hint = "Give a number from 0 to 1; 0.5 is the middle."
                raise InvalidInputError(f"{name} is {share}.", hint=hint, code="out_of_range")
        parse_colour(self.background)


@guarded
def fit_reference(image: NDArray[Any], size: str, how: Fitting, mask: NDArray[Any] | None = None) -> Pixels:
    """ComfyUI's IMAGE, a float batch of one, and its MASK -> uint8 [H, W, 3] of exactly the `size` ("1280x720").

    InvalidInputError as in `from_float` and `masked`, and for a size that is none.
    """
    width, height = parse_size(size)
    pixels = from_float(image)
    return fitted(
        pixels if mask is None else masked(pixels, mask),
        width,
        height,
        how.fit,
        focus=(how.focus_x, how.focus_y),
        background=parse_colour(how.background),
        blurred=how.padding == "blurred",
    )


def masked(pixels: Pixels, mask: NDArray[Any]) -> Pixels:
    """uint8 [H, W, 3 or 4] and a MASK, float [H, W] or [1, H, W] with 1 where it is transparent -> uint8 [H, W, 4].

    An image with an alpha of its own is as transparent as the clearer of the two, so that the mask of that very alpha
    changes nothing. LoadImage's mask of an image without transparency is none. InvalidInputError for more masks than
    one, another size than the image's, and for NaN or infinity.
    """
    if mask.ndim < 2 or mask.size != mask.shape[-2] * mask.shape[-1]:
        message = f"A mask is one picture, [1, H, W], not {mask.shape}."
        raise InvalidInputError(message, hint="Pick one mask first.", code="invalid_mask")
    high, broad = mask.shape[-2:]
    tall, wide = pixels.shape[:2]
    if (high, broad) != (tall, wide):
        if (high, broad) == NO_MASK and not mask.any():
            return pixels
        raise InvalidInputError(
            f"The mask is {broad}x{high}, the image {wide}x{tall}.",
            hint="Connect the mask of this very image, or bring one of them to the other's size first.",
            code="mask_size_differs",
        )
    alpha = 255 - eight_bits(mask.reshape(tall, wide), "mask")
    if pixels.shape[2] == 4:
        alpha = np.minimum(alpha, pixels[..., 3])
    return np.dstack([pixels[..., :3], alpha])


def parse_colour(text: str) -> Colour:
    """`"#ff8000"` -> (255, 128, 0). InvalidInputError for anything else."""
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text.strip()) is None:
        raise InvalidInputError(
            f"{text!r} is not a colour.",
            hint="Write # and six digits 0-f, two each for red, green and blue: #ff8000.",
            code="invalid_colour",
        )
    red, green, blue = bytes.fromhex(text.strip()[1:])
    return red, green, blue
