"""What a gateway refuses, with its status codes and bodies (facts: gateway.md, sections 2 and 4)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..catalogue import Catalogue, Model
from ..spec import parse_size

MIME_TYPES = ("image/jpeg", "image/png", "image/webp")
# What the sandbox takes for a model of which nobody knows what its own gateway takes.
LENGTHS = tuple(str(seconds) for seconds in (5, *range(1, 5), *range(6, 31)))
SIZES = ("1280x720", "720x1280", "1920x1080", "1080x1920", "854x480")
FORMATS = ("JPEG", "PNG", "WEBP")  # what the bytes may be, whatever their label says


class Refusal(Exception):
    """An HTTP error with OpenAI's envelope."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class Wanted:
    """A create that passed the checks. `size` is as written on the wire; `width` and `height` are pixels."""

    model: str
    seconds: int
    size: str
    width: int
    height: int


@dataclass(frozen=True)
class Upload:
    """A file part of the form."""

    filename: str
    content_type: str
    data: bytes


def check_prompt(prompt: str) -> None:
    """Refusal (HTTP 400) where there is none."""
    if not prompt.strip():
        raise Refusal(400, "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter")


def check_create(form: Mapping[str, str], uploads: Sequence[Upload]) -> Wanted:
    """The create in `form`, or a Refusal as the real gateway would give it."""
    check_prompt(form.get("prompt", ""))
    model = Catalogue.shipped().find(form.get("model") or "sora-2")
    if model is None:
        # A gateway family answers a model that it does not serve with 503, which is permanent all the same.
        raise Refusal(503, f"No available channel for model {form['model']}.", code="model_not_found", param="model")
    lengths = model.seconds or LENGTHS
    seconds = form.get("seconds", lengths[0])
    if seconds not in lengths:
        raise _unsupported("seconds", seconds, lengths)
    width, height = _pixels(model, form)
    if len(uploads) > model.references:
        takes = ("no reference image", "one reference image at most", "two reference images at most")[model.references]
        raise Refusal(400, f"{model.id} takes {takes}.", param="input_reference")
    for upload in uploads:
        _check_reference(upload, width, height)
    return Wanted(model.id, int(seconds), form.get("size") or f"{width}x{height}", width, height)


def _pixels(model: Model, form: Mapping[str, str]) -> tuple[int, int]:
    """The size that the form asks for, in the model's own words; the model's first where it asks for none."""
    sizes = model.sizes or {size: {"size": size} for size in SIZES}
    for size, fields in sizes.items():
        if all(form.get(name) == value for name, value in fields.items()):
            return parse_size(size)
    if not any(name in form for fields in sizes.values() for name in fields):
        return parse_size(next(iter(sizes)))
    raise _unsupported("size", form.get("size", ""), [" ".join(fields.values()) for fields in sizes.values()])


def _unsupported(name: str, value: str, allowed: Iterable[str]) -> Refusal:
    choices = ", ".join(f"'{choice}'" for choice in allowed)
    message = f"Invalid value: '{value}'. Supported values are: {choices}."
    return Refusal(400, message, param=name, code="invalid_value")


def _check_reference(upload: Upload, width: int, height: int) -> None:
    from PIL import Image, UnidentifiedImageError

    if upload.content_type not in MIME_TYPES:
        raise Refusal(400, f"Invalid file 'input_reference': unsupported mimetype ('{upload.content_type}'). "
                      f"Supported file formats are {', '.join(MIME_TYPES)}.", param="input_reference",
                      code="unsupported_mimetype")  # fmt: skip
    try:
        with Image.open(io.BytesIO(upload.data), formats=FORMATS) as image:
            size = image.size
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Refusal(400, "The file in 'input_reference' is not a valid image.", param="input_reference") from None
    if size != (width, height):
        raise Refusal(400, "Inpaint image must match the requested width and height", param="input_reference")
