"""The report of a walk: JSON without secrets and without persons, and the same as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from ... import __version__
from ...config.providers import COMETAPI_URL
from ...jobs.spec import Job
from .choice import Offer
from .compare import of_job, with_rows
from .private import Private, scrubbed, shown_model
from .quirks import with_quirks
from .record import PATHS, Exchange
from .shapes import shape_of
from .told import State, charged, ids_in, read_as, states_of, timings_of, told_cost
from .walk import UNKNOWN, Walked

VERSION = 2
MOST_CALLS = 60  # different exchanges in a report
INFO = (
    "width", "height", "fps", "frames", "duration_s", "codec", "pixel_format", "colour_matrix", "colour_primaries",
    "colour_transfer", "colour_range", "has_audio", "audio_rate", "even", "cut_short",
)  # fmt: skip


def report_of(found: Walked) -> dict[str, Any]:
    """Everything that may be passed on of what was found."""
    exchanges = found.recorder.seen()
    model, base = found.offer.model if found.offer is not None else "", found.client.provider.base_url
    private = Private(exchanges, ids_in(exchanges), keep=[model])
    lines = [*with_rows(found, private), *with_quirks(found, private)]
    job, video_id = found.job, found.job.video_id if found.job is not None else ""
    states = states_of(found.recorder, video_id, private) if job is not None else []
    report: dict[str, Any] = scrubbed(
        {
            "report": VERSION,
            "sora_jobs": __version__,
            "day": datetime.now(UTC).strftime("%Y-%m-%d"),
            "provider": found.wish.provider,
            "host": private.host(base) if base == COMETAPI_URL else "",  # any other is its owner's
            "spend_usd": found.wish.spend,
            "offer": _offer(found.offer, found.was_there),
            "purchase": _purchase(found, private),
            "remix": None if found.remix is None else {"state": found.remix.state.value, "usd": _usd(found.remix)},
            "timings": timings_of(found.recorder, states),
            "states": [_state(state) for state in states],
            "content": _content(found, private),
            "variants": {
                name: {"status": status, "content_type": private.media_type(kind), "picture": is_picture}
                for name, (status, kind, is_picture) in found.variants.items()
            },
            "video": _video(found),
            "calls": _calls(exchanges, private),
            "findings": [dataclasses.asdict(line) for line in lines],
            "agrees": found.error is None and all(line.verdict != "differs" for line in lines),
        }
    )
    return report


def _offer(offer: Offer | None, was_there: bool) -> dict[str, Any] | None:
    if offer is None:
        return None
    return dataclasses.asdict(offer) | {"bought_before": was_there, "model": shown_model(offer.model)}


def _purchase(found: Walked, private: Private) -> dict[str, Any] | None:
    if found.job is None and found.error is None:
        return None
    told = told_cost(of_job(found))
    error = found.error
    return {
        "taken_up": found.was_there,
        "state": found.job.state.value if found.job is not None else "",
        "estimated_usd": _usd(found.job),
        "charged_usd": charged(of_job(found)),
        "told_cost": None if told is None else {"field": told[0], "number": told[1]},
        "error": None
        if error is None
        else {"kind": error.kind, "code": private.word(error.code), "charge": error.charge},
    }


def _usd(job: Job | None) -> float | None:
    return None if job is None else job.estimated_usd


def _state(state: State) -> dict[str, Any]:
    return dataclasses.asdict(state) | {"first_s": round(state.first_s, 3)}


def _content(found: Walked, private: Private) -> dict[str, Any] | None:
    content = found.content
    if content is None:
        return None
    return {
        "way": content.way,
        "host": "the provider's" if _is_own(content.url, found) else private.host(content.url),
        "with_key": content.with_key,
        "content_type": private.media_type(content.kind),
        "ranges": content.answered == 206,
        "told_bytes": content.size,
        "headers": private.headers(content.headers),
        "bytes_per_s": None if content.rate is None else round(content.rate),
    }


def _is_own(url: str, found: Walked) -> bool:
    from ...gateway.http import same_origin

    return same_origin(url, found.client.provider.base_url)


def _video(found: Walked) -> dict[str, Any] | None:
    if found.info is None:
        return None
    facts = {name: getattr(found.info, name) for name in INFO}
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
    return rounded | {"bytes": found.size}


def _calls(exchanges: Iterable[Exchange], private: Private) -> list[dict[str, Any]]:
    """Each different exchange once, with how often it came."""
    exchanges = list(exchanges)
    ids = ids_in(exchanges)
    found: dict[str, dict[str, Any]] = {}
    for one in exchanges:
        call = {
            "call": one.call,
            "method": one.method,
            "path": _path(one),
            "status": one.status,
            "content_type": private.media_type(one.headers.get("content-type", "")),
            "headers": private.headers(one.headers),
            "body": shape_of(one.response, private, ids) if one.response is not None else "(not read as a whole)",
            "read_as": read_as(one, private),
        }
        same = found.setdefault(repr(call), call | {"seconds": round(one.took_s, 3), "times": 0})
        same["times"] += 1
    return list(found.values())[:MOST_CALLS]


def _path(exchange: Exchange) -> str:
    path = PATHS[exchange.call]
    path = path.replace("{id}", "{unknown id}") if exchange.video_id == UNKNOWN else path
    if exchange.call == "list":
        path += "?limit=100&order=desc"
    return f"{path}?variant={exchange.variant}" if exchange.variant else path


def lines_of(report: dict[str, Any]) -> Iterator[str]:
    """The report for a person."""
    yield _headline(report)
    yield ""
    for call in report["calls"]:
        times = f" x{call['times']}" if call["times"] > 1 else ""
        read = call["read_as"]
        made = " ".join(
            str(read[name]) for name in ("kind", "phase", "jobs", "code") if read.get(name) not in ("", None)
        )
        line = f"{call['method']:<5}{call['path']:<44} {call['status']} {call['seconds']:7.3f} s  "
        yield f"{line}{call['content_type'] or '-':<17} {made}{times}".rstrip()
    for state in report["states"]:
        seen = f"from {state['first_s']:.1f} s on, {state['polls']} polls"
        yield f"state  {state['word']:<20} {state['phase']}, {seen}"
    known = [f"{name.removesuffix('_s')} {value:g} s" for name, value in report["timings"].items() if value is not None]
    if known:
        yield f"times  {', '.join(known)}"
    if video := report["video"]:
        yield (
            f"video  {video['width']}x{video['height']}, {video['frames']} frames at {video['fps']:g}, "
            f"{video['duration_s']:.2f} s, {video['codec']} {video['pixel_format']}, colours {video['colour_matrix']} "
            f"{video['colour_range']}, {video['bytes']} bytes"
        )
    yield ""
    for finding in sorted(report["findings"], key=lambda one: ("differs", "unknown", "agrees").index(one["verdict"])):
        yield f"{finding['verdict']:<8} {finding['source']:<10} {finding['what']}: {finding['text']}"


def _headline(report: dict[str, Any]) -> str:
    offer, bought = report["offer"], report["purchase"]
    if offer is None:
        return f"{report['provider']}: no price is known, so --spend would buy nothing."
    image = ", with a reference image" if offer["reference"] else ""
    price = "at an unknown price" if offer["usd"] is None else f"for about ${offer['usd']:.4f}"
    price = "free" if offer["usd"] == 0 else price
    what = f"{offer['model']}, {offer['seconds']} s, {offer['size']}{image}"
    if bought is None and offer["bought_before"]:
        return f"{report['provider']}: nothing was bought. --spend USD takes up what was bought before: {what}."
    if bought is None:
        return f"{report['provider']}: nothing was bought. --spend USD would buy {what}, {price}."
    return f"{report['provider']}: {_how(bought)}: {what}, {price}."


def _how(bought: dict[str, Any]) -> str:
    """Whether it was bought: where the ledger has no job of it, the error tells."""
    charge = bought["error"]["charge"] if bought["error"] is not None and not bought["state"] else "charged"
    if charge == "none":
        return "not bought"
    perhaps = "perhaps " if charge == "possible" else ""
    return f"taken up, {perhaps}bought before" if bought["taken_up"] else f"{perhaps}bought"
