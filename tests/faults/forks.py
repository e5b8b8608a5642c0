"""Processes that start in a tenth of the time: forks of one Python that has imported the engine and its libraries.

Most of what a process of these tests does is importing. Here that happens once for hundreds of them; each then runs its
program from the first line on, with environment, output and exit status of its own, and is killed like any other. The
process that forks is this file, run as a program.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

# What a purchase imports by and by; those of the engine come last, since they bring most of the others.
LIBRARIES = ("numpy", "PIL.Image", "PIL.PngImagePlugin", "av", "cv2", "sqlalchemy.dialects.sqlite")
LIBRARIES += (
    "sora_jobs.engine",
    "sora_jobs.ledger.ledger",
    "sora_jobs.media.delivered",
    "sora_jobs.media.reference",
    "sora_jobs.sandbox.render",
)


class Fork:
    """What is used of subprocess.Popen."""

    def __init__(self, output: int, errors: int, status: int) -> None:
        self._pipes = {output: b"", errors: b"", status: b""}
        self._output, self._errors, self._status = output, errors, status
        while not self._pipes[status].endswith(b"\n"):
            piece = os.read(status, 1)
            if not piece:
                raise RuntimeError("the Python that forks has ended")
            self._pipes[status] += piece
        self.pid = int(self._pipes[status])
        self._pipes[status] = b""
        self.returncode: int | None = None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """What it wrote to stdout and stderr, once it has ended; `returncode` is then its exit status."""
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as waiting:
            for pipe in self._pipes:
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                found = waiting.select(max(0, end - time.monotonic()))
                if not found:
                    raise subprocess.TimeoutExpired("a fork", timeout)
                for key, _ in found:
                    piece = os.read(key.fd, 1 << 16)
                    self._pipes[key.fd] += piece
                    if not piece:
                        waiting.unregister(key.fd)
                        os.close(key.fd)
        self.returncode = int(self._pipes[self._status])
        return self._pipes[self._output].decode(), self._pipes[self._errors].decode()


class Forker:
    """The process that forks. It ends with this one, which holds its socket open."""

    _only: Forker | None = None
    _lock = threading.Lock()

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
        atexit.register(self._close)

    @classmethod
    def start(cls, arguments: list[str], environment: Mapping[str, str]) -> Fork:
        """Run a program of Python: its path and its arguments. Only one is started at a time."""
        pipes = [os.pipe() for _ in range(3)]
        with cls._lock:
            if cls._only is None:
                cls._only = cls(environment)
            told = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
            socket.send_fds(cls._only._socket, [told], [writing for _, writing in pipes])
            for _, writing in pipes:
                os.close(writing)
            return Fork(*(reading for reading, _ in pipes))

    def _close(self) -> None:
        self._socket.close()
        self._process.wait(30)


def serve(asked: socket.socket) -> None:
    """A fork for each message, and one that waits for it and tells how it ended, as soon as it has said its number."""
    for library in LIBRARIES:
        import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait are waited for by nobody
    while True:
        told, pipes, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        if not told:
            return
        if os.fork() == 0:
            break
        for pipe in pipes:
            os.close(pipe)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output, errors, status = pipes
    pid = os.fork()
    if pid == 0:
        os.close(status)
        become(output, errors, **json.loads(told))
        return
    os.close(output)
    os.close(errors)
    os.write(status, f"{pid}\n".encode())
    _, how = os.waitpid(pid, 0)
    os.write(status, str(os.waitstatus_to_exitcode(how)).encode())
    os._exit(0)


def become(output: int, errors: int, arguments: list[str], environment: dict[str, str]) -> None:
    """What a fresh interpreter would be for that program."""
    for stream, to in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (errors, 2)):
        os.dup2(stream, to)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
