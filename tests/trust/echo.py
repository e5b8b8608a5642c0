"""A gateway, and its storage, that repeat whatever they were told, in success and in every way to fail."""

from __future__ import annotations

import base64
import html
import json
import re
import socket
from typing import Any
from urllib.parse import quote

from ..gateway.ugly import Request, UglyServer, answer, hang_up, reset
from .canary import SIGNATURE


def echoes(request: Request) -> str:
    """Whatever the client said, as gateways repeat it: plain, in JSON, in HTML, in an address, in hex, packed."""
    said = request.headers.get("authorization", "none")
    packed = base64.b64encode(f"Authorization: {said}".encode()).decode()
    small = re.sub("%..", lambda one: one[0].lower(), quote(said, safe=""))
    slashed = json.dumps(said).replace("/", "\\/")
    others = f"{html.escape(said)} {html.escape(said, quote=False)} {slashed} {small} {said.encode().hex()}"
    return f"you sent {json.dumps(request.headers)} {said} {quote(said)} {quote(said, safe='')} {packed} {others}"


class Echo:
    """A gateway, and storage, that say all that they were told. `fate` is what becomes of the next calls."""

    def __init__(self, film: bytes) -> None:
        self.film, self.fate, self.status = film, "good", "completed"
        self.server, self.storage = UglyServer([self._reply]), UglyServer([self._stored])

    def _reply(self, line: socket.socket) -> None:
        request = self.server.requests[-1]
        call = "create" if request.method == "POST" else "content" if "/content" in request.path else "lookup"
        self._say(line, self._given(call, request))

    def _stored(self, line: socket.socket) -> None:
        self._say(line, self._given("signed", self.storage.requests[-1]))

    def _say(self, line: socket.socket, given: Any) -> None:
        if callable(given):
            given(line)
        else:
            line.sendall(given)

    def _given(self, call: str, request: Request) -> Any:
        said = echoes(request)
        key = request.headers.get("authorization", "none")
        echoed = [("x-request-id", key), ("X-Echo", said)]
        where, _, what = self.fate.partition(" ")
        if where == call:
            if what in ("hang", "reset"):
                return {"hang": hang_up, "reset": reset}[what]
            if what == "html":
                return answer(200, f"<html>{said}</html>".encode(), [("Content-Type", f"{'x' * 70}{key}"), *echoed])
            if what == "failed":
                error = {"code": key, "message": said}
                return answer(200, self._video(said) | {"status": "failed", "error": error}, echoed)
            body = {"error": {"message": said, "code": key, "type": key, "param": said, "inner": {"message": said}}}
            return answer(int(what), body, echoed)
        if call == "content" and where != "direct":
            return answer(302, b"", [("Location", f"{self.storage.url}/signed/film.mp4?{SIGNATURE}"), *echoed])
        if call in ("content", "signed"):
            return answer(200, self.film, echoed)
        given = self._video(said) | ({"status": "queued"} if call == "create" else {})
        return answer(200, given, echoed)

    def _video(self, said: str) -> dict[str, Any]:
        fields = dict.fromkeys(("model", "prompt", "size", "seconds", "detail", "metadata", "status_text"), said)
        fields |= {"video_url": f"{self.storage.url}/signed/film.mp4?{SIGNATURE}", "progress": said}
        return fields | {"id": f"video_{FATES.index(self.fate):03}", "object": "video", "status": self.status}


FATES = [
    "good", "direct", "create 400", "create 401", "create 402", "create 403", "create 404", "create 409", "create 422",
    "create 500", "create 502", "create 302", "create 200", "create html", "create hang", "create reset",
    "create failed", "lookup 401", "lookup 404", "lookup 500", "lookup html", "lookup failed", "lookup reset",
    "content 401", "content 403", "content 404", "content html", "content hang", "signed 403", "signed 404",
    "signed html", "signed reset", "crash",
]  # fmt: skip
