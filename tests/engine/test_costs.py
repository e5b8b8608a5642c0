"""What jobs cost: sums by day, week, model, provider and project, on both kinds of database, in any time zone."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.costs import NUMBERS, safe_cell
from sora_jobs.cli.main import main
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.costs import BY, COLUMNS, MOST_ROWS, first_day, report
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import existing, insert, run
from sqlalchemy import text

from ..failures import failing

SPEC = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="4", size="1280x720")
NOTHING: dict[str, Any] = {
    "jobs": 0, "seconds": 0.0, "usd": 0.0, "estimated_usd": 0.0, "charged_usd": 0.0, "charged_jobs": 0, "unpriced": 0,
    "uncertain_jobs": 0, "uncertain_usd": 0.0, "uncertain_unpriced": 0,
    "failed_jobs": 0, "failed_usd": 0.0, "failed_unpriced": 0,
}  # fmt: skip
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()  # a Monday
DAY_S = 86_400.0


def at(*moment: int) -> float:
    """Seconds since the epoch of a time in UTC."""
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]  # the numbers are no time zone


@pytest.fixture
def ledger(tmp_path: Path, database_url: str) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "home", url=database_url)
    yield opened
    opened.close()


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the time zone of this process."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system's time zone cannot be set for one process")

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    put("UTC")
    yield put
    monkeypatch.undo()
    time.tzset()


def write(ledger: Ledger, *jobs: dict[str, Any]) -> None:
    """Stored jobs of 4 s at 0.40 dollars, bought at NOON, but for what each of `jobs` says of its row."""
    with ledger.database.write() as connection:
        job = insert(connection, SPEC, origin="https://x", owner="0" * 32, now=NOON, estimated_usd=0.4)
        row = dict(existing(connection, job.id)) | {"state": "stored"}
        run(connection, "DELETE FROM jobs WHERE id = :id", id=job.id)
        count = run(connection, "SELECT count(*) FROM jobs").scalar_one()
        rows = [
            row
            | {"id": f"{count + number:010}"}
            | dict.fromkeys(("slot", "slot2", "identity", "identity2"), f"{count + number}")
            | changes
            for number, changes in enumerate(jobs)
        ]
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), rows)


def costs(ledger: Ledger, by: str, since: str = "", **more: Any) -> dict[str, Any]:
    return report(ledger.database, by=by, since=since, now=NOON, **more)


def named(told: dict[str, Any], name: str, *wanted: str) -> dict[str, Any]:
    """What of a row's sums is not nothing; or those that are `wanted`."""
    (row,) = [row for row in told["rows"] if row["name"] == name]
    return {key: row[key] for key in wanted or NOTHING if wanted or row[key] != NOTHING[key]}


def test_each_state_counts_where_it_belongs(ledger: Ledger) -> None:
    """What was bought, what perhaps was (also what was given up as lost), and what failed stand apart. Refused ones,
    ones that were never sent, and ones that were bought elsewhere cost nothing here. A remix counts, and so does what
    was forgotten."""
    write(
        ledger,
        *({"state": state} for state in ("submitted", "completed", "stored")),
        {"kind": "remix", "parent": "video_1", "seconds": "8", "aside": "forgotten"},
        {"state": "completed", "error_code": "lapsed"},
        {"state": "unknown", "estimated_usd": 1.0},
        {"state": "reserved", "sent_at": NOON, "estimated_usd": None},
        {"state": "failed", "estimated_usd": 2.0, "charged_usd": None},
        {"state": "failed", "estimated_usd": None},
        {"state": "refused"},
        {"state": "lost"},
        {"state": "reserved", "sent_at": None},
        {"kind": "opened", "estimated_usd": None, "charged_usd": 9.0},
    )
    told = costs(ledger, "model")
    assert named(told, "sora-2") == {
        "jobs": 5, "seconds": 24.0, "usd": 2.0, "estimated_usd": 2.0,
        "uncertain_jobs": 3, "uncertain_usd": 1.4, "uncertain_unpriced": 1,
        "failed_jobs": 2, "failed_usd": 2.0, "failed_unpriced": 1,
    }  # fmt: skip
    assert {name: told["total"][name] for name in NOTHING} == NOTHING | named(told, "sora-2")


