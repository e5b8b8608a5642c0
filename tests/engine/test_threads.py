"""The pool of the engine's own threads, where threads are scarce (the rest of it is in test_poller.py)."""

from __future__ import annotations

import queue
import threading

import pytest
from sora_jobs.util.daemon_pool import DaemonPool


def test_what_no_thread_can_be_had_for_is_neither_queued_nor_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked was told that it is not done: it must not be done later, nor take the room of others."""
    pool, done = DaemonPool("test", 2), []

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", none_left)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="new thread"):
                pool.submit(lambda: done.append("refused"), "gateway")
    pool.submit(lambda: done.append("taken"), "gateway").result(5)
    pool.close()
    assert done == ["taken"]


def test_a_thread_that_has_just_taken_a_job_is_not_taken_for_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job would wait behind it, for as long as it sleeps or asks a silent gateway."""
    between, go_on = threading.Event(), threading.Event()

    class Paused(queue.SimpleQueue[object]):
        """A queue whose first job is taken, and whose taker is not through with that."""

        def get(self) -> object:
            item = super().get()
            if not between.is_set():
                between.set()
                go_on.wait(20)
            return item

    monkeypatch.setattr(queue, "SimpleQueue", Paused)
    pool = DaemonPool("test", 2)
    first = pool.submit(lambda: "first")
    assert between.wait(5)
    assert pool.submit(lambda: "second").result(5) == "second"
    assert not first.done()
    go_on.set()
    assert first.result(5) == "first"
    pool.close()
