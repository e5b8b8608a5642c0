"""A create request that is resolved for its model and not yet encoded for an API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Upload:
    """A file that is uploaded with a create: its name, bytes, MIME type, and what it is for."""

    name: str
    data: bytes = field(repr=False)
    mime: str = "image/png"
    role: Literal["reference"] = "reference"


@dataclass(frozen=True)
class CreateCall:
    """The `fields` of the API by their names, all as text, and the files beside them."""

    fields: Mapping[str, str]
    uploads: tuple[Upload, ...] = ()
