"""Keys are written here, and only here: a file of mode 0600 per provider. None is ever read back to show it."""

from __future__ import annotations

from typing import Literal

from ..errors import InvalidInputError, MissingKeyError, storage_error
from ..util.atomic_write import atomic_write, remove
from .providers import COMETAPI, SANDBOX, Provider, cometapi, load_provider
from .settings import Settings
from .snapshot import Config

LONGEST_KEY = 4096
QUERY_KEY = "cometapi.balance"  # the name of a key file for the account's call alone; no provider can be called that
SHOWN = 4  # last letters of a key
LONG_ENOUGH = 16  # letters of a key from which on showing its last ones gives nothing away

State = Literal["none needed", "unset", "set", "environment"]


def write_key(config: Config, name: str, key: str) -> None:
    """Keep the key of that provider; an empty one takes it away. InvalidInputError, StorageError: the old one stays."""
    provider = load_provider(config, name)
    key = key.strip()
    if provider.key_file is None or not provider.wants_key:
        raise InvalidInputError(f"{name} needs no key.", code="no_key_needed")
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        message = "That is too long for a key, or holds a character that no key has."
        raise InvalidInputError(message, hint="Copy it again.", code="invalid_key")
    try:
        if key:
            atomic_write(provider.key_file, f"{key}\n".encode())
        else:
            remove(provider.key_file)
    except OSError as error:
        raise storage_error(f"The key file {provider.key_file} could not be written", error) from error


def key_state(config: Config, provider: Provider) -> tuple[State, str]:
    """Whether it has a key and from where; and the last letters of one that is long enough, to tell two apart."""
    if provider.name == SANDBOX or not provider.wants_key:
        return "none needed", ""
    try:
        key = provider.key(config.env)
    except MissingKeyError:
        return "unset", ""
    except InvalidInputError:  # a file that others can read, say: the doctor tells
        return "unset", ""
    from_environment = bool(provider.key_variable and config.env.get(provider.key_variable, "").strip())
    if from_environment:
        return "environment", ""
    return "set", key[-SHOWN:] if len(key) >= LONG_ENOUGH else ""


def default_provider(settings: Settings) -> str:
    """Return the provider that a new node names: cometapi once it has a key, else sandbox, so that a first run needs
    none. Keys of other providers choose nothing. No error: one that is wrong is told when something is bought."""
    try:
        cometapi(settings.home).key(settings.env)
    except MissingKeyError:
        return SANDBOX
    except (InvalidInputError, OSError):  # there is one, which cannot be read or used
        return COMETAPI
    return COMETAPI
