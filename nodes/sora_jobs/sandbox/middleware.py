"""The sandbox's edge: keys are asked for, calls counted and named, and every error goes out in the family's words."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from ..util.addresses import is_loopback
from .families.base import Family
from .request_form import has_key
from .validation import Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(family: Family, counts: Counter[tuple[str, str]], largest_request: int = 1 << 20) -> web.Application:
    """An aiohttp application without routes. `counts` learns which calls came: ("POST", "/v1/videos") and so on."""

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        counts[request.method, resource.canonical if resource is not None else "?"] += 1
        try:
            if not _is_from_here(request):
                raise Refusal(403, "The sandbox is for programs on this machine, and for no web page.", local=True)
            if family.wants_key and request.path.startswith("/v1/") and not has_key(request):
                raise Refusal(401, "You didn't provide an API key.", code="invalid_api_key", local=True)
            return await handler(request)
        except Refusal as refusal:
            return _as_json(family, refusal, request)
        except OSError as error:  # a full disk
            return _as_json(family, Refusal(500, f"The sandbox cannot go on: {error.strerror or error}."), request)
        except web.HTTPRequestEntityTooLarge:
            return _as_json(family, Refusal(413, "The request is too large.", local=True), request)
        except web.HTTPClientError as error:
            unknown = family.no_such_call(request.method, request.path, error.status, error.reason)
            return _as_json(family, unknown, request)

    async def name_the_request(_: web.Request, answer: web.StreamResponse) -> None:
        if family.request_id_header:
            answer.headers.setdefault(family.request_id_header, _new_id())

    app = web.Application(client_max_size=largest_request, middlewares=[edge])
    app.on_response_prepare.append(name_the_request)
    return app


def _is_from_here(request: web.Request) -> bool:
    """No page can reach it: browsers say Origin where another site's page sends something, and a name that was rebound
    to this machine stands in Host."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        name = ""
    return "Origin" not in request.headers and is_loopback(name)


def _as_json(family: Family, refusal: Refusal, request: web.Request) -> web.Response:
    call, request_id = getattr(request.match_info.handler, "__name__", ""), _new_id()
    status, body = family.error(refusal, call, request_id)
    headers = {family.request_id_header: request_id} if family.request_id_header else {}
    if status == 429 and family.pace_header:
        headers[family.pace_header] = "1"
    return web.json_response(body, status=status, headers=headers)


def _new_id() -> str:
    return f"req_{secrets.token_hex(8)}"
