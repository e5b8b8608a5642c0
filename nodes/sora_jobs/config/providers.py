"""Named gateways: where they are, where their key comes from, what they can do.

`cometapi` and `sandbox` are built in. The owner of the machine adds others in `SORA_HOME/providers.toml`, and says
there how this machine reaches cometapi; docs/providers.md explains its fields. A workflow only ever names a provider.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidInputError, MissingKeyError
from ..util.addresses import Range, is_loopback, is_private, is_unambiguous_url, parse_ip_literal
from ..util.bounded_read import read_text
from ..util.disk import reason_of, rights_hint
from ..util.redact import register_secret
from .extra_fields import Opened, read_opened
from .providers_toml import OF_THIS_MACHINE, check_row
from .snapshot import HTTP_TIMEOUT_S, POLL_S, Config

COMETAPI = "cometapi"
COMETAPI_URL = "https://api.cometapi.com"
SANDBOX = "sandbox"
SANDBOX_POLL_S = 0.25
BUILT_IN = (COMETAPI, SANDBOX)
LARGEST_KEY_FILE = 16 << 10  # bytes
LEAST_FREE_PORT = 1024  # below it only root opens one, as an ssh tunnel would have to
OWN_PORT = 8080
LIMIT_S = 86_400.0  # no provider is known to render for longer than a day
LIKE_A_SECRET = 12  # letters of an extra header from which on it is taken out of every text


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A gateway. `base_url` has no `/v1` and no slash at its end; the sandbox has none until it runs."""

    name: str
    base_url: str
    key_variable: str = ""
    key_file: Path | None = None
    wants_key: bool = True
    remix: bool = True
    lists: bool = False  # at CometAPI it is not documented
    deletes: bool = False  # the same
    variants: bool = False  # CometAPI has them "when supported by the provider", and does not say of which
    poll_s: float = POLL_S
    timeout_s: float = HTTP_TIMEOUT_S
    at_once: int | None = None  # how many jobs of ours it may have at once
    limit_s: float = LIMIT_S  # what it has not finished by then is stale
    usd_per_second: float | None = None
    opened: tuple[Opened, ...] = ()  # form fields that its owner lets workflows send, beside the harmless ones
    # Extra ones, which go to its own origin only.
    headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    # None: by the usual variables; "": none. It may hold a password.
    proxy: str | None = dataclasses.field(default=None, repr=False)
    ca_bundle: str = ""  # authorities of its own origin, beside no others
    ranges: tuple[Range, ...] = ()  # of private addresses to which its downloads may lead

    @property
    def calls(self) -> str:
        """The calls that it has beside create, retrieve and content, for a person."""
        known = {"remix": self.remix, "list": self.lists, "delete": self.deletes, "variants": self.variants}
        return ", ".join(name for name, there in known.items() if there) or "none"

    @property
    def plain_http(self) -> bool:
        """Is it reached without TLS, in the private network around this machine?"""
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    @property
    def origin(self) -> str:
        """Scheme, host and port: the only place that ever sees this provider's key."""
        if self.name == SANDBOX:
            return SANDBOX  # its port changes at every start, its jobs on disk are the same
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def check_remix(self) -> None:
        """InvalidInputError where it has no remix."""
        if not self.remix:
            raise InvalidInputError(
                f"{self.name} has no remix.",
                hint="Create a new video with the changed prompt.",
                code="remix_unsupported",
            )

    def key(self, env: Mapping[str, str]) -> str:
        """The key, from the environment or the key file. MissingKeyError says where one can be put."""
        if self.name == SANDBOX:
            return SANDBOX
        if not self.wants_key:
            return ""
        key = env.get(self.key_variable, "").strip() if self.key_variable else ""
        key = key or self._key_from_file()
        if not key:
            raise self._no_key()
        if not key.isascii() or not key.isprintable() or " " in key:
            message = f"The key for {self.name} holds a character that no key has."
            raise InvalidInputError(message, hint="Copy it again.", code="invalid_key")
        register_secret(key)
        return key

    def _no_key(self) -> MissingKeyError:
        file = self.key_file
        if file is not None and (named := file.with_name(f"{file.name}.txt")).is_file():
            return MissingKeyError(
                f"There is no key for {self.name}: {named} has the ending of a text file.",
                hint=f"Rename it to {file.name}, without an ending (Windows may hide it).",
                code="missing_key",
            )
        mode = " (mode 0600)" if os.name == "posix" else ""
        if self.key_variable:
            put = f"Set {self.key_variable} in the environment, or put the key into {file}{mode}"
        else:
            variable = f"{re.sub('[^A-Z0-9]', '_', self.name.upper())}_KEY"
            put = (
                f"Put the key into {file}{mode}, or set {variable} in the environment and "
                f'`key_variable = "{variable}"` under [provider.{self.name}] in providers.toml'
            )
        return MissingKeyError(
            f"There is no key for {self.name}.",
            hint=f"{put}; or choose the provider {SANDBOX}, which is free.",
            code="missing_key",
        )

    def _key_from_file(self) -> str:
        if self.key_file is None:
            return ""
        try:
            if not self.key_file.is_file():
                return ""
            if os.name == "posix" and self.key_file.stat().st_mode & 0o077:
                raise InvalidInputError(
                    f"The key file {self.key_file} can be read by others.",
                    hint=f"Run: chmod 600 {self.key_file}",
                    code="key_file_not_private",
                )
            return read_text(self.key_file, LARGEST_KEY_FILE).strip()
        except PermissionError as error:
            message = f"The key file {self.key_file} cannot be read: {reason_of(error)}."
            raise InvalidInputError(
                message, hint=rights_hint(self.key_file.parent), code="key_file_unreadable"
            ) from None
        except (OSError, ValueError):
            message = f"The key file {self.key_file} cannot be read."
            raise InvalidInputError(message, hint="Write it anew.", code="key_file_unreadable") from None


