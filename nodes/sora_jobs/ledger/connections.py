"""How the ledger's database is reached: a SQLite file, or a PostgreSQL server; what their transactions begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError
from ..util.atomic_write import make_private
from ..util.redact import register_secret
from .database_errors import folder_error, in_use, ledger_error
from .liveness import NO_LOCK

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import: at first use, not when ComfyUI starts
    from sqlalchemy import URL, Connection, Engine

LOCK = 0x50EA  # names our exclusive transactions among the advisory locks of a PostgreSQL server
# Of PostgreSQL at most: as many as there are threads that may use it at once (the engine's 36, the nodes' 4, the page's
# 32), so that none waits for another's. Most are closed again after their transaction.
CONNECTIONS, KEPT = 80, 10

# A machine that dies or freezes inside a transaction must not hold up the others, nor a dead server its clients.
PATIENCE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c lock_timeout=30s -c statement_timeout=60s -c idle_in_transaction_session_timeout=30s "
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}

# What a transaction begins with, by the database and its kind.
BEGIN = {
    # SQLite has one writer at a time; saying so at the start keeps what was read in it true until it is written.
    ("sqlite", "read"): "BEGIN",
    ("sqlite", "write"): "BEGIN IMMEDIATE",
    ("sqlite", "exclusive"): "BEGIN IMMEDIATE",
    # PostgreSQL locks the rows that a "write" reads (FOR UPDATE); what looks at many rows takes turns.
    ("postgresql", "exclusive"): f"SELECT pg_advisory_xact_lock({LOCK})",
}


def sqlite(file: Path, timing: Timing = DEFAULT) -> Engine:
    """An engine for that file, up to date. It is made where it is not there, for this user alone. LedgerError if it
    cannot be used."""
    from sqlalchemy import URL, create_engine, event

    busy_s = timing.ledger_busy_s
    try:
        make_private(file.parent)
        if not file.exists():  # SQLite would make it for everybody to read; its other files get the mode of this one
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise folder_error(f"The state folder {file.parent} cannot be used", error, file.parent) from None
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": busy_s})
    event.listen(engine, "connect", _prepare)
    try:
        # Processes that start together open a new file one after the other: SQLite does not wait, as it does everywhere
        # else, when two turn the same file to WAL.
        with FileLock(f"{file}-opening", timeout=busy_s, fallback_to_soft=False):
            return _up_to_date(engine)
    except Timeout:
        message = f"Another program has been opening the ledger {file} for {busy_s:g} s."
        raise in_use(message, folder=file.parent) from None
    except NO_LOCK as error:
        raise folder_error(f"The state folder {file.parent} cannot be written", error, file.parent) from None


def address_of(url: str) -> URL:
    """The parts of a server's address, its password kept out of all that is shown. InvalidInputError for a malformed
    one."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
        if parts.drivername != "postgresql+psycopg":
            raise ArgumentError
    except (ArgumentError, ValueError):  # the second for a port that is no number
        raise InvalidInputError(
            "SORA_DATABASE_URL, or database_url in settings.toml, is not the address of a ledger.",
            hint="It looks like postgresql+psycopg://user:password@host/database; leave it out for a file.",
            code="invalid_setting",
        ) from None
    if parts.password:
        register_secret(str(parts.password))
    return parts


def postgresql(url: str) -> Engine:
    """An engine for that server's database, up to date. InvalidInputError without psycopg, or for a malformed address;
    LedgerError if it cannot be used."""
    from sqlalchemy import create_engine

    parts = address_of(url)
    try:
        engine = create_engine(
            parts,
            pool_pre_ping=True,
            pool_size=KEPT,
            max_overflow=CONNECTIONS - KEPT,
            connect_args=PATIENCE,
        )
    except ImportError:
        raise InvalidInputError(
            "A ledger on PostgreSQL needs the package psycopg.",
            hint='Install it: pip install "psycopg[binary]"',
            code="missing_package",
        ) from None
    return _up_to_date(engine)


def _up_to_date(engine: Engine) -> Engine:
    """The engine, its tables made or migrated. LedgerError where that fails: nothing of it stays open."""
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError

    from .migrations import migrate

    event.listen(engine, "begin", _begin)
    file = engine.url.database if engine.dialect.name == "sqlite" else ""
    try:
        with engine.connect().execution_options(sora_begin="exclusive") as connection, connection.begin():
            migrate(connection)
    except BaseException as error:
        engine.dispose()
        if not isinstance(error, SQLAlchemyError):
            raise
        raise ledger_error(
            file or engine.url.render_as_string(), error, folder=Path(file).parent if file else None
        ) from error
    return engine


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    try:
        _set_up(dbapi_connection)
    except BaseException:  # the pool does not know it yet, and would leave it open
        dbapi_connection.close()
        raise


def _set_up(dbapi_connection: Any) -> None:
    dbapi_connection.isolation_level = None  # sqlite3's own BEGIN comes too late to protect a read before a write
    dbapi_connection.create_function("sora_casefold", 1, str.casefold, deterministic=True)
    cursor = dbapi_connection.cursor()
    # FULL: the answer to a paid call must survive a power cut; on macOS only a full fsync does that.
    if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # it stays in the file
        cursor.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=FULL", "fullfsync=ON", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("sora_begin", "read")
    if statement := BEGIN.get((connection.dialect.name, kind)):
        connection.exec_driver_sql(statement)
