"""What the sandbox films without a reference: hills behind a lake, seen from a slow boat; the words choose the light.

Everything is drawn at half the size, where a frame costs a quarter, and grown in the last step: the
softness suits the haze.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Colour = tuple[int, int, int]

LAYERS = 5  # ridges, the farthest first
GROW = 2  # how much smaller it is drawn
SHORE = 0.70  # the waterline, as a share of the height
LIGHTS = 26  # specks that drift over the water
PAN = 0.030  # how far the nearest ridge moves in a second, as a share of the longer side


@dataclass(frozen=True)
class Light:
    """The colours of an hour: the sky from top to horizon, the sun or moon, the farthest and the nearest hill."""

    words: tuple[str, ...]
    top: Colour
    middle: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour
    height: float  # of the sun over the horizon, as a share of the picture's height
    stars: float = 0.0


LIGHTS_OF_DAY = (
    Light(("sunset", "dusk", "evening", "autumn", "fire"),
          (44, 34, 92), (206, 92, 108), (255, 178, 108), (255, 236, 190), (206, 112, 108), (34, 20, 48), 0.10, 0.15),
    Light(("night", "moon", "star", "dark", "midnight", "space"),
          (8, 12, 38), (24, 42, 92), (82, 112, 158), (236, 242, 255), (62, 88, 138), (6, 10, 26), 0.34, 1.0),
    Light(("morning", "dawn", "sunrise", "spring", "flower", "pink"),
          (104, 142, 204), (232, 184, 206), (255, 222, 196), (255, 250, 232), (198, 164, 196), (52, 46, 88), 0.16),
    Light(("forest", "green", "jungle", "tree", "meadow", "garden"),
          (30, 92, 104), (112, 178, 158), (232, 236, 188), (255, 252, 226), (118, 168, 148), (10, 42, 44), 0.22),
    Light(("snow", "winter", "ice", "arctic", "cold", "mountain"),
          (66, 106, 162), (150, 186, 220), (232, 236, 242), (255, 255, 250), (158, 184, 214), (30, 50, 86), 0.24),
    Light(("desert", "sand", "gold", "summer", "sun"),
          (58, 104, 148), (242, 182, 116), (255, 222, 152), (255, 248, 214), (222, 150, 104), (76, 34, 40), 0.20),
    Light(("sea", "ocean", "rain", "storm", "mist", "fog"),
          (30, 52, 76), (92, 128, 148), (188, 204, 206), (246, 250, 244), (112, 142, 154), (14, 28, 42), 0.26),
    Light(("neon", "city", "cyber", "dream", "magic", "purple"),
          (26, 14, 66), (128, 46, 142), (255, 128, 158), (255, 216, 232), (146, 64, 146), (20, 10, 46), 0.14, 0.5),
)  # fmt: skip


def light_for(prompt: str, seed: bytes) -> Light:
    """The light whose words the prompt holds most of; the seed decides where it holds none."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    scores = [sum(word in words or f"{word}s" in words for word in light.words) for light in LIGHTS_OF_DAY]
    return LIGHTS_OF_DAY[scores.index(max(scores)) if max(scores) else seed[0] % len(LIGHTS_OF_DAY)]


