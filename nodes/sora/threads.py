"""Threads of the engine's own: daemons, so that a poll or a download never holds up the end of the program.

`concurrent.futures.ThreadPoolExecutor` would: its threads are joined at exit, for as long as a silent connection lasts.
What they leave undone is in the ledger, and goes on at the next start.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonPool:
    """At most `size` threads, started as they are needed; jobs beyond that wait their turn."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have `work()` done by one of the threads; its result or exception comes through the future."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            self._jobs.put((future, work))
            if self._idle < self._jobs.qsize() and len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def close(self, wait_s: float = 5.0) -> None:
        """Take no more work, cancel what has not begun, wait a moment for what runs."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        with contextlib.suppress(queue.Empty):
            while (item := self._jobs.get_nowait()) is not None:
                item[0].cancel()
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(wait_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            item = self._jobs.get()
            with self._lock:
                self._idle -= 1
            if item is None:
                return
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whatever it was belongs to the one who waits for it
                future.set_exception(error)
            else:
                future.set_result(result)
            del item, future, work  # a waiting thread must not keep the last result alive
