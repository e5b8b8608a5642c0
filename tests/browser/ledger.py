"""Jobs of the past, written straight into a state folder before a host begins."""

from __future__ import annotations

import time
from pathlib import Path

from sora.ledger import Ledger
from sora.rows import existing, insert, run
from sora.spec import JobSpec
from sqlalchemy import text

SPEC = JobSpec(provider="cometapi", prompt="x", model="sora-2", seconds="8", size="1280x720")


def filled(home: Path, count: int) -> None:
    """So many finished jobs, a minute apart, the last one just now; each tenth failed. Their files are gone."""
    home.mkdir(parents=True, exist_ok=True)
    ledger, now = Ledger(home), time.time()
    with ledger.database.write() as connection:
        job = insert(connection, SPEC, origin="https://api.cometapi.com", owner="0" * 32, now=now, estimated_usd=0.64)
        row = dict(existing(connection, job.id))
        run(connection, "DELETE FROM jobs")
        row |= {"state": "stored", "error": ""}
        rows = [
            row
            | {"id": f"{number:010}", "video_id": f"video_{number}", "slot": f"{number}", "identity": f"{number}"}
            | {"prompt": f"shot {number}: a paper boat, drifting over a lake at sunset"}
            | {"created_at": now - 60.0 * (count - number)}
            | ({"state": "failed", "error": "The gateway gave up."} if number % 10 == 5 else {})
            for number in range(count)
        ]
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), rows)
    ledger.close()
