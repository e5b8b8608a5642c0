"""What a job was bought for, and what was charged: kept in the ledger through everything that a ledger goes through."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.delivery.receipts import receipt_of
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import LONGEST_PROJECT, Job, VideoRequest, parse_project
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger import migrations
from sora_jobs.ledger.backups import backup
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.merge import import_home
from sora_jobs.ledger.restore import restore
from sora_jobs.ledger.rows import run

from ..failures import failing
from .test_spec import GOLDEN

SPEC = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
ORIGIN = "https://x"
FIRST = dataclasses.replace(SPEC, project="Winter film")
DONE = RemoteVideo(id="video_1", phase="done", status="completed", charged_usd=0.31)
SMALL = ["--provider", "sandbox", "--model", "seedance-2-5", "--seconds", "4", "--size", "854x480"]


@pytest.fixture
def ledger(tmp_path: Path, database_url: str) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "home", url=database_url)
    yield opened
    opened.close()


def reserve(ledger: Ledger, spec: VideoRequest = FIRST, **more: Any) -> Job:
    return ledger.reserve(spec, origin=ORIGIN, estimated_usd=0.4, budget=Budget(usd_per_day=1e6), **more)[0]


def submitted(ledger: Ledger, spec: VideoRequest = FIRST, video: str = "video_1") -> Job:
    job = reserve(ledger, spec)
    ledger.sending(job.id)
    return ledger.submitted(job.id, RemoteVideo(id=video, phase="running", status="queued"))


# -- what it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN)
def test_a_project_makes_no_other_purchase(name: str) -> None:
    """The hashes are those of a job without one, to the letter."""
    spec, *expected = GOLDEN[name]
    assert list(dataclasses.replace(spec, project="Winter film").identity) == expected


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Winter film\n", "Winter film"),
        ("\t", ""),
        ("Phim mùa đông 👨‍👩‍👧", "Phim mùa đông 👨‍👩‍👧"),
        ("x" * LONGEST_PROJECT, "x" * LONGEST_PROJECT),
        ("=1+1", "=1+1"),
    ],
)
def test_a_project_is_a_line_of_text(typed: str, name: str) -> None:
    """Without the white space around it."""
    assert parse_project(typed) == dataclasses.replace(SPEC, project=typed).project == name


@pytest.mark.parametrize(
    ("typed", "code", "names"),
    [
        ("x" * 101, "project_too_long", ("101", "100")),
        *((typed, "project_not_one_line", ()) for typed in
          ("a\nb", "a\0b", "a\rb", "a\u2028b", "a\x85b", "a\x1b[31m", "a\ud800", "a\tb")),
    ],
)  # fmt: skip
def test_what_is_no_line_of_text_is_refused(typed: str, code: str, names: tuple[str, ...], ledger: Ledger) -> None:
    """Before anything is written, and where a job is put down to another project, too."""
    with failing(InvalidInputError, code, *names):
        dataclasses.replace(SPEC, project=typed)
    job = reserve(ledger)
    with failing(InvalidInputError, code, *names):
        ledger.set_project(job.id, typed)
    assert ledger.job(job.id).project == "Winter film"


# -- in the ledger ----------------------------------------------------------------------------------------------------


def test_the_first_buyers_project_counts(ledger: Ledger) -> None:
    """The same for another project is the same job, and changes nothing; neither does who takes it over."""
    job = reserve(ledger)
    assert job.project == "Winter film"
    again, mine = ledger.reserve(
        dataclasses.replace(SPEC, project="other"), origin=ORIGIN, estimated_usd=0.4, budget=Budget(), sending=()
    )
    assert (again.id, again.project, mine) == (job.id, "Winter film", True)
    assert reserve(ledger, dataclasses.replace(SPEC, project="other", take=2)).project == "other"
    assert reserve(ledger, dataclasses.replace(SPEC, take=3)).project == ""


def test_a_project_is_changed_by_a_wish_alone(ledger: Ledger) -> None:
    """In any state; whoever listens is told of it, and nothing else of the row is another one."""
    job = submitted(ledger)
    told: list[Job] = []
    ledger.listener = told.append
    changed = ledger.set_project(job.id, "  Spring ")
    assert changed == dataclasses.replace(job, project="Spring") == ledger.job(job.id)
    assert told == [changed]
    assert ledger.set_project(job.id, "").project == ""
    with failing(InvalidInputError, "unknown_job", "'nobody'"):
        ledger.set_project("nobody", "x")


def test_a_remix_belongs_to_its_parents_project(ledger: Ledger) -> None:
    """Unless it has one of its own."""
    parent = submitted(ledger)
    asked: dict[str, Any] = {"kind": "remix", "provider": "cometapi", "parent": "video_1"}
    assert reserve(ledger, VideoRequest(prompt="at night", **asked), remix_of=parent).project == "Winter film"
    assert reserve(ledger, VideoRequest(prompt="at noon", project="own", **asked), remix_of=parent).project == "own"


def test_what_was_charged_is_kept_once_it_is_known(ledger: Ledger) -> None:
    """A later look that does not tell it changes nothing, and one that tells another number counts."""
    job = submitted(ledger)
    assert job.charged_usd is None
    assert ledger.observed(job.id, DONE).charged_usd == 0.31
    assert ledger.observed(job.id, dataclasses.replace(DONE, charged_usd=None)).charged_usd == 0.31
    assert ledger.observed(job.id, dataclasses.replace(DONE, charged_usd=0.0)).charged_usd == 0.0
    assert ledger.spent_usd(Budget()) == pytest.approx(0.4)  # the budget counts what was known before


def test_a_job_that_failed_first_is_charged_once_it_did_not(ledger: Ledger) -> None:
    job = submitted(ledger)
    ledger.observed(job.id, RemoteVideo(id="video_1", phase="failed", status="failed"))
    assert ledger.taken_up_again(job.id, DONE).charged_usd == 0.31


def test_what_was_opened_by_its_id_gives_its_charge_and_its_project_to_the_purchase(ledger: Ledger) -> None:
    """The purchase's own project goes first."""
    for number, project, expected in ((1, "", "of the other"), (2, "mine", "mine")):
        spec = dataclasses.replace(SPEC, take=number, project=project)
        job, video = reserve(ledger, spec), f"video_{number}"
        ledger.sending(job.id)
        other = ledger.adopt("cometapi", ORIGIN, video)
        ledger.observed(other.id, dataclasses.replace(DONE, id=video))
        ledger.set_project(other.id, "of the other")
        found = ledger.reconcile(job.id, video_id=video)
        assert (found.id, found.charged_usd, found.project) == (job.id, 0.31, expected)


