"""What the sandbox films: a lake among hills, or the reference under a slow camera, with the prompt on it.

Everything is drawn from the request alone, so the same request gives the same bytes.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .caption import Caption
from .encode import FPS
from .landscape import Landscape

Picture = NDArray[np.uint8]
COARSE = 16  # the bands of a remix are computed on a grid this much smaller, and then grown smoothly
ZOOM = 0.10  # how far the camera moves in


@dataclass(frozen=True)
class Scene:
    """All that decides a film. `first` and `last` are RGB pictures of its size; a remix has a seed of its own."""

    prompt: str
    seed: bytes
    width: int
    height: int
    seconds: int
    first: Picture | None = None
    last: Picture | None = None
    remix_seed: bytes = b""
    place: str = ""  # the oldest prompt, whose words chose the landscape that a remix keeps


def film(scene: Scene) -> Iterator[Picture]:
    """The frames, RGB [height, width, 3]: the first is the reference as it came, the last the last reference."""
    count = scene.seconds * FPS
    backdrop = None
    if scene.first is None:
        backdrop = Landscape(scene.place or scene.prompt, scene.seed, scene.width, scene.height, scene.seconds)
    aurora = _Aurora(scene) if scene.remix_seed else None
    caption = Caption(scene.prompt, scene.width, scene.height)
    for number in range(count):
        time, share = number / FPS, number / max(1, count - 1)
        picture = backdrop.at(time) if backdrop is not None else _camera(scene, share)
        shown = 1.0 if scene.first is None else _ease(time - 0.3)
        if scene.last is not None:
            shown *= _ease((count - 1 - number) / FPS - 0.1)
        if aurora is not None:
            picture = aurora.over(picture, time, shown)
        yield caption.over(picture, number, shown) if shown > 0 else picture


def open_picture(data: bytes) -> Picture:
    """An uploaded image as RGB [H, W, 3]."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def _camera(scene: Scene, share: float) -> Picture:
    """The reference seen by a camera that moves in; towards the end the last reference takes its place."""
    assert scene.first is not None
    picture = _zoomed(scene.first, ZOOM * share, scene.seed)
    if scene.last is None or share < 0.6:
        return picture
    import cv2

    blend = _ease((share - 0.6) / 0.4)
    other = _zoomed(scene.last, ZOOM * (1 - share), scene.seed)
    return np.asarray(cv2.addWeighted(picture, 1 - blend, other, blend, 0), np.uint8)


def _zoomed(picture: Picture, amount: float, seed: bytes) -> Picture:
    if amount == 0:
        return picture
    import cv2

    height, width = picture.shape[:2]
    centre = (width * (0.35 + 0.3 * seed[6] / 255), height * (0.4 + 0.2 * seed[7] / 255))
    matrix = cv2.getRotationMatrix2D(centre, 0, 1 + amount)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


class _Aurora:
    """Bands of light over a remix, so that it is seen to be another take on the same picture."""

    def __init__(self, scene: Scene) -> None:
        self.size = (scene.width, scene.height)
        columns, rows = max(2, scene.width // COARSE), max(2, scene.height // COARSE)
        self.y, self.x = np.mgrid[0:rows, 0:columns].astype(np.float32) / rows
        hue = scene.remix_seed[0] / 255
        self.colours = [
            255 * np.array(colorsys.hsv_to_rgb((hue + step) % 1, 0.65, 1.0), np.float32) for step in (0, 0.18, 0.4)
        ]
        self.phase = 6.2832 * scene.remix_seed[1] / 255

    def over(self, picture: Picture, time: float, shown: float) -> Picture:
        import cv2

        light = np.zeros((*self.x.shape, 3), np.float32)
        for number, colour in enumerate(self.colours):
            wave = 0.10 * np.sin(3.1 * self.x + 0.9 * time + self.phase + 2 * number) + 0.05 * np.sin(
                7 * self.x - 0.6 * time
            )
            distance = self.y - (0.22 + 0.11 * number + wave)
            band = np.exp(-np.where(distance > 0, distance / 0.05, -distance / 0.16))
            curtain = 0.7 + 0.3 * np.sin(26 * self.x + 4 * np.sin(2 * self.x + time) + number)
            light += (0.55 * shown * band * curtain)[..., None] * colour
        grown = cv2.resize(np.clip(light, 0, 255).astype(np.uint8), self.size, interpolation=cv2.INTER_CUBIC)
        dimmed = cv2.convertScaleAbs(picture, alpha=1 - 0.45 * shown)
        # Screened, not added: light over a bright sky must not burn out.
        return np.asarray(cv2.add(cv2.multiply(dimmed, 255 - grown, scale=1 / 255), grown), np.uint8)


def _ease(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return value * value * (3 - 2 * value)


def seed_of(*parts: object) -> bytes:
    """32 bytes that depend on all the parts."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
