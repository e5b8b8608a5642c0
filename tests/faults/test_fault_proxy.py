"""Many purchases over a bad line: none is bought twice, none that was paid is lost, and every file is whole.

Whoever buys does what a person does: runs the same again, and settles what is unknown with the gateway's own list.
SORA_SOAK=1 makes it 500 jobs at each rate.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora.errors import MaybeBought, NotBought, NotFinished, Unreachable
from sora.sandbox import Sandbox
from sora.spec import Job, JobSpec, JobState
from sora.studio import Studio

from .conftest import Row
from .proxy import FAULTS, Proxy

JOBS = 500 if os.environ.get("SORA_SOAK", "") == "1" else 100  # read now: a test sees no variable of ours
THREADS = 8
MOST_RUNS = 200  # of one purchase; at half of all exchanges lost some ten are usual
SEED = 20260801

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "gateway", seconds=0) as running:
        yield running


def spec(number: int) -> JobSpec:
    """Each is a purchase of its own; the word is never shown, so that all of them have the same film."""
    prompt = f"a paper boat [sandbox: word={number}]"
    return JobSpec(provider="cometapi", model="seedance-2-5", seconds="4", size="854x480", prompt=prompt)


class Buyers:
    """A studio behind a bad line, and persons who want their videos. `met` counts what they were told."""

    def __init__(self, folder: Path, line: Proxy, gateway: Sandbox) -> None:
        env = {
            "COMETAPI_BASE_URL": line.url,
            "COMETAPI_KEY": "test-key-123456",
            "SORA_POLL_SECONDS": "0.02",
            "SORA_HTTP_TIMEOUT_SECONDS": "2",
            "SORA_BUDGET_USD_PER_DAY": "1000000",
        }
        self.studio = Studio(folder / "home", folder / "output", env=env)
        # Pauses take seconds; here only the order of things matters.
        self.studio._collector._pause = lambda _seconds: self.studio._closing.wait(0.01)
        self.met: Counter[str] = Counter()
        self._line, self._gateway = line, gateway
        self._known: dict[str, str] = {}  # the gateway's ids and prompts, as far as they were read
        self._lock = threading.Lock()

    def bought(self, prompt: str) -> list[str]:
        """The ids of the jobs with that prompt that the gateway has: its own list, as a person would see it."""
        store = self._gateway.routes.jobs.store
        waiting = self._line.unanswered.copy()  # a person looks minutes later, when the gateway is done with all of it
        while waiting & self._line.unanswered.copy():
            time.sleep(0.001)
        with self._lock:
            for file in (store.folder / "jobs").glob("video_*.json"):
                if file.stem not in self._known and (job := store.load(file.stem)) is not None:
                    self._known[job.id] = job.said
            return [video_id for video_id, said in self._known.items() if said == prompt]

    def get(self, number: int) -> Job:
        """Run the same again until the video is there."""
        wanted = spec(number)
        for _ in range(MOST_RUNS):
            try:
                job = self.studio.submit(wanted).result(60).job
                return self.studio.wait(job.id, timeout_s=30).future.result(60)
            except MaybeBought as error:
                self._met(error)
                self._settle(wanted.prompt, error.job)
            except NotBought as error:
                self._met(error)
                assert self.bought(wanted.prompt) == [], f"told that nothing was bought: {error}"
            except NotFinished as error:
                self._met(error)
        raise AssertionError(f"no video after {MOST_RUNS} runs: {self.studio.ledger.holding(wanted)}")

    def _settle(self, prompt: str, job_id: str) -> None:
        found = self.bought(prompt)
        assert len(found) <= 1
        try:
            job = self.studio.settle(job_id, video_id=found[0] if found else "").result(60)
        except NotFinished as error:  # the line broke while the gateway was asked for it: the next run tries again
            self._met(error)
            return
        assert job.state in ((JobState.SUBMITTED, JobState.COMPLETED) if found else (JobState.LOST,))
        self._met("settled with its id" if found else "settled as lost")

    def _met(self, what: Exception | str) -> None:
        with self._lock:
            self.met[what if isinstance(what, str) else type(what).__name__] += 1


@pytest.fixture(scope="module")
def lines(tables: dict[str, list[Row]]) -> list[Row]:
    """The table of the bad lines, for the end of the run."""
    head = (
        "lost exchanges",
        "jobs",
        "exchanges",
        "broken",
        "resumed",
        "creates there",
        "stored",
        "what the buyers were told",
        "s",
    )
    return tables.setdefault("fault proxy", [head])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.25, 0.5])
def test_a_bad_line_costs_nothing_twice(rate: float, gateway: Sandbox, tmp_path: Path, lines: list[Row]) -> None:
    """For every purchase: one job at the gateway, one row that is stored, one whole file."""
    began = time.monotonic()
    with Proxy(gateway.url, rate=rate, seed=SEED) as line:
        buyers = Buyers(tmp_path, line, gateway)
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                jobs = list(pool.map(buyers.get, range(JOBS)))
            rows = buyers.studio.ledger.jobs(limit=100 * JOBS)
            files = [buyers.studio.path(job) for job in jobs]
        finally:
            buyers.studio.close()
    there = gateway.routes.jobs.store.newest()
    broken = sum(count for (_, fault), count in line.tally.items() if fault in FAULTS)
    told = ", ".join(f"{name} {count}" for name, count in sorted(buyers.met.items())) or "-"
    resumed = sum(count for (call, _), count in line.tally.items() if call == "rest of content")
    facts = (f"{rate:.0%}", JOBS, line.tally.total(), broken, resumed, line.whole_creates, len(files), told)
    lines.append((*map(str, facts), f"{time.monotonic() - began:.1f}"))

    # Money: each create that arrived whole is another purchase, none came a second time, and each is known here.
    assert Counter(job.said for job in there) == {spec(number).prompt: 1 for number in range(JOBS)}
    assert line.whole_creates == JOBS
    standing = [row for row in rows if row.state not in (JobState.LOST, JobState.REFUSED)]
    assert {row.state for row in standing} == {JobState.STORED}
    assert sorted(row.video_id for row in standing) == sorted(job.id for job in there)

    # Videos: each is on disk, the same as at the gateway, bit by bit; nothing half done lies beside them.
    (film,) = (gateway.routes.jobs.store.folder / "renders").glob("*.mp4")
    sha256 = hashlib.sha256(film.read_bytes()).hexdigest()
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == {sha256}
    assert {job.sha256 for job in jobs} == {sha256}
    assert len(set(files)) == JOBS
    assert {path.suffix for path in (tmp_path / "output").rglob("*") if path.is_file()} == {".mp4", ".json"}


@pytest.mark.parametrize(
    ("fault", "errors", "there"),
    [
        ("closed unread", (Unreachable, MaybeBought), 0),
        ("request head cut", (Unreachable, MaybeBought), 0),
        ("request body cut", (MaybeBought,), 0),
        ("answer dropped", (MaybeBought,), 1),
        ("answer head cut", (MaybeBought,), 1),
        ("answer body cut", (MaybeBought,), 1),
        ("hung", (MaybeBought,), 1),
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
                buyers.studio.submit(spec(0)).result(30)
            assert len(buyers.bought(spec(0).prompt)) == there == line.whole_creates
            if caught.type is MaybeBought:
                passed = line.tally.total()
                with pytest.raises(MaybeBought, match="Money may have been spent"):
                    buyers.studio.submit(spec(0)).result(30)
                assert line.tally.total() == passed
        finally:
            buyers.studio.close()


def test_a_good_line_changes_nothing(gateway: Sandbox, tmp_path: Path) -> None:
    """The proxy itself is no fault: without one, nobody is told of any trouble."""
    with Proxy(gateway.url) as line:
        buyers = Buyers(tmp_path, line, gateway)
        try:
            assert buyers.get(0).state is JobState.STORED
        finally:
            buyers.studio.close()
    assert (buyers.met, line.whole_creates) == (Counter(), 1)
    assert {fault for _, fault in line.tally} <= {"passed", "delayed"}