def test_a_ledger_of_the_sixth_schema_is_brought_up_to_date_under_older_code(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has it open with older code goes on reading and writing; its jobs have no project."""
    names = ("project", "charged_usd")
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:6])
        old = Ledger(tmp_path / "home", url=database_url)
        with old.database.read() as connection:
            run(connection, "SELECT count(*) FROM jobs")
    with Ledger_at(tmp_path / "home", database_url) as ledger:
        job = reserve(ledger)
        with old.database.write() as connection:
            columns = list(run(connection, "SELECT * FROM jobs").keys())
            assert set(names) < set(columns)
            others = ", ".join(name for name in columns if name not in (*names, "id", "slot", "slot2"))
            copy = f"INSERT INTO jobs (id, {others}) SELECT 'older', {others} FROM jobs WHERE id = :id"
            run(connection, copy, id=job.id)
            run(connection, "UPDATE jobs SET state = 'stored' WHERE id = :id", id=job.id)
        old.close()
        assert (ledger.job("older").project, ledger.job("older").charged_usd) == ("", None)
        assert (ledger.job(job.id).project, ledger.job(job.id).state) == ("Winter film", JobState.STORED)


# -- backups, other ledgers, and what is left of a damaged one --------------------------------------------------------


class Ledger_at:
    def __init__(self, home: Path, url: str = "") -> None:
        self.ledger = Ledger(home, url=url)

    def __enter__(self) -> Ledger:
        return self.ledger

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


def kept(home: Path) -> list[tuple[str, float | None]]:
    with Ledger_at(home) as ledger:
        return sorted((job.project, job.charged_usd) for job in ledger.jobs())


def test_both_come_through_a_backup_and_an_import(tmp_path: Path) -> None:
    """Of jobs in the backup, of those that were bought since, and into another ledger."""
    home, other = tmp_path / "home", tmp_path / "other"
    with Ledger_at(home) as ledger:
        ledger.observed(submitted(ledger).id, DONE)
    backup(home, tmp_path / "ledger.zip")
    with Ledger_at(home) as ledger:
        submitted(ledger, dataclasses.replace(SPEC, take=2, project="since"), "video_2")
    restore(home, tmp_path / "ledger.zip")
    assert kept(home) == [("Winter film", 0.31), ("since", None)]
    with Ledger_at(other) as ledger:
        assert import_home(home, ledger).added == 2
    assert kept(other) == [("Winter film", 0.31), ("since", None)]


@pytest.mark.parametrize(("ours", "theirs", "project"), [("", "bought", "bought"), ("opened", "", "opened"),
                                                         ("opened", "bought", "bought")])  # fmt: skip
@pytest.mark.parametrize("who_knows", ["ours", "theirs"])
def test_an_import_keeps_what_only_one_ledger_knows(
    ours: str, theirs: str, project: str, who_knows: str, tmp_path: Path
) -> None:
    """Of a video that was bought there and opened by its id here."""
    old = tmp_path / "old"
    told = {"ours": DONE, "theirs": DONE} | {
        name: dataclasses.replace(DONE, charged_usd=None) for name in ("ours", "theirs") if name != who_knows
    }
    with Ledger_at(old) as ledger:
        ledger.observed(submitted(ledger, dataclasses.replace(SPEC, project=theirs)).id, told["theirs"])
    with Ledger_at(tmp_path / "home") as ledger:
        opened = ledger.adopt("cometapi", ORIGIN, "video_1")
        ledger.observed(opened.id, told["ours"])
        ledger.set_project(opened.id, ours)
    with Ledger_at(tmp_path / "home") as ledger:
        assert import_home(old, ledger).added == 1
    assert kept(tmp_path / "home") == [(project, 0.31)]


@pytest.mark.usefixtures("one_film")
def test_what_is_passed_on_tells_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the video nor its receipt nor any name; a ledger that is made anew from them has none, and no charge."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    assert main(["run", "a boat", *SMALL, "--project", "Top-secret client", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    video = Path(told["path"])
    engine = Engine(tmp_path / "home", tmp_path / "out")
    job = engine.ledger.job(told["job"])
    assert job.project == "Top-secret client"
    engine.files.link(job, tmp_path / "out" / "named.mp4")
    engine.close()
    assert receipt_of(video).is_file()
    passed_on = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(passed_on) == 4
    sandbox = [file for file in (tmp_path / "home" / "sandbox").rglob("*") if file.is_file()]
    assert sandbox  # what a provider got and kept
    for file in [*passed_on, *sandbox]:
        assert b"secret client" not in file.read_bytes()
        assert "secret" not in str(file.relative_to(tmp_path))
    for file in (tmp_path / "home").glob("ledger*"):
        file.unlink()
    assert main(["restore", "--rebuild", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["receipts"] == 1
    assert kept(tmp_path / "home") == [("", None)]


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    with Ledger_at(tmp_path / "home") as ledger:
        return [submitted(ledger), submitted(ledger, dataclasses.replace(SPEC, take=2), "video_2")]


def test_the_command_puts_jobs_down_to_a_project(
    jobs: list[Job], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By either id; an empty name takes it away."""
    assert main(["jobs", "--set-project", " Spring ", jobs[0].id, "video_2"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{job.id}  Spring" for job in jobs]
    assert kept(tmp_path / "home") == [("Spring", None)] * 2
    assert main(["jobs", "--set-project", "", "video_2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["jobs"]
    assert [(row["job"], row["project"]) for row in told] == [(jobs[1].id, "")]
    assert main(["jobs", "--json"]) == 0
    assert {row["project"] for row in json.loads(capsys.readouterr().out)["jobs"]} == {"Spring", ""}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set-project", "x"], "go together"),
        (["video_1"], "go together"),
        (["--set-project", "x", "video_1", "--state", "stored"], "by their ids only"),
        (["--set-project", "x\ny", "video_1"], "line break"),
        (["--set-project", "x", "video_1", "nobody"], "no job 'nobody'"),
        (["--set-project", "x", "video_1", ""], "no job ''"),
    ],
)
@pytest.mark.usefixtures("jobs")
def test_a_wrong_wish_changes_no_job(
    more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even those before the one that is not there; exit status 2."""
    before = kept(tmp_path / "home")
    assert main(["jobs", *more]) == 2
    assert says in capsys.readouterr().err
    assert kept(tmp_path / "home") == before
