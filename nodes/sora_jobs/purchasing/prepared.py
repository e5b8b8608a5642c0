"""A purchase that was found right, and is neither written down nor sent yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..gateway.clients import Clients
from ..jobs.quote import Quote
from ..jobs.spec import Job, VideoRequest

Image = NDArray[np.uint8]
Tell = Callable[[str], None]


def tell_nobody(_: str) -> None:
    """For whoever wants no warning."""


@dataclass(frozen=True)
class PreparedPurchase:
    """A purchase that was found right: nothing of it is written or sent yet. It goes on with the settings by which it
    was found so, those of `clients`. `files` are its kept references; `tell(warning)` is called before it is sent, with
    what the user should know of its model."""

    clients: Clients
    spec: VideoRequest
    remix_of: Job | None
    images: tuple[Image, ...]
    files: list[str]
    origin: str
    quote: Quote
    tell: Tell = tell_nobody


def pngs(images: tuple[Image, ...]) -> list[bytes]:
    """Return each image as a PNG."""
    if not images:
        return []
    from ..media.reference import to_png

    return [to_png(image) for image in images]
