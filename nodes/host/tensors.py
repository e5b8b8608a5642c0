"""What goes over the sockets, between ComfyUI's types and ours: pixels and sound."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from comfy_api.latest import ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..sora_jobs.errors import MediaError
from .execution import run_in_thread
from .files import Video

if TYPE_CHECKING:
    from comfy_api.latest import Input
    from numpy.typing import NDArray


Tensor = torch.Tensor  # IMAGE [B, H, W, C] or MASK [B, H, W], float32 in 0..1


def pixels_of(image: Tensor) -> NDArray[np.float32]:
    """IMAGE or MASK -> float32 of the same shape: [B, H, W, C], [B, H, W]."""
    array: NDArray[np.float32] = image.detach().to("cpu", torch.float32).numpy()
    return array


def image_of(pixels: NDArray[np.float32] | NDArray[np.uint8]) -> Tensor:
    """float32 [N, H, W, 3] or uint8 [H, W, 3] -> IMAGE; floats keep their memory."""
    if pixels.dtype == np.uint8:
        pixels = np.divide(pixels[None], 255, dtype=np.float32)
    return torch.from_numpy(pixels)


def audio_of(waveform: NDArray[np.float32], sample_rate: int) -> Input.Audio:
    """float32 [1, C, T] -> AUDIO."""
    return {"waveform": torch.from_numpy(waveform), "sample_rate": sample_rate}


def nothing() -> ExecutionBlocker:
    """An output that nobody may use: nodes behind it do not run, and nothing is reported."""
    return ExecutionBlocker(None)


def components_of(video: Video) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, int, Fraction]:
    """(images float32 [N, H, W, 3], waveform float32 [1, C, T] or None, sample rate, frame rate) of a VIDEO.
    MediaError where it cannot give them."""
    try:
        parts = video.get_components()
        audio = parts.audio
        waveform = None if audio is None else audio["waveform"].detach().to("cpu", torch.float32).numpy()
        return pixels_of(parts.images), waveform, 0 if audio is None else int(audio["sample_rate"]), parts.frame_rate
    except Exception as error:  # whatever the decoder of the host, or of another pack, raises
        raise MediaError(
            f"This VIDEO ({type(video).__name__}) cannot be decoded ({type(error).__name__}: {error}).",
            hint="It is decoded by the node that made it, or by ComfyUI. Save it with Save Video and load that file.",
            code="not_decodable",
        ) from error


async def preview(image: Tensor) -> ui.PreviewImage:
    """The image in the node, from a PNG in the temp folder."""
    return await run_in_thread(lambda: ui.PreviewImage(image))
