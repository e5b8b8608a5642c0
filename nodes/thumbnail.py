"""SoraThumbnail: a finished job as one picture, without decoding its frames."""

from __future__ import annotations

from .host import execution, tensors
from .host.engine import get_engine, in_users_language
from .host.schema import SoraJob, io, output, with_supported_arguments
from .sora_jobs.engine import VARIANTS
from .sora_jobs.jobs.spec import Job


class SoraThumbnail(io.ComfyNode):
    """A finished job -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="SoraThumbnail",
            display_name="Sora Thumbnail",
            category="video/Sora",
            description="A finished job as one picture: the gateway's where it makes them, else made from the stored "
            "video. Costs nothing and buys nothing.",
            search_aliases=["video thumbnail", "spritesheet", "contact sheet", "poster frame"],
            is_output_node=True,
            inputs=[
                SoraJob.Input("job", tooltip="A finished job: the `job` output of WaitForVideo, or from SoraOpenJob."),
                io.Combo.Input(
                    "variant",
                    options=list(VARIANTS),
                    default="thumbnail",
                    tooltip="thumbnail: one frame. spritesheet: frames from beginning to end in a grid.",
                ),
            ],
            outputs=[output(io.Image, "image", tooltip="One image, as large as the gateway or the video gives it.")],
        )

    @classmethod
    @in_users_language
    async def execute(cls, job: Job, variant: str = "thumbnail") -> io.NodeOutput:
        """Ask -> show."""
        engine = get_engine()
        asked = engine.start(lambda: engine.pictures.picture(job.id, variant), key="stills")
        picture = await execution.wait_for(asked)
        image = tensors.image_of(picture)
        return io.NodeOutput(image, ui=await tensors.preview(image))
