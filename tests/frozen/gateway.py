"""The frozen state's gateway. What it does with a job is set before its create, and is part of its id afterwards."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PACK = Path(__file__).parents[2]
CLIP = PACK / "nodes" / "sora_jobs" / "media" / "selftest" / "bt709_limited.mp4"
ORIGIN = "http://127.0.0.1:49517"  # in the frozen state, where a test puts its own in place of it


def film(name: str) -> bytes:
    """A tiny MP4 of that job's own: a shipped clip and a box that players pass over."""
    note = name.encode()
    return CLIP.read_bytes() + (8 + len(note)).to_bytes(4) + b"free" + note


class Gateway:
    """A context manager. `creates` are the prompts of all creates and remixes; `then` is true for the day of the
    freeze, when some jobs still render or are not there to be fetched, and false for today."""

    def __init__(self, *, then: bool = False, port: int = 0) -> None:
        self.then, self.does, self.creates, self.contents = then, "finished", list[str](), list[str]()
        self.gone = False  # is no video offered any more?
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                remix = self.path.endswith("/remix")
                found = re.search(rb'name="prompt"[^\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', body, re.DOTALL)
                prompt = json.loads(body)["prompt"] if remix else found[1].decode() if found else ""
                gateway.creates.append(prompt)
                if gateway.does == "lost":
                    self.close_connection = True
                    return
                if gateway.does == "refused":
                    self._send(400, {"error": {"message": "Invalid prompt.", "code": "invalid_value"}})
                    return
                name = f"video_{gateway.does}_{len(gateway.creates):02}"
                self._send(200, {"id": name, "object": "video", "status": "queued", "progress": 0})

            def do_GET(self) -> None:
                name = self.path.split("/")[3]
                if self.path.endswith("/content"):
                    gateway.contents.append(name)
                    self._content(name)
                    return
                video = {"id": name, "object": "video", "status": "completed", "progress": 100}
                if "fails" in name:
                    video |= {"status": "failed", "error": {"code": "moderation_blocked", "message": "Not this one."}}
                elif "renders" in name and gateway.then:
                    video |= {"status": "in_progress", "progress": 40}
                self._send(200, video)

            def _content(self, name: str) -> None:
                whole = film(name)
                if gateway.gone:
                    self._send(410, {"error": {"message": "Gone.", "code": "expired"}})
                elif gateway.then and "later" in name:
                    self._send(404, {"error": {"message": "Not ready.", "code": "not_found"}})
                elif gateway.then and "gone" in name:
                    self._send(410, {"error": {"message": "Gone.", "code": "expired"}})
                elif "cut" in name and gateway.then:
                    self._bytes(whole[:-4])  # the last box says that it is longer
                elif "half" in name and gateway.then:
                    self._bytes(whole, stop=len(whole) // 2)
                else:
                    self._bytes(whole)

            def _bytes(self, data: bytes, stop: int | None = None) -> None:
                found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(found[1]) if found else 0
                self.send_response(206 if found else 200)
                if found:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.send_header("Content-Type", "video/mp4")
                self.send_header("ETag", '"frozen"')
                self.end_headers()
                self.wfile.write(data[start:stop])
                self.close_connection = True
                if stop is not None:
                    self.wfile.flush()
                    time.sleep(0.1)

            def _send(self, status: int, value: object) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
