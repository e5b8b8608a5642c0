"""What an answer of the gateway means for us: the job, a refusal, trouble that passes, or that nobody can tell.

Every quirk of a gateway lives in three files and nowhere else: here those of statuses, codes and headers, in wire.py
those of the video object, in envelope.py how errors are wrapped. The quirks are those of the facts (gateway.md,
section 4); the numbers in comments point there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime

from .envelope import Answer, Complaint, read_complaint, request_id, says_error
from .errors import GatewayTrouble, MaybeBought, Refused
from .wire import RemoteVideo, number, read_video

SETTLE = (
    "It is not sent again by itself. Look into the gateway's own list of tasks, then settle it: `sora resume JOB "
    "--video-id ID` if it is there, `sora resume JOB --lost` if not (without an installed `sora`: `python -m "
    "nodes.sora`, in the pack's folder, with ComfyUI's Python)."
)

# A refusal that passes by itself: the same request may be sent again (quirk 5).
_SATURATED = {"upstream_load_saturated", "rate_limit_exceeded", "rate_limit_error", "too_many_requests", "saturated"}

# Refusals that some gateways deliver with a 5xx (quirk 5): the code says that no job exists.
_REFUSALS_AS_5XX = {
    "model_not_found", "invalid_request", "invalid_request_error", "insufficient_user_quota", "authentication_error",
    "pre_consume_token_quota_failed", "insufficient_quota", "moderation_blocked", "content_policy_violation",
    "invalid_api_key", "permission_denied", *_SATURATED,
}  # fmt: skip

_ADVICE = {
    "model_not_found": "The gateway does not serve this model (any more); choose another.",
    "insufficient_user_quota": "Top up the account at the gateway.",
    "insufficient_quota": "Top up the account at the gateway.",
    "pre_consume_token_quota_failed": "Top up the account at the gateway.",
    "moderation_blocked": "Change the prompt or the reference; people's faces are often refused.",
    "content_policy_violation": "Change the prompt or the reference; people's faces are often refused.",
    "task_not_exist": "The gateway does not know this id, or not yet.",
}
_ADVICE_BY_STATUS = {
    400: "Change what was asked for; the gateway's own words say what it did not take.",
    401: "Check the key.",
    402: "Top up the account at the gateway.",
    403: "The key may not do this: check the key, its rights and the account's balance.",
    404: "Check the provider's base URL.",
    405: "Check the provider's base URL.",
    413: "The reference image is too large for the gateway.",
    429: "The gateway is busy; run again in a while.",
}

_NOT_KNOWN = (
    "It does not know this job, or not yet, or not any more. If it stays so, ask its support, or choose another take "
    "to buy the video anew. If it knows no job at all, check the provider's base URL."
)


def read_created(answer: Answer) -> RemoteVideo:
    """The new job from the answer to create or remix.

    Refused where the gateway said no readably; MaybeBought where nobody can tell whether there is a job.
    """
    video = read_video(answer)
    complaint = read_complaint(answer)
    named = ""
    if video is not None and video.id:
        if _is_taken(answer, video):
            return video
        # Shown as alive beside an error: nothing that may be bought again by itself.
        named = video.id if video.phase != "failed" and (video.status or video.whole) else ""
    ended = video is not None and not video.id and video.phase == "failed" and complaint is not None
    if not named and (ended or _is_refusal(answer, complaint)):
        raise refusal(answer, complaint)
    said = f": {complaint.message.rstrip('.')}" if complaint and complaint.message else ""
    what = f"the job {named} exists" if named else "the job exists"
    raise MaybeBought(
        f"The gateway answered HTTP {answer.status} without saying whether {what}{said}.",
        advice=SETTLE.replace(" ID`", f" {named}`") if named else SETTLE,
        request_id=request_id(answer),
    )


def _is_taken(answer: Answer, video: RemoteVideo) -> bool:
    """Is that id a job that the gateway took? The id of an error alone is its request's."""
    if video.phase == "failed" and video.whole:
        return True  # quirk 4: a failed job comes with a 4xx or 5xx
    wrong = says_error(answer)
    if answer.status < 300:
        return bool(video.status) or not wrong
    return video.whole and video.phase != "failed" and not wrong


def read_status(answer: Answer, video_id: str) -> RemoteVideo:
    """The job's state from the answer to retrieve. GatewayTrouble where the answer does not tell it."""
    video = read_video(answer)
    if video is not None and _tells_state(video, answer.status, video_id):
        return replace(video, id=video.id or video_id)
    found = trouble(answer, read_complaint(answer), "asked for the job's state")
    if answer.status in (400, 404, 410):
        found.advice = _NOT_KNOWN
    raise found


