"""Who is sending a job: every process holds a locked file, so that others see at once whether it is still alive."""

from __future__ import annotations

import re
import secrets
import threading
from pathlib import Path

from filelock import FileLock, Timeout


class Owner:
    """This process's mark in the ledger. The operating system frees the lock when the process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "owners"
        self._lock: FileLock | None = None
        self._guard = threading.Lock()
        self._id = ""

    @property
    def id(self) -> str:
        """The mark; the first use locks its file."""
        with self._guard:
            if self._lock is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._sweep()
                self._id = secrets.token_hex(16)
                # One lock for all threads of the process: whichever thread asks first must not be its only holder.
                self._lock = FileLock(self._file(self._id), thread_local=False)
                self._lock.acquire(timeout=5)  # a sweep of another process may hold it for a moment
                while not self._file(self._id).exists():  # and may have removed it in that moment
                    self._lock.release()
                    self._lock.acquire(timeout=5)
            return self._id

    def alive(self, mark: str) -> bool:
        """Does the process with that mark still run?"""
        if mark == self._id:
            return True
        if not re.fullmatch(r"[0-9a-f]{32}", mark) or not self._file(mark).exists():
            return False
        probe = FileLock(self._file(mark), thread_local=False)
        try:
            probe.acquire(timeout=0)
        except Timeout:
            return True
        probe.release()
        return False

    def close(self) -> None:
        with self._guard:
            if self._lock is not None:
                self._lock.release()
                self._file(self._id).unlink(missing_ok=True)
                self._lock = None

    def _file(self, mark: str) -> Path:
        return self._folder / f"{mark}.lock"

    def _sweep(self) -> None:
        """Remove the files of processes that ended without a word, so that they do not pile up."""
        for file in self._folder.glob("*.lock"):
            if not self.alive(file.stem):
                file.unlink(missing_ok=True)
