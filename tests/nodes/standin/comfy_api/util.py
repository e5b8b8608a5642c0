"""The name under which packs of every version find it."""

from __future__ import annotations

from comfy_api.latest.video import VideoComponents

__all__ = ["VideoComponents"]
