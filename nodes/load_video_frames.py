"""LoadVideoFrames: decodes a video to frames and sound."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .host import execution, files, messages, tensors
from .host.engine import in_users_language
from .host.schema import io, output, with_supported_arguments
from .sora_jobs.jobs.spec import LARGEST_SIDE
from .sora_jobs.media.selection import FrameChoice

if TYPE_CHECKING:
    from .sora_jobs.media.clip import Clip


class LoadVideoFrames(io.ComfyNode):
    """A VIDEO -> IMAGE, AUDIO and what a graph needs to put them together again."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="LoadVideoFrames",
            display_name="Load Video Frames",
            category="video/Sora",
            description="Decodes a video to frames and sound, with the settings that VideoHelperSuite users know: "
            "force_rate first, then skip_first_frames, then select_every_nth, then frame_load_cap.",
            search_aliases=["video to frames", "decode video", "extract frames", "last frame"],
            inputs=[
                io.Video.Input("video", tooltip="From WaitForVideo or any other node that gives a VIDEO."),
                io.Float.Input(
                    "force_rate",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=1.0,
                    tooltip="Frames per second to resample to, by repeating or leaving out frames. 0: as it is.",
                ),
                io.Int.Input(
                    "frame_load_cap",
                    default=0,
                    min=0,
                    max=10_000_000,
                    tooltip="At most so many frames. 0: all. A 1280x720 frame takes 10.5 MiB of memory.",
                ),
                io.Int.Input(
                    "skip_first_frames",
                    default=0,
                    min=-10_000_000,
                    max=10_000_000,
                    tooltip="Leave out so many frames at the start. A negative number keeps that many at the end: "
                    "-1 is the last frame alone.",
                ),
                io.Int.Input(
                    "select_every_nth",
                    default=1,
                    min=1,
                    max=10_000_000,
                    tooltip="Take every nth frame. 1 takes every one.",
                ),
                io.Int.Input(
                    "custom_width",
                    default=0,
                    min=0,
                    max=LARGEST_SIDE,
                    tooltip="Pixels. 0 keeps it, or follows custom_height in proportion. Both: the middle is cropped.",
                ),
                io.Int.Input(
                    "custom_height",
                    default=0,
                    min=0,
                    max=LARGEST_SIDE,
                    tooltip="Pixels. 0 keeps it, or follows custom_width in proportion. Both: the middle is cropped.",
                ),
                with_supported_arguments(
                    io.Combo.Input,
                    "untagged",
                    options=["auto", "bt601", "bt709"],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="Colours of a file that does not say how they are coded. auto: as players show it, BT.601 "
                    "for SD and BT.709 for HD. Files that do say it are read as they say.",
                ),
                with_supported_arguments(
                    io.Combo.Input,
                    "memory",
                    options=["ram", "disk"],
                    default="ram",
                    optional=True,
                    advanced=True,
                    tooltip="disk: the frames lie in a file of ComfyUI's temp folder, for clips that do not fit in "
                    "memory. Nodes behind this one use them as usual, slower.",
                ),
                with_supported_arguments(
                    io.Boolean.Input,
                    "square_pixels",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Anamorphic files (old camera and TV formats) store frames narrower or wider than they are "
                    "shown. On: one side is enlarged until they have the shape that players show. Other files stay "
                    "as they are.",
                ),
            ],
            outputs=[
                output(io.Image, "frames", tooltip="All chosen frames as a batch."),
                output(io.Audio, "audio", tooltip="The sound of exactly these frames; silence where there is none."),
                output(io.Float, "fps", tooltip="Frames per second of this batch."),
                output(io.Int, "frame_count", tooltip="How many frames there are in this batch."),
                output(io.Image, "last_frame", tooltip="The last frame alone, to continue a shot from."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @in_users_language
    async def execute(
        cls, video: files.Video, untagged: str = "auto", memory: str = "ram", **settings: Any
    ) -> io.NodeOutput:
        """Decode -> tensors."""
        choice = FrameChoice(**settings)
        scratch = files.temp_folder() if memory == "disk" else None
        decode = functools.partial(_clip, video, choice, untagged, scratch)
        clip = await execution.run_with_progress(decode, cls.hidden.unique_id)
        for warning in clip.warnings:
            messages.warn_user(warning, cls.hidden.unique_id)
        frames = tensors.image_of(clip.pixels)
        audio = tensors.audio_of(clip.waveform, clip.sample_rate)
        last = tensors.image_of(clip.pixels[-1:].copy())  # its own: the host may keep it when all the others are gone
        return io.NodeOutput(frames, audio, clip.fps, len(frames), last)


def _clip(
    video: files.Video,
    choice: FrameChoice,
    untagged: str,
    scratch: Path | None,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Clip:
    """Decode the file behind `video`, or choose among the images that it is made of."""
    from .sora_jobs.media.clip import clip_of_file, clip_of_images
    from .sora_jobs.media.probe import declared

    with files.file_of(video) as found:
        if found is not None and files.shows_all_of(video, declared(found[0]), found[1]):
            path, window = found
            return clip_of_file(
                path, choice, untagged=untagged, scratch=scratch, window=window, progress=progress, cancelled=cancelled
            )
    images, waveform, sample_rate, fps = tensors.components_of(video)
    return clip_of_images(images, fps, waveform, sample_rate, choice, scratch=scratch)
