"""The ledger's database while it is open: its transactions, and this process among those that use it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.budget import Budget
from ..config.timing import DEFAULT, Timing
from ..errors import LedgerError, SoraError
from .connections import address_of, postgresql, sqlite
from .database_errors import ledger_error
from .heartbeat import DatabaseLiveness
from .liveness import FileLiveness, ProcessIdentity

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import: at first use, not when ComfyUI starts
    from sqlalchemy import Connection, Engine


class _Opened:
    """An open database: its pool of connections, this process among those that share it, and the number of users."""

    def __init__(self, engine: Engine, owner: ProcessIdentity) -> None:
        self.engine, self.owner, self.users = engine, owner, 0


class Database:
    """`home`/ledger.sqlite3, or the database at `url`; opened at the first use. Thread-safe.

    `url` may be a function, which is asked until the database is open: where the owner's settings cannot be read, its
    InvalidInputError belongs to the one who uses the ledger, and the next use tries again. The caps of `budget` are
    told to the others of a farm.
    """

    def __init__(
        self,
        home: Path,
        url: str | Callable[[], str],
        budget: Callable[[], Budget | None] = lambda: None,
        timing: Timing = DEFAULT,
    ) -> None:
        self.home, self.timing, self._url, self._budget = home, timing, url, budget
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
        InvalidInputError for a malformed address."""
        if not self.shared:
            return ""
        url = address_of(self._address)
        hosts, port = url.host or url.query.get("host", ""), url.port or url.query.get("port", 5432)
        return hashlib.sha256(f"{hosts} {port} {url.database}".encode()).hexdigest()[:16]

    @property
    def owner(self) -> ProcessIdentity:
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
        return self.timing.clock()

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
            raise ledger_error(self.place, error, folder=None if self.shared else self.home) from error

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
                    with contextlib.suppress(LedgerError):  # a disk that is full can still be read
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
        engine = postgresql(url) if url else sqlite(self._file, self.timing)
        try:
            if url:
                return _Opened(engine, DatabaseLiveness(engine, self.home, self._budget, self.timing))
            return _Opened(engine, FileLiveness(self.home, self.timing))
        except BaseException:
            engine.dispose()
            raise
