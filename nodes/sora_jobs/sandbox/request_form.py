"""Reading a request: its key, and its fields and files in whichever of three forms they come."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from aiohttp import web

from .validation import Refusal, Upload

REFERENCE_FIELDS = ("input_reference", "input_reference[]")


@dataclass(frozen=True)
class Form:
    """The text fields and the reference images of a request."""

    fields: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)


def has_key(request: web.Request) -> bool:
    """Does it carry a bearer key? Any will do."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(key.strip())


async def read_form(request: web.Request) -> Form:
    """A JSON object, an urlencoded or a multipart form; Refusal (HTTP 400) where it is none of them."""
    if request.content_type == "application/json":
        return Form(_json_fields(await request.read()))
    form = Form()
    try:
        posted = await request.post()
    # No boundary, text that is no UTF-8, an unknown charset; and in older aiohttp a part without a name.
    except (ValueError, LookupError, AssertionError):
        raise Refusal(400, "The form cannot be read.", local=True) from None
    for name, value in posted.items():
        if isinstance(value, web.FileField):
            with value.file as file:
                form.uploads.append(_upload(name, Upload(value.filename, value.content_type, file.read())))
        elif name in REFERENCE_FIELDS:
            raise _wrong_type("input_reference", "a file", "a string")
        elif isinstance(value, str):
            form.fields[name] = value
        else:
            raise _wrong_type(name, "a string", "bytes")
    return form


def _upload(name: str, upload: Upload) -> Upload:
    if name not in REFERENCE_FIELDS:
        raise Refusal(400, f"Unknown file '{name}'.", param=name, code="unknown_parameter", local=True)
    return upload


def _json_fields(data: bytes) -> dict[str, str]:
    """The fields of a JSON object. All that this wire knows are strings, `seconds` too."""
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.", local=True) from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body is not a JSON object.", local=True)
    if body.get("input_reference") is not None:
        raise _wrong_type("input_reference", "a file in a multipart form", "JSON")
    for name in ("prompt", "model", "seconds", "size"):
        value = body.get(name, "")
        if value is not None and not isinstance(value, str):
            raise _wrong_type(name, "a string", type(value).__name__)
    try:
        text = {name: str(value) for name, value in body.items() if value is not None}
        "".join((*text, *text.values())).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Refusal(400, "The body is not valid Unicode.", local=True) from None
    return text


def _wrong_type(name: str, expected: str, got: str) -> Refusal:
    message = f"Invalid type for '{name}': expected {expected}, but got {got} instead."
    return Refusal(400, message, param=name, code="invalid_type", local=True)
