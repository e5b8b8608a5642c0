"""What schemas of nodes are made of, on each version of ComfyUI."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from comfy_api.latest import ComfyExtension, io, ui

T = TypeVar("T")
P = ParamSpec("P")

__all__ = ["ComfyExtension", "SoraJob", "io", "ui"]
SoraJob = io.Custom("SORA_JOB")


def with_supported_arguments(kind: Callable[P, T], *positional: P.args, **keywords: P.kwargs) -> T:
    """`kind(...)` without the keywords that this host's version does not know yet (`advanced`, `search_aliases`)."""
    known = inspect.signature(kind).parameters
    taken: dict[str, Any] = {name: value for name, value in keywords.items() if name in known}
    return kind(*positional, **taken)


def output(kind: type[io.ComfyTypeIO], name: str, tooltip: str) -> io.Output:
    """An output shown as `name`. Hosts of 2025 refuse one whose id is also an input's, hence another id."""
    return kind.Output(f"{name}_output", display_name=name, tooltip=tooltip)
