"""Our place in ComfyUI: the one studio of the process, and waiting in the host's way. (What goes over the sockets is in
values.py; no other file touches ComfyUI or torch.)"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import inspect
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import comfy.model_management
import comfy.utils
import folder_paths
from aiohttp import web
from comfy_api.latest import ComfyExtension, io, ui
from server import PromptServer

from .sora.addresses import is_loopback
from .sora.errors import SoraError
from .sora.locations import record_location, state_folder
from .sora.spec import Job
from .sora.studio import Studio
from .sora.threads import DaemonPool

__all__ = ["ComfyExtension", "SoraJob", "io", "ui"]

T = TypeVar("T")
P = ParamSpec("P")
TICK_S = 0.1  # how often a waiting node looks whether it was interrupted
STEPS = 1000  # of a progress bar
WINDOW_CLOSED = (2, 6)  # CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT

SoraJob = io.Custom("SORA_JOB")
routes = PromptServer.instance.routes

_lock = threading.Lock()
_studio: Studio | None = None
prepares: list[Callable[[Studio], None]] = []  # what is done with the studio when it is made, which is at first use
_pool = DaemonPool("sora-node", 2)
_decoders = DaemonPool("sora-decode", 2)  # of their own: what takes minutes must not hold up a node that waits
_handlers: list[Callable[[int], int]] = []  # of Windows' console, which keeps no reference of its own
_log = logging.getLogger("sora")


def studio() -> Studio:
    """The studio of this process, made at first use."""
    global _studio  # noqa: PLW0603 - one per process is what it is for
    with _lock:
        if _studio is None:
            user = Path(folder_paths.get_user_directory())
            # A folder `user/__name` is never served over HTTP by any supported ComfyUI.
            home = state_folder(os.environ) if os.environ.get("SORA_HOME", "").strip() else user / "__sora"
            _studio = Studio(home, Path(folder_paths.get_output_directory()))
            _pool.submit(functools.partial(_leave_word, _studio))
            atexit.register(_studio.close)
            _close_with_the_window(_studio.close)
            for prepare in prepares:
                prepare(_studio)
        return _studio


def _close_with_the_window(close: Callable[[], None]) -> None:
    """On Windows, have `close` called when the console window is closed. The program is then ended within five seconds,
    without `atexit`, and a create whose response had not come would be an uncertain purchase."""
    if sys.platform == "win32":
        import ctypes

        def handler(event: int) -> int:
            if event in WINDOW_CLOSED:
                close()
            return 0  # the next handler's turn, which ends the program

        _handlers.append(ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handler))
        ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(_handlers[-1], 1)


def _leave_word(studio: Studio) -> None:
    """Tell the command line which ledger it has to open."""
    settings, temp = studio.settings, Path(folder_paths.get_temp_directory())
    database: str | None = None
    with contextlib.suppress(SoraError):  # settings that cannot be read are told by whoever uses the ledger
        database = studio.ledger.database.mark
    try:
        record_location(settings.home.absolute(), settings.output.absolute(), temp, database)
    except (OSError, SoraError) as error:
        _log.warning("The command line will not find this ledger by itself: %s", error)


def input_folder() -> Path:
    """Where LoadImage finds its pictures."""
    return Path(folder_paths.get_input_directory())


def listens_on_loopback_only() -> bool:
    """Can nobody but this machine reach the host's server?"""
    from comfy.cli_args import args

    return all(is_loopback(name.strip()) for name in str(args.listen).split(","))


def send(event: str, content: dict[str, Any]) -> None:
    """An event for every page that is open. From any thread."""
    server = PromptServer.instance
    if server is not None and server.sockets:
        server.send_sync(event, content)


def made(kind: Callable[P, T], *positional: P.args, **keywords: P.kwargs) -> T:
    """`kind(...)` without the keywords that this host's version does not know yet (`advanced`, `search_aliases`)."""
    known = inspect.signature(kind).parameters
    taken: dict[str, Any] = {name: value for name, value in keywords.items() if name in known}
    return kind(*positional, **taken)


def text_of(error: SoraError) -> str:
    """The error for a person, in the language of the settings."""
    return str(error.changed(language=studio().settings.shown_language))


