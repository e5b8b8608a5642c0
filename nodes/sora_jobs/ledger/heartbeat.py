"""On a farm: the owner id of a process, and the heartbeat by which the others see that it runs, on which machine, and
with which caps on spending."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.budget import Budget
from ..config.timing import Timing
from ..errors import InvalidInputError, LedgerError
from ..util.redact import redact
from .database_errors import ledger_error
from .machines import host_of, this_machine

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CAPS = ("usd_per_day", "usd_per_job")
_NOW = "extract(epoch FROM clock_timestamp())"

_log = logging.getLogger("sora")


class DatabaseLiveness:
    """On a farm every process says in the database, again and again, that it lives, and the caps that `budget` returns.
    The times are the server's, since the machines' clocks may differ."""

    def __init__(self, engine: Engine, home: Path, budget: Callable[[], Budget | None], timing: Timing) -> None:
        self._engine, self._home, self._budget, self._timing = engine, home, budget, timing
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None
        self._id = ""

    @property
    def id(self) -> str:
        """The owner id; the first use starts the heartbeat."""
        with self._guard:
            if not self._id:
                owner_id = secrets.token_hex(16)
                self._start(owner_id)
                self._id = owner_id
            return self._id

    @property
    def started(self) -> bool:
        return bool(self._id)

    @functools.cached_property
    def _machine(self) -> str:
        return this_machine(self._home)

    @property
    def host(self) -> str:
        """The machine's name, as a person knows it."""
        return host_of(self._machine)

    def budgets(self, own: Budget, connection: Connection) -> list[Budget]:
        """`own`, and those of all other processes that were heard of within `Timing.heartbeat_timeout_s`.

        A cap of 0 means that its machine buys nothing, and binds no other one: there it is left out. (A lower cap of a
        job would count for less in the day's sum, so each budget is one that has to have room by itself.)
        """
        from sqlalchemy import text

        query = (
            f"SELECT machine, usd_per_day, usd_per_job FROM owners WHERE id <> :id AND {self._lives} "  # noqa: S608 - ours
            "AND usd_per_day IS NOT NULL AND usd_per_job IS NOT NULL ORDER BY machine, id"
        )
        found = [Budget(own.usd_per_day, own.usd_per_job, self.host)]
        for machine, day, job in connection.execute(text(query), {"id": self._id}):
            if machine != self._machine:
                day, job = day or math.inf, job or own.usd_per_job  # noqa: PLW2901 - what of it counts here
            found.append(Budget(day, job, host_of(machine)))
        return found

    @property
    def _lives(self) -> str:
        """The condition of a row whose process was heard of in time."""
        return f"seen_at > {_NOW} - {self._timing.heartbeat_timeout_s}"

    def alive(self, owner_id: str, connection: Connection) -> bool:
        """Was it heard of within `Timing.heartbeat_timeout_s`?"""
        from sqlalchemy import text

        if owner_id and owner_id == self._id:
            return True
        heard = text(f"SELECT count(*) FROM owners WHERE id = :id AND {self._lives}")  # noqa: S608 - ours
        return bool(connection.execute(heard, {"id": owner_id}).scalar_one())

    def close(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        with self._guard:
            heart, self._heart = self._heart, None
            if heart is not None:
                self._ended.set()
                heart.join(self._timing.heartbeat_close_s)  # a beat that is under way would bring the row back
                with contextlib.suppress(SQLAlchemyError):  # the row expires by itself
                    self._run(self._id, "DELETE FROM owners WHERE id = :id")
                self._id = ""

    def _start(self, owner_id: str) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        ended = threading.Event()
        heart = threading.Thread(target=self._go_on, args=(owner_id, ended), name="sora-heartbeat", daemon=True)
        try:
            self._beat(owner_id)
            heart.start()
        except SQLAlchemyError as error:
            raise ledger_error(self._engine.url.render_as_string(), error, folder=None) from error
        except RuntimeError as error:
            raise LedgerError(
                f"No thread could be started to note that this program runs: {error}.",
                hint="Close other programs, then run again.",
                code="no_thread",
            ) from error
        self._ended, self._heart = ended, heart

    def _beat(self, owner_id: str) -> None:
        budget = None
        # The caps that were written last count until the settings can be read.
        with contextlib.suppress(InvalidInputError):
            budget = self._budget()
        kept = ", ".join(f"{name} = coalesce(excluded.{name}, owners.{name})" for name in CAPS)
        self._run(
            owner_id,
            f"INSERT INTO owners (id, seen_at, machine, usd_per_day, usd_per_job) "  # noqa: S608 - ours
            f"VALUES (:id, {_NOW}, :machine, :usd_per_day, :usd_per_job) "
            f"ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, {kept}",
            f"DELETE FROM owners WHERE id <> :id AND seen_at < {_NOW} - {self._timing.heartbeat_forget_s}",  # noqa: S608 - ours
            machine=self._machine,
            **{name: None if budget is None else getattr(budget, name) for name in CAPS},
        )

    def _go_on(self, owner_id: str, ended: threading.Event) -> None:
        told = False
        while not self._timing.sleep(ended, self._timing.heartbeat_s):
            try:
                self._beat(owner_id)
                told = False
            except Exception as error:  # noqa: BLE001 - without a beat the others take us for dead, and buy what we buy
                if not told:
                    reason = redact(str(getattr(error, "orig", None) or error))
                    _log.warning("The ledger could not be told that this program runs, it is tried again: %s", reason)
                told = True

    def _run(self, owner_id: str, *statements: str, **values: object) -> None:
        from sqlalchemy import text

        with self._engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), {"id": owner_id, **values})
