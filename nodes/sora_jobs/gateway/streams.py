"""The finished video as an open stream: from the content call, or from an address that the gateway gives for it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests

from ..config.providers import Provider
from ..errors import GatewayError, NotOfferedError
from ..util.addresses import is_loopback, is_unambiguous_url, parse_ip_literal
from ..util.redact import register_url
from .bodies import is_text, opened
from .calls import Calls
from .error_body import Response, denies, read_complaint, request_id
from .http import NETWORK_ERRORS, classify_network_error, in_words, network_hint, reachable, same_origin
from .responses import trouble
from .video_object import address_in

MOST_STEPS = 5  # from one address to the next


def open_content(calls: Calls, url: str, headers: Mapping[str, str], *, follow: bool) -> requests.Response:
    """The content call at `url`. A redirect leads to an address as in `open_address`, and so does what stands in place
    of the video, if that is to be followed."""
    response = _opened(calls, url, headers, with_key=True)
    if response.is_redirect:
        response.close()
        return open_address(calls, _next_address(url, response), headers)
    _check_status(calls, response, "asked for the finished video", accepted=calls.accepted)
    address = _in_place_of_video(calls, response) if follow else ""
    return open_address(calls, address, headers) if address else response


def open_address(calls: Calls, url: str, headers: Mapping[str, str]) -> requests.Response:
    """An address that the gateway gave: without the key, which most signed addresses refuse.

    Only one at the provider's own origin that wants a key after all is asked again with it. NotOfferedError: it has
    lapsed.
    """
    for _ in range(MOST_STEPS):
        url = _checked_address(calls.provider, url)
        response = _opened(calls, url, headers, with_key=False)
        if response.status_code in (401, 403) and same_origin(url, calls.provider.base_url):
            response.close()
            response = _opened(calls, url, headers, with_key=True)
        if response.is_redirect:
            response.close()
            url = _next_address(url, response)
            continue
        try:
            _check_status(calls, response, "asked at the address that it gave for the video")
        except GatewayError as error:
            raise _of_address(error) from None
        if not (address := _in_place_of_video(calls, response)):
            return response
        url = address
    message = "The download was sent from one address to the next without end."
    raise GatewayError(message, code="too_many_redirects")


def _opened(calls: Calls, url: str, headers: Mapping[str, str], *, with_key: bool) -> requests.Response:
    try:
        return calls.open(url, headers, with_key=with_key)
    except NETWORK_ERRORS as error:
        raise _not_downloaded(error) from None


def _check_status(calls: Calls, response: requests.Response, doing: str, *, accepted: bool = False) -> None:
    """GatewayError for any status but 200, 206 and 416."""
    if response.status_code in (200, 206, 416):
        return
    try:
        with response:
            received = calls.read(response)
    except NETWORK_ERRORS as error:
        raise _not_downloaded(error) from None
    raise trouble(received, read_complaint(received), doing, accepted=accepted)


def _not_downloaded(error: Exception) -> GatewayError:
    return GatewayError(
        f"The video could not be downloaded: {in_words(error)}.",
        hint=network_hint(error, "It waits at the gateway; run again."),
        code=classify_network_error(error),
    )


def _in_place_of_video(calls: Calls, response: requests.Response) -> str:
    """The address that an open stream gives in place of a video, after which it is closed; "" for a stream that goes
    on, unpacked. NotOfferedError for JSON without an address, and for what cannot be unpacked."""
    try:
        first = opened(response) if response.status_code in (200, 206) else b""
        if response.status_code != 200 or not is_text(first):
            return ""
        with response:
            received = calls.read(response)
    except requests.exceptions.ContentDecodingError as error:
        response.close()
        raise NotOfferedError(
            f"The video could not be read: {error}.", hint="Run again in a while.", code="invalid_encoding"
        ) from None
    except NETWORK_ERRORS as error:
        response.close()
        raise _not_downloaded(error) from None
    if address := _address_in(received):
        return address
    complaint = read_complaint(received)
    said = f": {complaint.message.rstrip('.')}" if complaint and complaint.message else ""
    raise NotOfferedError(
        f"The gateway sent something that is not a video (JSON){said}.",
        hint="Run again in a while.",
        request_id=request_id(received),
        code="not_a_video",
    )


def _address_in(response: Response) -> str:
    """The address that JSON, or a bare text, gives; "" where it gives none, or tells an error."""
    value = response.json()
    if value is None:
        value = response.body.decode("utf-8", "replace")
    return "" if denies(response) else address_in(value, response.url)


def _checked_address(provider: Provider, url: str) -> str:
    """The address as it is, if it may be asked. Where its name leads is checked by the connection; a number is looked
    at here, since a proxy would take it as it is."""
    local = is_loopback(urlsplit(provider.base_url).hostname or "")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # reading the port checks it
    except ValueError:
        raise _refused("is none", code="url_invalid") from None
    own = same_origin(url, provider.base_url)  # as its calls are, also where that is plain http
    if not own and parts.scheme != "https" and not (parts.scheme == "http" and local and is_loopback(host)):
        raise _refused("is not https", code="url_not_https")
    if not is_unambiguous_url(url):
        raise _refused("is none", code="url_invalid")
    if not own and (address := parse_ip_literal(host)):
        reachable(provider, host, [address])
    register_url(url)
    return url


def _next_address(url: str, response: requests.Response) -> str:
    """Where a redirect leads."""
    try:
        return urljoin(url, response.headers["location"])
    except ValueError:
        raise _refused("is none", code="url_invalid") from None


def _refused(why: str, *, code: str) -> NotOfferedError:
    return NotOfferedError(f"The gateway gave an address for the download that {why}.", transient=False, code=code)


def _of_address(error: GatewayError) -> GatewayError:
    """What an error means that came from an address which the gateway gave for the video: unless it is busy or away,
    the address has lapsed. It is neither the key nor the balance: storage knows none, and the gateway took them when it
    gave the address."""
    if error.transient and error.http_status not in (400, 404):
        return error
    return NotOfferedError(
        error.message,
        hint="Run again in a while: the gateway is asked for a new one.",
        http_status=error.http_status,
        request_id=error.request_id,
        code=error.code,
    )
