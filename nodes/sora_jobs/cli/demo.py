"""`sora demo`: the whole road on the sandbox, from a picture to two test clips and a contact sheet. Costs nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import SANDBOX
from ..jobs.spec import Reference, VideoRequest
from .console import collect, finish, open_engine

PROMPT = "A paper boat drifts over a calm lake at sunset, slow camera"
REMIX = "The same paper boat under the northern lights"


def demo_command(options: argparse.Namespace) -> dict[str, Any]:
    """Create with a reference image, wait, download, decode to a sheet, remix."""
    from ..media.sheet import contact_sheet

    waiting = argparse.Namespace(json=True, timeout=10.0)  # its own lines are printed here
    with open_engine(options.home, options.out, SORA_RECEIPTS="0") as engine:  # what it leaves is told line by line
        spec = VideoRequest(
            provider=SANDBOX,
            prompt=PROMPT,
            model="sora-2",
            seconds="4",
            size="1280x720",
            references=(Reference(draw_reference()),),
        )
        video = collect(engine, finish(engine.start_create(spec)), waiting)
        sheet = options.out.absolute() / "contact_sheet.png"
        contact_sheet(Path(video["path"]), sheet)
        remix = collect(engine, finish(engine.start_remix(video["job"], REMIX)), waiting)
    lines = [
        (video["path"], f"a test clip of {video['frames']} frames, drawn by the sandbox (no AI model is involved)"),
        (str(sheet), "frames of it, as a graph gets them; the first one is the reference image"),
        (remix["path"], "a remix of it: the same picture with another prompt"),
    ]
    if not options.json:
        for path, meaning in lines:
            print(f"{_short(path)}  {meaning}")
    return {"video": video, "sheet": str(sheet), "remix": remix}


def draw_reference(width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    """A sunset over water with a paper boat: uint8 [height, width, 3]; drawn, so that no picture has to ship."""
    from PIL import Image, ImageDraw, ImageFilter

    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    horizon = height * 0.58
    sky, sea = np.clip(y / horizon, 0, 1)[..., None], np.clip((y - horizon) / (height - horizon), 0, 1)[..., None]
    top, low, deep = (np.array(colour, np.float32) for colour in ((38, 32, 84), (255, 150, 92), (18, 30, 66)))
    picture = np.where(
        y[..., None] < horizon, top + (low - top) * sky**1.4, low * 0.75 + (deep - low * 0.75) * sea**0.6
    )
    sun = np.hypot(x - width * 0.68, (y - horizon * 0.86) * 1.02)
    picture += np.exp(-((sun / (height * 0.23)) ** 2))[..., None] * np.array((120, 70, 20), np.float32)
    picture[(sun < height * 0.085) & (y < horizon)] = (255, 226, 160)
    glitter = np.exp(-(((x - width * 0.68) / (width * (0.03 + 0.1 * sea[..., 0]))) ** 2)) * (sea[..., 0] > 0)
    waves = np.maximum(0, np.sin(y * 0.55 + 3 * np.sin(x * 0.012 + y * 0.05)))
    picture += (glitter * waves)[..., None] * np.array((170, 120, 60), np.float32)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    draw = ImageDraw.Draw(image)
    left, right, keel, edge = width * 0.26, width * 0.46, height * 0.78, height * 0.70
    middle = (left + right) / 2
    draw.polygon([(middle, edge - height * 0.2), (middle - width * 0.055, edge), (middle, edge)], fill=(250, 244, 232))
    draw.polygon([(middle, edge - height * 0.2), (middle + width * 0.055, edge), (middle, edge)], fill=(214, 196, 186))
    hull = [
        (left, edge - 12),
        (middle, edge),
        (right, edge - 12),
        (right - width * 0.045, keel),
        (left + width * 0.045, keel),
    ]
    draw.polygon(hull, fill=(240, 228, 214))
    draw.polygon(
        [(middle, edge), (right, edge - 12), (right - width * 0.045, keel), (middle, keel)], fill=(205, 182, 172)
    )
    return np.asarray(image)


def _short(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
