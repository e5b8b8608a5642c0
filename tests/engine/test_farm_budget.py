"""On a farm the strictest cap counts of the machines that are up; one of 0 stops its own machine alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import BudgetExceededError, InvalidInputError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger import migrations
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run

from ..failures import failing
from ..postgres import Server

HOSTS = ("render-1", "render-2", "render-3")
WIDE = Budget(usd_per_day=100.0, usd_per_job=50.0)


class Machine:
    """A process on a farm's machine of that name, whose owner set those caps."""

    def __init__(self, host: str, home: Path, url: str, caps: Budget | None, patch: pytest.MonkeyPatch) -> None:
        self.host, self.caps = host, caps or WIDE
        self.url, self._due, self._asleep = url, threading.Semaphore(0), threading.Semaphore(0)
        self.ledger = Ledger(home, url=url, budget=lambda: self.told(), timing=Timing(sleep=self._sleep))
        self.told: Callable[[], Budget | None] = lambda: caps and self.caps
        with patch.context() as here:
            here.setattr("socket.gethostname", lambda: host)
            self.mark = self.ledger.database.owner.id
        assert self._asleep.acquire(timeout=10)

    def _sleep(self, ended: threading.Event, _: float) -> bool:
        """The heart sleeps until it is to beat."""
        self._asleep.release()
        while not ended.wait(0.01):
            if self._due.acquire(blocking=False):
                return False
        return True

    def buy(self, prompt: str, usd: float | None) -> str:
        spec = VideoRequest(provider="cometapi", prompt=prompt, model="sora-2", seconds="4", size="1280x720")
        return self.ledger.reserve(spec, origin="https://x", estimated_usd=usd, budget=self.caps)[0].id

    def refusal(self, usd: float | None) -> str:
        """Why something at that price is not bought."""
        with pytest.raises(BudgetExceededError) as caught:
            self.buy("refused", usd)
        error = caught.value
        assert error.charge == "none"
        assert [host for host in HOSTS if host in error.message] == [host for host in HOSTS if host in error.hint]
        return f"{error.message} {error.hint}"

    def beat(self) -> None:
        """Its heart beats now, and not in 15 s."""
        self._due.release()
        assert self._asleep.acquire(timeout=10)

    def fall_silent(self) -> None:
        with self.ledger.database.write() as connection:
            run(connection, "UPDATE owners SET seen_at = seen_at - 61 WHERE id = :me", me=self.mark)


Start = Callable[..., Machine]


