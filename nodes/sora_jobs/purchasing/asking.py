"""The threads for what asks a provider, or decodes a video, and buys nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..util.daemon_pool import DaemonPool, pass_on
from .lookup import Lookup

THREADS, ALL_THREADS = 3, 8  # for one key, and for all

T = TypeVar("T")


class Asking:
    """Has work done, a few at a time for each key. `begin(step, future)` has something short done in a thread that may
    wait for the ledger."""

    def __init__(self, lookup: Lookup, begin: Callable[[Callable[[], None], Future[Any]], None]) -> None:
        self._lookup, self._begin = lookup, begin
        self._pool = DaemonPool("sora-ask", ALL_THREADS, THREADS)

    def start(self, work: Callable[[], T], key: str, job_id: str) -> Future[T]:
        """Have `work()` done in one of the threads for `key`, or for the provider of that job."""
        if key or not job_id:
            return self._pool.submit(work, key)
        future: Future[T] = Future()

        def begin() -> None:
            asked = self._pool.submit(work, self._lookup.provider_of(job_id))
            asked.add_done_callback(lambda done: pass_on(done, future))

        self._begin(begin, future)
        return future

    def close(self) -> None:
        self._pool.close()
