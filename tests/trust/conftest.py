"""The pack in the stand-in host, served by a real aiohttp server on loopback: what a page, a stranger on the network or
a proxy can reach."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ..nodes.hosts import Pack, standin_pack


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    with standin_pack() as loaded:
        yield loaded


class Site:
    """The pack's routes at `url`, with a state folder of their own."""

    def __init__(self, pack: Pack, folder: Path) -> None:
        self.pack, self.folder = pack, folder
        self.home = folder / "home"
        self.url = ""
        self.listen = "127.0.0.1"
        self.forget: list[Any] = []
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(ready)))
        self._thread.start()
        assert ready.wait(10)

    @property
    def engine(self) -> Any:
        return self.pack.engine.get_engine()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(60)  # aiohttp waits up to ten seconds for the rest of a body that it has refused
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._closing = asyncio.Event()
        app = web.Application()
        app.add_routes(self.pack.module("host.http").routes)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await self._closing.wait()
        await runner.cleanup()


@pytest.fixture
def site(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    import folder_paths
    from comfy.cli_args import args

    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.1")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    monkeypatch.setenv("SORA_BACKGROUND_DOWNLOADS", "0")
    for name in ("input", "output", "temp", "user"):
        getattr(folder_paths, f"set_{name}_directory")(str(tmp_path / name))
    monkeypatch.setattr(args, "listen", "127.0.0.1")
    made = Site(pack, tmp_path)
    yield made
    made.close()
    pack.module("web.access").blocked.clear()
    if (engine := pack.engine._engine) is not None:
        pack.engine._engine = None
        atexit.unregister(engine.close)
        engine.close()
