"""A job by what a person has of it: its id in the ledger, a line of a list, or its id at a provider."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import GatewayError, InvalidInputError
from ..gateway.clients import ClientPool, Clients
from ..jobs.remote_video import LONGEST_ID
from ..jobs.spec import Job
from ..ledger.ledger import Ledger
from .reconcile import ask_about, ask_again


class Lookup:
    """Looks in the ledger, then at the provider. `poll(job id)` asks the provider about a job that is under way."""

    def __init__(self, ledger: Ledger, clients: ClientPool, poll: Callable[[str], Job]) -> None:
        self._ledger, self._clients, self._poll = ledger, clients, poll

    def find(self, text: str, provider: str = "", clients: Clients | None = None) -> Job | None:
        """Return the ledger's job with that id, or with that id at `provider`; None where there is none.
        InvalidInputError if no provider is named and several have it."""
        name = id_in(text)
        if not name or not self._ledger.database.exists:
            return None
        if not provider:
            return self._ledger.queries.find(name)
        origin = (clients or self._clients.now()).provider(provider).origin
        return self._ledger.queries.by_id(name) or self._ledger.queries.by_gateway_id(provider, origin, name)

    def open(self, text: str, provider: str = "") -> Job:
        """Return the job that `find` finds, else the one that the provider has, which is added to the ledger. The
        errors are those of `Engine.open`."""
        clients = self._clients.now()
        if (job := self.find(text, provider, clients)) is not None:
            return ask_again(self._ledger, clients, self._poll(job.id))
        name = id_in(text)
        if not re.fullmatch(rf"[\w.:=+/-]{{6,{LONGEST_ID}}}", name):
            raise InvalidInputError(f"{name!r} is no job of the ledger and no gateway's id.", code="unknown_video")
        chosen = clients.provider(provider or clients.names()[0])
        try:
            video = clients.client(chosen.name).retrieve(name)
        except GatewayError as error:
            if error.is_unknown_job:
                raise self._unknown(chosen.name, name, error) from None
            raise error.changed(charge="none") from None  # looking costs nothing
        return self._ledger.observed(self._ledger.adopt(chosen.name, chosen.origin, name).id, video)

    def ask(self, job_id: str) -> Job:
        """Ask again about a job that failed, or is stale; the errors are those of `ask_about`. Any other job comes back
        as it is."""
        job = self._ledger.job(job_id)
        return self._poll(job.id) if job.stale else ask_about(self._ledger, self._clients.now(), job)

    def provider_of(self, text: str) -> str:
        """Return the provider of the ledger's job with that id, here or at a provider; "" if the ledger has none."""
        name = id_in(text)
        if not name or not self._ledger.database.exists:
            return ""
        job = self._ledger.queries.by_id(name) or next(iter(self._ledger.queries.of_gateways(name)), None)
        return job.provider if job is not None else ""

    def _unknown(self, provider: str, name: str, error: GatewayError) -> InvalidInputError:
        known = ", ".join(f"{job.id} ({job.provider})" for job in self._ledger.queries.of_gateways(name))
        return InvalidInputError(
            f"{provider} knows no job {name}: {error.message}",
            hint=f"The ledger has it as job {known}: choose that one."
            if known
            else "Check the id, and the provider where it was bought.",
            code="unknown_video",
        )


def id_in(text: str) -> str:
    """Return the id at the end of a line of `HistoryView.labels`, or the text itself."""
    return text.strip().rsplit(" · ", 1)[-1].strip()
