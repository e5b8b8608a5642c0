"""What of a provider's own words may stand in a report: no key, no address, no person, no id.

A report is passed on, so this is a list of what is let through, and not of what is taken out.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ...gateway.vocabulary import (
    ALL_IS_WELL,
    LASTING,
    PACE_HEADERS,
    PACE_MS_HEADERS,
    PHASES,
    REFUSALS_AS_5XX,
    REQUEST_ID_HEADERS,
    SATURATED,
    TEXTS,
    VAGUE,
)
from ...util.redact import HIDDEN, redact
from .record import Exchange

SHORTEST = 3  # letters of a person's name; a shorter one would blank out ordinary words
LONGEST_WORD, LONGEST_KEY = 40, 40
DEEPEST, MOST = 12, 2000  # levels in which names of persons are looked for; names, and ids, that are kept in mind
HEADERS = (
    "content-type", "content-length", "content-range", "content-encoding", "content-disposition", "transfer-encoding",
    "accept-ranges", "etag", "last-modified", "location", "expires", "cache-control",
    *PACE_HEADERS, *PACE_MS_HEADERS, *REQUEST_ID_HEADERS,
)  # fmt: skip

_OF_PERSONS = re.compile(
    r"(?i)user|mail|account|owner|customer|organi[sz]ation|tenant|team|login|nick|phone|"
    r"(full|first|last|real|display)_?name"
)
_WORD = re.compile(r"[A-Za-z]+[0-9]*([_ .-][A-Za-z0-9]+){0,7}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NUMBERED = re.compile(r"[0-9]{5}|[0-9a-f]{12}|(?=[a-z0-9]{8})([a-z]*[0-9]){3}", re.IGNORECASE)  # an id, and no word
_LIKE_OURS = re.compile(r"(x-)?[a-z]{2,20}(-[a-z]{2,20}){0,4}")
_TELLING = ("request-id", "requestid", "trace-id", "retry-after", "poll-after", "ratelimit")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_PATH = re.compile(r"[/\\~.]|[A-Za-z]:[/\\]|(?i:file:)")
_ORDINARY = {*PHASES, *ALL_IS_WELL, *LASTING, *SATURATED, *VAGUE, *REFUSALS_AS_5XX, *TEXTS.values()} | {
    "video", "list", "model", "models", "error", "task", "true", "false", "default", "system", "user", "not_found",
    "server_error", "text", "standard", "com", "org", "net", "www", "api", "mp4", "json", "html", "request",
}  # fmt: skip


class Private:
    """Knows the names that the exchanges give for persons and accounts, that of this machine's user, and the `ids` of
    jobs. `keep` are words that are no secret, such as the model's id."""

    def __init__(self, exchanges: Iterable[Exchange], ids: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for one in exchanges:
            found |= {value for name, value in one.headers.items() if _OF_PERSONS.search(name)}
            if one.response is not None:
                found |= set(_persons(one.response.json()))
        with contextlib.suppress(Exception):  # a system without a name for its user
            found.add(getpass.getuser())
        ours = {word.lower() for word in keep}
        self._ids = {text.lower() for text in itertools.islice(ids, MOST) if len(text) > SHORTEST}
        self._names = {
            part
            for text in itertools.islice(found, MOST)
            for part in {text.lower(), *re.split(r"[^a-z0-9]+", text.lower())}
            if len(part) >= SHORTEST and part not in _ORDINARY and part not in ours
        }

    def word(self, text: str) -> str:
        """A state or a code as it came, where it reads like one; "" for anything else."""
        text = text.strip()
        fits = len(text) <= LONGEST_WORD and _WORD.fullmatch(text) and not _NUMBERED.search(text)
        return text if text.lower() in _ORDINARY or (fits and not self._is_private(text)) else ""

    def key(self, name: str) -> str:
        """The name of a field; "(another)" for one that may be an id or a person's."""
        fits = len(name) <= LONGEST_KEY and _KEY.fullmatch(name) and not _NUMBERED.search(name)
        return name if fits and not self._is_private(name) else "(another)"

    def headers(self, names: Iterable[str]) -> list[str]:
        """Those that matter, in order: of the content, of the pace, and the number of the request."""
        kept = (name for name in names if name in HEADERS or self._tells(name))
        return sorted(dict.fromkeys(kept))

    def media_type(self, text: str) -> str:
        """`video/mp4` from a Content-Type; "" for what is none."""
        kind = text.partition(";")[0].strip().lower()
        fits = len(kind) <= LONGEST_WORD and re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind)
        return kind if fits and not self._is_private(kind) else ""

    def host(self, url: str) -> str:
        """The end of an address's host, and nothing else of it."""
        name = _end_of_host(url)
        return HIDDEN if self._is_private(name) else name

    def _tells(self, name: str) -> bool:
        return bool(_LIKE_OURS.fullmatch(name)) and any(it in name for it in _TELLING) and not self._is_private(name)

    def _is_private(self, text: str) -> bool:
        low = text.lower()
        parts = set(re.split(r"[^a-z0-9]+", low))
        said = any(name == low or name in parts or (len(name) > 2 * SHORTEST and name in low) for name in self._names)
        return said or any(one in low for one in self._ids) or redact(text) != text


def scrubbed(value: Any) -> Any:
    """A report as it may be written: should anything have come through all the same, it goes here."""
    if isinstance(value, dict):
        return {scrubbed(name): scrubbed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [scrubbed(item) for item in value]
    if isinstance(value, str):
        return _MAIL.sub(HIDDEN, _URL.sub(lambda found: _end_of_host(found[0]), redact(value)))
    return value


def shown_model(model: str) -> str:
    """A model's id; a path of the server's disk is left out."""
    return "(a path)" if _PATH.match(model) else model


def _end_of_host(url: str) -> str:
    """The last two labels of a host: what stands before them may be an account's. An IP address as it is."""
    try:
        name = (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return HIDDEN
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name))
    return ".".join(name.split(".")[-2:]) if _HOST.fullmatch(name) else HIDDEN


def _persons(value: Any, *, named: bool = False, depth: int = DEEPEST) -> Iterator[str]:
    """The texts that stand under a name which speaks of a person."""
    if isinstance(value, str) and named:
        yield value[:200]
    elif depth and isinstance(value, dict):
        for name, item in value.items():
            yield from _persons(item, named=named or bool(_OF_PERSONS.search(str(name))), depth=depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:200]:
            yield from _persons(item, named=named, depth=depth - 1)
