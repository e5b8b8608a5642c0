"""Is there room for a video? It is better to know before it is bought."""

from __future__ import annotations

import shutil
from pathlib import Path

from .disk import FREE_SPACE, FULL, SHORTEN, path_is_too_long, try_folder
from .errors import DiskTrouble, disk_trouble

LEAST_ROOM = 64 << 20  # bytes; a clip of 30 s has some 50 MB


def check_room(folder: Path, names: int = 0) -> None:
    """DiskTrouble where a video could not be stored below `folder`. `names`: the characters of the longest name that it
    will be given there."""
    try:
        try_folder(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise disk_trouble(f"No video could be stored in {folder}", error) from error
    if free < LEAST_ROOM:
        raise DiskTrouble(f"There are only {free >> 20} MiB left for videos in {folder}.", advice=FREE_SPACE, code=FULL)
    if too_long := path_is_too_long(folder, names):
        raise DiskTrouble(too_long, advice=SHORTEN, code="path_too_long")
