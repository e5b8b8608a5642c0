"""Which process sends a job or has a lease on it: its owner id in the ledger, and whether that process still runs."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

from ..config.budget import Budget
from ..config.timing import DEFAULT, Timing
from .database_errors import folder_error

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..errors import LedgerError

NO_LOCK = (OSError, NotImplementedError)  # the second where a file system knows no locks


class ProcessIdentity(Protocol):
    """This process among those that share a ledger."""

    @property
    def id(self) -> str:
        """Its owner id: 32 hex digits. It is given out only once the others can see that the process runs, since it
        would look dead to them otherwise; LedgerError where that fails, and the next use tries again."""

    @property
    def started(self) -> bool:
        """Has it an owner id yet?"""

    @property
    def host(self) -> str:
        """The machine's name on a farm; "" where all processes are on one."""

    def alive(self, owner_id: str, connection: Connection) -> bool:
        """Does the process with that owner id still run? `connection` is the caller's transaction."""

    def budgets(self, own: Budget, connection: Connection) -> list[Budget]:
        """Those in which a purchase of this process must have room: its `own`, then those of others on a farm."""

    def close(self) -> None:
        """Say that it ends."""


class FileLiveness:
    """On one machine every process holds a locked file. The operating system frees the lock when the process ends,
    however it ends, so that others see it at once."""

    host = ""

    def __init__(self, home: Path, timing: Timing = DEFAULT) -> None:
        self._folder, self._timing = home / "owners", timing
        self._lock: FileLock | None = None
        self._guard = threading.Lock()
        self._id = ""

    @property
    def id(self) -> str:
        """The owner id; the first use locks its file."""
        with self._guard:
            if not self._id:
                owner_id = secrets.token_hex(16)
                self._lock = self._locked(self._file(owner_id))
                self._id = owner_id
            return self._id

    @property
    def started(self) -> bool:
        return bool(self._id)

    def alive(self, owner_id: str, connection: Connection | None = None) -> bool:  # noqa: ARG002 - needs none
        """Does the process with that owner id still run? LedgerError where that cannot be told."""
        if not re.fullmatch(r"[0-9a-f]{32}", owner_id):
            return False
        if owner_id == self._id:
            return True
        try:
            if not self._file(owner_id).exists():
                return False
            with FileLock(self._file(owner_id), thread_local=False, fallback_to_soft=False).acquire(timeout=0):
                return False
        except Timeout:
            return True
        except NO_LOCK as error:
            raise self._trouble(error) from error

    def budgets(self, own: Budget, connection: Connection | None = None) -> list[Budget]:  # noqa: ARG002 - needs none
        """One machine has one budget."""
        return [own]

    def close(self) -> None:
        with self._guard:
            lock, self._lock = self._lock, None
            if lock is not None:
                with contextlib.suppress(OSError):  # Windows removes no file that another one probes; a sweep will
                    lock.release()
                    self._file(self._id).unlink(missing_ok=True)
                self._id = ""

    def _file(self, owner_id: str) -> Path:
        return self._folder / f"{owner_id}.lock"

    def _locked(self, file: Path) -> FileLock:
        # One lock for all threads of the process: whichever thread asks first must not be its only holder.
        lock = FileLock(file, thread_local=False, fallback_to_soft=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            lock.acquire(timeout=self._timing.owner_lock_s)  # a sweep of another process may hold it for a moment
            while not file.exists():  # and may have removed it in that moment
                lock.release()
                lock.acquire(timeout=self._timing.owner_lock_s)
        except NO_LOCK as error:
            raise self._trouble(error) from error
        return lock

    def _sweep(self) -> None:
        """Remove the files of processes that ended without a word, so that they do not pile up.

        Only while their locks are ours: a process that has just made its file, and locks it now, keeps it or sees that
        it is gone. And one sweep at a time: what a second one has opened could be gone, and the name anew in use.
        """
        with contextlib.suppress(*NO_LOCK), FileLock(self._folder / "sweep", fallback_to_soft=False).acquire(timeout=0):
            for file in self._folder.glob("*.lock"):
                # It lives; or, on Windows, it is open and cannot be removed: then filelock or the next sweep does.
                with (
                    contextlib.suppress(OSError),
                    FileLock(file, thread_local=False, fallback_to_soft=False).acquire(timeout=0),
                ):
                    file.unlink(missing_ok=True)

    def _trouble(self, error: Exception) -> LedgerError:
        message = f"No file could be locked in {self._folder}, by which the programs that use the ledger see each other"
        return folder_error(message, error, self._folder)
