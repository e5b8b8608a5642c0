"""The images that went up with jobs, kept by their content, so that a job can be understood and repeated: beside the
ledger, and on a farm in the output folder that its machines share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ..errors import storage_error
from ..util.atomic_write import atomic_write

# In the output folder. ComfyUI's lists of outputs leave out what begins with a dot.
FARM_FOLDER = ".sora-farm"


class References:
    """PNG files below `home`; on a farm below `output()`, which its machines share, and only older ones in `home`."""

    def __init__(self, home: Path, output: Callable[[], Path | None] = lambda: None) -> None:
        self._home, self._output = home, output

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where they are looked for, in this order; new ones are written to the first."""
        own, output = self._home / "references", self._output()
        return (own,) if output is None else (output / FARM_FOLDER / "references", own)

    def place(self, name: str) -> Path:
        """The file of that name; where it is in none of the folders, the one that it would be written to."""
        places = [folder / name for folder in self.folders]
        return next((place for place in places if place.is_file()), places[0])

    def keep(self, png: bytes) -> str:
        """The name under which that image is kept now. StorageError."""
        folder, *more = self.folders
        name = f"{hashlib.sha256(png).hexdigest()}.png"
        # What machines share is read by each of them, whoever the user is that ComfyUI runs as there.
        write_once(folder / name, png, private=not more)
        return name


def write_once(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a file that is named after its content, unless it is there. StorageError."""
    if path.exists():
        return
    try:
        atomic_write(path, data, private=private)  # synced: a row that names it must not outlive it in a power cut
    except OSError as error:
        if path.exists():  # the name is that of the content: another thread has just written the same
            return
        raise storage_error(f"The reference could not be kept in {path.parent}", error) from error
