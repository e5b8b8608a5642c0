"""The sandbox as it is started by the first job that is bought there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.config.settings import Settings
from sora_jobs.errors import LocalError
from sora_jobs.gateway.clients import ClientPool
from sora_jobs.sandbox import Sandbox
from sora_jobs.sandbox.local import LocalSandbox


def test_a_sandbox_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread died: who waits for it does not wait for ever, and neither does who wants another provider."""
    monkeypatch.setattr("sora_jobs.sandbox.server.START_S", 0.05)
    monkeypatch.setattr(Sandbox, "_serve", lambda *_: None)
    gateways = ClientPool(Settings(home=tmp_path, output=tmp_path, env={}), LocalSandbox(tmp_path / "sandbox", {}))
    with pytest.raises(LocalError):
        gateways.now().client("sandbox")
    monkeypatch.undo()
    assert gateways.now().client("sandbox").provider.base_url
    gateways.close()


def test_a_sandbox_that_is_starting_holds_up_no_other_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starting, go_on = threading.Event(), threading.Event()

    def slow(_: Sandbox) -> str:
        starting.set()
        go_on.wait(20)
        return "http://127.0.0.1:1"

    monkeypatch.setattr(Sandbox, "start", slow)
    monkeypatch.setattr(Sandbox, "close", lambda _: None)
    env = {"COMETAPI_KEY": "sk-test-key-123", "COMETAPI_BASE_URL": "http://127.0.0.1:1"}
    gateways = ClientPool(Settings(home=tmp_path, output=tmp_path, env=env), LocalSandbox(tmp_path / "sandbox", env))
    thread = threading.Thread(target=gateways.now().client, args=("sandbox",))
    thread.start()
    assert starting.wait(5)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(gateways.now().client, "cometapi").result(5).provider.name == "cometapi"
    go_on.set()
    thread.join(5)
    gateways.close()


def test_whatever_keeps_the_sandbox_from_starting_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the port alone; a server without an address would be asked for ever."""

    async def broken(*_: object) -> str:
        raise RuntimeError("no loop here")

    monkeypatch.setattr("sora_jobs.sandbox.server._listen", broken)
    with pytest.raises(LocalError) as caught:
        Sandbox(tmp_path).start()
    assert "no loop here" in caught.value.message
