"""Who may call the pack's routes. ComfyUI has no login: a page of somebody else's, a name that was rebound to this
machine, or a stranger on the network must neither read nor change anything here.

    reads   GET, from the host's own page
    acts    POST as JSON, from the host's own page
    owns    the same, for keys and money: from this machine only, unless its owner says otherwise
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import host
from .sora.errors import GatewayTrouble, InvalidInput, LocalTrouble, SoraError
from .sora.providers import is_loopback

LARGEST_BODY = 64 << 10  # bytes
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")  # set by proxies

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request], Awaitable[Any]]


def reads(answer: Answer) -> Handler:
    """Serve what `answer(request)` gives, as JSON."""
    return _guarded(answer)


def acts(answer: Callable[[web.Request, dict[str, Any]], Awaitable[Any]]) -> Handler:
    """The same for `answer(request, the JSON object of the body)`, which changes something."""

    async def with_body(request: web.Request) -> Any:
        return await answer(request, await _body(request))

    return _guarded(functools.wraps(answer)(with_body), _not_json)


def owns(answer: Callable[[web.Request, dict[str, Any]], Awaitable[Any]]) -> Handler:
    """The same for what belongs to the machine's owner."""
    return acts(functools.wraps(answer)(_only_local(answer)))


def is_local(request: web.Request) -> bool:
    """Does it come from this machine, and through no proxy? Or does the owner not mind?"""
    direct = not any(name in request.headers for name in FORWARDED)
    return (direct and is_loopback(request.remote or "")) or host.studio().settings.from_elsewhere


def _only_local(answer: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def checked(request: web.Request, body: dict[str, Any]) -> Any:
        if not await asyncio.to_thread(is_local, request):
            raise InvalidInput(
                "This can be changed on the machine itself only.",
                advice=f"From elsewhere its owner allows it with from_elsewhere = true under [page] in "
                f"{host.studio().settings.file}.",
            )
        return await answer(request, body)

    return checked


def _guarded(answer: Answer, wrong: Callable[[web.Request], web.Response | None] | None = None) -> Handler:
    @functools.wraps(answer)
    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            if await asyncio.to_thread(_is_foreign, request):
                return _refusal(403, "Only ComfyUI's own page may ask for this.")
            if wrong is not None and (refusal := wrong(request)) is not None:
                return refusal
            given = await answer(request)
        except SoraError as error:
            return _refusal(_status(error), str(error))
        return given if isinstance(given, web.StreamResponse) else web.json_response(given)

    return handler


def _is_foreign(request: web.Request) -> bool:
    """Does another page send this, or does it come by a name that is not ours? The host itself refuses a foreign Origin
    on loopback only, and never `null`."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return True
    allowed = host.studio().settings.allowed_hosts
    name = _hostname(f"//{request.host}")
    if host.listens_on_loopback_only() and not is_loopback(name) and name not in allowed:
        return True  # a name of somebody's that leads here
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    return origin.partition("://")[2].lower() != request.host.lower() and _hostname(origin) not in allowed


def _hostname(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _not_json(request: web.Request) -> web.Response | None:
    if request.content_type != "application/json":  # which no form of another page can send
        return _refusal(415, "This has to come as JSON.")
    return None


async def _body(request: web.Request) -> dict[str, Any]:
    data = bytearray()
    async for piece in request.content.iter_chunked(LARGEST_BODY):
        data += piece
        if len(data) > LARGEST_BODY:
            raise InvalidInput(f"The request is larger than {LARGEST_BODY} bytes.")
    try:
        given = json.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError):
        raise InvalidInput("The request is not JSON.") from None
    if not isinstance(given, dict):
        raise InvalidInput("The request is not a JSON object.")
    return given


def _status(error: SoraError) -> int:
    if isinstance(error, InvalidInput):
        return 400
    if isinstance(error, GatewayTrouble):
        return 502
    return 503 if isinstance(error, LocalTrouble) else 409


def _refusal(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
