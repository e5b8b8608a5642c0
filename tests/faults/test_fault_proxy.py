"""Many purchases over a bad line: none is bought twice, none that was paid is lost, and every file is whole.

Whoever buys does what a person does: runs the same again, and settles what is unknown with the gateway's own list. On
PostgreSQL there are two machines, and the same runs again at the other one. SORA_SOAK=1 makes it 500 jobs at each rate.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.errors import PurchaseUncertainError, UnreachableError
from sora_jobs.jobs.state import JobState
from sora_jobs.sandbox import Sandbox

from ..failures import failing
from .buyers import Buyers, wanted
from .conftest import Row
from .proxy import FAULTS, Proxy

JOBS = 500 if os.environ.get("SORA_SOAK", "") == "1" else 100  # read now: a test sees no variable of ours
THREADS = 8
SEED = 20260801

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "gateway", seconds=0) as running:
        store = running.routes.jobs.store
        counted = store.times
        store.times = lambda key: 0 if key.startswith("wish ") else counted(key)  # one film is enough for all
        yield running


@pytest.fixture(scope="module")
def lines(tables: dict[str, list[Row]]) -> list[Row]:
    """The table of the bad lines, for the end of the run."""
    head = (
        "ledger", "lost exchanges", "jobs", "exchanges", "broken", "resumed", "creates there", "stored",
        "what the buyers were told", "s",
    )  # fmt: skip
    return tables.setdefault("fault proxy", [head])


RUNS = [("sqlite", rate, JOBS) for rate in (0.01, 0.1, 0.25, 0.5)] + [("postgresql", 0.25, JOBS * 3 // 5)]


@pytest.mark.parametrize(("database_url", "rate", "number"), RUNS, indirect=["database_url"])
def test_a_bad_line_costs_nothing_twice(
    database_url: str, rate: float, number: int, gateway: Sandbox, tmp_path: Path, lines: list[Row]
) -> None:
    """For every purchase: one job at the gateway, one row that is stored, one whole file."""
    began = time.monotonic()
    with Proxy(gateway.url, rate=rate, seed=SEED) as line:
        buyers = Buyers(tmp_path, line, gateway, database_url)
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                jobs = list(pool.map(buyers.get, range(number)))
            rows = buyers.engine.ledger.jobs(limit=100 * number)
            files = [buyers.engine.path(job) for job in jobs]
        finally:
            buyers.close()
    there = gateway.routes.jobs.store.newest()
    broken = sum(count for (_, fault), count in line.tally.items() if fault in FAULTS)
    told = ", ".join(f"{name} {count}" for name, count in sorted(buyers.met.items())) or "-"
    resumed = sum(count for (call, _), count in line.tally.items() if call == "rest of content")
    kind = "postgresql" if database_url else "sqlite"
    facts = (kind, f"{rate:.0%}", number, line.tally.total(), broken, resumed, line.whole_creates, len(files), told)
    lines.append((*map(str, facts), f"{time.monotonic() - began:.1f}"))

    # Money: each create that arrived whole is another purchase, none came a second time, and each is known here.
    assert Counter(job.said for job in there) == {wanted(n).prompt: 1 for n in range(number)}
    assert line.whole_creates == number
    standing = [row for row in rows if row.state not in (JobState.LOST, JobState.REFUSED)]
    assert {row.state for row in standing} == {JobState.STORED}
    assert sorted(row.video_id for row in standing) == sorted(job.id for job in there)

    # Videos: each is on disk, the same as at the gateway, bit by bit; nothing half done lies beside them.
    (film,) = (gateway.routes.jobs.store.folder / "renders").glob("*.mp4")
    sha256 = hashlib.sha256(film.read_bytes()).hexdigest()
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == {sha256}
    assert {job.sha256 for job in jobs} == {sha256}
    assert len(set(files)) == number
    assert {path.suffix for path in (tmp_path / "output").rglob("*") if path.is_file()} == {".mp4", ".json"}


@pytest.mark.parametrize(
    ("fault", "errors", "there"),
    [
        ("closed unread", (UnreachableError, PurchaseUncertainError), 0),
        ("request head cut", (UnreachableError, PurchaseUncertainError), 0),
        ("request body cut", (PurchaseUncertainError,), 0),
        ("answer dropped", (PurchaseUncertainError,), 1),
        ("answer head cut", (PurchaseUncertainError,), 1),
        ("answer body cut", (PurchaseUncertainError,), 1),
        ("hung", (PurchaseUncertainError,), 1),
    ],
)
def test_a_broken_create_is_never_called_refused(
    fault: str, errors: tuple[type[Exception], ...], there: int, gateway: Sandbox, tmp_path: Path
) -> None:
    """Where the request may have arrived the error says so; it is sent once, and the same again sends nothing."""
    with Proxy(gateway.url, always=fault, seed=SEED) as line:
        buyers = Buyers(tmp_path, line, gateway)
        try:
            with pytest.raises(errors) as caught:
                buyers.engine.start_create(wanted(0)).result(30)
            assert len(buyers.bought(wanted(0).prompt)) == there == line.whole_creates
            if caught.type is PurchaseUncertainError:
                passed = line.tally.total()
                with failing(PurchaseUncertainError, "", charge="possible"):
                    buyers.engine.start_create(wanted(0)).result(30)
                assert line.tally.total() == passed
        finally:
            buyers.close()


def test_a_good_line_changes_nothing(gateway: Sandbox, tmp_path: Path) -> None:
    """The proxy itself is no fault: without one, nobody is told of any trouble."""
    with Proxy(gateway.url) as line:
        buyers = Buyers(tmp_path, line, gateway)
        try:
            assert buyers.get(0).state is JobState.STORED
        finally:
            buyers.close()
    assert (buyers.met, line.whole_creates) == (Counter(), 1)
    assert {fault for _, fault in line.tally} <= {"passed", "delayed"}
