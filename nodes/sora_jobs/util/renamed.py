"""Earlier names of settings. Each is still read in this release, with a warning; if both are set, the new name wins."""

from __future__ import annotations

import logging
from collections.abc import Mapping

VARIABLES = {"SORA_BACKGROUND_DOWNLOADS": "SORA_RESCUE", "SORA_SANDBOX_DIALECT": "SORA_SANDBOX_SPEAK"}

_log = logging.getLogger("sora")
_told: set[str] = set()  # once per process


def read_variable(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable's text without spaces around it, and the name under which it was found; "" and `name` for none."""
    for known in (name, VARIABLES.get(name, "")):
        if text := env.get(known, "").strip():
            if known != name:
                warn_once(renamed(known, name))
            return text, known
    return "", name


def renamed_variables(env: Mapping[str, str]) -> list[str]:
    """A sentence for each old name that is set, also where the new one goes before it."""
    return [renamed(old, new) for new, old in VARIABLES.items() if env.get(old, "").strip()]


def renamed(old: str, new: str) -> str:
    """What to tell of an old name."""
    return f"{old} is now called {new}; the old name is read in this release only."


def warn_once(text: str) -> None:
    """One line in the log, or on stderr where there is none; not again in this process."""
    if text not in _told:
        _told.add(text)
        _log.warning("%s", text)
