"""The gateway's own list of models: asked for when somebody wants it, kept in `SORA_HOME`, merged into the catalogue.

CometAPI publishes it without a key (facts: gateway.md, section 1). It has one price a model and neither lengths nor
sizes: so new ids appear, prices are updated where one price is all there is, and what is not in it any more is marked.
Nothing of it is trusted with more than that: no address in it is ever followed.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from urllib3.util.retry import Retry

from .bounds import read_json, read_text
from .catalogue import Catalogue, Model, Status
from .errors import DiskTrouble, GatewayTrouble
from .providers import COMETAPI, Provider
from .transport import NETWORK_ERRORS, NoAuth, arriving, in_words, new_session

PATH = "/api/models"
ROUTE = "/v1/videos"
LARGEST_LIST = 16 << 20  # bytes; the real one has some 300 rows
MOST_MODELS = 500  # of videos
TIMEOUT_S = 30.0
LONGEST_ID = 100
DEAREST = 1e4  # dollars per second
_ID = re.compile(rf"[A-Za-z0-9][\w.:/-]{{0,{LONGEST_ID - 1}}}")


@dataclass(frozen=True)
class Refreshed:
    """What a refresh brought: ids that are new, that are not listed any more, and that are priced otherwise."""

    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class LiveCatalogue:
    """The catalogue that comes with the pack, with what the last refresh told. Thread-safe: it is read anew when the
    kept copy has changed, and what it gives is never changed."""

    def __init__(self, home: Path) -> None:
        self.file = home / "models.json"
        self._seen: tuple[tuple[int, int] | None, Catalogue] | None = None

    def now(self) -> Catalogue:
        """The catalogue as it is known now. A kept copy that cannot be read counts as none."""
        try:
            found = self.file.stat()
            stamp: tuple[int, int] | None = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = None
        if self._seen is None or self._seen[0] != stamp:
            self._seen = (stamp, Catalogue.shipped() if stamp is None else merged(self._kept()))
        return self._seen[1]

    def refresh(self, provider: Provider) -> Refreshed:
        """Ask that gateway for its list, and keep it. GatewayTrouble where it gives none; DiskTrouble."""
        before = self.now()
        listed = read_list(ask(provider))
        kept = {"provider": provider.name, "at": time.time(), "models": listed}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished = self.file.with_name(f".{self.file.name}.{os.getpid()}")
            unfinished.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            unfinished.replace(self.file)
        except OSError as error:
            raise DiskTrouble(f"{self.file} could not be written: {error.strerror}.", advice="Make room.") from error
        return compared(before, self.now())

    def _kept(self) -> dict[str, Any]:
        try:
            kept = read_json(read_text(self.file))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def ask(provider: Provider) -> Any:
    """The list as JSON. It needs no key, and gets none. GatewayTrouble where it does not come."""
    url = provider.base_url + PATH
    advice = "The catalogue stays as it is. Check the network, the proxy and the provider's base URL."

    def trouble(why: str) -> GatewayTrouble:
        return GatewayTrouble(f"{provider.name} gave no list of models: {why}.", advice=advice, money="none")

    try:
        with new_session(url, Retry(total=1, redirect=0, status=0, backoff_factor=0.3), provider) as session:
            body, end = b"", time.monotonic() + TIMEOUT_S
            with session.get(url, auth=NoAuth(), timeout=TIMEOUT_S, stream=True, allow_redirects=False) as response:
                if response.status_code != 200:
                    raise trouble(f"HTTP {response.status_code}")
                for piece in arriving(response):
                    body += piece
                    if len(body) > LARGEST_LIST or time.monotonic() > end:
                        raise requests.exceptions.ReadTimeout("it is too long or too slow")
        return read_json(body)
    except NETWORK_ERRORS as error:
        raise trouble(in_words(error)) from None
    except ValueError:
        raise trouble("the answer is no JSON") from None


def read_list(answer: Any) -> list[dict[str, Any]]:
    """The rows that make videos on our route: [{"id", "usd_per_second" or None, "images"}]. GatewayTrouble for an
    answer that is no list, or that has no such row: an empty catalogue would mark all models as gone."""
    rows = answer.get("data") if isinstance(answer, dict) else None
    found = [_row(row) for row in rows if _is_video(row)] if isinstance(rows, list) else []
    if not found:
        raise GatewayTrouble(
            f"The gateway's list names no model of {ROUTE}.", advice="The catalogue stays as it is.", money="none"
        )
    return list({row["id"]: row for row in found}.values())[:MOST_MODELS]


def merged(kept: dict[str, Any]) -> Catalogue:
    """The shipped catalogue with a kept list in it."""
    shipped, at, rows = Catalogue.shipped(), kept.get("at"), kept.get("models")
    provider, known = kept.get("provider"), isinstance(at, int | float) and math.isfinite(at)
    if not known or not isinstance(rows, list) or not isinstance(provider, str):
        return shipped
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    listed = {row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)}
    models = [_updated(model, listed.get(model.id), provider, day) for model in shipped.models.values()]
    models += [_new(row, provider, day) for name, row in listed.items() if name not in shipped.models]
    return Catalogue(models, refreshed_at=float(at or 0))


def compared(before: Catalogue, after: Catalogue) -> Refreshed:
    """What is different."""
    both = before.models.keys() & after.models.keys()

    def state(catalogue: Catalogue, name: str) -> str:
        return catalogue.models[name].state(COMETAPI)

    left = [name for name in both if state(before, name) == "live" and state(after, name) != "live"]
    left += before.models.keys() - after.models.keys()
    changed = [name for name in both if before.models[name].usd != after.models[name].usd]
    added = after.models.keys() - before.models.keys()
    added |= {name for name in both if state(before, name) != "live" and state(after, name) == "live"}
    return Refreshed(tuple(sorted(added)), tuple(sorted(left)), tuple(sorted(changed)))


def _updated(model: Model, row: dict[str, Any] | None, provider: str, day: str) -> Model:
    """A model that we know: in the list it lives; out of it nobody knows, unless it was retired before."""
    if provider not in model.status:
        return model
    if row is None:
        if model.state(provider) == "retired":
            return model
        note = f"not in the list of {provider} of {day}"
        return replace(model, status={**model.status, provider: Status("unknown", day)}, note=note)
    alive = replace(model, status={**model.status, provider: Status("live", day)})
    price = _price(row.get("usd_per_second"))
    if price is None or not set(model.usd) <= {"*"}:  # one price says nothing about a table of several
        return alive
    return replace(alive, usd={"*": price}, usd_date=day)


def _new(row: dict[str, Any], provider: str, day: str) -> Model:
    price = _price(row.get("usd_per_second"))
    return Model(
        id=row["id"],
        references=2 if row.get("images") else 0,
        usd={} if price is None else {"*": price},
        usd_date="" if price is None else day,
        status={provider: Status("live", day)},
        note="lengths and sizes are unknown: sent as typed",
        source=dict.fromkeys(("usd", "status"), f"the list of {provider}, {day}"),
    )


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
    price = _price(pricing.get("per_second")) if isinstance(pricing, dict) else None
    return {"id": row["id"], "usd_per_second": price, "images": "image-to-video" in row["features"]}


def _price(value: Any) -> float | None:
    """Dollars per second; None for anything that is no price. Nothing is free at a gateway that asks for money."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < DEAREST
    return float(value) if known else None
