"""Frames and sound together, as a graph wants them: from a file, or from images that are in memory already."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from . import frame_buffer
from .audio import SILENT_CHANNELS, SILENT_RATE, audio_for
from .frames import Progress, load_frames
from .guard import guarded
from .reader import WHOLE_FILE, Cancelled, Window
from .selection import FrameChoice, plan

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Clip:
    """`pixels` float32 [N, H, W, 3], RGB, 0..1; `waveform` float32 [1, C, T] of the same span; `fps` of the frames."""

    pixels: Floats
    waveform: Floats
    sample_rate: int
    fps: float
    warnings: tuple[str, ...] = ()


@guarded
def clip_of_file(
    path: Path,
    choice: FrameChoice,
    *,
    untagged: str = "auto",
    scratch: Path | None = None,
    window: Window = WHOLE_FILE,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Clip:
    """Decode what `choice` wants of a file; the other arguments, and the errors, are those of `load_frames`."""
    frames = load_frames(
        path, choice, untagged=untagged, scratch=scratch, window=window, progress=progress, cancelled=cancelled
    )
    audio = audio_for(frames)
    warnings = (*frames.warnings, audio.note) if audio.note else frames.warnings
    return Clip(frames.pixels, audio.waveform, audio.sample_rate, frames.fps, warnings)


@guarded
def clip_of_images(
    images: Floats,
    fps: Fraction | float,
    waveform: Floats | None,
    sample_rate: int,
    choice: FrameChoice,
    *,
    scratch: Path | None = None,
) -> Clip:
    """Choose among images [N, H, W, 3] that lie 1 / fps apart, with the sound that begins with the first of them.

    All of them as they are keep their memory. InvalidInputError where no image is left; MediaError where they do not
    fit.
    """
    rate = Fraction(fps).limit_denominator(1001)
    if rate <= 0 or not len(images):
        raise InvalidInputError("This VIDEO has no images.", code="no_images")
    if images.ndim != 4 or images.shape[3] < 3:
        raise InvalidInputError(f"Images are [N, H, W, 3], not {images.shape}.", code="invalid_image")
    images = images[..., :3]  # a VIDEO may carry transparency, which frames do not
    times_s = np.arange(len(images)) / float(rate)
    made = plan(choice, times_s, rate, even=True, tick_s=0.0)
    if not len(made.indices):
        raise InvalidInputError(
            f"The settings leave none of the {len(images)} frames.",
            hint="Skip fewer frames, or take more.",
            code="no_frame_chosen",
        )
    whole = len(made.indices) == len(images) and np.array_equal(made.indices, np.arange(len(images)))
    size = choice.size(images.shape[2], images.shape[1])
    same = size == (images.shape[2], images.shape[1])
    pixels = images
    if not (whole and same):
        pixels = frame_buffer.buffer((len(made.indices), size[1], size[0], 3), scratch=scratch)
        for slot, index in enumerate(made.indices):
            pixels[slot] = images[index] if same else _resized(images[index], *size)
    rate_hz = sample_rate if waveform is not None else SILENT_RATE
    sound = _span(waveform, rate_hz, made.start_s, made.duration_s)
    return Clip(np.ascontiguousarray(pixels), sound, rate_hz, made.fps)


def _resized(picture: Floats, width: int, height: int) -> Floats:
    """One picture cropped in the middle to the new proportions and scaled, as the decoder's pictures are."""
    from .resize import middle, stretched

    left, top, wide, tall = middle(picture.shape[1], picture.shape[0], width, height)
    part = np.ascontiguousarray(picture[top : top + tall, left : left + wide])
    scaled: Floats = np.asarray(stretched(part, width, height), np.float32)
    return np.clip(scaled, 0, 1)  # Lanczos overshoots at edges


def _span(waveform: Floats | None, rate: int, start_s: float, duration_s: float) -> Floats:
    channels = SILENT_CHANNELS if waveform is None else waveform.shape[1]
    sound = np.zeros((1, channels, round(duration_s * rate)), np.float32)
    if waveform is not None:
        piece = waveform[:1, :, round(start_s * rate) :][..., : sound.shape[2]]
        sound[..., : piece.shape[2]] = piece
    return sound
