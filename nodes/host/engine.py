"""The one engine of this process: made at first use, waited for, and its errors in the user's language."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import comfy.utils
import folder_paths
from aiohttp import web
from server import PromptServer

from ..sora_jobs.engine import Engine
from ..sora_jobs.errors import SoraError
from ..sora_jobs.jobs.spec import Job
from .execution import STEPS, pool, wait_for
from .messages import log, log_warning, set_node_text

T = TypeVar("T")
P = ParamSpec("P")

WINDOW_CLOSED = (2, 6)  # CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT
_lock = threading.Lock()
_engine: Engine | None = None
on_engine_created: list[Callable[[Engine], None]] = []  # called with the engine when it is made, at first use
_handlers: list[Callable[[int], int]] = []  # of Windows' console, which keeps no reference of its own


def get_engine() -> Engine:
    """Return the engine of this process, made at first use."""
    global _engine  # noqa: PLW0603 - one per process is what it is for
    with _lock:
        if _engine is None:
            user = Path(folder_paths.get_user_directory())
            # A folder `user/__name` is never served over HTTP by any supported ComfyUI.
            home = None if os.environ.get("SORA_HOME", "").strip() else user / "__sora"  # None takes that variable's
            _engine = Engine(home, Path(folder_paths.get_output_directory()))
            pool.submit(functools.partial(_record_location, _engine))
            atexit.register(_engine.close)
            _close_with_the_window(_engine.close)
            for prepare in on_engine_created:
                prepare(_engine)
        return _engine


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


def _record_location(engine: Engine) -> None:
    """Tell the command line which ledger it has to open."""
    try:
        engine.whereabouts.record(Path(folder_paths.get_temp_directory()))
    except (OSError, SoraError) as error:
        log.warning("The command line will not find this ledger by itself: %s", error)


def text_of(error: SoraError) -> str:
    """The error for a person, in the language of the settings."""
    return str(error.changed(language=get_engine().page_settings.language))


def in_users_language(execute: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """`execute`, whose errors the host shows as they are, with errors in the language of the settings."""

    @functools.wraps(execute)
    async def spoken(*positional: P.args, **keywords: P.kwargs) -> T:
        try:
            return await execute(*positional, **keywords)
        except SoraError as error:
            raise error.changed(language=get_engine().page_settings.language) from error.__cause__

    return spoken


async def wait_for_video(job_id: str, timeout_s: float, node_id: str | None) -> Job:
    """Wait for a video with the node's progress bar and status line. An interrupt, a timeout or a failing sibling ends
    the waiting; the job is then looked after in the background."""
    wait = get_engine().start_wait(job_id, timeout_s)
    bar = comfy.utils.ProgressBar(STEPS, node_id=node_id)
    shown: list[str] = []

    def tick() -> None:
        bar.update_absolute(int(STEPS * wait.fraction))
        if wait.status not in shown[-1:]:
            shown.append(wait.status)
            set_node_text(wait.status, node_id)

    try:
        job = await wait_for(wait.future, tick)
    except BaseException:  # an interrupt and a cancelled task are no Exception
        wait.cancel()
        get_engine().background.collect(job_id)
        raise
    bar.update_absolute(STEPS)
    set_node_text(f"done · {job.id}", node_id)
    return job


def start_background_downloads() -> None:
    """Once the server is up, look after jobs that a crash, a power cut or a closed program left behind."""

    async def up(_: web.Application) -> None:
        pool.submit(_start)

    if PromptServer.instance is not None and hasattr(PromptServer.instance, "app"):
        PromptServer.instance.app.on_startup.append(up)


def _start() -> None:
    try:
        if count := get_engine().background.begin():
            log.info("Sora Jobs looks after %d unfinished jobs; SORA_BACKGROUND_DOWNLOADS=0 turns this off.", count)
    except SoraError as error:
        log_warning(f"Unfinished jobs are not looked after: {text_of(error)}")
