"""A create, resolved for its model, in no gateway's form yet: what a dialect encodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Upload:
    """A file that goes up with a create: its bytes, their MIME type, and what it is for."""

    name: str
    data: bytes = field(repr=False)
    mime: str = "image/png"
    role: Literal["reference"] = "reference"


@dataclass(frozen=True)
class CreateCall:
    """`fields` are the values by the names of the API, all as text, without the uploads."""

    fields: Mapping[str, str]
    uploads: tuple[Upload, ...] = ()
