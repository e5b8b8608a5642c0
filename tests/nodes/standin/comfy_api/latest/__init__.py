"""The V3 interface of nodes, at ComfyUI 0.33.0, with the cropping of videos that 0.35 brought; older ones lack that,
some keywords and the trimming of videos."""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import io, ui, video
from .video import VideoFromComponents, VideoFromFile


class ComfyExtension(ABC):
    """What a pack's `comfy_entrypoint` gives."""

    async def on_load(self) -> None:
        """Called once the pack is loaded."""

    @abstractmethod
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...


class Input:
    Audio = video.Audio
    Video = video.VideoInput


class InputImpl:
    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents


class Types:
    VideoComponents = video.VideoComponents


__all__ = ["ComfyExtension", "Input", "InputImpl", "Types", "io", "ui"]
