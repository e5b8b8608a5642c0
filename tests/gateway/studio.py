"""A provider with as many jobs at once as it is sent, which finishes them when it is told to."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading

from .ugly import UglyServer, answer


class Studio:
    """A provider that renders what it is told to finish, and counts how many jobs it has at once."""

    def __init__(self, clip: bytes) -> None:
        self.clip, self.lock, self.ids = clip, threading.Lock(), itertools.count(1)
        self.running: set[str] = set()
        self.prompts: list[str] = []
        self.most = 0
        self.says_full = False
        self.renders_s: float | None = None  # finishes each by itself after that time
        self.server = UglyServer([self.reply])

    def reply(self, connection: socket.socket) -> None:
        request = self.server.requests[-1]
        if request.method == "POST":
            connection.sendall(self._create(request.body))
        elif request.path.endswith("/content"):
            connection.sendall(answer(200, self.clip))
        else:
            name = request.path.rsplit("/", 1)[-1]
            status = "in_progress" if name in self.running else "completed"
            connection.sendall(answer(200, {"id": name, "object": "video", "status": status}))

    def _create(self, body: bytes) -> bytes:
        if self.says_full:
            return answer(429, {"error": {"message": "full", "code": "video_queue_full"}}, [("Retry-After", "0")])
        with self.lock:
            name = f"video_{next(self.ids)}"
            self.running.add(name)
            self.most = max(self.most, len(self.running))
            found = re.search(rb'name="prompt"\r\n\r\n(.*?)\r\n', body)
            self.prompts.append(found[1].decode() if found else json.loads(body)["prompt"])
        if self.renders_s is not None:
            threading.Timer(self.renders_s, self.finish, [name]).start()
        return answer(200, {"id": name, "object": "video", "status": "queued"})

    def finish(self, *names: str) -> None:
        with self.lock:
            self.running -= set(names or self.running)
