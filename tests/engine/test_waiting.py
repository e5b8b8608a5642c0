"""Waiting in the caller's thread: how a future ends, and what Ctrl-C does to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
from sora_jobs.util import waiting
from sora_jobs.util.waiting import is_done, result_of


def ended(result: object = None, error: BaseException | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


def cancelled() -> Future[Any]:
    future: Future[Any] = Future()
    assert future.cancel()
    return future


def begun() -> Future[Any]:
    """One that can no longer be cancelled."""
    future: Future[Any] = Future()
    assert future.set_running_or_notify_cancel()
    return future


@pytest.mark.parametrize(
    "future", [ended(1), ended(error=ValueError("no")), cancelled()], ids=["result", "error", "no"]
)
def test_a_future_that_has_ended_is_done(future: Future[Any]) -> None:
    assert is_done(future) is True


def test_a_moment_is_short() -> None:
    """Python looks for a Ctrl-C after each; and it is not spent spinning."""
    started = time.monotonic()
    assert is_done(Future()) is False
    assert 0.5 * waiting.TICK_S < time.monotonic() - started < 5


def test_the_result_is_waited_for() -> None:
    future = begun()
    timer = threading.Timer(2 * waiting.TICK_S, future.set_result, [3])
    timer.start()
    assert result_of(future) == 3
    timer.join()


def test_an_error_or_a_cancelled_future_is_raised() -> None:
    with pytest.raises(ValueError, match="no"):
        result_of(ended(error=ValueError("no")))
    with pytest.raises(CancelledError):
        result_of(cancelled())


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], list[int]]:
    """Have so many of the first waits interrupted, and something happen before the next one; gives the list of waits
    that were not."""

    def interrupting(times: int, then: Callable[[], object]) -> list[int]:
        waits, calls = list[int](), list[int]()

        def with_interrupt(future: Future[Any]) -> bool:
            calls.append(1)
            if len(calls) <= times:
                raise KeyboardInterrupt
            if not waits:
                then()
            waits.append(1)
            return is_done(future)

        monkeypatch.setattr(waiting, "is_done", with_interrupt)
        return waits

    return interrupting


Interrupted = Callable[[int, Callable[[], object]], list[int]]


def test_ctrl_c_cancels_what_has_not_begun(interrupted: Interrupted) -> None:
    """And nothing is waited for."""
    future: Future[Any] = Future()
    waits = interrupted(1, lambda: None)
    with pytest.raises(KeyboardInterrupt):
        result_of(future)
    assert future.cancelled()
    assert waits == []


def test_ctrl_c_waits_for_what_has_begun(interrupted: Interrupted) -> None:
    """It may be paid for: it ends before the interrupt is raised."""
    future = begun()
    timer = threading.Timer(2 * waiting.TICK_S, future.set_result, [3])
    waits = interrupted(1, timer.start)
    with pytest.raises(KeyboardInterrupt):
        result_of(future)
    assert future.done()
    assert len(waits) > 1
    timer.join()


def test_a_second_ctrl_c_waits_for_nothing(interrupted: Interrupted) -> None:
    future = begun()
    waits = interrupted(2, lambda: None)
    with pytest.raises(KeyboardInterrupt):
        result_of(future)
    assert not future.done()
    assert waits == []
