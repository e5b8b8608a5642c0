"""Files that are not finished: a download's `.part` with the note beside it, and how a final name is given in one step.

Whatever is killed or loses its power leaves under the final name a whole file or none.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Part:
    """A download on its way. `validator` is the ETag that lets a Range request name the same bytes again."""

    path: Path
    validator: str = ""

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def note(self) -> Path:
        """Where the validator is kept for the next process."""
        return self.path.with_suffix(".etag")

    def headers(self) -> dict[str, str]:
        """Ask for the rest only where the server can tell that the file is still the same one."""
        if self.size and self.validator:
            return {"Range": f"bytes={self.size}-", "If-Range": self.validator}
        return {}

    def goes_on(self, start: int, validator: str) -> bool:
        """Is that the rest of what is here? Some servers send that of another version, whatever If-Range says."""
        return start == self.size and (start == 0 or validator in ("", self.validator))

    def load(self) -> None:
        """Take up what another process left."""
        text = self.note.read_text(encoding="utf-8", errors="replace") if self.note.exists() else ""
        self.validator = text if re.fullmatch(r'"[\x21\x23-\x7e]*"', text) else ""  # a power cut may leave anything

    def begin(self, validator: str) -> None:
        """Make room for a version from its first byte. However this ends, no note lies beside bytes of another version:
        they would be sewn together under the final name."""
        self.remove()
        _sync(self.path.parent)  # else a power cut could bring the old note back beside the new bytes
        if validator:
            self.note.write_text(validator, encoding="utf-8")
            self.validator = validator

    def remove(self) -> None:
        self.validator = ""
        for path in (self.note, self.path):
            path.unlink(missing_ok=True)


def publish(unfinished: Path, target: Path) -> None:
    """Give a file that is whole and synced its final name."""
    unfinished.replace(target)
    _sync(target.parent)  # the new name itself must survive a power cut


def copy(source: Path, target: Path) -> None:
    """Copy a file, over an older one of that name."""
    # A name of its own: a download, or another one who copies, must not write into it.
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        shutil.copyfile(source, unfinished)
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        publish(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
