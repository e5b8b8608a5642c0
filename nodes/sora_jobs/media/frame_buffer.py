"""The memory or the file that frames are decoded into; whether it has room is checked before."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError

_CGROUPS = (  # limit, used, and the line of memory.stat that counts what can be given back: versions 2 and 1
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


# macOS, sys/fcntl.h: what a file system is asked to take all of at once, in one piece if it can, from the end of the
# file on; the request is (flags, from where, offset, length, bytes taken).
_F_PREALLOCATE, _IN_ONE_PIECE, _ALL, _FROM_THE_END = 42, 2, 4, 3
_NO_SUCH_CALL = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def available_bytes() -> int | None:
    """Bytes of RAM that can still be had, within the limit of a container and, on Windows, of what the system still
    promises to anybody; None where that is not known. Swap does not count: a machine that uses it stands still."""
    queries = (_machine, _windows, lambda: _container(Path("/sys/fs/cgroup")))
    return min((amount for amount in map(_known, queries) if amount is not None), default=None)


def _known(query: Callable[[], int | None]) -> int | None:
    """What the query says; None also where it breaks, as on systems whose counters are damaged or switched off."""
    try:
        return query()
    except Exception:  # noqa: BLE001 - whatever it raises, a guess is not worth a video that could be loaded
        return None


def buffer(shape: tuple[int, ...], *, scratch: Path | None = None, spare: int = 0) -> NDArray[np.float32]:
    """float32 [N, H, W, 3], not yet filled: in memory, or as a file in the folder `scratch`.

    MediaError with both numbers when it does not fit; `spare`: bytes needed besides.
    """
    frames, height, width, _ = shape
    if scratch is not None:
        return _on_disk(shape, scratch)
    available = available_bytes()
    if available is not None and frames * height * width * 12 + spare > available:
        raise no_room(frames, width, height, available=available - spare)
    try:
        return np.empty(shape, np.float32)
    except MemoryError:
        raise no_room(frames, width, height, available=None) from None


def _on_disk(shape: tuple[int, ...], scratch: Path) -> NDArray[np.float32]:
    """A file that is used like memory: the system keeps in memory what is looked at, and writes the rest out.

    Its room is taken at once, so that a full disk shows here and not in the middle of a graph. It has no name, and is
    gone with the array (on Windows its name stays until then).
    """
    need = int(np.prod(shape)) * 4
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(scratch).free
        if need > free:
            message = f"{shape[0]} frames of {shape[2]}x{shape[1]} need {_gib(need)} on disk"
            raise MediaError(
                f"{message}; {_gib(free)} are free in {scratch}.",
                hint="Make room, or choose fewer or smaller frames.",
                code="no_space",
            )
        with tempfile.TemporaryFile(prefix="sora_frames_", dir=scratch) as file:
            _take_room(file.fileno(), need)
            return np.memmap(file, np.float32, "w+", shape=shape)
    except OSError as error:
        why = error.strerror or error
        raise MediaError(
            f"{_gib(need)} could not be taken in {scratch}: {why}.", hint="Make room.", code="no_space"
        ) from error


def _take_room(descriptor: int, need: int) -> None:
    """OSError where the disk has not so many bytes. Windows takes them when the file becomes so long."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, need)
        elif sys.platform == "darwin":
            _preallocate(descriptor, need)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:  # of a file system; the room that is free was looked at before
            raise


def _preallocate(descriptor: int, need: int) -> None:
    fcntl: Any = importlib.import_module("fcntl")
    for flags in (_IN_ONE_PIECE | _ALL, _ALL):
        try:
            fcntl.fcntl(descriptor, _F_PREALLOCATE, struct.pack("@Iiqqq", flags, _FROM_THE_END, 0, need, 0))
        except OSError:
            if flags == _ALL:
                raise
        else:
            return


def no_room(frames: int, width: int, height: int, *, available: int | None) -> MediaError:
    """The error for frames that do not fit, to be raised."""
    one = width * height * 3 * 4
    fit = max(0, available or 0) // one
    message = f"{frames} frames of {width}x{height} need {_gib(frames * one)} of memory"
    there = f"; {_gib(max(0, available))} are available" if available is not None else ""
    cap = f"frame_load_cap = {fit} would fit. " if fit else ""
    return MediaError(
        message + there + ".",
        hint=cap + "Or choose fewer or smaller frames, free memory first, or set memory = disk.",
        code="out_of_memory",
    )


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.2f} GiB" if amount >= 2**30 else f"{amount / 2**20:.1f} MiB"


def _machine() -> int | None:
    try:
        psutil = importlib.import_module("psutil")  # ComfyUI brings it; the engine alone may lack it
        return int(psutil.virtual_memory().available)
    except Exception:  # noqa: BLE001 - it is missing, or it breaks over this system
        return _linux(Path("/proc/meminfo"))


def _linux(meminfo: Path) -> int | None:
    try:
        rows = [line.split() for line in meminfo.read_text(encoding="ascii").splitlines()]
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows}
        return kib["MemAvailable"] * 1024
    except (OSError, ValueError, LookupError):
        return None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows' sysinfoapi.h."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total_phys", ctypes.c_uint64),
        ("avail_phys", ctypes.c_uint64),
        ("total_page_file", ctypes.c_uint64),
        ("avail_page_file", ctypes.c_uint64),
        ("total_virtual", ctypes.c_uint64),
        ("avail_virtual", ctypes.c_uint64),
        ("avail_extended_virtual", ctypes.c_uint64),
    )


def _windows() -> int | None:
    """The RAM that is free, or the commit that is left (of RAM and page file together) if that is less: beyond it
    nothing can be allocated, however much RAM is free. None on other systems."""
    kernel: Any = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if kernel is None:
        return None
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(min(status.avail_phys, status.avail_page_file))


def _container(root: Path) -> int | None:
    """What a cgroup still allows; None without a limit."""
    for limit, used, given_back in _CGROUPS:
        try:
            stat = (root / limit).with_name("memory.stat").read_text(encoding="ascii")
            rows = dict(line.split() for line in stat.splitlines())
            allowed = int((root / limit).read_text(encoding="ascii"))
            return max(0, allowed - int((root / used).read_text(encoding="ascii")) + int(rows.get(given_back, 0)))
        except (OSError, ValueError):  # not this version, or "max"
            continue
    return None
