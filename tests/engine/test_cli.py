"""The command line on the sandbox: what exists afterwards, what is printed where, and every exit status."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.sandbox import Sandbox

from ..failures import WORDING, failed_as
from ..gateway.ugly import UglyServer, answer

PACK = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("one_film")
SMALL = ["--provider", "sandbox", "--model", "seedance-2-5", "--seconds", "4", "--size", "854x480"]


class Shell:
    """Runs commands in one folder with one state folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out, self.err = "", ""

    def __call__(self, *arguments: str) -> int:
        status = main(arguments)
        self.out, self.err = self._capsys.readouterr()
        return status

    def json(self, *arguments: str) -> dict[str, Any]:
        """The one JSON object on stdout, with the exit status as `exit`."""
        status = self(*arguments, "--json")
        result: dict[str, Any] = json.loads(self.out)
        return result | {"exit": status}


@pytest.fixture
def sora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name, value in (("SORA_HOME", "home"), ("SORA_SANDBOX_SECONDS", "0.2"), ("SORA_POLL_SECONDS", "0.02")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COMETAPI_BASE_URL", "https://cometapi.invalid")  # which the doctor looks at without a key, too
    return Shell(capsys)


def test_a_file_that_is_not_what_was_stored_is_used_with_a_warning(
    sora: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was cut off since, and cannot be fetched anew: what is left of it is used, and says so in both outputs."""
    first = sora.json("run", "a boat", *SMALL)
    assert (first["warning"], "warning" in sora.err) == ("", False)
    path = Path(first["path"])
    path.write_bytes(path.read_bytes()[:-4])

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    again = sora.json("run", "a boat", *SMALL)
    assert (again["exit"], again["path"], again["frames"] > 0) == (0, first["path"], True)
    assert path.name in again["warning"]
    assert f"warning: {again['warning']}" in sora.err
    assert sora("run", "a boat", *SMALL) == 0
    assert again["warning"] in sora.err


def test_a_video_is_bought_once_and_lies_where_it_was_asked_for(sora: Shell, tmp_path: Path) -> None:
    """Run again it is the same file; another --out gets a hard link to it, which takes no room."""
    first = sora.json("run", "a boat", *SMALL)
    path = Path(first["path"])
    assert (first["exit"], first["state"], first["reused"], path.parent) == (0, "stored", False, tmp_path / "out")
    assert (first["frames"], first["fps"], first["width"], first["height"]) == (120, 30, 854, 480)
    assert (first["has_audio"], first["estimated_usd"]) == (True, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_" + first["job"] + r"\.mp4", path.name)
    assert sora.json("run", "a boat", *SMALL) == {**first, "reused": True}
    elsewhere = sora.json("run", "a boat", *SMALL, "--out", "other")
    assert Path(elsewhere["path"]).parent == tmp_path / "other"
    assert Path(elsewhere["path"]).samefile(path)


def test_a_purchase_whose_price_is_unknown_says_why(
    sora: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: the second run buys nothing."""
    with Sandbox(tmp_path / "server", seconds=0.2) as server:
        table = f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\n'
        monkeypatch.setenv("MINE_KEY", "sk-test-key-123")
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "providers.toml").write_text(table, encoding="utf-8")
        run = ["run", "a boat", *SMALL, "--provider", "mine"]
        first = sora.json(*run)
        assert (first["exit"], first["estimated_usd"], first["price_unknown"]) == (0, None, "provider")
        assert "usd_per_second is not set for mine" in sora.err
        again = sora.json(*run)
        assert (again["exit"], again["reused"], "price_unknown" in again) == (0, True, False)
        assert "usd_per_second" not in sora.err
    assert "price_unknown" not in sora.json("run", "a boat", *SMALL)


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("{", "invalid_extra_fields", "not JSON"),
        ("[1]", "invalid_extra_fields", "list"),
        ('{"lora": "x"}', "field_refused", "'lora' may not be sent"),
        ('{"seed": "x"}', "field_refused", "'seed'"),
    ],
)
def test_wrong_extra_fields_are_wrong_input(sora: Shell, text: str, code: str, name: str) -> None:
    """Exit status 2, as with every other wrong option."""
    failed = sora.json("run", "a boat", *SMALL, "--extra-fields", text)
    assert (failed["exit"], failed["charge"]) == (2, "none")
    failed_as(failed, code, name)


