"""What failed at the ledger's database, told by the number of the error: held by another program, full, not allowed,
damaged. Only a full disk is called one."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout

from ..errors import LedgerError
from ..util.atomic_write import BUSY_ERRNOS
from ..util.disk import KEEP_HINT, hint_of, network_of, rights_hint

LEDGER_IN_USE, LEDGER_FULL, LEDGER_DENIED, LEDGER_DAMAGED = (
    "ledger_in_use",
    "ledger_full",
    "ledger_denied",
    "ledger_damaged",
)
CLOSED = "closed"  # which says nothing yet
SHARING = (32, 33)  # Windows' numbers for a file that another program has open
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

_CLOSE = (
    "Close what has it open (an SQLite browser, a backup, a virus scanner, a sync client), or wait until it is done; "
    "then run again."
)
_LOCKS = (
    "The ledger needs a disk with file locks: set SORA_HOME to a folder on a local one, and move the ledger there. "
    f"{KEEP_HINT}"
)
_BROKEN_DISK = f"Check the disk, and whether another program (a virus scanner, say) has the file open. {KEEP_HINT}"
_MOVED = "It was moved or replaced while it was in use: restart ComfyUI."
_REBUILD = (
    f"{KEEP_HINT} `sora restore FILE` puts a backup back, and `sora restore --rebuild` saves what can be read of it."
)


class _Cause(NamedTuple):
    """What it means, and what to do; "" as advice where that depends on the folder."""

    code: str
    hint: str


# SQLite's primary codes, and those extended ones that say something else than theirs.
_BY_SQLITE = {
    **dict.fromkeys(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), _Cause(LEDGER_IN_USE, _CLOSE)
    ),
    sqlite3.SQLITE_FULL: _Cause(LEDGER_FULL, "Free disk space, then run again."),
    **dict.fromkeys((sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY), _Cause(LEDGER_DENIED, "")),
    sqlite3.SQLITE_CANTOPEN: _Cause(CLOSED, ""),
    **dict.fromkeys((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), _Cause(LEDGER_DAMAGED, _REBUILD)),
    sqlite3.SQLITE_IOERR: _Cause("", _BROKEN_DISK),
    sqlite3.SQLITE_READONLY_DBMOVED: _Cause("", _MOVED),
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK,
            sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK, sqlite3.SQLITE_IOERR_SHMLOCK, sqlite3.SQLITE_IOERR_SHMMAP,
            sqlite3.SQLITE_IOERR_SHMOPEN,
        ),
        _Cause("no_file_locks", _LOCKS),
    ),
}  # fmt: skip
# PostgreSQL's: lock_timeout, statement_timeout, a deadlock; and a full disk of the server's.
_BY_SQLSTATE = {
    **dict.fromkeys(
        ("55P03", "57014", "40P01"),
        _Cause(LEDGER_IN_USE, "Another program holds it: end what hangs on the database server, then run again."),
    ),
    "53100": _Cause(LEDGER_FULL, "Free disk space on the database server, then run again."),
}
_SERVER = "Check that the database server runs, and that it lets this user in."


def ledger_error(place: str, error: Exception, *, folder: Path | None) -> LedgerError:
    """The error for a ledger at `place` that could not be used. `error` is SQLAlchemy's or sqlite3's own; `folder` is
    that of a SQLite file, None for a server."""
    cause = _cause(getattr(error, "orig", None) or error, is_file=folder is not None)
    reason = str(getattr(error, "orig", None) or error).strip().rstrip(".")
    if cause.code == CLOSED and folder is not None:
        return _not_opened(Path(place), reason, folder)
    if cause.code == LEDGER_IN_USE:
        return in_use(f"The ledger {place} is held by another program ({reason}).", cause.hint, folder)
    hint = cause.hint or rights_hint(folder or Path(place))
    return LedgerError(f"The ledger {place} could not be used: {reason}.", hint=hint, code=cause.code)


def _not_opened(file: Path, reason: str, folder: Path) -> LedgerError:
    """SQLite has one word for whatever keeps a file closed; the system has more."""
    message = f"The ledger {file} could not be opened ({reason})"
    try:
        with file.open("r+b"):
            pass
    except OSError as error:
        return folder_error(message, error, folder)
    if not os.access(folder, os.W_OK):  # its journal is beside it
        return LedgerError(f"{message}.", hint=rights_hint(folder), code=LEDGER_DENIED)
    return in_use(f"{message}: another program had it for a moment.", folder=folder)


def in_use(message: str, hint: str = _CLOSE, folder: Path | None = None) -> LedgerError:
    """The error for a ledger that another program does not let go of."""
    kind = network_of(folder) if folder is not None else ""
    more = f" It is on {kind}: move it to a local disk (SORA_HOME), since locks over a network fail." if kind else ""
    return LedgerError(message, hint=hint + more, code=LEDGER_IN_USE)


def folder_error(message: str, error: Exception, folder: Path) -> LedgerError:
    """The error for a state folder that cannot be made or written: `what` failed there."""
    reason = str(getattr(error, "strerror", None) or error).rstrip(".")
    held = getattr(error, "winerror", None) in SHARING or getattr(error, "errno", None) in BUSY_ERRNOS
    if held or isinstance(error, Timeout):
        return in_use(f"{message}: {reason}.", folder=folder)
    if isinstance(error, PermissionError):
        return LedgerError(f"{message}: {reason}.", hint=rights_hint(folder), code=LEDGER_DENIED)
    if not isinstance(error, OSError) or error.errno in NO_LOCKS:
        return LedgerError(f"{message}: {reason}.", hint=_LOCKS, code="no_file_locks")
    code = LEDGER_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return LedgerError(f"{message}: {reason}.", hint=f"{hint_of(error)} Then run again.", code=code)


def _cause(error: object, *, is_file: bool) -> _Cause:
    if not is_file:
        return _BY_SQLSTATE.get(getattr(error, "sqlstate", None) or "", _Cause("", _SERVER))
    number = getattr(error, "sqlite_errorcode", None) or 0
    unknown = _Cause("", "Run `sora doctor`, which looks for the reason.")
    return _BY_SQLITE.get(number) or _BY_SQLITE.get(number & 0xFF) or unknown
