"""The gateway's own list of models, asked for when somebody wants it, kept in `SORA_HOME`, merged into the catalogue;
and what the ledger saw of each model.

The list has one price a model and neither lengths nor sizes: so new ids appear, prices are updated where one price is
all there is, and what is not in it any more is marked. A row proves nothing: listed models were refused, and others
were served (docs/gateway.md). What this ledger saw complete is proved.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config.providers import COMETAPI, SANDBOX, Provider
from ..config.timing import DEFAULT, Timing
from ..errors import SoraError, storage_error
from ..gateway.clients import ClientPool
from ..jobs.evidence import ModelEvidence
from ..util.atomic_write import atomic_write, locked
from ..util.bounded_read import read_json, read_text
from .catalogue import Catalogue
from .model import Life, Model, Status
from .remote_list import MOST_MODELS, ask_for_list, price_of, read_list

Evidence = Mapping[tuple[str, str], ModelEvidence]  # (provider, model) -> what the ledger saw of it


@dataclass(frozen=True)
class Refreshed:
    """What a refresh brought: ids that are new, that are not listed any more, that are priced otherwise, and of which
    the list has a price that ours by size do not have."""

    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


class LiveCatalogue:
    """The catalogue that comes with the pack, with what the last refresh told, and `evidence()` of the ledger, which
    may take its time. Thread-safe: it is made anew when one of these has changed, and what it gives is never changed.
    """

    def __init__(self, home: Path, evidence: Callable[[], Evidence] = dict, timing: Timing = DEFAULT) -> None:
        self.file = home / "models.json"
        self._evidence, self._timing = evidence, timing
        self._asked_at = -math.inf
        self._seen: Evidence = {}
        self._made: tuple[Any, Catalogue] | None = None

    def now(self) -> Catalogue:
        """The catalogue as it is known now, by what the ledger was last asked for. A kept copy that cannot be read
        counts as none."""
        try:
            found = self.file.stat()
            stamp: tuple[int, int] | None = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = None
        state = (stamp, dict(self._seen))
        if self._made is None or self._made[0] != state:
            listed = Catalogue.shipped() if stamp is None else merged(self._kept())
            self._made = (state, with_evidence(listed, self._seen))
        return self._made[1]

    def fresh(self) -> Catalogue:
        """The same after the ledger was asked, if that is long ago: for the engine's threads, and not for the host's
        event loop."""
        if (now := self._timing.monotonic()) - self._asked_at > self._timing.evidence_age_s:
            self._asked_at, self._seen = now, self._evidence()
        return self.now()

    def refresh(self, provider: Provider) -> Refreshed:
        """Ask that gateway for its list, and keep it. GatewayError where it gives none; StorageError."""
        before, at = self.now(), self._timing.clock()
        response, whole = ask_for_list(provider, self._timing)
        listed = read_list(response)
        whole = whole and len(listed) < MOST_MODELS
        try:
            # Of two refreshes at once both are in what is kept.
            with locked(self.file.with_suffix(".lock"), self._timing.settings_lock_s):
                earlier = self._kept()
                kept = {"provider": provider.name, "at": at, "models": _with_lost(listed, earlier, at, whole=whole)}
                kept["whole_at"] = at if whole else earlier.get("whole_at")
                atomic_write(self.file, json.dumps(kept, indent=1).encode())
        except OSError as error:
            raise storage_error(f"{self.file} could not be written", error) from error
        named = _named(earlier)
        gone = named - {row["id"] for row in listed} if whole else set()
        return compared(before, self.now(), listed, named, gone)

    def _kept(self) -> dict[str, Any]:
        try:
            kept = read_json(read_text(self.file))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def merged(kept: dict[str, Any]) -> Catalogue:
    """The shipped catalogue with a kept list in it. What is not listed is marked by the newest list that was whole."""
    shipped, at, rows, provider = Catalogue.shipped(), kept.get("at"), kept.get("models"), kept.get("provider")
    if not _is_moment(at) or not isinstance(rows, list) or not isinstance(provider, str):
        return shipped
    whole_at = kept.get("whole_at", at)
    listed = {row["id"]: {"at": at} | row for row in _with_ids(rows)}

    def now(model: Model) -> Model:
        if model.id in listed:
            return _updated(model, listed[model.id], provider)
        return _unlisted(model, provider, _day(whole_at)) if _is_moment(whole_at) else model

    models = [now(model) for model in shipped.models.values()]
    models += [_new(row, provider) for name, row in listed.items() if name not in shipped.models]
    return Catalogue(models, refreshed_at=float(at or 0))


def seen_here(seen_models: Callable[[], Mapping[tuple[str, str, str], ModelEvidence]], pool: ClientPool) -> Evidence:
    """Return what the ledger saw of each (provider, model) at the origin that the provider has now; {} where the ledger
    or the providers cannot be read. The sandbox proves nothing."""
    with contextlib.suppress(SoraError):
        if seen := seen_models():  # an empty ledger needs no providers, whose files are read when they are first named
            clients = pool.now()
            origins = {name: clients.provider(name).origin for name in clients.names() if name != SANDBOX}
            return {(name, model): evidence for (name, at, model), evidence in seen.items() if origins.get(name) == at}
    return {}


def with_evidence(catalogue: Catalogue, evidence: Evidence) -> Catalogue:
    """The catalogue with what the ledger saw: a model of which a job that was taken at some time completed was live
    then, and one that was refused as not available after that is not known to be. It is compared with what the pack
    knows, and not with a list, which proves nothing."""
    shipped = Catalogue.shipped()

    def now(model: Model) -> Model:
        status, known = dict(model.status), getattr(shipped.find(model.id), "status", {})
        for (provider, name), seen in evidence.items():
            if name == model.id and (found := _seen_as(seen, known.get(provider))) is not None:
                status[provider] = found
        return model if status == model.status else replace(model, status=status)

    beyond = {key: _seen_as(seen, None) for key, seen in evidence.items() if catalogue.find(key[1]) is None}
    unlisted = {key: status for key, status in beyond.items() if status is not None}
    return Catalogue(map(now, catalogue.models.values()), catalogue.refreshed_at, unlisted)


def _seen_as(seen: ModelEvidence, known: Status | None) -> Status | None:
    """Its standing by what the ledger saw, where that is newer than what is `known`."""
    if max(seen.completed, seen.refused) <= 0:
        return None
    state: Life = "live" if seen.completed >= seen.refused else "unknown"
    found = Status(state, _day(max(seen.completed, seen.refused)), here=True)
    if known is None:
        return found
    older = known.date >= found.date if known.state == "retired" else known.date > found.date
    return None if older else found


def _with_lost(
    listed: list[dict[str, Any]], earlier: dict[str, Any], at: float, *, whole: bool
) -> list[dict[str, Any]]:  # fmt: skip
    """The list, and what an earlier one had besides: all of it where the new one is not whole, else the ids that the
    pack does not know, since workflows may name them. `gone` is when that was first seen, `at` when it was listed."""
    known = {row["id"] for row in listed} | (Catalogue.shipped().models.keys() if whole else set())
    rows = earlier.get("models")
    lost = [row for row in _with_ids(rows if isinstance(rows, list) else []) if row["id"] not in known]
    mark = {"gone": at} if whole else {"at": earlier.get("at")}
    return [*listed, *(mark | row for row in lost)][:MOST_MODELS]


def _with_ids(rows: list[Any]) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def compared(
    before: Catalogue, after: Catalogue, listed: list[dict[str, Any]], named: set[str], gone: set[str]
) -> Refreshed:
    """What is different; `named` are the ids that were listed before, `gone` those of them that are not any more."""
    both = before.models.keys() & after.models.keys()
    changed = [name for name in both if before.models[name].usd != after.models[name].usd]
    prices = {row["id"]: price_of(row.get("usd_per_second")) for row in listed}
    doubtful = [name for name, price in prices.items() if _contradicts(price, after.models[name])]
    return Refreshed(*(tuple(sorted(names)) for names in (prices.keys() - named, gone, changed, doubtful)))


def _named(kept: dict[str, Any]) -> set[str]:
    """The ids of a kept list; where there is none yet, those that the pack takes for being there."""
    rows = kept.get("models")
    if isinstance(rows, list):
        return {row["id"] for row in _with_ids(rows) if "gone" not in row}
    return {name for name, model in Catalogue.shipped().models.items() if model.state(COMETAPI) != "retired"}


def _contradicts(price: float | None, model: Model) -> bool:
    """Is the one price of the list none of ours? It may be that of the smallest size."""
    return price is not None and bool(model.usd) and price not in model.usd.values()


def _updated(model: Model, row: dict[str, Any], provider: str) -> Model:
    """A model that we know and that is listed. It proves nothing, so what is unknown stays so; but one that was retired
    may be there again."""
    if provider not in model.status:
        return model
    day, state = _day(row["at"]), model.state(provider)
    if state != "live":
        listed = f"in the list of {provider} of {day}"
        note = f"it was retired, and is {listed}" if state == "retired" else f"{model.note}; it is {listed}"
        model = replace(model, status={**model.status, provider: Status("unknown", day)}, note=note)
    price = price_of(row.get("usd_per_second"))
    # One price says nothing about a table of several, and where none is known it may be that of the smallest size.
    if price is None or len(set(model.usd.values())) != 1:
        return model
    return replace(model, usd=dict.fromkeys(model.usd, price), usd_date=day)


def _unlisted(model: Model, provider: str, day: str) -> Model:
    """A model that we know and that is not listed: nobody knows, unless it was retired before."""
    if provider not in model.status or model.state(provider) == "retired":
        return model
    note = f"not in the list of {provider} of {day}"
    return replace(model, status={**model.status, provider: Status("unknown", day)}, note=note)


def _new(row: dict[str, Any], provider: str) -> Model:
    """An id that the pack does not know. Its one price may be that of the smallest size: it is told, and not counted
    on."""
    price, lost = price_of(row.get("usd_per_second")), _is_moment(row.get("gone"))
    day = _day(row["gone"] if lost else row["at"])
    note = f"not in the list of {provider} of {day}" if lost else "lengths and sizes are unknown: sent as typed"
    if price is not None and not lost:
        note += f"; listed at ${price:g} per second, perhaps for its smallest size"
    return Model(
        id=row["id"],
        references=2 if row.get("images") else 0,
        status={provider: Status("unknown", day)},
        note=note,
        source={"status": f"the list of {provider}, {day}"},
    )


def _is_moment(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1e11  # also refuses nan


def _day(moment: Any) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(moment))
    except (TypeError, OverflowError, ValueError, OSError):
        return "an unknown day"
