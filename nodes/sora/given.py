"""Addresses that a gateway gives for a video: which of them may be asked, and what their errors mean."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from .addresses import is_loopback, is_plain, numeric
from .envelope import Answer, denies
from .errors import GatewayTrouble, NotOffered
from .providers import Provider
from .redact import remember_address
from .transport import reachable, same_origin
from .wire import address_in

MOST_STEPS = 5  # from one address to the next


def checked_address(provider: Provider, url: str) -> str:
    """The address as it is, if it may be asked. Where its name leads is checked by the connection; a number is looked
    at here, since a proxy would take it as it is."""
    local = is_loopback(urlsplit(provider.base_url).hostname or "")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # reading the port checks it
    except ValueError:
        raise GatewayTrouble("The gateway gave an address for the download that is none.") from None
    own = same_origin(url, provider.base_url)  # as its calls are, also where that is plain http
    if not own and parts.scheme != "https" and not (parts.scheme == "http" and local and is_loopback(host)):
        raise GatewayTrouble("The gateway gave an address for the download that is not https.", transient=False)
    if not is_plain(url):
        raise GatewayTrouble("The gateway gave an address for the download that is none.")
    if not own and (address := numeric(host)):
        reachable(provider, host, [address])
    remember_address(url)
    return url


def next_address(url: str, response: requests.Response) -> str:
    """Where a redirect leads."""
    try:
        return urljoin(url, response.headers["location"])
    except ValueError:
        raise GatewayTrouble("The gateway gave an address for the download that is none.") from None


def in_place_of_video(answer: Answer) -> str:
    """The address that JSON, or a bare text, gives in place of a video; "" where it gives none, or tells an error."""
    value = answer.json()
    if value is None:
        value = answer.body.decode("utf-8", "replace")
    return "" if denies(answer) else address_in(value, answer.url)


def of_address(error: GatewayTrouble) -> GatewayTrouble:
    """What an error means that came from an address which the gateway gave for the video: unless it is busy or away,
    the address has lapsed. It is neither the key nor the balance: storage knows none, and the gateway took them when it
    gave the address."""
    if error.transient and error.http_status not in (400, 404):
        return error
    return NotOffered(
        error.what,
        advice="Run again in a while: the gateway is asked for a new one.",
        http_status=error.http_status,
        request_id=error.request_id,
        code=error.code,
    )
