"""Where the state lies and what the machine's owner set: variables over files over defaults."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidInputError
from ..messages import LANGUAGES
from ..util.addresses import Range, parse_ranges
from ..util.bounded_read import read_json, read_text, read_toml
from ..util.disk import reason_of, rights_hint
from ..util.redact import register_secret
from ..util.renamed import read_variable, renamed, renamed_variables, warn_once
from .budget import USD_PER_DAY, USD_PER_JOB, Budget

HTTP_TIMEOUT_S = 120.0
POLL_S = 10.0  # the pace that the gateway documents
# What SORA_HOME/settings.toml may hold; anything else in it is an error, since a cap that is misspelt is no cap.
KNOWN: dict[str, tuple[tuple[type, ...], str]] = {
    "budget.usd_per_day": ((int, float), "an amount in dollars, such as 20"),
    "budget.usd_per_job": ((int, float), "an amount in dollars, such as 5"),
    "rescue": ((bool,), "true or false"),
    "receipts": ((bool,), "true or false"),
    "language": ((str,), "en, vi or zh, between quotes"),
    "database_url": ((str,), "an address between quotes"),
    "downloads.ranges": ((list,), 'ranges between quotes, such as ["10.0.0.0/8"]'),
    "page.may_change_budget": ((bool,), "true or false"),
    "page.allow_remote_changes": ((bool,), "true or false"),
    "page.from_elsewhere": ((bool,), "true or false"),  # the name of the same before 0.1.0
    "page.allowed_hosts": ((list,), 'names between quotes, such as ["comfy.example.com"]'),
}
REMOTE, REMOTE_BEFORE = "page.allow_remote_changes", "page.from_elsewhere"
WORDS = {"1": True, "yes": True, "on": True, "true": True, "0": False, "no": False, "off": False, "false": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`home` keeps ledger, keys and references; `output` is the root of all video files, `folder` the place in it.

    Variables and `home`/settings.toml are read at each use, so that a change needs no restart (but the ledger's place).
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

    def faults(self) -> list[InvalidInputError]:
        """All that is wrong in the file and the variables; anyone else learns it only of what he reads."""
        readers: tuple[Callable[[], object], ...] = (
            self._file, lambda: self.budget, lambda: self.background_downloads, lambda: self.receipts,
            lambda: self.database_url, lambda: self.language, lambda: self.download_ranges, self.http_timeout_s,
            self.poll_s,
        )  # fmt: skip
        found: dict[str, InvalidInputError] = {}
        for read in readers:
            try:
                read()
            except InvalidInputError as error:
                found.setdefault(error.message, error)
        return list(found.values())

    def http_timeout_s(self, default: float = HTTP_TIMEOUT_S) -> float:
        """The longest silence on a connection before it is given up."""
        return self._seconds("SORA_HTTP_TIMEOUT_SECONDS", default)

    def poll_s(self, default: float = POLL_S) -> float:
        """Seconds between two looks at a job."""
        return self._seconds("SORA_POLL_SECONDS", default)

    @property
    def budget(self) -> Budget:
        """The owner's caps; InvalidInputError for one that is no amount, so that a typing error lifts no cap."""
        return Budget(
            usd_per_day=self._usd("SORA_BUDGET_USD_PER_DAY", "budget.usd_per_day", USD_PER_DAY),
            usd_per_job=self._usd("SORA_BUDGET_USD_PER_JOB", "budget.usd_per_job", USD_PER_JOB),
        )

    @property
    def background_downloads(self) -> bool:
        """Are jobs that nobody waits for polled and downloaded in the background?"""
        return self._switch("SORA_BACKGROUND_DOWNLOADS", "rescue")

    @property
    def receipts(self) -> bool:
        """Does every video get a receipt beside it, which tells its job?"""
        return self._switch("SORA_RECEIPTS", "receipts")

    @property
    def language(self) -> str:
        """Of errors: en, vi or zh."""
        text = self.env.get("SORA_LANGUAGE", "").strip()
        where, value = "SORA_LANGUAGE", text
        if not text:
            where = f"{self.file}: language"
            value = self._file("language").get("language", self.page_wishes().get("language", "en"))
        if value not in LANGUAGES:
            hint = f"It wants one of: {', '.join(LANGUAGES)}."
            raise InvalidInputError(f"{where} is {value!r}.", hint=hint, code="invalid_setting")
        return str(value)

    @property
    def shown_language(self) -> str:
        """The same; en where it is not set right, since errors are shown whatever state the settings are in."""
        try:
            return self.language
        except InvalidInputError:
            return "en"

    @property
    def database_url(self) -> str:
        """Where the ledger is, if not in `home`/ledger.sqlite3."""
        url = self.env.get("SORA_DATABASE_URL", "").strip() or self._file("database_url").get("database_url", "")
        register_secret(url)
        return str(url)

    @property
    def download_ranges(self) -> tuple[Range, ...]:
        """Private addresses to which downloads may lead all the same: storage of the owner's own."""
        ranges = self._file("downloads.ranges").get("downloads.ranges", [])
        try:
            return parse_ranges(ranges)
        except ValueError as error:
            message = f"{self.file}: downloads.ranges: {error}."
            raise InvalidInputError(message, hint='Write ["10.0.0.0/8"].', code="invalid_setting") from None

    @property
    def page_file(self) -> Path:
        """What was set in ComfyUI's page; it counts where neither a variable nor settings.toml says otherwise."""
        return self.home / "page.json"

    @property
    def page_may_change_budget(self) -> bool:
        """Only where the owner wants it: who can reach the page could raise it."""
        return bool(self._file("page.may_change_budget").get("page.may_change_budget", False))

    @property
    def allow_remote_changes(self) -> bool:
        """May keys and settings be changed by a page that does not run on this machine?"""
        for name in (REMOTE, REMOTE_BEFORE):
            if (value := self._file(name).get(name)) is not None:
                if name == REMOTE_BEFORE:
                    warn_once(self._renamed_remote)
                return bool(value)
        return False

    def renamed(self) -> list[str]:
        """A sentence for each old name that is used, in the variables and in settings.toml."""
        found = renamed_variables(self.env)
        with contextlib.suppress(InvalidInputError):  # which is told as a fault
            found += [self._renamed_remote] if REMOTE_BEFORE in self._file(REMOTE_BEFORE) else []
        return found

    @property
    def _renamed_remote(self) -> str:
        return renamed(f"{self.file}: {REMOTE_BEFORE}", REMOTE)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names under which the page is reached through a tunnel or a proxy, in small letters."""
        return frozenset(str(host).lower() for host in self._file("page.allowed_hosts").get("page.allowed_hosts", []))

    def how_to_allow(self, host: str) -> str:
        """The file and the line by which the owner lets a page in that is opened by that name."""
        names = ", ".join(f'"{name}"' for name in (*sorted(self.allowed_hosts - {host, ""}), host))
        return f"For a tunnel or a proxy of your own, write under [page] in {self.file}: allowed_hosts = [{names}]"

    def fixed_by(self, variable: str, name: str) -> str:
        """What says it, whatever the page wants: the variable's name, the file, or ""."""
        text, known = read_variable(self.env, variable)
        if text:
            return known
        return str(self.file) if name in self._file(name) else ""

    def page_wishes(self) -> dict[str, Any]:
        """What the page set, by the names of settings.toml."""
        try:
            found = read_json(read_text(self.page_file))
        except (OSError, ValueError):  # it is ours, and holds wishes only
            return {}
        return found if isinstance(found, dict) else {}

    def _usd(self, variable: str, name: str, default: float) -> float:
        text = self.env.get(variable, "").strip()
        if self.page_may_change_budget:
            default = self.page_wishes().get(name, default)
        where, value = (variable, text) if text else (f"{self.file}: {name}", self._file().get(name, default))
        try:
            usd = float(value)
        except (ValueError, OverflowError):  # the second for a number of 400 digits
            usd = math.nan
        if not 0 <= usd < 1e7:  # also refuses nan
            hint = "It wants an amount in dollars, such as 20."
            raise InvalidInputError(f"{where} is {value!r}.", hint=hint, code="invalid_setting")
        return usd

    def _switch(self, variable: str, name: str) -> bool:
        text, variable = read_variable(self.env, variable)
        text = text.lower()
        if text and text not in WORDS:
            raise InvalidInputError(f"{variable} is {text!r}.", hint="It wants 1 or 0.", code="invalid_setting")
        return WORDS[text] if text else bool(self._file(name).get(name, self.page_wishes().get(name, True)))

    def _file(self, only: str = "") -> dict[str, Any]:
        """settings.toml with its tables flattened: {"budget.usd_per_day": 20, "rescue": True}. All of it is checked,
        since a cap that is misspelt is no cap; or `only` one name, so that a slip elsewhere stops nothing else."""
        try:
            tree = read_toml(self.file)
        except (FileNotFoundError, NotADirectoryError):  # the second: the ledger says that better
            return {}
        except PermissionError as error:
            message = f"{self.file} cannot be read: {reason_of(error)}."
            raise InvalidInputError(message, hint=rights_hint(self.home), code="settings_unreadable") from None
        except (OSError, ValueError) as error:
            message = f"{self.file} cannot be read: {error}."
            raise InvalidInputError(message, hint="Correct it: it is TOML.", code="settings_unreadable") from None
        found: dict[str, Any] = {}
        for name, value in tree.items():
            found |= (
                {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
            )
        for name, value in found.items():
            if only not in ("", name):
                continue
            if name not in KNOWN:
                message = f"{self.file}: {name} is not known."
                hint = f"It takes: {', '.join(known for known in KNOWN if known != REMOTE_BEFORE)}."
                raise InvalidInputError(message, hint=hint, code="unknown_setting")
            kinds, words = KNOWN[name]
            if type(value) not in kinds:  # not isinstance: true is no amount
                message = f"{self.file}: {name} is of another kind."
                raise InvalidInputError(message, hint=f"It wants {words}.", code="invalid_setting")
        return found

    def _seconds(self, name: str, default: float) -> float:
        text = self.env.get(name, "").strip()
        try:
            value = float(text) if text else default
        except ValueError:
            value = -1.0
        if not 0 < value < 86_400:  # also refuses nan
            hint = "It wants a number of seconds above 0."
            raise InvalidInputError(f"{name} is {text!r}.", hint=hint, code="invalid_setting")
        return value
