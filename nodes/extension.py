"""The list of nodes that the pack brings."""

from __future__ import annotations

from .create_sora_job import CreateSoraJob
from .fit_reference import SoraFitReference
from .host.engine import start_background_downloads
from .host.schema import ComfyExtension, io
from .load_video_frames import LoadVideoFrames
from .open_job import SoraOpenJob
from .remix import Remix
from .submit_only import SoraSubmitOnly
from .thumbnail import SoraThumbnail
from .wait_for_video import WaitForVideo
from .web import owner_routes as _owner_routes  # noqa: F401 - which registers its routes
from .web import routes


class SoraExtension(ComfyExtension):
    """What ComfyUI gets from `comfy_entrypoint`."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        routes.send_job_events()
        start_background_downloads()  # not in on_load, which hosts of 2025 do not call
        first = [CreateSoraJob, WaitForVideo, LoadVideoFrames, Remix]
        return [*first, SoraOpenJob, SoraSubmitOnly, SoraFitReference, SoraThumbnail]
