"""Jobs of the past, written straight into a state folder before a host begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import existing, insert, run
from sqlalchemy import text

SPEC = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="8", size="1280x720")


def filled(home: Path, count: int) -> None:
    """So many finished jobs, a minute apart, the last one just now; each tenth failed. Their files are gone."""
    now = time.time()
    write(
        home,
        [
            {"created_at": now - 60.0 * (count - number)}
            | ({"state": "failed", "error": "The gateway gave up."} if number % 10 == 5 else {})
            for number in range(count)
        ],
    )


def spent(home: Path) -> None:
    """Jobs of twelve days, the last ones today: of three models, two providers and two projects; some charged, one of
    unknown price, one uncertain and one failed."""
    now = time.time()
    jobs: list[dict[str, Any]] = []
    for day in range(12):
        at = {"created_at": now - 86_400.0 * day}
        jobs += [at | {"estimated_usd": 0.64, "project": "Winter film"} for _ in range(1 + day % 4)]
        if day % 3 == 0:
            router = {"provider": "openrouter", "model": "google/veo-3.1-fast", "project": "=HYPERLINK(1)"}
            jobs.append(at | router | {"estimated_usd": None, "charged_usd": 1.25})
        if day % 5 == 0:
            jobs.append(at | {"state": "unknown", "error": "the line was cut", "error_code": "timeout"})
            jobs.append(at | {"state": "failed", "error": "The gateway gave up.", "model": "seedance-2-5"})
    jobs.append({"created_at": now, "estimated_usd": None, "model": "seedance-2-5"})
    write(home, jobs)


def write(home: Path, jobs: Sequence[dict[str, Any]]) -> None:
    """Finished jobs at 0.64 dollars, but for what each of `jobs` says of its row."""
    home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(home)
    with ledger.database.write() as connection:
        job = insert(connection, SPEC, origin="https://api.cometapi.com", owner="0" * 32, now=0.0, estimated_usd=0.64)
        row = dict(existing(connection, job.id))
        run(connection, "DELETE FROM jobs")
        row |= {"state": "stored", "error": ""}
        rows = [
            row
            | {"id": f"{number:010}", "video_id": f"video_{number}"}
            | dict.fromkeys(("slot", "identity", "slot2", "identity2"), f"{number}")
            | {"prompt": f"shot {number}: a paper boat, drifting over a lake at sunset"}
            | changes
            for number, changes in enumerate(jobs)
        ]
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), rows)
    ledger.close()
