"""Rows of the table of quirks from a report of `sora verify`: bytes of the same shape, and what the readers made of the
real ones. Whoever passes a report on gives a row away, and neither a key nor a prompt."""

from __future__ import annotations

import json
from typing import Any

from sora_jobs import errors
from sora_jobs.diagnostics.verify.shapes import INSIDE

from .rows import ASKED, NO_ADDRESS, Expected, Row, job, row

CALLS = {"create": "create", "remix": "create", "retrieve": "retrieve", "list": "list"}
URL = "https://cdn.example/a.mp4"
VALUES: dict[str, Any] = {
    "id": ASKED, "address": URL, "text": "a text", "text, empty": "", "text, a number": "4",
    "text, a percentage": "45%", "text, WxH": "1280x720", "text, a ratio": "16x9",
    "text, a date": "2026-11-29T00:00:00Z", "null": None, "true or false": False, "whole number": 1,
    "number": 1.5, "whole number, a moment": 1_788_400_582, "number, a moment": 1_788_400_582.5,
    "whole number, a moment in milliseconds": 1_788_400_582_000, "list": [], "fields": {},
}  # fmt: skip
BODIES = {"nothing": b"", "a web page": b"<html></html>", "no JSON": b"not JSON"}


def rows_of(report: dict[str, Any]) -> list[Row]:
    """A row for each exchange whose body was read as a whole, and of which the readers make something."""
    return [_row(report, call) for call in report["calls"] if call["call"] in CALLS and call["read_as"]]


def _row(report: dict[str, Any], call: dict[str, Any]) -> Row:
    read, body = call["read_as"], call["body"]
    data = BODIES.get(body) if isinstance(body, str) else None
    text = json.dumps(value_of(body)) if data is None else data
    said = " ".join(str(part) for part in (read["kind"], read.get("phase", ""), read.get("code", "")) if part)
    name = f"verified: {report['provider']}, {call['path']}, HTTP {call['status']}, {said}"
    kind: Any = CALLS[call["call"]]
    return row(name, NO_ADDRESS, kind, call["status"], text, _expected(read, text))


def _expected(read: dict[str, Any], body: str | bytes) -> Expected:
    if read["kind"] == "job":
        return job(read["phase"], **({"url": URL} if read["address"] else {}))
    if read["kind"] == "list":
        listed = [ASKED] if ASKED in str(body) else []
        return Expected("ids", {"ids": listed})
    kind: type[errors.SoraError] = getattr(errors, read["kind"])
    told = {name: read[name] for name in ("code", "transient", "charge") if read.get(name, "") != ""}
    return Expected(kind, {name: value for name, value in told.items() if hasattr(kind(""), name)})


def value_of(shape: Any) -> Any:
    """A value of that shape; of several kinds the first."""
    if isinstance(shape, dict) and INSIDE in shape:
        return f"a text: {json.dumps(value_of(shape[INSIDE]))}"
    if isinstance(shape, dict):
        return {name: value_of(inner) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [value_of(inner) for inner in shape]
    kind = shape.split(" | ")[0]
    if kind.startswith("text with "):
        return f"a text: {kind.removeprefix('text with ')}"
    what, _, value = kind.partition(" ")
    if what == "word":
        return value
    return int(value) if what == "number" and value.lstrip("-").isdigit() else VALUES[kind]
