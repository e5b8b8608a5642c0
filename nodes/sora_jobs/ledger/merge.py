"""Another ledger of this user: what it holds of a purchase, and all of it brought into ours."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.locations import record_of
from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError, LedgerError, NotPurchasedError, storage_error
from ..jobs.identity import Identity
from ..jobs.state import FURTHEST_FIRST, JobState
from ..util.atomic_write import copy
from ..util.disk import is_gone
from .backups import LEDGER_FILE, backup_ledger, is_damage, opened, refuse_in_use
from .changes import KNOWN_BY_ID
from .database_errors import LEDGER_DENIED, LEDGER_FULL, LEDGER_IN_USE, ledger_error
from .identities import FREED, HOLDER_ORDER, complete, holder
from .ledger import Ledger
from .liveness import FileLiveness
from .references import References
from .rows import AT_GATEWAY, first, run

if TYPE_CHECKING:
    from sqlalchemy import Connection

# What only a running process says of a row.
LEFT_BEHIND: Mapping[str, Any] = {"watcher": "", "watched_until": 0.0}
NO_DAMAGE = (LEDGER_IN_USE, LEDGER_FULL, LEDGER_DENIED)  # codes of what keeps a ledger from being read for now
FOLDERS = ("sandbox/jobs", "sandbox/references")  # files that are named by their content or their id


# What a job of another ledger says of the purchase, by its state.
STANDS_FOR: Mapping[str, str] = {
    JobState.RESERVED: "Another program is sending exactly this",
    JobState.QUEUED: "Another program is going to send exactly this",
    JobState.UNKNOWN: "This may have been bought already",
    JobState.FAILED: "This was bought already and failed at the provider",
}


class Elsewhere(NamedTuple):
    """A job of another ledger that stands for a purchase. RESERVED: a program is sending it; UNKNOWN also where that
    program has ended."""

    home: Path
    job: str
    state: str

    @property
    def error(self) -> NotPurchasedError:
        """Why it is not bought here."""
        message = STANDS_FOR.get(self.state, "This was bought already")
        get = f'Get it with --home "{self.home}"'
        if self.state == JobState.UNKNOWN:
            get = f'Settle it in the tab *Sora jobs* there, or with `sora resume {self.job} --home "{self.home}"`'
        return NotPurchasedError(
            f"{message}: it is job {self.job} ({self.state}) of another ledger, in {self.home}.",
            hint=f'{get}; bring that ledger in with `sora import "{self.home}"`; or buy one more with another --take.',
        )


@dataclass(frozen=True)
class Imported:
    """How many jobs were brought in, and how many were known here already."""

    added: int
    known: int


def held_elsewhere(identity: Identity, homes: Iterable[Path], timing: Timing = DEFAULT) -> Elsewhere | None:
    """The first of those ledgers that holds the purchase. One that is gone, or damaged, counts as one that does not;
    LedgerError for any other one that cannot be read, since it may hold it."""
    for home in homes:
        try:
            found = _held_in(home, identity, timing)
        except sqlite3.Error as error:
            if is_damage(error) or is_gone(home / LEDGER_FILE):
                continue
            raise _not_read(home, ledger_error(str(home / LEDGER_FILE), error, folder=home)) from error
        except LedgerError as error:
            raise _not_read(home, error) from error
        if found is not None:
            return Elsewhere(home, *found)
    return None


def _not_read(home: Path, trouble: LedgerError) -> LedgerError:
    """The same of a ledger that is not the one in use, with the way to go on without it."""
    message = f"Another ledger of yours may hold this purchase, and cannot be read. {trouble.message}"
    record = record_of(home)
    way = f" If you no longer need that ledger, delete {record}: `sora` then no longer looks there." if record else ""
    return trouble.changed(message=message, hint=f"{trouble.hint}{way}")


def _held_in(home: Path, identity: Identity, timing: Timing) -> tuple[str, str] | None:
    with opened(home / LEDGER_FILE, timing) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(jobs)")}
        if not columns:  # an empty file, or another program's
            return None
        also = " OR (slot IS NOT NULL AND identity2 = :v2)" if "identity2" in columns else ""
        query = f"SELECT id, state, sent_at, owner FROM jobs WHERE slot = :v1{also} ORDER BY {HOLDER_ORDER}"  # noqa: S608 - ours
        for job, state, sent_at, owner in connection.execute(query, identity._asdict()):
            if not _is_reserved(state) or FileLiveness(home).alive(owner):
                return job, state
            if sent_at is not None:  # as that ledger itself will say of it
                return job, JobState.UNKNOWN
        return None  # or a row of a program that ended before anything was sent


def import_home(home: Path, ledger: Ledger) -> Imported:
    """Bring every job of another state folder into this ledger, with the images that they name. Where both have a
    purchase, the row that is further on its way to a video stands for it, and the other one is kept. The other folder
    stays as it is. InvalidInputError where there is no ledger in it, or while one of both is in use."""
    here = ledger.database.home
    if is_gone(home / LEDGER_FILE):
        raise InvalidInputError(
            f"There is no ledger in {home}.", hint="Name the folder that holds ledger.sqlite3.", code="no_ledger"
        )
    if home.resolve() == here.resolve():
        raise InvalidInputError(f"{home} is the ledger that is used already.", code="same_ledger")
    refuse_in_use(home)
    if not ledger.database.shared:
        refuse_in_use(here)
    rows = _rows_of(home, ledger.database.timing)
    try:
        _copy_missing(home / "references", ledger.references.folders[0])
        for folder in FOLDERS:
            _copy_missing(home / folder, here / folder)
    except OSError as error:
        raise storage_error(f"The files of {home} could not be copied to {here}", error) from error
    added = 0
    with ledger.database.exclusive() as connection:
        for row in rows:
            added += add_row(connection, row)
    return Imported(added, len(rows) - added)


def bring_over(home: Path, ledger: Ledger) -> tuple[int, bool]:
    """Add what only the ledger in `home` knows to the `ledger` that is about to replace it: jobs, and what became of
    those that were being bought. Return (how many jobs, whether all of it could be read). LedgerError while another
    program holds it."""
    try:
        rows, whole = _rows_of(home, ledger.database.timing), True
    except LedgerError as error:
        if error.code in NO_DAMAGE:
            raise
        rows, whole = list(readable(home / LEDGER_FILE, ledger.database.timing)), False
    added = 0
    if whole:
        with ledger.database.exclusive() as connection:
            added = sum(_bring_over(connection, row) for row in rows)
    for row in () if whole else rows:
        # What is damaged must not keep the rest from coming back.
        with contextlib.suppress(LedgerError), ledger.database.exclusive() as connection:
            columns = run(connection, "SELECT * FROM jobs LIMIT 0").keys()
            added += _bring_over(connection, {name: value for name, value in row.items() if name in columns})
    return added, whole


def _bring_over(connection: Connection, row: dict[str, Any]) -> bool:
    """Add a later row. It takes the place of one of that job which does not know yet what was bought."""
    known = first(connection, "id = :id", id=row["id"])
    if known is None:
        return add_row(connection, row)
    if _is_reserved(known["state"]) or (row["video_id"] and not known["video_id"]):
        run(connection, "DELETE FROM jobs WHERE id = :id", id=row["id"])
        add_row(connection, row)
        return str(row["state"]) != str(known["state"])
    return False


def readable(file: Path, timing: Timing) -> Iterator[dict[str, Any]]:
    """The rows of a damaged ledger, up to the one at which it is damaged; from its end as well."""
    for order in ("", " ORDER BY rowid DESC"):
        with contextlib.suppress(sqlite3.Error), opened(file, timing) as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(f"SELECT * FROM jobs{order}"):  # noqa: S608 - ours
                yield dict(row)


def _rows_of(home: Path, timing: Timing) -> list[dict[str, Any]]:
    """All rows of another ledger, oldest first, as this version keeps them: a copy of it is brought up to date."""
    with tempfile.TemporaryDirectory() as folder:
        backup_ledger(home / LEDGER_FILE, Path(folder) / LEDGER_FILE, timing)
        of_copy = Ledger(Path(folder), timing=timing)
        try:
            complete(of_copy.database, set(), References(home))
            with of_copy.database.read() as connection:
                return [dict(row) for row in run(connection, "SELECT * FROM jobs ORDER BY created_at, id").mappings()]
        finally:
            of_copy.close()


def add_row(connection: Connection, row: dict[str, Any]) -> bool:
    """Add a row of another ledger, unless this one has the job. Of two rows for one purchase that is further on its way
    to a video stands for it. Where ours was only opened by its id, what is known of it here becomes the purchase's
    own."""
    if first(connection, "id = :id", id=row["id"]) is not None:
        return False
    if row["video_id"]:
        there = {"id": row["video_id"], "provider": row["provider"], "origin": row["origin"]}
        if (same := first(connection, AT_GATEWAY, **there)) is not None:
            if same["kind"] != "opened" or row["kind"] == "opened":
                return False
            run(connection, "DELETE FROM jobs WHERE id = :id", id=same["id"])  # ours was bought by the other one
            if _rank(same["state"]) <= _rank(row["state"]):
                row = row | {name: same[name] for name in KNOWN_BY_ID if name != "charged_usd"}
            row = row | _of_both(row, same)
    if row["slot"] is not None:
        identity = Identity(row["identity"], row.get("identity2", ""))
        ours = holder(connection, identity, lock=True)
        if ours is None or _rank(row["state"]) < _rank(ours["state"]):
            # Several rows of older code may hold it: one each for every way in which one picture was fitted.
            run(connection, "UPDATE jobs SET slot = NULL, slot2 = NULL WHERE slot = :v1", v1=identity.v1)
            run(connection, "UPDATE jobs SET slot2 = NULL WHERE slot2 = :v2", v2=identity.v2)
            row = row | {"slot2": identity.v2 or None}
        else:
            row = row | FREED
    row = {**row, **LEFT_BEHIND}
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    run(connection, f"INSERT INTO jobs ({names}) VALUES ({marks})", **row)  # noqa: S608 - our own column names
    return True


def _of_both(row: Mapping[str, Any], same: Mapping[Any, Any]) -> dict[str, Any]:
    """What only one of two rows for one video may know: its project, which the purchase's own goes before, and what was
    charged. A row of a damaged ledger may be older than these columns."""
    charged = row.get("charged_usd")
    return {
        "project": row.get("project") or same["project"],
        "charged_usd": same["charged_usd"] if charged is None else charged,
    }


def _is_reserved(state: str) -> bool:
    return state in list(JobState) and JobState(state).is_reserved


def _rank(state: str) -> int:
    return FURTHEST_FIRST.index(JobState(state)) if state in FURTHEST_FIRST else len(FURTHEST_FIRST)


def _copy_missing(source: Path, target: Path) -> None:
    for path in sorted(source.glob("*")) if source.is_dir() else ():
        if path.is_file() and not (target / path.name).exists():
            target.mkdir(parents=True, exist_ok=True)
            copy(path, target / path.name)
