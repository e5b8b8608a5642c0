"""How much memory there is, asked before the frames are decoded instead of found out by the kernel's killer."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..errors import MediaTrouble

_CGROUPS = (  # limit, used, and the line of memory.stat that counts what can be given back: versions 2 and 1
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int | None:
    """Bytes that can still be had, swap included, within the container's limit; None where nobody tells."""
    known = [amount for amount in (_machine(), _container(Path("/sys/fs/cgroup"))) if amount is not None]
    return min(known, default=None)


def check_room(frames: int, width: int, height: int, *, spare: int = 0) -> int:
    """Bytes of float32 [frames, height, width, 3]; MediaTrouble with both numbers when they do not fit.

    `spare`: bytes needed besides. The advice names a frame_load_cap that would fit.
    """
    one = width * height * 3 * 4
    need = frames * one
    available = available_bytes()
    if available is not None and need + spare > available:
        raise no_room(frames, width, height, available=available - spare)
    return need


def no_room(frames: int, width: int, height: int, *, available: int | None) -> MediaTrouble:
    """The error for frames that do not fit, to be raised."""
    one = width * height * 3 * 4
    fit = max(0, available or 0) // one
    what = f"{frames} frames of {width}x{height} need {_gib(frames * one)} of memory"
    there = f"; {_gib(max(0, available))} are available" if available is not None else ""
    cap = f"frame_load_cap = {fit} would fit. " if fit else ""
    return MediaTrouble(what + there + ".", advice=cap + "Or choose fewer or smaller frames, or free memory first.")


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.2f} GiB"


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
