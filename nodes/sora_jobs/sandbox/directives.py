"""Misbehaving on purpose: `[sandbox: slow=30, cut=1]` in a prompt, one meaning a line."""

from __future__ import annotations

import json
import re

from .validation import Refusal

# name -> (status, message, code) in which real gateways send it (docs/gateway.md)
REFUSALS: dict[str, tuple[int, str, str | None]] = {
    "moderation": (
        400,
        "Your request was blocked by our moderation system when checking inputs. "
        "Possible reasons: people-in-user-uploads",
        None,
    ),
    "quota": (403, "The account has no balance left.", "insufficient_user_quota"),
    "saturated": (
        403,
        json.dumps({"error": {"code": "upstream_load_saturated", "message": "The upstream is saturated."}}),
        "",
    ),
    "key": (401, "Incorrect API key provided.", "invalid_api_key"),
    "model_not_found": (503, "No available channel for this model.", "model_not_found"),
    "server_error": (500, "The server had an error.", None),
    "rate_limit": (429, "Rate limit reached.", "rate_limit_exceeded"),
}

# name -> (what it does, whether it wants a value)
DIRECTIVES: dict[str, tuple[str, bool]] = {
    "fail": ("fail=CODE: the job ends as failed with that error code, such as moderation_blocked", True),
    "refuse": (f"refuse=WHY: no create; {', '.join(REFUSALS)}", True),
    "429": ("429=N: create is refused N times for too many requests, then accepted", True),
    "lost_answer": ("lost_answer: create is done, but the connection closes without an answer", False),
    "broken_answer": ("broken_answer: create is done, but the answer is a bare HTTP 502", False),
    "slow": ("slow=SECONDS: rendering takes that long", True),
    "stuck": ("stuck: rendering stays at 99 % for ever", False),
    "word": ("word=STATUS: while rendering, the status is that unknown word", True),
    "wrapped": ("wrapped: polls get the video object inside {code, message, data}", False),
    "html": ("html=N: the first N looks at the job get an HTML page with HTTP 200", True),
    "notready": ("notready=N: the first N downloads after completion get HTTP 404", True),
    "cut": ("cut=N: the first N downloads break off in the middle", True),
    "bad_mp4": ("bad_mp4=N: the first N downloads get a JSON error with HTTP 200", True),
    "url": ("url: the finished video object carries video_url, and /content answers 404", False),
    "redirect": ("redirect: /content sends on to another address, which wants no key", False),
    "expired": ("expired: the video's link has lapsed as soon as it is finished", False),
    "silent": ("silent: the video has no sound", False),
}
TIMES = ("429", "html", "notready", "cut", "bad_mp4")

_BRACKET = re.compile(r"\[sandbox:([^\]]*)\]", re.IGNORECASE)


def parse(prompt: str) -> tuple[str, dict[str, str]]:
    """(the prompt without its brackets, the directives). Refusal (HTTP 400) lists the known ones for an unknown one."""
    found: dict[str, str] = {}
    for bracket in _BRACKET.findall(prompt):
        for item in filter(None, (part.strip() for part in bracket.split(","))):
            name, _, value = (part.strip() for part in item.partition("="))
            if name not in DIRECTIVES or (DIRECTIVES[name][1] and not value):
                known = ", ".join(text.split(":")[0] for text, _ in DIRECTIVES.values())
                raise _unclear(f"The sandbox knows no directive {item!r}. It knows: {known}.")
            if name in TIMES and not re.fullmatch(r"[0-9]{1,5}", value):
                raise _unclear(f"The directive {item!r} wants a whole number.")
            if name == "slow" and not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", value):
                raise _unclear(f"The directive {item!r} wants a number of seconds.")
            if name == "refuse" and value not in REFUSALS:
                raise _unclear(f"The sandbox refuses with: {', '.join(REFUSALS)}.")
            found[name] = value
    return " ".join(_BRACKET.sub(" ", prompt).split()), found


def refused_on_purpose(why: str) -> Refusal:
    """The refusal of that name."""
    status, message, code = REFUSALS[why]
    return Refusal(status, message, code=code)


def describe_directives() -> str:
    """All directives, a line each."""
    return "\n".join(f"  {text}" for text, _ in DIRECTIVES.values())


def _unclear(message: str) -> Refusal:
    return Refusal(400, message, param="prompt", code="invalid_value", local=True)
