"""The server that talks to the page: routes are collected, messages go to `send_sync`, which nobody hears."""

from __future__ import annotations

import struct
from typing import Any

from aiohttp import web

TEXT = 3  # the number of a binary message that carries a node's line of text


class PromptServer:
    """There is one, `instance`, from the start. `client_id` is the page that queued the running prompt, or None."""

    instance: PromptServer

    def __init__(self, loop: Any = None) -> None:
        PromptServer.instance = self
        self.routes = web.RouteTableDef()
        self.app = web.Application()  # which never starts
        self.client_id: str | None = None
        self.sockets: dict[str, Any] = {}  # the pages that are open

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        """Send to the page `sid`, or to every page that is open."""

    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None:
        """A line of text in a node: the length of the node's id as 4 bytes, the id, the text."""
        node = str(node_id).encode()
        self.send_sync(TEXT, struct.pack(">I", len(node)) + node + text.encode(), sid)


PromptServer()