def read_list(answer: Answer) -> list[RemoteVideo]:
    """The jobs that the gateway lists, as far as they can be read. GatewayTrouble where the answer is no list."""
    value = answer.json()
    rows = value.get("data") if isinstance(value, dict) else None
    rows = rows.get("data") if isinstance(rows, dict) else rows  # quirk 2: wrapped once more
    if answer.status >= 300 or not isinstance(rows, list):
        raise trouble(answer, read_complaint(answer), "asked for its list of jobs")
    found = [read_video(Answer(200, {}, json.dumps(row).encode())) for row in rows]
    return [video for video in found if video is not None and video.id]


def trouble(answer: Answer, complaint: Complaint | None, doing: str) -> GatewayTrouble:
    """What a status or content call failed with. A bad key or an unknown id will not pass by itself."""
    code = complaint.code if complaint else ""
    said = f": {complaint.message.rstrip('.')}" if complaint and complaint.message else ""
    # Right after create an id can be unknown for a moment (quirk 5), so 400 and 404 are asked again for a while.
    permanent = answer.status in (401, 402, 403, 405, 410) and not _is_saturated(answer, complaint)
    return GatewayTrouble(
        f"The gateway answered HTTP {answer.status} when {doing}{said}.",
        advice=_ADVICE.get(code, _ADVICE_BY_STATUS.get(answer.status, "The job goes on there; run again later.")),
        transient=not permanent,
        retry_after_s=retry_after_s(answer.headers),
        http_status=answer.status,
        request_id=request_id(answer, complaint.message if complaint else ""),
        code=code,
    )


def refusal(answer: Answer, complaint: Complaint | None) -> Refused:
    """The gateway's no, in its own words, with what to do about it."""
    code = complaint.code if complaint else ""
    said = complaint.message if complaint and complaint.message else "it gave no reason"
    if 300 <= answer.status < 400:
        said = "it wants to be asked at another address"
    advice = _ADVICE_BY_STATUS.get(404 if 300 <= answer.status < 400 else answer.status, _ADVICE_BY_STATUS[400])
    named = [_ADVICE[name] for name in (complaint.codes if complaint else ()) if name in _ADVICE]
    if "blocked by our moderation system" in said:  # quirk 10: only the text tells
        named, code = [_ADVICE["moderation_blocked"]], "moderation_blocked"
    return Refused(
        f"The gateway refused (HTTP {answer.status}{f', {code}' if code else ''}): {said}".rstrip(".") + ".",
        transient=answer.status == 429 or _is_saturated(answer, complaint),
        retry_after_s=retry_after_s(answer.headers),
        advice=named[-1] if named else advice,
        request_id=request_id(answer, said),
        code=code or str(answer.status),
    )


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """The pace that the gateway asks for, in seconds, from whichever header carries it; None where none does."""
    for name in ("retry-after-ms", "openai-poll-after-ms"):
        if (value := number(headers.get(name))) is not None:
            return max(0.0, value / 1000)
    for name in ("retry-after", "llm_provider-retry-after"):
        text = headers.get(name, "")
        if (value := number(text)) is not None:
            return max(0.0, value)
        if text:
            try:
                return max(0.0, parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now))
            except ValueError:
                continue
    return None


def _tells_state(video: RemoteVideo, status: int, video_id: str) -> bool:
    """Is this the job's own state, or only the failure of the call, which also says "status": "error"?"""
    if video.phase != "failed":
        return status < 300
    if status < 300:
        return bool(video.id) or video.complaint is not None
    return video.id == video_id or (bool(video.id) and video.whole)


def _is_refusal(answer: Answer, complaint: Complaint | None) -> bool:
    """Is it a readable no?"""
    if answer.status < 300:
        return says_error(answer)  # quirk 3: HTTP 200 with an error and no id
    # 408, 499 and 504 come from something in between that gave up waiting: the gateway may have gone on.
    if answer.status in (408, 499, 504):
        return False
    # The innermost code decides; a type is only the family of the error, and stands over broken upstreams, too.
    return answer.status < 500 or (complaint is not None and _exact(complaint) in _REFUSALS_AS_5XX)


def _is_saturated(answer: Answer, complaint: Complaint | None) -> bool:
    if complaint is None:
        return False
    codes = complaint.codes if answer.status < 500 else (_exact(complaint),)
    return bool(_SATURATED & {code.lower() for code in codes})


def _exact(complaint: Complaint) -> str:
    """The innermost code that is a word."""
    return next((code.lower() for code in reversed(complaint.exact) if not code.isdigit()), "")
