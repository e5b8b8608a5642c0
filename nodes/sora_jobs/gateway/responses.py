"""What a response of the gateway means for us: the job, a refusal, trouble that passes, or that nobody can tell.

What gateways do differently: here statuses, codes and headers, in video_object.py the video object, in error_body.py
how errors are wrapped, in vocabulary.py the words themselves; of downloads in streams.py and delivery/. The numbers in
comments are those of docs/gateway.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime

from ..errors import GatewayError, PurchaseUncertainError, RequestRejectedError
from ..jobs.remote_video import RemoteVideo
from ..messages import RECONCILE_HINT
from .error_body import GatewayErrorBody, Response, denies, levels, read_complaint, request_id, says_error
from .video_object import number, phase_of, read_ended, read_video, video_in
from .vocabulary import (
    ADVICE,
    ADVICE_BY_STATUS,
    LASTING,
    NO_CHANNEL,
    PACE_HEADERS,
    PACE_KEYS,
    PACE_MS_HEADERS,
    PERHAPS_TAKEN,
    REFUSALS_AS_5XX,
    SATURATED,
    STATUS_IN_WORDS,
    WORDS_OF_CALLS,
    known_code,
)

_NOT_KNOWN = (
    "It does not know this job, or not yet, or not any more. If it stays so, ask its support, or choose another take "
    "to buy the video anew. If it knows no job at all, check the provider's base URL."
)


def read_created(response: Response) -> RemoteVideo:
    """Return the new job from the response to create or remix.

    RequestRejectedError where the provider clearly rejected it; PurchaseUncertainError where nobody can tell whether
    there is a job.
    """
    video = read_video(response)
    complaint = read_complaint(response)
    if video is not None and _is_taken(response, video):
        return _just_created(video)
    if (ended := read_ended(response)) is not None:
        return ended
    no = refusal(response, complaint) if _is_refusal(response, video, complaint) else None
    named = video.id if video is not None and _may_be_alive(response, video, no) else ""
    if no is not None and not named:
        # Only a refusal without any id is sent again by itself.
        raise no.changed(transient=False) if video is not None and video.id else no
    said = f": {complaint.message.rstrip('.')}" if complaint and complaint.message else ""
    what = f"the job {named} exists" if named else "the job exists"
    raise PurchaseUncertainError(
        f"The gateway answered HTTP {response.status} without saying whether {what}{said}.",
        hint=RECONCILE_HINT.replace(" ID`", f" {named}`") if named else RECONCILE_HINT,
        request_id=request_id(response),
    )


def _is_taken(response: Response, video: RemoteVideo) -> bool:
    """Is that id a job that the gateway took? The id of an error alone is its request's."""
    if not video.id:
        return False
    if video.phase == "failed" and video.whole:
        return True  # quirk 4: a failed job comes with a 4xx or 5xx
    wrong = says_error(response)
    if response.status < 300:
        return bool(video.status) or not wrong
    return video.whole and video.phase != "failed" and not wrong


def _just_created(video: RemoteVideo) -> RemoteVideo:
    """A "success" around nothing but an id is the call's, and no video that waits to be fetched."""
    shown = video.whole or bool(video.url) or video.progress == 100
    return video if shown or video.phase != "done" else replace(video, phase="waiting")


def _may_be_alive(response: Response, video: RemoteVideo, no: RequestRejectedError | None) -> bool:
    """An id beside an error: nothing that may be bought again by itself where it is shown as alive, where nothing but
    a code speaks against it, or where it is a job's and what stands against it may pass."""
    shown = video.phase != "failed" and bool(video.status or video.whole)
    open_end = response.status < 300 or no is None or no.transient
    return bool(video.id) and (shown or (response.status < 300 and not denies(response)) or (video.named and open_end))


def read_status(response: Response, video_id: str, *, accepted: bool = False) -> RemoteVideo:
    """The job's state from the response to retrieve. GatewayError where the response does not tell it; `accepted` as in
    `trouble`."""
    video = read_video(response)
    if video is not None and _tells_state(video, response, video_id):
        return replace(video, id=video.id or video_id)
    if (ended := read_ended(response)) is not None:
        return replace(ended, id=video_id)  # the id inside is the upstream's
    found = trouble(response, read_complaint(response), "asked for the job's state", accepted=accepted)
    if found.is_unknown_job or response.status == 410:
        raise found.changed(hint=_NOT_KNOWN)
    raise found


def read_reason(response: Response) -> GatewayErrorBody | None:
    """Why a job ended, from the content call of a job that has no video; None where that speaks of something else."""
    complaint = read_complaint(response)
    if complaint is None or not (response.status == 422 or STATUS_IN_WORDS in complaint.message.lower()):
        return None
    # Its codes are those of the call: that it asked for what is not there.
    return GatewayErrorBody(complaint.message, (), complaint.request_id)


def read_list(response: Response) -> list[RemoteVideo]:
    """The jobs that the gateway lists, as far as they can be read. GatewayError where the response is no list."""
    value = response.json()
    rows = value.get("data") if isinstance(value, dict) else value
    rows = rows.get("data") if isinstance(rows, dict) else rows  # quirk 2: wrapped once more
    if response.status >= 300 or not isinstance(rows, list):
        raise trouble(response, read_complaint(response), "asked for its list of jobs")
    found = [video_in(row, Response(200, {}, b"", response.url)) for row in rows]
    return [video for video in found if video is not None and video.id]


