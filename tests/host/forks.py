"""Starts of ComfyUI that take a second and not nine: forks of a Python that has loaded ComfyUI's libraries.

Most of a start is the import of torch, scipy and the like. Here it happens once for many hosts; each runs main.py from
its first line on, with arguments, environment, folder and output of its own. `ComfyUI` in comfy.py asks for it; the
process that forks is this file, run by ComfyUI's Python.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

# Those that cost most, of any ComfyUI since 0.3.64; what one of them lacks, main.py imports itself or does without.
LIBRARIES = (
    "torch", "torchvision", "torchaudio", "transformers", "aiohttp", "scipy.stats", "scipy.optimize", "scipy.signal",
    "scipy.ndimage", "scipy.integrate", "kornia", "cv2", "av", "sqlalchemy.orm", "alembic.command", "safetensors.torch",
    "einops", "yaml", "comfy_kitchen", "spandrel", "pydantic_settings", "OpenGL.GL",
)  # fmt: skip


class Forked:
    """A process that is not our child, with what is used of subprocess.Popen. How it ended is not known here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return None
        return 0

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("ComfyUI", timeout_s)
            time.sleep(0.01)


class Parent:
    """The process that forks, of one Python. It ends with this one, which holds its input open."""

    _of: dict[Path, Parent] = {}  # noqa: RUF012 - one for each Python, as long as this process lives

    def __init__(self, python: Path) -> None:
        command = [python, Path(__file__)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )  # fmt: skip
        atexit.register(self._close)

    @classmethod
    def of(cls, python: Path) -> Parent:
        if python not in cls._of:
            cls._of[python] = cls(python)
        return cls._of[python]

    def fork(self, arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> Forked:
        """Run `arguments`, a program of Python, in that folder; what it writes is added to `log`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told = {"arguments": arguments, "folder": str(folder), "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        number = self._process.stdout.readline()
        if not number:
            raise RuntimeError(f"ComfyUI's Python, which forks hosts, has ended: {self._process.wait()}")
        return Forked(int(number))

    def _close(self) -> None:
        self._process.communicate()


def serve() -> None:
    """One fork for each line; its process number is the answer."""
    for library in LIBRARIES:
        with contextlib.suppress(Exception):  # main.py says it where it matters
            import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a host ended
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
            break
        print(pid, flush=True)


def become(arguments: list[str], folder: str, environment: dict[str, str], log: str) -> None:
    """In the fork: what a fresh interpreter would be for that program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream, to in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (out, 2)):
        os.dup2(stream, to)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = arguments, folder
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    serve()
