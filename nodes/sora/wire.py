"""Our types <-> the words of `/v1/videos`: the form of a create, and the video object in an answer, made uniform.

Every quirk of a gateway lives in three files and nowhere else: here those of the video object, in verdict.py what an
answer means for us, in envelope.py how its errors are wrapped. The quirks are those of the facts (gateway.md,
section 4); the numbers in comments point there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from .catalogue import Catalogue
from .envelope import Answer, Complaint, complaint_in, request_id
from .spec import JobSpec

Phase = Literal["waiting", "running", "done", "failed"]

_PHASES: dict[str, Phase] = {
    **dict.fromkeys(
        ["queued", "pending", "submitted", "not_start", "preparing", "created", "starting", "unknown", ""], "waiting"
    ),
    **dict.fromkeys(["processing", "in_progress", "running", "generating"], "running"),
    **dict.fromkeys(["completed", "complete", "success", "succeeded", "finished"], "done"),
    **dict.fromkeys(["failed", "failure", "fail", "error", "cancelled", "canceled", "expired"], "failed"),
}

_IDS = ("id", "task_id", "video_id")


def plain_status(word: str) -> str:
    """A gateway's status word for a person; one that nobody knows is shown as it is."""
    plain = {"waiting": "queued", "running": "rendering", "done": "finished", "failed": "failed"}
    phase = _PHASES.get(word.lower())
    return plain[phase] if phase else word


@dataclass(frozen=True, kw_only=True)
class RemoteVideo:
    """The gateway's video object, made uniform. `progress` is percent 0..100 or None; `url` a direct address or ""."""

    id: str
    phase: Phase
    status: str = ""
    progress: float | None = None
    url: str = ""
    complaint: Complaint | None = None
    whole: bool = False  # the answer shows a video object, not only an id and a status word
    model: str = ""
    seconds: str = ""
    size: str = ""
    prompt: str = ""
    request_id: str = ""
    created_at: float | None = None


def create_form(spec: JobSpec, catalogue: Catalogue) -> dict[str, str]:
    """The form fields of a create, all as text; `seconds` and `size` always go, since gateways' defaults differ.

    For a model that the catalogue does not list, `extra_fields` wins over our own field of the same name.
    """
    fields = {"prompt": spec.prompt, "model": spec.model, "seconds": spec.seconds, **catalogue.size_fields(spec)}
    return fields | {name: _form_text(value) for name, value in spec.extra_fields.items()}


def read_video(answer: Answer) -> RemoteVideo | None:
    """The video object in an answer, unwrapped; None where there is none."""
    found = _unwrapped(answer.json())
    if found is None:
        return None
    status = _text(found.get("status") or found.get("task_status") or found.get("state")).lower()
    own_id = _text(found.get("id") or found.get("task_id") or found.get("video_id"))
    complaint = complaint_in(found.get("error")) or complaint_in(found.get("fail_reason"))
    url = _url(found)
    phase = _PHASES.get(status, "running")
    if not status and complaint is None and not own_id:
        return None
    return RemoteVideo(
        id=own_id,
        phase=phase,
        whole=bool(found.get("object") or found.get("model")),
        status=status,
        progress=_progress(found.get("progress")),
        url=url,
        complaint=complaint if phase == "failed" else None,
        model=_text(found.get("model")),
        seconds=_text(found.get("seconds")),
        size=_text(found.get("size")),
        prompt=_text(found.get("prompt")),
        request_id=request_id(answer, complaint.message if complaint else ""),
        created_at=number(found.get("created_at")),
    )


def number(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _unwrapped(value: Any) -> dict[str, Any] | None:
    """The innermost dictionary that has a state, or else an id (quirk 2: `data` around it, even twice)."""
    best: dict[str, Any] | None = None
    for _ in range(4):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            break
        has_state = any(isinstance(value.get(key), str) for key in ("status", "task_status", "state"))
        has_id = any(isinstance(value.get(key), str | int) for key in _IDS)
        if has_state or has_id:
            # An outer FAILURE around an inner running state: the inner one is the job's own. The id is the outermost:
            # it is the one of the gateway that we talk to, an inner one is what that gateway got from another.
            inner = {key: item for key, item in value.items() if item not in (None, "")}
            kept = {key: best[key] for key in _IDS if key in best} if best else {}
            best = {
                **(best or {}),
                **({key: inner[key] for key in inner if key not in _IDS} if kept else inner),
                **kept,
            }
        value = value.get("data")
    if best is None and isinstance(value, str) and re.fullmatch(r"(?=.*\d)[\w.:-]{6,200}", value):
        return {"id": value}  # {"code": "success", "data": "task_…"}: the id alone
    return best


def _url(found: dict[str, Any]) -> str:
    metadata = found.get("metadata")
    places = [found.get(key) for key in ("video_url", "url", "output", "output_video", "fail_reason")]
    places += [metadata.get("url")] if isinstance(metadata, dict) else []
    for place in places:
        if isinstance(place, list) and place:
            place = place[0]  # noqa: PLW2901 - the same place, unwrapped
        if isinstance(place, dict):
            place = place.get("url") or place.get("video_url")  # noqa: PLW2901 - the same place, unwrapped
        if isinstance(place, str) and re.match(r"https?://\S+$", place):
            return place
    return ""


def _progress(value: Any) -> float | None:
    percent = number(value.strip().rstrip("%") if isinstance(value, str) else value)
    return None if percent is None else min(100.0, max(0.0, percent))


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | dict | list) else str(value).strip()


def _form_text(value: str | int | float | bool) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