@pytest.fixture
def start(postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a process of one farm on the machine of that name."""
    url, made = postgresql.database(), []

    def machine(host: str, day: float | None = None, job: float | None = None) -> Machine:
        caps = Budget(day, job) if day is not None and job is not None else None
        made.append(Machine(host, tmp_path / host, url, caps, monkeypatch))
        return made[-1]

    yield machine
    for each in made:
        each.ledger.close()


def test_the_strictest_cap_of_a_job_counts_wherever_it_is_bought(start: Start) -> None:
    """The refusal names the cap and the machine that set it, and where it is raised."""
    one, two = start("render-1", 100, 5), start("render-2", 100, 1)
    text = one.refusal(2)
    for words in ("$1.00", "render-2", "SORA_BUDGET_USD_PER_JOB"):
        assert words in text
    assert "render-1" not in text
    assert one.ledger.jobs() == []
    assert "render-2" in two.refusal(2)
    assert one.buy("a", 1)


def test_the_strictest_cap_of_the_day_counts_for_all_together(start: Start) -> None:
    """N machines have one budget, not N."""
    one, two, three = start("render-1", 100, 5), start("render-2", 3, 5), start("render-3", 50, 5)
    for machine in (one, three):
        machine.buy(machine.host, 1.5)
    for machine in (one, two, three):
        text = machine.refusal(0.1)
        assert "$3.00 of $3.00" in text
        assert "render-2" in text
        assert "SORA_BUDGET_USD_PER_DAY" in text
    spending = one.ledger.spending(one.caps)
    assert (spending.usd, spending.per_day.usd_per_day, spending.per_day.machine) == (3.0, 3, "render-2")
    assert (spending.per_job.usd_per_job, spending.per_job.machine) == (5, "render-1")


@pytest.mark.parametrize(("day", "job"), [(0, 5), (5, 0), (0, 0)])
def test_a_cap_of_nothing_stops_its_own_machine_alone(start: Start, day: float, job: float) -> None:
    """Its other cap counts for all the same."""
    one, two = start("render-1", 100, 50), start("render-2", day, job)
    for usd in (0.1, None):
        assert "render-2" in two.refusal(usd)
    one.buy("a", 4)
    if day or job:
        assert "render-2" in one.refusal(6)
    else:
        one.buy("b", 6)
    if not day:
        one.buy("unknown", None)
    spending = one.ledger.spending(one.caps)
    assert spending.per_day.usd_per_day == (day or 100)
    assert spending.per_job.usd_per_job == (job or 50)


def test_what_a_machine_that_buys_nothing_calls_a_job_counts_nowhere_else(start: Start) -> None:
    """Three of unknown price come to 3 of 4 dollars here, however dear a job may be there."""
    one = start("render-1", 4, 1)
    start("render-2", 0, 5)
    for prompt in ("a", "b", "c"):
        one.buy(prompt, None)
    assert one.buy("d", 1)
    assert "render-1" in one.refusal(0.1)


def test_processes_of_one_machine_are_one(start: Start) -> None:
    """Where its owner forbids buying, in ComfyUI's variables say, the shell on it buys nothing either."""
    one, shell = start("render-1", 0, 5), start("render-1", 100, 5)
    assert "render-1" in shell.refusal(0.1)
    one.ledger.close()
    assert shell.buy("a", 0.1)


def test_clones_of_one_name_are_machines_of_their_own(start: Start, tmp_path: Path) -> None:
    one, two = start("clone", 100, 5), start("another", 0, 0)
    with one.ledger.database.write() as connection:  # its name, and an id of its own
        run(connection, "UPDATE owners SET machine = 'clone ' || repeat('0', 32) WHERE id = :id", id=two.mark)
    assert one.buy("a", 1)


def test_a_machine_that_is_gone_no_longer_counts(start: Start) -> None:
    """It ended, or was not heard of for a minute; when it is heard of again it counts again."""
    one, two, three = start("render-1", 100, 5), start("render-2", 100, 1), start("render-3", 100, 2)
    assert "render-2" in one.refusal(3)
    two.ledger.close()
    assert "render-3" in one.refusal(3)
    three.fall_silent()
    assert one.buy("a", 3)
    three.beat()
    assert "render-3" in one.refusal(3)


def test_a_change_is_told_with_the_next_beat(start: Start) -> None:
    """Settings that cannot be read leave the caps that were told before, and the process alive."""
    one, two = start("render-1", 100, 5), start("render-2", 100, 1)
    two.caps = Budget(100, 4)
    two.beat()
    assert one.buy("a", 3)

    def misspelt() -> Budget:
        raise InvalidInputError("usd_per_day is 'twenty'.")

    two.told = misspelt
    two.fall_silent()
    two.beat()
    assert "$4.00" in one.refusal(4.5)
    one.caps = Budget(100, 2)  # its own are asked for at each purchase
    assert "render-1" in one.refusal(3)


def test_a_lower_cap_of_a_job_makes_no_room_in_the_day(start: Start) -> None:
    """Jobs of unknown price count by each machine's own rule; all rules must have room."""
    one = start("render-1", 10, 5)
    for prompt in ("a", "b"):
        one.buy(prompt, None)
    assert "render-1" in one.refusal(0.5)
    two = start("render-2", 10, 1)
    assert two.ledger.spent_usd(two.caps) == 2
    for machine in (one, two):
        assert "render-1" in machine.refusal(0.5)
    assert two.ledger.spending(two.caps).per_day.machine == "render-1"


def test_at_once_from_many_machines_no_more_is_bought_than_the_strictest_allows(start: Start) -> None:
    """It is looked at in the transaction that writes the row."""
    machines = [start("render-1", 100, 5), start("render-2", 1.5, 5), start("render-3", 50, 5)]

    def attempt(number: int) -> bool:
        try:
            machines[number % 3].buy(f"of many, {number}", 0.3)
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(20))) == 5


def test_what_another_machine_left_unsent_is_bought_within_the_caps(start: Start) -> None:
    """And its row names the machine that sends it."""
    dead, one = start("render-1", 100, 5), start("render-2", 100, 5)
    job = dead.buy("a", 2)
    assert one.ledger.job(job).machine == "render-1"
    start("render-3", 100, 1)
    dead.fall_silent()
    with failing(BudgetExceededError, "budget_per_job", "render-3"):
        one.buy("a", 2)
    assert one.buy("a", 1) == job
    assert one.ledger.job(job).machine == "render-2"


