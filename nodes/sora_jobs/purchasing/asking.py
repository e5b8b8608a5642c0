"""The threads for what asks a provider, or decodes a video, and buys nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import no_thread_error
from ..util.daemon_pool import DaemonPool, PoolClosedError, fail, guarded, pass_on
from .lookup import Lookup

THREADS, ALL_THREADS = 3, 8  # for one key, and for all

T = TypeVar("T")


class Asking:
    """Has work done, a few at a time for each key. `tasks` is for what is short and may wait for the ledger."""

    def __init__(self, lookup: Lookup, tasks: DaemonPool) -> None:
        self._lookup, self._tasks = lookup, tasks
        self._pool = DaemonPool("sora-ask", ALL_THREADS, THREADS)

    def start(self, work: Callable[[], T], key: str, job_id: str) -> Future[T]:
        """Have `work()` done in one of the threads for `key`, or for the provider of that job."""
        if key or not job_id:
            return self._pool.submit(work, key)
        future: Future[T] = Future()

        def begin() -> None:
            asked = self._pool.submit(work, self._lookup.provider_of(job_id))
            asked.add_done_callback(lambda done: pass_on(done, future))

        begin_in(self._tasks, begin, future)
        return future

    def close(self) -> None:
        self._pool.close()


def begin_in(pool: DaemonPool, step: Callable[[], None], future: Future[Any], key: str = "") -> None:
    """Have a step taken that begins what `future` stands for. What goes wrong with the step ends it: LocalError where
    not one thread can be had. It is cancelled when the pool is closed before the step is taken."""
    try:
        begun = pool.submit(guarded(step, future), key)
    except PoolClosedError:
        future.cancel()
    except RuntimeError as error:
        fail(future, no_thread_error(error))
    else:
        begun.add_done_callback(lambda step: future.cancel() if step.cancelled() else None)
