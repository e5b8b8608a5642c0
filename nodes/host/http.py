"""ComfyUI's HTTP server: its routes, its events, and who can reach it."""

from __future__ import annotations

from typing import Any

from server import PromptServer

from ..sora_jobs.util.addresses import is_loopback

routes = PromptServer.instance.routes


def listens_on_loopback_only() -> bool:
    """Can nobody but this machine reach the host's server?"""
    from comfy.cli_args import args

    return all(is_loopback(name.strip()) for name in str(args.listen).split(","))


def send(event: str, content: dict[str, Any]) -> None:
    """An event for every page that is open. From any thread."""
    server = PromptServer.instance
    if server is not None and server.sockets:
        server.send_sync(event, content)
