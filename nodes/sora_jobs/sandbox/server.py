"""The sandbox's server: an aiohttp application in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..errors import InvalidInputError, LocalError
from .families import find_family
from .routes import Routes

LARGEST_REQUEST = 50 << 20  # bytes
START_S = 30.0  # for its thread to listen
PATIENCE_S = 0.2  # for calls that are being answered when the server is closed


class Sandbox:
    """A running gateway; a context manager. Jobs lie in `folder`; `clock` gives seconds since the epoch.

    `seconds` is how long a job takes (SORA_SANDBOX_SECONDS, else 4). `dialect` is the family that it speaks as
    (SORA_SANDBOX_DIALECT, else openai; families/__init__.py has them). InvalidInputError for one that it does not know.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        seconds: float | None = None,
        clock: Callable[[], float] = time.time,
        dialect: str | None = None,
    ) -> None:
        self._port = port
        self.routes = Routes(folder, seconds, clock, find_family(dialect))
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Serve on 127.0.0.1 and return the base URL, without /v1. InvalidInputError if the port is taken."""
        started = threading.Event()
        failure: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, args=(self._loop, started, failure), name="sora-sandbox", daemon=True
        )
        self._thread.start()
        if not started.wait(START_S):
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._loop.stop)  # should it come to it after all
            else:
                self._loop.close()
            self._thread = None
            self.routes.close()
            raise LocalError(
                f"The sandbox did not start within {START_S:.0f} s.", hint="Run again.", code="sandbox_not_started"
            )
        if failure:
            self._thread.join(START_S)
            self._thread = None
            self.routes.close()
            if isinstance(failure[0], OSError):
                why = f"The sandbox cannot listen on port {self._port}: {failure[0].strerror}."
                raise InvalidInputError(why, code="port_unavailable") from failure[0]
            raise LocalError(
                f"The sandbox could not be started: {failure[0]!r}.", code="sandbox_not_started"
            ) from failure[0]
        return self.url

    def close(self) -> None:
        """Stop serving; what is on disk stays. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self.routes.close()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, loop: asyncio.AbstractEventLoop, started: threading.Event, failure: list[Exception]) -> None:
        asyncio.set_event_loop(loop)
        gateway = web.AppRunner(self.routes.application(LARGEST_REQUEST), access_log=None, shutdown_timeout=PATIENCE_S)
        files = web.AppRunner(self.routes.file_host(), access_log=None, shutdown_timeout=PATIENCE_S)
        try:
            try:
                self.routes.files_url = loop.run_until_complete(_listen(files, 0))
                self.url = loop.run_until_complete(_listen(gateway, self._port))
            except Exception as error:  # noqa: BLE001 - it belongs to the one who starts it
                failure.append(error)
                return
            finally:
                started.set()
            loop.run_forever()
        finally:
            loop.run_until_complete(gateway.cleanup())
            loop.run_until_complete(files.cleanup())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            asyncio.set_event_loop(None)


async def _listen(runner: web.AppRunner, port: int) -> str:
    """The URL at which the application is served from now on."""
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
