"""A machine with so much memory, as the system and psutil tell it."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

GIB = 1 << 30
MEMINFO, CGROUP = "/proc/meminfo", "/sys/fs/cgroup/"


def raising(error: Exception) -> Any:
    def function(*_: object) -> None:
        raise error

    return function


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    free: int | Exception | None = None,
    meminfo: str | Exception | None = None,
    cgroup: dict[str, str] | Exception | None = None,
    windows: Any = None,
) -> None:
    """`free`: bytes by psutil, whose question for swap raises; None where it is missing. `meminfo`, `cgroup`: the texts
    of /proc/meminfo and of the files below /sys/fs/cgroup; `windows`: GlobalMemoryStatusEx; None where there are none.
    An exception is what reading raises."""
    module = None
    if free is not None:
        tell = raising(free) if isinstance(free, Exception) else lambda: SimpleNamespace(available=free)
        module = SimpleNamespace(virtual_memory=tell, swap_memory=raising(RuntimeError("PdhAddEnglishCounterW failed")))
    monkeypatch.setitem(sys.modules, "psutil", module)
    kernel = None if windows is None else SimpleNamespace(GlobalMemoryStatusEx=windows)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    usual = Path.read_text

    def read_text(path: Path, *positional: Any, **named: Any) -> str:
        name, given = path.as_posix(), None
        if name == MEMINFO:
            given = meminfo
        elif name.startswith(CGROUP):
            given = cgroup.get(name.removeprefix(CGROUP)) if isinstance(cgroup, dict) else cgroup
        else:
            return usual(path, *positional, **named)
        if isinstance(given, str):
            return given
        raise given or FileNotFoundError(name)

    monkeypatch.setattr(Path, "read_text", read_text)
