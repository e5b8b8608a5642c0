"""Jobs of the past, written straight into a state folder before a host begins."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from sora.ledger import Ledger
from sora.rows import insert, run
from sora.spec import JobSpec

SPEC = JobSpec(provider="cometapi", prompt="x", model="sora-2", seconds="8", size="1280x720")


def filled(home: Path, count: int) -> None:
    """So many finished jobs, a minute apart, the last one just now; each tenth failed. Their files are gone."""
    home.mkdir(parents=True, exist_ok=True)
    ledger, now = Ledger(home), time.time()
    with ledger.database.write() as connection:
        for number in range(count):
            spec = replace(SPEC, prompt=f"shot {number}: a paper boat, drifting over a lake at sunset")
            then = now - 60.0 * (count - number)
            insert(connection, spec, origin="https://api.cometapi.com", owner="0" * 32, now=then, estimated_usd=0.64)
        run(connection, "UPDATE jobs SET state = 'stored', video_id = 'video_' || id")
        run(
            connection, "UPDATE jobs SET state = 'failed', error = 'The gateway gave up.' WHERE prompt LIKE 'shot %5:%'"
        )
    ledger.close()
