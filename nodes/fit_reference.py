"""SoraFitReference: brings an image to a video's size, by hand and to be looked at, before anything is paid for."""

from __future__ import annotations

from typing import Any

from .host import execution, tensors
from .host.engine import get_engine, in_users_language, text_of
from .host.schema import io, output, with_supported_arguments
from .sora_jobs.errors import InvalidInputError
from .sora_jobs.jobs.identity import FITS
from .sora_jobs.jobs.spec import parse_size
from .sora_jobs.media.fit import PADDINGS, Fitting, fit_reference, parse_colour


class SoraFitReference(io.ComfyNode):
    """IMAGE and MASK -> the very pixels that CreateSoraJob sends."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return with_supported_arguments(
            io.Schema,
            node_id="SoraFitReference",
            display_name="Fit Sora Reference",
            category="video/Sora",
            description="Brings one image to the video's size and shows it; nothing is bought. CreateSoraJob of the "
            "same size sends exactly these pixels, whatever its own `fit` says.",
            search_aliases=["resize image for sora", "crop image", "pad image", "letterbox", "blurred background"],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="One image, RGB or RGBA. What is transparent shows the background."),
                io.Combo.Input(
                    "size",
                    options=get_engine().catalogue.sizes(),
                    default="1280x720",
                    tooltip="Width x height in pixels: the size of the video, as in CreateSoraJob.",
                ),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="crop",
                    tooltip="An image of another shape: crop fills the size and cuts edges off, pad shows all of it "
                    "between bars, stretch changes its proportions.",
                ),
                _focus("focus_x", "left", "right"),
                _focus("focus_y", "top", "bottom"),
                io.Combo.Input(
                    "padding",
                    options=list(PADDINGS),
                    default="colour",
                    tooltip="The bars of pad: the background colour, or a blurred, enlarged copy of the image.",
                ),
                io.String.Input(
                    "background",
                    default="#000000",
                    tooltip="Colour behind transparent parts, and of the bars: # and two digits 0-f each for red, "
                    "green and blue, such as #ff8000.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where it is 1 (white) the image is transparent and shows the background: the way round "
                    "that Load Image gives it. Invert it for a mask of what is to stay. As large as the image.",
                ),
            ],
            outputs=[output(io.Image, "image", tooltip="Exactly the size, RGB. Connect to CreateSoraJob's reference.")],
        )

    @classmethod
    def validate_inputs(cls, size: str | None = None, background: str | None = None) -> bool | str:
        """Naming `size` switches off the host's own check: a custom_model may have sizes that no list holds."""
        try:
            parse_size("1x1" if size is None else size)
            parse_colour("#000000" if background is None else background)
        except InvalidInputError as error:
            return text_of(error)
        return True

    @classmethod
    @in_users_language
    async def execute(
        cls, image: tensors.Tensor, size: str, mask: tensors.Tensor | None = None, **how: Any
    ) -> io.NodeOutput:
        """Fit -> show."""
        fitting = Fitting(**how)
        pixels, clear = tensors.pixels_of(image), None if mask is None else tensors.pixels_of(mask)
        sent = tensors.image_of(await execution.run_in_thread(lambda: fit_reference(pixels, size, fitting, clear)))
        return io.NodeOutput(sent, ui=await tensors.preview(sent))


def _focus(name: str, start: str, end: str) -> io.Input:
    return io.Float.Input(
        name,
        default=0.5,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip=f"0 is the {start}, 1 the {end}. crop: this point of the image stays in view, as near the middle as "
        "the edges allow. pad: where the image sits between the bars.",
    )
