"""The ledger's database: SQLAlchemy on a SQLite file, or on PostgreSQL for a farm of machines that share one ledger."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from .budget import Budget
from .errors import InvalidInput, LedgerTrouble, SoraError
from .heartbeat import DatabaseOwner
from .ledger_errors import folder_trouble, in_use, ledger_trouble
from .owner import NO_LOCK, FileOwner, Owner
from .redact import remember
from .whole import make_private

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import: at first use, not when ComfyUI starts
    from sqlalchemy import URL, Connection, Engine

BUSY_TIMEOUT_S = 30
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


class _Opened:
    """An open database: its pool of connections, this process among those that share it, and the number of users."""

    def __init__(self, engine: Engine, owner: Owner) -> None:
        self.engine, self.owner, self.users = engine, owner, 0


class Database:
    """`home`/ledger.sqlite3, or the database at `url`; opened at the first use. Thread-safe.

    `url` may be a function, which is asked until the database is open: where the owner's settings cannot be read, its
    InvalidInput belongs to the one who uses the ledger, and the next use tries again. The caps of `budget` are told to
    the others of a farm.
    """

    def __init__(
        self,
        home: Path,
        url: str | Callable[[], str],
        clock: Callable[[], float],
        budget: Callable[[], Budget | None] = lambda: None,
    ) -> None:
        self.home, self._url, self._clock, self._budget = home, url, clock, budget
        self._opened: _Opened | None = None
        self._opening = threading.Lock()
        self._closed = self._stays = False

    @property
    def shared(self) -> bool:
        """Do several machines use it?"""
        return bool(self._address)

    @property
    def exists(self) -> bool:
        """Is there one yet? Asking makes none. Where the folder cannot be looked into, its use tells why."""
        try:
            return self.shared or self._file.exists()
        except OSError:
            return True

    @property
    def place(self) -> str:
        """Where it is, for a person; without its password."""
        return self._open().engine.url.render_as_string() if self.shared else str(self._file)

    @property
    def mark(self) -> str:
        """Tells whether two programs use the same server's database: a hash of its host, port and name; "" for a file.
        InvalidInput for a malformed address."""
        if not self.shared:
            return ""
        url = _address_of(self._address)
        hosts, port = url.host or url.query.get("host", ""), url.port or url.query.get("port", 5432)
        return hashlib.sha256(f"{hosts} {port} {url.database}".encode()).hexdigest()[:16]

    @property
    def owner(self) -> Owner:
        """This process among those that share the ledger."""
        return self._open().owner

    def stay(self) -> None:
        """Let other processes see, until `close`, that this one uses the ledger; where there is none yet, from its
        first use on. It makes no ledger, and where it fails the next purchase tells why."""
        self._stays = True
        with contextlib.suppress(SoraError):
            if self.exists:
                _ = self.owner.id

    def exclusive(self) -> AbstractContextManager[Connection]:
        """A transaction alone: what is read in it, of any row, is still true when it is written."""
        return self._transaction("exclusive")

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that is alone with the rows that it locks."""
        return self._transaction("write")

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that changes nothing."""
        return self._transaction("read")

    def now(self, connection: Connection) -> float:
        """Seconds since the epoch by one clock, whichever machine asks: the server's, where there is one."""
        if connection.dialect.name == "postgresql":
            from sqlalchemy import text

            return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        return self._clock()

    def close(self) -> None:
        """Say that this process ends. A transaction that is under way ends as it would have. What comes later opens the
        ledger once more, since the response to a create must be kept, and closes it again at its end."""
        with self._opening:
            self._closed = True
            opened, self._opened = self._opened, None
            if opened is None:
                return
            opened.users += 1
        try:
            opened.owner.close()
        finally:
            self._leave(opened)

    @property
    def _address(self) -> str:
        url = self._url
        return url() if callable(url) else url

    @property
    def _file(self) -> Path:
        return self.home / "ledger.sqlite3"

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._connection() as connection, connection.execution_options(sora_begin=kind).begin():
                yield connection
        except SQLAlchemyError as error:
            raise ledger_trouble(self.place, error, folder=None if self.shared else self.home) from error

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        opened = self._open(users=1)
        try:
            with opened.engine.connect() as connection:
                yield connection
        finally:
            self._leave(opened)

    def _open(self, users: int = 0) -> _Opened:
        with self._opening:
            if self._opened is None:
                url = self._address
                self._opened = self._made(url)
                self._url = url  # a ledger that is in use does not move
                if self._stays:
                    with contextlib.suppress(LedgerTrouble):  # a disk that is full can still be read
                        _ = self._opened.owner.id
            self._opened.users += users
            return self._opened

    def _leave(self, opened: _Opened) -> None:
        """The last user after `close` closes the connections: those in use at that moment are not in the pool, and
        `dispose` would leave them open."""
        with self._opening:
            opened.users -= 1
            last = not opened.users and (self._closed or opened is not self._opened)
            if last and opened is self._opened:
                self._opened = None
        if last:
            opened.owner.close()
            opened.engine.dispose()

    def _made(self, url: str) -> _Opened:
        engine = _postgresql(url) if url else _sqlite(self._file)
        try:
            if url:
                _bring_up_to_date(engine)
            else:
                self._first_open(engine)
            return _Opened(engine, DatabaseOwner(engine, self.home, self._budget) if url else FileOwner(self.home))
        except BaseException:
            engine.dispose()
            raise

    def _first_open(self, engine: Engine) -> None:
        try:
            # Processes that start together open a new file one after the other: SQLite does not wait, as it does
            # everywhere else, when two turn the same file to WAL.
            with FileLock(f"{self._file}-opening", timeout=BUSY_TIMEOUT_S, fallback_to_soft=False):
                _bring_up_to_date(engine)
        except Timeout:
            what = f"Another program has been opening the ledger {self._file} for {BUSY_TIMEOUT_S} s."
            raise in_use(what, folder=self.home) from None
        except NO_LOCK as error:
            raise folder_trouble(f"The state folder {self.home} cannot be written", error, self.home) from None


