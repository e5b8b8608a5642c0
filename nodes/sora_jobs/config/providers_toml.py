"""`SORA_HOME/providers.toml`: the gateways that the machine's owner adds (docs/providers.md has examples).

Every field is checked when the file is read: what is misspelt would otherwise be left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..errors import InvalidInputError
from ..util.bounded_read import read_toml
from ..util.disk import reason_of, rights_hint
from .extra_fields import read_opened

MOST_HEADERS = 20
LONGEST_HEADER = 2000
# The key's own, and those that HTTP itself sets.
OURS = {"authorization", "host", "content-length", "content-type", "transfer-encoding", "connection", "cookie", "range"}


class Field(NamedTuple):
    """What a field must be: `right(value)` is true for a good one, `words` say so to a person."""

    right: Callable[[Any], bool]
    words: str


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000


def _is_proxy(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return value == "" or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return False


def _are_headers(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > MOST_HEADERS:
        return False
    return all(
        re.fullmatch(r"[A-Za-z0-9-]{1,60}", name) is not None
        and name.lower() not in OURS
        and isinstance(text, str)
        and len(text) <= LONGEST_HEADER
        and text.isascii()
        and text.isprintable()
        for name, text in value.items()
    )


def _opens_fields(value: Any) -> bool:
    try:
        read_opened(value)
    except ValueError:
        return False
    return True


FLAG = Field(_is_flag, "true or false")
FIELDS: Mapping[str, Field] = {
    "base_url": Field(lambda value: isinstance(value, str), "an address between quotes"),
    "key": Field(_is_flag, "false where the gateway wants none; the key itself belongs elsewhere (docs/providers.md)"),
    "insecure": FLAG,
    "key_variable": Field(lambda value: isinstance(value, str), "the name of a variable"),
    "remix": FLAG,
    "list": FLAG,
    "delete": FLAG,
    "variants": FLAG,
    "poll_seconds": Field(_number(0.01, 3600), "seconds from 0.01 to 3600"),
    "timeout_seconds": Field(_number(0.1, 3600), "seconds from 0.1 to 3600"),
    "at_once": Field(_is_count, "how many jobs it may have at once: a whole number from 1 to 1000"),
    "limit_seconds": Field(_number(60, 30 * 86_400), "seconds from 60 to 2592000 within which it finishes a job"),
    "usd_per_second": Field(_number(0, 1e4), "dollars per second, such as 0.1"),
    "extra_fields": Field(
        _opens_fields,
        'names of form fields, each once, such as ["n", { name = "lora", values = ["film"] }]; not prompt, model, '
        "seconds or input_reference, which are always sent",
    ),
    "headers": Field(_are_headers, "a table of names and texts, without Authorization and others that are ours"),
    "proxy": Field(_is_proxy, 'an address such as http://proxy:3128, or "" for none'),
    "ca_bundle": Field(
        lambda value: isinstance(value, str) and Path(value).is_file(),
        "the path of a PEM file that is there (on Windows between 'single quotes')",
    ),
}

# What may be said of a gateway that is built in: how this machine reaches it, and which other form fields workflows may
# send there. Address and key are in variables.
OF_THIS_MACHINE = (
    "proxy",
    "ca_bundle",
    "timeout_seconds",
    "poll_seconds",
    "at_once",
    "limit_seconds",
    "headers",
    "extra_fields",
)


def owner_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The tables [provider.NAME], unchecked. InvalidInputError where the file cannot be read, or holds anything
    else."""
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        message = f"{path} cannot be read: {reason_of(error)}."
        raise InvalidInputError(message, hint=rights_hint(path.parent), code="settings_unreadable") from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}.", code="settings_unreadable") from None
    if strange := ", ".join(name for name in tables if name != "provider"):
        message = f"{path}: {strange} is not understood."
        raise InvalidInputError(message, hint="It wants tables named [provider.NAME].", code="unknown_setting")
    rows = tables.get("provider", {})
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise InvalidInputError(f"{path} wants tables named [provider.NAME].", code="invalid_setting")
    return rows


def check_row(name: str, row: Mapping[str, Any], fields: Iterable[str] = FIELDS) -> None:
    """InvalidInputError for a field that is none of `fields`, or not of its kind. The value is not repeated: it may be
    a secret."""
    where = f"providers.toml, [provider.{name}]"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
        hint = "Use small letters, digits, - and _."
        raise InvalidInputError(f"{where}: that name cannot be used.", hint=hint, code="invalid_provider_name")
    for field, value in row.items():
        if field not in FIELDS:
            message = f"{where}: {field} is not understood."
            raise InvalidInputError(message, hint=f"It takes: {', '.join(fields)}.", code="unknown_setting")
        if field not in fields:
            raise InvalidInputError(
                f"{where}: {field} is not to be set here, since {name} is built in.",
                hint=f"It takes: {', '.join(fields)}. Its address and key are in variables: COMETAPI_BASE_URL, "
                "COMETAPI_KEY.",
                code="setting_locked",
            )
        if not FIELDS[field].right(value):
            message = f"{where}: {field} is not right."
            raise InvalidInputError(message, hint=f"It wants {FIELDS[field].words}.", code="invalid_setting")
