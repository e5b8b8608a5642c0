"""Threads of the engine's own: daemons, so that a poll or a download never holds up the end of the program.

`concurrent.futures.ThreadPoolExecutor` would: its threads are joined at exit, for as long as a silent connection lasts.
What they leave undone is in the ledger, and goes on at the next start.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

T = TypeVar("T")
_Item = tuple[Future[Any], Callable[[], Any], str]


class PoolClosedError(RuntimeError):
    """The pool takes no more work, since the program is closing."""


class DaemonPool:
    """At most `size` threads, started as they are needed; jobs beyond that wait their turn.

    Of jobs with the same `key` (the provider that they ask) `per_key` run at a time, by default one fewer than `size`,
    so that they never hold up all others when it does not respond.
    """

    def __init__(self, name: str, size: int, per_key: int = 0) -> None:
        self._name = name
        self._size = size
        self._per_key = per_key or max(1, size - 1)
        self._running: Counter[str] = Counter()  # by key
        self._parked: dict[str, deque[_Item]] = {}
        self._jobs: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0  # threads that wait for a job, and
        self._pending = 0  # jobs that wait for a thread: a thread leaves both numbers in the moment it takes one
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, work: Callable[[], T], key: str = "") -> Future[T]:
        """Have `work()` done by one of the threads; its result or exception comes through the future. PoolClosedError
        when the pool is closed, RuntimeError when not even one thread can be had."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise PoolClosedError(f"{self._name} is closed")
            if key and self._running[key] >= self._per_key:
                self._parked.setdefault(key, deque()).append((future, work, key))
                return future
            if self._idle <= self._pending and len(self._threads) < self._size:
                self._start()  # before anything is counted or queued: where it fails, nobody would come to it
            self._running[key] += 1
            self._put((future, work, key))
        return future

    def close(self, wait_s: float = 1.0) -> None:
        """Take no more work, cancel what has not begun, wait a moment in all for what runs."""
        end = time.monotonic() + wait_s
        with self._lock:
            self._closed = True
            threads = list(self._threads)
            left = [item for parked in self._parked.values() for item in parked]
            self._parked.clear()
        with contextlib.suppress(queue.Empty):
            while (item := self._jobs.get_nowait()) is not None:
                left.append(item)
        for future, _, _ in left:
            future.cancel()
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _put(self, item: _Item) -> None:
        self._pending += 1
        self._jobs.put(item)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads can be had: those that run will come to it
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            item = self._jobs.get()
            if item is None:
                return
            with self._lock:
                self._idle -= 1
                self._pending -= 1
            future, work, key = item
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:  # noqa: BLE001 - whatever it was belongs to the one who waits for it
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            self._next(key)
            del item, future, work  # a waiting thread must not keep the last result alive

    def _next(self, key: str) -> None:
        """One with that key is through: the next of them may begin."""
        with self._lock:
            if parked := self._parked.get(key):
                self._put(parked.popleft())
            else:
                self._parked.pop(key, None)
                self._running[key] -= 1
                if not self._running[key]:
                    del self._running[key]


def guarded(step: Callable[[], None], future: Future[Any]) -> Callable[[], None]:
    """The step, whose exceptions belong to the one who waits for `future`."""

    def step_guarded() -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - see above
            fail(future, error)

    return step_guarded


def fail(future: Future[Any], error: BaseException) -> None:
    """End `future` with that error, unless it has ended."""
    with contextlib.suppress(InvalidStateError):  # nobody waits any more, since the program is closing
        future.set_exception(error)


def pass_on(done: Future[T], future: Future[T]) -> None:
    """End `future` as another one ended."""
    if done.cancelled():
        future.cancel()
    elif future.set_running_or_notify_cancel():
        if (error := done.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(done.result())
