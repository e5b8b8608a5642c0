"""A file over HTTP: whole or a part of it, with an ETag that names its very bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web


@dataclass(frozen=True)
class Piece:
    """An answer's body and what its headers say. `status` is 200, 206 or 416."""

    status: int
    headers: dict[str, str]
    data: bytes


def read_piece(path: Path, request: web.Request, *, ranges: bool = True) -> Piece:
    """What a GET with `Range` and `If-Range` gets; a range that cannot be read counts as none (RFC 9110, 14.2), and so
    does every one without `ranges`."""
    data = path.read_bytes()
    if not ranges:
        return Piece(200, {"Content-Type": "video/mp4"}, data)
    headers = {
        "Content-Type": "video/mp4",
        "Accept-Ranges": "bytes",
        "ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"',
    }
    span = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", request.headers.get("Range", "").strip())
    if span is None or span[0] == "bytes=-" or request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
        return Piece(200, headers, data)
    start, end = int(span[1] or 0), int(span[2] or len(data) - 1)
    if not span[1]:  # the last so many bytes
        start, end = max(0, len(data) - end), len(data) - 1
    end = min(end, len(data) - 1)
    if start > end:
        return Piece(416, headers | {"Content-Range": f"bytes */{len(data)}"}, b"")
    return Piece(206, headers | {"Content-Range": f"bytes {start}-{end}/{len(data)}"}, data[start : end + 1])