def provider_names(config: Config) -> list[str]:
    """Every provider's name, cometapi first. Nothing is checked, and a providers.toml that cannot be read adds none:
    a list of names must not fail for an address that nobody asked for."""
    try:
        return [*BUILT_IN, *(name for name in config.providers() if name not in BUILT_IN)]
    except InvalidInputError:
        return list(BUILT_IN)


def no_such_provider(config: Config, name: str) -> InvalidInputError:
    """For a name that nobody has; it lists those there are."""
    return InvalidInputError(
        f"There is no provider {name!r}.",
        hint=f"Choose from: {', '.join(provider_names(config))}; the machine's owner adds others in "
        f"{config.settings.providers_file}.",
        code="unknown_provider",
    )


def check_file(config: Config) -> list[InvalidInputError]:
    """All that is wrong in providers.toml."""
    found: list[InvalidInputError] = []
    try:
        rows = config.providers()
    except InvalidInputError as error:
        return [error]
    for name, row in rows.items():
        try:
            _from_row(name, row, config) if name != COMETAPI else check_row(name, row, OF_THIS_MACHINE)
        except InvalidInputError as error:
            found.append(error)
    return found


def cometapi(home: Path) -> Provider:
    """CometAPI as it is everywhere; what this machine says of it is left out."""
    key_file = home / "keys" / COMETAPI
    return Provider(name=COMETAPI, base_url=COMETAPI_URL, key_variable="COMETAPI_KEY", key_file=key_file)


def load_provider(config: Config, name: str) -> Provider:
    """The provider of that name. InvalidInputError lists those there are, or says what of its settings is wrong."""
    return dataclasses.replace(_loaded(config, name), ranges=config.download_ranges)


def _loaded(config: Config, name: str) -> Provider:
    env, home = config.env, config.settings.home
    if name == SANDBOX:
        pace_s = config.poll_s(SANDBOX_POLL_S)
        timeout_s = config.http_timeout_s()
        return Provider(name=SANDBOX, base_url="", lists=True, variants=True, poll_s=pace_s, timeout_s=timeout_s)
    rows = config.providers()
    if name == COMETAPI:
        row = rows.get(name, {})
        check_row(name, row, OF_THIS_MACHINE)
        url = env.get("COMETAPI_BASE_URL", "").strip() or COMETAPI_URL
        known = _of_this_machine(row, config)
        return dataclasses.replace(cometapi(home), base_url=checked_base_url(url, "COMETAPI_BASE_URL"), **known)
    if name not in rows:
        raise no_such_provider(config, name)
    return _from_row(name, rows[name], config)


