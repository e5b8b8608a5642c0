"""A real ComfyUI as a subprocess, with a base directory of its own and the pack in it: the checkout, linked, or what
COMFYUI_PACK names, an archive that is unpacked there as an installer does it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import requests

from .. import leftovers
from ..films import put_node_pack
from .forks import Forked, Parent

PACK = Path(__file__).parents[2]
START_S = 180
ENABLE = "set COMFYUI_DIR (and COMFYUI_PYTHON), or put the checkout into a ComfyUI's custom_nodes"


def find_comfyui() -> Path | None:
    """COMFYUI_DIR, else the ComfyUI that the checkout lies in, else comfy-cli's default workspace."""
    named = os.environ.get("COMFYUI_DIR")
    documents = "comfy" if sys.platform == "linux" else "Documents/comfy"
    places = [Path(named)] if named else [PACK.parents[1], Path.home() / documents / "ComfyUI"]
    found = next((place for place in places if (place / "main.py").is_file() and (place / "comfy").is_dir()), None)
    if named and found is None:
        raise RuntimeError(f"COMFYUI_DIR is {named}, where there is no ComfyUI")
    return found


def find_python(comfyui: Path) -> Path | None:
    """COMFYUI_PYTHON, else the interpreter of the ComfyUI's own .venv or venv."""
    if named := os.environ.get("COMFYUI_PYTHON"):
        return Path(named)
    script = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    places = [comfyui / folder / script for folder in (".venv", "venv")]
    return next((place for place in places if place.is_file()), None)


def host_version(comfyui: Path) -> str:
    match = re.search(r'"(.+)"', (comfyui / "comfyui_version.py").read_text(encoding="utf-8"))
    return match[1] if match else "?"


def put_pack(place: Path) -> None:
    """The pack as the folder `place`; once, since a host is also started again on the same base directory."""
    if place.exists():
        return
    archive = os.environ.get("COMFYUI_PACK")
    if archive is None:
        place.symlink_to(PACK, target_is_directory=True)
        return
    with zipfile.ZipFile(PACK / archive) as packed:
        packed.extractall(place)


