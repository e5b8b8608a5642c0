"""What a node says: a line of text in it, a warning, a line in the host's log."""

from __future__ import annotations

import logging

from server import PromptServer

log = logging.getLogger("sora")


def set_node_text(text: str, node_id: str | None) -> None:
    """One line of text in the node; from any thread."""
    server = PromptServer.instance
    if server is not None and node_id is not None and server.client_id is not None:
        # Only to the page that asked: without an id it would go to every page that is open.
        server.send_progress_text(text, node_id, server.client_id)


def warn_user(warning: str, node_id: str | None) -> None:
    """A warning, if there is one, in the node and in the log; from any thread."""
    if warning:
        log_warning(warning)
        set_node_text(warning, node_id)


def log_warning(text: str) -> None:
    """One line in the host's log."""
    log.warning("%s", text)
