"""What an error of a gateway says, whatever it is wrapped in (facts: gateway.md, section 4, quirks 2-6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 6  # levels of wrapping that are looked through; real ones nest three deep
LONGEST_MESSAGE = 600  # characters of a gateway's own words that are passed on

_REQUEST_ID = re.compile(r"\(?request[ _-]?id:?\s*([\w-]{6,128})\)?", re.IGNORECASE)
# What gateways write where nothing is wrong, in `code` and in `message`.
_ALL_IS_WELL = {"", "0", "success", "succeed", "succeeded", "successful", "ok", "accepted", "created", "none", "null"}
_ERROR_KEYS = ("error", "errors", "detail")
_REQUEST_ID_HEADERS = ("x-request-id", "x-oneapi-request-id", "request-id", "cf-ray")


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer: `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, or None where it is none (HTML, cut, too deep)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Complaint:
    """An error in a gateway's own words: every code on the way in, outermost first, and the innermost message.

    `codes` has families of errors (`type`) as well, `exact` only what stood under `code`.
    """

    message: str
    codes: tuple[str, ...]
    request_id: str
    exact: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The code that says most: the innermost that is not a bare number."""
        named = [code for code in self.codes if not code.isdigit()]
        return (named or list(self.codes) or [""])[-1]


def read_complaint(answer: Answer) -> Complaint | None:
    """The error that an answer carries, or None where it carries none that can be read."""
    value = answer.json()
    codes: list[str] = []
    exact: list[str] = []
    message = ""
    for level in _levels(value):
        codes += [text for key in ("type", "code") if (text := _word(level.get(key))).lower() not in _ALL_IS_WELL]
        exact += [text for text in [_word(level.get("code"))] if text.lower() not in _ALL_IS_WELL]
        message = _message(level) or message
    if not message and not any(not code.isdigit() for code in codes):
        return None
    return Complaint(_short(message), tuple(codes), request_id(answer, message), tuple(exact))


def says_error(answer: Answer) -> bool:
    """Does the answer itself say that something went wrong? Its HTTP status is another matter, and so is a `message`,
    which gateways also write to say that all went well (quirk 2)."""
    return any(_is_error(level) for level in _levels(answer.json()))


def _is_error(level: dict[str, Any]) -> bool:
    if level.get("success") is False or any(level.get(key) not in (None, "", {}, [], False) for key in _ERROR_KEYS):
        return True
    if _word(level.get("message")).lower() in _ALL_IS_WELL - {""}:
        return False
    code = _word(level.get("code")).lower()
    # Of bare numbers only those of HTTP errors and above: 1 and 22 mean "taken" at some.
    return int(code) >= 400 if code.isdecimal() else code not in _ALL_IS_WELL


def complaint_in(value: Any) -> Complaint | None:
    """The same for a piece of JSON, such as the `error` of a failed job; text counts as a message."""
    if value in (None, "", {}, []):
        return None
    return read_complaint(Answer(0, {}, json.dumps({"error": value}).encode()))


def request_id(answer: Answer, message: str = "") -> str:
    """The gateway's own number for the call, which its support asks for; "" where there is none."""
    for name in _REQUEST_ID_HEADERS:
        if value := answer.headers.get(name, ""):
            return re.sub(r"[^\w.:-]", "", value)[:128]
    match = _REQUEST_ID.search(message)
    return match[1] if match else ""


def _levels(value: Any) -> Iterator[dict[str, Any]]:
    """The dictionaries from the outermost in, through `error`, `data`, `detail` and JSON written inside a message."""
    for _ in range(DEEPEST):
        if isinstance(value, str):
            value = _json_inside(value)
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return
        yield value
        inner = [value[key] for key in ("error", "detail", "data", "message") if key in value]
        value = next((item for item in inner if isinstance(item, dict | list) or _json_inside(item) is not None), None)


def _json_inside(text: Any) -> Any:
    if not isinstance(text, str) or "{" not in text:
        return None
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None


def _message(level: dict[str, Any]) -> str:
    for key in ("message", "error", "detail", "msg", "fail_reason"):
        text = level.get(key)
        if isinstance(text, str) and text.strip() and _json_inside(text) is None:
            return text.strip()
    return ""


def _word(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()[:100]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
