from abc import ABC, abstractmethod
from fractions import Fraction
from io import BytesIO
from typing import TypedDict

from torch import Tensor

from . import io as io
from . import ui as ui

class ComfyExtension(ABC):
    @abstractmethod
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...

class Input:
    class Audio(TypedDict):
        waveform: Tensor  # [B, C, T]
        sample_rate: int

    class Video(ABC):
        @abstractmethod
        def get_components(self) -> Types.VideoComponents: ...

class InputImpl:
    class VideoFromFile(Input.Video):
        def __init__(self, file: str | BytesIO) -> None: ...
        def get_components(self) -> Types.VideoComponents: ...
        def get_stream_source(self) -> str | BytesIO: ...
        def get_active_trim_window(self) -> tuple[float, float]: ...
        def get_dimensions(self) -> tuple[int, int]: ...

class Types:
    class VideoComponents:
        images: Tensor
        frame_rate: Fraction
        audio: Input.Audio | None
