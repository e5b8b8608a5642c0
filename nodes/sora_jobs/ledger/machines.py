"""The names by which the machines of a farm know each other."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
from pathlib import Path

from ..util.atomic_write import atomic_write

LONGEST_HOST = 200  # letters; the ledger keeps 255 with the id


def this_machine(home: Path) -> str:
    """Host and id: containers and cloned machines have one host name, machines with a common state folder one id.
    Where no id can be kept, the host name alone."""
    host = socket.gethostname()[:LONGEST_HOST]
    with contextlib.suppress(OSError):
        return f"{host} {machine_id(home)}"
    return host


def host_of(machine: str) -> str:
    """The name that a person knows."""
    return machine.split(" ", maxsplit=1)[0]


def machine_id(home: Path) -> str:
    """A name of this machine's own, 32 hex digits, kept in `home`. OSError where it cannot be kept."""
    file = home / "machine"
    if file.exists() and re.fullmatch(r"[0-9a-f]{32}", kept := file.read_text(encoding="utf-8", errors="replace")):
        return kept
    made = secrets.token_hex(16)
    atomic_write(file, made.encode())
    return made
