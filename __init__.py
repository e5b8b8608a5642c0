"""Sora Jobs: generated video in a ComfyUI graph, paid for once and never lost.

ComfyUI imports this file at its start: it registers the nodes and nothing else. There is no NODE_CLASS_MAPPINGS on
purpose, since the loader would then never reach `comfy_entrypoint`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if sys.version_info < (3, 11):  # noqa: UP036 - else an import far below fails, in words that name no cure
    raise ImportError(
        f"Sora Jobs needs Python 3.11 or newer, and ComfyUI runs on {sys.version.split()[0]} ({sys.executable}). "
        "Give ComfyUI a newer Python, and install its requirements and those of this pack there."
    )

if TYPE_CHECKING:
    from .nodes.extension import SoraExtension

WEB_DIRECTORY = "./js"


async def comfy_entrypoint() -> SoraExtension:
    """What ComfyUI (0.3.48 and later) calls for the list of nodes."""
    from .nodes.extension import SoraExtension

    return SoraExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
