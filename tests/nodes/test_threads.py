"""Long work of one node holds up no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from .conftest import Bench


def test_long_decodes_hold_up_no_node_that_waits(bench: Bench) -> None:
    """As many as there are threads for them; a video that has just arrived gets its name meanwhile."""
    execution, free = bench.pack.module("host.execution"), threading.Event()

    def decode(progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> str:
        free.wait(30)
        return "decoded"

    async def graph() -> list[object]:
        long = [asyncio.create_task(execution.run_with_progress(decode, str(number))) for number in range(4)]
        await asyncio.sleep(0)
        job = (await bench.create("a red kite")).args[0]
        made = await bench.wait(job, filename_prefix="shots/boat")
        assert not any(task.done() for task in long)
        free.set()
        return [made.args[2], *(await asyncio.gather(*long))]

    assert asyncio.run(graph()) == ["shots/boat_00001_.mp4", *["decoded"] * 4]
