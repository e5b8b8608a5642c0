"""The ledger: every job ever sent, written before a byte leaves. It alone decides whether something may be bought.

A SQLite file in `SORA_HOME`, or a PostgreSQL database that a farm of machines shares.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..config.budget import Budget, Spending
from ..config.timing import DEFAULT, Timing
from ..errors import SoraError
from ..jobs.identity import Identity
from ..jobs.outcomes import cancelled_error
from ..jobs.remote_video import RemoteVideo
from ..jobs.spec import TRUNCATED, Job, VideoRequest, parse_project
from ..jobs.state import JobState
from ..util.redact import redact
from . import queue, spent
from .changes import GOES_ON, adopted_row, observed_changes, reconcile_row, set_aside, stale_since
from .database import Database
from .identities import FREED, holder, make_room
from .queries import Queries
from .queue import Turn
from .references import References
from .rows import (
    INTERRUPTED,
    as_job,
    error_columns,
    existing,
    insert,
    of_sender,
    update,
    update_locked,
)

P = ParamSpec("P")
R = TypeVar("R", Job, tuple[Job, bool])


def _telling(change: Callable[Concatenate[Ledger, P], R]) -> Callable[Concatenate[Ledger, P], R]:
    """Have the ledger's listener told of the row, once it is written."""

    @functools.wraps(change)
    def told(ledger: Ledger, /, *positional: P.args, **keywords: P.kwargs) -> R:
        result = change(ledger, *positional, **keywords)
        ledger.listener(result if isinstance(result, Job) else result[0])
        return result

    return told


