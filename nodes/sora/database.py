"""Opening the ledger's database: SQLAlchemy on a SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from .errors import LedgerTrouble
from .migrations import migrate


def open_database(file: Path, *, busy_timeout_s: int) -> Engine:
    """An engine on `file`, with the schema up to date. LedgerTrouble where it cannot be opened.

    A transaction starts with the statement in the execution option `sora_begin`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerTrouble(f"The state folder {file.parent} cannot be made: {error.strerror}.") from None
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection, connection.execution_options(sora_begin="BEGIN EXCLUSIVE").begin():
            migrate(connection)
    except DBAPIError as error:
        engine.dispose()
        raise LedgerTrouble(
            f"The ledger {file} cannot be opened: {error.orig}.",
            advice="Check that the disk is not full, that the folder may be written and that the file is a ledger.",
        ) from error
    except LedgerTrouble:
        engine.dispose()
        raise
    return engine


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # sqlite3's own BEGIN comes too late to protect a read before a write
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sora_begin", "BEGIN"))