def test_what_was_charged_goes_before_the_estimate(ledger: Ledger) -> None:
    """The cost is what a provider told, else the estimate; a job with neither is counted and priced at nothing. Free of
    charge is a price."""
    write(
        ledger,
        {"charged_usd": 0.31},
        {"estimated_usd": None, "charged_usd": 0.05},
        {"charged_usd": 0.0},
        {},
        {"estimated_usd": None},
        {"provider": "sandbox", "estimated_usd": 0.0},
    )
    told = costs(ledger, "provider")
    assert named(told, "cometapi") == {
        "jobs": 5, "seconds": 20.0, "usd": 0.76, "estimated_usd": 1.2, "charged_usd": 0.36, "charged_jobs": 3,
        "unpriced": 1,
    }  # fmt: skip
    assert named(told, "sandbox") == {"jobs": 1, "seconds": 4.0}
    assert [row["name"] for row in told["rows"]] == ["cometapi", "sandbox"]


def test_sums_of_cents_are_exact(ledger: Ledger) -> None:
    """0.1 + 0.2 is 0.3 for a person."""
    write(ledger, {"estimated_usd": 0.1}, {"estimated_usd": 0.2})
    assert costs(ledger, "day")["total"]["usd"] == 0.3


def test_a_length_that_is_none_adds_no_seconds(ledger: Ledger) -> None:
    """A job whose length its provider wrote in other words is a job all the same."""
    write(ledger, *({"seconds": seconds} for seconds in ("", "auto", "-4", "1e3", "8.5", "9999999", "12")))
    assert named(costs(ledger, "day"), "2026-11-30", "jobs", "seconds") == {"jobs": 7, "seconds": 20.5}


def test_names_come_the_dearest_first(ledger: Ledger) -> None:
    """Then by their number, then by name; a job without a project is one of no name."""
    write(
        ledger,
        {"project": "b", "estimated_usd": 1.0},
        {"project": "A", "estimated_usd": 1.0},
        {"project": "dear", "estimated_usd": 3.0},
        {},
        {},
        {"project": "two", "estimated_usd": 0.4},
        {"project": "two", "estimated_usd": 0.4},
    )
    told = costs(ledger, "project")
    assert [row["name"] for row in told["rows"]] == ["dear", "A", "b", "", "two"]
    assert (told["by"], told["since"], told["more"]) == ("project", "", 0)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("UTC", "2026-11-30"),
        ("Asia/Ho_Chi_Minh", "2026-12-01"),  # +7
        ("America/Los_Angeles", "2026-11-30"),
        ("Asia/Kathmandu", "2026-12-01"),  # +5:45
        ("Pacific/Chatham", "2026-12-01"),  # +13:45
        ("Australia/Lord_Howe", "2026-12-01"),  # +11, of which half an hour is summer time
    ],
)
def test_a_day_is_the_one_of_the_clock_on_the_wall(
    ledger: Ledger, zone: Callable[[str], None], name: str, day: str
) -> None:
    """Wherever the database is."""
    zone(name)
    write(ledger, {"created_at": at(2026, 11, 30, 18, 20)})
    assert [row["name"] for row in costs(ledger, "day")["rows"]] == [day]


