"""The pool of the engine's own threads, where threads are scarce (the rest of it is in test_monitor.py)."""

from __future__ import annotations

import threading

import pytest
from sora.threads import DaemonPool


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
