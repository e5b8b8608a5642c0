"""A copy of the ledger with all that belongs to it, made while it is in use."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote

from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError, storage_error
from ..util.atomic_write import copy, make_private, publish, remove, sync_file, unfinished_name
from .database_errors import folder_error, ledger_error
from .liveness import FileLiveness

LEDGER_FILE = "ledger.sqlite3"
# What the owner and the page set, beside the ledger. No key is in a backup.
SETTINGS_FILES = ("settings.toml", "providers.toml", "page.json", "models.json")
STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Kept:
    """What a backup holds, or what was restored from one. `aside` is where what was there before is now; `later` are
    the jobs that only the ledger there knew, and which were kept, as far as it could be read (`whole`: completely)."""

    jobs: int
    references: int
    aside: Path | None = None
    later: int = 0
    whole: bool = True


def backup(home: Path, file: Path, timing: Timing = DEFAULT) -> Kept:
    """Write the ledger, its references and the settings of `home` into a zip file. Processes may go on using it: what
    is copied is one moment. An older backup is replaced; InvalidInputError for any other file, and where there is no
    ledger; StorageError where it cannot be written."""
    ledger = home / LEDGER_FILE
    if not ledger.is_file():
        raise InvalidInputError(f"There is no ledger in {home}.", hint="Name its folder: --home DIR.", code="no_ledger")
    taken = "belongs to the ledger" if _is_ours(home, file) else ""
    if not taken and os.path.lexists(file) and not _is_backup(file):
        taken = "is there already, and is not a backup of a ledger"
    if taken:
        raise InvalidInputError(
            f"{file} {taken}.", hint="Give the backup another name, such as ledger.zip.", code="file_exists"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_name(file)
        try:
            with tempfile.TemporaryDirectory(dir=file.parent) as folder, zipfile.ZipFile(unfinished, "x") as archive:
                jobs = backup_ledger(ledger, Path(folder) / LEDGER_FILE, timing)
                archive.write(Path(folder) / LEDGER_FILE, LEDGER_FILE, zipfile.ZIP_DEFLATED)
                # After the ledger: each image is written before the row that names it.
                references = sorted((home / "references").glob("*.png"))
                for path in references:
                    archive.write(path, f"references/{path.name}")
                for name in SETTINGS_FILES:
                    if (home / name).is_file():
                        archive.write(home / name, name, zipfile.ZIP_DEFLATED)
            with unfinished.open("r+b") as written:
                sync_file(written.fileno())
            publish(unfinished, file)
        finally:
            with contextlib.suppress(OSError):
                remove(unfinished)
    except OSError as error:
        raise storage_error(f"The backup {file} could not be written", error) from error
    return Kept(jobs, len(references))


def _is_ours(home: Path, file: Path) -> bool:
    """Is it a file of the ledger, or one that SQLite may make beside it? A link counts as what it leads to."""
    place, folder = Path(os.path.realpath(file)), Path(os.path.realpath(home))
    return place.parent == folder and (place.name.lower().startswith(LEDGER_FILE) or place.name in SETTINGS_FILES)


def _is_backup(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return LEDGER_FILE in archive.namelist()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        return False


def refuse_in_use(home: Path) -> None:
    """InvalidInputError while another process uses the ledger of that folder; LedgerError where nobody can tell."""
    owner = FileLiveness(home)
    try:
        files = sorted((home / "owners").glob("*.lock"))
    except OSError as error:
        raise folder_error(f"The state folder {home} cannot be read", error, home) from error
    for file in files:
        if owner.alive(file.stem):
            raise InvalidInputError(
                f"The ledger in {home} is in use by another process.",
                hint="End ComfyUI and the other `sora` commands that use it, then run again.",
                code="home_in_use",
            )


def is_damaged(ledger: Path, timing: Timing) -> bool:
    """Is there a ledger, and can it not be read as one?"""
    if not ledger.is_file():
        return False
    try:
        with opened(ledger, timing) as connection:
            checked(connection)
    except sqlite3.Error as error:
        return is_damage(error)
    return False


def uri_of(file: PurePath) -> str:
    """The file as SQLite reads it in a URI: with no host, also for a Windows share (`as_uri` names the server)."""
    place = quote(file.as_posix(), safe="/:")
    return f"file://{'' if place.startswith('/') else '/'}{place}"


@contextlib.contextmanager
def opened(file: Path, timing: Timing) -> Iterator[sqlite3.Connection]:
    """A ledger's file, only to be read. sqlite3.Error where it is damaged, or no ledger."""
    connection = sqlite3.connect(f"{uri_of(file.absolute())}?mode=ro", uri=True, timeout=timing.ledger_copy_busy_s)
    try:
        yield connection
    finally:
        connection.close()


def backup_ledger(ledger: Path, target: Path, timing: Timing) -> int:
    """One moment of a ledger that may be in use, as a file of its own; how many jobs it has."""
    try:
        with opened(ledger, timing) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            copy_pages(source, copy, timing)
            return checked(copy)
    except sqlite3.Error as error:
        raise ledger_error(str(ledger), error, folder=ledger.parent) from error


def copy_pages(source: sqlite3.Connection, target: sqlite3.Connection, timing: Timing) -> None:
    """Copy a whole ledger. sqlite3.Error where another program does not let go of either for `ledger_copy_busy_s`:
    SQLite's own way would wait for ever."""
    end = timing.monotonic() + timing.ledger_copy_busy_s

    def look(code: int, *_: int) -> None:
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and timing.monotonic() > end:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = code
            raise busy

    source.backup(target, progress=look)


def checked(connection: sqlite3.Connection) -> int:
    """How many jobs a ledger has. sqlite3.Error for one that is damaged."""
    if (said := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        damage = sqlite3.DatabaseError(said)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def is_damage(error: sqlite3.Error) -> bool:
    """Is that what SQLite says of a damaged file, and not of one that is locked, empty or on a missing drive?"""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def copy_aside(home: Path) -> Path | None:
    """A copy of what will be written over: the ledger, whatever state it is in, and the settings."""
    there = [
        home / name
        for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal", f"{LEDGER_FILE}-shm", *SETTINGS_FILES)
        if (home / name).is_file()
    ]
    if not there:
        return None
    aside = home / f"before-restore-{time.strftime(STAMP)}"
    make_private(aside)
    for path in there:
        copy(path, aside / path.name)
    return aside
