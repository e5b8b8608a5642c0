"""The console window of a portable ComfyUI is closed: creates that are under way get the time that Windows leaves."""

from __future__ import annotations

import os

import pytest

from .conftest import Bench

CTRL_C, CLOSE, SHUTDOWN = 0, 2, 6


@pytest.mark.skipif(os.name != "nt", reason="Windows' consoles have such windows")
def test_a_closed_window_closes_the_engine(bench: Bench) -> None:
    """And Ctrl-C does not: ComfyUI ends itself then, in its own way."""
    closed: list[str] = []
    engine = bench.pack.engine
    engine._close_with_the_window(lambda: closed.append("closed"))
    try:
        assert engine._handlers[-1](CTRL_C) == 0
        assert closed == []
        assert [engine._handlers[-1](event) for event in (CLOSE, SHUTDOWN)] == [0, 0]
        assert closed == ["closed"] * 2
    finally:
        import ctypes

        assert ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(engine._handlers.pop(), 0)  # it was there
