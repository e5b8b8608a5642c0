"""The words on a film: its prompt at the bottom left, a time code at the bottom right."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encode import FPS

Picture = NDArray[np.uint8]
LINES = 4  # at most; the rest of a longer prompt is left out
WIDEST = 4000  # characters of a prompt that are looked at
# Asked for only by words that Pillow's own font cannot write, and only where the machine has one of them.
OTHER_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "arial.ttf")


class Caption:
    """Writes the prompt over pictures of one size."""

    def __init__(self, prompt: str, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self._width, self._height = width, height
        self._unit = unit = max(8, min(width, height) // 22)
        text = "".join(mark for mark in prompt[:WIDEST] if mark.isspace() or unicodedata.category(mark)[0] != "C")
        font, text = _font_for(text, unit)
        lines = _wrapped(text, font, width - 6 * unit)
        tall = int(unit * (1.4 * len(lines) + 1.6))
        panel = Image.new("L", (width, tall), 0)
        draw = ImageDraw.Draw(panel)
        for number, line in enumerate(lines):
            draw.text((1.5 * unit, unit * (0.6 + 1.4 * number)), line, 255, font)
        self._top = height - tall
        self._text = np.asarray(panel, np.float32)[..., None] / 255
        # The ground under the words darkens towards the edge, so that they read on any picture.
        self._shade = np.linspace(0.0, 0.62, tall, dtype=np.float32)[:, None, None] ** 0.8
        self._layers: tuple[float, Picture, Picture] = (1.0, *self._layers_for(1.0))

    def over(self, picture: Picture, number: int, shown: float) -> Picture:
        """A copy of frame `number` with the words on it; `shown` is their strength, 0..1."""
        import cv2

        if shown != self._layers[0]:
            self._layers = (shown, *self._layers_for(shown))
        picture = picture.copy()
        below = picture[self._top :]
        cv2.multiply(below, self._layers[1], dst=below, scale=1 / 255)
        cv2.add(below, self._layers[2], dst=below)
        grey = int(205 * shown)
        if grey > 40:
            code = f"{number // FPS:02d}:{number % FPS:02d}"
            place = (int(self._width - 4.2 * self._unit), int(self._height - 0.9 * self._unit))
            cv2.putText(picture, code, place, cv2.FONT_HERSHEY_SIMPLEX, self._unit / 34, (grey,) * 3, 1, cv2.LINE_AA)
        return picture

    def _layers_for(self, shown: float) -> tuple[Picture, Picture]:
        """(what is kept of the picture, what is added to it), both 0..255."""
        words = 0.95 * shown * self._text
        kept = (1 - shown * self._shade) * (1 - words)
        return tuple(np.repeat(np.rint(255 * layer).astype(np.uint8), 3, axis=2) for layer in (kept, words))  # type: ignore[return-value]


def _font_for(text: str, size: int) -> tuple[Any, str]:
    """(a font, the text without the letters that it has not): Pillow's own, which is the same everywhere, if it can."""
    from PIL import ImageFont

    own = ImageFont.load_default(size)
    best, missing = own, _missing(own, text)
    for name in OTHER_FONTS if missing else ():
        try:
            font = ImageFont.truetype(name, size)
        except OSError:  # the machine has none of that name
            continue
        if len(lacks := _missing(font, text)) < len(missing):
            best, missing = font, lacks
    return best, "".join(mark for mark in text if mark not in missing)


def _missing(font: Any, text: str) -> set[str]:
    """The letters for which it draws the same box as for one that nobody has."""
    box = bytes(font.getmask(chr(0xF0000)))
    return {mark for mark in set(text) if not mark.isspace() and bytes(font.getmask(mark)) == box}


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    """Lines that fit into `width` pixels; where there are too many, the last one ends with an ellipsis."""
    lines = [""]
    for word in text.split():
        rest = word
        while rest and len(lines) <= LINES:
            joined = f"{lines[-1]} {rest}".strip()
            if font.getlength(joined) <= width:
                lines[-1], rest = joined, ""
            elif lines[-1]:
                lines.append("")
            else:  # a word longer than a line, or a script that writes no spaces
                fits = _fitting(rest, font, width)
                lines[-1], rest = rest[:fits], rest[fits:]
                lines += [""] if rest else []
    if len(lines) > LINES:
        last = lines[LINES - 1]
        last = last[: _fitting(last, font, width - int(font.getlength(" …")))]
        lines[LINES - 1 :] = [f"{last} …"]
    return lines


def _fitting(text: str, font: Any, width: int) -> int:
    """How many of its characters fit, at least one."""
    fits = 1
    while fits < len(text) and font.getlength(text[: fits + 1]) <= width:
        fits += 1
    return fits
