"""Which ledger of this user an engine has, and which others there are: of other ComfyUIs, and of the command line."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from ..config.locations import Location, location_of, other_homes, record_location, recorded_location
from ..config.settings import Settings
from ..errors import InvalidInputError, SoraError
from .database import Database


@dataclass(frozen=True)
class LedgerPlace:
    """Where the ledger is, for a person ("" if the settings that say so cannot be read), and what they should know of
    it before they use it."""

    place: str
    warnings: list[str] = field(default_factory=list)


class Whereabouts:
    """Compares the ledger of an engine with what the ComfyUIs of this user recorded. `found` tells that its state
    folder was looked for, and not named by the caller."""

    def __init__(self, settings: Settings, database: Database, *, found: bool) -> None:
        self._settings, self._database, self._found = settings, database, found

    @property
    def place(self) -> str:
        """Where the ledger is, for a person, without a password. InvalidInputError: its settings cannot be read."""
        return self._database.place

    def describe(self) -> LedgerPlace:
        """Return where the ledger is, with when ComfyUI said so, and what may be wrong with that."""
        told, place, warnings = self._told(), "", list[str]()
        if told is not None and told.is_stale:
            warnings.append(f"ComfyUI kept its ledger in {told.home} on {told.day}, and that folder is gone.")
        said = f", as ComfyUI said on {told.day}" if told is not None and not told.is_stale else ""
        with contextlib.suppress(SoraError):  # what is wrong with it is told by whoever uses it
            if (other := self.other_database()) is not None:
                said = ""
                warnings.append(f"{other.message} Its jobs are not seen here. {other.hint}")
            place = f"{self.place}{said}"
        return LedgerPlace(place, warnings)

    def others(self) -> list[Path]:
        """Return the other state folders of this user that have a ledger. InvalidInputError if ComfyUI, with this one,
        uses another database: what it bought is then not known here."""
        if (error := self.other_database()) is not None:
            raise error
        return other_homes(self._settings.home)

    def other_database(self) -> InvalidInputError | None:
        """Return the error if ComfyUI, with the same state folder, uses another database: it may have been told of one
        by its environment alone."""
        settings, told = self._settings, location_of(self._settings.home)
        if told is None or told.database in (None, self._database.mark):
            return None
        here = settings.read().fixed_by("SORA_DATABASE_URL", "database_url")
        theirs = "a PostgreSQL database" if told.database else f"the file {settings.home / 'ledger.sqlite3'}"
        ours = f"{here} names another one" if here and told.database else f"{here} names a database"
        cure = f"Set SORA_DATABASE_URL to ComfyUI's value, or database_url in {settings.file}, which both read."
        if not told.database:
            cure = f"Remove it from {here}, or set it for ComfyUI, too."
        return InvalidInputError(
            f"ComfyUI kept its jobs in {theirs} on {told.day}, and {ours if here else 'SORA_DATABASE_URL is not set'}.",
            hint=f"{cure} If ComfyUI has the same database by now, start it and open its tab *Sora jobs* once. "
            "For jobs apart from ComfyUI's, use another folder: --home DIR.",
        )

    def record(self, temp: Path) -> None:
        """Record for the command line which ledger and folders this process uses. OSError, InvalidInputError: that
        cannot be written."""
        mark: str | None = None
        with contextlib.suppress(SoraError):  # settings that cannot be read are told by whoever uses the ledger
            mark = self._database.mark
        record_location(self._settings.home.absolute(), self._settings.output.absolute(), temp, mark)

    def _told(self) -> Location | None:
        """Return what the nodes of this pack recorded, where that led to this state folder."""
        named = not self._found or self._settings.env.get("SORA_HOME", "").strip()
        return None if named else recorded_location()
