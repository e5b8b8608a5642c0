"""Waiting for a future in the caller's thread, which Ctrl-C can end."""

from __future__ import annotations

import contextlib
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")
TICK_S = 0.1  # on Windows, no Ctrl-C ends a wait without a timeout (before Python 3.14)


def is_done(future: Future[Any]) -> bool:
    """Wait a moment, and return whether the future has ended. Call it in a loop."""
    with contextlib.suppress(TimeoutError, CancelledError):  # since Python 3.11 the first is also that of futures
        future.exception(TICK_S)
    return future.done()


def result_of(future: Future[T]) -> T:
    """Wait for the result of what may be paid for. Ctrl-C cancels it. If it has begun, its end is waited for before
    KeyboardInterrupt is raised, unless Ctrl-C comes again. CancelledError if somebody else cancelled it."""
    try:
        while not is_done(future):
            pass
    except BaseException:  # whatever a signal raises in this thread
        if not future.cancel():
            while not is_done(future):
                pass
        raise
    return future.result()
