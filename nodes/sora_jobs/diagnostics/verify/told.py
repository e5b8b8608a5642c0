"""Evaluate recorded exchanges: what our readers make of each, the states in time, the cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...errors import SoraError
from ...gateway.error_body import Response, levels, read_complaint
from ...gateway.responses import read_created, read_list, read_status
from ...gateway.video_object import number, phase_of, read_video
from ...jobs.remote_video import RemoteVideo
from .private import Private
from .record import Exchange, Recorder

COSTS = ("cost", "cost_usd", "price", "price_usd", "amount_usd", "total_cost")  # what may be a cost
BESIDE = ("usage", "billing", "pricing", "metadata")  # in which they may be


@dataclass(frozen=True)
class State:
    """A status word, when it was first seen after the create (seconds), and at how many polls."""

    word: str
    phase: str
    first_s: float
    polls: int


def read_as(exchange: Exchange, private: Private) -> dict[str, Any]:
    """What the engine's readers make of it: a job with its phase, a list, or an error with its class and code."""
    response = exchange.response
    if response is None:
        return {}
    try:
        read = _read(exchange, response)
    except SoraError as error:
        read = {"kind": type(error).__name__, "code": private.word(error.code)}
        read |= {"transient": bool(getattr(error, "transient", False))}
        return read | ({"charge": error.charge} if exchange.call in ("create", "remix") else {})
    complaint = read_complaint(response)
    if not read and (response.status >= 400 or complaint is not None):
        return {"kind": "error", "code": private.word(complaint.code) if complaint else ""}
    return read | ({"code": private.word(read["code"])} if "code" in read else {})


def _read(exchange: Exchange, response: Response) -> dict[str, Any]:
    if exchange.call in ("create", "remix"):
        return _job(read_created(response))
    if exchange.call == "retrieve":
        return _job(read_status(response, exchange.video_id))
    return {"kind": "list", "jobs": len(read_list(response))} if exchange.call == "list" else {}


def _job(video: RemoteVideo) -> dict[str, Any]:
    code = {"code": video.complaint.code} if video.complaint else {}
    return {"kind": "job", "phase": video.phase, "address": bool(video.url), **code}


def ids_in(exchanges: Iterable[Exchange]) -> set[str]:
    """Every id of a job in these exchanges, also in lists."""
    found: set[str] = set()
    for one in exchanges:
        found |= {one.video_id} - {""}
        if one.response is None or one.call == "models":
            continue
        if (video := read_video(one.response)) is not None:
            found |= {video.id, video.parent}
        for level in levels(one.response.json()):
            found |= {str(level[name]) for name in ("id", "task_id", "video_id") if level.get(name)}
        if one.call == "list":
            found |= _listed(one.response)
    return found - {""}


def _listed(response: Response) -> set[str]:
    try:
        return {video.id for video in read_list(response)}
    except SoraError:
        return set()


def states_of(recorder: Recorder, video_id: str, private: Private) -> list[State]:
    """The states of a job in the order in which they came, the create's own first; [] where that was not seen."""
    created = created_at(recorder)
    if created is None:
        return []
    found: dict[str, State] = {}
    for one in (created, *recorder.of(video_id)):
        video = one.video
        if video is None or not video.status or one.at < created.at:
            continue
        was = found.get(video.status)
        first_s = was.first_s if was else one.at - created.at
        phase = phase_of(video.status) or "unknown to the engine"
        word = private.word(video.status) or "(a word that cannot be shown)"
        found[video.status] = State(word, phase, first_s, (one is not created) + (was.polls if was else 0))
    return list(found.values())


def created_at(recorder: Recorder) -> Exchange | None:
    """The create that was answered with a job, as far as one was seen."""
    return next((one for one in recorder.seen("create") if one.video is not None and one.video.id), None)


def timings_of(recorder: Recorder, states: list[State]) -> dict[str, float | None]:
    """Seconds: until the create was answered, waiting, rendering, and from the end of it until the content was there;
    as exact as polls are frequent."""
    created = created_at(recorder)
    firsts: dict[str, float] = {}
    for state in states:
        firsts.setdefault(state.phase if state.phase in ("waiting", "done", "failed") else "running", state.first_s)
    end = firsts.get("done", firsts.get("failed"))
    running = firsts.get("running")
    started = running if running is not None else end
    there = None
    if created is not None and end is not None:
        given = (one for one in recorder.seen("content", "address") if one.status in (200, 206) and not one.variant)
        there = next((one.at - created.at for one in given if one.at - created.at >= end), None)
    return {
        "create_s": _rounded(created.took_s if created else None),
        "queued_s": _rounded(started if created is not None else None),
        "rendering_s": _rounded(end - running if end is not None and running is not None else None),
        "content_after_s": _rounded(there - end if there is not None and end is not None else None),
    }


def charged(exchanges: Iterable[Exchange]) -> float | None:
    """Dollars that the provider says it charged for the finished job; None where it is not known to say it."""
    videos = [one.video for one in exchanges]
    return next((video.charged_usd for video in reversed(videos) if video and video.charged_usd is not None), None)


def told_cost(exchanges: Iterable[Exchange]) -> tuple[str, float] | None:
    """(field, number) of what looks like a cost; None without one. Its unit is unknown: see `charged`."""
    for one in reversed(list(exchanges)):
        if one.response is None:
            continue
        for level in levels(one.response.json()):
            beside = [(name, level[name]) for name in BESIDE if isinstance(level.get(name), dict)]
            for place, fields in [("", level), *beside]:
                for name in COSTS:
                    if (told := number(fields.get(name))) is not None:
                        return f"{place}.{name}".lstrip("."), told
    return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
