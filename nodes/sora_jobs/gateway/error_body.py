"""What an error of a gateway says, whatever it is wrapped in (docs/gateway.md, quirks 2-6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..util.bounded_read import read_json
from ..util.redact import redact_registered
from .vocabulary import (
    ALL_IS_WELL,
    LASTING,
    REQUEST_ID_HEADERS,
    SATURATED,
    TEXTS,
    TEXTS_BESIDE_CODES,
    VAGUE,
    known_code,
)

DEEPEST_WRAPPING = 6  # levels of wrapping that are looked through; real ones nest three deep
LONGEST_MESSAGE = 600  # characters of a gateway's own words that are passed on

_REQUEST_ID = re.compile(r"\(?request[ _-]?id:?\s*([\w-]{6,128})\)?", re.IGNORECASE)
_WORDS_OF_SUCCESS = ALL_IS_WELL - {""}
_ERROR_KEYS = ("error", "errors")
_MESSAGE_KEYS = ("message", "error", "detail", "msg", "fail_reason")
_PARTS_OF_A_REQUEST = ("body", "query", "path", "header", "cookie")  # with which FastAPI's `loc` begins
_MOST_FIELDS = 4  # of which a message names what is wrong with them
_INNER_KEYS = ("error", "detail", "data", "message", "msg", "fail_reason")


@dataclass(frozen=True)
class Response:
    """A whole HTTP response: `headers` has lower-case names, `url` is that of the request, "" if not needed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    def json(self) -> Any:
        """The body as JSON, or None where it is none (HTML, cut, too deep)."""
        try:
            return read_json(self.body)
        except UnicodeDecodeError:
            # An echoed prompt that was cut inside a letter: the id beside it is worth money.
            return _json(self.body.decode("utf-8", "replace"))
        except ValueError:
            return None


@dataclass(frozen=True)
class GatewayErrorBody:
    """An error in a gateway's own words: every code on the way in, outermost first, and the innermost message.

    `codes` has families of errors (`type`) as well, `exact` only what stood under `code`.
    """

    message: str
    codes: tuple[str, ...]
    request_id: str
    exact: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The code that says most: the innermost that is not a bare number, unless none says anything and the text
        does. A gateway that gives a code means it, whatever its text speaks of."""
        text = self.message.lower()
        said = {known_code(code).lower() for code in self.codes}
        beside = (meant for (code, words), meant in TEXTS_BESIDE_CODES.items() if code in said and words in text)
        if meant := next(beside, ""):
            return meant
        telling = any(not code.isdigit() and code.lower() not in VAGUE for code in self.exact)
        if not telling and not said & {*LASTING, *SATURATED}:
            meant = next((meant for words, meant in TEXTS.items() if words in text), "")
        named = [code for code in self.codes if not code.isdigit()]
        return meant or known_code((named or list(self.codes) or [""])[-1])


def read_complaint(response: Response) -> GatewayErrorBody | None:
    """The error that a response carries, or None where it carries none that can be read."""
    found = _complaint(response.json(), response)
    says = found.message and not found.message.isdigit()
    return found if says or any(not code.isdigit() for code in found.codes) else None


def complaint_in(value: Any) -> GatewayErrorBody | None:
    """The same for a piece of JSON, such as the `error` of a failed job; text counts as a message."""
    found = _complaint({"error": value}, Response(0, {}, b""))
    return found if found.message or found.codes else None


def _complaint(value: Any, response: Response) -> GatewayErrorBody:
    codes: list[str] = []
    exact: list[str] = []
    message = whole = listed = ""
    for level in levels(value):
        codes += [text for key in ("type", "code") if (text := _word(level.get(key))).lower() not in ALL_IS_WELL]
        exact += [text for text in [_word(level.get("code"))] if text.lower() not in ALL_IS_WELL]
        message = _message(level) or message
        whole = whole or next(filter(None, _texts(level)), "")
        listed = "; ".join(filter(None, map(_message, _fields(level)))) or listed
    message = listed or message or whole  # JSON inside a text may have no message of its own
    # Where a code of ours stands for the gateway's, its support wants to know its own all the same.
    own = next((code for code in reversed(codes) if known_code(code) != code and code not in message), "")
    message = ": ".join(filter(None, (own, message)))
    return GatewayErrorBody(_short(message), tuple(codes), request_id(response, message), tuple(exact))


def _fields(level: dict[str, Any]) -> list[Any]:
    """What a level says of single fields of the request, as one entry each: FastAPI's `detail`, Zod's `issues`, and
    `errors`, which is a list, or a table of lists of texts by the names of the fields."""
    for key in ("detail", "issues", "errors"):
        listed = level.get(key)
        if isinstance(listed, dict) and key == "errors":
            by_name = [(name, said) for name, said in listed.items() if isinstance(said, list)]
            listed = [{"field": name, "message": text} for name, said in by_name for text in said[:_MOST_FIELDS]]
        if isinstance(listed, list) and listed and (len(listed) > 1 or key != "detail"):
            return listed[:_MOST_FIELDS]
    return []


def _message(level: Any) -> str:
    """What one level says in words, with the field of the request that it means: FastAPI's `loc`, Zod's `path`,
    OpenAI's `param`, and `field`."""
    if isinstance(level, str):
        level = {"message": level}
    if not isinstance(level, dict):
        return ""
    text = next((text for text in _texts(level) if text and _json_inside(text) is None), "")
    lists = [level[key] for key in ("loc", "path") if isinstance(level.get(key), list)]
    place = lists[0] if lists else [level.get("param") or level.get("field")]
    inside = place[1:] if len(place) > 1 and place[0] in _PARTS_OF_A_REQUEST else place
    field = ".".join(filter(None, map(_word, inside)))
    # Some write "None" or a status for it, and most name it in the text.
    known = field.lower() in ALL_IS_WELL or field.isdigit() or re.search(rf"\b{re.escape(field)}\b", text)
    return text if known or not text else f"{field}: {text}"


