"""What a failure means, in plain words (messages.toml).

`str(error)` gives it in English; where it is shown, in the language of `error.changed(language=…)`. Which kind of
failure it is, is decided by the error's class, code and HTTP status, never by its text; where a gateway gives only
text, responses.py has made a code of it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

Charge = Literal["none", "possible", "charged"]

LANGUAGES = ("en", "vi", "zh")
# Read at import (about 10 ms): an error's text is also wanted where no file can be opened any more.
_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("messages.toml").read_text(encoding="utf-8"))

# What to do about an uncertain purchase, and about a job that goes on at the gateway. The labels are those of
# js/words.en.mjs.
RECONCILE_HINT = (
    "It is not sent again by itself. Open the job in the tab *Sora jobs*: *Look in the gateway's list* finds it where "
    "the gateway has a list; else look into its list of tasks, then *Use this id* or *Declare it lost*. In a shell: "
    "`sora resume JOB --video-id ID` if it is there, `sora resume JOB --lost` if not (without an installed `sora`: "
    "ComfyUI's Python runs the file sora.py in the pack's folder)."
)
RESUME_HINT = (
    "The job goes on at the gateway: run the same again to take it up. The tab *Sora jobs* shows how far it is; in a "
    "shell: `sora resume JOB`."
)
STILL_THERE_HINT = (
    "It goes on at its provider, and its video is fetched: the tab *Sora jobs* shows how far it is; in a shell: "
    "`sora resume JOB`."
)

_BY_CODE = {
    **dict.fromkeys(("moderation_blocked", "content_policy_violation", "prompt_unsafe"), "moderation_create"),
    "output_moderated": "moderation_output",
    **dict.fromkeys(("model_not_found", "model_retired"), "model_gone"),
    **dict.fromkeys(
        ("insufficient_user_quota", "insufficient_quota", "pre_consume_token_quota_failed", "billing_not_active"),
        "no_balance",
    ),
    # The last is LiteLLM's answer to a key that it does not know, where it has no database of keys.
    **dict.fromkeys(("invalid_api_key", "authentication_error", "no_db_connection"), "bad_key"),
    "account_not_verified": "unverified",
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error", "too_many_requests", "throttling_error"), "rate_limit"),
    **dict.fromkeys(("upstream_load_saturated", "saturated", "video_queue_full"), "saturated"),
    "wrong_reference": "wrong_reference",
    "task_not_exist": "not_known",
    "lapsed": "link_lapsed",
    "file_in_use": "file_in_use",
    "disk_full": "disk_full",
    "ledger_in_use": "ledger_in_use",
    "ledger_full": "disk_full",
    "ledger_denied": "ledger_denied",
    "ledger_damaged": "ledger_damaged",
    "network": "network",
    "proxy": "proxy",
    "socks": "socks",
    "tls": "tls",
    "unsupported_library": "unsupported_library",
}  # fmt: skip
# Codes of jobs that wait here to be sent. Of a job that it has, a provider means something else by them.
_UNSENT = {"cancelled": "cancelled", "not_sent_yet": "not_sent", "already_sent": "already_sent"}
_BY_STATUS = {
    401: "bad_key", 402: "no_balance", 403: "not_allowed", 404: "wrong_address", 405: "wrong_address",
    413: "wrong_reference", 429: "rate_limit",
}  # fmt: skip
_ABOUT_A_JOB = {400: "not_known", 404: "not_known", 410: "not_known"}  # where a job was asked about, and not for one
_STATUSES = {str(status) for status in range(300, 600)}
_CAUSES = (
    "bad_key",
    "model_gone",
    "no_balance",
    "rate_limit",
    "saturated",
    "unverified",
    "wrong_reference",
)  # of an end
_SAY_IT_ALL = ("network", "socks", "cancelled")  # whose messages are the engine's own, whatever their class
_WANT_A_LEAD = ("proxy", "tls", "moderation_job", "moderation_output")  # which the engine's own sentences do not name


class Failure(Protocol):
    """What this module reads of an error."""

    class_kind: ClassVar[str]
    fixes_kind: ClassVar[bool]
    quotes_gateway: ClassVar[bool]
    is_of_create: ClassVar[bool]
    ends_job: ClassVar[bool]
    mentions_charge: ClassVar[bool]
    message: str
    hint: str
    job: str
    request_id: str
    code: str
    charge: Charge
    language: str


def kind_of(error: Failure) -> str:
    """The table in messages.toml that speaks of this failure."""
    by_code = _BY_CODE.get(error.code.lower(), "")
    if error.is_of_create or not error.quotes_gateway:
        by_code = by_code or _UNSENT.get(error.code, "")
    if error.ends_job:  # whatever ended it, running the same again does not
        return {"moderation_create": "moderation_job", "moderation_output": by_code}.get(by_code, error.class_kind)
    if error.fixes_kind:
        return error.class_kind
    left = "wrong_input" if error.is_of_create and _status(error) < 500 else "gateway_broken"
    by_status = (_by_status(error) or left) if error.quotes_gateway else ""
    return by_code or error.class_kind or by_status or "unknown"


def _by_status(error: Failure) -> str:
    status = _status(error)
    if 300 <= status < 400:
        return "wrong_address"
    return ("" if error.is_of_create else _ABOUT_A_JOB.get(status, "")) or _BY_STATUS.get(status, "")


def _status(error: Failure) -> int:
    """The gateway's HTTP status; of a refusal in the ledger only the code is left, which is the status where there was
    no code."""
    return getattr(error, "http_status", None) or (int(error.code) if error.code in _STATUSES else 0)


def text_of(error: Failure) -> str:
    """What happened, what became of the money, what to do, and the names that support asks for, in the error's
    language."""
    tongue = _known(error.language)
    kind = kind_of(error)
    words = _WORDS["kind"][kind]
    charge = _WORDS["charge"][error.charge][tongue] if _mentions_charge(error) else ""
    names = _names(error, tongue)
    if tongue == "en":
        # The engine's own sentences are English, and say more than the table: the place, the sum, the command.
        wants_a_lead = error.quotes_gateway or kind in _WANT_A_LEAD
        lead = words["what"]["en"] if wants_a_lead and kind not in _SAY_IT_ALL else ""
        parts = [
            lead,
            error.message,
            _words_of(_cause(error), tongue),
            charge,
            _filled(error.hint or _own(kind, words), error),
            names,
        ]
    else:  # which therefore follow what the table says, so that no fact is lost
        whole = [_WORDS["labels"]["in_full"][tongue], error.message, _filled(error.hint, error)]
        parts = [
            words["what"][tongue],
            _words_of(_cause(error), tongue),
            charge,
            _filled(words["do"][tongue], error),
            *whole,
            names,
        ]
    return " ".join(part for part in parts if part)


def values_of(error: Failure) -> dict[str, str]:
    """Of what, beside its kind, the text of an error is made in another language than English; js/words.mjs does the
    same for ComfyUI's page. "" for what it does not have."""
    return {
        "cause": _cause(error),
        "charge": error.charge if _mentions_charge(error) else "",
        "message": error.message,
        "hint": _filled(error.hint, error),
        "job": error.job,
        "request_id": error.request_id,
    }