class ComfyUI:
    """A running host. `base` is its base directory, `options` are more arguments for it; a context manager. With
    `forked` it starts in a second, where the system can fork, and its sandbox uses the films of other tests; without,
    it starts in nine and renders its own, as it does for users."""

    def __init__(self, base: Path, *options: str, forked: bool = True, **env: str) -> None:
        comfyui = find_comfyui()
        assert comfyui is not None
        self.comfyui, self.base, self.options = comfyui, base, options
        self.forked = forked
        # ComfyUI looks up the name by which a page is opened, at each request that has an origin, and serves nobody
        # meanwhile. Where there is no DNS that is five seconds; by glibc's resolv.conf(5), this asks nobody.
        no_dns = {"RES_OPTIONS": "attempts:0"}
        self.env = {"SORA_SANDBOX_SECONDS": "1", "SORA_POLL_SECONDS": "0.1"} | no_dns | env
        self.client_id = uuid.uuid4().hex
        self.url = ""
        self.events: list[dict[str, Any]] = []
        self.wrote_at_start = False

    def __enter__(self) -> ComfyUI:
        for folder in ("custom_nodes", "input", "output", "temp", "user", "models"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        put_pack(self.base / "custom_nodes" / "sora-jobs")
        if self.forked:
            put_node_pack(self.base / "custom_nodes")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = ["main.py", "--cpu", "--port", str(port), "--disable-auto-launch"]
        command += ["--disable-api-nodes"]  # a fifth of a start; without them the page asks nobody on the internet
        command += ["--base-directory", str(self.base), "--database-url", f"sqlite:///{self.base / 'comfyui.db'}"]
        command += self.options
        if frontend := os.environ.get("COMFYUI_FRONTEND"):  # another version of the page: a folder of its files
            command += ["--front-end-root", frontend]
        environment = {**os.environ, **self.env}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile all of ComfyUI at each start
        self.process = self._started(command, environment)
        self._wait_until_up()
        self._listener = _Listener(f"{self.url}/ws?clientId={self.client_id}", self.events)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.stop()

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    @property
    def log(self) -> str:
        """The log without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", (self.base / "log.txt").read_text(errors="replace", encoding="utf-8"))

    @property
    def home(self) -> Path:
        return self.base / "user" / "__sora"

    def sandbox_jobs(self) -> list[dict[str, Any]]:
        """What was bought at the sandbox: its own files."""
        return [
            json.loads(file.read_text(encoding="utf-8")) for file in (self.home / "sandbox" / "jobs").glob("*.json")
        ]

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def queue(self, graph: dict[str, Any]) -> str:
        """Queue a prompt; returns its id. Refused raises, with the host's own words. What was shown before is
        forgotten, so that nobody takes an earlier prompt's words for this one's."""
        self.events.clear()
        answer = requests.post(f"{self.url}/prompt", json={"prompt": graph, "client_id": self.client_id}, timeout=60)
        if answer.status_code != 200:
            raise RequestRejectedError(answer.json())
        self._newest: str = answer.json()["prompt_id"]
        return self._newest

    def wait(self, prompt_id: str, timeout_s: float = 120) -> Run:
        """Wait until a prompt is done, whatever became of it, and until its events are here."""
        run: Run = self.until(lambda: self._history(prompt_id), timeout_s)
        if prompt_id == self._newest:  # those of others may have come before `queue` forgot them
            self.until(lambda: self._has_ended(prompt_id))
        return run

    def run(self, graph: dict[str, Any]) -> Run:
        return self.wait(self.queue(graph))

    def until(self, look: Callable[[], Any], timeout_s: float = 30) -> Any:
        """The first true result of `look`."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if result := look():
                return result
            time.sleep(0.02)
        raise TimeoutError(f"nothing came in {timeout_s} s; the log ends with:\n{self.log[-3000:]}")

    def texts(self, node: str) -> list[str]:
        """The status lines that a node showed."""
        return [event["text"] for event in self.events if event["type"] == "text" and event["node"] == node]

    def _has_ended(self, prompt_id: str) -> bool:
        """Has the last event of a prompt come?"""
        ends = ("execution_success", "execution_error", "execution_interrupted")
        return any(one["type"] in ends and one["data"]["prompt_id"] == prompt_id for one in list(self.events))

    def _history(self, prompt_id: str) -> Run | None:
        entry = self.get(f"/history/{prompt_id}").get(prompt_id)
        return None if entry is None or not entry["status"] else Run(entry)

    def _started(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes] | Forked:
        python, log = find_python(self.comfyui), self.base / "log.txt"
        assert python is not None
        if self.forked and hasattr(os, "fork"):
            process = Parent.of(python).fork(command, self.comfyui, environment, log)
            leftovers.watch(process.pid)  # no child of ours
            return process
        with log.open("a", encoding="utf-8") as out:
            return subprocess.Popen(
                [python, *command], cwd=self.comfyui, env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def _wait_until_up(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                self.get("/system_stats")
            except requests.RequestException:
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise RuntimeError(f"ComfyUI did not start:\n{self.log[-3000:]}")


class RequestRejectedError(Exception):
    """POST /prompt said no."""


class Run:
    """What became of a prompt."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.outputs: dict[str, dict[str, Any]] = entry["outputs"]
        self.messages = dict(entry["status"]["messages"])
        self.ok = entry["status"]["status_str"] == "success"
        self.error = self.messages.get("execution_error", {}).get("exception_message", "")
        self.interrupted = "execution_interrupted" in self.messages

    def text(self, node: str) -> str:
        """What a PreviewAny node showed."""
        return str(self.outputs[node]["text"][0])


class _Listener:
    """Collects a page's events: JSON messages, and status lines as {"type": "text", "node", "text"}."""

    def __init__(self, url: str, events: list[dict[str, Any]]) -> None:
        self._url, self._events = url, events
        self._closing = False
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen(ready)))
        self._thread.start()
        ready.wait(10)

    def close(self) -> None:
        self._closing = True
        self._thread.join()

    async def _listen(self, ready: threading.Event) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._url) as page:
            ready.set()
            while not self._closing:
                try:
                    message = await page.receive(timeout=0.2)
                except TimeoutError:
                    continue
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._events.append(json.loads(message.data))
                elif message.type is aiohttp.WSMsgType.BINARY and message.data[:4] == b"\0\0\0\3":
                    length = int.from_bytes(message.data[4:8])
                    node, text = message.data[8 : 8 + length].decode(), message.data[8 + length :].decode()
                    self._events.append({"type": "text", "node": node, "text": text})
                elif message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                    return