def _texts(level: dict[str, Any]) -> list[str]:
    return [clean(level[key]).strip() for key in _MESSAGE_KEYS if isinstance(level.get(key), str)]


def says_error(response: Response) -> bool:
    """Does the response itself say that something went wrong? Its HTTP status is another matter, and so is a `message`,
    which gateways also write to say that all went well (quirk 2)."""
    found = list(levels(response.json()))
    return any(_denies(level) or not _is_empty(level.get("detail")) or _has_code(level) for level in found)


def denies(response: Response) -> bool:
    """The same, said outright: with an error, and not only with a code or a detail that looks like one's."""
    return any(_denies(level) for level in levels(response.json()))


def _denies(level: dict[str, Any]) -> bool:
    return level.get("success") is False or any(not _is_empty(level.get(key)) for key in _ERROR_KEYS)


def _has_code(level: dict[str, Any]) -> bool:
    if any(_word(level.get(key)).lower() in _WORDS_OF_SUCCESS for key in ("message", "msg")):
        return False
    code = _word(level.get("code")).lower()
    # Of bare numbers only those of HTTP errors and above: 1 and 22 mean "taken" at some.
    return int(code) >= 400 if code.isdecimal() else code not in ALL_IS_WELL


def _is_empty(value: Any) -> bool:
    """None, nothing, a word that all is well, or fields and lists with nothing else in them."""
    if isinstance(value, dict | list):
        return all(map(_is_empty, value.values() if isinstance(value, dict) else value))
    return value in (None, "", False) or _word(value).lower() in _WORDS_OF_SUCCESS


def request_id(response: Response, message: str = "") -> str:
    """The gateway's own number for the call, which its support asks for; "" where there is none."""
    for name in REQUEST_ID_HEADERS:
        if value := response.headers.get(name, ""):
            return re.sub(r"[^\w.:-]", "", clean(value))[:128]
    if match := _REQUEST_ID.search(message):
        return match[1]
    told = [_word(level.get(key)) for level in levels(response.json()) for key in ("request_id", "requestId")]
    return next((text for text in told if re.fullmatch(r"[\w.:-]{6,100}", text)), "")


def levels(value: Any) -> Iterator[dict[str, Any]]:
    """The dictionaries from the outermost in, through `error`, `data`, `detail` and JSON written inside a message."""
    for _ in range(DEEPEST_WRAPPING):
        if isinstance(value, str):
            value = _json_inside(value)
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return
        yield value
        inner = [value[key] for key in _INNER_KEYS if value.get(key)]
        value = next((item for item in inner if isinstance(item, dict | list) or _json_inside(item) is not None), None)


def clean(text: str) -> str:
    """`text` without what JSON can say and no terminal, database or address takes; nor with our key, which some echo:
    what a gateway says is written down and shown."""
    return redact_registered(text.encode("utf-8", "replace").decode().replace("\0", ""))


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _json_inside(text: Any) -> Any:
    """The first JSON object in a text, whatever stands around it; None where there is none, or an empty one."""
    if not isinstance(text, str) or "{" not in text:
        return None
    try:
        start = text.index("{")
        return read_json(text[start : json.JSONDecoder().raw_decode(text, start)[1]]) or None
    except (ValueError, RecursionError):
        return None


def _word(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value)).strip()[:100]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
