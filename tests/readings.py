"""How often the owner's files are opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

FILES = ("settings.toml", "providers.toml", "page.json")


@contextmanager
def counted_readings() -> Iterator[Counter[str]]:
    """By name of the file, in all threads; also of one that is not there."""
    counts: Counter[str] = Counter()
    real = Path.open

    def opened(self: Path, *positional: Any, **keywords: Any) -> Any:
        if self.name in FILES:
            counts[self.name] += 1
        return real(self, *positional, **keywords)

    with mock.patch.object(Path, "open", opened):
        yield counts