def in_users_language(execute: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """`execute`, whose errors the host shows as they are, with errors in the language of the settings."""

    @functools.wraps(execute)
    async def spoken(*positional: P.args, **keywords: P.kwargs) -> T:
        try:
            return await execute(*positional, **keywords)
        except SoraError as error:
            raise error.changed(language=studio().settings.shown_language) from error.__cause__

    return spoken


def output(kind: type[io.ComfyTypeIO], name: str, tooltip: str) -> io.Output:
    """An output shown as `name`. Hosts of 2025 refuse one whose id is also an input's, hence another id."""
    return kind.Output(f"{name}_output", display_name=name, tooltip=tooltip)


# -- waiting ----------------------------------------------------------------------------------------------------------


async def finish(future: Future[T], tick: Callable[[], None] = lambda: None) -> T:
    """The future's result. An interrupt ends the waiting at once; the work goes on in the engine's own thread.

    Not `asyncio.to_thread` nor a wrapped future: the host joins the first at the prompt's end, and its event loop may
    be gone when the second one finishes.
    """
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def done(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the prompt is over, and its loop closed
            loop.call_soon_threadsafe(wake.set)

    future.add_done_callback(done)
    try:
        while not future.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), TICK_S)
            comfy.model_management.throw_exception_if_processing_interrupted()
            tick()
    except BaseException:  # an interrupt and a cancelled task are no Exception
        future.cancel()  # what has not begun is not begun any more: nothing is bought after Cancel
        raise
    return future.result()


async def work(task: Callable[[], T]) -> T:
    """Have `task()` done in a thread of the pack's own."""
    return await finish(_pool.submit(task))


async def long_work(task: Callable[[Callable[[int, int], None], Callable[[], bool]], T], node_id: str | None) -> T:
    """The same for `task(progress, cancelled)`, with the node's progress bar: it calls `progress(done, of)`, and stops
    soon after `cancelled()` is true, which is when nobody waits for it any more."""
    bar, stop, seen = comfy.utils.ProgressBar(STEPS, node_id=node_id), threading.Event(), [0, 1]

    def progress(done: int, of: int) -> None:
        seen[:] = done, of

    try:
        return await finish(
            _decoders.submit(lambda: task(progress, stop.is_set)),
            lambda: bar.update_absolute(STEPS * seen[0] // max(1, seen[1])),
        )
    finally:
        stop.set()


async def watch(job_id: str, timeout_s: float, node_id: str | None) -> Job:
    """Wait for a video with the node's progress bar and status line. An interrupt, a timeout or a failing sibling ends
    the waiting; the job is then looked after in the background."""
    wait = studio().wait(job_id, timeout_s=timeout_s)
    bar = comfy.utils.ProgressBar(STEPS, node_id=node_id)
    shown: list[str] = []

    def tick() -> None:
        bar.update_absolute(int(STEPS * wait.fraction))
        if wait.status not in shown[-1:]:
            shown.append(wait.status)
            say(wait.status, node_id)

    try:
        job = await finish(wait.future, tick)
    except BaseException:  # an interrupt and a cancelled task are no Exception
        wait.cancel()
        with contextlib.suppress(SoraError):  # what ended the waiting says more
            studio().look_after(job_id)
        raise
    bar.update_absolute(STEPS)
    say(f"done · {job.id}", node_id)
    return job


def rescue_at_start() -> None:
    """Once the server is up, look after jobs that a crash, a power cut or a closed program left behind."""

    async def up(_: web.Application) -> None:
        _pool.submit(_rescue)

    if PromptServer.instance is not None and hasattr(PromptServer.instance, "app"):
        PromptServer.instance.app.on_startup.append(up)


def _rescue() -> None:
    try:
        if count := studio().rescue():
            _log.info("Sora Jobs looks after %d unfinished jobs; SORA_RESCUE=0 turns this off.", count)
    except SoraError as error:
        warn(f"Unfinished jobs are not looked after: {text_of(error)}")


def say(text: str, node_id: str | None) -> None:
    """One line of text in the node; from any thread."""
    server = PromptServer.instance
    if server is not None and node_id is not None and server.client_id is not None:
        # Only to the page that asked: without an id it would go to every page that is open.
        server.send_progress_text(text, node_id, server.client_id)


def tell(warning: str, node_id: str | None) -> None:
    """A warning, if there is one, in the node and in the log; from any thread."""
    if warning:
        warn(warning)
        say(warning, node_id)


def warn(text: str) -> None:
    """One line in the host's log."""
    _log.warning("%s", text)
