"""From a request to a create: the fields that its model wants, by the catalogue, and its references as files."""

from __future__ import annotations

from collections.abc import Iterable

from ..jobs.create_call import CreateCall, Upload
from ..jobs.identity import form_text
from ..jobs.spec import VideoRequest
from .catalogue import Catalogue


def create_call(spec: VideoRequest, catalogue: Catalogue, pngs: Iterable[bytes] = ()) -> CreateCall:
    """The create for `spec`, with its references as they go up: PNG files.

    `seconds` and `size` always go, since gateways' defaults differ. For a model that the catalogue does not list,
    `extra_fields` may say the size in another form.
    """
    fields = {"prompt": spec.prompt, "model": spec.model, "seconds": spec.seconds, **catalogue.size_fields(spec)}
    fields |= {name: form_text(value) for name, value in spec.extra_fields.items()}
    uploads = (Upload(f"reference_{number}.png", png) for number, png in enumerate(pngs, start=1))
    return CreateCall(fields, tuple(uploads))
