"""The video object in a response of `/v1/videos`, made uniform.

What gateways do differently: here the video object, in responses.py what a response means for us, in error_body.py how
its errors are wrapped, in vocabulary.py the words themselves. The numbers in comments are those of docs/gateway.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from ..jobs.remote_video import LONGEST_ID, Phase, RemoteVideo
from ..util.addresses import is_unambiguous_url
from .charges import charged_usd
from .error_body import DEEPEST_WRAPPING, GatewayErrorBody, Response, clean, complaint_in, levels, request_id
from .vocabulary import (
    ADDRESS_KEYS,
    FINISH_KEYS,
    ID_KEYS,
    PATH_KEYS,
    PHASES,
    REFERENCE_KEYS,
    STATE_KEYS,
    WORDS_OF_CALLS,
    WRAPPERS,
)

LONGEST_PATH = 2000  # characters of an address without a host

# "/cdn/a.mp4", "//cdn.example/a", "./a", and the bare name of a video; not "pending" or "N/A".
_PATH = re.compile(r"\.{0,2}/+[^/\s]\S*|[\w.%~-]+(/[\w.%~-]+)*\.(mp4|m4v|mov|webm|mkv)(\?\S*)?", re.IGNORECASE)


def plain_status(word: str) -> str:
    """A gateway's status word for a person; one that nobody knows is shown as it is."""
    plain = {"waiting": "queued", "running": "rendering", "done": "finished", "failed": "failed"}
    phase = phase_of(word) if word else "waiting"
    return plain[phase] if phase else word


def phase_of(word: str) -> Phase | None:
    """What a status word means, however it is written; None for one that nobody knows."""
    return PHASES.get(re.sub(r"[\s-]+", "_", word.strip().lower()))


def read_video(response: Response) -> RemoteVideo | None:
    """The video object in a response, unwrapped; None where there is none."""
    return video_in(response.json(), response)


def read_ended(response: Response) -> RemoteVideo | None:
    """A failed job inside an error: LiteLLM writes the upstream's whole object into the message of its own HTTP 500."""
    for level in levels(response.json()):
        video = video_in(level, response) if _text(level.get("object")).startswith("video") else None
        if video is not None and video.id and video.phase == "failed":
            return video
    return None


def video_in(value: Any, response: Response) -> RemoteVideo | None:
    """The same for a piece of a response's JSON, such as a line of a list."""
    found, status = _unwrapped(value, response.url)
    own_id = _own_id(found)
    complaint = _why(found, status)
    if not status and complaint is None and not own_id:
        return None
    known = phase_of(status)
    phase: Phase = known or ("running" if status else "waiting")
    if not own_id and known not in (None, "failed"):  # of a failure it may well be the number of the call
        own_id = _id(found.get("request_id"))
    if complaint is None and own_id and found.get("message"):
        complaint = complaint_in({key: found.get(key) for key in ("message", "code")})
    return RemoteVideo(
        id=own_id,
        phase=phase,
        whole=_text(found.get("object")) not in ("", "error") or bool(_text(found.get("model"))),
        named=bool(re.match(r"(task|video)_", own_id)) or any(found.get(key) for key in ID_KEYS[1:]),
        status=status,
        progress=_progress(found),
        url=address_in(found, response.url),
        complaint=complaint if phase == "failed" else None,
        model=_text(found.get("model")),
        seconds=_text(found.get("seconds")),
        size=_text(found.get("size")),
        prompt=_text(found.get("prompt")),
        parent=_parent(found),
        references=_references(found),
        request_id=request_id(response, complaint.message if complaint else ""),
        created_at=next(filter(None, (_moment(found.get(key)) for key in ("created_at", "created"))), None),
        charged_usd=charged_usd(found, response.url) if phase == "done" else None,
    )


def _parent(found: dict[str, Any]) -> str:
    """Of a remix; some gateways write the video's address there."""
    told = _id(found.get("remixed_from_video_id"))
    return "" if is_unambiguous_url(told) else told


def _references(found: dict[str, Any]) -> int | None:
    """How many images a job says that it was made from."""
    lists = [found[key] for key in REFERENCE_KEYS if isinstance(found.get(key), list)]
    if lists:
        return max(map(len, lists))
    return 1 if any(isinstance(found.get(key), str) and found[key] for key in REFERENCE_KEYS) else None


def address_in(value: Any, base: str) -> str:
    """The likeliest address of a video in a piece of JSON that came from `base`, "" where there is none. A path is the
    last choice: it may be the content call's own."""
    return next(_addresses(value), "") or next(_addresses(value, base), "")


def _why(found: dict[str, Any], status: str) -> GatewayErrorBody | None:
    """What a job says of its end; a word of the gateway's own counts for less than its upstream's code (quirk 2)."""
    said = [found.get(key) for key in ("error", "error_message", "fail_reason")]
    if status and isinstance(upstream := found.get("data"), dict):
        said.append(upstream.get("error"))
    why = [complaint for complaint in map(complaint_in, said) if complaint is not None]
    return next((complaint for complaint in why if complaint.code), why[0] if why else None)