class Ledger:
    """All jobs of one `SORA_HOME`, or of the database at `url`. Thread-safe, and safe among processes and machines.
    The machines of a farm keep references in their common folder `output`, and each is told the caps of `budget`."""

    def __init__(
        self,
        home: Path,
        *,
        url: str | Callable[[], str] = "",
        output: Path | None = None,
        budget: Callable[[], Budget | None] = lambda: None,
        timing: Timing = DEFAULT,
    ) -> None:
        self._clock = timing.clock
        self.listener: Callable[[Job], None] = lambda _: None  # is told of rows that this process wrote or looked at
        self.database = Database(home, url, budget, timing)
        self.references = References(home, lambda: output if self.database.shared else None)
        self.queries = Queries(self.database, self.references)
        self.job, self.jobs = self.queries.job, self.queries.jobs

    # -- a purchase, step by step ---------------------------------------------------------------------------------

    @_telling
    def reserve(
        self,
        spec: VideoRequest,
        *,
        origin: str,
        estimated_usd: float | None,
        budget: Budget | Callable[[], Budget],
        references: Sequence[str] = (),
        remix_of: Job | None = None,
        sending: Container[str] | None = None,
    ) -> tuple[Job, bool]:
        """The row that stands for this purchase, and whether the caller is now the one to send it.

        A new row is written where there is none, if the budget has room (BudgetExceededError). A reserved one that
        nobody sends (its process died, or it is ours and not among those that we are `sending`) is taken over if
        nothing of it was sent, else it becomes UNKNOWN. A function as `budget` is asked only where something is to be
        sent; on a farm the budgets of the other machines must have room as well.
        """
        owner = self.database.owner
        owner_id, identity = owner.id, spec.identity
        self.queries.complete()  # a process with older code may have written rows since
        with self.database.exclusive() as connection:
            row = holder(connection, identity, lock=True)
            if row is None:
                spent.check(self.database, connection, budget, estimated_usd)
                make_room(connection, identity)
                now = self.database.now(connection)  # by which the budget counts: of one clock on a farm
                return insert(
                    connection, spec, origin=origin, owner=owner_id, now=now, estimated_usd=estimated_usd,
                    references=references, remix_of=remix_of, machine=owner.host,
                ), True  # fmt: skip
            ours = row["owner"] == owner_id and sending is not None
            sent_now = row["id"] in (sending or ()) if ours else owner.alive(row["owner"], connection)
            if JobState(row["state"]).is_reserved and not sent_now:
                if row["sent_at"] is None:
                    spent.check(self.database, connection, budget, estimated_usd, but=row["id"])
                    changes = of_sender(spec, owner, origin, estimated_usd, references)
                    if row["state"] == JobState.RESERVED:  # a queued one keeps its place
                        changes["created_at"] = self.database.now(connection)
                    return update(connection, row["id"], **changes), True
                return update(connection, row["id"], **INTERRUPTED), False
            return as_job(row), False

    @_telling
    def sending(self, job: str, turn: Turn | None = None) -> Job:
        """Claim the sending of a row: from now on the provider may have the request. This compare-and-set comes before
        each send. Where `turn` has no place for it, it is QUEUED, and not to be sent now.

        NotPurchasedError if it was cancelled; LedgerError if it is no longer ours to send: a machine that slept was
        taken for dead, and another one has taken it over. BudgetExceededError if it was queued and is too dear by now.
        """
        with self.database.exclusive() if turn is not None else self.database.write() as connection:
            row = existing(connection, job, lock=True)
            queue.check_ours_to_send(row, self.database.owner.id)
            state = JobState(row["state"])
            if turn is not None and not queue.has_turn(connection, self.database, row, turn):
                return as_job(row) if state is JobState.QUEUED else update(connection, job, state=JobState.QUEUED)
            claim: dict[str, Any] = {"state": JobState.RESERVED, "sent_at": self._clock()}
            if state is JobState.QUEUED and turn is not None:  # what it costs counts from now on
                spent.check(self.database, connection, turn.budget, turn.estimated_usd, but=job)
                claim |= {"estimated_usd": turn.estimated_usd, "created_at": self.database.now(connection)}
            return update(connection, job, **claim)

    def has_turn(self, job: str, turn: Turn) -> bool:
        """Would `sending` give that job a place now? The errors are those of `sending`."""
        with self.database.read() as connection:
            row = existing(connection, job)
            queue.check_ours_to_send(row, self.database.owner.id)
            return queue.has_turn(connection, self.database, row, turn)

    @_telling
    def not_sent(self, job: str, *, state: JobState = JobState.RESERVED) -> Job:
        """The provider rejected it for now: nothing is there, and the same row will be sent again; QUEUED where it has
        as many jobs as it takes."""
        return self._change_ours(job, sent_at=None, state=state)

    @_telling
    def cancel(self, job: str) -> Job:
        """Refuse a row of which nothing was sent, whichever process is to send it. InvalidInputError for any other."""
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            queue.check_unsent(row)
            return update(connection, job, state=JobState.REFUSED, **FREED, **error_columns(cancelled_error(job)))

    @_telling
    def submitted(self, job: str, video: RemoteVideo) -> Job:
        """The gateway gave it an id. That counts whatever the row became meanwhile: it stands for its purchase again,
        unless another row does by now."""
        with self.database.exclusive() as connection:
            row = existing(connection, job, lock=True)
            state = JobState(row["state"])
            if state.is_rendered or state is JobState.FAILED:  # known already, and more than that
                return as_job(row)
            identity = Identity(row["identity"], row["identity2"])
            other = holder(connection, identity)
            changes: dict[str, Any] = {"video_id": video.id, "request_id": video.request_id}
            changes |= {"state": JobState.SUBMITTED, "submitted_at": self._clock(), "error": "", "error_code": ""}
            if other is None:
                make_room(connection, identity)
                changes |= {"slot": identity.v1, "slot2": identity.v2 or None}
            update(connection, job, **changes)
        return self.observed(job, video)

    @_telling
    def refused(self, job: str, error: SoraError) -> Job:
        """Nothing was bought; the identity is free again."""
        return self._change_ours(job, state=JobState.REFUSED, **FREED, **error_columns(error))

    @_telling
    def unknown(self, job: str, error: SoraError) -> Job:
        """Nobody can tell whether it was bought; the identity stays taken until somebody reconciles it."""
        return self._change_ours(job, state=JobState.UNKNOWN, **error_columns(error))

    @_telling
    def observed(self, job: str, video: RemoteVideo, limit_s: float = math.inf) -> Job:
        """What the provider said of it. A stored, failed or lost job is left as it is; one that is not finished
        `limit_s` after it was accepted is stale."""
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            if not JobState(row["state"]).is_pending:
                return as_job(row)
            changes = observed_changes(row, video, self._clock(), limit_s)
            if all(row[name] == value for name, value in changes.items()):
                return as_job(row)
            return update_locked(connection, row, **changes)

    @_telling
    def not_known(self, job: str, limit_s: float) -> Job:
        """Its provider does not know it: after `limit_s` it is stale."""
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            if row["state"] != JobState.SUBMITTED:
                return as_job(row)
            return update(connection, job, stale_at=stale_since(row, self._clock(), limit_s))

    @_telling
    def taken_up_again(self, job: str, video: RemoteVideo) -> Job:
        """What the gateway says now of a job that was seen to fail: one that goes on, or is finished, does so here."""
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            if row["state"] != JobState.FAILED or video.phase == "failed":
                return as_job(row)
            update(connection, job, **GOES_ON)
        return self.observed(job, video)

    @_telling
    def stored(
        self, job: str, *, path: str, root: str, sha256: str, size: int, whole: bool = True, warning: str = ""
    ) -> Job:
        """Its video is on disk at `root`/`path`. One that is not `whole` holds less than it says; nothing better could
        be had so far. `warning` is what the user should know of one that is."""
        cut = "the gateway gave only a part of the video; the next run tries to fetch all of it"
        return self._change(
            job, state=JobState.STORED, path=path, root=root, sha256=sha256, bytes=size, stored_at=self._clock(),
            error=redact(warning) if whole else cut, error_code="" if whole else TRUNCATED,
        )  # fmt: skip

    @_telling
    def not_fetched(self, job: str, error: SoraError) -> Job:
        """Why its video is not here yet; EXPIRED as code where the gateway does not offer or know it any more."""
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            if not JobState(row["state"]).is_pending:  # a stored one whose file was deleted stays what it is
                return as_job(row)
            return update(connection, job, error=error.message, error_code=error.code)

    @_telling
    def adopt(self, provider: str, origin: str, video_id: str) -> Job:
        """The row of a gateway id, made if there is none: the user bought it somewhere else."""
        owner = self.database.owner
        _ = owner.id
        with self.database.exclusive() as connection:
            return adopted_row(connection, owner, provider, origin, video_id, self._clock())

    @_telling
    def reconcile(self, job: str, *, video_id: str = "") -> Job:
        """End an UNKNOWN: with the id that was found at the gateway, or declared lost where none is given.

        An id also ends what is still RESERVED but was sent: the answer came, and could not be written down. Where that
        id was opened as a job from elsewhere before, what is known of it becomes the purchase's own.
        """
        with self.database.exclusive() as connection:
            return reconcile_row(connection, self.database, job, video_id, self._clock())

    @_telling
    def set_visibility(self, job: str, aside: str) -> Job:
        """MUTED, ARCHIVED, or "" to end either. Neither changes what the purchase stands for, nor what counts for
        the budget; InvalidInputError where it makes no sense: what may still cost or come is not to be forgotten."""
        with self.database.write() as connection:
            return set_aside(connection, job, aside)

    @_telling
    def set_project(self, job: str, project: str) -> Job:
        """Put a job down to that project, "" for none. InvalidInputError as for `parse_project`."""
        return self._change(job, project=parse_project(project))

    def spent_usd(self, budget: Budget) -> float:
        """Dollars that count for the last 24 hours."""
        return spent.spent_usd(self.database, budget)

    def spending(self, budget: Budget) -> Spending:
        """The same, and which caps count beside this machine's `budget`."""
        return spent.spending(self.database, budget)

    def close(self) -> None:
        self.database.close()

    def _change_ours(self, job: str, **changes: Any) -> Job:
        """Change a row that is still ours to send. One that another process has taken over is left as it is: what
        became of our own try says nothing about the other's."""
        owner_id = self.database.owner.id
        with self.database.write() as connection:
            row = existing(connection, job, lock=True)
            if not JobState(row["state"]).is_reserved or row["owner"] != owner_id:
                return as_job(row)
            return update(connection, job, **changes)

    def _change(self, job: str, **changes: Any) -> Job:
        with self.database.write() as connection:
            return update(connection, job, **changes)
