"""Nodes as workflows keep them."""

from __future__ import annotations

from typing import Any


def node(number: int, kind: str, values: list[Any], **more: Any) -> dict[str, Any]:
    plain = {"pos": [60 + 460 * (number - 1), 120], "size": [400, 420], "flags": {}, "order": number, "mode": 0}
    plain |= {"inputs": [], "outputs": [], "properties": {}}
    return {"id": number, "type": kind, "widgets_values": values} | plain | more


def create(number: int, model: str, seconds: str, size: str, *, custom: str = "", **more: Any) -> dict[str, Any]:
    """CreateSoraJob at cometapi."""
    return node(number, "CreateSoraJob", ["a boat", model, seconds, size, 1, "crop", "cometapi", custom, ""], **more)
