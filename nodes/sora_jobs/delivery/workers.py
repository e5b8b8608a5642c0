"""The threads in which jobs take their steps: few, and no provider has them all."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import no_thread_error
from ..util.daemon_pool import DaemonPool
from .entry import Entry

POLL_THREADS = 6
FETCH_THREADS = 4


def start_thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """Start a thread that never holds up the end of the program. LocalError where none can be had."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise no_thread_error(error) from error
    return thread


class Workers:
    """Threads for sending, polling and downloading; `sending` is the pool that purchases are prepared in, too."""

    def __init__(self, sending: DaemonPool | None) -> None:
        self._sending = sending or DaemonPool("sora-submit", 1)
        self._polling = DaemonPool("sora-poll", POLL_THREADS)
        self._fetching = DaemonPool("sora-fetch", FETCH_THREADS)

    def submit(self, entry: Entry, step: Callable[[], None]) -> None:
        """Have a step of that entry taken. RuntimeError where not one thread can be had, or the program is closing."""
        pool = self._polling
        if entry.order is not None:
            pool = self._sending
        elif entry.job.state.is_rendered:
            pool = self._fetching
        pool.submit(step, entry.job.provider)

    def note(self, step: Callable[[], None]) -> None:
        """Have something short done that may wait for the ledger. RuntimeError as for `submit`."""
        self._polling.submit(step)

    def close(self, send_s: float) -> None:
        """Creates that are under way get `send_s` seconds for their response."""
        self._sending.close(send_s)
        self._polling.close()
        self._fetching.close()
