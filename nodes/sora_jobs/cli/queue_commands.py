"""Jobs that wait in the line: cancelling one, sending one that was left, and what is shown of their places."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ..engine import Engine, PurchaseResult
from ..errors import InvalidInputError
from ..jobs.spec import Job
from ..jobs.state import JobState, queued_text
from .console import as_dict, finish, open_engine, tell


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add cancel to the command line."""
    cancel = commands.add_parser(
        "cancel",
        parents=[common],
        help="cancel a queued job, which costs nothing",
        description="Cancel a job that is not sent yet: it leaves the line, and nothing is spent.\n"
        "What was sent already goes on at its provider.",
        epilog="""examples:
  sora cancel JOB
  sora jobs --state queued                           which jobs are in the line""",
    )
    cancel.add_argument("job", metavar="JOB", help="ledger id")
    cancel.set_defaults(command=cancel_command)


def cancel_command(options: argparse.Namespace) -> dict[str, Any]:
    with open_engine(options.home, name=True) as engine:
        job = engine.find(options.job)
        if job is None:
            raise InvalidInputError(
                f"The ledger has no job {options.job!r}.",
                hint="`sora jobs --state queued` lists those in the line.",
                code="unknown_job",
            )
        cancelled = engine.queue.cancel(job)
    tell(options, f"{cancelled.id} is cancelled: it was not sent, and nothing was spent.")
    return as_dict(cancelled)


def places_of(engine: Engine, jobs: list[Job]) -> dict[str, int]:
    """Return the places in the line of those that are queued, by their ids."""
    if all(job.state is not JobState.QUEUED for job in jobs):
        return {}
    places, ids = engine.queue.places(), {job.id for job in jobs}
    return {name: place for name, place in places.items() if name in ids}


def state_text(job: Job, places: Mapping[str, int]) -> str:
    """Return the state of a job for a list."""
    return queued_text(places[job.id]) if job.id in places else job.standing


def taken_up(engine: Engine, job: Job) -> PurchaseResult:
    """Have this process send a queued job whose own has ended; any other is as it was bought."""
    if places_of(engine, [job]).get(job.id) == 0:
        try:
            return finish(engine.queue.start_send(job))
        except InvalidInputError as error:
            if error.code != "not_queued":  # else another one has just sent or cancelled it
                raise
    return PurchaseResult(job, reused=True)