def test_results_go_to_stdout_and_progress_to_stderr(sora: Shell) -> None:
    """So that a pipe gets the path and nothing else."""
    assert sora("run", "a boat", *SMALL) == 0
    assert sora.out.startswith(str(Path.cwd() / "out"))
    assert len(sora.out.splitlines()) == 1
    ledger, job = sora.err.splitlines()
    assert (ledger, job.split()[0]) == (f"ledger: {Path.cwd() / 'home' / 'ledger.sqlite3'}", "job")


def test_a_deleted_file_is_fetched_again(sora: Shell) -> None:
    """Nothing is paid for it."""
    first = sora.json("run", "a boat", *SMALL)
    data = Path(first["path"]).read_bytes()
    Path(first["path"]).unlink()
    again = sora.json("resume", first["job"])
    assert (again["exit"], again["path"]) == (0, first["path"])
    assert Path(again["path"]).read_bytes() == data


def test_a_reference_is_the_first_frame(sora: Shell, tmp_path: Path) -> None:
    """From an image file of any shape."""
    Image.new("RGB", (300, 300), (200, 60, 30)).save(tmp_path / "red.png")
    run = sora.json("run", "red", *SMALL, "--reference", "red.png", "--fit", "stretch")
    assert sora("frames", run["path"], "--out", "frames", "--limit", "1") == 0
    first = np.asarray(Image.open(tmp_path / "frames" / "frame_000000.png")).astype(int)
    assert np.abs(first - (200, 60, 30)).max() <= 4


def test_a_remix(sora: Shell) -> None:
    """By ledger id or by gateway id; the same remix is bought once."""
    source = sora.json("run", "a boat", "--provider", "sandbox")
    remix = sora.json("remix", source["job"], "at night")
    assert (remix["exit"], remix["reused"], remix["job"] == source["job"]) == (0, False, False)
    assert sora.json("remix", source["video_id"], "at night")["job"] == remix["job"]


@pytest.mark.parametrize(
    ("arguments", "size", "seconds"),
    [
        (["wan3.0"], (1280, 720), 4),
        (["minimax-h3"], (1344, 768), 5),
        (["omni-fast", "--seconds", "8", "--size", "720x1280"], (720, 1280), 8),
    ],
)
def test_a_model_of_unknown_lengths_and_sizes_has_a_default_all_the_same(
    sora: Shell, arguments: list[str], size: tuple[int, int], seconds: int
) -> None:
    """As for an id that no catalogue has: what is left out is asked for in the usual length and size."""
    run = sora.json("run", "a boat", "--provider", "sandbox", "--model", *arguments)
    assert (run["exit"], run["state"], run["width"], run["height"]) == (0, "stored", *size)
    assert run["frames"] == 30 * seconds


def test_a_size_that_comes_out_as_another_is_told_before_and_after(sora: Shell) -> None:
    """Before it is bought, by the catalogue; and once it is here, since the file is measured."""
    run = sora.json("run", "a boat", "--provider", "sandbox", "--model", "omni-fast", "--size", "1920x1080")
    assert (run["exit"], run["width"], run["height"]) == (0, 1280, 720)
    assert run["warning"] == "It came out as 1280x720, not as the 1920x1080 that was asked for."
    lines = sora.err.splitlines()
    before = lines.index("warning: omni-fast makes 1280x720 where 1920x1080 is asked for.")
    assert before < next(number for number, line in enumerate(lines) if line.startswith("job "))
    true = sora.json("run", "a boat", "--provider", "sandbox", "--model", "omni-fast", "--size", "720x1280")
    assert (true["width"], true["height"], true["warning"]) == (720, 1280, "")


