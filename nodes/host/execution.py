"""Waiting in ComfyUI's way: threads of the pack's own, interrupts and progress bars."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import comfy.model_management
import comfy.utils

from ..sora_jobs.util.daemon_pool import DaemonPool

T = TypeVar("T")

TICK_S = 0.1  # how often a waiting node looks whether it was interrupted
STEPS = 1000  # of a progress bar
pool = DaemonPool("sora-node", 2)
_decoders = DaemonPool("sora-decode", 2)  # of their own: what takes minutes must not hold up a node that waits


async def wait_for(future: Future[T], tick: Callable[[], None] = lambda: None) -> T:
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


async def run_in_thread(task: Callable[[], T]) -> T:
    """Have `task()` done in a thread of the pack's own."""
    return await wait_for(pool.submit(task))


async def run_with_progress(
    task: Callable[[Callable[[int, int], None], Callable[[], bool]], T], node_id: str | None
) -> T:
    """The same for `task(progress, cancelled)`, with the node's progress bar: it calls `progress(done, of)`, and stops
    soon after `cancelled()` is true, which is when nobody waits for it any more."""
    bar, stop, seen = comfy.utils.ProgressBar(STEPS, node_id=node_id), threading.Event(), [0, 1]

    def progress(done: int, of: int) -> None:
        seen[:] = done, of

    try:
        return await wait_for(
            _decoders.submit(lambda: task(progress, stop.is_set)),
            lambda: bar.update_absolute(STEPS * seen[0] // max(1, seen[1])),
        )
    finally:
        stop.set()
