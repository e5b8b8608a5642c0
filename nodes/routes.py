"""The pack's HTTP routes. Nothing here takes a path or an address, and nothing buys.

They wait without host.work and host.finish, which would take an interrupt away from the prompt that it is for.
"""

from __future__ import annotations

import asyncio
import dataclasses

from aiohttp import web

from . import host
from .sora.errors import SoraError

LISTED = 200
LONGEST = 200  # characters of a parameter


@host.routes.get("/sora/jobs")
async def jobs(request: web.Request) -> web.Response:
    """The ledger's newest jobs as readable lines, for SoraOpenJob's list."""
    if _is_foreign(request):
        return web.json_response([], status=403)
    try:
        return web.json_response(await asyncio.to_thread(host.studio().labels, LISTED))
    except SoraError as error:  # the ledger's database is away
        host.warn(str(error))
        return web.json_response([], status=503)


@host.routes.get("/sora/models")
async def models(request: web.Request) -> web.Response:
    """The catalogue: what each model takes, costs, and whether it lives."""
    if _is_foreign(request):
        return web.json_response({}, status=403)
    catalogue = host.studio().catalogue
    return web.json_response({"models": catalogue.rows(), "refreshed_at": catalogue.refreshed_at})


@host.routes.get("/sora/models/nearest")
async def nearest(request: web.Request) -> web.Response:
    """The living model that comes closest to a model, length and size, at a provider; {} where there is none."""
    if _is_foreign(request):
        return web.json_response({}, status=403)
    asked = [request.query.get(name, "")[:LONGEST] for name in ("model", "seconds", "size", "provider")]
    try:
        choice = host.studio().catalogue.nearest(*asked)
    except SoraError:  # a size that is none
        choice = None
    return web.json_response({} if choice is None else choice._asdict())


@host.routes.post("/sora/models/refresh")
async def refresh(request: web.Request) -> web.Response:
    """Ask CometAPI for its public list of models: {"added", "gone", "changed"}, or {"error", "advice"}."""
    if _is_foreign(request):
        return web.json_response({"error": "Only ComfyUI's own page may ask for this."}, status=403)
    if request.content_type != "application/json":  # which no form of another page can send
        return web.json_response({"error": "This has to come as JSON."}, status=415)
    try:
        refreshed = await asyncio.wrap_future(host.studio().refresh_models())
    except SoraError as error:
        return web.json_response({"error": error.what, "advice": error.advice}, status=502)
    return web.json_response(dataclasses.asdict(refreshed))


def _is_foreign(request: web.Request) -> bool:
    """Does another page send this? The host itself refuses a foreign Origin on loopback only, and never `null`."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host
