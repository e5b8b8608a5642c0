"""SoraSubmitOnly: ends a graph where the job is bought, so that many prompts buy now and are collected later."""

from __future__ import annotations

from .host import line, messages
from .host.engine import get_engine, in_users_language
from .host.schema import SoraJob, io, with_supported_arguments
from .sora_jobs.jobs.spec import Job


class SoraSubmitOnly(io.ComfyNode):
    """A job -> nothing: the next prompt of the queue can start."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="SoraSubmitOnly",
            display_name="Submit Sora Job",
            category="video/Sora",
            description="Buys the job and ends the graph here, so that ten queued prompts render at the same time. The "
            "videos are fetched into output/sora in the background; SoraOpenJob takes them up.",
            search_aliases=["submit sora", "queue videos", "batch videos"],
            is_output_node=True,
            inputs=[SoraJob.Input("job", tooltip="From CreateSoraJob or Remix.")],
            outputs=[],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @in_users_language
    async def execute(cls, job: Job) -> io.NodeOutput:
        """Let it go on without us."""
        get_engine().background.collect(job.id)
        if not await line.show_place(job, cls.hidden.unique_id):
            messages.set_node_text(f"bought · {job.id}", cls.hidden.unique_id)
        return io.NodeOutput()
