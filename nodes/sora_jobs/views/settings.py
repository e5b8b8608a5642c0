"""What ComfyUI's page may see and change of the settings. What the owner set elsewhere always goes first."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ..config.keys import default_provider, key_state, write_key
from ..config.providers import load_provider, provider_names
from ..config.settings import Settings, read_page
from ..config.snapshot import Config
from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError, storage_error
from ..ledger.ledger import Ledger
from ..messages import LANGUAGES
from ..purchasing.balance import knows_balance
from ..util.atomic_write import atomic_write, locked

LARGEST_USD = 1e6
TOPICS = ("language", "background_downloads", "budget", "keys")
# Why the page may not change something: `by` is the file or the variable. The page says it in its own language.
REASONS = {
    "owner": "The machine's owner allows it with may_change_budget = true under [page] in {by}.",
    "elsewhere": "It can be changed on the machine itself; from elsewhere the machine's owner allows it with "
    "allow_remote_changes = true under [page] in {by}.",
    "fixed": "{by} says it.",
}
# What the page can send, and what it is called in the files.
NAMES = {
    "language": "language",
    "background_downloads": "rescue",
    "usd_per_day": "budget.usd_per_day",
    "usd_per_job": "budget.usd_per_job",
}
VARIABLES = {
    "language": "SORA_LANGUAGE",
    "background_downloads": "SORA_BACKGROUND_DOWNLOADS",
    "usd_per_day": "SORA_BUDGET_USD_PER_DAY",
    "usd_per_job": "SORA_BUDGET_USD_PER_JOB",
}


class PageSettings:
    """What ComfyUI's page may see and change, by one reading of the settings for each request. `local` says whether who
    asks may change what only this machine may."""

    def __init__(self, settings: Settings, ledger: Ledger, timing: Timing) -> None:
        self._settings, self._ledger, self._timing = settings, ledger, timing

    def read(self) -> Config:
        """Return the settings as they are now. No error: what is wrong is told by the value that needs it."""
        return self._settings.read()

    def shown(self, config: Config, *, local: bool) -> dict[str, Any]:
        """Return all of it as JSON, without a secret."""
        return shown(config, self._ledger, local=local)

    def change(self, config: Config, wanted: dict[str, Any], *, local: bool) -> Config:
        """Keep what the page asks for, and return what is set then; the errors are those of `change`."""
        return change(config, wanted, local=local, timing=self._timing)

    def write_key(self, config: Config, provider: str, key: str) -> None:
        """Keep the key of that provider; the errors are those of `keys.write_key`."""
        write_key(config, provider, key)

    @property
    def language(self) -> str:
        """In which errors are shown outside of the page: en, vi or zh."""
        return self._settings.read().shown_language


def shown(config: Config, ledger: Ledger, *, local: bool) -> dict[str, Any]:
    """All of it as JSON, without a secret. `local` says whether who asks may change what only this machine may."""
    budget = config.budget
    why = {name: _why_not(config, name, local=local) for name in ("language", "background_downloads", "budget", "keys")}
    return {
        "language": config.language,
        "background_downloads": config.background_downloads,
        "budget": {
            "usd_per_day": budget.usd_per_day,
            "usd_per_job": budget.usd_per_job,
            "spent_usd": round(ledger.spent_usd(budget), 4) if ledger.database.exists else 0.0,
        },
        "may": {name: not reason for name, reason in why.items()},
        "why": why,
        "default_provider": default_provider(config.settings),
        "providers": [_provider(config, name, local=local) for name in provider_names(config)],
    }


def change(config: Config, wanted: dict[str, Any], *, local: bool, timing: Timing = DEFAULT) -> Config:
    """Keep what the page asks for; what is set then. InvalidInputError where it may not, or for a value that is none:
    nothing is changed."""
    if unknown := sorted(set(wanted) - set(NAMES)):
        hint = f"There are: {', '.join(NAMES)}."
        raise InvalidInputError(f"There is no setting {unknown[0]!r}.", hint=hint, code="unknown_setting")
    for name, value in wanted.items():
        topic = "budget" if name.startswith("usd") else name
        if reason := _why_not(config, topic, local=local):
            why = REASONS[reason["code"]].format(**reason)
            raise InvalidInputError(f"{name} cannot be changed here. {why}", code="setting_locked")
        _check(name, value)
    file = config.settings.page_file
    try:
        # Of two changes at once both are kept.
        with locked(file.with_suffix(".lock"), timing.settings_lock_s):
            kept = read_page(file) | {NAMES[name]: value for name, value in wanted.items()}
            atomic_write(file, (json.dumps(kept, indent=1) + "\n").encode())
    except OSError as error:
        raise storage_error(f"{file} could not be written", error) from error
    return dataclasses.replace(config, page=kept)


def _check(name: str, value: Any) -> None:
    if name == "language" and value not in LANGUAGES:
        hint = f"It wants one of: {', '.join(LANGUAGES)}."
        raise InvalidInputError(f"language is {value!r}.", hint=hint, code="invalid_setting")
    if name == "background_downloads" and not isinstance(value, bool):
        raise InvalidInputError("background_downloads is neither true nor false.", code="invalid_setting")
    if name.startswith("usd") and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_USD
    ):
        raise InvalidInputError(f"{name} is no amount in dollars.", code="invalid_setting")


def _why_not(config: Config, topic: str, *, local: bool) -> dict[str, str]:
    """Why the page may not change it: a key of REASONS as `code`, and who says so as `by`; {} where it may."""
    if topic == "budget" and not config.page_may_change_budget:
        return {"code": "owner", "by": str(config.settings.file) if local else config.settings.file.name}
    if topic in ("budget", "keys") and not local and not config.allow_remote_changes:
        return {"code": "elsewhere", "by": config.settings.file.name}  # no path of this machine
    names = ("usd_per_day", "usd_per_job") if topic == "budget" else (topic,) if topic in NAMES else ()
    fixed = next((by for name in names if (by := config.fixed_by(VARIABLES[name], NAMES[name]))), "")
    return {"code": "fixed", "by": fixed if local else Path(fixed).name} if fixed else {}


def _provider(config: Config, name: str, *, local: bool) -> dict[str, Any]:
    try:
        provider = load_provider(config, name)
    except InvalidInputError as error:
        return {"name": name, "key": "unset", "ends_in": "", "url": "", "error": error.message, "balance": False}
    state, ends_in = key_state(config, provider)
    asks = state in ("set", "environment") and knows_balance(provider)
    row = {"name": name, "key": state, "ends_in": ends_in if local else "", "url": provider.base_url, "error": ""}
    return row | {"balance": asks}
