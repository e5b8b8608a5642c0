"""The HTTP routes of the owner: settings, keys, the balance, the doctor. A key can be written but never read."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from aiohttp import web

from ..host import http
from ..host.engine import get_engine
from ..sora_jobs.engine import Config
from ..sora_jobs.errors import InvalidInputError
from . import access
from .access import LONGEST_PARAMETER, dated, text_in

routes = http.routes


@routes.get("/sora/settings")
@access.reads
async def settings(request: web.Request) -> dict[str, Any]:
    """What the page shows of the settings, and what of it may be changed from where it runs."""
    return await asyncio.to_thread(_settings, request)


@routes.post("/sora/settings")
@access.acts
async def change_settings(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """Any of {"language", "background_downloads", "usd_per_day", "usd_per_job"}; money only where the owner
    allows it."""
    local = access.is_local(request)
    config = await asyncio.to_thread(
        lambda: get_engine().page_settings.change(access.config_of(request), body, local=local)
    )
    http.send("sora.settings", {})
    return await asyncio.to_thread(_settings, request, config)


@routes.post("/sora/keys")
@access.owns
async def keys(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """{"provider", "key"}: keep a key; an empty one takes it away."""
    provider, key = text_in(body, "provider"), text_in(body, "key")
    write = get_engine().page_settings.write_key
    await asyncio.to_thread(write, access.config_of(request), provider[:LONGEST_PARAMETER], key)
    http.send("sora.settings", {})
    return await asyncio.to_thread(_settings, request)


@routes.post("/sora/balance")
@access.owns
async def balance(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """{"provider", "account": false}: ask what is left there, as `Balance` has it. The key is sent, nothing kept."""
    name, account = text_in(body, "provider"), body.get("account", False)
    if not isinstance(account, bool):
        raise InvalidInputError("account is true or false.", code="invalid_request")
    engine, name, config = get_engine(), name[:LONGEST_PARAMETER], access.config_of(request)
    asked = engine.start(lambda: engine.providers.balance(name, account=account, config=config), key=name)
    left = await asyncio.wrap_future(asked)
    return dated(dataclasses.asdict(left))


@routes.post("/sora/doctor")
@access.acts
async def doctor(request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
    """What is wrong here, and on the way to each gateway. It costs nothing."""
    from ..sora_jobs.diagnostics.doctor import examine

    findings = await asyncio.to_thread(examine, get_engine(), list(access.blocked), access.config_of(request))
    return {"findings": [dataclasses.asdict(finding) for finding in findings]}


def _settings(request: web.Request, config: Config | None = None) -> dict[str, Any]:
    config = config or access.config_of(request)
    return get_engine().page_settings.shown(config, local=access.is_local(request))
