"""The sandbox: a free gateway of our own, real HTTP on loopback, real MP4s.

It checks what a real gateway checks, takes some seconds for a video, and misbehaves on purpose where the prompt asks
for it. Its jobs lie on disk and their progress is a function of time, so that a restart and a second process find them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import Sandbox as Sandbox


def __getattr__(name: str) -> Any:
    """`Sandbox`, once it is asked for: its web server takes a while to import."""
    if name == "Sandbox":
        from .server import Sandbox

        return Sandbox
    raise AttributeError(name)
