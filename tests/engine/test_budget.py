"""The owner's budget: it cannot be raised by a workflow, counts what is in flight, and holds among many at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.config.settings import Settings
from sora_jobs.config.timing import Timing
from sora_jobs.errors import BudgetExceededError, InvalidInputError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run

from ..failures import failing

CAPS = Budget(usd_per_day=2.0, usd_per_job=1.0)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, database_url: str, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, url=database_url, timing=Timing(clock=clock))
    yield opened
    opened.close()


def buy(ledger: Ledger, prompt: str, usd: float | None, budget: Budget = CAPS) -> str:
    spec = VideoRequest(provider="cometapi", prompt=prompt, model="sora-2", seconds="4", size="1280x720")
    return str(ledger.reserve(spec, origin="https://x", estimated_usd=usd, budget=budget)[0].id)


def test_a_job_that_is_too_dear_is_refused(ledger: Ledger) -> None:
    """By how much, and how the owner can change it; no row is written."""
    with failing(BudgetExceededError, "budget_per_job", "$1.00", "$0.50", charge="none") as caught:
        buy(ledger, "dear", 1.5)
    assert "SORA_BUDGET_USD_PER_JOB" in caught.value.hint
    assert caught.value.exit_code == 3
    assert ledger.jobs() == []


def later(ledger: Ledger, seconds: float) -> None:
    """On a farm the server's clock counts, which no test can turn: the purchases move into the past instead."""
    with ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET created_at = created_at - :seconds", seconds=seconds)


def test_a_day_has_an_end(ledger: Ledger) -> None:
    """What is in flight counts; the very cap may be reached; after 24 hours there is room again."""
    buy(ledger, "a", 1.0)
    later(ledger, 3600)
    buy(ledger, "b", 1.0)
    with failing(BudgetExceededError, "budget_per_day", "$2.00 of $2.00", "by $0.10"):
        buy(ledger, "c", 0.1)
    assert buy(ledger, "a", 1.0) == buy(ledger, "a", 1.0)  # bought before: costs nothing
    later(ledger, 86_400 - 3590)
    buy(ledger, "c", 1.0)
    with failing(BudgetExceededError, "budget_per_day"):
        buy(ledger, "d", 0.1)


def test_what_was_refused_does_not_count(ledger: Ledger) -> None:
    """But what may have been bought does, also after it was declared lost: nobody empties the budget by declaring."""
    ledger.refused(buy(ledger, "a", 1.0), RequestRejectedError("no"))
    lost = buy(ledger, "a", 1.0)
    ledger.unknown(lost, PurchaseUncertainError("cut"))
    ledger.reconcile(lost)
    buy(ledger, "b", 1.0)
    with failing(BudgetExceededError, "budget_per_day"):
        buy(ledger, "c", 0.01)


def test_an_unknown_price_counts_as_the_cap_of_a_job(ledger: Ledger) -> None:
    """Two of them fill a day of two dollars; one from elsewhere was paid elsewhere; the sandbox is free."""
    ledger.adopt("cometapi", "https://x", "video_1")
    buy(ledger, "a", None)
    buy(ledger, "b", None)
    with failing(BudgetExceededError, "budget_per_day", "unknown price, which counts as $1.00"):
        buy(ledger, "c", None)
    buy(ledger, "on the sandbox", 0.0)
    assert ledger.spent_usd(CAPS) == 2.0


def test_parallel_attempts_share_one_budget(tmp_path: Path, ledger: Ledger, clock: Clock, database_url: str) -> None:
    """Twenty at once where five fit, from two ledgers on one database: exactly five."""
    other = Ledger(tmp_path, url=database_url, timing=Timing(clock=clock))
    budget = Budget(usd_per_day=5 * 0.3, usd_per_job=1.0)

    def attempt(number: int) -> bool:
        try:
            buy(ledger if number % 2 else other, f"of many, {number}", 0.3, budget)
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(20))) == 5
    other.close()


def test_the_owner_sets_it(tmp_path: Path) -> None:
    """Variables over the file over 20 and 5 dollars."""
    assert Settings(home=tmp_path, output=tmp_path, env={}).read().budget == Budget(20.0, 5.0)
    (tmp_path / "settings.toml").write_text("[budget]\nusd_per_day = 7\nusd_per_job = 1.5\n", encoding="utf-8")
    assert Settings(home=tmp_path, output=tmp_path, env={}).read().budget == Budget(7.0, 1.5)
    variables = {"SORA_BUDGET_USD_PER_DAY": "0"}
    assert Settings(home=tmp_path, output=tmp_path, env=variables).read().budget == Budget(0.0, 1.5)


@pytest.mark.parametrize(
    ("text", "variables", "code", "name"),
    [
        ("[budget]\nusd_a_day = 7", {}, "unknown_setting", "settings.toml: budget.usd_a_day"),
        ("[budget]\nusd_per_day = true", {}, "invalid_setting", "settings.toml: budget.usd_per_day"),
        ("[budget]\nusd_per_day = -1", {}, "invalid_setting", "settings.toml: budget.usd_per_day"),
        ("usd_per_day = 7", {}, "unknown_setting", "settings.toml: usd_per_day"),
        ("[budget", {}, "settings_unreadable", "settings.toml"),
        ("", {"SORA_BUDGET_USD_PER_DAY": "twenty"}, "invalid_setting", "SORA_BUDGET_USD_PER_DAY is 'twenty'"),
        ("", {"SORA_BUDGET_USD_PER_JOB": "nan"}, "invalid_setting", "SORA_BUDGET_USD_PER_JOB is 'nan'"),
    ],
)
def test_a_cap_that_is_misspelt_is_an_error(
    tmp_path: Path, text: str, variables: dict[str, str], code: str, name: str
) -> None:
    """Else it would be no cap at all."""
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    with failing(InvalidInputError, code, name):
        _ = Settings(home=tmp_path, output=tmp_path, env=variables).read().budget


def test_a_cap_of_nothing_lets_nothing_through(ledger: Ledger) -> None:
    """Nor a job whose price nobody knows, which would count as nothing."""
    for usd in (0.4, None):
        with failing(BudgetExceededError, "budget_per_job"):
            buy(ledger, "a", usd, Budget(usd_per_day=20.0, usd_per_job=0.0))
    buy(ledger, "on the sandbox", 0.0, Budget(usd_per_day=0.0, usd_per_job=0.0))


def test_a_take_over_is_counted_anew(ledger: Ledger, tmp_path: Path, clock: Clock, database_url: str) -> None:
    """A row that a dead process left unsent is sent by us: at our price, our gateway, and only if there is room."""
    dead = Ledger(tmp_path, url=database_url, timing=Timing(clock=clock))
    job = buy(dead, "a", 0.5)
    if database_url:
        with dead.database.write() as connection:
            run(connection, "UPDATE owners SET seen_at = 0")
    dead.database.owner.close()
    with failing(BudgetExceededError, "budget_per_day"):
        buy(ledger, "a", 0.9, Budget(usd_per_day=0.8, usd_per_job=1.0))
    assert buy(ledger, "a", 0.9) == job
    assert ledger.job(job).estimated_usd == 0.9
    assert ledger.spent_usd(CAPS) == 0.9
    dead.close()
