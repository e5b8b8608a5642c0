"""A gateway's own list of models: asked for without a key, page by page, and read.

CometAPI publishes it (docs/gateway.md). No address in it is ever followed.
"""

from __future__ import annotations

import json
import re
from typing import Any

import requests

from ..config.providers import Provider
from ..config.timing import Timing
from ..errors import GatewayError
from ..gateway.http import (
    NETWORK_ERRORS,
    NoAuth,
    classify_network_error,
    in_words,
    iter_body,
    network_hint,
    new_session,
)
from ..util.bounded_read import read_json

PATH = "/api/models"
ROUTE = "/v1/videos"
LARGEST_LIST = 16 << 20  # bytes; the real one has some 300 rows
MOST_PAGES = 20
MOST_ROWS = 10_000
MOST_MODELS = 500  # of videos
LONGEST_ID = 100
DEAREST = 1e4  # dollars per second
_ID = re.compile(rf"[A-Za-z0-9][\w.:/-]{{0,{LONGEST_ID - 1}}}")


def ask_for_list(provider: Provider, timing: Timing) -> tuple[Any, bool]:
    """Return the list as JSON, and whether it is complete: further pages are requested, up to MOST_PAGES. GatewayError
    where the first one cannot be had."""
    response = _ask(provider, PATH, timing)
    rows = list(_rows(response))
    total, page, size = (_count(response, name) for name in ("total", "page", "page_size"))
    if total is None:
        return response, True
    first = 1 if page is None else page
    seen = {json.dumps(row) for row in rows}
    for number in range(first + 1, first + MOST_PAGES):
        if len(rows) >= total or len(rows) > MOST_ROWS:
            break
        try:
            more = _rows(_ask(provider, f"{PATH}?page={number}&page_size={size or len(rows)}", timing))
        except GatewayError:
            break
        new = {json.dumps(row): row for row in more if json.dumps(row) not in seen}
        if not new:  # it knows no pages, and gave the same ones
            break
        seen |= new.keys()
        rows += new.values()
    return {"data": rows}, len(rows) >= total


def read_list(response: Any) -> list[dict[str, Any]]:
    """Return the rows that make videos on our route: [{"id", "usd_per_second" or None, "images"}]. GatewayError for a
    response that is not a list, or has no such row: an empty catalogue would mark all models as gone."""
    found = [_row(row) for row in _rows(response) if _is_video(row)]
    if not found:
        raise GatewayError(
            f"The gateway's list names no model of {ROUTE}.", hint="The catalogue stays as it is.", charge="none"
        )
    return list({row["id"]: row for row in found}.values())[:MOST_MODELS]


def price_of(value: Any) -> float | None:
    """Dollars per second; None for anything that is no price. Nothing is free at a gateway that asks for money."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < DEAREST
    return float(value) if known else None


def _ask(provider: Provider, path: str, timing: Timing) -> Any:
    """One page of it. It needs no key, and gets none. GatewayError where it does not come."""
    url, timeout_s = provider.base_url + path, timing.model_list_timeout_s
    hint = "The catalogue stays as it is. Check the network, the proxy and the provider's base URL."

    def trouble(why: str, error: Exception | None = None) -> GatewayError:
        message = f"{provider.name} gave no list of models: {why}."
        if error is None:
            return GatewayError(message, hint=hint, charge="none")
        return GatewayError(message, hint=network_hint(error, hint), charge="none", code=classify_network_error(error))

    try:
        with new_session(url, provider) as session:
            body, end = b"", timing.monotonic() + timeout_s
            with session.get(url, auth=NoAuth(), timeout=timeout_s, stream=True, allow_redirects=False) as response:
                if response.status_code != 200:
                    raise trouble(f"HTTP {response.status_code}")
                for piece in iter_body(response):
                    body += piece
                    if len(body) > LARGEST_LIST or timing.monotonic() > end:
                        raise requests.exceptions.ReadTimeout("it is too long or too slow")
        return read_json(body)
    except NETWORK_ERRORS as error:
        raise trouble(in_words(error), error) from None
    except ValueError:
        raise trouble("the response is no JSON") from None


def _rows(response: Any) -> list[Any]:
    rows = response.get("data") if isinstance(response, dict) else None
    return rows if isinstance(rows, list) else []


def _count(response: Any, name: str) -> int | None:
    value = response.get(name) if isinstance(response, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_video(row: Any) -> bool:
    """Does it make videos on our route, today? Gateways write `endpoints` as a list, a table, or JSON within text."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not _ID.fullmatch(row["id"]):
        return False
    features = row.get("features")
    makes = isinstance(features, list) and {"text-to-video", "image-to-video"} & {str(item) for item in features}
    route = re.search(rf'("|https://[^/"]+){ROUTE}"', json.dumps(row.get("endpoints")).replace("\\", ""))
    return bool(makes) and route is not None and row.get("upcoming") is not True


def _row(row: dict[str, Any]) -> dict[str, Any]:
    pricing = row.get("pricing")
    price = price_of(pricing.get("per_second")) if isinstance(pricing, dict) else None
    return {"id": row["id"], "usd_per_second": price, "images": "image-to-video" in row["features"]}
