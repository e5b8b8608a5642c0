"""WaitForVideo: waits for a job, stores its MP4 and shows it."""

from __future__ import annotations

from .host import execution, files, messages
from .host.engine import in_users_language, text_of, wait_for_video
from .host.schema import SoraJob, io, output, with_supported_arguments
from .sora_jobs.errors import SoraError
from .sora_jobs.jobs.spec import Job


class WaitForVideo(io.ComfyNode):
    """A job -> its video on disk."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="WaitForVideo",
            display_name="Wait For Video",
            category="video/Sora",
            description="Waits until the job is done and stores its MP4 in output/sora. An interrupt stops the "
            "waiting, never the job, which stays in the line if it is queued: run again to take it up.",
            is_output_node=True,
            inputs=[
                SoraJob.Input("job", tooltip="From CreateSoraJob, Remix or SoraOpenJob."),
                io.Float.Input(
                    "timeout_minutes",
                    default=60.0,
                    min=0.1,
                    max=1440.0,
                    step=1.0,
                    tooltip="How long to wait, in minutes. Time in the line before the job is sent does not count. "
                    "After that the node fails and the job goes on; run again.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="",
                    tooltip="Gives the video a second name in the output folder, such as shots/boat, which becomes "
                    "shots/boat_00001_.mp4 and takes no room of its own. %date:yyyy-MM-dd% and %Node.widget% are "
                    "filled in as in Save Image. Blank: only its name in output/sora.",
                ),
            ],
            outputs=[
                output(io.Video, "video", tooltip="Stays on disk; for LoadVideoFrames or any node that takes a VIDEO."),
                output(SoraJob, "job", tooltip="The finished job, for Remix."),
                output(io.String, "filename", tooltip="Relative to the output folder."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        """A name that no file can have is refused before anything in the graph is bought."""
        try:
            files.check_prefix(filename_prefix or "")
        except SoraError as error:
            return text_of(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> int:
        """The host keeps what this node gave; not when its file was deleted."""
        return files.missing_files_fingerprint()

    @classmethod
    @in_users_language
    async def execute(cls, job: Job, timeout_minutes: float = 60.0, filename_prefix: str = "") -> io.NodeOutput:
        """Wait -> name -> show."""
        done = await wait_for_video(job.id, 60 * timeout_minutes, cls.hidden.unique_id)
        path, warning = await execution.run_in_thread(lambda: files.named_file(done, filename_prefix))
        messages.warn_user(" ".join(filter(None, (done.error, warning))), cls.hidden.unique_id)
        files.track_output(path, cls.hidden.unique_id)
        return io.NodeOutput(files.video_of(path), done, files.relative_name(path), ui=files.player(path))
