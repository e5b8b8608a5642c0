"""Where a purchase can be killed: each point is a wrapper around a function of the engine's or of a library's.

Nothing in the engine knows of them; they are put there before the first call, by crash_child.py.
"""

from __future__ import annotations

import os
import select
import signal
import stat
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import urllib3.connection
from sora_jobs.delivery import download
from sora_jobs.gateway import bodies
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger import ledger
from sora_jobs.ledger.ledger import Ledger

Condition = Callable[..., bool]
SIGKILL = getattr(signal, "SIGKILL", 9)  # on Windows `os.kill` ends the process with that as its exit status
KILLED = SIGKILL if os.name == "nt" else -SIGKILL  # what its parent sees


def die(*_: object) -> NoReturn:
    """As the power cut, the OOM killer and `kill -9` do it: nothing is said, nothing is put away."""
    os.kill(os.getpid(), SIGKILL)
    raise AssertionError("unreachable: the signal cannot be caught")


def before(owner: Any, name: str, when: Condition = lambda *_, **__: True) -> None:
    """Die instead of the first call for whose arguments `when` holds."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        return die() if when(*args, **named) else real(*args, **named)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, when: Condition = lambda *_, **__: True) -> None:
    """Die when the first call returns whose result and named arguments please `when`."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        result = real(*args, **named)
        return die() if when(result, **named) else result

    setattr(owner, name, wrapped)


def sets(name: str, value: object = None) -> Condition:
    """For `update`, which runs inside a transaction: does it set that column (to that value)?"""
    return lambda _, **changes: name in changes and value in (None, changes[name])


def sending(share: float) -> None:
    """Die when that share of the create's body has been handed to the socket; 0 is after its headers."""
    real, sent = urllib3.connection.HTTPConnection.send, {"total": 0, "bytes": 0}

    def send(self: Any, data: bytes) -> None:
        if data.startswith(b"POST "):  # the headers come as one piece, the body as one or many after it
            real(self, data)
            fields = dict(line.split(b": ", 1) for line in data.split(b"\r\n") if b": " in line)
            sent["total"] = int(fields[b"Content-Length"])
            if share == 0:
                die()
            return
        room = int(sent["total"] * share) - sent["bytes"]
        real(self, data[:room])
        sent["bytes"] += len(data)
        if len(data) >= room:
            die()

    urllib3.connection.HTTPConnection.send = send  # type: ignore[method-assign]


def answer_unread() -> None:
    """Die when the gateway's answer has come and nobody has read a byte of it."""

    def getresponse(self: Any) -> NoReturn:
        select.select([self.sock], [], [], 30)
        die()

    urllib3.connection.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]


def downloaded(share: float) -> None:
    """Die when that share of the film has been handed to the file."""
    real = download.iter_body
    bodies.PIECE = 16 << 10  # on loopback a film would come in one or two pieces

    def chunks(response: Any, **how: Any) -> Iterator[bytes]:
        seen, total = 0, int(response.headers["Content-Length"])
        for chunk in real(response, **how):
            yield chunk
            seen += len(chunk)
            if seen >= total * share:
                die()

    download.iter_body = chunks


def named(suffix: str) -> Condition:
    """For `Path.replace`: does the path end so?"""
    return lambda path, *_: path.name.endswith(suffix)


def receipt(path: Path, *_: object) -> bool:
    """The same: is it that of a video?"""
    return path.parent.name == "sora" and ".json." in path.name


def reference(path: Path, *_: object) -> bool:
    """The same: is it an image that goes up?"""
    return path.parent.name == "references"


LARGEST_TRIAL = 4096  # bytes


def is_a_video(descriptor: int) -> bool:
    """For `os.fsync`: is it a file, no folder, and larger than what the storage is tried with?"""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_size > LARGEST_TRIAL


POINTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "reference written, not renamed": lambda: before(Path, "replace", reference),
    "before reserve": lambda: before(Ledger, "reserve"),
    "row written, not committed": lambda: after(ledger, "insert"),
    "reserved": lambda: after(Ledger, "reserve"),
    "sending written, not committed": lambda: after(ledger, "update", sets("sent_at")),
    "sending": lambda: after(Ledger, "sending"),
    "connected": lambda: after(urllib3.connection.HTTPConnection, "connect"),
    "headers sent": lambda: sending(0),
    "half of the body sent": lambda: sending(0.5),
    "whole body sent": lambda: sending(1),
    "busy, not noted": lambda: before(Ledger, "not_sent"),
    "busy, noted": lambda: after(Ledger, "not_sent"),
    "answer there, not read": answer_unread,
    "answer read, not stored": lambda: after(Client, "create"),
    "id written, not committed": lambda: after(ledger, "update", sets("state", JobState.SUBMITTED)),
    "submitted": lambda: before(Ledger, "observed"),  # the first comes from `submitted`, after its commit
    "before the first poll": lambda: before(Client, "retrieve"),
    "poll answered, not observed": lambda: after(Client, "retrieve"),
    "completed seen, not observed": lambda: after(Client, "retrieve", lambda video: video.phase == "done"),
    "completed observed": lambda: after(Ledger, "observed", lambda job: job.state is JobState.COMPLETED),
    "download opened": lambda: after(Client, "content"),
    "first bytes downloaded": lambda: downloaded(0.01),
    "half downloaded": lambda: downloaded(0.5),
    "last byte, before fsync": lambda: before(os, "fsync", is_a_video),
    "on disk, before the check": lambda: before(import_module("sora_jobs.media.delivered"), "examine_delivered"),
    "checked, before the rename": lambda: before(download, "publish"),
    "renamed": lambda: after(Path, "replace", named(".mp4")),
    "receipt written, not renamed": lambda: before(Path, "replace", receipt),
    "before stored": lambda: before(Ledger, "stored"),
    "stored written, not committed": lambda: after(ledger, "update", sets("state", JobState.STORED)),
    "stored": lambda: after(Ledger, "stored"),
}
