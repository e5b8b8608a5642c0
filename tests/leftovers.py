"""A run of tests that is killed leaves nothing behind: no ComfyUI, no PostgreSQL, no browser, no sandbox.

Each process of pytest tells a keeper what it starts, over the keeper's input. Whatever ends that process, also kill -9,
ends the input; the keeper then ends what is left, and removes the folders that were named to it. The keeper is this
file, run as a program. It knows processes by descriptor, so that it never ends another one that got the number of one
that is gone. That is Linux's; on other systems nothing is kept track of.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ABLE = hasattr(os, "pidfd_open")  # Linux
POLITE_S, KILLED_S = 3, 5  # between SIGINT and SIGKILL; until what was killed is gone

_keeper: subprocess.Popen[bytes] | None = None


class Watched(subprocess.Popen[Any]):
    """A process that does not outlive this one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        watch(self.pid)


def watch_all() -> None:
    """From now on, watch every process that is started with subprocess, asyncio's and Playwright's included."""
    global _keeper
    if ABLE and _keeper is None:
        command = [sys.executable, "-I", "-S", __file__]
        # In a session of its own, so that a Ctrl-C at the terminal does not end it first.
        _keeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        atexit.register(_close, os.getpid())
        subprocess.Popen = Watched


def watch(pid: int) -> None:
    """End this process with our own."""
    _tell(f"process {pid}")


def remove(folder: Path) -> None:
    """Remove this folder, if it is still there, when our own process has ended and all that it started."""
    _tell(f"folder {folder}")


def _tell(line: str) -> None:
    if _keeper is not None and _keeper.stdin is not None:
        _keeper.stdin.write(f"{line}\n".encode())
        _keeper.stdin.flush()


def _close(pid: int) -> None:
    assert _keeper is not None
    assert _keeper.stdin is not None
    if pid == os.getpid():  # and not a fork of it
        _keeper.stdin.close()
        _keeper.wait()


class Keeper:
    """The processes that are running, by descriptor, and the folders to remove."""

    def __init__(self) -> None:
        self._events = select.poll()
        self._processes: set[int] = set()
        self._folders: list[str] = []

    def listen(self) -> None:
        """Note what is told, until the input ends."""
        self._events.register(0, select.POLLIN)
        told = b""
        while True:
            for descriptor, _ in self._events.poll():
                if descriptor != 0:
                    self._forget(descriptor)
                    continue
                data = os.read(0, 1 << 16)
                if not data:
                    self._events.unregister(0)
                    return
                *lines, told = (told + data).split(b"\n")
                for line in lines:
                    self._note(line.decode())

    def end(self) -> None:
        for number, patience_s in ((signal.SIGINT, POLITE_S), (signal.SIGKILL, KILLED_S)):
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):  # it ended just now
                    signal.pidfd_send_signal(process, number)
            self._wait(patience_s)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _note(self, line: str) -> None:
        kind, _, name = line.partition(" ")
        if kind == "folder":
            self._folders.append(name)
            return
        try:
            process = os.pidfd_open(int(name))
        except ProcessLookupError:  # gone already
            return
        self._processes.add(process)
        self._events.register(process, select.POLLIN)

    def _forget(self, process: int) -> None:
        self._events.unregister(process)
        self._processes.discard(process)
        os.close(process)

    def _wait(self, patience_s: float) -> None:
        """Until all have ended, or for so long."""
        end = time.monotonic() + patience_s
        while self._processes and (left_s := end - time.monotonic()) > 0:
            for process, _ in self._events.poll(1000 * left_s):
                self._forget(process)


if __name__ == "__main__":
    keeper = Keeper()
    keeper.listen()
    keeper.end()