def test_a_process_with_older_code_goes_on(start: Start) -> None:
    """It says that it lives, buys, and tells no caps."""
    one = start("render-1", 100, 5)
    with one.ledger.database.write() as connection:
        beat = "INSERT INTO owners VALUES (:id, extract(epoch FROM clock_timestamp())) ON CONFLICT (id) DO UPDATE "
        for _ in range(2):
            run(connection, f"{beat} SET seen_at = excluded.seen_at", id="0" * 32)
        assert one.ledger.database.owner.alive("0" * 32, connection)
    job = one.buy("a", 3)
    with one.ledger.database.write() as connection:
        columns = run(connection, "SELECT * FROM jobs WHERE id = :id", id=job).mappings().one()
        row = {**columns, "id": "older", "owner": "0" * 32, "slot": None, "slot2": None}
        del row["machine"]
        marks = ", ".join(f":{name}" for name in row)
        run(connection, f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", **row)
    assert one.ledger.job("older").machine == ""
    assert one.ledger.spent_usd(WIDE) == 6


def test_a_ledger_of_the_fifth_schema_is_brought_up_to_date(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While processes with older code are alive, which set no caps."""
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:5])
        old = Ledger(tmp_path, url=database_url)
        with old.database.write() as connection:
            run(connection, "INSERT INTO owners VALUES (:id, 9e9)", id="0" * 32)
        old.close()
    ledger = Ledger(tmp_path, url=database_url, budget=lambda: WIDE)
    try:
        spec = VideoRequest(provider="cometapi", prompt="a", model="sora-2", seconds="4", size="1280x720")
        job, mine = ledger.reserve(spec, origin="https://x", estimated_usd=1, budget=WIDE)
        assert mine
        assert bool(job.machine) == bool(database_url)
        with ledger.database.read() as connection:
            assert run(connection, "SELECT version FROM schema_version").scalar_one() == len(migrations.STEPS)
            left = run(connection, "SELECT * FROM owners WHERE id = :id", id="0" * 32).mappings().one()
            assert (left["machine"], left["usd_per_day"], left["usd_per_job"]) == ("", None, None)
    finally:
        ledger.close()


def test_a_transaction_of_older_code_is_not_broken_by_the_step(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that read a job, and then asks who is alive: the step waits for its end, and neither waits for the other."""
    url = postgresql.database()
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:5])
        old = Ledger(tmp_path, url=url)
        old.queries.unfinished()
    new = Ledger(tmp_path, url=url)
    with ThreadPoolExecutor(1) as pool:
        with old.database.write() as connection:
            run(connection, "SELECT * FROM jobs FOR UPDATE")
            opened = pool.submit(new.jobs)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
            end = time.monotonic() + 20
            while not run(connection, waiting).scalar_one():
                assert time.monotonic() < end
            assert not old.database.owner.alive("0" * 32, connection)
        assert opened.result(20) == []
    old.close()
    new.close()


# -- told to a person --------------------------------------------------------------------------------------------------


def test_spent_and_the_doctor_name_the_machine(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = start("render-1", 10, 2)
    one.buy("a", 1.5)
    url = one.url
    monkeypatch.setenv("SORA_DATABASE_URL", url)
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    monkeypatch.chdir(tmp_path)
    assert main(["spent", "--json", "--home", "desk"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "spent_usd": 1.5, "left_usd": 8.5, "usd_per_day": 10, "usd_per_job": 2,
        "day_set_on": "render-1", "job_set_on": "render-1",
    }  # fmt: skip
    assert main(["spent", "--home", "desk"]) == 0
    assert capsys.readouterr().out.count("render-1") == 2
    engine = Engine(tmp_path / "desk", tmp_path / "output", env={"SORA_DATABASE_URL": url})
    try:
        finding = next(finding for finding in examine(engine) if finding.name == "budget")
        assert (finding.level, finding.text.count("render-1")) == ("ok", 2)
        one.buy("b", 2)
        one.caps = Budget(3, 2)
        one.beat()
        assert next(finding for finding in examine(engine) if finding.name == "budget").level == "warning"
    finally:
        engine.close()


def test_spent_on_one_machine_names_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a ledger made for it."""
    home = tmp_path / "home"
    expected = {"spent_usd": 0, "left_usd": 20, "usd_per_day": 20, "usd_per_job": 5, "day_set_on": "", "job_set_on": ""}
    assert main(["spent", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert not home.exists()


@pytest.mark.parametrize("background", ["1", "0"])
def test_a_machine_tells_the_caps_of_its_settings(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: str
) -> None:
    """The file's and those of variables; a ComfyUI tells them from its start, also where it buys nothing."""
    one = start("render-1", 100, 50)
    home = tmp_path / "two"
    home.mkdir()
    (home / "settings.toml").write_text("[budget]\nusd_per_job = 0.5\n", encoding="utf-8")
    env = {"SORA_DATABASE_URL": one.url, "SORA_BUDGET_USD_PER_DAY": "7", "SORA_BACKGROUND_DOWNLOADS": background}
    monkeypatch.setattr("socket.gethostname", lambda: "render-2")
    engine = Engine(home, tmp_path / "output", env=env)
    try:
        assert one.ledger.spending(one.caps).per_day.machine == "render-1"
        engine.background.begin()  # as ComfyUI does at its start
        text = one.refusal(1)
        assert "$0.50" in text
        assert "render-2" in text
        assert one.ledger.spending(one.caps).per_day == Budget(7, 0.5, "render-2")
    finally:
        engine.close()
