"""The one place that takes secrets out of text; everything that leaves the process passes through it."""

from __future__ import annotations

import re
import threading

HIDDEN = "[hidden]"

_known: set[str] = set()
_lock = threading.Lock()

_PATTERNS = (
    (re.compile(r"(?i)\b(bearer)\s+[^\s\"',;}]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"(?i)(https?://)[^\s/@\"'<>]+@"), rf"\1{HIDDEN}@"),
    # A signed address gives its bearer the file: the query is the secret, the rest helps to understand.
    (re.compile(r"(?i)(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*"), rf"\1?{HIDDEN}"),
)


def remember(secret: str) -> None:
    """Have `secret` taken out of every text from now on (a key, as soon as it is read)."""
    if len(secret) >= 6:  # a shorter one would blank out ordinary words
        with _lock:
            _known.add(secret)


def without_known(text: str) -> str:
    """`text` without the secrets that are known by heart: for the user's own words, which must stay as they are."""
    with _lock:
        secrets = sorted(_known, key=len, reverse=True)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def redact(text: str) -> str:
    """`text` without keys, bearer tokens, passwords in addresses and signed queries."""
    text = without_known(text)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
