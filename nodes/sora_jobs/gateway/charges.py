"""What a provider says that it charged for a finished video; where each says it is data in vocabulary.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .vocabulary import CHARGED_ELSEWHERE, CHARGES

LARGEST_USD = 10_000.0  # no video comes near it


def charged_usd(video: Mapping[str, Any], url: str) -> float | None:
    """Dollars for that finished video object, which came from `url`. None where the provider there is not known to say
    it, says no plausible number, or did not charge all of it itself."""
    host = _host(url)
    if _inside(video, CHARGED_ELSEWHERE) is True:
        return None
    for charge in CHARGES:
        if host == charge.host or host.endswith(f".{charge.host}"):
            told = _inside(video, charge.keys)
            plain = isinstance(told, int | float) and not isinstance(told, bool)  # no provider writes it as text
            return told / charge.per_usd if plain and 0 <= told <= LARGEST_USD * charge.per_usd else None
    return None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _inside(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
