"""The providers that can be named here, and what is asked of one without buying."""

from __future__ import annotations

from ..config.keys import default_provider
from ..config.providers import no_such_provider
from ..config.settings import Settings
from ..gateway.client import Client
from ..gateway.clients import ClientPool
from ..ledger.ledger import Ledger
from .balance import Balance, balance_of


class Providers:
    """What settings and keys make of them now: files and variables are read at each use."""

    def __init__(self, ledger: Ledger, clients: ClientPool, settings: Settings) -> None:
        self._ledger, self._clients, self._settings = ledger, clients, settings

    def names(self) -> list[str]:
        """Return the providers that a workflow may name, cometapi first."""
        return self._clients.names()

    def default(self) -> str:
        """Return the provider that a new node names."""
        return default_provider(self._settings)

    def check(self, name: str) -> None:
        """Raise InvalidInputError where there is no provider of that name; nothing else of it is looked at."""
        if name not in self.names():
            raise no_such_provider(self._settings, name)

    def balance(self, name: str, *, account: bool = False) -> Balance:
        """Ask what is left at that provider, for its owner; the errors are those of `balance_of`."""
        provider, timing = self._clients.provider(name), self._ledger.database.timing
        return balance_of(provider, self._settings, self._ledger, account=account, timing=timing)

    def client(self, name: str, *, key: bool = True) -> Client:
        """Return a client for that provider, for a look that costs nothing; MissingKeyError, InvalidInputError. Without
        its `key` it is the caller's own, to be closed."""
        if key:
            return self._clients.client(name)
        return Client(self._clients.provider(name), "", self._ledger.database.timing)
