"""The providers that can be called now: each with its key, the sandbox started when it is first needed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .client import Client
from .errors import InvalidInput
from .fields import FieldRule, check_fields
from .providers import SANDBOX, Provider, file_of, load_provider, provider_names
from .settings import Settings
from .spec import Job, JobSpec

if TYPE_CHECKING:
    from .sandbox.family import Family
    from .sandbox.server import Sandbox


class Gateways:
    """Clients by provider name. Files and variables are read at each use, so that a new key works without a restart."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[tuple[Provider, str], Client] = {}
        self._sandbox: Sandbox | None = None
        self._sandbox_url = ""
        self._lock = threading.Lock()
        self._starting = threading.Lock()  # of the sandbox, which takes a moment that no other provider waits for

    def names(self) -> list[str]:
        return provider_names(self._settings)

    def provider(self, name: str) -> Provider:
        """The provider of that name; InvalidInput lists those there are. The sandbox has the calls of its family."""
        provider = load_provider(self._settings, name)
        return self._as_it_speaks(provider) if name == SANDBOX else provider

    def check_fields(self, spec: JobSpec, rules: Mapping[str, FieldRule]) -> None:
        """InvalidInput for an extra field that neither `rules`, those of the spec's model, nor the owner allow."""
        check_fields(spec, rules, self.provider(spec.provider).opened, file_of(self._settings))

    def client(self, name: str) -> Client:
        """A client for that provider; MissingKey where it has no key."""
        provider = self.provider(name)
        key = provider.key(self._settings.env)
        if name == SANDBOX:
            provider = dataclasses.replace(provider, base_url=self._sandbox_base_url())
        with self._lock:
            client = self._clients.get((provider, key))
            if client is None:
                client = Client(provider, key)
                self._clients[provider, key] = client
            return client

    def client_for(self, job: Job) -> Client:
        """The client for a job that exists: it only ever talks to the gateway where the job was bought."""
        provider = self.provider(job.provider)
        if provider.origin != job.origin:
            raise InvalidInput(
                f"Job {job.id} was bought at {job.origin}, but {job.provider} now is {provider.origin}.",
                advice="Set the provider's base URL back; a job's id and key go nowhere else.",
                job=job.id,
            )
        return self.client(job.provider)

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        with self._starting:
            if self._sandbox is not None:
                self._sandbox.close()
                self._sandbox, self._sandbox_url = None, ""

    def _family(self) -> Family:
        """What the sandbox speaks as: once it runs, that no more changes."""
        from .sandbox.families import find_family

        running = self._sandbox
        return running.routes.family if running else find_family(env=self._settings.env)

    def _as_it_speaks(self, provider: Provider) -> Provider:
        family = self._family()
        return dataclasses.replace(
            provider, remix=family.remix, lists=family.lists, deletes=family.deletes, variants=family.variants
        )

    def _sandbox_base_url(self) -> str:
        from .sandbox import Sandbox

        with self._starting:
            if self._sandbox is None:
                sandbox = Sandbox(self._settings.home / "sandbox", speak=self._family().name)
                self._sandbox_url = sandbox.start()
                self._sandbox = sandbox
            return self._sandbox_url
