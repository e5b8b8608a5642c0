"""How much memory there is, asked before the frames are decoded instead of found out by the kernel's killer."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaTrouble

_CGROUPS = (  # limit, used, and the line of memory.stat that counts what can be given back: versions 2 and 1
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int | None:
    """Bytes that can still be had, swap included, within the container's limit; None where nobody tells."""
    known = [amount for amount in (_machine(), _container(Path("/sys/fs/cgroup"))) if amount is not None]
    return min(known, default=None)


def buffer(shape: tuple[int, ...], *, scratch: Path | None = None, spare: int = 0) -> NDArray[np.float32]:
    """float32 [N, H, W, 3], not yet filled: in memory, or as a file in the folder `scratch`.

    MediaTrouble with both numbers when it does not fit; `spare`: bytes needed besides.
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
            what = f"{shape[0]} frames of {shape[2]}x{shape[1]} need {_gib(need)} on disk"
            raise MediaTrouble(
                f"{what}; {_gib(free)} are free in {scratch}.", advice="Make room, or choose fewer or smaller frames."
            )
        with tempfile.TemporaryFile(prefix="sora_frames_", dir=scratch) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, need)
            return np.memmap(file, np.float32, "w+", shape=shape)
    except OSError as error:
        why = error.strerror or error
        raise MediaTrouble(f"{_gib(need)} could not be taken in {scratch}: {why}.", advice="Make room.") from error


def no_room(frames: int, width: int, height: int, *, available: int | None) -> MediaTrouble:
    """The error for frames that do not fit, to be raised."""
    one = width * height * 3 * 4
    fit = max(0, available or 0) // one
    what = f"{frames} frames of {width}x{height} need {_gib(frames * one)} of memory"
    there = f"; {_gib(max(0, available))} are available" if available is not None else ""
    cap = f"frame_load_cap = {fit} would fit. " if fit else ""
    return MediaTrouble(
        what + there + ".", advice=cap + "Or choose fewer or smaller frames, free memory first, or set memory = disk."
    )


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.2f} GiB" if amount >= 2**30 else f"{amount / 2**20:.1f} MiB"


def _machine() -> int | None:
    try:
        psutil = importlib.import_module("psutil")  # ComfyUI brings it; the engine alone may lack it
    except ImportError:
        return _linux(Path("/proc/meminfo"))
    return int(psutil.virtual_memory().available + psutil.swap_memory().free)


def _linux(meminfo: Path) -> int | None:
    try:
        rows = [line.split() for line in meminfo.read_text(encoding="ascii").splitlines()]
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows}
        return (kib["MemAvailable"] + kib.get("SwapFree", 0)) * 1024
    except (OSError, ValueError, LookupError):
        return None


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
