"""The list of nodes that the pack brings."""

from __future__ import annotations

from . import routes  # noqa: F401 - importing it adds the routes to the host's server
from .create_sora_job import CreateSoraJob
from .host import ComfyExtension, io
from .load_video_frames import LoadVideoFrames
from .open_job import SoraOpenJob
from .remix import Remix
from .wait_for_video import WaitForVideo


class SoraExtension(ComfyExtension):
    """What ComfyUI gets from `comfy_entrypoint`."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [CreateSoraJob, WaitForVideo, LoadVideoFrames, Remix, SoraOpenJob]
