"""VIDEO: a file, a file in memory, a piece of one, or images with sound."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import TypedDict

import numpy as np
import torch


class Audio(TypedDict):
    waveform: torch.Tensor
    sample_rate: int


@dataclass
class VideoComponents:
    """`images` IMAGE, `audio` AUDIO or None."""

    images: torch.Tensor
    frame_rate: Fraction
    audio: Audio | None = None


class VideoInput(ABC):
    """What every VIDEO can do, also that of another pack."""

    @abstractmethod
    def get_components(self) -> VideoComponents: ...


class VideoFromFile(VideoInput):
    """`start_time` and `duration` in seconds choose a piece, 0 is all; `crop` is x, y, width and height in pixels, of
    which the file that it gives knows nothing."""

    def __init__(
        self,
        file: str | io.BytesIO,
        *,
        start_time: float = 0,
        duration: float = 0,
        crop: tuple[int, int, int, int] | None = None,
    ) -> None:
        self.__file, self.__window, self.__crop = file, (float(start_time), float(duration)), crop

    def get_stream_source(self) -> str | io.BytesIO:
        if isinstance(self.__file, io.BytesIO):
            self.__file.seek(0)
        return self.__file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.__window

    def get_dimensions(self) -> tuple[int, int]:
        import av

        with av.open(self.get_stream_source()) as file:
            stream = file.streams.video[0]
            return self.__crop[2:] if self.__crop else (stream.width, stream.height)

    def get_duration(self) -> float:
        import av

        start, duration = self.__window
        with av.open(self.get_stream_source()) as file:
            if file.duration is None:
                raise ValueError("Could not determine duration")
            left = file.duration / av.time_base - start
        return min(duration, left) if duration else left

    def get_frame_count(self) -> int:
        import av

        assert self.__window == (0, 0), "the host would decode the piece to count them"
        with av.open(self.get_stream_source()) as file:
            return file.streams.video[0].frames

    def get_components(self) -> VideoComponents:
        """Decode the piece. The sound is cut to it by its samples."""
        import av

        start, duration = self.__window
        end = start + duration if duration else float("inf")
        with av.open(self.get_stream_source()) as file:
            stream = file.streams.video[0]
            rate = Fraction(stream.average_rate or 1)
            pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream) if start <= frame.time < end]
        images = np.stack(pictures).astype(np.float32) / 255
        if self.__crop:
            x, y, width, height = self.__crop
            images = np.ascontiguousarray(images[:, y : y + height, x : x + width])
        return VideoComponents(torch.from_numpy(images), rate, self.__audio(start, len(pictures) / rate))

    def __audio(self, start: float, duration: Fraction) -> Audio | None:
        import av

        with av.open(self.get_stream_source()) as file:
            if not file.streams.audio:
                return None
            rate = file.streams.audio[0].rate
            resampler = av.AudioResampler(format="fltp")
            pieces = [piece.to_ndarray() for frame in file.decode(audio=0) for piece in resampler.resample(frame)]
        wave = np.concatenate(pieces, axis=1)[:, round(start * rate) :][:, : round(duration * rate)]
        return {"waveform": torch.from_numpy(np.ascontiguousarray(wave[None])), "sample_rate": rate}


class VideoFromComponents(VideoInput):
    """Images and sound that are in memory."""

    def __init__(self, components: VideoComponents) -> None:
        self.__components = components

    def get_components(self) -> VideoComponents:
        return self.__components
