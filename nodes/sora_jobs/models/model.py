"""One row of models.toml: what a model takes, costs, and where it lives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

from ..jobs.spec import parse_size

Life = Literal["live", "retired", "unknown"]
References = int | Literal["several"]
MOST_PIXELS = 1.1  # of a frame of 16:9, that an unlisted size may have to be priced like it
OLD_DAYS = 90  # from then on the age of a price is told
_SIZE = re.compile(r"[0-9]+x[0-9]+")


class Status(NamedTuple):
    """Whether a model still lives at a provider, and the date of what that was read from; `here` tells that the ledger
    of this machine saw it."""

    state: Life
    date: str
    here: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """One row of models.toml, where every field is explained. No `seconds`, no `sizes`, or either in `more`: nobody
    knows which others it takes."""

    id: str
    seconds: tuple[str, ...] = ()
    sizes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    resolutions: Mapping[str, str] = field(default_factory=dict)  # size -> the resolution under which the row has it
    references: References = 0
    meaning: str = ""
    remix: bool = False
    usd: Mapping[str, float] = field(default_factory=dict)
    usd_date: str = ""
    status: Mapping[str, Status] = field(default_factory=dict)
    successor: str = ""
    note: str = ""
    needs: str = ""
    comes_out: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    extra_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_seconds(self) -> tuple[str, ...]:
        """Every length that it takes; () where others than those known may be taken, too."""
        return () if "seconds" in self.more else self.seconds

    @property
    def all_sizes(self) -> tuple[str, ...]:
        """The same for sizes."""
        return () if "sizes" in self.more else tuple(self.sizes)

    def usd_per_second(self, size: str) -> float | None:
        """The listed price in dollars per second, or None where nobody wrote one down. An unlisted size has that of
        the resolution with its short side, unless it has many more pixels than a frame of 16:9."""
        names = (size, self.resolutions.get(size) or _resolution(size), "*")
        return next((self.usd[name] for name in names if name in self.usd), None)

    def takes(self, images: int) -> bool:
        """Does it take so many images?"""
        return self.references == "several" or images <= self.references

    @property
    def is_offered(self) -> bool:
        """May it be chosen for something new?"""
        gone = bool(self.status) and all(status.state == "retired" for status in self.status.values())
        return not self.needs and not gone

    def price_age_days(self, today: date | None = None) -> int | None:
        """How old its price is where it is older than OLD_DAYS, else None; a month or a year counts from its first
        day."""
        try:
            seen = date(*(map(int, (*self.usd_date.split("-"), "1", "1")[:3])))
        except ValueError:
            return None
        age = ((today or datetime.now(UTC).date()) - seen).days
        return age if age > OLD_DAYS else None

    def state(self, provider: str) -> Life:
        """At that provider; of providers that no row names nothing is known."""
        return self.status[provider].state if provider in self.status else "unknown"


def _resolution(size: str) -> str:
    """The resolution that a size belongs to by its short side; "" where it is much larger than that."""
    if not size:
        return ""
    width, height = parse_size(size)
    short_side = min(width, height)
    return f"{short_side}p" if width * height <= MOST_PIXELS * short_side**2 * 16 / 9 else ""


def read_row(row: dict[str, Any]) -> Model:
    """A row of models.toml."""
    status = {provider: Status(**given) for provider, given in row.get("status", {}).items()}
    seconds, more = tuple(row["seconds"]), tuple(row.get("more", ()))
    sizes, resolutions = _read_sizes(row["sizes"])
    facts = {**row, "status": {}, "sizes": sizes, "resolutions": resolutions}
    return replace(Model(**facts), seconds=seconds, more=more, status=status)


def _read_sizes(given: Any, resolution: str = "") -> tuple[dict[str, Mapping[str, str]], dict[str, str]]:
    """(size -> form fields, size -> resolution) from either form in which a row has them."""
    if isinstance(given, list):
        given = {size: {"size": size} for size in given}
    sizes: dict[str, Mapping[str, str]] = {}
    resolutions: dict[str, str] = {}
    for name, value in given.items():
        if _SIZE.fullmatch(name):
            sizes[name] = value
            resolutions |= {name: resolution} if resolution else {}
        else:
            more, named = _read_sizes(value, name)
            sizes |= more
            resolutions |= named
    return sizes, resolutions
