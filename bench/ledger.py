"""A ledger of 100,000 jobs: a page of the list, and the look-up of a purchase by its identity. Medians of 50."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "nodes"))

from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import insert, run

JOBS = 100_000
RUNS = 50
SPEC = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="4", size="1280x720")


def filled(folder: Path) -> Ledger:
    """A ledger whose jobs are spread over a year; one of ten failed."""
    ledger = Ledger(folder)
    with ledger.database.write() as connection:
        for number in range(JOBS):
            spec = replace(SPEC, prompt=f"a paper boat, shot {number}, drifting over a lake at sunset")
            insert(connection, spec, origin="https://x", owner="0" * 32, now=1.7e9 + 300.0 * number)
        run(connection, "UPDATE jobs SET state = 'stored', video_id = 'video_' || id")
        run(connection, "UPDATE jobs SET state = 'failed' WHERE created_at / 300 % 10 < 1")
    return ledger


def median_ms(work: Callable[[], Any]) -> str:
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return f"{statistics.median(times):6.2f} ms ({min(times):.2f}-{max(times):.2f})"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = filled(Path(folder))
        middle = replace(SPEC, prompt=f"a paper boat, shot {JOBS // 2}, drifting over a lake at sunset")
        print(f"{JOBS} jobs, medians of {RUNS} (min-max)")
        found = ledger.queries.active_purchase(middle)
        assert found is not None
        print("identity                   ", median_ms(lambda: ledger.queries.active_purchase(middle)))
        print("a page of 50, newest       ", median_ms(lambda: ledger.jobs(limit=50)))
        print("a page of 50 in the middle ", median_ms(lambda: ledger.jobs(limit=50, after=found.id)))
        print("the newest 50 that failed  ", median_ms(lambda: ledger.jobs(state="failed", limit=50)))
        print("a search that finds one    ", median_ms(lambda: ledger.jobs(search="shot 777,", limit=50)))
        ledger.close()


if __name__ == "__main__":
    main()
