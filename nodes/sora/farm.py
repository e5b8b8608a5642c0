"""Do the machines of a farm see each other's files? Each leaves one in the output folder and looks for the others'."""

from __future__ import annotations

import re
import secrets
import socket
from pathlib import Path

from .database import Database
from .rows import run
from .whole import write_whole

FOLDER = ".sora-farm"
RECENT_S = 7 * 86_400.0  # a machine that was not heard of for longer may be gone
LONGEST_HOST = 200  # letters; the ledger keeps 255 with the id


def meet(database: Database, output: Path) -> tuple[list[str], list[str]]:
    """(hosts whose files are in `output`, hosts whose files are not). OSError where ours cannot be written."""
    host = socket.gethostname()
    # By name and id: containers and cloned machines have one name, machines with a common state folder one id.
    machine = f"{host[:LONGEST_HOST]} {machine_id(database.home)}"
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    ours = folder / f"{secrets.token_hex(8)}.txt"
    ours.write_text(host + "\n", encoding="utf-8")
    try:
        old, others = _exchange(database, machine, ours.name)
    except BaseException:
        ours.unlink(missing_ok=True)  # nobody was told of it
        raise
    for file in old:
        (folder / file).unlink(missing_ok=True)
    seen: list[str] = []
    missing: list[str] = []
    for name, file in others:
        (seen if (folder / file).is_file() else missing).append(name.split(" ")[0])
    return seen, missing


def machine_id(home: Path) -> str:
    """A name of this machine's own, 32 hex digits, kept in `home`. OSError where it cannot be kept."""
    file = home / "machine"
    if file.exists() and re.fullmatch(r"[0-9a-f]{32}", kept := file.read_text(encoding="utf-8", errors="replace")):
        return kept
    made = secrets.token_hex(16)
    write_whole(file, made.encode())
    return made


def _exchange(database: Database, machine: str, file: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Tell the others of our file. (our files of earlier times, (machine, file) of each other one)."""
    with database.exclusive() as connection:
        now = database.now(connection)
        old = run(connection, "SELECT file FROM probes WHERE machine = :me", me=machine).scalars().all()
        run(connection, "DELETE FROM probes WHERE machine = :me", me=machine)
        run(connection, "INSERT INTO probes VALUES (:me, :file, :now)", me=machine, file=file, now=now)
        query = "SELECT machine, file FROM probes WHERE machine <> :me AND at > :since ORDER BY machine"
        others = run(connection, query, me=machine, since=now - RECENT_S).mappings().all()
    return list(old), [(row["machine"], row["file"]) for row in others]
