"""What a purchase would cost, for the page, the budget, the nodes and the command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ..messages import warning_of

# Why a price is unknown, with the names of the `facts` that belong to it. Each has its sentence in messages.toml, and
# its short form in js/words.*.mjs.
Unknown = Literal["linked", "extra_fields", "provider", "model", "size", "length", "source", "job"]
NO_FACTS: Mapping[str, str] = MappingProxyType({})


class Quote(NamedTuple):
    """What a purchase would cost: `usd` in dollars, None where it is `unknown` for that reason, with the names in
    `facts`; `price_age_days` where the price it was made from is old; `comes_out`, the size that the video will have
    where that is another one."""

    usd: float | None
    price_age_days: int | None = None
    comes_out: str = ""
    unknown: Unknown | Literal[""] = ""
    facts: Mapping[str, str] = NO_FACTS

    def why_unknown(self, language: str = "en") -> str:
        """Return a sentence that says why the price is unknown; "" where it is known, or was not asked for."""
        return warning_of(f"price_{self.unknown}", language, **self.facts) if self.unknown else ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**self._asdict(), "facts": dict(self.facts)}
