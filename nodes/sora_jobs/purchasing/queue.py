"""Jobs that wait here for their turn at a provider that has as many as it may have (`at_once` in providers.toml)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..errors import InvalidInputError
from ..jobs.spec import Job, Reference, VideoRequest
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..messages import RECONCILE_HINT, STILL_THERE_HINT
from .buying import Buyer
from .prepared import PreparedPurchase
from .purchaser import Purchaser, PurchaseResult

WISH = ("provider", "prompt", "kind", "model", "seconds", "size", "take", "extra_fields", "parent", "project")


class Queue:
    """What a person may do with them. The engine sends them by itself, the oldest of all processes first."""

    def __init__(self, ledger: Ledger, purchaser: Purchaser, buyer: Buyer, wake: Callable[[str], None]) -> None:
        self._ledger, self._purchaser, self._buyer, self._wake = ledger, purchaser, buyer, wake

    def places(self) -> dict[str, int]:
        """Return the place in the line of each queued job, by its id: 1 is the next of its provider, 0 one whose
        process has ended, which is sent only when it is asked for."""
        return self._ledger.queries.queue() if self._ledger.database.exists else {}

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job of which nothing was sent, whichever process was to send it: it costs nothing. InvalidInputError
        for any other."""
        name = job if isinstance(job, str) else job.id
        try:
            cancelled = self._ledger.cancel(name)
        except InvalidInputError as error:
            raise error.changed(hint=_instead_of_cancelling(self._ledger.job(name))).with_job(name) from None
        self._wake(name)
        return cancelled

    def start_send(self, job: Job | str) -> Future[PurchaseResult]:
        """Have this process send a queued job whose own process has ended, when its turn comes: it keeps its place.
        Where that process runs, it is only joined. InvalidInputError for a job that is not queued, StorageError where
        one of its references is gone."""
        name = job if isinstance(job, str) else job.id

        def prepare() -> PreparedPurchase:
            queued = self._ledger.job(name)
            if queued.state is not JobState.QUEUED:
                message = f"Job {name} is {queued.standing}: only a queued one can be sent."
                raise InvalidInputError(message, job=name, code="not_queued")
            parent = None
            if queued.kind == "remix":
                parent = self._ledger.queries.by_gateway_id(queued.provider, queued.origin, queued.parent)
            return self._purchaser.prepare(self._request(queued), remix_of=parent)

        return self._buyer.buy_for(prepare, lambda: self._ledger.job(name).provider)

    def _request(self, job: Job) -> VideoRequest:
        from ..media.reference import from_file

        return request_of(job, [from_file(self._ledger.references.place(name)) for name in job.references])


def _instead_of_cancelling(job: Job) -> str:
    if job.state is JobState.UNKNOWN:
        return RECONCILE_HINT
    return STILL_THERE_HINT if job.state.is_running else ""


def request_of(job: Job, pixels: list[Any]) -> VideoRequest:
    """Return what a job was asked for with; `pixels` are its references, uint8 [H, W, 3 or 4] each."""
    wish: dict[str, Any] = {name: getattr(job, name) for name in WISH}
    return VideoRequest(**wish, references=tuple(Reference(each, job.fit) for each in pixels))
