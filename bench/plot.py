"""The picture of decode.py's figures: a panel for each film, a bar for each reader. Drawn with Pillow."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

SCALE = 2  # pixels drawn for each one meant, so that the picture is sharp on any screen
PANEL, NAMES, GAP, MARGIN = 330, 246, 34, 36
BAR, ROW, HEAD = 15, 27, 62
INK, GREY, FAINT, PAPER = "#1b2330", "#5b6675", "#dfe3e9", "#ffffff"
COLOURS = {"ours": "#2266dd", "other": "#9aa7b8", "limit": "#d9b45b"}
LEGEND = {"ours": "ours", "other": "others", "limit": "limits: a part of the work only"}
NUMBERS = 112  # pixels beside the longest bar


def draw(films: list[dict[str, Any]], labels: dict[str, tuple[str, str]], title: str, path: Path) -> None:
    """Write the PNG. `labels`: what each reader is called, and its kind (a key of COLOURS). Films of one size are a
    row of panels, from the shortest to the longest."""
    rows: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for film in films:
        rows.setdefault((film["width"], film["height"]), []).append(film)
    names = [name for name in labels if any(name in film["results"] for film in films)]
    columns = max(map(len, rows.values()), default=1)
    width = 2 * MARGIN + NAMES + columns * PANEL + (columns - 1) * GAP
    tall = HEAD + len(names) * ROW + 26
    height = 128 + len(rows) * tall + MARGIN // 2
    image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
    pen = Pen(ImageDraw.Draw(image))
    pen.text(MARGIN, 26, "From MP4 to float32 frames: seconds, less is better", 22, INK)
    title = title.replace("–", "-")  # which Pillow's own font has not
    pen.text(MARGIN, 58, f"{title}; right: peak memory in units of the frames' own bytes", 12.5, GREY)
    left = MARGIN
    for kind, meaning in LEGEND.items():
        pen.box(left, 87, left + 13, 100, COLOURS[kind])
        left = pen.text(left + 20, 86, meaning, 13, GREY) + 26
    pen.line(left, 94, left + 16, 94, INK, 1.5)
    left = pen.text(left + 22, 86, "fastest to slowest run", 13, GREY) + 26
    pen.dot(left + 4, 94, 3.4, INK)
    pen.text(left + 14, 86, "first frame is there", 13, GREY)
    for number, row in enumerate(rows.values()):
        top = 128 + number * tall
        for line, name in enumerate(names):
            pen.text(MARGIN + NAMES - 14, top + HEAD + line * ROW - 1, labels[name][0], 13.5, INK, anchor="ra")
        for column, film in enumerate(row):
            _panel(pen, MARGIN + NAMES + column * (PANEL + GAP), top, film, names, labels)
    image.save(path, optimize=True)


def _panel(
    pen: Pen, left: float, top: float, film: dict[str, Any], names: list[str], labels: dict[str, tuple[str, str]]
) -> None:
    pen.text(left, top + 8, f"{film['seconds']} s  ·  {film['width']}x{film['height']}", 16, INK)
    size = f"{film['seconds'] * film['fps']} frames, {film['tensor_bytes'] / 2**30:.2f} GiB"
    pen.text(left, top + 31, size, 12.5, GREY)
    results = {name: runs for name, runs in film["results"].items() if name in names}
    longest = max((run["wall_s"] for runs in results.values() for run in runs), default=1.0)
    unit = (PANEL - NUMBERS) / longest
    pen.line(left, top + HEAD - 8, left, top + HEAD + len(names) * ROW, FAINT, 1)
    for line, name in enumerate(names):
        up = top + HEAD + line * ROW
        if name not in results:
            why = film["left_out"].get(name, "not measured")
            pen.text(left + 8, up - 1, why.split(":")[0].split("(")[0].strip(), 12.5, GREY)
            continue
        walls = [run["wall_s"] for run in results[name]]
        wall = statistics.median(walls)
        pen.box(left + 1, up, left + wall * unit, up + BAR, COLOURS[labels[name][1]])
        middle = up + BAR / 2
        if len(walls) > 1:
            pen.line(left + min(walls) * unit, middle, left + max(walls) * unit, middle, INK, 1.5)
        if "first_s" in results[name][0]:
            pen.dot(left + unit * statistics.median(run["first_s"] for run in results[name]), middle, 3.4, INK)
        pen.text(left + max(walls) * unit + 9, up - 1, f"{wall:.2f}", 13.5, INK)
        peak = statistics.median(run["peak"] for run in results[name])
        if peak >= 0.3:  # decoding alone keeps no frames
            pen.text(left + PANEL, up - 1, f"{peak:.2f}x", 13, GREY, anchor="ra")


class Pen:
    """Draws in pixels as they are meant."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def text(self, x: float, y: float, text: str, size: float, colour: str, anchor: str = "la") -> float:
        """Where the text ends on the right."""
        font = ImageFont.load_default(size * SCALE)
        self._draw.text((x * SCALE, y * SCALE), text, colour, font, anchor=anchor)
        return x + self._draw.textlength(text, font) / SCALE

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        right = max(right, left + 1)
        self._draw.rectangle((left * SCALE, top * SCALE, right * SCALE - 1, bottom * SCALE - 1), colour)

    def line(self, left: float, top: float, right: float, bottom: float, colour: str, width: float) -> None:
        self._draw.line((left * SCALE, top * SCALE, right * SCALE, bottom * SCALE), colour, round(width * SCALE))

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        around = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([side * SCALE for side in around], colour, PAPER, SCALE)