def checked_base_url(url: str, where: str, row: Mapping[str, Any] | None = None) -> str:
    """`url` without a trailing slash or `/v1`; InvalidInputError if it is no address that a key may travel to, or, for
    the table `row` of providers.toml, none that its owner may reach without TLS."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # reading the port checks it
    except ValueError:
        parts, host = urlsplit(""), ""
    if not is_unambiguous_url(url) or parts.query or parts.fragment:
        hint = "Write something like https://api.example.com"
        raise InvalidInputError(f"{where} is not a base URL.", hint=hint, code="url_invalid")
    if parts.scheme == "http" and not is_loopback(host):
        _check_plain_http(host, parts.port or 80, where, row)
    return url.rstrip("/").removesuffix("/v1")


def _check_plain_http(host: str, port: int, where: str, row: Mapping[str, Any] | None) -> None:
    """InvalidInputError unless the owner may reach that host without TLS. Where a name leads is looked at when it is
    connected to: it may lead elsewhere tomorrow."""
    own = port if port >= LEAST_FREE_PORT else OWN_PORT
    hint = (
        f"Use https, or an ssh tunnel: `ssh -N -L {own}:127.0.0.1:{port} {host}`, and http://127.0.0.1:{own} as the "
        f"{'base_url' if row is not None else 'value'}."
    )
    wants_key = row is None or row.get("key", True)
    if row is not None and (address := parse_ip_literal(host)) and not is_private(address):
        message = "sends the key" if wants_key else "sends prompts and gets videos"
        raise InvalidInputError(
            f"{where} {message} over plain http to {host}, which is not in a private network: anybody on the way could "
            "read and change it.",
            hint=hint,
            code="url_not_https",
        )
    if wants_key and not (row or {}).get("insecure", False):
        allowed = " In a private network that you trust, `insecure = true` in the same table allows it."
        raise InvalidInputError(
            f"{where} would send the key over plain http to {host}.",
            hint=hint + (allowed if row else ""),
            code="url_not_https",
        )


def _from_row(name: str, row: dict[str, Any], config: Config) -> Provider:
    where = f"providers.toml, [provider.{name}]"
    check_row(name, row)
    if name == SANDBOX:
        message = f"{where}: that name is built in."
        raise InvalidInputError(message, hint="Choose another one.", code="invalid_provider_name")
    price = row.get("usd_per_second")
    return Provider(
        name=name,
        base_url=checked_base_url(row.get("base_url", ""), f"{where} base_url", row),
        key_variable=row.get("key_variable", ""),
        key_file=config.settings.home / "keys" / name,
        wants_key=row.get("key", True),
        remix=row.get("remix", False),
        lists=row.get("list", False),
        deletes=row.get("delete", False),
        variants=row.get("variants", False),
        usd_per_second=None if price is None else float(price),
        **_of_this_machine(row, config),
    )


def _of_this_machine(row: dict[str, Any], config: Config) -> dict[str, Any]:
    """How this machine reaches the gateway, and which fields its owner opened there."""
    headers = tuple(sorted(row.get("headers", {}).items()))
    for _, text in headers:
        if len(text) >= LIKE_A_SECRET:
            register_secret(text)
    return {
        "poll_s": config.poll_s(float(row.get("poll_seconds", POLL_S))),
        "timeout_s": config.http_timeout_s(float(row.get("timeout_seconds", HTTP_TIMEOUT_S))),
        "at_once": row.get("at_once"),
        "limit_s": float(row.get("limit_seconds", LIMIT_S)),
        "opened": read_opened(row.get("extra_fields", [])),
        "headers": headers,
        "proxy": row.get("proxy"),
        "ca_bundle": row.get("ca_bundle", ""),
    }
