"""The providers that can be named here, and what is asked of one without buying."""

from __future__ import annotations

from ..config.keys import default_provider
from ..config.providers import no_such_provider
from ..config.settings import Settings
from ..config.snapshot import Config
from ..gateway.client import Client
from ..gateway.clients import ClientPool
from ..ledger.ledger import Ledger
from .balance import Balance, balance_of


class Providers:
    """What settings and keys make of them now: files and variables are read at each use, unless the caller
    goes by a reading of his own, `config`."""

    def __init__(self, ledger: Ledger, clients: ClientPool, settings: Settings) -> None:
        self._ledger, self._clients, self._settings = ledger, clients, settings

    def names(self) -> list[str]:
        """Return the providers that a workflow may name, cometapi first."""
        return self._clients.now().names()

    def default(self) -> str:
        """Return the provider that a new node names."""
        return default_provider(self._settings)

    def check(self, name: str) -> None:
        """Raise InvalidInputError where there is no provider of that name; nothing else of it is looked at."""
        clients = self._clients.now()
        if name not in clients.names():
            raise no_such_provider(clients.config, name)

    def balance(self, name: str, *, account: bool = False, config: Config | None = None) -> Balance:
        """Ask what is left at that provider, for its owner; the errors are those of `balance_of`."""
        clients, timing = self._clients.now(config), self._ledger.database.timing
        return balance_of(clients.provider(name), clients.config, self._ledger, account=account, timing=timing)

    def client(self, name: str, *, key: bool = True, config: Config | None = None) -> Client:
        """Return a client for that provider, for a look that costs nothing; MissingKeyError, InvalidInputError. Without
        its `key` it is the caller's own, to be closed."""
        clients = self._clients.now(config)
        return clients.client(name) if key else Client(clients.provider(name), "", self._ledger.database.timing)
