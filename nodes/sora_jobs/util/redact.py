"""The one place that takes secrets out of text; everything that leaves the process passes through it."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import deque
from urllib.parse import quote, urlsplit

HIDDEN = "[hidden]"
SHORTEST = 6  # letters; a shorter secret would blank out ordinary words
ADDRESSES = 200  # signed ones that are kept in mind: each is asked for once, and soon after it came

_known: set[str] = set()
_signed: deque[str] = deque(maxlen=ADDRESSES)
_lock = threading.Lock()

_PATTERNS = (  # each hides its last group
    re.compile(r"(?i)\bbearer\s+([^\s\"',;}]+)"),
    re.compile(r"\b(sk-[A-Za-z0-9_-]{8,})"),
    # Up to the last @ before the path: a password that nobody escaped may hold one itself. A proxy's address may come
    # without its scheme.
    re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://([^\s/?#\"'<>]*)@"),
    re.compile(r"(?<![\w/])([\w.%+~-]+:(?!//)[^\s/?#\"'<>]+)@(?=[\w\[])"),
    # A signed address gives its bearer the file: the query is the secret, the rest helps to understand.
    re.compile(r"(?i)https?://[^\s?\"'<>]+\?([^\s\"'<>]*)"),
)


def register_secret(secret: str) -> None:
    """Have `secret` taken out of every text from now on (a key, as soon as it is read), however it is written."""
    if len(secret) >= SHORTEST:
        with _lock:
            _known.update(_written(secret))


def register_url(url: str) -> None:
    """The same for what signs an address, where it stands without its host."""
    query = urlsplit(url).query
    if len(query) >= SHORTEST:
        with _lock:
            _signed.append(query)


def redact_registered(text: str) -> str:
    """`text` without the secrets that are known by heart: for the user's own words, which must stay as they are."""
    return _hide(text, _spans_known(text))


def place_of(address: str) -> str:
    """Host and port of an address, however it is written, and nothing else of it: what stands before may be a password,
    also one that holds an @ or a /."""
    return re.split(r"[/?#]", address.rpartition("@")[2].rpartition("://")[2])[0]


def register_login(address: str) -> None:
    """Have what stands before an address's host, and every piece of its password, taken out of every text: errors quote
    the one or the other."""
    login = address.rpartition("@")[0].rpartition("://")[2]
    for secret in (login, login.partition(":")[2], *re.split(r"[:/?#@]", login)[1:]):
        register_secret(secret)


def redact(text: str) -> str:
    """`text` without keys, bearer tokens, passwords in addresses and signed queries."""
    return _hide(text, [*_spans_known(text), *(found.span(1) for each in _PATTERNS for found in each.finditer(text))])


def _spans_known(text: str) -> list[tuple[int, int]]:
    with _lock:
        secrets = {*_known, *_signed}
    return [found.span() for secret in secrets if secret in text for found in re.finditer(re.escape(secret), text)]


def _hide(text: str, spans: list[tuple[int, int]]) -> str:
    """Spans that meet are hidden as one: a secret that is a piece of another must not leave the rest of it readable."""
    told: list[str] = []
    end = 0
    for first, after in sorted(spans):
        if first > end or not told:
            told += [text[end:first], HIDDEN]
        end = max(end, after)
    return "".join([*told, text[end:]])


def _written(secret: str) -> set[str]:
    """The ways in which a gateway may echo it: as it is, in JSON, in HTML, in an address, in hex, and in base64 at
    whatever place of a longer text."""
    raw = secret.encode()
    in_json = json.dumps(secret)[1:-1]
    forms = {secret, in_json, in_json.replace("/", "\\/"), html.escape(secret), html.escape(secret, quote=False)}
    forms |= {json.dumps(form)[1:-1] for form in forms}  # inside a text that is JSON itself
    for percent in (quote(secret, safe=""), quote(secret)):
        forms |= {percent, re.sub(r"%..", lambda found: found[0].lower(), percent)}
    forms |= {raw.hex(), raw.hex().upper()}
    for before in range(3):
        packed = base64.b64encode(b"\0" * before + raw)
        # Without the letters at either end that stand for bits of the neighbours, too.
        whole = packed[(8 * before + 5) // 6 : (8 * (before + len(raw))) // 6].decode()
        forms |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return {form for form in forms if len(form) >= SHORTEST}
