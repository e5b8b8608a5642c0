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
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..host import http, messages
from ..host.engine import get_engine
from ..sora_jobs.engine import Config
from ..sora_jobs.errors import GatewayError, InvalidInputError, LocalError, SoraError
from ..sora_jobs.util.addresses import is_loopback
from ..sora_jobs.util.bounded_read import read_json

# Under which a request keeps it: aiohttp warns of a plain name from 3.14 on, and has nothing else before.
CONFIG: Any = web.RequestKey("sora_config", Config) if hasattr(web, "RequestKey") else "sora_config"
LARGEST_BODY = 64 << 10  # bytes
LONGEST_PARAMETER = 200  # characters
# Headers that proxies and tunnels set.
FORWARDED = re.compile(
    r"forwarded|via|x-(forwarded|real|client|cluster|original|envoy|proxy)\b.*|(true-client|cf-connecting|fly-client)-ip"
    r"|cf-ray|tailscale-.*|ngrok-.*",
    re.IGNORECASE,
)
HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)
NAME = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}")  # what may be repeated of a request
MOST_NAMED = 20  # other names than these are refused without a line in the log: anybody can make them up
# Nothing of ours is a page, a script or for another site to show, and only pictures are kept.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "no-store",
}

blocked: dict[str, None] = {}  # names by which the page was asked for, and which are not allowed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Query = Callable[[web.Request], Awaitable[object]]  # returns a response, or what becomes one as JSON
Action = Callable[[web.Request, dict[str, Any]], Awaitable[object]]


def reads(serve: Query) -> Handler:
    """Serve what `serve(request)` gives, as JSON."""
    return _guarded(serve)


def acts(serve: Action) -> Handler:
    """The same for `serve(request, the JSON object of the body)`, which changes something."""

    async def with_body(request: web.Request) -> object:
        return await serve(request, await _body(request))

    return _guarded(functools.wraps(serve)(with_body), _not_json)


def owns(serve: Action) -> Handler:
    """The same for what belongs to the machine's owner."""
    return acts(functools.wraps(serve)(_only_local(serve)))


def dated(body: dict[str, Any]) -> dict[str, Any]:
    """Add the time `now`, in seconds since the epoch: what a page compares with the times in a response, whatever its
    own clock says."""
    return {**body, "now": get_engine().changes.now()}


def text_in(body: dict[str, Any], name: str) -> str:
    """Return a field of the body that has to be text; InvalidInputError for anything else."""
    value = body.get(name)
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} is text.", code="invalid_request")
    return value


def is_local(request: web.Request) -> bool:
    """Does it come from this machine, and through no proxy? Or does the owner not mind?"""
    direct = not any(FORWARDED.fullmatch(name) for name in request.headers)
    # A proxy that says nothing of itself still has a name, by which its visitor's page was opened.
    names = [_host_of(request), *map(_hostname, request.headers.getall("Origin", []))]
    return (direct and is_loopback(request.remote or "") and all(map(is_loopback, names))) or config_of(
        request
    ).allow_remote_changes


def config_of(request: web.Request) -> Config:
    """The settings as they were when the request came: one reading for all that is done for it."""
    config: Config = request[CONFIG]
    return config


def _only_local(serve: Action) -> Action:
    async def checked(request: web.Request, body: dict[str, Any]) -> object:
        if not is_local(request):
            raise InvalidInputError(
                "This can be done on the machine itself only.",
                hint="From elsewhere its owner allows it with allow_remote_changes = true under [page] in "
                "settings.toml; `sora doctor` names the file.",
                code="local_only",
            )
        return await serve(request, body)

    return checked


def _guarded(serve: Query, wrong: Callable[[web.Request], web.Response | None] | None = None) -> Handler:
    @functools.wraps(serve)
    async def handler(request: web.Request) -> web.StreamResponse:
        given: object
        try:
            request[CONFIG] = config = await asyncio.to_thread(_read_config)
            if (name := _stranger(request)) is not None:
                given = _blocked(name, config)
            elif wrong is not None and (refusal := wrong(request)) is not None:
                given = refusal
            else:
                _check_letters(request)
                given = await serve(request)
        except SoraError as error:
            given = refusal_of(error, _status(error))
        response = given if isinstance(given, web.StreamResponse) else web.json_response(given)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return handler


