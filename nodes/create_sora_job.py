"""CreateSoraJob: buys a video and returns as soon as the job exists."""

from __future__ import annotations

from functools import partial

from .host import execution, line, messages, tensors
from .host.engine import get_engine, in_users_language, text_of
from .host.schema import SoraJob, io, output, with_supported_arguments
from .sora_jobs.errors import InvalidInputError, SoraError
from .sora_jobs.jobs.identity import FITS
from .sora_jobs.jobs.spec import Reference, VideoRequest, parse_extra_fields

PROJECT = (
    "What the job is bought for, in a few words: the tab and `sora costs` add up costs by project. It changes nothing "
    "in the request, is in no receipt and no video, and can be changed in the tab. Like every widget it is saved with "
    "the workflow."
)


class CreateSoraJob(io.ComfyNode):
    """Prompt and image -> a job at the gateway."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        catalogue, providers = get_engine().catalogue, get_engine().providers.names()
        return with_supported_arguments(
            io.Schema,
            node_id="CreateSoraJob",
            display_name="Create Sora Job",
            category="video/Sora",
            description="Buys a video and returns as soon as the job exists; WaitForVideo waits for it. Running the "
            "same again joins the job that is there instead of buying it twice. Where the provider has as many jobs as "
            "the machine's owner allows at once, the job is queued here and sent in its turn.",
            search_aliases=["sora", "text to video", "image to video", "cometapi", "veo", "seedance"],
            inputs=[
                io.String.Input("prompt", multiline=True, default="", tooltip="What the video should show."),
                io.Combo.Input(
                    "model",
                    options=[model.id for model in catalogue.offered()],
                    default="sora-2",
                    tooltip="Which model makes it. `sora models` lists lengths, sizes and prices.",
                ),
                io.Combo.Input(
                    "seconds",
                    options=catalogue.seconds(),
                    default="4",
                    tooltip="Length in seconds; the error of a wrong one lists what the model makes.",
                ),
                io.Combo.Input(
                    "size",
                    options=catalogue.sizes(),
                    default="1280x720",
                    tooltip="Width x height in pixels; the error of a wrong one lists what the model makes.",
                ),
                io.Int.Input(
                    "take",
                    default=1,
                    min=1,
                    max=999_999,
                    tooltip="A new take of the same is a NEW PURCHASE. The same take is never bought twice.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="One image that the video starts from. It is brought to the video's size as `fit` says.",
                ),
                io.Image.Input(
                    "last_reference",
                    optional=True,
                    tooltip="One image that the video ends with, for models that take a first and a last frame; a "
                    "second image of what is to be seen, for those that take several.",
                ),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="crop",
                    optional=True,
                    tooltip="How an image of another shape is brought to the size: crop the edges, pad with black, "
                    "or stretch.",
                ),
                io.Combo.Input(
                    "provider",
                    options=providers,
                    default=get_engine().providers.default(),  # of a new node; an omitted input means cometapi
                    optional=True,
                    tooltip="Who makes it. sandbox is free and on this machine; the others need a key, which the "
                    "machine's owner sets (for cometapi: COMETAPI_KEY). A new node has sandbox until cometapi has a "
                    "key.",
                ),
                with_supported_arguments(
                    io.String.Input,
                    "custom_model",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Another model's id, sent as typed in place of `model`, unchecked.",
                ),
                with_supported_arguments(
                    io.String.Input,
                    "extra_fields",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip='More form fields for the provider, as a JSON object such as {"seed": 7}. Harmless ones '
                    "pass, and those that the machine's owner allows in providers.toml.",
                ),
                with_supported_arguments(
                    io.String.Input, "project", default="", optional=True, advanced=True, tooltip=PROJECT
                ),
            ],
            outputs=[
                output(SoraJob, "job", tooltip="Connect to WaitForVideo."),
                output(io.String, "video_id", tooltip="The gateway's id of the job; empty while it is queued here."),
                output(io.Image, "reference", tooltip="Exactly the pixels that were uploaded."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(
        cls,
        model: str | None,
        seconds: str | None,
        size: str | None,
        provider: str | None = None,
        custom_model: str = "",
        prompt: str | None = None,
    ) -> bool | str:
        """Naming these switches off the host's own check, whose error would not say what is allowed. What is in the
        ledger may be asked for again, whatever became of its model."""
        try:
            if provider is not None:
                get_engine().providers.check(provider)
            if None not in (model, seconds, size) and not (custom_model or "").strip():
                _check_choice(str(model), str(seconds), str(size), provider, prompt)
        except SoraError as error:
            return text_of(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> int:
        """The host keeps what this node gave; not a queued job that nobody sends any more."""
        return line.unsent_fingerprint()

    @classmethod
    @in_users_language
    async def execute(
        cls,
        prompt: str,
        model: str,
        seconds: str,
        size: str,
        take: int = 1,
        reference: tensors.Tensor | None = None,
        last_reference: tensors.Tensor | None = None,
        fit: str = "crop",
        provider: str = "cometapi",
        custom_model: str = "",
        extra_fields: str = "",
        project: str = "",
    ) -> io.NodeOutput:
        """Check -> fit -> buy."""
        from .sora_jobs.media.reference import from_float

        engine, typed = get_engine(), custom_model.strip()
        if last_reference is not None and reference is None:
            message = "There is a last_reference but no reference."
            raise InvalidInputError(message, hint="Connect the first frame, too.", code="no_first_reference")
        images = [image for image in (reference, last_reference) if image is not None]
        spec = VideoRequest(
            provider=provider,
            prompt=prompt,
            model=typed or model,
            seconds=seconds,
            size=size,
            take=take,
            extra_fields=parse_extra_fields(extra_fields),
            references=tuple(Reference(from_float(tensors.pixels_of(image)), fit) for image in images),
            project=project,
        )
        tell = partial(messages.warn_user, node_id=cls.hidden.unique_id)
        bought = await execution.wait_for(engine.start_create(spec, listed=not typed, tell=tell))
        sent = tensors.image_of(bought.images[0]) if bought.images else tensors.nothing()
        job = await line.give(bought.job, cls.hidden.unique_id)
        # The page's badge says by it where a queued job is in the line.
        return io.NodeOutput(job, job.video_id, sent, ui={"sora_job": [job.id]})


def _check_choice(model: str, seconds: str, size: str, provider: str | None, prompt: str | None) -> None:
    """InvalidInputError for a choice that its provider does not make, unless it was bought before."""
    engine = get_engine()

    def check(*, fresh: bool) -> None:
        catalogue = engine.fresh_catalogue() if fresh else engine.catalogue
        if provider is not None:
            catalogue.check_availability(model, seconds, size, provider)
        catalogue.check_choice(model, seconds, size)

    try:
        check(fresh=False)
    except SoraError:  # only now is the ledger asked
        if not engine.history.was_bought(model, seconds, size, provider, prompt):
            check(fresh=True)
