"""A copy of the ledger with all that belongs to it, made while it is in use; and the way back from one."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote

from .disk import disk_trouble
from .errors import InvalidInput
from .ledger_errors import folder_trouble, ledger_trouble
from .owner import FileOwner
from .whole import make_private, publish, remove, replace, sync_file, unfinished_name, write_whole

LEDGER = "ledger.sqlite3"
# What the owner and the page set, beside the ledger. No key is in a backup.
SETTINGS = ("settings.toml", "providers.toml", "page.json", "models.json")
REFERENCE = re.compile(r"references/[0-9a-f]{64}\.png")
HELD_S = 10  # for which another program may keep the ledger to itself
LARGEST_FILE = 1 << 30  # bytes of one file in a backup
STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Kept:
    """What a backup holds, or what was restored from one. `aside` is where what was there before is now."""

    jobs: int
    references: int
    aside: Path | None = None


def backup(home: Path, file: Path) -> Kept:
    """Write the ledger, its references and the settings of `home` into a zip file. Processes may go on using it: what
    is copied is one moment. InvalidInput where there is no ledger, DiskTrouble where it cannot be written."""
    ledger = home / LEDGER
    if not ledger.is_file():
        raise InvalidInput(f"There is no ledger in {home}.", advice="Name its folder: --home DIR.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_name(file)
        try:
            with tempfile.TemporaryDirectory(dir=file.parent) as folder, zipfile.ZipFile(unfinished, "x") as archive:
                jobs = backup_ledger(ledger, Path(folder) / LEDGER)
                archive.write(Path(folder) / LEDGER, LEDGER, zipfile.ZIP_DEFLATED)
                # After the ledger: each image is written before the row that names it.
                references = sorted((home / "references").glob("*.png"))
                for path in references:
                    archive.write(path, f"references/{path.name}")
                for name in SETTINGS:
                    if (home / name).is_file():
                        archive.write(home / name, name, zipfile.ZIP_DEFLATED)
            with unfinished.open("r+b") as written:
                sync_file(written.fileno())
            publish(unfinished, file)
        finally:
            with contextlib.suppress(OSError):
                remove(unfinished)
    except OSError as error:
        raise disk_trouble(f"The backup {file} could not be written", error) from error
    return Kept(jobs, len(references))


def restore(home: Path, file: Path) -> Kept:
    """Put back what `backup` wrote. What is in `home` is kept aside; images that only it has stay. InvalidInput for a
    file that is no backup, or while another process uses the ledger: nothing is changed."""
    refuse_in_use(home)
    try:
        make_private(home)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            jobs, names = _unpack(file, Path(folder))
            aside = put_aside(home)
            _put_back(Path(folder) / LEDGER, home / LEDGER)
            for name in names:
                if name in SETTINGS or not (home / name).exists():
                    write_whole(home / name, (Path(folder) / name).read_bytes())
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError):
            raise disk_trouble(f"{file} could not be restored to {home}", error) from error
        raise ledger_trouble(str(home / LEDGER), error, folder=home) from error
    return Kept(jobs, sum(name not in SETTINGS for name in names), aside)


def refuse_in_use(home: Path) -> None:
    """InvalidInput while another process uses the ledger of that folder; LedgerTrouble where nobody can tell."""
    owner = FileOwner(home)
    try:
        files = sorted((home / "owners").glob("*.lock"))
    except OSError as error:
        raise folder_trouble(f"The state folder {home} cannot be read", error, home) from error
    for file in files:
        if owner.alive(file.stem):
            raise InvalidInput(
                f"The ledger in {home} is in use by another process.",
                advice="End ComfyUI and the other `sora` commands that use it, then run again.",
            )


def is_damaged(ledger: Path) -> bool:
    """Is there a ledger, and can it not be read as one?"""
    if not ledger.is_file():
        return False
    try:
        with opened(ledger) as connection:
            _checked(connection)
    except sqlite3.Error as error:
        return is_damage(error)
    return False


def uri_of(file: PurePath) -> str:
    """The file as SQLite reads it in a URI: with no host, also for a Windows share (`as_uri` names the server)."""
    place = quote(file.as_posix(), safe="/:")
    return f"file://{'' if place.startswith('/') else '/'}{place}"


@contextlib.contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A ledger's file, only to be read. sqlite3.Error where it is damaged, or no ledger."""
    connection = sqlite3.connect(f"{uri_of(file.absolute())}?mode=ro", uri=True, timeout=HELD_S)
    try:
        yield connection
    finally:
        connection.close()


def backup_ledger(ledger: Path, target: Path) -> int:
    """One moment of a ledger that may be in use, as a file of its own; how many jobs it has."""
    try:
        with opened(ledger) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            _copy_pages(source, copy)
            return _checked(copy)
    except sqlite3.Error as error:
        raise ledger_trouble(str(ledger), error, folder=ledger.parent) from error


def _copy_pages(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy a whole ledger. sqlite3.Error where another program does not let go of either for HELD_S: SQLite's own way
    would wait for ever."""
    end = time.monotonic() + HELD_S

    def look(code: int, *_: int) -> None:
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = code
            raise busy

    source.backup(target, progress=look)


def _checked(connection: sqlite3.Connection) -> int:
    """How many jobs a ledger has. sqlite3.Error for one that is damaged."""
    if (said := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        damage = sqlite3.DatabaseError(said)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def is_damage(error: sqlite3.Error) -> bool:
    """Is that what SQLite says of a damaged file, and not of one that is locked, empty or on a missing drive?"""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _unpack(file: Path, folder: Path) -> tuple[int, list[str]]:
    """(jobs, names of the other files) of a backup, whose files are in `folder` now."""
    names: list[str] = []
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = entry.filename
                if name not in (LEDGER, *SETTINGS) and not REFERENCE.fullmatch(name):
                    raise InvalidInput(f"{file} is not a backup of a ledger: it holds {name[:80]!r}.")
                if entry.file_size > LARGEST_FILE:
                    raise InvalidInput(f"{file} is not a backup of a ledger: {name} has {entry.file_size} bytes.")
                (folder / name).parent.mkdir(exist_ok=True)
                with archive.open(entry) as source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
                names.append(name)
        if LEDGER not in names:
            raise InvalidInput(f"{file} is not a backup of a ledger: it holds no {LEDGER}.")
        with contextlib.closing(sqlite3.connect(folder / LEDGER)) as connection:
            jobs = _checked(connection)
    except (zipfile.BadZipFile, EOFError, sqlite3.Error, NotImplementedError, RuntimeError) as error:
        raise InvalidInput(f"{file} is not a backup of a ledger, or is damaged: {error}.") from error
    return jobs, [name for name in names if name != LEDGER]


def put_aside(home: Path) -> Path | None:
    """A copy of what will be written over: the ledger, whatever state it is in, and the settings."""
    there = [home / name for name in (LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", *SETTINGS) if (home / name).is_file()]
    if not there:
        return None
    aside = home / f"before-restore-{time.strftime(STAMP)}"
    make_private(aside)
    for path in there:
        shutil.copyfile(path, aside / path.name)
    return aside


def _put_back(source: Path, ledger: Path) -> None:
    """Make `ledger` what `source` is: as one transaction, so that whoever has it open reads the one or the other. A
    damaged one is replaced."""
    try:
        with contextlib.closing(sqlite3.connect(ledger, timeout=HELD_S)) as there:
            there.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with opened(source) as copy:
                _copy_pages(copy, there)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        for name in ("", "-wal", "-shm"):
            remove(ledger.with_name(ledger.name + name))
        replace(source, ledger)
