"""Which node is being executed, or asked for its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class ExecutionContext(NamedTuple):
    """The node, of which prompt, and the place in a list of inputs."""

    prompt_id: str
    node_id: str
    list_index: int | None


_now: ContextVar[ExecutionContext | None] = ContextVar("_now", default=None)


def get_executing_context() -> ExecutionContext | None:
    return _now.get()


@contextmanager
def CurrentNodeContext(prompt_id: str, node_id: str, list_index: int | None = None) -> Iterator[None]:
    token = _now.set(ExecutionContext(prompt_id, node_id, list_index))
    try:
        yield
    finally:
        _now.reset(token)