def trouble(
    response: Response, complaint: GatewayErrorBody | None, doing: str, *, accepted: bool = False
) -> GatewayError:
    """What a status or content call failed with. A bad key or an unknown id will not pass by itself, unless the key was
    `accepted` before: then it is a gateway that is being changed, or something in between, such as a firewall."""
    code = complaint.code if complaint else ""
    said = f": {complaint.message.rstrip('.')}" if complaint and complaint.message else ""
    # Right after create an id can be unknown for a moment (quirk 5), so 400 and 404 are asked again for a while.
    permanent = response.status in (401, 402, 403, 405, 410) and not _is_saturated(response, complaint)
    passes = permanent and accepted and (response.status in (401, 402, 403) or _is_page(response))
    permanent = permanent and not passes
    hint = ADVICE.get(code.lower(), ADVICE_BY_STATUS.get(response.status, "The job goes on there; run again later."))
    return GatewayError(
        f"The gateway answered HTTP {response.status} when {doing}{said}.",
        hint=f"The key was accepted before, so it is asked again. If this stays: {hint}" if passes else hint,
        transient=not permanent,
        retry_after_s=_pace_s(response),
        http_status=response.status,
        request_id=request_id(response, complaint.message if complaint else ""),
        code=code,
    )


def refusal(response: Response, complaint: GatewayErrorBody | None) -> RequestRejectedError:
    """The gateway's no, in its own words, with what to do about it."""
    code = complaint.code if complaint else ""
    said = complaint.message if complaint and complaint.message else "it gave no reason"
    if 300 <= response.status < 400:
        said = "it wants to be asked at another address"
    hint = ADVICE_BY_STATUS.get(404 if 300 <= response.status < 400 else response.status, ADVICE_BY_STATUS[400])
    codes = [known_code(name).lower() for name in (*(complaint.codes if complaint else ()), code)]
    named = [ADVICE[name] for name in codes if name in ADVICE]
    lasting = any(name in LASTING for name in codes)
    return RequestRejectedError(
        f"The gateway refused (HTTP {response.status}{f', {code}' if code else ''}): {said}".rstrip(".") + ".",
        transient=not lasting and (response.status == 429 or _is_saturated(response, complaint)),
        retry_after_s=_pace_s(response),
        http_status=response.status,
        hint=named[-1] if named else hint,
        request_id=request_id(response, said),
        code=code or str(response.status),
    )


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """The pace that the gateway asks for, in seconds, from whichever header carries it; None where none does."""
    for name in PACE_MS_HEADERS:
        if (value := number(headers.get(name))) is not None:
            return max(0.0, value / 1000)
    for name in PACE_HEADERS:
        text = headers.get(name, "")
        if (value := number(text)) is not None:
            return max(0.0, value)
        if text:
            try:
                return max(0.0, parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now))
            except (ValueError, OverflowError):
                continue
    return None


def _pace_s(response: Response) -> float | None:
    """The same, also from the body, where a few gateways write it."""
    if (told := retry_after_s(response.headers)) is not None:
        return told
    paces = [number(level.get(key)) for level in levels(response.json()) for key in PACE_KEYS]
    return next((max(0.0, pace) for pace in paces if pace is not None), None)


def _tells_state(video: RemoteVideo, response: Response, video_id: str) -> bool:
    """Is this the job's own state, or only the failure of the call, which also says "status": "error"?"""
    if video.phase != "failed":
        return response.status < 300 and (bool(video.status) or not says_error(response))
    if response.status >= 300 or video.status in WORDS_OF_CALLS:
        return bool(video.id) and (video.id == video_id or video.whole)
    # A bare "failed" is the job's, which was asked for; not beside what denies the call.
    return bool(video.id) or video.complaint is not None or not says_error(response)


def _is_refusal(response: Response, video: RemoteVideo | None, complaint: GatewayErrorBody | None) -> bool:
    """Is it a readable no?"""
    # 303 leads to what was made; 408, 499 and 504 come from something in between that gave up waiting.
    codes = {code.lower() for code in complaint.codes} if complaint else set()
    if response.status in (303, 408, 499, 504) or codes & PERHAPS_TAKEN:
        return False
    if response.status < 300:  # quirk 3: HTTP 200 with an error and no id
        if video is not None and not video.id and phase_of(video.status) is not None:
            return complaint is not None and (
                video.phase == "failed" or (video.phase == "done" and says_error(response))
            )
        return says_error(response)
    # The innermost code decides; a type is only the family of the error, and stands over broken upstreams, too.
    if response.status < 500 or complaint is None:
        return response.status < 500
    return _exact(complaint) in REFUSALS_AS_5XX or (response.status == 503 and _has_no_channel(complaint))


def _is_page(response: Response) -> bool:
    return response.body.lstrip()[:1] == b"<"


def _has_no_channel(complaint: GatewayErrorBody) -> bool:
    """Does a gateway say, without a code, that it offers no such model (quirk 5)? Not after a retry: what it sent on
    before may have been taken."""
    text = complaint.message.lower()
    return not _exact(complaint) and "retry" not in text and any(words in text for words in NO_CHANNEL)


def _is_saturated(response: Response, complaint: GatewayErrorBody | None) -> bool:
    if complaint is None:
        return False
    codes = (*complaint.codes, complaint.code) if response.status < 500 else (_exact(complaint),)
    return bool(SATURATED & {code.lower() for code in codes})


def _exact(complaint: GatewayErrorBody) -> str:
    """The innermost code that is a word."""
    return next((code.lower() for code in reversed(complaint.exact) if not code.isdigit()), "")