class Landscape:
    """Frames of one place. `at(time)` is RGB uint8 [height, width, 3]; the same arguments give the same bytes."""

    def __init__(self, prompt: str, seed: bytes, width: int, height: int, seconds: int) -> None:
        self.size = (width, height)
        self.light = light_for(prompt, seed)
        self.random = np.random.default_rng(np.frombuffer(seed, np.uint32))
        self.columns, self.rows = max(8, round(width / GROW)), max(8, round(height / GROW))
        self.shore = round(self.rows * SHORE)
        self.unit = max(self.columns, self.rows) / 640  # lengths below were chosen on a picture of 640x360
        self.direction = 1 if seed[1] % 2 else -1
        self.pan = PAN * max(self.columns, self.rows)
        self.travel = int(self.pan * seconds) + 3
        self.sky = self._sky(seed)
        self.ridges = [self._ridge(number) for number in range(LAYERS)]
        self._water()
        self._specks()

    def at(self, time: float) -> Picture:
        import cv2

        picture = self.sky.copy()
        for colours, hides, top, share in self.ridges:
            offset = self.pan * share * time
            offset = offset if self.direction > 0 else self.travel - 2 - offset
            band = picture[top : self.shore]
            kept = cv2.multiply(band, _shifted(hides, offset, self.columns), scale=1 / 255)
            cv2.add(kept, _shifted(colours, offset, self.columns), dst=band)
        self._reflect(picture, time)
        self._shine(picture, time)
        return np.asarray(cv2.resize(picture, self.size, interpolation=cv2.INTER_CUBIC), np.uint8)

    # -- what is drawn once -----------------------------------------------------------------------------------------

    def _sky(self, seed: bytes) -> Picture:
        y, x = np.mgrid[0 : self.rows, 0 : self.columns].astype(np.float32)
        share = np.clip(y / self.shore, 0, 1)[..., None]
        light = self.light
        sky = np.where(share < 0.55, _mix(light.top, light.middle, _smooth(share / 0.55)),
                       _mix(light.middle, light.low, _smooth((share - 0.55) / 0.45)))  # fmt: skip
        self._stars(sky, share[..., 0])
        self.sun_at = self.columns * (0.30 + 0.40 * seed[2] / 255)
        centre = (self.sun_at, self.shore - self.rows * (light.height + 0.17))
        away = np.hypot(x - centre[0], y - centre[1]) / (min(self.columns, self.rows))
        sun = np.array(light.sun, np.float32)
        for size, strength in ((0.50, 0.28), (0.20, 0.34), (0.09, 0.30)):
            sky += (strength * np.exp(-((away / size) ** 2)))[..., None] * (sun - sky)
        disc = np.clip((0.055 - away) * min(self.columns, self.rows) + 0.5, 0, 1)[..., None]
        sky += disc * (sun - sky)
        # A grain of less than one step keeps the slow gradients from showing bands.
        sky += self.random.uniform(-0.7, 0.7, sky.shape[:2]).astype(np.float32)[..., None]
        return np.clip(sky, 0, 255).astype(np.uint8)

    def _stars(self, sky: Floats, share: Floats) -> None:
        count = int(240 * self.light.stars)
        places = self.random.random((count, 2))
        for place, strength in zip(places, self.random.uniform(60, 190, count), strict=True):
            row, column = int(place[0] * self.shore * 0.75), int(place[1] * (self.columns - 1))
            sky[row, column] += strength * (1 - share[row, column])

    def _ridge(self, number: int) -> tuple[Picture, Picture, int, float]:
        """(colours times opacity, 255 minus opacity, its first row, share of the camera's pace)."""
        depth = number / (LAYERS - 1)
        length = self.columns + self.travel
        x = np.arange(length, dtype=np.float32) / (640 * self.unit)
        line = np.zeros(length, np.float32)
        for octave in range(7):
            step = 2.0**octave * (1.5 + 0.9 * depth)
            strength = 0.52**octave * (1.0 if octave < 3 else 1.25 - 0.6 * depth)
            line += strength * _noise(self.random, x * step)
        base = self.rows * (0.25 - 0.205 * depth)
        tall = base + line * self.rows * (0.105 - 0.062 * depth)
        ground = tall = np.maximum(tall, self.rows * 0.018 if number == LAYERS - 1 else 1.5)
        if number == LAYERS - 1:
            tall = ground + self._trees(length)
        top = max(0, self.shore - int(tall.max()) - 2)
        y = np.arange(top, self.shore, dtype=np.float32)[:, None]
        below = y - (self.shore - tall)[None]
        cover = np.clip(below + 0.5, 0, 1)[..., None]
        colour = _mix(self.light.far, self.light.near, np.float32(depth**1.15))
        # Haze gathers at the foot of a hill, which tells it from the next one.
        haze = np.clip((y - (self.shore - ground)[None]) / (self.rows * 0.20), 0, 1)[..., None] * (0.62 - 0.50 * depth)
        shaded = colour + haze * (np.array(self.light.low, np.float32) - colour)
        colours = np.clip(shaded * cover + 0.5, 0, 255).astype(np.uint8)
        hides = np.repeat(np.clip(255 * (1 - cover) + 0.5, 0, 255).astype(np.uint8), 3, axis=2)
        return colours, hides, top, 0.12 + 0.88 * depth**1.6

    def _trees(self, length: int) -> Floats:
        """Firs on the near shore: spikes of many sizes, in groves."""
        trees = np.zeros(length, np.float32)
        x = np.arange(length, dtype=np.float32)
        grove = _noise(self.random, x / (150 * self.unit))
        for _ in range(int(length / (3.4 * self.unit))):
            foot = self.random.uniform(0, length - 1)
            size = self.random.uniform(8, 26) * self.unit * float(np.clip(0.55 + grove[int(foot)], 0.0, 1.3))
            slope = np.abs(x - foot)
            steps = 1 + 0.22 * np.abs(np.sin(slope * 1.9 / self.unit))
            trees = np.maximum(trees, size - 3.4 * slope * steps)
        return trees

    def _water(self) -> None:
        deep = self.rows - self.shore
        y, x = np.mgrid[0:deep, 0 : self.columns].astype(np.float32)
        near = y / deep
        # The mirror image, drawn out towards the viewer; its lines waver more the nearer they are.
        self.mirror_x = x
        self.mirror_y = np.clip(self.shore - 2 - y * 1.25, 0, self.shore - 1)
        swell = (0.6 + 7.5 * near) * self.unit
        far_to_near = 60 * np.log1p(3.2 * near) * (1 - 0.15 * near)
        across = x / self.unit
        phase = far_to_near + 2.2 * np.sin(across / 70 + 5 * near) + 0.9 * np.sin(across / 27 - 9 * near)
        self.ripple = (swell * np.sin(phase), swell * np.cos(phase))
        kept = 0.90 - 0.42 * near[..., None]
        self.water_keeps = np.repeat(np.clip(255 * kept, 0, 255).astype(np.uint8), 3, axis=2)
        body = _mix(self.light.far, self.light.near, near[..., None]) * (0.60 * (1 - kept))
        self.water_body = np.clip(body, 0, 255).astype(np.uint8)
        # Short bright lines under the sun, and a few everywhere.
        lines = 2.2 * far_to_near + 1.3 * np.sin(across / 33 + 23 * near) + 1.1 * np.sin(across / 11 - 41 * near)
        path = np.exp(-(((x - self.sun_at) / (self.columns * (0.022 + 0.055 * near))) ** 2))
        broken = 0.55 + 0.45 * np.sin(across / 13 + 57 * near) * np.sin(across / 29 - 83 * near)
        strength = (0.02 + 0.85 * path * broken * (1 - 0.6 * near)) ** 0.25
        self.glitter = (strength * np.sin(lines), strength * np.cos(lines))
        self.glitter_colour = np.array([self.light.sun], np.float32).T

    def _specks(self) -> None:
        draw = self.random.random
        self.specks = [(draw(), draw(), 0.3 + draw(), draw(), 1 + int(2.4 * draw() ** 2)) for _ in range(LIGHTS)]
        self.glows = {}
        for size in (1, 2, 3):
            reach = max(2, round(3.2 * size * self.unit))
            y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
            glow = np.exp(-(x * x + y * y) / (2 * (0.34 * reach) ** 2))[..., None]
            self.glows[size] = glow * 0.8 * _mix(self.light.sun, self.light.low, np.float32(0.375))

    # -- what moves -------------------------------------------------------------------------------------------------

    def _reflect(self, picture: Picture, time: float) -> None:
        import cv2

        sine, cosine = self.ripple
        rows = cv2.addWeighted(sine, np.cos(1.9 * time), cosine, np.sin(1.9 * time), 0)
        mirrored = cv2.remap(picture, self.mirror_x, cv2.add(rows, self.mirror_y), cv2.INTER_LINEAR,
                             borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
        water = cv2.add(cv2.multiply(mirrored, self.water_keeps, scale=1 / 255), self.water_body)
        sine, cosine = self.glitter
        wave = np.maximum(cv2.addWeighted(sine, np.cos(2.6 * time), cosine, -np.sin(2.6 * time), 0), 0)
        wave = cv2.multiply(wave, wave)
        spark = cv2.multiply(wave, wave)[..., None]
        picture[self.shore :] = cv2.add(water, cv2.transform(spark, self.glitter_colour), dtype=cv2.CV_8U)

    def _shine(self, picture: Picture, time: float) -> None:
        """Specks of light that rise and drift, each breathing at its own pace."""
        for x, y, pace, phase, size in self.specks:
            breath = 0.5 + 0.5 * np.sin(6.2832 * phase + 1.7 * pace * time)
            column = (x + self.direction * -0.02 * pace * size * time) % 1.0
            row = (y - 0.018 * pace * time + 0.01 * np.sin(time * pace + 9 * phase)) % 1.0
            glow = self.glows[size]
            reach = glow.shape[0] // 2
            x_at = column * (self.columns - 2 * reach - 2)
            y_at = (0.42 + 0.5 * row) * (self.rows - 2 * reach - 2)
            left, top = int(x_at), int(y_at)
            strength = float(breath * min(1.0, 4 * row, 4 * (1 - row), 8 * column, 8 * (1 - column)))
            # Moved by whole pixels of the small picture it would stutter, so it is drawn between them.
            part_x, part_y = x_at - left, y_at - top
            patch = picture[top : top + 2 * reach + 2, left : left + 2 * reach + 2]
            soft = np.zeros((*patch.shape[:2], 3), np.float32)
            for dy, wy in ((0, 1 - part_y), (1, part_y)):
                for dx, wx in ((0, 1 - part_x), (1, part_x)):
                    soft[dy : dy + 2 * reach + 1, dx : dx + 2 * reach + 1] += (wx * wy * strength) * glow
            patch[:] = np.minimum(255, patch + soft).astype(np.uint8)


def _shifted(strip: Picture, offset: float, width: int) -> Picture:
    """`width` columns of the strip from a place between two of them."""
    import cv2

    left = int(offset)
    part = offset - left
    here, beside = strip[:, left : left + width], strip[:, left + 1 : left + 1 + width]
    return np.asarray(cv2.addWeighted(here, 1 - part, beside, part, 0), np.uint8)


def _noise(random: np.random.Generator, x: Floats) -> Floats:
    """Smooth noise, -1..1, one value for each unit of `x` and soft steps between them."""
    values = random.uniform(-1, 1, int(x[-1]) + 3).astype(np.float32)
    cell = x.astype(np.int64)
    part = x - cell
    part = part * part * (3 - 2 * part)
    return np.asarray(values[cell] * (1 - part) + values[cell + 1] * part, np.float32)


def _smooth(share: Floats) -> Floats:
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _mix(first: Colour, second: Colour, share: Floats | np.float32) -> Floats:
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return np.asarray(start + share * (end - start), np.float32)
