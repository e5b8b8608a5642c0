"""How much memory counts as available, on each system; and that nothing which is asked for it can end a load."""

from __future__ import annotations

import ctypes
import errno
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sora_jobs.errors import MediaError
from sora_jobs.media import frame_buffer
from sora_jobs.media.frames import load_frames

from ..failures import failing
from .clips import make_clip
from .machines import GIB, machine, raising


def windows(*, phys: int, commit: int, works: bool = True) -> Any:
    """The question of a Windows with so much free RAM and so much commit left."""

    def query(pointer: Any) -> int:
        status = pointer._obj
        assert status.length == ctypes.sizeof(status) == 64
        raw = struct.pack("<IIQQQQQQQ", 64, 50, 32 * GIB, phys, 40 * GIB, commit, 1 << 47, 1 << 46, 0)
        ctypes.memmove(ctypes.addressof(status), raw, len(raw))
        return int(works)

    return query


def test_swap_is_neither_counted_nor_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows without performance counters raises a RuntimeError over that question alone."""
    machine(monkeypatch, free=3 * GIB)
    assert frame_buffer.available_bytes() == 3 * GIB


@pytest.mark.parametrize(
    ("phys", "commit", "expected"), [(8 * GIB, 2 * GIB, 2 * GIB), (2 * GIB, 8 * GIB, 2 * GIB), (8 * GIB, 0, 0)]
)
def test_on_windows_the_commit_that_is_left_counts_too(
    monkeypatch: pytest.MonkeyPatch, phys: int, commit: int, expected: int
) -> None:
    """Beyond it nothing is given, however much RAM is free."""
    machine(monkeypatch, free=phys, windows=windows(phys=phys, commit=commit))
    assert frame_buffer.available_bytes() == expected
    machine(monkeypatch, free=phys, windows=windows(phys=phys, commit=commit, works=False))
    assert frame_buffer.available_bytes() == phys


@pytest.mark.parametrize("error", [RuntimeError("PDH"), OSError(5, "denied"), AttributeError("x"), MemoryError()])
def test_a_question_that_breaks_is_unknown_and_ends_no_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever it raises; what the others tell counts."""
    meminfo = f"MemAvailable: {5 * GIB // 1024} kB\n"
    machine(monkeypatch, free=error, meminfo=meminfo, cgroup=error, windows=raising(error))
    assert frame_buffer.available_bytes() == 5 * GIB
    machine(monkeypatch, free=error, meminfo=error, cgroup=error, windows=raising(error))
    assert frame_buffer.available_bytes() is None
    assert len(load_frames(make_clip(tmp_path / "clip.mp4")).pixels) == 24


def test_what_does_not_fit_in_ram_is_offered_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much swap there is: it is not asked for."""
    machine(monkeypatch, free=GIB)
    with failing(MediaError, "out_of_memory", "2.06 GiB", "1.00 GiB are available") as caught:
        frame_buffer.buffer((200, 720, 1280, 3))
    assert "memory = disk" in caught.value.hint
    assert "frame_load_cap = 97 would fit" in caught.value.hint


class Mac:
    """The calls of a macOS: no posix_fallocate, and room is asked for by fcntl."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refused: int) -> None:
        self.asked: list[tuple[int, ...]] = []
        self._refused = refused
        monkeypatch.delattr("os.posix_fallocate", raising=False)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(fcntl=self.fcntl))

    def fcntl(self, descriptor: int, command: int, request: bytes) -> bytes:
        assert command == 42
        assert descriptor > 2
        self.asked.append(struct.unpack("@Iiqqq", request))
        if len(self.asked) <= len(self._refused):
            raise OSError(self._refused[len(self.asked) - 1], "No space left on device")
        return request


def test_on_macos_the_disk_gives_the_room_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one piece, else in several; all of it, from the end of the file on."""
    need = 2 * 8 * 10 * 3 * 4
    mac = Mac(monkeypatch, errno.ENOSPC)
    pixels = frame_buffer.buffer((2, 8, 10, 3), scratch=tmp_path)
    assert isinstance(pixels, np.memmap)
    assert pixels.shape == (2, 8, 10, 3)
    assert mac.asked == [(2 | 4, 3, 0, need, 0), (4, 3, 0, need, 0)]


def test_on_macos_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a SIGBUS in the middle of a graph."""
    Mac(monkeypatch, errno.ENOSPC, errno.ENOSPC)
    with failing(MediaError, "no_space", "No space left"):
        frame_buffer.buffer((2, 8, 10, 3), scratch=tmp_path)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_a_file_system_without_that_call_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """How much room is free was looked at before."""
    monkeypatch.setattr("os.posix_fallocate", raising(OSError(code, "Operation not supported")), raising=False)
    pixels = frame_buffer.buffer((2, 8, 10, 3), scratch=tmp_path)
    pixels[:] = 0.5
    assert isinstance(pixels, np.memmap)