def _read_config() -> Config:
    return get_engine().page_settings.read()


def _stranger(request: web.Request) -> str | None:
    """None for the host's own page. Else the name by which a tunnel or a proxy may lead here, if its owner allows it,
    and "" where there is none: another page sends this. The host itself refuses a foreign Origin on loopback only, and
    never `null`."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return ""
    allowed = config_of(request).allowed_hosts - {""}
    name = _host_of(request)
    if http.listens_on_loopback_only() and not is_loopback(name) and name not in allowed:
        return _shown(name)  # a name of somebody's that leads here
    ours = request.headers.get("Host", "").lower()
    for origin in request.headers.getall("Origin", []):
        scheme, _, rest = origin.lower().partition("://")
        same = scheme in ("http", "https") and rest == ours
        name = _hostname(origin)
        if not same and name not in allowed:
            return "" if is_loopback(name) or scheme not in ("http", "https") else _shown(name)
    return None


def _shown(name: str) -> str:
    """A name that may be repeated; "" for anything else."""
    return name if NAME.fullmatch(name) else ""


def _blocked(name: str, config: Config) -> web.Response:
    """The refusal, which names what was asked for and no path of this machine. Where the owner allows it is in the log
    and in the doctor's findings."""
    if not name:
        return _refusal(403, "Only ComfyUI's own page may ask for this.")
    if name not in blocked and len(blocked) < MOST_NAMED:
        blocked[name] = None
        messages.log_warning(f"A page was refused that was opened by the name {name}. {config.how_to_allow(name)}")
    text = (
        f"Request blocked: {name} is not an allowed host. If it is a tunnel or a proxy of this machine's owner, they "
        "add it to allowed_hosts under [page] in settings.toml; ComfyUI's log and `sora doctor` show the file and the "
        "line."
    )
    return web.json_response({"error": text, "host": name}, status=403)


def _host_of(request: web.Request) -> str:
    """The name by which the server was asked, without its port; "" where there is none, or more than one."""
    names = request.headers.getall("Host", [])
    return _hostname(f"//{names[0]}") if len(names) == 1 and HOST.fullmatch(names[0]) else ""


def _hostname(address: str) -> str:
    """The name in an Origin, in small letters; "" where it has none, as `null`."""
    try:
        return (urlsplit(address).hostname or "").lower().removesuffix(".")
    except ValueError:
        return ""


def _not_json(request: web.Request) -> web.Response | None:
    # Which no form of another page can send; and nothing packed, which would have to be unpacked to be measured.
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        return _refusal(415, "This has to come as JSON.")
    return None


def _check_letters(request: web.Request) -> None:
    """InvalidInputError for parameters with what no database takes."""
    said = "".join((*request.match_info.values(), *request.query.keys(), *request.query.values()))
    if "\0" in said or _has_halves(said):
        raise InvalidInputError("The request holds a character that is no letter.", code="invalid_request")


def _has_halves(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


async def _body(request: web.Request) -> dict[str, Any]:
    data = bytearray()
    try:
        async for piece in request.content.iter_chunked(LARGEST_BODY):
            data += piece
            if len(data) > LARGEST_BODY:
                raise InvalidInputError(f"The request is larger than {LARGEST_BODY} bytes.", code="invalid_request")
        given = read_json(data.decode("utf-8") or "{}")  # and not whatever else JSON may come in
    except (web.RequestPayloadError, ValueError):
        raise InvalidInputError("The request is not JSON.", code="invalid_request") from None
    if not isinstance(given, dict):
        raise InvalidInputError("The request is not a JSON object.", code="invalid_request")
    said = json.dumps(given, ensure_ascii=False)
    if "\\u0000" in said or _has_halves(said):
        raise InvalidInputError("The request holds a character that is no letter.", code="invalid_request")
    return given


def _status(error: SoraError) -> int:
    if isinstance(error, InvalidInputError):
        return 400
    if isinstance(error, GatewayError):
        return 502
    return 503 if isinstance(error, LocalError) else 409


def refusal_of(error: SoraError, status: int) -> web.Response:
    """What a page is told of an error: it finds its own words, by the kind and the values."""
    return web.json_response(error.for_page(), status=status)


def _refusal(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
