"""How the provider of adversary.py can respond, by name: to a create, to a poll, to a download."""

from __future__ import annotations

from ..gateway.ugly import answer

PAGE = b"<html><h1>Something went wrong</h1></html>"
SILENCE = b""


def _error(status: int, code: str, *headers: tuple[str, str]) -> bytes:
    return answer(status, {"error": {"message": f"the provider says {code}", "code": code}}, headers)


# Of a create: what the client may rely on, so that nothing was made; and what tells it nothing.
REJECTIONS = {
    "400": _error(400, "invalid_request"),
    "401": _error(401, "invalid_key"),
    "429": _error(429, "rate_limited"),
    "429 for a moment": _error(429, "rate_limited", ("Retry-After", "0.3")),
    "429 for an hour": _error(429, "rate_limited", ("Retry-After", "3600")),
}
LOSSES = {"502": answer(502, PAGE), "page": answer(200, PAGE), "reset": None, "silence": SILENCE}
LOST = [f"{loss}, {made}" for loss in LOSSES for made in ("made", "not made")]
TAKEN = ["ok", "slow"]
HOLD = "hold"  # no response before `release`
POLLS = {
    "404": _error(404, "not_found"),
    "401": _error(401, "invalid_key"),
    "429": _error(429, "rate_limited", ("Retry-After", "0.05")),
    "502": answer(502, PAGE),
    "page": answer(200, PAGE),
    "cut": answer(200, b'{"id": "vid', length=500),
    "reset": None,
    "says failed": b"",  # though the job goes on
    "says completed": b"",  # though there is no video yet
}
CONTENTS = {
    "404": _error(404, "not_found"),
    "401": _error(401, "invalid_key"),
    "429": _error(429, "rate_limited", ("Retry-After", "0.05")),
    "502": answer(502, PAGE),
    "page": answer(200, PAGE, [("Content-Type", "text/html")]),
    "json": answer(200, {"error": {"message": "not yet", "code": "pending"}}, [("Content-Type", "application/json")]),
    "reset": None,
    "cut": b"",  # the connection breaks
    "short": b"",  # the file ends too early, and the response does not tell
    "other type": b"",
    "stall": b"",  # half of it, and the rest after `release`
}
