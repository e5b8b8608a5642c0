"""Small files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import uuid
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can look into, and those above it that are not there yet (`mkdir(parents=True)`
    makes these for everybody). OSError."""
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, data: bytes, *, private: bool = True, sync: bool = True) -> None:
    """Write `data` to `path`, over an older file, in one step; with `sync` also a power cut does not halve it, and what
    a process left that died while it wrote is put away.

    `private` files, and folders made for them, can be read by nobody else, not even for a moment. OSError leaves what
    was there. Of two who write at once the later one counts.
    """
    if private:
        make_private(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(unfinished, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        try:
            unfinished.replace(path)
        except FileNotFoundError:  # somebody who wrote at the same time was quicker, and put ours away
            if not path.exists():
                raise
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    if sync:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            with contextlib.suppress(OSError):  # Windows: it is still written, and its writer will put it away
                left.unlink()