def number(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _unwrapped(value: Any, base: str) -> tuple[dict[str, Any], str]:
    """(fields, status word) of the innermost dictionary that has a state, or else an id (quirk 2: `data` around it,
    even twice)."""
    best: dict[str, Any] = {}
    status, final = "", False
    for _ in range(DEEPEST_WRAPPING):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            break
        has_state = any(isinstance(value.get(key), str) for key in STATE_KEYS)
        has_id = any(isinstance(value.get(key), str | int) for key in ID_KEYS)
        if has_state or has_id:
            # The id is the outermost: it is the one of the gateway that we talk to, an inner one is what that gateway
            # got from another.
            outer_ids = {key: best[key] for key in ID_KEYS if key in best}
            inner = {key: item for key, item in value.items() if item not in (None, "")}
            inner = {key: item for key, item in inner.items() if key not in ID_KEYS or not outer_ids}
            best = {**best, **inner}
            word = next(filter(None, (_text(value.get(key)) for key in STATE_KEYS)), "")
            if not final:
                status, final = _inner_status(status, word), _is_final(value, word, base)
            elif phase_of(status) == "failed" and phase_of(word) == "done" and address_in(value, base):
                status = word.lower()  # there is a video, whatever went wrong with it at the gateway
        if not best and isinstance(text := value.get("data"), str):
            # {"code": "success", "data": "task_…"}: the id alone
            return ({"id": text} if re.fullmatch(rf"(?=.*\d)[\w.:-]{{6,{LONGEST_ID}}}", text) else {}), ""
        value = next((value[key] for key in WRAPPERS if isinstance(value.get(key), dict | list) and value[key]), None)
    return best, status


def _inner_status(outer: str, inner: str) -> str:
    """The word that counts: the inner one, unless only the outer one is known to say that the video is there."""
    known = phase_of(inner) is not None and inner.lower() != "unknown"
    return inner.lower() if inner and (known or phase_of(outer) != "done") else outer


def _is_final(row: dict[str, Any], word: str, base: str) -> bool:
    """Is that word of a gateway's row its last one? What the row holds of its upstream's response may be older: new-api
    never changes a row again that it ended."""
    if word.lower() in WORDS_OF_CALLS:
        return False
    own = {key: value for key, value in row.items() if key not in WRAPPERS}
    finished = any(_moment(own.get(key)) for key in FINISH_KEYS)
    address, reason = address_in(own, base), _text(own.get("fail_reason"))
    phase = phase_of(word)
    return (phase == "done" and (finished or bool(address))) or (
        phase == "failed" and (finished or bool(reason and reason != address))
    )


def _own_id(found: dict[str, Any]) -> str:
    """The job's id; new-api's rows have a number as well, which only its own tables know."""
    ids = [found.get(key) for key in ID_KEYS]
    return next(filter(None, [*(_id(item) for item in ids if isinstance(item, str)), *map(_id, ids)]), "")


def _id(value: Any) -> str:
    text = _text(value) if isinstance(value, str | int) else ""
    return text if len(text) <= LONGEST_ID else ""


def _addresses(value: Any, base: str = "", *, depth: int = DEEPEST_WRAPPING, is_path: bool = False) -> Iterator[str]:
    """Every address of a video in a piece of JSON, the likeliest first: http(s), and paths at the origin of `base`."""
    if isinstance(value, str):
        yield from filter(None, [_address(value.strip(), base if is_path else "")])
    elif depth and isinstance(value, list):
        for item in value:
            yield from _addresses(item, base, depth=depth - 1, is_path=is_path)
    elif depth and isinstance(value, dict):
        for key in ADDRESS_KEYS:
            yield from _addresses(value.get(key), base, depth=depth - 1, is_path=key in PATH_KEYS)


def _address(text: str, base: str) -> str:
    """An http(s) address, or a path joined to the origin of `base`; "" for anything else."""
    if is_unambiguous_url(text):
        return text
    if not base or len(text) > LONGEST_PATH or not _PATH.fullmatch(text):
        return ""
    try:
        joined = urljoin(urljoin(base, "/"), text)
    except ValueError:
        return ""
    return joined if is_unambiguous_url(joined) else ""


def _progress(found: dict[str, Any]) -> float | None:
    value = found.get("progress")
    percent = number(value.strip().rstrip("%") if isinstance(value, str) else value)
    if percent is None and (share := number(found.get("progress_pct"))) is not None:
        percent = share * 100 if share <= 1 else share  # called a percentage, and given as a fraction
    return None if percent is None else min(100.0, max(0.0, percent))


def _moment(value: Any) -> float | None:
    """Seconds since 1970 from seconds, milliseconds or a date with its zone; None for anything that is no moment of a
    gateway's life: what is not known speaks against nobody."""
    seconds = number(value)
    if seconds is None and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            seconds = moment.timestamp() if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None
    if seconds is None or seconds < 1e9:
        return None
    return seconds if seconds < 1e11 else seconds / 1000


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | dict | list) else clean(str(value)).strip()
