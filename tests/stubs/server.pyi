from typing import Any, ClassVar

from aiohttp import web

class PromptServer:
    instance: ClassVar[PromptServer]
    app: web.Application
    routes: web.RouteTableDef
    client_id: str | None
    sockets: dict[str, web.WebSocketResponse]
    def send_sync(self, event: str, data: dict[str, Any]) -> None: ...
    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None: ...
