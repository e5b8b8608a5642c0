"""Copies of the ledger, and ways back to one: backup, restore, rebuild, import."""

from __future__ import annotations

from pathlib import Path

from ..config.settings import Settings
from ..errors import InvalidInputError
from ..gateway.clients import ClientPool
from ..ledger.backups import Kept, backup
from ..ledger.ledger import Ledger
from ..ledger.merge import Imported, import_home
from ..ledger.restore import restore
from .rebuild import Rebuilt, rebuild


class Maintenance:
    """Keeps an engine's ledger. Nothing is bought, and no key is copied."""

    def __init__(self, ledger: Ledger, clients: ClientPool, settings: Settings) -> None:
        self._ledger, self._clients, self._settings = ledger, clients, settings
        self._timing = ledger.database.timing

    def backup(self, file: Path) -> Kept:
        """Copy ledger, references and settings to a zip file, while they may be in use; the errors of `backup`."""
        self._refuse_shared("pg_dump copies it")
        return backup(self._settings.home, file.absolute(), self._timing)

    def restore(self, file: Path) -> Kept:
        """Put back what `backup` copied; the errors are those of `restore.restore`."""
        self._refuse_shared("psql or pg_restore puts it back")
        return restore(self._settings.home, file.absolute(), self._timing)

    def rebuild(self) -> Rebuilt:
        """Add every job that can still be found to the ledger, which may be damaged; the errors of `rebuild`."""
        return rebuild(self._ledger, self._clients.now(), self._settings.output)

    def import_home(self, home: Path) -> Imported:
        """Bring the jobs of another state folder into the ledger; the errors are those of `merge.import_home`."""
        return import_home(home.absolute(), self._ledger)

    def _refuse_shared(self, instead: str) -> None:
        if self._ledger.database.shared:
            raise InvalidInputError(
                "The ledger is a PostgreSQL database.",
                hint=f"{instead}; the images are in {' and '.join(map(str, self._ledger.references.folders))}.",
                code="ledger_shared",
            )
