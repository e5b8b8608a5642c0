"""The doctor's look at one gateway: name, proxy, TLS, base URL, clock, key, models. It costs and buys nothing."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..config.providers import COMETAPI, Provider
from ..errors import GatewayError
from ..gateway.client import Client, ProbeResult
from ..gateway.error_body import Response, read_complaint
from ..gateway.http import new_session
from ..gateway.vocabulary import ADVICE, SATURATED
from ..models.catalogue import Catalogue
from ..util.bounded_read import read_json
from ..util.redact import place_of
from .findings import Finding, Level

CLOCK_S = 120.0  # a clock that is off by more can break TLS and signed addresses
SHOWN = 6  # models in a line
PUBLIC_LIST = "/api/models"  # CometAPI's own, which needs no key


def check_provider(client: Client, catalogue: Catalogue) -> Iterator[Finding]:
    """Line by line, from the network up; what cannot be looked at because of an earlier line is left out. A client
    without the key that its provider wants sees all the rest."""
    provider = client.provider
    keyless = provider.wants_key and not client.key
    if provider.plain_http:
        yield _plain_http(provider)
    if provider.opened:
        names = ", ".join(field.name for field in provider.opened)
        yield Finding(provider.name, "ok", f"any workflow may also send it: {names} (extra_fields in providers.toml)")
    if provider.at_once is not None:
        text = f"has at most {provider.at_once} jobs at once; others are queued here (at_once in providers.toml)"
        yield Finding(provider.name, "ok", text)
    proxy = _proxy(provider)
    if proxy:
        yield Finding(provider.name, "ok", f"goes through the proxy {place_of(proxy)}")
    elif (lost := _name(provider)) is not None:
        yield lost
        return
    try:
        reached = client.reach(PUBLIC_LIST if keyless and provider.name == COMETAPI else "/v1/models")
    except GatewayError as error:
        yield Finding(provider.name, "failed", f"{error.message} {_cure(error, provider, proxy)}")
        return
    listed, off_s = _ids(reached.body), _clock_is_off_s(reached)
    tls = "TLS" if provider.base_url.startswith("https:") else ""
    looked = ("proxy" if proxy else "DNS", tls, "" if off_s is None else "clock", "key" if client.key else "")
    yield _answer(provider, reached, listed, ", ".join(filter(None, looked)), keyless=keyless)
    if off_s is not None and abs(off_s) > CLOCK_S:
        yield _clock(provider, off_s)
    if reached.status == 200 and listed:
        yield _models(provider, listed, catalogue)


def _proxy(provider: Provider) -> str:
    """The proxy that its calls go through; "" for none."""
    with new_session(provider.base_url, provider) as session:
        proxies = session.merge_environment_settings(provider.base_url, {}, None, None, None)["proxies"]
    url = urlsplit(provider.base_url)
    keys = (f"{url.scheme}://{url.hostname}", url.scheme, f"all://{url.hostname}", "all")  # as requests chooses
    return next((proxies[key] for key in keys if key in proxies), "")


def _plain_http(provider: Provider) -> Finding:
    better = "TLS in front of the server, or an ssh tunnel, would hide it (docs/providers.md)"
    secret = "the key" if provider.wants_key else "the extra headers" if provider.headers else ""
    if secret:
        text = f"whoever listens in this network reads {secret} on the way to {provider.origin}, which is plain http"
        return Finding(provider.name, "warning", f"{text}; {better}")
    return Finding(provider.name, "ok", f"prompts and videos are not encrypted on their way; {better}")


def _name(provider: Provider) -> Finding | None:
    """Behind a proxy the proxy resolves; without one we have to."""
    host = urlsplit(provider.base_url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        cure = "Check the base URL's spelling, the network and its name server (DNS)."
        return Finding(provider.name, "failed", f"The name {host} has no address: {why}. {cure}")
    return None


def _cure(error: GatewayError, provider: Provider, proxy: str) -> str:
    if error.code == "tls":
        own = "with an authority of your own: ca_bundle in providers.toml, or REQUESTS_CA_BUNDLE"
        return f"TLS: check this machine's clock; {own}."
    if error.code == "socks":
        return error.hint
    if proxy:
        return "Check the proxy: HTTPS_PROXY and NO_PROXY, or proxy in providers.toml."
    return f"Check that something listens at {provider.origin}, and the firewall."


def _answer(
    provider: Provider, reached: ProbeResult, listed: set[str] | None, looked: str, *, keyless: bool
) -> Finding:  # fmt: skip
    """Is it a gateway of ours at all, and does it take the key?"""
    says = f"{provider.origin} answers HTTP {reached.status}"
    where = "COMETAPI_BASE_URL" if provider.name == COMETAPI else "base_url in providers.toml"
    complaint = read_complaint(Response(reached.status, {}, reached.body))
    code = complaint.code if complaint else ""
    level: Level = "failed"
    if 300 <= reached.status < 400:
        leads = reached.redirect or "another address"
        says += f", a redirect to {leads}: the base URL is another one; set {where}"
    elif reached.is_page:
        says += f" with a web page, not with JSON: check {where}"
    elif keyless and reached.status in (401, 403):
        level, says = "ok", f"{says}, since it wants a key; looked at: {looked}"
    elif code.lower() in ADVICE and (reached.status >= 400 or listed is None):
        level, says = "warning" if code.lower() in SATURATED else "failed", f"{says}, {code}: {ADVICE[code.lower()]}"
    elif reached.status in (401, 403):
        says += ": check the key"
    elif reached.status == 404:
        level, says = "warning", f"{says}: it has no list of models, or {where} is wrong"
    elif reached.status >= 400:
        level, says = "warning", f"{says}: it is in trouble, or has no list of models; try again later"
    elif listed is None:
        says += f", and not with a list of models{f' but with {code}' if code else ''}: check {where}"
    else:
        level, says = "ok", f"{says}; beside the usual calls it has: {provider.calls}; looked at: {looked}"
    return Finding(provider.name, level, says)


def _clock_is_off_s(reached: ProbeResult) -> float | None:
    """By how much this machine's clock is ahead of the gateway's own Date; None where it gives none."""
    try:
        return time.time() - parsedate_to_datetime(reached.date).timestamp()
    except (TypeError, ValueError):
        return None


def _clock(provider: Provider, off_s: float) -> Finding:
    way = "ahead of" if off_s > 0 else "behind"
    text = (
        f"this machine's clock is {abs(off_s):.0f} s {way} that of {provider.name}: set it (TLS and signed links need "
        "it)"
    )
    return Finding("clock", "warning", text)


def _models(provider: Provider, listed: set[str], catalogue: Catalogue) -> Finding:
    """Which of the catalogue's models it lists. A list is no proof either way, so nothing here has failed."""
    known = [name for name in catalogue.models if name in listed]
    shown = ", ".join(known[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
    if known:
        return Finding(provider.name, "ok", f"lists {len(known)} models of the catalogue: {shown}")
    return Finding(
        provider.name, "warning", "lists no model of the catalogue: type an id of its own into custom_model"
    )  # fmt: skip


def _ids(body: bytes) -> set[str] | None:
    """The ids of a list, as JSON; None where it is none."""
    rows: Any = None
    with contextlib.suppress(ValueError):
        rows = read_json(body)
    rows = rows.get("data") if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        return None
    return {str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row}