FAILURES = [
    (["run", "  "], 2, "none", "empty_prompt", ""),
    (["run", "a boat"], 2, "none", "missing_key", "cometapi"),
    (["run", "a boat", "--seconds", "5", "--provider", "sandbox"], 2, "none", "seconds_not_offered", "5 s"),
    (["run", "a boat", "--take", "x"], 2, "none", "wrong_usage", "invalid int value: 'x'"),
    (
        ["run", "a boat", "--reference", "nowhere.png", "--provider", "sandbox"],
        2,
        "none",
        "file_not_found",
        "nowhere.png",
    ),
    (["run", "a boat", "--timeout", "-1", "--provider", "sandbox"], 2, "none", "out_of_range", "--timeout is -1"),
    (["fly"], 2, "none", "wrong_usage", "invalid choice: 'fly'"),
    (["resume", "nope"], 2, "none", "unknown_video", "'nope'"),
    (["frames", "x.mp4"], 2, "none", "nothing_to_do", ""),
    (["run", "a [sandbox: refuse=quota]", *SMALL], 3, "none", "insufficient_user_quota", "insufficient_user_quota"),
    (["run", "a [sandbox: refuse=moderation]", *SMALL], 3, "none", "moderation_blocked", "moderation_blocked"),
    (["run", "a [sandbox: lost_answer]", *SMALL], 4, "possible", "connection_lost", ""),
    (["run", "a [sandbox: broken_answer]", *SMALL], 4, "possible", "", "without saying whether the job exists"),
    (
        ["run", "a [sandbox: fail=moderation_blocked]", *SMALL],
        5,
        "possible",
        "moderation_blocked",
        "moderation_blocked",
    ),
    (["run", "a [sandbox: slow=60]", *SMALL, "--timeout", "0.005"], 6, "charged", "wait_timeout", ""),
    (["frames", "broken.mp4", "--out", "f"], 7, "none", "not_a_video", "broken.mp4"),
]


@pytest.mark.parametrize(("arguments", "status", "charge", "code", "name"), FAILURES)
def test_every_failure_has_its_status(
    sora: Shell, tmp_path: Path, arguments: list[str], status: int, charge: str, code: str, name: str
) -> None:
    """And says, also as JSON, what happened, what became of the money, and what to do."""
    (tmp_path / "broken.mp4").write_bytes(b'{"error": "expired"}')
    failed = sora.json(*arguments)
    assert (failed["exit"], failed["charge"]) == (status, charge)
    earlier = {"none": "none", "possible": "perhaps", "charged": "spent"}[charge]
    assert (failed["advice"], failed["money"]) == (failed["hint"], earlier)  # written beside the new names
    failed_as(failed, code, name)
    assert sora.err.count("sora: ") == 1
    if status in (4, 5, 6):
        assert failed["job"]


def test_a_gateway_that_is_not_there(sora: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never reached: nothing was bought, exit 3."""
    monkeypatch.setenv("COMETAPI_KEY", "sk-test-1234")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:9/v1")
    failed = sora.json("run", "a boat")
    assert (failed["exit"], failed["charge"]) == (3, "none")
    assert "127.0.0.1:9" in failed["error"]


def test_an_unknown_purchase_is_settled(sora: Shell, tmp_path: Path) -> None:
    """Not sent again until it is declared lost; then it is."""
    prompt = "a [sandbox: lost_answer]"
    job = sora.json("run", prompt, *SMALL)["job"]
    assert sora.json("run", prompt, *SMALL)["job"] == job
    for file in (tmp_path / "home" / "sandbox" / "jobs").glob("*.json"):
        file.unlink()
    failed = sora.json("resume", job)
    assert (failed["exit"], failed["charge"]) == (4, "possible")
    assert "no such job" in failed["error"]
    assert sora("resume", job, "--lost") == 0
    assert sora.json("run", prompt, *SMALL)["job"] != job


def test_an_unknown_purchase_is_found_in_the_list(sora: Shell, tmp_path: Path) -> None:
    """The one job of the gateway's list with this prompt that no row has yet; of two that fit none is taken."""
    job = sora.json("run", "a [sandbox: lost_answer]", *SMALL)["job"]
    again = sora.json("run", "a [sandbox: lost_answer]", *SMALL, "--take", "2")["job"]
    failed = sora.json("resume", job)
    assert failed["exit"] == 4
    first, second = (file.stem for file in (tmp_path / "home" / "sandbox" / "jobs").glob("*.json"))
    assert first in failed["error"]
    assert second in failed["error"]
    assert sora.json("resume", job, "--video-id", first)["state"] == "stored"
    found = sora.json("resume", again)
    assert (found["exit"], found["video_id"]) == (0, second)


def test_an_unknown_purchase_is_found_by_its_id(sora: Shell, tmp_path: Path) -> None:
    """The id that stands in the gateway's own list brings the paid video."""
    job = sora.json("run", "a [sandbox: lost_answer]", *SMALL)["job"]
    (file,) = (tmp_path / "home" / "sandbox" / "jobs").glob("*.json")
    found = sora.json("resume", job, "--video-id", file.stem)
    assert (found["exit"], found["job"], found["video_id"]) == (0, job, file.stem)


def test_a_job_that_took_too_long_is_resumed(sora: Shell) -> None:
    """After the timeout the same command, or resume, gets the video."""
    prompt = "a [sandbox: slow=2]"
    late = sora.json("run", prompt, *SMALL, "--timeout", "0.005")
    assert late["exit"] == 6
    assert sora.json("resume", late["job"])["exit"] == 0


def test_jobs_lists_filters_and_exports(sora: Shell, tmp_path: Path) -> None:
    """Newest first; the export has every column."""
    sora("run", "=1+1", *SMALL)
    sora("run", "kites [sandbox: refuse=quota]", *SMALL)
    assert [job["state"] for job in sora.json("jobs")["jobs"]] == ["refused", "stored"]
    assert [job["prompt"] for job in sora.json("jobs", "--state", "stored")["jobs"]] == ["=1+1"]
    assert len(sora.json("jobs", "--search", "KITES", "--model", "seedance-2-5")["jobs"]) == 1
    assert sora("jobs") == 0
    assert len(sora.out.splitlines()) == 2
    assert sora("jobs", "--export", "all.csv") == 0
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["prompt"] for row in rows] == ["kites [sandbox: refuse=quota]", "'=1+1"]  # no formula
    assert sora("jobs", "--export", "all.json") == 0
    exported = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [job["prompt"] for job in exported] == ["kites [sandbox: refuse=quota]", "=1+1"]
    assert sora("jobs", "--export", "new/all.doc") == 2
    assert not Path("new").exists()
    assert sora("jobs", "--limit", "-1") == 2


