"""The pack's HTTP routes. Nothing here takes a path or an address, and nothing buys."""

from __future__ import annotations

from aiohttp import web

from . import host
from .sora.errors import SoraError

LISTED = 200


@host.routes.get("/sora/jobs")
async def jobs(request: web.Request) -> web.Response:
    """The ledger's newest jobs as readable lines, for SoraOpenJob's list."""
    if request.headers.get("Origin") == "null":  # a sandboxed page; the host refuses other foreign origins itself
        return web.json_response([], status=403)
    try:
        return web.json_response(await host.work(lambda: host.studio().labels(LISTED)))
    except SoraError as error:  # the ledger's database is away
        host.warn(str(error))
        return web.json_response([], status=503)
