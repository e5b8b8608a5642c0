"""Reading the ledger: single jobs, and pages of its history."""

from __future__ import annotations

import statistics
from typing import Any

from ..errors import InvalidInputError
from ..jobs.evidence import ModelEvidence
from ..jobs.spec import ARCHIVED, EXPIRED, Job, VideoRequest
from . import queue
from .database import Database
from .identities import complete, holder
from .references import References
from .rows import AT_GATEWAY, as_job, existing, first, run, state_in

NOT_SERVED = ("model_not_found",)  # codes of refusals that say that the provider does not serve the model
MANY = 20  # past jobs that tell how long one takes
# What a list can be narrowed to beside single states.
GROUPS = {
    "running": f"{state_in(lambda state: state.is_running)} AND error_code <> '{EXPIRED}' AND stale_at IS NULL",
    "stale": "state = 'submitted' AND stale_at IS NOT NULL",
    "forgotten": f"aside = '{ARCHIVED}'",
}


class Queries:
    """What the ledger at `database` holds. Nothing is changed but version 2 of identities, which older rows lack."""

    def __init__(self, database: Database, references: References) -> None:
        self.database, self.references = database, references
        self._without_images: set[str] = set()  # rows whose identity cannot be completed here
        self._completed = False

    def complete(self) -> None:
        """Write version 2 of every identity that lacks it."""
        complete(self.database, self._without_images, self.references)
        self._completed = True

    def job(self, job: str) -> Job:
        """The row of a ledger id; InvalidInputError where there is none."""
        with self.database.read() as connection:
            return as_job(existing(connection, job))

    def active_purchase(self, spec: VideoRequest) -> Job | None:
        """The job that stands for this purchase now, or None where it may be sent."""
        if not self._completed:
            self.complete()
        with self.database.read() as connection:
            row = holder(connection, spec.identity)
            return None if row is None else as_job(row)

    def was_requested(self, spec: VideoRequest) -> bool:
        """Was this purchase ever asked for, whatever became of it?"""
        identity = spec.identity
        return (self._one("identity2 = :name", identity.v2) or self._one("identity = :name", identity.v1)) is not None

    def by_id(self, name: str) -> Job | None:
        """The job of a ledger id."""
        return self._one("id = :name", name)

    def find(self, name: str) -> Job | None:
        """The job of a ledger id, or of a gateway id that only one gateway gave. InvalidInputError where several
        did."""
        if not name:  # which is the gateway id of every job that has none yet
            return None
        if (job := self.by_id(name)) is not None:
            return job
        jobs = self.of_gateways(name)
        if len(jobs) > 1:
            named = ", ".join(f"{job.id} ({job.provider})" for job in jobs)
            message = f"Several providers have a video {name}."
            raise InvalidInputError(message, hint=f"Choose the job: {named}.", code="ambiguous_video_id")
        return jobs[0] if jobs else None

    def of_gateways(self, video_id: str) -> list[Job]:
        """The jobs that have that id, each at another gateway; newest first."""
        with self.database.read() as connection:
            query = "SELECT * FROM jobs WHERE video_id = :id ORDER BY created_at DESC"
            return [as_job(row) for row in run(connection, query, id=video_id).mappings()]

    def by_gateway_id(self, provider: str, origin: str, video_id: str) -> Job | None:
        """The job of a gateway's id there: another gateway may give the same."""
        with self.database.read() as connection:
            row = first(connection, AT_GATEWAY, id=video_id, provider=provider, origin=origin)
            return None if row is None else as_job(row)

    def seen_models(self) -> dict[tuple[str, str, str], ModelEvidence]:
        """What became of the jobs of each (provider, origin, model); nothing where there is no ledger yet."""
        if not self.database.exists:
            return {}
        query = (
            "SELECT provider, origin, model, state, max(COALESCE(submitted_at, sent_at, created_at)) AS at "  # noqa: S608 - ours
            "FROM jobs WHERE model <> '' "
            f"AND kind <> 'opened' AND ({state_in(lambda state: state.is_rendered)} "
            "OR (state = 'refused' AND error_code IN :codes)) "
            "GROUP BY provider, origin, model, state"
        )
        found: dict[tuple[str, str, str], ModelEvidence] = {}
        with self.database.read() as connection:
            for row in run(connection, query, codes=list(NOT_SERVED)).mappings():
                key, at = (row["provider"], row["origin"], row["model"]), float(row["at"] or 0.0)
                seen = found.get(key, ModelEvidence())
                found[key] = (
                    seen._replace(refused=max(seen.refused, at))
                    if row["state"] == "refused"
                    else seen._replace(completed=max(seen.completed, at))
                )
        return found

    def has_bought(self, model: str, seconds: str, size: str, provider: str, prompt: str | None = None) -> bool:
        """Does some job stand for such a purchase? Without a prompt, for any with these."""
        where = "model = :model AND seconds = :seconds AND size = :size AND provider = :provider AND kind = 'create'"
        where += " AND slot IS NOT NULL"
        values: dict[str, Any] = {"model": model, "seconds": seconds, "size": size, "provider": provider}
        if prompt is not None:  # rows that older code wrote have it as it was typed
            where += " AND prompt IN (:typed, :prompt)"
            values |= {"typed": prompt, "prompt": prompt.strip()}
        with self.database.read() as connection:
            return first(connection, where, **values) is not None

    def unfinished(self) -> bool:
        """Is there a job that is not here yet and may still come?"""
        states = f"{state_in(lambda state: state.is_pending)} AND error_code <> :name AND aside = ''"
        return self._one(states, EXPIRED) is not None

    def last_bought(self, provider: str) -> Job | None:
        """The newest job that was sent to that provider, and not refused there."""
        return self._one("provider = :name AND kind <> 'opened' AND state <> 'refused'", provider)

    def of_file(self, sha256: str) -> Job | None:
        """The job whose MP4 has that hash."""
        return self._one("sha256 = :name", sha256)

    def jobs(
        self,
        *,
        state: str = "",
        model: str = "",
        search: str = "",
        limit: int = 100,
        after: str = "",
        forgotten: bool = False,
    ) -> list[Job]:
        """Newest first; `state` may also be one of GROUPS, `search` looks into the prompt and both ids, `after` is the
        last job of the page before. Those that a person wants forgotten are left out, but for
        the group of that name, or with `forgotten`."""
        where, values = (
            ["1 = 1" if forgotten or state == ARCHIVED else f"aside <> '{ARCHIVED}'"],
            dict[str, Any](limit=limit),
        )
        if state in GROUPS:
            where.append(GROUPS[state])
            state = ""
        for name, value in (("state", state), ("model", model)):
            if value:
                where.append(f"{name} = :{name}")
                values[name] = value
        if search:
            # SQLite's lower() knows ASCII alone; database.py gives it one that knows all letters.
            fold = "lower" if self.database.shared else "sora_casefold"
            places = [f"{fold}({column})" for column in ("prompt", "id", "video_id")]
            where.append("(" + " OR ".join(f"{place} LIKE :search ESCAPE '!'" for place in places) + ")")
            folded = search.lower() if self.database.shared else search.casefold()
            values["search"] = f"%{folded.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        with self.database.read() as connection:
            if after:
                # Not OFFSET, which reads all that it leaves out.
                where.append("created_at <= :then AND (created_at < :then OR id > :after)")
                values |= {"then": existing(connection, after)["created_at"], "after": after}
            query = f"SELECT * FROM jobs WHERE {' AND '.join(where)} ORDER BY created_at DESC, id LIMIT :limit"  # noqa: S608 - every value is bound
            return [as_job(row) for row in run(connection, query, **values).mappings()]

    def running(self) -> int:
        """How many jobs have not ended and may still come."""
        with self.database.read() as connection:
            query = f"SELECT count(*) FROM jobs WHERE {GROUPS['running']} AND aside = ''"  # noqa: S608 - both are ours
            return int(run(connection, query).scalar_one())

    def queue(self) -> dict[str, int]:
        """The places of the jobs that wait for their turn, by their id: 1 is the next of its provider; 0 for one whose
        process has ended, which nobody sends."""
        with self.database.read() as connection:
            return queue.places(connection, self.database)

    def holders(self, provider: str, origin: str) -> list[Job]:
        """The jobs that hold the places there, and may be finished by now."""
        with self.database.read() as connection:
            return queue.holders(connection, provider, origin)

    def children(self, parent: Job, *, limit: int = 100) -> list[Job]:
        """The remixes of a job's video, newest first."""
        if not parent.video_id:
            return []
        with self.database.read() as connection:
            query = (
                "SELECT * FROM jobs WHERE parent = :id AND kind = 'remix' AND provider = :provider AND "
                "origin = :origin ORDER BY created_at DESC LIMIT :limit"
            )
            values = {"id": parent.video_id, "provider": parent.provider, "origin": parent.origin}
            return [as_job(row) for row in run(connection, query, limit=limit, **values).mappings()]

    def median_render_s(self, job: Job) -> float | None:
        """Seconds from being accepted to being rendered: the median of past jobs of the same provider, model and
        length; None where there is none."""
        query = (
            "SELECT completed_at - submitted_at FROM jobs WHERE state = 'stored' AND model = :model AND "
            "provider = :provider AND seconds = :seconds AND kind <> 'opened' AND completed_at > submitted_at "
            "ORDER BY created_at DESC LIMIT :limit"
        )
        values = {"model": job.model, "provider": job.provider, "seconds": job.seconds}
        with self.database.read() as connection:
            took = run(connection, query, limit=MANY, **values).scalars().all()
        return float(statistics.median(took)) if took else None

    def _one(self, where: str, name: str) -> Job | None:
        with self.database.read() as connection:
            row = first(connection, where, name=name)
            return None if row is None else as_job(row)
