"""SoraOpenJob: takes up a job of the past, or one that was bought somewhere else."""

from __future__ import annotations

from .host import execution, line
from .host.engine import get_engine, in_users_language, text_of
from .host.schema import SoraJob, io, output, with_supported_arguments
from .sora_jobs.errors import InvalidInputError


class SoraOpenJob(io.ComfyNode):
    """A line of the ledger, or a pasted id -> a job."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        providers = get_engine().providers.names()
        return with_supported_arguments(
            io.Schema,
            node_id="SoraOpenJob",
            display_name="Open Sora Job",
            category="video/Sora",
            description="Takes up any job that was ever bought here, newest first, or one from elsewhere by its id. "
            "Nothing is bought.",
            search_aliases=["resume sora", "recover video", "past jobs"],
            inputs=[
                io.Combo.Input(
                    "past_job",
                    options=[],
                    remote=io.RemoteOptions(route="/sora/jobs", refresh_button=True, control_after_refresh="first"),
                    optional=True,
                    tooltip="A job of this machine's ledger. The button fetches the list anew.",
                ),
                io.String.Input(
                    "video_id",
                    default="",
                    optional=True,
                    tooltip="Instead: a ledger id, or the gateway's id of a job that was bought elsewhere.",
                ),
                io.Combo.Input(
                    "provider",
                    options=providers,
                    default=providers[0],  # also without a key: the sandbox has no job that was bought elsewhere
                    optional=True,
                    tooltip="Where a job from elsewhere was bought.",
                ),
            ],
            outputs=[
                output(SoraJob, "job", tooltip="Connect to WaitForVideo."),
                output(io.String, "video_id", tooltip="The gateway's id of the job; empty while it is queued here."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, past_job: str | None = None, provider: str | None = None) -> bool | str:
        """The list of jobs lives on the page only, so the host cannot check a choice from it; and `provider` as in
        CreateSoraJob."""
        try:
            if provider is not None:
                get_engine().providers.check(provider)
        except InvalidInputError as error:
            return text_of(error)
        return past_job is None or len(past_job) < 10_000

    @classmethod
    @in_users_language
    async def execute(cls, past_job: str = "", video_id: str = "", provider: str = "") -> io.NodeOutput:
        """Find it."""
        wanted = video_id.strip() or (past_job or "").strip()
        if not wanted:
            hint = "Choose one from the list, or paste its id into video_id."
            raise InvalidInputError("No job is chosen.", hint=hint, code="no_job")
        engine = get_engine()
        opened = engine.start(lambda: engine.open(wanted, provider), key=provider, job=wanted)
        job = await execution.wait_for(opened)
        await line.show_place(job, cls.hidden.unique_id)
        return io.NodeOutput(job, job.video_id)
