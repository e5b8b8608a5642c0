"""Where a purchase can be killed at a step of `Advance`: made from the steps that a whole run takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sora_jobs.delivery.advance import Advance

Edge = tuple[str, str]  # a job's state before a step and after it


def watched(prompt: str, before: Callable[[str], object], after: Callable[[Edge], object]) -> Callable[[], None]:
    """Have `before(state)` and `after(edge)` called at each step of the job with that prompt; what ends that."""
    real = Advance.__call__

    def step(self: Advance, entry: Any) -> Any:
        if entry.job.prompt != prompt:
            return real(self, entry)
        state = entry.job.state.value
        before(state)
        pause = real(self, entry)
        after((state, entry.job.state.value))
        return pause

    def end() -> None:
        Advance.__call__ = real  # type: ignore[method-assign]

    Advance.__call__ = step  # type: ignore[method-assign]
    return end


def points_of(edges: Iterable[Edge]) -> list[str]:
    """The names of the points before the first step from each state, and after the first step of each kind."""
    kinds = list(dict.fromkeys(edges))
    return [f"before {state}" for state in dict.fromkeys(before for before, _ in kinds)] + [
        f"after {before} to {after}" for before, after in kinds
    ]


def arm(name: str, prompt: str, die: Callable[[], object]) -> None:
    """Have the process die at that point."""
    watched(
        prompt,
        lambda state: die() if name == f"before {state}" else None,
        lambda edge: die() if name == f"after {edge[0]} to {edge[1]}" else None,
    )
