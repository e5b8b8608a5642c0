"""Every test starts from a clean environment: no key, no address, no state folder of the machine's owner."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SORA_", "COMETAPI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
