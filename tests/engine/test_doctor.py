"""The doctor, and settings with a typing error: what is wrong is named, and nothing else falls with it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.settings import Settings
from sora_jobs.delivery.workers import FETCH_THREADS, POLL_THREADS
from sora_jobs.diagnostics import doctor
from sora_jobs.diagnostics.doctor import Finding, examine
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, LedgerError, StorageError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.connections import CONNECTIONS
from sora_jobs.ledger.machines import machine_id
from sora_jobs.ledger.shared_output import meet
from sora_jobs.purchasing import asking, buying
from sora_jobs.purchasing.disk_room import check_room
from sora_jobs.util import disk

from ..failures import WORDING, failing
from ..postgres import Server
from ..systems import make_link

BOAT = VideoRequest(provider="sandbox", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
Start = Callable[..., Engine]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the engine with that settings.toml and those variables."""
    made = []

    def opened(text: str = "", home: Path = tmp_path / "home", **env: str) -> Engine:
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(text, encoding="utf-8")
        nowhere = {"COMETAPI_BASE_URL": "https://cometapi.invalid"}  # the doctor looks there without a key, too
        made.append(Engine(home, tmp_path / "output", env={"SORA_SANDBOX_SECONDS": "0.2"} | nowhere | env))
        return made[-1]

    yield opened
    for engine in made:
        engine.close()


def levels(engine: Engine) -> dict[str, str]:
    return {finding.name: finding.level for finding in examine(engine)}


def failed(engine: Engine) -> dict[str, str]:
    return {finding.name: finding.text for finding in examine(engine) if finding.level == "failed"}


# -- a typing error in the settings -----------------------------------------------------------------------------------

WRONG = [
    ("rescue = flase", "settings_unreadable", "", "buy list rescue receipts"),
    ("[budget", "settings_unreadable", "", "buy list rescue receipts"),
    ("budgte = 3", "unknown_setting", "budgte", "buy"),
    ('rescue = "no"', "invalid_setting", "rescue", "buy rescue"),
    ("database_url = 3", "invalid_setting", "database_url", "buy list rescue"),
]


@pytest.mark.parametrize(("text", "code", "name", "stopped"), WRONG)
def test_a_wrong_file_is_told_by_the_one_who_needs_it(
    start: Start, text: str, code: str, name: str, stopped: str
) -> None:
    """The engine is there and knows its providers, as the nodes need it; a purchase names the file and what is wrong in
    it before anything is sent, anything else only where it needs that very line."""
    engine = start(text)
    assert engine.providers.names()[0] == "cometapi"
    uses: dict[str, Callable[[], object]] = {
        "buy": lambda: engine.start_create(BOAT).result(10), "list": engine.history.labels,
        "rescue": engine.background.begin,
        "receipts": lambda: engine.settings.read().receipts,
    }  # fmt: skip
    for one, use in uses.items():
        if one not in stopped.split():
            use()
            continue
        with failing(InvalidInputError, code, name, charge="none") as caught:
            use()
        assert f"{engine.settings.file}{f': {name}' if name else ''} " in caught.value.message
        assert caught.value.hint
    assert not (engine.settings.home / "sandbox").exists()


def test_a_slip_in_the_file_locks_up_nothing_that_is_paid_for(start: Start) -> None:
    """A cap that nobody understands stops purchases; what was bought is joined and fetched all the same."""
    engine = start()
    job = engine.start_create(BOAT).result(20).job
    engine.settings.file.write_text("budgte = 3", encoding="utf-8")
    again = engine.start_create(BOAT).result(20)
    assert (again.job.id, again.reused) == (job.id, True)
    assert engine.start_wait(job.id, timeout=60).future.result(60).state.value == "stored"


def test_a_mended_file_needs_no_restart(start: Start) -> None:
    """The next use reads it again; from then on the ledger stays where it is."""
    engine = start("rescue = flase")
    with failing(InvalidInputError, "settings_unreadable"):
        engine.history.labels()
    engine.settings.file.write_text("rescue = false", encoding="utf-8")
    job = engine.start_create(BOAT).result(30).job
    engine.settings.file.write_text('database_url = "postgresql+psycopg://elsewhere/db"', encoding="utf-8")
    assert engine.ledger.job(job.id).prompt == "a boat"
    assert not engine.ledger.database.shared


