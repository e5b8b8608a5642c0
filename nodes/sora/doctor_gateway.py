"""The doctor's look at one gateway: name, proxy, TLS, base URL, clock, key, models. It costs and buys nothing."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from .addresses import is_loopback
from .bounds import read_json
from .catalogue import Catalogue
from .client import Client, Reached
from .errors import GatewayTrouble
from .findings import Finding
from .providers import Provider
from .redact import place_of

CLOCK_S = 120.0  # a clock that is off by more can break TLS and signed addresses
SHOWN = 6  # models in a line


def look(client: Client, catalogue: Catalogue) -> Iterator[Finding]:
    """Line by line, from the network up; what cannot be looked at because of an earlier line is left out."""
    provider = client.provider
    proxy = _proxy(provider)
    if proxy:
        yield Finding(provider.name, "ok", f"goes through the proxy {place_of(proxy)}")
    elif (lost := _name(provider)) is not None:
        yield lost
        return
    try:
        reached = client.reach()
    except GatewayTrouble as error:
        yield Finding(provider.name, "failed", f"{error.what} {_cure(error, provider, proxy)}")
        return
    yield from _answer(provider, reached)
    if (off := _clock(provider, reached)) is not None:
        yield off
    if reached.status == 200:
        yield from _models(provider, reached, catalogue)


def _proxy(provider: Provider) -> str:
    """The proxy that its calls go through; "" for none."""
    url = urlsplit(provider.base_url)
    if is_loopback(url.hostname or ""):
        return ""
    if provider.proxy is not None:
        return provider.proxy
    return select_proxy(provider.base_url, get_environ_proxies(provider.base_url)) or ""


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


def _cure(error: GatewayTrouble, provider: Provider, proxy: str) -> str:
    if error.code == "tls":
        own = "with an authority of your own: ca_bundle in providers.toml, or REQUESTS_CA_BUNDLE"
        return f"TLS: check this machine's clock; {own}."
    if proxy:
        return "Check the proxy: HTTPS_PROXY and NO_PROXY, or proxy in providers.toml."
    return f"Check that something listens at {provider.origin}, and the firewall."


def _answer(provider: Provider, reached: Reached) -> Iterator[Finding]:
    """Is it a gateway of ours at all, and does it take the key?"""
    says = f"{provider.origin} answers HTTP {reached.status}"
    where = "COMETAPI_BASE_URL" if provider.name == "cometapi" else "base_url in providers.toml"
    if 300 <= reached.status < 400:
        text = (
            f"{says}, a redirect to {reached.redirect or 'another address'}: the base URL is another one; set {where}"
        )
        yield Finding(provider.name, "failed", text)
    elif reached.is_page:
        yield Finding(provider.name, "failed", f"{says} with a web page, not with JSON: check {where}")
    elif reached.status in (401, 403):
        yield Finding(provider.name, "failed", f"{says}: check the key")
    elif reached.status == 404:
        yield Finding(provider.name, "warning", f"{says}: it has no list of models, or {where} is wrong")
    elif reached.status >= 400:
        yield Finding(provider.name, "warning", f"{says}: it is in trouble, or has no list of models; try again later")
    else:
        yield Finding(provider.name, "ok", f"{says}; beside the usual calls it has: {provider.calls}")


def _clock(provider: Provider, reached: Reached) -> Finding | None:
    """Against the gateway's own Date."""
    try:
        theirs = parsedate_to_datetime(reached.date).timestamp()
    except (TypeError, ValueError):
        return None
    off = time.time() - theirs
    if abs(off) <= CLOCK_S:
        return None
    way = "ahead of" if off > 0 else "behind"
    text = (
        f"this machine's clock is {abs(off):.0f} s {way} that of {provider.name}: set it (TLS and signed links need it)"
    )
    return Finding("clock", "warning", text)


def _models(provider: Provider, reached: Reached, catalogue: Catalogue) -> Iterator[Finding]:
    """Which of the catalogue's models it lists. A list is no proof either way, so nothing here has failed."""
    listed = _ids(reached.body)
    if not listed:
        return
    known = [name for name in catalogue.models if name in listed]
    shown = ", ".join(known[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
    if known:
        yield Finding(provider.name, "ok", f"lists {len(known)} models of the catalogue: {shown}")
    else:
        yield Finding(
            provider.name, "warning", "lists no model of the catalogue: type an id of its own into custom_model"
        )


def _ids(body: bytes) -> set[str]:
    rows: Any = None
    with contextlib.suppress(ValueError):
        rows = read_json(body)
    rows = rows.get("data") if isinstance(rows, dict) else rows
    return (
        {str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row} if isinstance(rows, list) else set()
    )
