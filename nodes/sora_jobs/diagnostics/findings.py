"""A line of the doctor's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..util.redact import redact

Level = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One line: `text` says what was found and, where it is not ok, what cures it."""

    name: str
    level: Level
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", redact(self.text))