@pytest.mark.parametrize(("text", "code", "name"), [one[:3] for one in WRONG])
def test_the_doctor_names_a_wrong_file_and_goes_on(start: Start, text: str, code: str, name: str) -> None:
    """What needs the settings points there; everything else is looked at."""
    engine = start(text)
    found = failed(engine)
    assert re.search(WORDING[code], found["settings"])
    assert f"{engine.settings.file}{f': {name}' if name else ''} " in found["settings"]
    assert found["budget"] == "not looked at: see settings"
    assert {found.get(name) for name in ("ledger", "farm")} <= {"not looked at: see settings", None}
    now = levels(engine)
    assert {now[name] for name in ("python", "opencv", "pyav", "state", "output", "sandbox")} == {"ok"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SORA_BUDGET_USD_PER_DAY", "twenty"),
        ("SORA_BUDGET_USD_PER_JOB", "-1"),
        ("SORA_POLL_SECONDS", "soon"),
        ("SORA_HTTP_TIMEOUT_SECONDS", "0"),
        ("SORA_BACKGROUND_DOWNLOADS", "flase"),
        ("SORA_RECEIPTS", "2"),
    ],
)
def test_the_doctor_names_a_wrong_variable(start: Start, name: str, value: str) -> None:
    """By its name and value, whoever would read it first; the ledger needs none of them."""
    engine = start(**{name: value})
    assert f"{name} is {value!r}" in failed(engine)["settings"]
    assert levels(engine)["ledger"] == "ok"


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://u:secret-word@host:54x2/db", "postgresql+psycopg://u:secret-word@[::1/db", "mysql://x"],
)
def test_a_wrong_address_of_the_ledger_is_told(start: Start, url: str) -> None:
    """By the doctor and by the one who uses it, without the password that stands in it."""
    engine = start(SORA_DATABASE_URL=url)
    assert "SORA_DATABASE_URL" in failed(engine)["ledger"]
    with failing(InvalidInputError, "invalid_setting", "SORA_DATABASE_URL") as caught:
        engine.ledger.jobs()
    assert "secret-word" not in str(caught.value) + str(failed(engine))


def test_a_number_beyond_all_numbers_is_no_amount(tmp_path: Path) -> None:
    """Nor is it a crash."""
    (tmp_path / "settings.toml").write_text(f"[budget]\nusd_per_day = 1{'0' * 400}", encoding="utf-8")
    with failing(InvalidInputError, "invalid_setting", "settings.toml: budget.usd_per_day"):
        _ = Settings(home=tmp_path, output=tmp_path, env={}).read().budget


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    """Its editors put a mark in front, which is no part of the text."""
    (tmp_path / "settings.toml").write_text("rescue = false", encoding="utf-8-sig")
    assert Settings(home=tmp_path, output=tmp_path, env={}).read().background_downloads is False


@pytest.mark.parametrize(
    ("word", "meant"), [("0", False), ("OFF", False), (" no ", False), ("1", True), ("True", True)]
)
def test_a_switch_has_its_words(tmp_path: Path, word: str, meant: bool) -> None:
    """Variables win over the file."""
    (tmp_path / "settings.toml").write_text(f"rescue = {str(not meant).lower()}", encoding="utf-8")
    settings = Settings(home=tmp_path, output=tmp_path, env={"SORA_BACKGROUND_DOWNLOADS": word})
    assert settings.read().background_downloads is meant


# -- one check and the others -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(start: Start, tmp_path: Path) -> None:
    """Free room alone is no good; nothing is left of the trial."""
    engine = start()
    (tmp_path / "output").mkdir(mode=0o500)
    assert "cannot be written" in failed(engine)["output"]


@pytest.mark.parametrize("in_the_way", ["a link to an unmounted drive", "a file"])
def test_what_is_in_the_way_of_the_videos_is_found_before_buying(start: Start, tmp_path: Path, in_the_way: str) -> None:
    """Videos go into a folder of the output folder: that one is tried, by the doctor and before a purchase."""
    engine = start()
    (tmp_path / "output").mkdir()
    videos = tmp_path / "output" / "sora"
    if in_the_way == "a file":
        videos.write_text("", encoding="utf-8")
    else:
        make_link(videos, tmp_path / "unmounted")
    assert str(videos) in failed(engine)["output"]
    asked = VideoRequest(provider="sandbox", prompt="a boat", model="seedance-2-5", seconds="4", size="854x480")
    with failing(StorageError, "", f"could be stored in {videos}") as caught:
        engine.start_create(asked).result(30)
    assert "is not connected" in caught.value.hint
    assert engine.ledger.jobs() == []


