"""A 1080p image on its way up to a 1280x720 job: quantised, resized, encoded. Medians of seven, in turns.

Beside ours the plain Pillow way, as most nodes do it: `(255 * image).clip(0, 255).astype(uint8)`, which cuts off,
Lanczos, PNG with Pillow's defaults. The image is made up: clouds, edges, and the grain of a photograph, which is what a
PNG pays for.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "nodes"))

import cv2
import numpy as np
from PIL import Image
from sora_jobs.media.fit import Fitting, fit_reference
from sora_jobs.media.reference import fitted, from_float, to_png

RUNS = 7
WIDTH, HEIGHT = 1280, 720
GOAL_MS = 60


def photograph(width: int = 1920, height: int = 1080) -> np.ndarray:
    """float32 [1, height, width, 3] in 0..1."""
    random = np.random.default_rng(1)
    image = np.zeros((height, width, 3), np.float32)
    for size in (2, 8, 32, 128, 400):
        coarse = random.standard_normal((height // size + 2, width // size + 2, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * size**0.5
    image = (image - image.min()) / (image.max() - image.min())
    for left in range(0, width, 240):
        cv2.rectangle(image, (left, 40), (left + 90, 400), (left / width, 0.2, 0.9), -1)
    image += random.normal(0, 1 / 255, image.shape).astype(np.float32)
    return np.clip(image, 0, 1)[None]


def ours(image: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The steps, each on the result of the one before."""
    eight = from_float(image)
    small = fitted(eight, WIDTH, HEIGHT, "crop")
    return {
        "quantise": lambda: from_float(image),
        "resize": lambda: fitted(eight, WIDTH, HEIGHT, "crop"),
        "encode": lambda: to_png(small),
        "all three": lambda: to_png(fitted(from_float(image), WIDTH, HEIGHT, "crop")),
    }


def pillows(image: np.ndarray) -> dict[str, Callable[[], Any]]:
    def quantise() -> np.ndarray:
        return (255 * image[0]).clip(0, 255).astype(np.uint8)

    def resize(eight: np.ndarray) -> Image.Image:
        return Image.fromarray(eight).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def encode(small: Image.Image) -> bytes:
        file = io.BytesIO()
        small.save(file, "PNG")
        return file.getvalue()

    eight = quantise()
    small = resize(eight)
    return {
        "quantise": quantise,
        "resize": lambda: resize(eight),
        "encode": lambda: encode(small),
        "all three": lambda: encode(resize(quantise())),
    }


def fits(image: np.ndarray) -> dict[str, Callable[[], Any]]:
    """SoraFitReference on an image of another shape; the third one composites an alpha first."""
    upright = np.ascontiguousarray(image[:, :, :608])
    clear = np.concatenate([upright, upright[..., :1]], axis=3)
    size = f"{WIDTH}x{HEIGHT}"
    return {
        "crop": lambda: fit_reference(upright, size, Fitting(focus_y=0.3)),
        "pad, colour": lambda: fit_reference(upright, size, Fitting(fit="pad")),
        "pad, blurred": lambda: fit_reference(upright, size, Fitting(fit="pad", padding="blurred")),
        "pad, blurred, RGBA": lambda: fit_reference(clear, size, Fitting(fit="pad", padding="blurred")),
    }


def medians(steps: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """ms of each, all of them in turns."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(RUNS + 1):
        for name, work in steps.items():
            begun = time.perf_counter()
            work()
            if turn:  # the first one warms up
                taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: f"{statistics.median(ms):.1f} ({min(ms):.1f}–{max(ms):.1f})" for name, ms in taken.items()}


def main() -> None:
    image = photograph()
    sides = {"ours": ours(image), "Pillow": pillows(image)}
    both = medians({f"{side} {name}": work for side, steps in sides.items() for name, work in steps.items()})
    print(
        f"1920x1080 floats -> PNG of {WIDTH}x{HEIGHT}; ms, medians of {RUNS} (min–max); the goal is {GOAL_MS} in all\n"
    )
    print("| | quantise | resize | encode | all three | KiB |\n|---|---|---|---|---|---|")
    for side, steps in sides.items():
        size = len(steps["all three"]()) >> 10
        print(f"| {side} |", " | ".join(both[f"{side} {name}"] for name in steps), f"| {size} |")
    print(f"\n608x1080 floats -> {WIDTH}x{HEIGHT}, fitted by hand\n\n| | ms |\n|---|---|")
    for name, ms in medians(fits(image)).items():
        print(f"| {name} | {ms} |")


if __name__ == "__main__":
    main()
