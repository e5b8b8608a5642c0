"""Rows of the ledger's one large table <-> `Job`; single statements inside a transaction of the ledger's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError, SoraError
from ..jobs.spec import Job, VideoRequest
from ..jobs.state import JobState

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import: at first use, not when ComfyUI starts
    from sqlalchemy import BindParameter, Connection
    from sqlalchemy.engine import Result, RowMapping

    from .liveness import ProcessIdentity

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no letter that reads like another
# A row whose process died while the request was on its way.
INTERRUPTED = {
    "state": JobState.UNKNOWN,
    "error": "the program ended while the request was on its way",
    "error_code": "interrupted",
}
AT_GATEWAY = "video_id = :id AND provider = :provider AND origin = :origin"
COLUMNS = tuple(name for name in Job.__dataclass_fields__ if name != "references")


def run(connection: Connection, statement: str, **values: Any) -> Result[Any]:
    """Execute one statement; every value is bound, never written into it. A list stands for what follows IN."""
    from sqlalchemy import bindparam, text

    names = [name for name, value in values.items() if isinstance(value, list)]
    lists: list[BindParameter[Any]] = [bindparam(name, expanding=True) for name in names]
    return connection.execute(text(statement).bindparams(*lists), values)


def state_in(holds: Callable[[JobState], bool]) -> str:
    """The SQL condition for the states of which that holds."""
    names = ", ".join(f"'{state}'" for state in JobState if holds(state))
    return f"state IN ({names})"


def as_job(row: Mapping[Any, Any]) -> Job:
    """The row as the rest of the engine knows it."""
    values = {name: row[name] for name in COLUMNS}
    values["state"] = JobState(row["state"])
    values["extra_fields"] = json.loads(row["extra_fields"])
    return Job(references=tuple(json.loads(row["reference_files"])), **values)


def first(connection: Connection, where: str, *, lock: bool = False, **values: str) -> RowMapping | None:
    """The newest row for which `where` holds; with `lock` nobody else changes it before the transaction ends."""
    query = f"SELECT * FROM jobs WHERE {where} ORDER BY created_at DESC LIMIT 1"  # noqa: S608 - `where` is ours
    # SQLite's transaction for writing is alone already.
    query += " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    return run(connection, query, **values).mappings().first()


def existing(connection: Connection, job: str, *, lock: bool = False) -> RowMapping:
    """The row of that ledger id; InvalidInputError where there is none."""
    row = first(connection, "id = :id", lock=lock, id=job)
    if row is None:
        raise InvalidInputError(
            f"The ledger has no job {job!r}.", hint="`sora jobs` lists what it has.", code="unknown_job"
        )
    return row


def insert(
    connection: Connection,
    spec: VideoRequest,
    *,
    origin: str,
    owner: str,
    now: float,
    estimated_usd: float | None = None,
    references: Sequence[str] = (),
    remix_of: Job | None = None,
    machine: str = "",
) -> Job:
    """A new row in the state RESERVED; a remix is shown with the model, length and size of its parent, `remix_of`, and
    belongs to the parent's project unless it has one of its own."""
    shown = remix_of or spec
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    empty = ("video_id", "remote_status", "error", "error_code", "request_id", "path", "root", "sha256", "aside", "fit")
    values |= dict.fromkeys(empty, "")
    values |= {name: getattr(spec, name) for name in ("kind", "provider", "prompt", "take", "parent")}
    values |= {name: getattr(shown, name) for name in ("model", "seconds", "size")}
    values |= {
        "id": "".join(secrets.choice(ALPHABET) for _ in range(10)),
        # A job that was bought elsewhere stands for no purchase of ours.
        "slot": None if spec.kind == "opened" else spec.identity.v1,
        "slot2": None if spec.kind == "opened" else spec.identity.v2,
        "identity": spec.identity.v1,
        "identity2": spec.identity.v2,
        "fit": fit_of(spec),
        "state": JobState.RESERVED,
        "origin": origin,
        "extra_fields": json.dumps(dict(spec.extra_fields)),
        "reference_files": json.dumps(list(references)),
        "owner": owner,
        "machine": machine,
        "estimated_usd": estimated_usd,
        "project": spec.project or (remix_of.project if remix_of else ""),
        "created_at": now,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    run(connection, f"INSERT INTO jobs ({names}) VALUES ({marks})", **_plain(values))  # noqa: S608 - our own names
    return as_job(existing(connection, values["id"]))


def of_sender(
    spec: VideoRequest, owner: ProcessIdentity, origin: str, estimated_usd: float | None, references: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of an unsent row by which it belongs to the process that is going to send it."""
    return {
        "owner": owner.id,
        "machine": owner.host,
        "origin": origin,
        "estimated_usd": estimated_usd,
        "reference_files": json.dumps(list(references)),
        "fit": fit_of(spec),
    }


def fit_of(spec: VideoRequest) -> str:
    """How the references of a purchase are fitted, as a row keeps it."""
    return next((reference.fit for reference in spec.references), "")


def update(connection: Connection, job: str, **changes: Any) -> Job:
    """Set columns of a row, and read it again."""
    _set(connection, job, changes)
    return as_job(existing(connection, job))


def update_locked(connection: Connection, row: RowMapping, **changes: Any) -> Job:
    """The same for a row that was read and locked in this transaction: nobody else can have changed it since."""
    _set(connection, row["id"], changes)
    return as_job({**row, **changes})


def _set(connection: Connection, job: str, changes: dict[str, Any]) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    query = f"UPDATE jobs SET {assignments} WHERE id = :job"  # noqa: S608 - our own column names
    run(connection, query, **_plain(changes), job=job)


def error_columns(error: SoraError) -> dict[str, Any]:
    """What of an error is kept."""
    return {"error": error.message, "error_code": error.code, "request_id": error.request_id}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, JobState) else value for name, value in values.items()}
