"""What a disk can do, tried before money is spent; and what is wrong with it, in words that help."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from .atomic_write import BUSY_WINERRORS, remove, replace, sync_file, sync_folder

DISK_FULL = "disk_full"  # code of an error
VIDEO_NAME = 60  # characters of the longest name of a video in its folder: one that is being written
LONGEST_PATH = 259  # characters on Windows, where nobody has switched long paths on

DRIVE_REMOTE = 4  # Windows' number for a drive of the network
NETWORKS = (
    "nfs", "cifs", "smb", "9p", "vboxsf", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "glusterfs", "ceph", "lustre",
    "afs", "davfs", "fuse.s3fs", "fuse.gcsfuse", "ncpfs", "beegfs",
)  # fmt: skip

KEEP_HINT = "Delete nothing there: the ledger knows what was paid for."

FREE_SPACE_HINT = "Free disk space, or choose another folder."
_IN_USE = "Another program has it open, such as a virus scanner, a sync client or a player: close it there."
_RIGHTS = "Check that this user may write to the folder."
_AWAY = "Check that the folder's drive is connected."
SHORTEN_HINT = "Choose a folder with a shorter path, or enable long paths in Windows."
_TAKEN = "Something else has that name: a file, or a link to a drive that is not connected. Connect or move it."
_HINTS = {
    errno.EEXIST: _TAKEN,
    errno.ENOTDIR: _TAKEN,
    errno.ENOSPC: FREE_SPACE_HINT,
    errno.EDQUOT: FREE_SPACE_HINT,
    errno.EBUSY: _IN_USE,
    errno.ETXTBSY: _IN_USE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "The disk is read-only: choose another folder.",
    errno.ENAMETOOLONG: SHORTEN_HINT,
    errno.ENOENT: _AWAY,
    errno.ENODEV: _AWAY,
    errno.ENXIO: _AWAY,
    errno.EIO: "The disk reports an error: check it.",
}
# Windows' own numbers, which say more than the errno that Python makes of them.
_WINDOWS_HINTS = {
    **dict.fromkeys(BUSY_WINERRORS, _IN_USE),
    **dict.fromkeys((39, 112), FREE_SPACE_HINT),
    **dict.fromkeys((3, 21, 53, 67, 1167), _AWAY),
    **dict.fromkeys((206,), SHORTEN_HINT),
}


def code_of(error: OSError) -> str:
    """The code of the error that is made of it: file_in_use, disk_full, or "" for anything else."""
    return {_IN_USE: "file_in_use", FREE_SPACE_HINT: DISK_FULL}.get(hint_of(error), "")


def reason_of(error: OSError) -> str:
    """What the system says, without the path, which is in the sentence already."""
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")


def hint_of(error: OSError) -> str:
    """What the user can do about it."""
    known = _WINDOWS_HINTS.get(getattr(error, "winerror", None) or 0)
    return known or _HINTS.get(error.errno or 0, "Check the disk, or choose another folder.")


def is_gone(path: Path) -> bool:
    """Is it certain that nothing is there? What this user may not look at, or a disk does not answer for, may be."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a path that no system takes
        return True
    except OSError:
        return False
    return False


def rights_hint(folder: Path) -> str:
    """What to do where this user may not use the state folder, or a folder in it: it was made by another one, such as
    an administrator or a container. It is never to be deleted, since the ledger is in it."""
    if _is_windows():
        user = os.environ.get("USERNAME", "").strip() or "YOUR-NAME"
        grant = f'icacls "{folder}" /grant "{user}:(OI)(CI)F" /T'
        cure = f"open Command Prompt by a right click and Run as administrator, and run: {grant}"
        made = "an administrator or on another computer"
    else:
        cure, made = f'run: sudo chown -R "$(id -un)" "{folder}"', "another user (sudo, a container)"
    return f"If {folder} was made by {made}, {cure}; then run again. {KEEP_HINT}"


def path_is_too_long(folder: Path, names: int) -> str:
    """Why a name of that many characters cannot be given in `folder`; "" where it can."""
    length = len(str(folder.absolute())) + 1 + names
    if not _is_windows() or length <= LONGEST_PATH or _long_paths_are_enabled():
        return ""
    return f"Paths in {folder} would have {length} characters; Windows takes {LONGEST_PATH}."


def try_folder(folder: Path) -> list[str]:
    """Do once with a tiny file all that a video goes through: create, sync, lock, rename over another name, link, read
    back. OSError where a video could not be stored; what only some disks offer, and has its way round, is returned as a
    list of what is missing here."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f".sora-{uuid.uuid4().hex[:12]}"
    unfinished, final, second, lock = (folder / f"{name}.{kind}" for kind in ("part", "tmp", "link", "lock"))
    data = os.urandom(512)
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            lacks = [] if sync_file(file.fileno()) else ["syncing files"]
        final.write_bytes(b"")
        replace(unfinished, final)
        if os.name == "posix" and not sync_folder(folder):
            lacks.append("syncing folders")
        if final.read_bytes() != data:
            raise OSError(errno.EIO, "What was written is not what is read")
        ways: dict[str, Callable[[], None]] = {
            "hard links": lambda: second.hardlink_to(final),
            "locks": lambda: _lock(lock),
        }
        for what, step in ways.items():
            try:
                step()
            except (OSError, NotImplementedError):
                lacks.append(what)
    finally:
        for path in (unfinished, final, second, lock):
            with contextlib.suppress(OSError):
                remove(path)
    return lacks


def network_of(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of network file system that a folder is on ("nfs4", "cifs", a mapped drive); "" for a local disk, and
    where the system does not tell."""
    place = folder.absolute()
    if sys.platform == "win32":
        import ctypes

        if str(place).startswith("\\\\"):
            return "a network share"
        return "a mapped drive" if ctypes.windll.kernel32.GetDriveTypeW(f"{place.drive}\\") == DRIVE_REMOTE else ""
    try:
        rows = [line.split(" ") for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:  # not Linux
        return ""
    real, kind, depth = Path(os.path.realpath(place)), "", 0
    for row in rows:
        # Spaces and their like are written as \040 there.
        mounted = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), row[1])) if len(row) > 2 else None
        if mounted is not None and real.is_relative_to(mounted) and len(mounted.parts) >= depth:
            depth, kind = len(mounted.parts), row[2]  # the innermost, and of those the one that was mounted last
    return kind if kind.startswith(NETWORKS) else ""


def _lock(path: Path) -> None:
    from filelock import FileLock

    with FileLock(path, timeout=1.0, thread_local=False, fallback_to_soft=False):
        pass


def _is_windows() -> bool:
    return os.name == "nt"


def _long_paths_are_enabled() -> bool:
    """Windows' own switch, which Python honours."""
    if sys.platform == "win32":
        import winreg

        place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    return False