def warning_of(name: str, language: str, **facts: str) -> str:
    """A sentence of messages.toml's table of warnings, with the facts in it."""
    return str(_WORDS["warnings"][name][_known(language)]).format(**facts)


def _mentions_charge(error: Failure) -> bool:
    return error.mentions_charge or bool(error.job)


def _cause(error: Failure) -> str:
    """The kind of what ended a job, where its code tells that: a limit, the balance, the key."""
    by_code = _BY_CODE.get(error.code.lower(), "") if error.ends_job else ""
    return by_code if by_code in _CAUSES else ""


def _words_of(kind: str, tongue: str) -> str:
    return str(_WORDS["kind"][kind]["what"][tongue]) if kind else ""


def _own(kind: str, words: dict[str, dict[str, str]]) -> str:
    """The table's advice, where the error brings none; an error that has no name of its own says all there is."""
    return "" if kind in ("unknown", "wrong_choice") else words["do"]["en"]


def _filled(hint: str, error: Failure) -> str:
    return hint.replace("{job}", error.job or "JOB")


def _names(error: Failure, tongue: str) -> str:
    labels = _WORDS["labels"]
    pairs = (("job", error.job), ("request", error.request_id))
    named = ", ".join(f"{labels[label][tongue]} {value}" for label, value in pairs if value)
    return f"({named})" if named else ""


def _known(language: str) -> str:
    return language if language in LANGUAGES else "en"
