"""The way back from a backup."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import tempfile
import zipfile
from pathlib import Path

from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError, storage_error
from ..util.atomic_write import atomic_write, make_private, remove, replace
from .backups import (
    LEDGER_FILE,
    SETTINGS_FILES,
    Kept,
    checked,
    copy_aside,
    copy_pages,
    is_damage,
    opened,
    refuse_in_use,
)
from .database_errors import ledger_error
from .ledger import Ledger
from .merge import bring_over

REFERENCE = re.compile(r"references/[0-9a-f]{64}\.png")
LARGEST_FILE = 1 << 30  # bytes of one file in a backup


def restore(home: Path, file: Path, timing: Timing = DEFAULT) -> Kept:
    """Put back what `backup` wrote. What is in `home` is kept aside; what its ledger bought since the backup, and
    images that only it has, stay. InvalidInputError for a file that is no backup, or while another process uses the
    ledger; LedgerError where the ledger there is held by another program: nothing is changed."""
    refuse_in_use(home)
    try:
        make_private(home)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            jobs, names = _unpack(file, Path(folder))
            later, whole = _keep_later(home, Path(folder), timing)
            aside = copy_aside(home)
            _put_back(Path(folder) / LEDGER_FILE, home / LEDGER_FILE, timing)
            for name in names:
                if name in SETTINGS_FILES or not (home / name).exists():
                    atomic_write(home / name, (Path(folder) / name).read_bytes())
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError):
            raise storage_error(f"{file} could not be restored to {home}", error) from error
        raise ledger_error(str(home / LEDGER_FILE), error, folder=home) from error
    return Kept(jobs, sum(name not in SETTINGS_FILES for name in names), aside, later, whole)


def _keep_later(home: Path, folder: Path, timing: Timing) -> tuple[int, bool]:
    """Add to the unpacked ledger in `folder` what only the one in `home` knows; as `bring_over`."""
    if not (home / LEDGER_FILE).is_file():
        return 0, True
    unpacked = Ledger(folder, timing=timing)
    try:
        return bring_over(home, unpacked)
    finally:
        unpacked.close()


def _unpack(file: Path, folder: Path) -> tuple[int, list[str]]:
    """(jobs, names of the other files) of a backup, whose files are in `folder` now."""
    names: list[str] = []
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = entry.filename
                if name not in (LEDGER_FILE, *SETTINGS_FILES) and not REFERENCE.fullmatch(name):
                    raise InvalidInputError(
                        f"{file} is not a backup of a ledger: it holds {name[:80]!r}.", code="not_a_backup"
                    )
                if entry.file_size > LARGEST_FILE:
                    raise InvalidInputError(
                        f"{file} is not a backup of a ledger: {name} has {entry.file_size} bytes.", code="not_a_backup"
                    )
                (folder / name).parent.mkdir(exist_ok=True)
                with archive.open(entry) as source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
                names.append(name)
        if LEDGER_FILE not in names:
            raise InvalidInputError(
                f"{file} is not a backup of a ledger: it holds no {LEDGER_FILE}.", code="not_a_backup"
            )
        with contextlib.closing(sqlite3.connect(folder / LEDGER_FILE)) as connection:
            jobs = checked(connection)
    except (zipfile.BadZipFile, EOFError, sqlite3.Error, NotImplementedError, RuntimeError) as error:
        message = f"{file} is not a backup of a ledger, or is damaged: {error}."
        raise InvalidInputError(message, code="not_a_backup") from error
    return jobs, [name for name in names if name != LEDGER_FILE]


def _put_back(source: Path, ledger: Path, timing: Timing) -> None:
    """Make `ledger` what `source` is: as one transaction, so that whoever has it open reads the one or the other. A
    damaged one is replaced."""
    try:
        with contextlib.closing(sqlite3.connect(ledger, timeout=timing.ledger_copy_busy_s)) as there:
            there.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with opened(source, timing) as copy:
                copy_pages(copy, there, timing)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        for name in ("", "-wal", "-shm"):
            remove(ledger.with_name(ledger.name + name))
        replace(source, ledger)
