"""Where the state lies, and the reading of what the machine's owner set there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidInputError
from ..util.bounded_read import read_json, read_text, read_toml
from ..util.disk import reason_of, rights_hint
from .providers_toml import owner_rows
from .snapshot import Config, Rows


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`home` keeps ledger, keys and references; `output` is the root of all video files, `folder` the place in it.

    Variables and files are read by each `read`, so that a change needs no restart (but the ledger's place).
    """

    home: Path
    output: Path
    folder: str = "sora"
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def videos(self) -> Path:
        """Where new videos are stored; it need not be there."""
        return self.output / self.folder

    @property
    def file(self) -> Path:
        """What the owner set, where that is not a variable; it need not be there."""
        return self.home / "settings.toml"

    @property
    def providers_file(self) -> Path:
        """Where the owner's own providers stand; it need not be there."""
        return self.home / "providers.toml"

    @property
    def page_file(self) -> Path:
        """What was set in ComfyUI's page; it counts where neither a variable nor settings.toml says otherwise."""
        return self.home / "page.json"

    def read(self) -> Config:
        """What is set now: each file is opened once. Whoever does one thing takes one `Config` for all of it. No error:
        what is wrong is told by the value that needs it."""
        return Config(
            settings=self,
            env=dict(self.env),
            values=_read_values(self.file),
            provider_rows=_read_providers(self.providers_file),
            page=read_page(self.page_file),
        )


def read_page(file: Path) -> dict[str, Any]:
    """What the page set, by the names of settings.toml."""
    try:
        found = read_json(read_text(file))
    except (OSError, ValueError):  # it is ours, and holds wishes only
        return {}
    return found if isinstance(found, dict) else {}


def _read_values(file: Path) -> Mapping[str, Any] | InvalidInputError:
    try:
        tree = read_toml(file)
    except (FileNotFoundError, NotADirectoryError):  # the second: the ledger says that better
        return {}
    except PermissionError as error:
        message = f"{file} cannot be read: {reason_of(error)}."
        return InvalidInputError(message, hint=rights_hint(file.parent), code="settings_unreadable")
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read: {error}."
        return InvalidInputError(message, hint="Correct it: it is TOML.", code="settings_unreadable")
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _read_providers(file: Path) -> Rows | InvalidInputError:
    try:
        return owner_rows(file)
    except InvalidInputError as error:
        return error
