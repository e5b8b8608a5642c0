"""A provider with as many jobs at once as it is sent, which finishes them when it is told to."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from ..media.clips import make_clip
from .ugly import UglyServer, answer


@contextlib.contextmanager
def open_studio(folder: Path) -> Iterator[Studio]:
    """A studio that runs, with a clip that it makes in that folder."""
    made = Studio(make_clip(folder / "clip.mp4").read_bytes())
    with made.server:
        yield made


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

    def add_to(self, home: Path, more: str = "") -> None:
        """Have that state folder know it as the provider `mine`, whose key is in MINE_KEY, with `more` of its table."""
        home.mkdir(parents=True, exist_ok=True)
        table = f'[provider.mine]\nbase_url = "{self.server.url}"\nkey_variable = "MINE_KEY"\nremix = true\n{more}'
        (home / "providers.toml").write_text(table, encoding="utf-8")

    def finish(self, *names: str) -> None:
        with self.lock:
            self.running -= set(names or self.running)
