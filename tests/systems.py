"""What differs from system to system, for the tests: what one cannot do is skipped there, with the reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def on_wine() -> bool:
    """Is this a Windows Python on Wine? Its ntdll says so, and Windows' has no such function."""
    if os.name != "nt":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def hears_pythonpath() -> bool:
    """Does this Python look at PYTHONPATH? The embedded one of a portable ComfyUI does not."""
    return not sys.flags.ignore_environment


def make_link(link: Path, target: Path) -> None:
    """A symbolic link. Wine makes none, Windows only for those who have the right to."""
    if not _linked(link, target):
        pytest.skip("this system makes no symbolic links for this user")


def others_may_read(file: Path) -> bool:
    """By its mode, which means nothing on Windows: there the folder's permissions decide."""
    return os.name == "posix" and bool(file.stat().st_mode & 0o077)


def share_folder(link: Path, target: Path) -> None:
    """Have both be one folder, to save time; without links each keeps its own files."""
    if not _linked(link, target):
        link.mkdir()


def _linked(link: Path, target: Path) -> bool:
    try:
        link.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        if os.name != "nt":
            raise
    return link.is_symlink()
