"""Changes of a row: by a response of its provider, and by a person who reconciles it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..jobs.remote_video import RemoteVideo
from ..jobs.spec import ARCHIVED, EXPIRED, MUTED, Job, VideoRequest
from ..jobs.state import JobState
from ..util.redact import redact
from .database import Database
from .identities import FREED
from .liveness import ProcessIdentity
from .rows import AT_GATEWAY, as_job, existing, first, insert, run, update

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import RowMapping

# What is learned of a job whose id alone was known.
KNOWN_BY_ID = (
    "state", "remote_status", "progress", "submitted_at", "completed_at", "stored_at", "stale_at", "error",
    "error_code", "path", "root", "sha256", "bytes", "charged_usd",
)  # fmt: skip

# A job that was seen to fail, and goes on all the same.
GOES_ON = {
    "state": JobState.SUBMITTED, "stale_at": None, "error": "", "error_code": "", "completed_at": None, "aside": "",
}  # fmt: skip


def stale_since(row: RowMapping, now: float, limit_s: float) -> float | None:
    """Return since when a job is stale that its provider has not finished, or does not know, `now`: only what was
    answered after the provider's limit counts."""
    if row["stale_at"] is None and now - (row["submitted_at"] or row["created_at"]) > limit_s:
        return now
    return None if row["stale_at"] is None else float(row["stale_at"])


def observed_changes(row: RowMapping, video: RemoteVideo, now: float, limit_s: float) -> dict[str, Any]:
    """Return the columns of a pending job that change by what its provider said of it `now`."""
    changes: dict[str, Any] = {"remote_status": redact(video.status)[:100], "progress": video.progress}
    changes["stale_at"] = None if video.phase in ("done", "failed") else stale_since(row, now, limit_s)
    for name in ("model", "seconds", "size", "prompt"):  # an id from elsewhere came without them
        if not row[name] and getattr(video, name):
            changes[name] = getattr(video, name)
    if video.phase == "done":
        changes |= {"state": JobState.COMPLETED, "progress": 100.0}
        changes |= {"completed_at": row["completed_at"] or now}
        if video.charged_usd is not None:
            changes["charged_usd"] = video.charged_usd
    elif video.phase == "failed":
        said = video.complaint
        changes |= {"state": JobState.FAILED, "completed_at": now}
        changes |= {
            "error": redact(said.message) if said else "",
            "error_code": redact(said.code) if said else "",
        }
        changes |= {"request_id": video.request_id or row["request_id"]}
    if row["error_code"] == EXPIRED:  # it is known again
        changes = {"error": "", "error_code": ""} | changes
    return changes


def reconcile_row(connection: Connection, database: Database, job: str, video_id: str, now: float) -> Job:
    """End an uncertain purchase with that id, or as lost without one. A row that was opened by the same id is deleted,
    and what is known of it becomes the purchase's own. InvalidInputError where the job is not uncertain, or the id is
    another purchase's."""
    row = existing(connection, job, lock=True)
    answered = bool(video_id) and row["state"] == JobState.RESERVED and row["sent_at"] is not None
    if row["state"] != JobState.UNKNOWN and not answered:
        message = f"Job {job} is {row['state']}; only an unknown one has to be reconciled."
        raise InvalidInputError(message, job=job, code="not_uncertain")
    if not video_id:
        return update(connection, job, state=JobState.LOST, **FREED)
    other = first(
        connection, f"{AT_GATEWAY} AND id <> :job",
        id=video_id, provider=row["provider"], origin=row["origin"], job=job,
    )  # fmt: skip
    changes: dict[str, Any] = {"state": JobState.SUBMITTED, "submitted_at": now}
    if other is not None:
        if other["kind"] != "opened":
            known = f"{video_id} is job {other['id']} already."
            raise InvalidInputError(known, hint="Look for another id.", job=job, code="video_id_taken")
        if other["watcher"] and other["watched_until"] > database.now(connection):
            busy = f"{video_id} is being fetched now, as job {other['id']}."
            then = "Reconcile this one once that is here."
            raise InvalidInputError(busy, hint=then, job=job, code="download_in_progress")
        changes = {name: other[name] for name in KNOWN_BY_ID} | {"project": row["project"] or other["project"]}
        run(connection, "DELETE FROM jobs WHERE id = :id", id=other["id"])
    return update(connection, job, **{"error": "", "error_code": "", **changes, "video_id": video_id})


def adopted_row(
    connection: Connection, owner: ProcessIdentity, provider: str, origin: str, video_id: str, now: float
) -> Job:
    """Return the row of a provider's id, made if there is none."""
    row = first(connection, AT_GATEWAY, id=video_id, provider=provider, origin=origin)
    if row is not None:
        return as_job(row)
    spec = VideoRequest(kind="opened", provider=provider, prompt="(opened by its id)", parent=video_id)
    job = insert(connection, spec, origin=origin, owner=owner.id, now=now, machine=owner.host)
    known = {"state": JobState.SUBMITTED, "video_id": video_id, "submitted_at": now}
    return update(connection, job.id, **known, prompt="", parent="")


def set_aside(connection: Connection, job: str, aside: str) -> Job:
    """Set a row aside, or "" to end that: see `Ledger.set_visibility`."""
    known = as_job(existing(connection, job, lock=True))
    may = {MUTED: known.may_be_muted, ARCHIVED: known.may_be_archived, "": True}
    if aside not in may:
        raise InvalidInputError(f"{aside!r} is no way to set a job aside.", job=job, code="unknown_option")
    if not may[aside]:
        raise InvalidInputError(
            f"Job {job} is {known.state.value}, and cannot be {aside}.",
            hint="Only a job that has ended can be forgotten, and only one that has not be unwatched.",
            job=job,
            code="cannot_set_aside",
        )
    return update(connection, job, aside=aside)
