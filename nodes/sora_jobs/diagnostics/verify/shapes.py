"""The shape of a body: the names of its fields with the kinds of their values, and no value but states and codes."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection
from typing import Any

from ...gateway.error_body import Response, levels
from ...gateway.vocabulary import STATE_KEYS, STATUS_IN_WORDS, TEXTS
from ...util.addresses import is_unambiguous_url
from .private import Private

DEEPEST, MOST_FIELDS, MOST_ITEMS = 8, 60, 20  # levels, fields of one level, items of a list that are looked at
WORDS = (*STATE_KEYS, "object", "type", "code")  # fields whose value is a word of the API's own
LARGEST_CODE = 100_000  # a number under `code`, such as an HTTP status
MOMENTS = (1e9, 1e11)  # seconds since 1970, from 2001 on; beyond them milliseconds
INSIDE = "(text around JSON)"  # stands for a text that has JSON in it, and is no name of a field
PHRASES = (*TEXTS, STATUS_IN_WORDS)  # words that our readers look for in a text

Shape = str | list[Any] | dict[str, Any]


def shape_of(response: Response, private: Private, ids: Collection[str]) -> Shape:
    """The shape of a body that was read: JSON, else "a web page", "nothing" or "no JSON". `ids` are the jobs'."""
    value = response.json()
    if value is None and response.body.strip() != b"null":
        start = response.body.lstrip()[:1]
        return "nothing" if not start else "a web page" if start == b"<" else "no JSON"
    return shape(value, private, ids)


def shape(value: Any, private: Private, ids: Collection[str], name: str = "", depth: int = DEEPEST) -> Shape:
    """The same for a piece of JSON, which stands under `name`."""
    if isinstance(value, dict):
        return _of_fields(value, private, ids, depth) if depth else "fields"
    if isinstance(value, list):
        items = [shape(item, private, ids, name, depth - 1) for item in value[:MOST_ITEMS]] if depth else []
        return [functools.reduce(merged, items)] if items else []
    if isinstance(value, str):
        inside = next(levels(value), None) if depth else None
        return {INSIDE: _of_fields(inside, private, ids, depth - 1)} if inside else _of_text(value, private, ids, name)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true or false"
    return _of_number(value, name)


def _of_fields(value: dict[str, Any], private: Private, ids: Collection[str], depth: int) -> Shape:
    found: dict[str, Any] = {}
    for key, item in list(value.items())[:MOST_FIELDS]:
        shown, inner = private.key(key), shape(item, private, ids, key, depth - 1)
        found[shown] = merged(found[shown], inner) if shown in found else inner
    return found


def merged(one: Shape, other: Shape) -> Shape:
    """What both may be: the fields of both, the kinds of both."""
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return {
            name: merged(one[name], other[name]) if name in one and name in other else one.get(name, other.get(name))
            for name in names
        }
    if isinstance(one, list) and isinstance(other, list):
        return [merged(one[0], other[0])] if one and other else one or other
    kinds = [text for item in (one, other) for text in (item if isinstance(item, str) else _short(item)).split(" | ")]
    return " | ".join(dict.fromkeys(kinds))


def _short(item: Shape) -> str:
    return "list" if isinstance(item, list) else "fields"


def _of_text(text: str, private: Private, ids: Collection[str], name: str) -> str:
    kinds = {
        "text, empty": not text,
        "id": text in ids,
        "address": is_unambiguous_url(text.strip()),
        "text, a number": re.fullmatch(r"\s*-?[0-9]{1,15}(\.[0-9]{1,15})?\s*", text),
        "text, a percentage": re.fullmatch(r"\s*[0-9]{1,3}(\.[0-9]+)?\s*%\s*", text),
        "text, WxH": re.fullmatch(r"[0-9]{2,5}x[0-9]{2,5}", text),
        "text, a ratio": re.fullmatch(r"[0-9]{1,2}[x:][0-9]{1,2}", text),
        "text, a date": re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", text),
    }
    known = next((kind for kind, fits in kinds.items() if fits), "")
    if name in WORDS and known in ("", "text, a number"):
        word = private.word(text)
        return f"word {word}" if word else known or "text"
    phrase = next((phrase for phrase in PHRASES if phrase in text.lower()), "")
    return known or (f"text with {phrase}" if phrase else "text")


def _of_number(value: float, name: str) -> str:
    if not math.isfinite(value):
        return "number"
    if name in WORDS and value == int(value) and abs(value) < LARGEST_CODE:
        return f"number {int(value)}"
    kind = "whole number" if value == int(value) else "number"
    if value < MOMENTS[0]:
        return kind
    return f"{kind}, a moment" if value < MOMENTS[1] else f"{kind}, a moment in milliseconds"
