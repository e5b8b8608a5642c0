"""A fake gateway that publishes a list of models and nothing else, and remembers what it was asked for."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gateway:
    """A context manager. `models` are ids with their price per second."""

    def __init__(self) -> None:
        self.models: dict[str, float] = {}
        self.asked: list[str] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200 if self.path == "/api/models" and gateway.models else 503)

            def do_POST(self) -> None:
                self._answer(500)

            def _answer(self, status: int) -> None:
                gateway.asked.append(f"{self.command} {self.path}")
                body = json.dumps({"data": [_row(name, usd) for name, usd in gateway.models.items()]}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gateway:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _row(name: str, usd: float) -> dict[str, object]:
    endpoints = {"openai-video": "/v1/videos"}
    return {"id": name, "features": ["text-to-video"], "endpoints": endpoints, "pricing": {"per_second": usd}}
