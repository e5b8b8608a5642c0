"""A download that is not finished: its `.part`, and the note beside it by which another process can go on."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..util.atomic_write import atomic_write, remove, sync_folder
from ..util.bounded_read import read_json

LARGEST_NOTE = 16 << 10  # bytes


@dataclass
class PartialDownload:
    """A download on its way. `validator` is the ETag that lets a Range request name the same bytes again; `total` is
    the size of the complete file in bytes, None where the server did not tell."""

    path: Path
    validator: str = ""
    total: int | None = None

    @property
    def size(self) -> int:
        """Bytes that are here; 0 without a file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def note(self) -> Path:
        """Where the validator and the size are kept for the next process."""
        return self.path.with_suffix(".etag")

    @property
    def has_all_bytes(self) -> bool:
        """Are as many bytes here as the server said there are?"""
        return self.total is not None and self.size == self.total > 0

    def headers(self) -> dict[str, str]:
        """Ask for the rest only where the server can tell that the file is still the same one."""
        if self.size and self.validator:
            return {"Range": f"bytes={self.size}-", "If-Range": self.validator}
        return {}

    def goes_on(self, start: int, validator: str) -> bool:
        """Is that the rest of what is here? Some servers send that of another version, whatever If-Range says."""
        return start == self.size and (start == 0 or validator in ("", self.validator))

    def load(self) -> None:
        """Take up what another process left. A power cut may have left anything, and older versions noted the ETag
        alone."""
        self.validator, self.total = "", None
        try:
            with self.note.open("rb") as file:
                text = file.read(LARGEST_NOTE).decode("utf-8", "replace")
            known = read_json(text)
        except (OSError, ValueError):
            return
        etag, total = (known.get("etag"), known.get("total")) if isinstance(known, dict) else (text, None)
        if isinstance(etag, str) and re.fullmatch(r'"[\x21\x23-\x7e]*"', etag):
            self.validator = etag
        if isinstance(total, int) and not isinstance(total, bool) and total > 0:
            self.total = total

    def begin(self, validator: str, total: int | None) -> None:
        """Make room for a version from its first byte. However this ends, no note lies beside bytes of another version:
        they would be sewn together under the final name."""
        self.remove()
        sync_folder(self.path.parent)  # else a power cut could bring the old note back beside the new bytes
        self._keep(validator, total)

    def learn_total(self, total: int | None) -> None:
        """Note the size of the complete file, where it was not known before."""
        if total is not None and self.total is None:
            self._keep(self.validator, total)

    def remove(self) -> None:
        """Give up what is here. OSError."""
        self.validator, self.total = "", None
        for path in (self.note, self.path):
            remove(path)

    def _keep(self, validator: str, total: int | None) -> None:
        self.validator, self.total = validator, total
        if validator or total is not None:
            note = json.dumps({"etag": validator, "total": total}).encode()
            with contextlib.suppress(OSError):  # without it another process begins anew; a full disk says so itself
                atomic_write(self.note, note, private=False, sync=False)
