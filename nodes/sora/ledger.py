"""The ledger: every job ever sent, written before a byte leaves. It alone decides whether something may be bought.

A SQLite file in `SORA_HOME` (WAL, fsync at every commit: the answer to a paid call must survive a power cut).
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidInput, JobFailed, LedgerTrouble, MaybeBought, SoraError
from .owner import Owner
from .spec import Job, JobSpec, JobState
from .wire import SETTLE, RemoteVideo

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import: at first use, not when ComfyUI starts
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import RowMapping

BUSY_TIMEOUT_S = 30
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no letter that reads like another
UNFINISHED = (JobState.SUBMITTED, JobState.COMPLETED)

_COLUMNS = tuple(name for name in Job.__dataclass_fields__ if name != "references")


class Ledger:
    """All jobs of one `SORA_HOME`. Thread-safe, and safe among processes on one machine."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._home = home
        self._clock = clock
        self.owner = Owner(home)
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    # -- a purchase, step by step ---------------------------------------------------------------------------------

    def reserve(
        self,
        spec: JobSpec,
        *,
        origin: str,
        estimated_usd: float | None,
        references: Sequence[str] = (),
        like: Job | None = None,
    ) -> tuple[Job, bool]:
        """The row that stands for this purchase, and whether the caller is now the one to send it.

        A new row is written where there is none; a reserved one whose process died before it sent anything is taken
        over, and one whose process died afterwards becomes UNKNOWN. A remix is shown with the model, length and
        size of its parent, `like`.
        """
        with self._write() as connection:
            row = _first(connection, "slot = :slot", slot=spec.identity())
            if row is None:
                return self._insert(connection, spec, origin, estimated_usd, references, like), True
            if row["state"] == JobState.RESERVED and not self.owner.alive(row["owner"]):
                if row["sent_at"] is None:
                    return self._update(connection, row["id"], owner=self.owner.id), True
                return self._update(connection, row["id"], **_interrupted_create()), False
            return _job(row), False

    def sending(self, job: str) -> None:
        """From now on the gateway may have the request."""
        self._change(job, sent_at=self._clock())

    def not_sent(self, job: str) -> None:
        """The gateway refused for the moment: nothing is there, and the same row will be sent again."""
        self._change(job, sent_at=None)

    def submitted(self, job: str, video: RemoteVideo) -> Job:
        """The gateway gave it an id."""
        row = self._change(
            job, state=JobState.SUBMITTED, video_id=video.id, submitted_at=self._clock(), request_id=video.request_id
        )
        return self.observed(row.id, video)

    def refused(self, job: str, error: SoraError) -> Job:
        """Nothing was bought; the identity is free again."""
        return self._change(job, state=JobState.REFUSED, slot=None, **_error_columns(error))

    def unknown(self, job: str, error: SoraError) -> Job:
        """Nobody can tell whether it was bought; the identity stays taken until somebody settles it."""
        return self._change(job, state=JobState.UNKNOWN, **_error_columns(error))

    def observed(self, job: str, video: RemoteVideo) -> Job:
        """What a look at the gateway told. A stored, failed or lost job is left as it is."""
        with self._write() as connection:
            row = _existing(connection, job)
            if row["state"] not in UNFINISHED:
                return _job(row)
            changes: dict[str, Any] = {"remote_status": video.status, "progress": video.progress}
            for name in ("model", "seconds", "size", "prompt"):  # an id from elsewhere came without them
                if not row[name] and getattr(video, name):
                    changes[name] = getattr(video, name)
            if video.phase == "done":
                changes |= {"state": JobState.COMPLETED, "progress": 100.0}
                changes |= {"completed_at": row["completed_at"] or self._clock()}
            elif video.phase == "failed":
                said = video.complaint
                changes |= {"state": JobState.FAILED, "completed_at": self._clock()}
                changes |= {"error": said.message if said else "", "error_code": said.code if said else ""}
                changes |= {"request_id": video.request_id or row["request_id"]}
            if all(row[name] == value for name, value in changes.items()):
                return _job(row)
            return self._update(connection, job, **changes)

    def stored(self, job: str, *, path: str, root: str, sha256: str, size: int) -> Job:
        """Its MP4 is on disk at `root`/`path`."""
        return self._change(
            job,
            state=JobState.STORED,
            path=path,
            root=root,
            sha256=sha256,
            bytes=size,
            stored_at=self._clock(),
            error="",
        )

    # -- jobs from elsewhere, and settling ----------------------------------------------------------------------------

    def adopt(self, provider: str, origin: str, video_id: str) -> Job:
        """The row of a gateway id, made if there is none: the user bought it somewhere else."""
        with self._write() as connection:
            row = _first(connection, "video_id = :id AND provider = :provider", id=video_id, provider=provider)
            if row is not None:
                return _job(row)
            spec = JobSpec(kind="opened", provider=provider, prompt="(opened by its id)", parent=video_id)
            job = self._insert(connection, spec, origin, None, (), None)
            now = self._clock()
            return self._update(
                connection, job.id, state=JobState.SUBMITTED, video_id=video_id, submitted_at=now, prompt="", parent=""
            )

    def settle(self, job: str, *, video_id: str = "") -> Job:
        """End an UNKNOWN: with the id that the user found at the gateway, or declared lost where none is given."""
        with self._write() as connection:
            row = _existing(connection, job)
            if row["state"] != JobState.UNKNOWN:
                raise InvalidInput(f"Job {job} is {row['state']}; only an unknown one has to be settled.", job=job)
            if not video_id:
                return self._update(connection, job, state=JobState.LOST, slot=None)
            return self._update(
                connection, job, state=JobState.SUBMITTED, video_id=video_id, submitted_at=self._clock(), error=""
            )

    # -- reading ----------------------------------------------------------------------------------------------------

    def job(self, job: str) -> Job:
        """The row of a ledger id; InvalidInput where there is none."""
        with self._read() as connection:
            return _job(_existing(connection, job))

    def holding(self, spec: JobSpec) -> Job | None:
        """The job that stands for this purchase now, or None where it may be sent."""
        with self._read() as connection:
            row = _first(connection, "slot = :slot", slot=spec.identity())
            return None if row is None else _job(row)

    def find(self, name: str) -> Job | None:
        """The job of a ledger id or a gateway id."""
        with self._read() as connection:
            row = _first(connection, "id = :name", name=name) or _first(connection, "video_id = :name", name=name)
            return None if row is None else _job(row)

    def jobs(self, *, state: str = "", model: str = "", search: str = "", limit: int = 100) -> list[Job]:
        """Newest first; `search` looks into the prompt and both ids."""
        where, values = ["1 = 1"], {"limit": limit}
        for name, value in (("state", state), ("model", model)):
            if value:
                where.append(f"{name} = :{name}")
                values[name] = value  # type: ignore[assignment]
        if search:
            where.append("(lower(prompt) LIKE :search ESCAPE '!' OR id LIKE :search OR video_id LIKE :search)")
            escaped = search.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
            values["search"] = f"%{escaped}%"  # type: ignore[assignment]
        with self._read() as connection:
            query = f"SELECT * FROM jobs WHERE {' AND '.join(where)} ORDER BY created_at DESC, id LIMIT :limit"  # noqa: S608 - every value is bound
            from sqlalchemy import text

            return [_job(row) for row in connection.execute(text(query), values).mappings()]

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        self.owner.close()

    # -- the database ---------------------------------------------------------------------------------------------

    def _change(self, job: str, **changes: Any) -> Job:
        with self._write() as connection:
            return self._update(connection, job, **changes)

    def _insert(
        self,
        connection: Connection,
        spec: JobSpec,
        origin: str,
        estimated_usd: float | None,
        references: Sequence[str],
        like: Job | None,
    ) -> Job:
        shown = like or spec
        values: dict[str, Any] = dict.fromkeys(_COLUMNS)
        values |= dict.fromkeys(("video_id", "remote_status", "error", "error_code", "request_id", "path", "root"), "")
        values |= {name: getattr(spec, name) for name in ("kind", "provider", "prompt", "take", "parent")}
        values |= {name: getattr(shown, name) for name in ("model", "seconds", "size")}
        values |= {
            "id": "".join(secrets.choice(ALPHABET) for _ in range(10)),
            "slot": spec.identity(),
            "identity": spec.identity(),
            "state": JobState.RESERVED,
            "origin": origin,
            "extra_fields": json.dumps(dict(spec.extra_fields)),
            "reference_files": json.dumps(list(references)),
            "owner": self.owner.id,
            "estimated_usd": estimated_usd,
            "created_at": self._clock(),
            "sha256": "",
        }
        from sqlalchemy import text

        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), _plain(values))  # noqa: S608 - our own names
        return _job(_existing(connection, values["id"]))

    def _update(self, connection: Connection, job: str, **changes: Any) -> Job:
        from sqlalchemy import text

        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        query = f"UPDATE jobs SET {assignments} WHERE id = :job"  # noqa: S608 - our own column names
        connection.execute(text(query), _plain(changes) | {"job": job})
        return _job(_existing(connection, job))

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """An exclusive transaction: what is read in it is still true when it is written."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError

        try:
            with self._open().connect().execution_options(sora_begin=begin) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise LedgerTrouble(
                f"The ledger in {self._home} could not be used: {error.orig}.",
                advice="Check that the disk is not full and that the folder may be written.",
            ) from error

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                from .database import open_database

                self._engine = open_database(self._home / "ledger.sqlite3", busy_timeout_s=BUSY_TIMEOUT_S)
            return self._engine


def taken_error(job: Job) -> SoraError:
    """Why running the same again does not send it: for a job that is UNKNOWN or FAILED."""
    if job.state is JobState.UNKNOWN:
        return MaybeBought(
            f"An earlier try of exactly this job may have been bought ({job.error}).", advice=SETTLE, job=job.id
        )
    why = ": ".join(part for part in (job.error_code, job.error) if part) or "the gateway gave no reason"
    return JobFailed(
        f"The gateway ended this job without a video ({why}).",
        advice="It is not sent again by itself. Change the prompt, or choose another take to try the same once more.",
        job=job.id,
        request_id=job.request_id,
        code=job.error_code,
    )


def _interrupted_create() -> dict[str, Any]:
    return {
        "state": JobState.UNKNOWN,
        "error": "the program ended while the request was on its way",
        "error_code": "interrupted",
    }


def _error_columns(error: SoraError) -> dict[str, Any]:
    return {"error": error.what, "error_code": error.code, "request_id": error.request_id}


def _first(connection: Connection, where: str, **values: str) -> RowMapping | None:
    from sqlalchemy import text

    query = f"SELECT * FROM jobs WHERE {where} ORDER BY created_at DESC LIMIT 1"  # noqa: S608 - `where` is ours
    return connection.execute(text(query), values).mappings().first()


def _existing(connection: Connection, job: str) -> RowMapping:
    row = _first(connection, "id = :id", id=job)
    if row is None:
        raise InvalidInput(f"The ledger has no job {job!r}.", advice="`sora jobs` lists what it has.")
    return row


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in _COLUMNS}
    values["state"] = JobState(row["state"])
    values["extra_fields"] = json.loads(row["extra_fields"])
    return Job(references=tuple(json.loads(row["reference_files"])), **values)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, JobState) else value for name, value in values.items()}
