"""Remix: buys a changed version of a finished video."""

from __future__ import annotations

from functools import partial

from .host import execution, line, messages
from .host.engine import get_engine, in_users_language
from .host.schema import SoraJob, io, output, with_supported_arguments
from .sora_jobs.jobs.spec import Job


class Remix(io.ComfyNode):
    """A finished job and a prompt -> a new job."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="Remix",
            display_name="Remix Video",
            category="video/Sora",
            description="Buys a changed version of a finished video; length, size and model stay. Not every provider "
            "and model has it.",
            search_aliases=["sora remix", "edit video"],
            inputs=[
                SoraJob.Input("job", tooltip="A finished job: the `job` output of WaitForVideo."),
                io.String.Input("prompt", multiline=True, default="", tooltip="What should be different."),
                io.Int.Input(
                    "take",
                    default=1,
                    min=1,
                    max=999_999,
                    tooltip="A new take of the same is a NEW PURCHASE. The same take is never bought twice.",
                ),
                with_supported_arguments(
                    io.String.Input,
                    "project",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="What the remix is bought for, in a few words; blank: what the job was bought for. The tab "
                    "and `sora costs` add up costs by project.",
                ),
            ],
            outputs=[
                output(SoraJob, "job", tooltip="Connect to another WaitForVideo."),
                output(
                    io.String, "video_id", tooltip="The gateway's id of the new job; empty while it is queued here."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> int:
        """As in CreateSoraJob."""
        return line.unsent_fingerprint()

    @classmethod
    @in_users_language
    async def execute(cls, job: Job, prompt: str, take: int = 1, project: str = "") -> io.NodeOutput:
        """Buy the remix."""
        tell = partial(messages.warn_user, node_id=cls.hidden.unique_id)
        bought = await execution.wait_for(get_engine().start_remix(job, prompt, take, project, tell=tell))
        made = await line.give(bought.job, cls.hidden.unique_id)
        return io.NodeOutput(made, made.video_id, ui={"sora_job": [made.id]})
