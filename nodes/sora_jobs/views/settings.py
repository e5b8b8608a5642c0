"""What ComfyUI's page may see and change of the settings. What the owner set elsewhere always goes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..config.keys import default_provider, key_state, write_key
from ..config.providers import load_provider, provider_names
from ..config.settings import Settings
from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError, storage_error
from ..ledger.ledger import Ledger
from ..messages import LANGUAGES
from ..purchasing.balance import knows_balance
from ..util.atomic_write import atomic_write, locked

LARGEST_USD = 1e6
# Why the page may not change something: `by` is the file or the variable. The page says it in its own language.
REASONS = {
    "owner": "The machine's owner allows it with may_change_budget = true under [page] in {by}.",
    "elsewhere": "It can be changed on the machine itself; from elsewhere the machine's owner allows it with "
    "from_elsewhere = true under [page] in {by}.",
    "fixed": "{by} says it.",
}
# What the page can send, and what it is called in the files.
NAMES = {
    "language": "language",
    "rescue": "rescue",
    "usd_per_day": "budget.usd_per_day",
    "usd_per_job": "budget.usd_per_job",
}
VARIABLES = {
    "language": "SORA_LANGUAGE",
    "rescue": "SORA_RESCUE",
    "usd_per_day": "SORA_BUDGET_USD_PER_DAY",
    "usd_per_job": "SORA_BUDGET_USD_PER_JOB",
}


class PageSettings:
    """What ComfyUI's page may see and change, and who may open it. `local` says whether who asks may change what only
    this machine may."""

    def __init__(self, settings: Settings, ledger: Ledger, timing: Timing) -> None:
        self._settings, self._ledger, self._timing = settings, ledger, timing

    def shown(self, *, local: bool) -> dict[str, Any]:
        """Return all of it as JSON, without a secret."""
        return shown(self._settings, self._ledger, local=local)

    def change(self, wanted: dict[str, Any], *, local: bool) -> None:
        """Keep what the page asks for; the errors are those of `change`."""
        change(self._settings, wanted, local=local, timing=self._timing)

    def write_key(self, provider: str, key: str) -> None:
        """Keep the key of that provider; the errors are those of `keys.write_key`."""
        write_key(self._settings, provider, key)

    @property
    def language(self) -> str:
        """In which errors are shown: en, vi or zh."""
        return self._settings.shown_language

    @property
    def from_elsewhere(self) -> bool:
        """May keys and settings be changed by a page that does not run on this machine?"""
        return self._settings.from_elsewhere

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names under which the page is reached through a tunnel or a proxy, in small letters."""
        return self._settings.allowed_hosts

    def how_to_allow(self, host: str) -> str:
        """Return the file and the line by which the owner lets a page in that is opened by that name."""
        return self._settings.how_to_allow(host)


def shown(settings: Settings, ledger: Ledger, *, local: bool) -> dict[str, Any]:
    """All of it as JSON, without a secret. `local` says whether who asks may change what only this machine may."""
    budget = settings.budget
    why = {name: _why_not(settings, name, local=local) for name in ("language", "rescue", "budget", "keys")}
    return {
        "language": settings.language,
        "rescue": settings.rescue,
        "budget": {
            "usd_per_day": budget.usd_per_day,
            "usd_per_job": budget.usd_per_job,
            "spent_usd": round(ledger.spent_usd(budget), 4) if ledger.database.exists else 0.0,
        },
        "may": {name: not reason for name, reason in why.items()},
        "why": why,
        "default_provider": default_provider(settings),
        "providers": [_provider(settings, name, local=local) for name in provider_names(settings)],
    }


def change(settings: Settings, wanted: dict[str, Any], *, local: bool, timing: Timing = DEFAULT) -> None:
    """Keep what the page asks for. InvalidInputError where it may not, or for an invalid value: nothing is changed."""
    if unknown := sorted(set(wanted) - set(NAMES)):
        hint = f"There are: {', '.join(NAMES)}."
        raise InvalidInputError(f"There is no setting {unknown[0]!r}.", hint=hint, code="unknown_setting")
    for name, value in wanted.items():
        topic = "budget" if name.startswith("usd") else name
        if reason := _why_not(settings, topic, local=local):
            why = REASONS[reason["code"]].format(**reason)
            raise InvalidInputError(f"{name} cannot be changed here. {why}", code="setting_locked")
        _check(name, value)
    try:
        # Of two changes at once both are kept.
        with locked(settings.page_file.with_suffix(".lock"), timing.settings_lock_s):
            kept = settings.page_wishes() | {NAMES[name]: value for name, value in wanted.items()}
            atomic_write(settings.page_file, (json.dumps(kept, indent=1) + "\n").encode())
    except OSError as error:
        raise storage_error(f"{settings.page_file} could not be written", error) from error


def _check(name: str, value: Any) -> None:
    if name == "language" and value not in LANGUAGES:
        hint = f"It wants one of: {', '.join(LANGUAGES)}."
        raise InvalidInputError(f"language is {value!r}.", hint=hint, code="invalid_setting")
    if name == "rescue" and not isinstance(value, bool):
        raise InvalidInputError("rescue is neither true nor false.", code="invalid_setting")
    if name.startswith("usd") and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_USD
    ):
        raise InvalidInputError(f"{name} is no amount in dollars.", code="invalid_setting")


def _why_not(settings: Settings, topic: str, *, local: bool) -> dict[str, str]:
    """Why the page may not change it: a key of REASONS as `code`, and who says so as `by`; {} where it may."""
    if topic == "budget" and not settings.page_may_change_budget:
        return {"code": "owner", "by": str(settings.file) if local else settings.file.name}
    if topic in ("budget", "keys") and not local and not settings.from_elsewhere:
        return {"code": "elsewhere", "by": settings.file.name}  # no path of this machine
    names = ("usd_per_day", "usd_per_job") if topic == "budget" else (topic,) if topic in NAMES else ()
    fixed = next((by for name in names if (by := settings.fixed_by(VARIABLES[name], NAMES[name]))), "")
    return {"code": "fixed", "by": fixed if local else Path(fixed).name} if fixed else {}


def _provider(settings: Settings, name: str, *, local: bool) -> dict[str, Any]:
    try:
        provider = load_provider(settings, name)
    except InvalidInputError as error:
        return {"name": name, "key": "unset", "ends_in": "", "url": "", "error": error.message, "balance": False}
    state, ends_in = key_state(settings, provider)
    asks = state in ("set", "environment") and knows_balance(provider)
    row = {"name": name, "key": state, "ends_in": ends_in if local else "", "url": provider.base_url, "error": ""}
    return row | {"balance": asks}
