"""A key that is easy to find: wherever it shows, however it is written, it was leaked."""

from __future__ import annotations

import base64
import html
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

# No known form ("sk-"), so that only what knows it by heart can hide it; and signs that JSON and addresses escape.
KEY = 'canary/7f3a"+key&91c2=zzTOPsecret'
SIGNATURE = "sig=canarysignature0123456789"


def forms(secret: str) -> set[bytes]:
    """Its spellings: plain, in JSON, in HTML, in an address, in hex, in base64 at each of three places."""
    raw = secret.encode()
    in_json = secret.replace('"', '\\"')
    found = {raw, in_json.encode(), in_json.replace("/", "\\/").encode(), html.escape(secret).encode()}
    found |= {html.escape(secret, quote=False).encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for percent in (quote(secret, safe=""), quote(secret)):
        found |= {percent.encode(), re.sub("%..", lambda one: one[0].lower(), percent).encode()}
    for lead in (b"", b"x", b"xx", b"Bearer ", b"Authorization: Bearer "):
        packed = base64.b64encode(lead + raw)
        found.add(packed[(8 * len(lead) + 5) // 6 : 8 * (len(lead) + len(raw)) // 6])
    return found


# Also halves of it, and what is left where only letters are kept.
FORMS = forms(KEY) | forms(SIGNATURE) | {KEY[:12].encode(), KEY[-12:].encode(), re.sub(r"\W", "", KEY).encode()}


def places(data: bytes | str) -> list[bytes]:
    """What of the canaries stands in it, also in packed parts (PNG's compressed texts)."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    found = [form for form in FORMS if form in raw]
    for match in re.finditer(rb"zTXt|iTXt", raw):
        packed = raw[match.end() : match.end() + (1 << 16)]
        for start in range(min(len(packed), 200)):
            if packed[start : start + 1] == b"\x78":
                try:
                    text = zlib.decompressobj().decompress(packed[start:])
                except zlib.error:
                    continue
                found += [form for form in FORMS if form in text]
    return found


def files_with_it(*folders: Path, but: tuple[Path, ...] = ()) -> Iterator[str]:
    """Every file below the folders whose name or bytes tell it."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path in but:
                continue
            if places(str(path)) or (path.is_file() and places(path.read_bytes())):
                yield str(path)
