"""The vendors' own tables of each model (vendor_pages.toml). The sandbox validates creates with these, and not with the
catalogue that wrote the request."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Fields that decide how long or how large a video is: one that a page does not have is refused, since the real gateway
# would ignore it, and charge for its default. Others are ignored here, too.
SHAPES = {"size", "seconds", "resolution", "aspect_ratio", "ratio", "width", "height", "duration"}


@dataclass(frozen=True, kw_only=True)
class VendorPage:
    """What a model takes. No `fields`, `seconds` or `frames`: no page says. `frames` are (form fields, the size of the
    video that comes), the first that of a request without any; `references` is -1 where the upper bound is unknown."""

    page: str = ""
    fields: frozenset[str] = frozenset()
    seconds: tuple[str, ...] = ()
    default_seconds: str = "4"
    frames: tuple[tuple[Mapping[str, str], str], ...] = ()
    references: int = 0
    remix: bool = False

    def takes(self, images: int) -> bool:
        """Does it take so many images?"""
        return self.references < 0 or images <= self.references


@functools.cache
def pages() -> Mapping[str, VendorPage]:
    """All models that the sandbox knows, by the id on the wire."""
    tables = tomllib.loads(Path(__file__).with_name("vendor_pages.toml").read_text(encoding="utf-8"))
    return {name: _read(table) for name, table in tables.items()}


def _read(table: Mapping[str, Any]) -> VendorPage:
    seconds = _numbers(table.get("seconds", ""))
    frames = [({"size": size}, size) for size in table.get("sizes", "").split()]
    for row in table.get("frame", ()):
        frames.append(({name: value for name, value in row.items() if name != "video"}, row["video"]))
    return VendorPage(
        page=table["page"],
        fields=frozenset(table.get("fields", ())),
        seconds=seconds,
        default_seconds=table.get("default_seconds", next(iter(seconds), VendorPage.default_seconds)),
        frames=tuple(frames),
        remix=table.get("remix", False),
        references=-1 if table["references"] == "several" else table["references"],
    )


def _numbers(text: str) -> tuple[str, ...]:
    """`"4-15"` -> each of them, `"4 8 12"` -> these."""
    first, dash, last = text.partition("-")
    return tuple(map(str, range(int(first), int(last) + 1))) if dash else tuple(text.split())
