"""Whether there is room on disk for a video, which is checked before it is bought."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import StorageError, storage_error
from ..util.disk import DISK_FULL, FREE_SPACE_HINT, SHORTEN_HINT, path_is_too_long, try_folder

LEAST_ROOM = 64 << 20  # bytes; a clip of 30 s has some 50 MB


def check_room(folder: Path, names: int = 0) -> None:
    """Raise StorageError where a video could not be stored below `folder`, for want of space or since a path would be
    too long. `names`: the number of characters of the longest name that it will have there."""
    try:
        try_folder(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise storage_error(f"No video could be stored in {folder}", error) from error
    if free < LEAST_ROOM:
        raise StorageError(
            f"There are only {free >> 20} MiB left for videos in {folder}.", hint=FREE_SPACE_HINT, code=DISK_FULL
        )
    if too_long := path_is_too_long(folder, names):
        raise StorageError(too_long, hint=SHORTEN_HINT, code="path_too_long")
