"""The providers that can be called now: each with its key, the sandbox started when it is first needed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..config.extra_fields import FieldRule, check_fields
from ..config.providers import SANDBOX, Provider, load_provider, provider_names
from ..config.settings import Settings
from ..config.snapshot import Config
from ..config.timing import DEFAULT, Timing
from ..errors import InvalidInputError
from ..jobs.spec import Job, VideoRequest
from .client import Client


class LocalProvider(Protocol):
    """The sandbox as it is handed in: it runs in this process, and is started when its address is first asked for."""

    def abilities(self) -> dict[str, Any]: ...

    def base_url(self) -> str: ...

    def close(self) -> None: ...


class ClientPool:
    """Clients by provider and key, each made once."""

    def __init__(self, settings: Settings, sandbox: LocalProvider, timing: Timing = DEFAULT) -> None:
        self._settings, self._timing = settings, timing
        self.sandbox = sandbox
        self._clients: dict[tuple[Provider, str], Client] = {}
        self._lock = threading.Lock()  # not held while the sandbox starts: no other provider waits for that

    def now(self, config: Config | None = None) -> Clients:
        """The clients for one operation, by its `config`, else as files and variables are now: a new key works without
        a restart."""
        return Clients(self, config or self._settings.read())

    def made(self, provider: Provider, key: str) -> Client:
        """The client of that provider with that key."""
        with self._lock:
            client = self._clients.get((provider, key))
            if client is None:
                client = Client(provider, key, self._timing)
                self._clients[provider, key] = client
            return client

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        self.sandbox.close()


@dataclass(frozen=True)
class Clients:
    """What can be called by one reading of the settings, whatever is edited meanwhile."""

    pool: ClientPool
    config: Config

    def names(self) -> list[str]:
        return provider_names(self.config)

    def provider(self, name: str) -> Provider:
        """The provider of that name; InvalidInputError lists those there are. The sandbox has the calls of its
        family."""
        provider = load_provider(self.config, name)
        return dataclasses.replace(provider, **self.pool.sandbox.abilities()) if name == SANDBOX else provider

    def check_fields(self, spec: VideoRequest, rules: Mapping[str, FieldRule]) -> None:
        """InvalidInputError for an extra field that neither `rules`, those of the spec's model, nor the owner allow."""
        check_fields(spec, rules, self.provider(spec.provider).opened, self.config.settings.providers_file)

    def client(self, name: str) -> Client:
        """A client for that provider; MissingKeyError where it has no key."""
        provider = self.provider(name)
        key = provider.key(self.config.env)
        if name == SANDBOX:
            provider = dataclasses.replace(provider, base_url=self.pool.sandbox.base_url())
        return self.pool.made(provider, key)

    def client_to_buy(self, spec: VideoRequest, remix_of: Job | None) -> Client:
        """The client for a new job: of a remix, where its parent was bought."""
        return self.client_for(remix_of) if remix_of else self.client(spec.provider)

    def client_for(self, job: Job) -> Client:
        """The client for a job that exists: it only ever talks to the gateway where the job was bought."""
        provider = self.provider(job.provider)
        if provider.origin != job.origin:
            raise InvalidInputError(
                f"Job {job.id} was bought at {job.origin}, but {job.provider} now is {provider.origin}.",
                hint="Set the provider's base URL back; a job's id and key go nowhere else.",
                job=job.id,
                code="origin_changed",
            )
        return self.client(job.provider)