@pytest.mark.parametrize("name", ["Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "UTC"])
def test_a_day_begins_at_midnight(ledger: Ledger, zone: Callable[[str], None], name: str) -> None:
    """A second before it is the day before, in zones that are off by quarters of an hour, too."""
    zone(name)
    midnight = time.mktime((2026, 11, 30, 0, 0, 0, 0, 0, -1))
    write(ledger, {"created_at": midnight - 1}, {"created_at": midnight}, {"created_at": midnight + DAY_S - 1})
    assert [(row["name"], row["jobs"]) for row in costs(ledger, "day")["rows"]] == [
        ("2026-11-29", 1),
        ("2026-11-30", 2),
    ]
    assert costs(ledger, "day", "2026-11-30")["total"]["jobs"] == 2
    assert costs(ledger, "day", "2026-11-30")["since"] == "2026-11-30"


def test_the_days_on_which_clocks_change_are_whole(ledger: Ledger, zone: Callable[[str], None]) -> None:
    """One has 23 hours and one 25, and each of them is counted once."""
    zone("America/New_York")
    for first, hours in (((2026, 3, 8), 23), ((2026, 11, 1), 25)):
        begins = time.mktime((*first, 0, 0, 0, 0, 0, -1))
        write(ledger, *({"created_at": begins + 3600 * hour + 60} for hour in range(hours)))
    assert [(row["name"], row["jobs"]) for row in costs(ledger, "day")["rows"]] == [
        ("2026-03-08", 23),
        ("2026-11-01", 25),
    ]


def test_weeks_are_those_of_iso_8601(ledger: Ledger, zone: Callable[[str], None]) -> None:
    """From Monday on; the first one of a year begins in the year before, or the last one ends in the year after."""
    days = [(2025, 12, 28), (2025, 12, 29), (2026, 1, 4), (2026, 1, 5), (2026, 12, 31), (2027, 1, 3), (2027, 1, 4)]
    write(ledger, *({"created_at": at(*day, 12)} for day in days))
    told = costs(ledger, "week")
    assert [(row["name"], row["jobs"]) for row in told["rows"]] == [
        ("2025-W52", 1), ("2026-W01", 2), ("2026-W02", 1), ("2026-W53", 2), ("2027-W01", 1),
    ]  # fmt: skip


def test_since_takes_a_date_or_a_number_of_days(zone: Callable[[str], None]) -> None:
    """A number of days counts today."""
    assert first_day("", NOON) is None
    assert str(first_day("2026-11-01", NOON)) == "2026-11-01"
    assert str(first_day("1d", NOON)) == "2026-11-30"
    assert str(first_day("7d", NOON)) == "2026-11-24"
    assert str(first_day("30d", NOON)) == "2026-11-01"
    zone("Asia/Ho_Chi_Minh")
    assert str(first_day("1d", at(2026, 11, 30, 18))) == "2026-12-01"


@pytest.mark.parametrize(
    "since",
    ["x", "0d", "-1d", "7", "d", "99999d", "2026-13-01", "2026-02-30", "20261130", "2026-W48-1", "2026-11-30T00:00",
     "30.11.2026", " 7d", "7d\n", "٧d", "x" * 5000],
)  # fmt: skip
def test_what_is_no_date_is_refused(since: str) -> None:
    """With an example of what is one."""
    with failing(InvalidInputError, "invalid_date") as caught:
        first_day(since, NOON)
    assert "2026-11-30" in caught.value.hint
    assert len(caught.value.message) < 80


def test_an_unknown_group_is_refused(ledger: Ledger) -> None:
    """Whatever it is, it never gets into a query."""
    for by in ("", "id; DROP TABLE jobs", "prompt"):
        with failing(InvalidInputError, "unknown_option", repr(by)) as caught:
            costs(ledger, by)
        assert all(name in caught.value.hint for name in BY)


def test_a_page_has_every_day_and_no_more_than_it_can_show(ledger: Ledger, zone: Callable[[str], None]) -> None:
    """Days without a job are there, until today; of too many the earliest are left out, but not out of the total."""
    write(ledger, {"created_at": NOON - 3 * DAY_S}, {"created_at": NOON - DAY_S})
    rows = [(row["name"][5:], row["jobs"]) for row in costs(ledger, "day", page=True)["rows"]]
    assert rows == [("11-27", 1), ("11-28", 0), ("11-29", 1), ("11-30", 0)]
    rows = [(row["name"], row["jobs"]) for row in costs(ledger, "day", "5d", page=True)["rows"]]
    assert rows[0] == ("2026-11-26", 0)
    assert [row["name"] for row in costs(ledger, "week", "14d", page=True)["rows"]] == [
        "2026-W47", "2026-W48", "2026-W49",
    ]  # fmt: skip
    write(ledger, {"created_at": NOON - 500 * DAY_S}, {"created_at": NOON + 2 * DAY_S})
    told = costs(ledger, "day", page=True)
    assert (len(told["rows"]), told["more"], told["total"]["jobs"]) == (MOST_ROWS, 501 + 1 - MOST_ROWS, 4)
    assert told["rows"][-1]["name"] == "2026-12-02"  # of a clock that is ahead of ours
    write(ledger, *({"project": f"p{number}"} for number in range(MOST_ROWS + 5)))
    told = costs(ledger, "project", page=True)
    assert (len(told["rows"]), told["more"], told["total"]["jobs"]) == (MOST_ROWS, 6, MOST_ROWS + 9)
    assert len(costs(ledger, "project")["rows"]) == MOST_ROWS + 6
    assert costs(ledger, "project", page=True)["rows"][0]["name"] == ""


def test_ten_thousand_jobs_take_a_moment(ledger: Ledger) -> None:
    """In one query, by whatever they are grouped."""
    write(ledger, *({"created_at": NOON - 3000.0 * n, "project": f"p{n % 50}", "seconds": str(n % 9 + 4)}
                    for n in range(10_000)))  # fmt: skip
    for by in BY:
        begun = time.perf_counter()
        told = costs(ledger, by, page=True)
        assert time.perf_counter() - begun < 2  # measured: 0.05 s; a busy machine takes longer
        assert (told["total"]["jobs"], told["total"]["usd"]) == (10_000, 4000.0)


def test_looking_makes_no_ledger(tmp_path: Path) -> None:
    """There is nothing, and it is told as that."""
    ledger = Ledger(tmp_path / "home")
    told = report(ledger.database, by="day", now=NOON, page=True)
    assert (told["rows"], {name: told["total"][name] for name in NOTHING}) == ([], NOTHING)
    assert not (tmp_path / "home").exists()


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    ledger = Ledger(tmp_path / "home")
    now = time.time()
    write(
        ledger,
        {"created_at": now, "project": "=1+1"},
        {"created_at": now, "project": "=1+1", "charged_usd": 0.25},
        {"created_at": now, "project": 'say "hi", twice', "estimated_usd": None},
        {"created_at": now, "state": "unknown"},
        {"created_at": now, "state": "failed"},
        {"created_at": now - 40 * DAY_S, "project": "old"},
    )
    ledger.close()
    return tmp_path / "home"


@pytest.mark.usefixtures("home")
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers under their headings, the total last; what needs an explanation has one, on stderr."""
    assert main(["costs", "--by", "project", "--since", "30d"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split("  ") for line in out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["project", "jobs", "seconds", "cost", "estimated", "charged", "no price", "uncertain", "failed"],
        ["=1+1", "2", "8", "$0.65", "$0.80", "$0.25", "-", "-", "-"],
        ['say "hi", twice', "1", "4", "?", "$0.00", "-", "1", "-", "-"],
        ["(none)", "0", "0", "$0.00", "$0.00", "-", "-", "1 ($0.40)", "1 ($0.40)"],
        ["total", "3", "12", "$0.65", "$0.80", "$0.25", "1", "1 ($0.40)", "1 ($0.40)"],
    ]
    assert len({len(line) for line in out.splitlines()}) == 1
    assert "sora jobs --state unknown" in err
    assert "whether these were charged is unknown" in err
    assert "price of 1 job is unknown" in err


@pytest.mark.usefixtures("home")
def test_the_command_has_json_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the rows and the total."""
    assert main(["costs", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"by", "since", "rows", "total"}
    assert (told["by"], told["since"], len(told["rows"]), told["total"]["jobs"]) == ("day", "", 2, 4)
    assert tuple(told["total"]) == COLUMNS == ("name", *NUMBERS)


@pytest.mark.usefixtures("home")
def test_the_csv_holds_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    """What somebody typed stays text in a spreadsheet, and the rest is numbers."""
    assert main(["costs", "--by", "project", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["project"] for row in rows] == ["'=1+1", "old", 'say "hi", twice', ""]
    assert [row["usd"] for row in rows] == ["0.65", "0.4", "0.0", "0.0"]
    assert list(rows[0]) == ["project", *NUMBERS]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r+1"])
def test_a_cell_that_is_a_formula_is_made_text(cell: str) -> None:
    """Also behind white space, which a spreadsheet may take away."""
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "2026-11-30", "Winter film", "'=1"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert safe_cell(cell) == cell


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--csv", "--json"], "Choose one of both"),
        (["--by", "prompt"], "invalid choice"),
        (["--since", "yesterday"], "is not a date"),
    ],
)
def test_wrong_usage_has_its_exit_status(more: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """2, as everywhere."""
    assert main(["costs", *more]) == 2
    assert says in capsys.readouterr().err


def test_a_ledger_that_is_not_there_has_no_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0, and no ledger is made."""
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "nowhere"))
    assert main(["costs"]) == 0
    assert "No jobs." in capsys.readouterr().err
    assert main(["costs", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [",".join(["day", *NUMBERS])]
    assert not (tmp_path / "nowhere" / "ledger.sqlite3").exists()
