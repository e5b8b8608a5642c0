"""Do the machines of a farm see each other's files? Each leaves one in the output folder and looks for the others'."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from .database import Database
from .rows import run

FOLDER = ".sora-farm"
RECENT_S = 7 * 86_400.0  # a machine that was not heard of for longer may be gone


def meet(database: Database, output: Path) -> tuple[list[str], list[str]]:
    """(machines whose files are in `output`, machines whose files are not). OSError where ours cannot be written."""
    machine = socket.gethostname()
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    ours = folder / f"{secrets.token_hex(8)}.txt"
    ours.write_text(machine + "\n", encoding="utf-8")
    with database.exclusive() as connection:
        now = database.now(connection)
        old = run(connection, "SELECT file FROM probes WHERE machine = :me", me=machine).scalars().all()
        run(connection, "DELETE FROM probes WHERE machine = :me", me=machine)
        run(connection, "INSERT INTO probes VALUES (:me, :file, :now)", me=machine, file=ours.name, now=now)
        query = "SELECT machine, file FROM probes WHERE machine <> :me AND at > :since ORDER BY machine"
        others = run(connection, query, me=machine, since=now - RECENT_S).mappings().all()
    for file in old:
        (folder / file).unlink(missing_ok=True)
    seen = [str(other["machine"]) for other in others if (folder / other["file"]).is_file()]
    return seen, [str(other["machine"]) for other in others if other["machine"] not in seen]
