"""What a gateway refuses, with its status codes and bodies (docs/gateway.md)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..jobs.spec import parse_size
from .pages import SHAPES, VendorPage, pages

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
    """The create in `form`, or a Refusal as the real gateway would give it. With `any_model` a name that no page
    describes is a model like another."""
    check_prompt(form.get("prompt", ""))
    asked = form.get("model") or "sora-2"
    page = pages().get(asked) or (VendorPage(references=1) if any_model else None)
    if page is None:
        # A gateway family answers a model that it does not serve with 503, which is permanent all the same.
        message = f"No available channel for model {asked}."
        raise Refusal(503, message, code="model_not_found", param="model", value=asked, local=True)
    for name in SHAPES & form.keys():
        if page.fields and name not in page.fields:
            raise Refusal(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    seconds = _seconds(page, form)
    width, height = _pixels(page, form)
    if not page.takes(len(uploads)):
        takes = {0: "no reference image", 1: "one reference image at most"}
        most = takes.get(int(page.references), f"{page.references} reference images at most")
        raise Refusal(400, f"{asked} takes {most}.", param="input_reference")
    for upload in uploads:
        _check_reference(upload, width, height)
    return Wanted(asked, seconds, form.get("size") or f"{width}x{height}", width, height)


def _seconds(page: VendorPage, form: Mapping[str, str]) -> int:
    """The length that the form asks for; of a model of which nobody knows what it takes, any that is not too long."""
    known = page.seconds or tuple(str(seconds) for seconds in range(1, LONGEST_UNKNOWN_S + 1))
    seconds = form.get("seconds", page.default_seconds)
    if seconds not in known:
        raise _unsupported("seconds", seconds, known)
    return int(seconds)


def _pixels(page: VendorPage, form: Mapping[str, str]) -> tuple[int, int]:
    """The pixels of the video that the form asks for; the page's first where it asks for none."""
    for fields, video in page.frames:
        if all(form.get(name) == value for name, value in fields.items()):
            return parse_size(video)
    if not any(name in form for fields, _ in page.frames for name in fields):
        return parse_size(page.frames[0][1]) if page.frames else _even_pixels(form.get("size", "1280x720"))
    raise _unsupported("size", form.get("size", ""), [" ".join(fields.values()) for fields, _ in page.frames])


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