def test_frames_keep_the_numbers_of_the_source(sora: Shell, tmp_path: Path) -> None:
    """Skipped and stepped, each PNG is named by its place in the video; the sheet lies beside them."""
    path = sora.json("run", "a boat", *SMALL)["path"]
    made = sora.json(
        "frames", path, "--out", "f", "--skip", "10", "--step", "40", "--size", "100x50", "--sheet", "s.png"
    )
    assert made["files"] == ["frame_000010.png", "frame_000050.png", "frame_000090.png"]
    with Image.open(tmp_path / "f" / "frame_000050.png") as frame, Image.open(tmp_path / "s.png") as sheet:
        assert (frame.size, sheet.width > 800) == ((100, 50), True)


def test_models_and_doctor_tell_what_there_is(sora: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices with dates; and a machine without a key is told how to get one, without failing."""
    rows = {row["id"]: row for row in sora.json("models")["models"]}
    assert rows["sora-2"]["usd_date"]
    assert sora("models") == 0
    findings = {row["name"]: row for row in sora.json("doctor")["findings"]}
    assert {findings[name]["level"] for name in ("opencv", "pyav", "sandbox", "ledger")} == {"ok"}
    assert findings["cometapi"]["level"] == "warning"
    monkeypatch.setenv("COMETAPI_KEY", "sk-secret-canary")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:9")
    assert sora("doctor") == 7
    assert "sk-secret-canary" not in sora.out + sora.err


def test_the_demo(sora: Shell, tmp_path: Path) -> None:
    """Two MP4s, one sheet, and one line that tells what each is; a second time nothing is made anew."""
    assert sora("demo") == 0
    lines = sora.out.splitlines()
    assert sorted(line.split("  ")[0] for line in lines) == sorted(
        str(Path("out", f.name)) for f in (tmp_path / "out").iterdir()
    )
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".mp4", ".mp4", ".png"]
    before = sora.out
    assert sora("demo") == 0
    assert sora.out == before


def test_an_unwritable_place_is_local_trouble(sora: Shell, tmp_path: Path) -> None:
    """It is found before anything is bought."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    failed = sora.json("run", "a boat", *SMALL, "--out", "file/under")
    assert (failed["exit"], failed["charge"]) == (7, "none")
    assert sora.json("run", "a boat", *SMALL)["exit"] == 0


def test_the_budget_refuses_with_three(sora: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was bought, by how much it is too dear, and the doctor shows what is left."""
    monkeypatch.setenv("COMETAPI_KEY", "sk-test-1234567")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("SORA_BUDGET_USD_PER_JOB", "0.30")
    failed = sora.json("run", "a boat")
    assert (failed["exit"], failed["charge"]) == (3, "none")
    failed_as(failed, "budget_per_job", "$0.30", "$0.02")
    assert sora.json("jobs")["jobs"] == []
    sora("doctor")
    assert "$0.00 of $20.00 in 24 hours; at most $0.30 per job" in sora.out


@pytest.mark.parametrize("arguments", [["--timeout", "nan"], ["--timeout", "0"], ["--out", "file/under"]])
def test_wrong_options_are_found_before_anything_is_bought(sora: Shell, tmp_path: Path, arguments: list[str]) -> None:
    """A time that is none, a place that cannot be."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert sora.json("run", "a boat", *SMALL, *arguments)["exit"] in (2, 7)
    assert list(tmp_path.rglob("video_*.json")) == []


def test_the_timeout_covers_the_download(sora: Shell) -> None:
    """A finished video whose link has lapsed: the gateway is asked for a while, but not longer than we wait."""
    begun = time.monotonic()
    failed = sora.json("run", "a [sandbox: expired]", *SMALL, "--timeout", "0.03")
    assert (failed["exit"], failed["charge"]) == (6, "charged")
    assert time.monotonic() - begun < 10


def test_a_kill_in_the_middle_of_a_create_is_settled(sora: Shell, tmp_path: Path) -> None:
    """The row of the dead process is unknown from the first look on, whichever command it is."""
    spec = VideoRequest(provider="sandbox", prompt="cut", model="seedance-2-5", seconds="4", size="854x480")
    ledger = Ledger(tmp_path / "home")
    job = ledger.reserve(spec, origin="sandbox", estimated_usd=0.0, budget=Budget())[0].id
    ledger.sending(job)
    ledger.close()
    assert sora("doctor") == 0
    assert f"1 purchases are uncertain ({job})" in sora.out
    failed = sora.json("resume", job)
    assert (failed["exit"], failed["charge"]) == (4, "possible")
    assert f"`sora resume {job} --lost`" in failed["hint"]
    assert sora("resume", job, "--lost") == 0
    assert sora.json("run", "cut", *SMALL)["state"] == "stored"


def test_an_id_from_elsewhere_names_its_provider(sora: Shell, tmp_path: Path) -> None:
    """`resume --provider` opens it; one that nobody knows is wrong input, and looking costs nothing."""
    bought = sora.json("run", "elsewhere", *SMALL)
    for file in (tmp_path / "home").glob("ledger*"):
        file.unlink()
    assert sora.json("resume", bought["video_id"], "--provider", "sandbox")["state"] == "stored"
    failed = sora.json("resume", "video_" + "0" * 32, "--provider", "sandbox")
    assert (failed["exit"], failed["charge"]) == (2, "none")


def test_settling_looks_at_the_named_provider_alone(sora: Shell, tmp_path: Path) -> None:
    """Two gave the same id: without `--provider` it is not clear which is meant, with it the other one is left out."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "providers.toml").write_text(
        '[provider.mine]\nbase_url = "https://mine.invalid"\n[provider.other]\nbase_url = "https://other.invalid"\n',
        encoding="utf-8",
    )
    ledger = Ledger(tmp_path / "home")
    jobs = {name: ledger.adopt(name, f"https://{name}.invalid", "video_1").id for name in ("mine", "other")}
    ledger.adopt("mine", "https://elsewhere.invalid", "video_1")  # the provider's address of earlier times
    ledger.close()
    failed_as(sora.json("resume", "video_1", "--lost"), "ambiguous_video_id", "video_1")
    for name, job in jobs.items():
        failed = sora.json("resume", "video_1", "--provider", name, "--lost")
        assert (failed["exit"], failed["job"]) == (2, job)  # only an unknown one has to be settled


def test_the_doctor_fails_alike_for_scripts(sora: Shell, tmp_path: Path) -> None:
    """Exit status 7 with --json, too, and the findings in it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "providers.toml").write_text("[provider.mine", encoding="utf-8")
    assert sora("doctor") == 7
    assert re.search(WORDING["checks_failed"], sora.err)
    found = sora.json("doctor")
    assert found["exit"] == 7
    failed = {one["name"]: one["text"] for one in found["findings"] if one["level"] == "failed"}
    assert failed.keys() == {"providers", "cometapi"}
    assert failed["cometapi"] == "not looked at: see providers"


def test_a_search_knows_all_letters(sora: Shell) -> None:
    """And finds the gateway's ids, which have an underscore."""
    bought = sora.json("run", "Ein Äpfelchen", *SMALL)
    for text in ("äpfel", "ÄPFEL", bought["video_id"][:10], bought["job"]):
        assert [job["job"] for job in sora.json("jobs", "--search", text)["jobs"]] == [bought["job"]], text
    assert sora.json("jobs", "--search", "videoX")["jobs"] == []


def test_which_job_a_file_came_from(sora: Shell, tmp_path: Path) -> None:
    """By the ledger, else by its receipt; a file that nobody knows is wrong input."""
    bought = sora.json("run", "a boat", *SMALL)
    found = sora.json("jobs", "--file", bought["path"])
    assert (found["found_in"], found["jobs"][0]["job"]) == ("ledger", bought["job"])
    found = sora.json("jobs", "--file", bought["path"], "--home", str(tmp_path / "another"))
    assert (found["found_in"], found["jobs"][0]["video_id"]) == ("receipt", bought["video_id"])
    Path(bought["path"]).with_suffix(".json").unlink()
    assert sora.json("jobs", "--file", bought["path"], "--home", str(tmp_path / "another"))["exit"] == 2


# -- as a process of its own ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that hears Ctrl-C even where the tests run in the background of a shell, which ignores it."""
    with subprocess.Popen(
        [sys.executable, str(PACK / "sora.py"), *arguments],
        cwd=PACK,
        env=os.environ | {"SORA_HOME": str(Path("home").absolute())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(look: Callable[[], object], timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_stops_the_waiting_and_keeps_the_job(sora: Shell, tmp_path: Path) -> None:
    """It ends at once with 6, and says how to go on."""
    with started("run", "a [sandbox: slow=20]", *SMALL, "--out", str(tmp_path)) as process:
        until(lambda: sora.json("jobs")["jobs"])
        with contextlib.closing(Ledger(tmp_path / "home")) as ledger:
            until(lambda: ledger.jobs()[0].progress)  # it was polled, so that somebody waits for the video
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 6, err
    assert "Run the same again" in err


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_while_looking_up_buys_nothing(tmp_path: Path, sora: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent of a remix is still being looked for when the user stops: the remix is not sent."""
    finished = answer(200, {"id": "video_1", "object": "video", "model": "sora-2", "status": "completed"})
    asked, stopped = threading.Event(), threading.Event()

    def slowly(connection: socket.socket) -> None:
        asked.set()
        assert stopped.wait(30)
        connection.sendall(finished)

    with UglyServer([slowly, finished]) as server:
        monkeypatch.setenv("COMETAPI_KEY", "sk-test-key-123")
        monkeypatch.setenv("COMETAPI_BASE_URL", server.url)
        with started("remix", "video_1", "at night", "--out", str(tmp_path)) as process:
            assert asked.wait(30)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            stopped.set()
        assert process.returncode == 6, err
        assert "Stopped before anything was sent. Nothing was spent" in err
        assert server.count("POST") == 0


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_the_sandbox_serves_other_programs(sora: Shell) -> None:
    """It prints its address, and ends on a signal."""
    with started("sandbox") as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        assert requests.get(f"{url}/v1/models", headers={"Authorization": "Bearer x"}, timeout=10).json()["data"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_console_that_cannot_write_every_letter(sora: Shell) -> None:
    """A redirected Windows console has some 250 letters; the JSON stays JSON."""
    assert sora.json("run", "日本 🎏", *SMALL)["exit"] == 0
    environment = os.environ | {"SORA_HOME": str(Path("home").absolute()), "PYTHONIOENCODING": "cp1252"}
    for arguments in (["jobs"], ["jobs", "--json"]):
        command = [sys.executable, str(PACK / "sora.py"), *arguments]
        done = subprocess.run(command, cwd=PACK, env=environment, capture_output=True, encoding="utf-8", timeout=30)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["jobs"][0]["prompt"] == "日本 🎏"


@pytest.mark.parametrize("port", ["-1", "99999"])
def test_a_port_that_is_none(sora: Shell, port: str) -> None:
    """Refused before anything starts."""
    assert sora.json("sandbox", "--port", port)["exit"] == 2


@pytest.mark.parametrize(("arguments", "says"), [(["--help"], "resume"), (["sandbox", "--help"], "lost_answer")])
def test_help_is_worth_reading(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    """Every command, and how the sandbox is made to misbehave."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert says in capsys.readouterr().out
