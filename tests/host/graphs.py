"""Prompts in the host's API form, put together from small pieces."""

from __future__ import annotations

from typing import Any

Graph = dict[str, dict[str, Any]]
SORA = {"model": "sora-2", "size": "1280x720"}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def create(prompt: str, **more: Any) -> dict[str, Any]:
    """CreateSoraJob on the sandbox; its film is small, since it is rendered."""
    given = {"model": "seedance-2-5", "seconds": "4", "size": "854x480", "take": 1, "provider": "sandbox"}
    return node("CreateSoraJob", prompt=prompt, **(given | more))


def wait(source: str, **more: Any) -> dict[str, Any]:
    return node("WaitForVideo", job=[source, 0], **({"timeout_minutes": 5.0, "filename_prefix": ""} | more))


def frames(source: str, **more: Any) -> dict[str, Any]:
    names = ("force_rate", "frame_load_cap", "skip_first_frames", "custom_width", "custom_height")
    return node("LoadVideoFrames", video=[source, 0], **(dict.fromkeys(names, 0) | {"select_every_nth": 1} | more))


def shown(source: str, output: int) -> dict[str, Any]:
    return node("PreviewAny", source=[source, output])


def saved(source: str, output: int, prefix: str) -> dict[str, Any]:
    return node("SaveImage", images=[source, output], filename_prefix=prefix)


def image(width: int = 640, height: int = 480, colour: int = 0xE08020, batch: int = 1) -> dict[str, Any]:
    return node("EmptyImage", width=width, height=height, batch_size=batch, color=colour)


def bought(prompt: str, **more: Any) -> Graph:
    """Create and wait: nodes 1 and 2."""
    return {"1": create(prompt, **more), "2": wait("1")}
