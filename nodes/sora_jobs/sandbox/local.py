"""The sandbox that an engine starts in its own process, when the first job is bought there."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .families.base import Family
    from .server import Sandbox


class LocalSandbox:
    """Keeps its jobs in `folder`; `env` names the family whose dialect it has. Thread-safe."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env = folder, env
        self.running: Sandbox | None = None
        self._url = ""
        self._lock = threading.Lock()

    def abilities(self) -> dict[str, bool]:
        """Return which calls its family has, by a provider's fields. This does not change once the server runs."""
        family = self._family()
        return {name: getattr(family, name) for name in ("remix", "lists", "deletes", "variants")}

    def base_url(self) -> str:
        """Return its base URL; start the server first if need be. InvalidInputError, LocalError where that fails."""
        from . import Sandbox
        from .jobs import seconds_in

        with self._lock:
            if self.running is None:
                sandbox = Sandbox(self._folder, seconds=seconds_in(self._env), dialect=self._family().name)
                self._url = sandbox.start()
                self.running = sandbox
            return self._url

    def close(self) -> None:
        with self._lock:
            if self.running is not None:
                self.running.close()
                self.running, self._url = None, ""

    def _family(self) -> Family:
        from .families import find_family

        running = self.running
        return running.routes.family if running else find_family(env=self._env)
