"""Files that are there completely or not at all, on every disk that people have: network shares that cannot sync a
folder, file systems without hard links or locks, and Windows, where a file cannot be renamed while another program has
it open."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakValueDictionary

from filelock import BaseFileLock, FileLock, Timeout

# Pauses between tries while a scanner, an indexer or a sync client has a file open: 4.6 s in all.
PAUSES_S = (*(0.01 * 2**n for n in range(8)), 1.0, 1.0)
# What Windows says then: access denied, sharing violation, lock violation. Network shares say "busy".
BUSY_WINERRORS = (5, 32, 33)
BUSY_ERRNOS = (errno.EBUSY, errno.ETXTBSY)
# A sync that a file system does not offer (CIFS, VirtualBox's shares, some FUSE) is no failure: the data is written.
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM, errno.ENOSYS)
ABANDONED_S = 3600.0  # a temporary file that was not written to for so long belongs to a process that died

_guards: WeakValueDictionary[str, _Guard] = WeakValueDictionary()
_making_guards = threading.Lock()


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can look into, and the missing ones above it (`mkdir(parents=True)` makes these
    for everybody). OSError; FileNotFoundError where its drive is not there."""
    if not folder.exists():
        if folder.parent == folder:
            raise FileNotFoundError(errno.ENOENT, "The drive is not there", str(folder))
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def atomic_write(path: Path, data: bytes, *, private: bool = True, sync: bool = True) -> None:
    """Write `data` to `path`, over an older file, in one step; with `sync`, also a power cut leaves the one or the
    other. Temporary files of processes that died are removed.

    `private` files, and folders made for them, can be read by nobody else, not even for a moment. OSError leaves what
    was there. Of two processes that write at once the later one counts.
    """
    if private:
        make_private(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _unfinished(path) as unfinished:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(unfinished, flags, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                sync_file(descriptor)
        publish(unfinished, path, sync=sync)
    if sync:
        remove_abandoned(path)


def copy(source: Path, target: Path) -> None:
    """Copy a file, over an older one of that name, in one step. OSError."""
    with _unfinished(target) as unfinished:
        shutil.copyfile(source, unfinished)
        with unfinished.open("r+b") as file:
            sync_file(file.fileno())
        publish(unfinished, target)


def publish(unfinished: Path, target: Path, *, sync: bool = True) -> None:
    """Give a file that is complete and synced its final name. OSError."""
    replace(unfinished, target)
    if sync:
        sync_folder(target.parent)  # the new name itself must survive a power cut


def replace(source: Path, target: Path) -> None:
    """Rename a file, over an older one; tried again for some seconds while another program has either open. OSError."""
    _patiently(lambda: source.replace(target))


def remove(path: Path) -> None:
    """Delete a file, if it is there; tried again for some seconds while another program has it open. OSError."""
    _patiently(lambda: path.unlink(missing_ok=True))


def unfinished_name(path: Path) -> Path:
    """A name beside `path` of this writer's own, for what will be renamed to it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def remove_abandoned(path: Path) -> None:
    """What processes left that died while they wrote this file. One that still writes keeps its own."""
    with contextlib.suppress(OSError):
        now = path.stat().st_mtime  # by the clock of the disk, which on a network is not ours
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            with contextlib.suppress(OSError):
                if now - left.stat().st_mtime > ABANDONED_S:
                    left.unlink()


def sync_file(descriptor: int) -> bool:
    """Have what was written to an open file reach the disk; False where its file system cannot be told to. OSError
    where the disk failed or is full."""
    if sys.platform == "darwin":  # where fsync ends in the disk's own cache
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return True
    return _is_offered(lambda: os.fsync(descriptor))


def sync_folder(folder: Path) -> bool:
    """The same for the names in a folder. Windows opens no folder, and writes names by itself."""
    if os.name != "posix":
        return False

    def sync() -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    return _is_offered(sync)


@contextlib.contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Keep the threads and processes that lock this path apart. TimeoutError if one of them holds it longer than
    `timeout_s`. On a file system without locks only the threads of this process are kept apart."""
    end = time.monotonic() + timeout_s
    with _making_guards:
        guard = _guards.setdefault(str(path), _Guard())
    if not guard.lock.acquire(timeout=max(0.0, timeout_s)):
        raise TimeoutError(f"{path} is locked by another thread")
    lock = None
    try:
        lock = _file_lock(path, max(0.0, end - time.monotonic()))
        yield
    finally:
        if lock is not None:
            with contextlib.suppress(OSError):  # Windows: it is open, and removed with the next one
                path.unlink(missing_ok=True)
            lock.release()
        guard.lock.release()


def _file_lock(path: Path, timeout_s: float) -> BaseFileLock | None:
    """The lock of that file, held; None where the file system has no locks, or there is no such folder."""
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        raise TimeoutError(f"{path} is locked by another process") from None
    except (OSError, NotImplementedError):
        return None
    return lock


class _Guard:
    """A lock among the threads of this process, for as long as one of them uses it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _patiently(step: Callable[[], object]) -> None:
    for pause_s in PAUSES_S:
        try:
            step()
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in BUSY_WINERRORS and error.errno not in BUSY_ERRNOS:
                raise
            time.sleep(pause_s)
    step()


def _is_offered(sync: Callable[[], object]) -> bool:
    try:
        sync()
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
        return False
    return True


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """An unfinished name, whose file is removed if the block fails."""
    unfinished = unfinished_name(path)
    try:
        yield unfinished
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
