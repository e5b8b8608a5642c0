"""Which frames are wanted: the settings of the node, and their translation into source frame numbers.

The meanings are VideoHelperSuite's (its LoadVideo nodes, OpenCV path), so that a workflow can change over: frames
are first resampled to `force_rate`, then `skip_first_frames` are left out, then every `select_every_nth` is taken,
then `frame_load_cap` ends it. At a forced rate, output k takes the first frame that begins at k / rate or later, and
the last output is the last such k. Where we differ, on purpose:

- times are fractions, where VHS adds up floats and so takes the next frame at an exact tie (30 to 25: every fifth);
- a file with a variable frame rate is sampled by its own times (the frame on screen at k / rate), which VHS takes for
  evenly spaced;
- a negative `skip_first_frames` counts from the end;
- sizes are kept to the pixel (VHS may round them to a multiple for the chosen model format), and shrinking
  averages areas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..jobs.spec import LARGEST_SIDE

SQUARE = Fraction(1)  # of a pixel: as wide as high
FASTEST = 1000.0  # frames a second that may be forced


@dataclass(frozen=True)
class FrameChoice:
    """Settings that choose frames; 0 means "as it is" or "all". InvalidInputError when one makes no sense.

    `force_rate` in frames a second; `custom_width` and `custom_height` in pixels: one alone keeps the proportions,
    both crop the middle to the new proportions and scale it. `square_pixels`: of an anamorphic file they are those in
    which it is shown, and without a size one side grows until its pixels are square.
    """

    force_rate: float = 0
    frame_load_cap: int = 0
    skip_first_frames: int = 0
    select_every_nth: int = 1
    custom_width: int = 0
    custom_height: int = 0
    square_pixels: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.force_rate) or not 0 <= self.force_rate <= FASTEST:
            hint = "Give frames a second, or 0 to keep them."
            raise InvalidInputError(f"force_rate is {self.force_rate}.", hint=hint, code="out_of_range")
        if 0 < self.force_rate < 0.001:
            raise InvalidInputError(f"force_rate is {self.force_rate}; 0.001 is the least.", code="out_of_range")
        for name, least, most in (
            ("frame_load_cap", 0, 2**53),
            ("skip_first_frames", -(2**53), 2**53),
            ("select_every_nth", 1, 2**53),
            ("custom_width", 0, LARGEST_SIDE),
            ("custom_height", 0, LARGEST_SIDE),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                message = f"{name} is {value!r}; it is a whole number from {least} to {most}."
                raise InvalidInputError(message, code="out_of_range")

    def size(self, width: int, height: int, pixel_aspect: Fraction = SQUARE) -> tuple[int, int]:
        """(width, height) in pixels that a frame of width x height is brought to; `pixel_aspect` is the width of one of
        its pixels by its height."""
        if self.square_pixels:
            width, height = shown_size(width, height, pixel_aspect)
        if self.custom_width and self.custom_height:
            return self.custom_width, self.custom_height
        if self.custom_width:
            return self.custom_width, max(1, (2 * height * self.custom_width + width) // (2 * width))
        if self.custom_height:
            return max(1, (2 * width * self.custom_height + height) // (2 * height)), self.custom_height
        return width, height


def shown_size(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """The same frame in square pixels, of which no row or column is lost."""
    if pixel_aspect > 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


@dataclass(frozen=True)
class Plan:
    """What a choice means for one file.

    `indices` int64 [N], source frame numbers from 0, never falling (a forced rate may repeat one); `fps` of the
    result; `start_s` and `duration_s`: the span of time that it shows, in the file's own time. `open_end`: the choice
    goes on for as long as the file does, so a frame more in the file could mean a frame more here; `from_end`: it is
    counted from the file's end, so any other number of frames means other frames.
    """

    indices: NDArray[np.int64]
    fps: float
    start_s: float
    duration_s: float
    open_end: bool
    from_end: bool


def plan(choice: FrameChoice, times_s: NDArray[np.float64], fps: Fraction, *, even: bool, tick_s: float) -> Plan:
    """Apply a choice to a file's frames.

    `times_s` [n >= 1]: when each begins, rising; `fps`: their (average) rate; `even`: they are equally spaced, so that
    the rate is exact and the times are only its rounded form; `tick_s`: the step to which the file rounds its times.
    """
    forced = Fraction(choice.force_rate).limit_denominator(1001) if choice.force_rate else None  # 29.97 = 2997/100
    rate = forced or fps
    since_s = times_s - times_s[0]
    if forced is None:
        available = len(times_s)
    elif even:
        available = math.floor((len(times_s) - 1) * forced / fps) + 1
    else:
        available = math.floor(Fraction(float(since_s[-1] + tick_s)) * forced) + 1
    chosen = range(available)[choice.skip_first_frames :][:: choice.select_every_nth]
    if choice.frame_load_cap:
        chosen = chosen[: choice.frame_load_cap]
    step = rate / choice.select_every_nth
    if forced is None:
        indices = np.array(chosen, np.int64)
    elif even:
        indices = np.array([math.ceil(k * fps / forced) for k in chosen], np.int64)
    else:
        samples = np.array(chosen, np.float64) / float(forced) + tick_s
        indices = np.searchsorted(since_s, samples, side="right") - 1
    from_end = choice.skip_first_frames < 0
    open_end = from_end or not choice.frame_load_cap or len(chosen) < choice.frame_load_cap
    start_s, duration_s = 0.0, 0.0
    if chosen:
        start_s, duration_s = chosen[0] / float(rate), len(chosen) / float(step)
        if forced is None and not even:
            start_s, duration_s = _uneven_span(chosen, since_s, float(fps))
    return Plan(indices, float(step), float(times_s[0]) + start_s, duration_s, open_end, from_end)


def _uneven_span(chosen: range, since_s: NDArray[np.float64], fps: float) -> tuple[float, float]:
    """(start, duration) in seconds of frames that are not evenly spaced; a last frame is taken as 1 / fps long."""
    last = len(since_s) - 1
    behind = chosen[-1] + chosen.step  # where the next one would be
    end = since_s[min(behind, last)] + max(0, behind - last) / fps
    return float(since_s[chosen[0]]), float(end - since_s[chosen[0]])
