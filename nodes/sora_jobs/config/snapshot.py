"""What the machine's owner set, read once: variables before settings.toml before page.json before defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..messages import LANGUAGES
from ..util.addresses import Range, parse_ranges
from ..util.redact import register_secret
from ..util.renamed import read_variable, renamed, renamed_variables, warn_once
from .budget import USD_PER_DAY, USD_PER_JOB, Budget

if TYPE_CHECKING:
    from .settings import Settings

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
Rows = Mapping[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The files and variables at one moment. An operation takes one and never sees half of an edit.

    What is wrong in them is an InvalidInputError of the value that needs it, so that a slip elsewhere stops nothing
    else; `faults` has all of them.
    """

    settings: Settings  # where the files are
    env: Mapping[str, str] = field(repr=False)
    # settings.toml with its tables flattened ({"budget.usd_per_day": 20, "rescue": True}), the tables of
    # providers.toml, or why the file cannot be read.
    values: Mapping[str, Any] | InvalidInputError = field(repr=False)
    provider_rows: Rows | InvalidInputError = field(repr=False)
    page: Mapping[str, Any]  # what the page set, by the names of settings.toml

    def faults(self) -> list[InvalidInputError]:
        """All that is wrong in settings.toml and the variables; anyone else learns it only of what he reads."""
        readers: tuple[Callable[[], object], ...] = (
            self._checked, lambda: self.budget, lambda: self.background_downloads, lambda: self.receipts,
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

    def providers(self) -> Rows:
        """The tables [provider.NAME], unchecked; InvalidInputError where providers.toml cannot be read."""
        if isinstance(self.provider_rows, InvalidInputError):
            raise self.provider_rows.changed()
        return self.provider_rows

    def http_timeout_s(self, default: float = HTTP_TIMEOUT_S) -> float:
        """The longest silence on a connection before it is given up."""
        return self._seconds("SORA_HTTP_TIMEOUT_SECONDS", default)

    def poll_s(self, default: float = POLL_S) -> float:
        """Seconds between two polls of a job."""
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
            where = f"{self.settings.file}: language"
            value = self._checked("language").get("language", self.page.get("language", "en"))
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
        url = self.env.get("SORA_DATABASE_URL", "").strip()
        url = url or self._checked("database_url").get("database_url", "")
        register_secret(url)
        return str(url)

    @property
    def download_ranges(self) -> tuple[Range, ...]:
        """Private addresses to which downloads may lead all the same: storage of the owner's own."""
        ranges = self._checked("downloads.ranges").get("downloads.ranges", [])
        try:
            return parse_ranges(ranges)
        except ValueError as error:
            message = f"{self.settings.file}: downloads.ranges: {error}."
            raise InvalidInputError(message, hint='Write ["10.0.0.0/8"].', code="invalid_setting") from None

    @property
    def page_may_change_budget(self) -> bool:
        """Only where the owner wants it: who can reach the page could raise it."""
        return bool(self._checked("page.may_change_budget").get("page.may_change_budget", False))

    @property
    def allow_remote_changes(self) -> bool:
        """May keys and settings be changed by a page that does not run on this machine?"""
        for name in (REMOTE, REMOTE_BEFORE):
            if (value := self._checked(name).get(name)) is not None:
                if name == REMOTE_BEFORE:
                    warn_once(self._renamed_remote)
                return bool(value)
        return False

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names under which the page is reached through a tunnel or a proxy, in small letters."""
        hosts = self._checked("page.allowed_hosts").get("page.allowed_hosts", [])
        return frozenset(str(host).lower() for host in hosts)

    def how_to_allow(self, host: str) -> str:
        """The file and the line by which the owner lets a page in that is opened by that name."""
        names = ", ".join(f'"{name}"' for name in (*sorted(self.allowed_hosts - {host, ""}), host))
        file = self.settings.file
        return f"For a tunnel or a proxy of your own, write under [page] in {file}: allowed_hosts = [{names}]"

    def fixed_by(self, variable: str, name: str) -> str:
        """What says it, whatever the page wants: the variable's name, the file, or ""."""
        text, known = read_variable(self.env, variable)
        if text:
            return known
        return str(self.settings.file) if name in self._checked(name) else ""

    def renamed(self) -> list[str]:
        """A sentence for each old name that is used, in the variables and in settings.toml."""
        used = not isinstance(self.values, InvalidInputError) and REMOTE_BEFORE in self.values
        return renamed_variables(self.env) + ([self._renamed_remote] if used else [])

    @property
    def _renamed_remote(self) -> str:
        return renamed(f"{self.settings.file}: {REMOTE_BEFORE}", REMOTE)

    def _usd(self, variable: str, name: str, default: float) -> float:
        text = self.env.get(variable, "").strip()
        if self.page_may_change_budget:
            default = self.page.get(name, default)
        file = self.settings.file
        where, value = (variable, text) if text else (f"{file}: {name}", self._checked().get(name, default))
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
        return WORDS[text] if text else bool(self._checked(name).get(name, self.page.get(name, True)))

    def _checked(self, only: str = "") -> Mapping[str, Any]:
        """The values of settings.toml. All of it is checked, since a cap that is misspelt is no cap; or `only` one
        name, so that a slip elsewhere stops nothing else."""
        if isinstance(self.values, InvalidInputError):
            raise self.values.changed()
        file = self.settings.file
        for name, value in self.values.items():
            if only not in ("", name):
                continue
            if name not in KNOWN:
                hint = f"It takes: {', '.join(known for known in KNOWN if known != REMOTE_BEFORE)}."
                raise InvalidInputError(f"{file}: {name} is not known.", hint=hint, code="unknown_setting")
            kinds, words = KNOWN[name]
            if type(value) not in kinds:  # not isinstance: true is no amount
                message = f"{file}: {name} is of another kind."
                raise InvalidInputError(message, hint=f"It wants {words}.", code="invalid_setting")
        return self.values

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