def test_the_free_space_is_that_of_the_folder_of_the_videos(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another disk than that of the output folder."""
    engine = start()
    full = tmp_path / "output" / "sora"
    full.mkdir(parents=True)
    real = shutil.disk_usage

    def usage(place: Path) -> object:
        return SimpleNamespace(free=1 << 20) if Path(place) == full else real(place)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert levels(engine)["output"] == "warning"
    with failing(StorageError, "disk_full", "MiB left"):
        check_room(engine.settings.videos)


def test_a_folder_is_tried_by_writing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the trial says is told, with its cure; where it goes well, nothing is left of it."""
    engine = start()
    before = sorted(engine.settings.home.iterdir())
    assert "can be written" in {one.name: one.text for one in examine(engine)}["state"]
    assert sorted(engine.settings.home.iterdir()) == before

    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", read_only)
    found = failed(engine)
    assert "Read-only file system. The disk is read-only" in found["state"]
    assert "output" in found


def test_what_a_disk_lacks_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its way round, so nothing is wrong; who wonders about copies learns why they are made."""
    engine = start()

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    found = {one.name: one for one in examine(engine)}
    assert (found["output"].level, "hard links" in found["output"].text) == ("ok", True)


def test_a_ledger_on_a_network_drive_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's locks do not hold there; a ledger on PostgreSQL is not on that drive."""
    engine = start()
    monkeypatch.setattr(
        "sora_jobs.diagnostics.doctor.network_of", lambda folder: "nfs4" if folder == engine.settings.home else ""
    )
    engine.ledger.jobs()
    found = [one for one in examine(engine) if one.name == "ledger"]
    assert [one.level for one in found] == ["warning", "ok"]
    assert all(word in found[0].text for word in ("nfs4", "SORA_HOME", "SORA_DATABASE_URL"))


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/fast ext4 rw 0 0
//nas/films /mnt/my\\040films cifs rw 0 0
sshfs#x /mnt/ssh fuse.sshfs rw 0 0
/dev/sdc1 /mnt/fuse fuseblk rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/x", ""), ("/home/me/comfy", "nfs4"), ("/home/me/fast/comfy", ""), ("/mnt/my films/out", "cifs"),
        ("/mnt/ssh/x", "fuse.sshfs"), ("/mnt/fuse/x", ""),
    ],
)  # fmt: skip
@pytest.mark.skipif(os.name != "posix", reason="Windows has drives")
def test_network_drives_are_known_by_their_mounts(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert disk.network_of(Path(folder), mounts) == kind
    assert disk.network_of(Path(folder), tmp_path / "none") == ""


def test_the_database_has_a_connection_for_each_thread() -> None:
    """One that waits for another's connection could wait for the one who waits for it."""
    threads = buying.ALL_SUBMIT_THREADS + asking.ALL_THREADS + POLL_THREADS + FETCH_THREADS + 1
    heartbeat, nodes, page = 1, 4, 32  # asyncio's own threads for the page are 32 at most
    assert threads + heartbeat + nodes + page <= CONNECTIONS


@pytest.mark.parametrize("error", [LedgerError("It is away.", hint="Look."), OSError("It is away. Look.")])
def test_a_check_that_breaks_leaves_the_others(start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It is one failed line, what it found before stays, and the same trouble is not told twice."""

    def breaks(*_: object) -> Iterator[Finding]:
        yield Finding("before", "ok", "still here")
        raise error

    names = list(levels(start()))
    for check in ("_ledger", "_budget"):
        monkeypatch.setattr(doctor, check, breaks)
    found = {finding.name: finding for finding in examine(start())}
    assert set(found) == {*names, "before"}
    assert (found["ledger"].level, found["ledger"].text) == ("failed", "It is away. Look.")
    assert (found["budget"].level, found["budget"].text) == ("failed", "not looked at: see ledger")
    assert found["sandbox"].level == "ok"


def test_a_bug_in_one_check_leaves_the_others(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is."""

    def breaks(*_: object) -> Iterator[Finding]:
        yield Finding("before", "ok", "still here")
        raise KeyError("x")

    monkeypatch.setattr(doctor, "_budget", breaks)
    found = {finding.name: finding for finding in examine(start())}
    assert (found["budget"].level, "KeyError('x')" in found["budget"].text) == ("failed", True)
    assert {"before", "models", "sandbox"} <= set(found)


# -- the output folder and the machines that share it -----------------------------------------------------------------


@pytest.fixture
def in_comfyui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ComfyUI's folder with the pack in it; the shell is somewhere else."""
    comfyui = tmp_path / "ComfyUI"
    (comfyui / "comfy").mkdir(parents=True)
    monkeypatch.setattr(
        "sora_jobs.config.locations.__file__", str(comfyui / "custom_nodes/pack/nodes/sora_jobs/config/locations.py")
    )
    (tmp_path / "shell").mkdir()
    monkeypatch.chdir(tmp_path / "shell")
    return comfyui


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The folder that `sora doctor` looked at."""
    assert main(["doctor", "--json", *arguments]) == 0
    findings = {row["name"]: row["text"] for row in json.loads(capsys.readouterr().out)["findings"]}
    return findings["output"].split(",")[0]


def test_the_doctor_looks_where_comfyui_puts_its_files(
    in_comfyui: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the ComfyUI that holds the pack, else in out/; --out says otherwise. It makes none of them."""
    assert output_of(capsys) == str(in_comfyui / "output" / "sora")
    assert output_of(capsys, "--out", str(tmp_path / "else")) == str(tmp_path / "else")
    monkeypatch.setattr(
        "sora_jobs.config.locations.__file__", str(tmp_path / "src/nodes/sora_jobs/config/locations.py")
    )
    assert output_of(capsys, "--home", str(tmp_path / "home")) == str(tmp_path / "shell" / "out")
    assert list((tmp_path / "shell").iterdir()) == []


def test_machines_of_one_name_see_each_other(postgresql: Server, start: Start, tmp_path: Path) -> None:
    """Containers and clones often have the same name: each is one machine still, and is shown by its name."""
    url, host = postgresql.database(), socket.gethostname()
    one, two = (start(home=tmp_path / name, SORA_DATABASE_URL=url).ledger.database for name in ("one", "two"))
    output = tmp_path / "output"
    assert meet(one, output) == ([], [])
    assert meet(two, output) == ([host], [])
    assert meet(one, output) == ([host], [])
    assert len(list((output / ".sora-farm").iterdir())) == 2
    assert meet(two, tmp_path / "another") == ([], [host])


def test_machines_of_one_state_folder_see_each_other(
    postgresql: Server, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A farm may share that, too; its machines differ by their names, however long these are."""
    database = start(SORA_DATABASE_URL=postgresql.database()).ledger.database
    for name in ("a", "b" * 253):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        seen, missing = meet(database, tmp_path / "output")
    assert (seen, missing) == (["a"], [])
    assert meet(database, tmp_path / "output") == (["a"], [])


def test_an_old_file_that_is_held_open_fails_no_meeting(
    postgresql: Server, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a file that a scanner has open cannot be removed: it does no harm."""
    database, output = start(SORA_DATABASE_URL=postgresql.database()).ledger.database, tmp_path / "output"
    meet(database, output)

    def held(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    monkeypatch.setattr(Path, "unlink", held)
    assert meet(database, output) == ([], [])


def test_the_doctor_tells_of_a_machine_with_another_folder(postgresql: Server, start: Start, tmp_path: Path) -> None:
    """By the name that a person knows, and with what cures it."""
    url = postgresql.database()
    meet(start(home=tmp_path / "one", SORA_DATABASE_URL=url).ledger.database, tmp_path / "their own")
    text = failed(start(home=tmp_path / "two", SORA_DATABASE_URL=url))["farm"]
    assert text.startswith(f"The files of {socket.gethostname()} are not in {tmp_path / 'output'}:")
    assert "--out DIR" in text


def test_a_machine_keeps_its_name(tmp_path: Path) -> None:
    """In its state folder, made with it; a file that a power cut left empty is written anew."""
    first = machine_id(tmp_path / "home")
    assert machine_id(tmp_path / "home") == first
    assert machine_id(tmp_path / "other") != first
    (tmp_path / "home" / "machine").write_text("", encoding="utf-8")
    second = machine_id(tmp_path / "home")
    assert second not in ("", first)
    assert machine_id(tmp_path / "home") == second
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["machine"]


def test_a_meeting_that_fails_leaves_no_file(start: Start, tmp_path: Path) -> None:
    """Nobody would ever take it away."""
    database = start("rescue = flase").ledger.database
    with pytest.raises(InvalidInputError):
        meet(database, tmp_path / "output")
    assert list((tmp_path / "output" / ".sora-farm").iterdir()) == []
