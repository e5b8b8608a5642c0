"""Jobs that were still in the line when a node gave them to a graph."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping

from comfy_execution.utils import get_executing_context

from ..sora_jobs.errors import SoraError
from ..sora_jobs.jobs.spec import Job
from ..sora_jobs.jobs.state import JobState, queued_text
from . import execution
from .engine import get_engine
from .messages import set_node_text

_lock = threading.Lock()
_given: defaultdict[str, set[str]] = defaultdict(set)  # ids of queued jobs, by node
_generations: Counter[str] = Counter()


async def show_place(job: Job, node_id: str | None) -> bool:
    """Say in the node where in the line a queued job is; return whether it is."""
    if job.state is not JobState.QUEUED:
        return False
    place = None
    with contextlib.suppress(SoraError):  # it is written down: the tab shows its place once the ledger can be read
        place = (await execution.run_in_thread(get_engine().queue.places)).get(job.id)
    if place is not None:
        # Without the number, which would grow old here: the node's badge and the tab have the one of now.
        set_node_text(f"queued here · {job.id}" if place else f"{queued_text(place)} · {job.id}", node_id)
    return place is not None


async def give(job: Job, node_id: str | None) -> Job:
    """Show its place, and remember that this node gave it to a graph."""
    if job.state is JobState.QUEUED:
        with _lock:
            _given[node_id or ""].add(job.id)
        await show_place(job, node_id)
    return job


def unsent_fingerprint() -> int:
    """A number that changes when nobody will send a queued job that the node of this call gave to a graph: it was
    cancelled or refused, or its program has ended. The node then runs again and asks for it anew, instead of giving a
    job that never comes."""
    context = get_executing_context()
    node_id = context.node_id if context is not None else ""
    with _lock:
        known = set(_given[node_id])
    if not known:
        return _generations[node_id]
    with contextlib.suppress(SoraError):  # the ledger is away for the moment: nothing is known to have changed
        engine = get_engine()
        places = engine.queue.places()
        jobs = [job for name in known if (job := engine.find(name)) is not None]
        unsent = any(job.state.is_free or _is_left(job, places) for job in jobs)
        settled = {job.id for job in jobs if not job.state.is_reserved or _is_left(job, places)}
        with _lock:
            _given[node_id] -= settled
            _generations[node_id] += unsent
    return _generations[node_id]


def _is_left(job: Job, places: Mapping[str, int]) -> bool:
    return job.state is JobState.QUEUED and places.get(job.id) == 0