def _sqlite(file: Path) -> Engine:
    from sqlalchemy import URL, create_engine, event

    try:
        make_private(file.parent)
        if not file.exists():  # SQLite would make it for everybody to read; its other files get the mode of this one
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise folder_trouble(f"The state folder {file.parent} cannot be used", error, file.parent) from None
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare)
    return engine


def _address_of(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
        if parts.drivername != "postgresql+psycopg":
            raise ArgumentError
    except (ArgumentError, ValueError):  # the second for a port that is no number
        raise InvalidInput(
            "SORA_DATABASE_URL, or database_url in settings.toml, is not the address of a ledger.",
            advice="It looks like postgresql+psycopg://user:password@host/database; leave it out for a file.",
        ) from None
    if parts.password:
        remember(str(parts.password))
    return parts


def _postgresql(url: str) -> Engine:
    from sqlalchemy import create_engine

    parts = _address_of(url)
    try:
        return create_engine(
            parts,
            pool_pre_ping=True,
            pool_size=KEPT,
            max_overflow=CONNECTIONS - KEPT,
            connect_args=PATIENCE,
        )
    except ImportError:
        raise InvalidInput(
            "A ledger on PostgreSQL needs the package psycopg.", advice='Install it: pip install "psycopg[binary]"'
        ) from None


def _bring_up_to_date(engine: Engine) -> None:
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError

    from .migrations import migrate

    event.listen(engine, "begin", _begin)
    file = engine.url.database if engine.dialect.name == "sqlite" else ""
    try:
        with engine.connect().execution_options(sora_begin="exclusive") as connection, connection.begin():
            migrate(connection)
    except SQLAlchemyError as error:
        raise ledger_trouble(
            file or engine.url.render_as_string(), error, folder=Path(file).parent if file else None
        ) from error


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
