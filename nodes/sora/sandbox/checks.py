"""What a gateway refuses, with its status codes and bodies (docs/gateway.md)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalogue import Catalogue, Model
from ..spec import parse_size

MIME_TYPES = ("image/jpeg", "image/png", "image/webp")
FORMATS = ("JPEG", "PNG", "WEBP")  # what the bytes may be, whatever their label says
LONGEST_UNKNOWN_S = 20  # of a film by a model of which no limits are known


class Refusal(Exception):
    """An HTTP error, as OpenAI says it; each family says it in its own way.

    `local`: found by the gateway itself, and not by whoever makes its films. `value` is what was asked for; `raw` a
    body that is a family's own from the start.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        value: str = "",
        local: bool = False,
        raw: Any = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.value, self.local, self.raw = value, local, raw

    def envelope(self) -> dict[str, Any]:
        """OpenAI's."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


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
        message, code = "Missing required parameter: 'prompt'.", "missing_required_parameter"
        raise Refusal(400, message, param="prompt", code=code, local=True)


def check_create(form: Mapping[str, str], uploads: Sequence[Upload], *, any_model: bool = False) -> Wanted:
    """The create in `form`, or a Refusal as the real gateway would give it. With `any_model` a name that no catalogue
    has is a model like another."""
    check_prompt(form.get("prompt", ""))
    asked = form.get("model") or "sora-2"
    model = Catalogue.shipped().find(asked) or (Model(id=asked, references=1) if any_model else None)
    if model is None:
        # A gateway family answers a model that it does not serve with 503, which is permanent all the same.
        message = f"No available channel for model {asked}."
        raise Refusal(503, message, code="model_not_found", param="model", value=asked, local=True)
    seconds = _seconds(model, form)
    width, height = _pixels(model, form)
    if len(uploads) > model.references:
        takes = ("no reference image", "one reference image at most", "two reference images at most")[model.references]
        raise Refusal(400, f"{model.id} takes {takes}.", param="input_reference")
    for upload in uploads:
        _check_reference(upload, width, height)
    return Wanted(model.id, seconds, form.get("size") or f"{width}x{height}", width, height)


def _seconds(model: Model, form: Mapping[str, str]) -> int:
    """The length that the form asks for; of a model of which nobody knows what it takes, any that is not too long."""
    known = model.all_seconds or tuple(str(seconds) for seconds in range(4, LONGEST_UNKNOWN_S + 1))
    seconds = form.get("seconds", (model.seconds or known)[0])
    if seconds not in known:
        raise _unsupported("seconds", seconds, known)
    return int(seconds)


def _pixels(model: Model, form: Mapping[str, str]) -> tuple[int, int]:
    """The size that the form asks for, in the model's own words; the model's first where it asks for none."""
    for size, fields in model.sizes.items():
        if all(form.get(name) == value for name, value in fields.items()):
            return parse_size(size)
    if (not model.all_sizes and "size" in form) or not model.sizes:  # nobody knows what it takes
        return _even_pixels(form.get("size", "1280x720"))
    if not any(name in form for fields in model.sizes.values() for name in fields):
        return parse_size(next(iter(model.sizes)))
    raise _unsupported("size", form.get("size", ""), [" ".join(fields.values()) for fields in model.sizes.values()])


def _even_pixels(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})", size)
    if found is None or int(found[1]) % 2 or int(found[2]) % 2:
        raise _unsupported("size", size, ["1280x720", "720x1280"])
    return int(found[1]), int(found[2])


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
