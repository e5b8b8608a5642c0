"""Do the machines of a farm see each other's files? Each leaves one in the output folder and looks for the others'."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from ..util.atomic_write import remove
from .database import Database
from .machines import host_of, this_machine
from .references import FARM_FOLDER
from .rows import run


def meet(database: Database, output: Path) -> tuple[list[str], list[str]]:
    """(hosts whose files are in `output`, hosts whose files are not). OSError where ours cannot be written."""
    machine = this_machine(database.home)
    folder = output / FARM_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    ours = folder / f"{secrets.token_hex(8)}.txt"
    ours.write_text(host_of(machine) + "\n", encoding="utf-8")
    try:
        old, others = _exchange(database, machine, ours.name)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(ours)  # nobody was told of it
        raise
    for file in old:
        with contextlib.suppress(OSError):  # another program keeps it open: it does no harm
            remove(folder / file)
    seen: list[str] = []
    missing: list[str] = []
    for name, file in others:
        (seen if (folder / file).is_file() else missing).append(host_of(name))
    return seen, missing


def _exchange(database: Database, machine: str, file: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Tell the others of our file. (our files of earlier times, (machine, file) of each other one)."""
    with database.exclusive() as connection:
        now = database.now(connection)
        old = run(connection, "SELECT file FROM probes WHERE machine = :me", me=machine).scalars().all()
        run(connection, "DELETE FROM probes WHERE machine = :me", me=machine)
        run(connection, "INSERT INTO probes VALUES (:me, :file, :now)", me=machine, file=file, now=now)
        query = "SELECT machine, file FROM probes WHERE machine <> :me AND at > :since ORDER BY machine"
        others = run(connection, query, me=machine, since=now - database.timing.machine_recent_s).mappings().all()
    return list(old), [(row["machine"], row["file"]) for row in others]
