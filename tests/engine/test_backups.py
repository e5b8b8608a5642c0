"""`sora backup`, `restore` and `import`: the ledger is copied while it is used, and comes back whole."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.cli.main import main
from sora_jobs.config import locations
from sora_jobs.config.budget import Budget
from sora_jobs.delivery.receipts import receipt_of
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, NotPurchasedError, PurchaseUncertainError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.backups import backup
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.merge import held_elsewhere, import_home
from sora_jobs.ledger.restore import restore
from sora_jobs.ledger.rows import run
from sora_jobs.media.reference import to_png

from ..failures import failed_as, failing
from ..frozen.gateway import Gateway
from ..frozen.state import STATES, State, spec

PLAIN = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
IMAGE = np.full((720, 1280, 3), 90, np.uint8)
REFERENCE = "a" * 64 + ".png"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    opened = Ledger(home)
    yield opened
    opened.close()


def reserve(ledger: Ledger, spec: VideoRequest = PLAIN, **more: Any) -> Job:
    return ledger.reserve(spec, origin="https://x", estimated_usd=0.3, budget=Budget(usd_per_day=1e6), **more)[0]


def with_image(ledger: Ledger) -> Job:
    """A job with a reference that is kept beside the ledger."""
    folder = ledger.database.home / "references"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REFERENCE).write_bytes(to_png(IMAGE))
    return reserve(ledger, dataclasses.replace(PLAIN, references=(Reference(IMAGE, "crop"),)), references=[REFERENCE])


def bought(ledger: Ledger, prompt: str = "a boat", video: str = "video_1") -> Job:
    job = reserve(ledger, dataclasses.replace(PLAIN, prompt=prompt, typed=""))
    ledger.sending(job.id)
    return ledger.submitted(job.id, RemoteVideo(id=video, phase="running", status="queued"))


def rows(home: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(home / "ledger.sqlite3")
    try:
        return sorted(connection.execute("SELECT id, slot, state, video_id FROM jobs"))
    finally:
        connection.close()


def sora(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    """(exit status, JSON, stderr)"""
    status = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


def test_a_backup_holds_what_is_needed_and_no_key(ledger: Ledger, home: Path, tmp_path: Path) -> None:
    with_image(ledger)
    (home / "keys").mkdir()
    (home / "keys" / "cometapi").write_text("sk-secret", encoding="utf-8")
    (home / "settings.toml").write_text("language = 'en'\n", encoding="utf-8")
    kept = backup(home, tmp_path / "to" / "ledger.zip")
    assert (kept.jobs, kept.references) == (1, 1)
    with zipfile.ZipFile(tmp_path / "to" / "ledger.zip") as archive:
        assert set(archive.namelist()) == {"ledger.sqlite3", f"references/{REFERENCE}", "settings.toml"}
    assert list((tmp_path / "to").iterdir()) == [tmp_path / "to" / "ledger.zip"]


def test_a_backup_is_one_moment_of_a_ledger_in_use(ledger: Ledger, home: Path, tmp_path: Path) -> None:
    """While it is being written to, every copy is whole, and none has fewer jobs than the one before."""
    reserve(ledger)
    ended = threading.Event()

    def buy_on() -> None:
        take = 1
        while not ended.is_set():
            take += 1
            reserve(ledger, dataclasses.replace(PLAIN, take=take))

    thread = threading.Thread(target=buy_on)
    thread.start()
    try:
        counts = [backup(home, tmp_path / "ledger.zip").jobs for _ in range(5)]
    finally:
        ended.set()
        thread.join()
    assert counts == sorted(counts)
    restored = restore(tmp_path / "new", tmp_path / "ledger.zip")
    assert restored.jobs == counts[-1] == len(rows(tmp_path / "new"))


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line; the same purchase is then known, and images that came later stay."""
    with Ledger_at(home) as ledger:
        image = with_image(ledger)
        (home / "settings.toml").write_text("language = 'en'\n", encoding="utf-8")
        status, told, said = sora(["backup", str(tmp_path / "l.zip"), "--home", str(home)], capsys)
        assert (status, told["jobs"], told["references"]) == (0, 1, 1)
        assert f"ledger: {home / 'ledger.sqlite3'}" in said
        later = bought(ledger, "later")
    (home / "settings.toml").write_text("language = 'vi'\n", encoding="utf-8")
    (home / "references" / REFERENCE).unlink()
    (home / "references" / ("b" * 64 + ".png")).write_bytes(b"later")
    status, told, said = sora(["restore", str(tmp_path / "l.zip"), "--home", str(home)], capsys)
    assert (status, told["jobs"], told["references"]) == (0, 1, 1)
    assert f"What was there before is in {told['aside']}" in said
    assert (told["later"], "1 job bought since the backup" in said) == (1, True)
    assert {row[0] for row in rows(home)} == {image.id, later.id}
    assert {row[0] for row in rows(Path(told["aside"]))} == {image.id, later.id}
    assert (home / "settings.toml").read_text(encoding="utf-8") == "language = 'en'\n"
    assert (Path(told["aside"]) / "settings.toml").read_text(encoding="utf-8") == "language = 'vi'\n"
    assert {path.name for path in (home / "references").iterdir()} == {REFERENCE, "b" * 64 + ".png"}
    with Ledger_at(home) as ledger:
        assert (
            ledger.queries.active_purchase(dataclasses.replace(PLAIN, references=(Reference(IMAGE, "pad"),))) == image
        )


def test_nothing_is_restored_or_imported_while_it_is_in_use(
    ledger: Ledger, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ComfyUI runs: the command says so, and changes nothing."""
    reserve(ledger)
    backup(home, tmp_path / "l.zip")
    bought(ledger, "later")
    before = rows(home)
    for arguments in (["restore", str(tmp_path / "l.zip")], ["restore", "--rebuild"]):
        status, told, _ = sora([*arguments, "--home", str(home)], capsys)
        assert status == 2
        failed_as(told, "home_in_use", home)
    with Ledger_at(tmp_path / "other") as other:
        reserve(other, dataclasses.replace(PLAIN, take=9))
    for old, into in ((tmp_path / "other", home), (home, tmp_path / "other")):
        status, told, _ = sora(["import", str(old), "--home", str(into)], capsys)
        assert status == 2
        failed_as(told, "home_in_use", home)
    assert rows(home) == before
    assert len(rows(tmp_path / "other")) == 1


@pytest.mark.parametrize("background", ["1", "0"])
@pytest.mark.parametrize("made", ["before ComfyUI starts", "while ComfyUI runs"])
def test_a_comfyui_that_does_nothing_uses_its_ledger(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], made: str, background: str
) -> None:
    """Its page may have been opened, or nothing at all was done since its start: what it buys next must not be lost."""

    def make() -> None:
        with Ledger_at(home) as ledger:
            bought(ledger)
            backup(home, tmp_path / "l.zip")

    engine = Engine(
        home,
        tmp_path / "output",
        env={"SORA_BACKGROUND_DOWNLOADS": background, "COMETAPI_BASE_URL": "http://127.0.0.1:9"},
    )
    try:
        if made == "before ComfyUI starts":
            make()
        engine.background.begin()
        if made == "while ComfyUI runs":
            assert not home.exists()
            make()
            engine.history.page()
        with Ledger_at(tmp_path / "other") as other:
            bought(other)
        before = rows(home)
        for command in (
            ["restore", str(tmp_path / "l.zip")],
            ["restore", "--rebuild"],
            ["import", str(tmp_path / "other")],
        ):
            status, told, _ = sora([*command, "--home", str(home)], capsys)
            assert status == 2
            failed_as(told, "home_in_use", home)
        assert rows(home) == before
    finally:
        engine.close()
    assert sora(["restore", str(tmp_path / "l.zip"), "--home", str(home)], capsys)[0] == 0


def no_zip(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04 no")


def no_ledger(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("settings.toml", "")


def outside(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("references/../../evil.png", b"x")


def foreign(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("keys/cometapi", b"x")


def text(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("ledger.sqlite3", b"no ledger at all" * 100)


def other_database(file: Path) -> None:
    sqlite3.connect(file.with_suffix(".db")).execute("CREATE TABLE t (x)").connection.close()
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(file.with_suffix(".db"), "ledger.sqlite3")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


@pytest.mark.parametrize("spoil", [no_zip, no_ledger, outside, foreign, text, other_database, cut])
def test_what_is_no_backup_changes_nothing(spoil: Callable[[Path], None], home: Path, tmp_path: Path) -> None:
    file = tmp_path / "l.zip"
    with Ledger_at(home) as ledger:
        with_image(ledger)
        backup(home, file)
        bought(ledger)
    spoil(file)
    before = rows(home), sorted(home.rglob("*"))
    with failing(InvalidInputError, "not_a_backup", file):
        restore(home, file)
    assert (rows(home), sorted(home.rglob("*"))) == before
    assert not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize("name", ["ledger.sqlite3", "ledger.sqlite3-wal", "settings.toml", "notes.txt", "other.zip"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_backup_replaces_nothing_but_a_backup(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, exists: bool
) -> None:
    """Least of all the ledger itself, also by another way to its name."""
    with Ledger_at(home) as ledger:
        bought(ledger)
    file = home / name
    if exists and name == "other.zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("holiday.txt", "x")
    elif exists and name != "ledger.sqlite3":
        file.write_bytes(b"")
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    status, told, _ = sora(["backup", str(home / ".." / "home" / name), "--home", str(home)], capsys)
    if exists or name not in ("notes.txt", "other.zip"):
        assert (status, name in told["error"], "ledger.zip" in told["hint"]) == (2, True, True)
        assert {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()} == before
    else:
        assert status == 0
        assert sora(["backup", str(file), "--home", str(home)], capsys)[0] == 0  # an older backup
    assert len(rows(home)) == 1


def test_a_backup_of_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told, _ = sora(["backup", str(tmp_path / "l.zip"), "--home", str(tmp_path / "none")], capsys)
    assert status == 2
    failed_as(told, "no_ledger", tmp_path / "none")
    assert not (tmp_path / "l.zip").exists()


@pytest.mark.parametrize("more", [["x.zip", "--rebuild"], []])
def test_restore_wants_one_of_both(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert sora(["restore", *more], capsys)[0] == 2


@pytest.mark.parametrize("readable", [True, False])
def test_what_was_bought_since_the_backup_is_not_bought_again(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], readable: bool
) -> None:
    """New jobs, and the answer to one that was on its way when the backup was made; as far as the ledger is readable.
    What is in both comes from the backup."""
    asked = [dataclasses.replace(PLAIN, take=take) for take in (1, 2, 3)]
    with Ledger_at(home) as ledger:
        first, under_way = bought(ledger), reserve(ledger, asked[1])
        backup(home, tmp_path / "l.zip")
        ledger.sending(under_way.id)
        ledger.submitted(under_way.id, RemoteVideo(id="video_2", phase="running", status="queued"))
        ledger.stored(first.id, path="sora/a.mp4", root=str(tmp_path), sha256="0" * 64, size=1)
        later = reserve(ledger, asked[2])
        ledger.sending(later.id)
        ledger.submitted(later.id, RemoteVideo(id="video_3", phase="running", status="queued"))
    file = home / "ledger.sqlite3"
    if not readable:  # an index, say: its rows are all there
        with contextlib.closing(sqlite3.connect(file)) as connection:
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'jobs_created_at'"
            number = connection.execute(query).fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = bytearray(file.read_bytes())
        pages[(number - 1) * size : number * size] = b"\xff" * size
        file.write_bytes(pages)
    status, told, said = sora(["restore", str(tmp_path / "l.zip"), "--home", str(home)], capsys)
    assert (status, told["jobs"], told["later"]) == (0, 2, 2)
    assert ("could not be read completely" in said) is not readable
    with Ledger_at(home) as ledger:
        found = [ledger.reserve(one, origin="x", estimated_usd=0.3, budget=Budget(), sending=()) for one in asked]
        assert [(job.id, mine) for job, mine in found] == [(one.id, False) for one in (first, under_way, later)]
        assert [job.state for job, _ in found] == [JobState.SUBMITTED] * 3


def test_a_damaged_ledger_is_replaced_by_its_backup(home: Path, tmp_path: Path) -> None:
    with Ledger_at(home) as ledger:
        job = bought(ledger)
        backup(home, tmp_path / "l.zip")
    (home / "ledger.sqlite3").write_bytes(b"\0" * 9000)
    aside = restore(home, tmp_path / "l.zip").aside
    assert aside is not None
    assert (aside / "ledger.sqlite3").read_bytes() == b"\0" * 9000
    assert [row[0] for row in rows(home)] == [job.id]


def test_what_another_ledger_bought_is_known_after_an_import(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its image, from every state; the other folder stays as it is, and a second import adds nothing."""
    with Ledger_at(tmp_path / "old") as old:
        jobs = [with_image(old), bought(old, "a", "video_a"), reserve(old, dataclasses.replace(PLAIN, take=5))]
        opened = old.adopt("cometapi", "https://x", "video_o")
    before = rows(tmp_path / "old")
    status, told, said = sora(["import", str(tmp_path / "old"), "--home", str(home)], capsys)
    assert (status, told["added"], told["known"]) == (0, 4, 0)
    assert f"ledger: {home / 'ledger.sqlite3'}" in said
    assert sora(["import", str(tmp_path / "old"), "--home", str(home)], capsys)[1]["added"] == 0
    assert rows(tmp_path / "old") == before == rows(home)
    assert (home / "references" / REFERENCE).read_bytes() == (tmp_path / "old" / "references" / REFERENCE).read_bytes()
    with Ledger_at(home) as ledger:
        assert reserve(ledger, dataclasses.replace(PLAIN, prompt="a ", typed="")).id == jobs[1].id
        assert reserve(ledger, dataclasses.replace(PLAIN, references=(Reference(IMAGE, "pad"),))).id == jobs[0].id
        assert ledger.queries.by_gateway_id("cometapi", "https://x", "video_o") == ledger.job(opened.id)


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_row_that_is_furthest_stands_for_the_purchase(home: Path, tmp_path: Path, ours_first: bool) -> None:
    """Bought twice, in two ledgers: the video that is there is used, and both rows are kept."""
    paths = {True: home, False: tmp_path / "old"}
    with Ledger_at(paths[ours_first]) as ledger:
        best = bought(ledger)
        ledger.stored(best.id, path="sora/a.mp4", root=str(tmp_path), sha256="0" * 64, size=1)
    with Ledger_at(paths[not ours_first]) as ledger:
        worse = bought(ledger, "a boat\n", "video_2")
    with Ledger_at(home) as ledger:
        assert import_home(tmp_path / "old", ledger).added == 1
        assert reserve(ledger).id == best.id
        assert {job.id for job in ledger.jobs()} == {best.id, worse.id}


@pytest.mark.parametrize("theirs", ["crop", "pad"])
def test_a_picture_that_was_bought_with_two_fits_is_brought_in(theirs: str, home: Path, tmp_path: Path) -> None:
    """Older code bought it once for each fit, and both rows stand for what is one purchase today. That of the other
    ledger is further, and stands for it now, with either fit."""
    fitted = {fit: dataclasses.replace(PLAIN, references=(Reference(IMAGE, fit),)) for fit in ("crop", "pad")}
    with Ledger_at(home) as ledger:
        crop = with_image(ledger)
        with ledger.database.write() as connection:
            row = dict(run(connection, "SELECT * FROM jobs").mappings().one())
            row |= {"id": "older", "identity": fitted["pad"].identity.v1, "slot": fitted["pad"].identity.v1}
            row |= {"identity2": "", "slot2": None, "fit": ""}
            run(
                connection,
                f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})",
                **row,
            )
        assert ledger.queries.active_purchase(fitted["pad"]) is not None
    with Ledger_at(tmp_path / "old") as old:
        with_image(old)
        with old.database.write() as connection:  # as if the fit had been this one
            names = {"id": old.jobs()[0].id, "v1": fitted[theirs].identity.v1, "fit": theirs}
            run(connection, "UPDATE jobs SET slot = :v1, identity = :v1, fit = :fit WHERE id = :id", **names)
        job = old.jobs()[0]
        old.sending(job.id)
        old.submitted(job.id, RemoteVideo(id="video_1", phase="running", status="queued"))
    with Ledger_at(home) as ledger:
        assert import_home(tmp_path / "old", ledger).added == 1
        assert {one.id for one in ledger.jobs()} == {crop.id, "older", job.id}
        assert {ledger.queries.active_purchase(spec).id for spec in fitted.values()} == {job.id}  # type: ignore[union-attr]
        assert {reserve(ledger, spec, references=[REFERENCE]).id for spec in fitted.values()} == {job.id}


def test_a_purchase_counts_for_more_than_that_it_was_opened(home: Path, tmp_path: Path) -> None:
    """A job that was opened here by its id, and had been bought in the other ledger, is one job."""
    with Ledger_at(tmp_path / "old") as old:
        job = bought(old)
        twice = bought(old, "two", "video_2")
    with Ledger_at(home) as ledger:
        ledger.adopt("cometapi", "https://x", "video_1")
        mine = bought(ledger, "another", "video_2")
    with Ledger_at(home) as ledger:
        done = import_home(tmp_path / "old", ledger)
        assert (done.added, done.known) == (1, 1)
        assert {one.id for one in ledger.jobs()} == {job.id, mine.id}
        assert twice.id != mine.id


@pytest.mark.parametrize(("ours_is_stored", "path"), [(True, "sora/ours.mp4"), (False, "sora/theirs.mp4")])
def test_the_file_of_a_job_that_was_opened_is_known_to_its_purchase(
    ours_is_stored: bool, path: str, home: Path, tmp_path: Path
) -> None:
    """Of one video, the ledger that opened it has the file, or the one that bought it: an import keeps it."""
    kept: dict[str, Any] = {"root": str(tmp_path), "sha256": "0" * 64, "size": 1}
    with Ledger_at(tmp_path / "old") as old:
        job = bought(old)
        if not ours_is_stored:
            old.stored(job.id, path="sora/theirs.mp4", **kept)
    with Ledger_at(home) as ledger:
        opened = ledger.adopt("cometapi", "https://x", "video_1")
        if ours_is_stored:
            ledger.stored(opened.id, path="sora/ours.mp4", **kept)
    with Ledger_at(home) as ledger:
        assert import_home(tmp_path / "old", ledger).added == 1
        [only] = ledger.jobs()
        assert (only.id, only.kind, only.state, only.path) == (job.id, "create", JobState.STORED, path)
        assert (only.root, only.sha256, only.bytes) == (str(tmp_path), "0" * 64, 1)
        assert (only.prompt, reserve(ledger).id) == ("a boat", job.id)


def test_an_import_of_nothing_or_of_itself_is_refused(home: Path, ledger: Ledger, tmp_path: Path) -> None:
    reserve(ledger)
    with failing(InvalidInputError, "no_ledger", tmp_path):
        import_home(tmp_path, ledger)
    with failing(InvalidInputError, "same_ledger", home):
        import_home(home, ledger)


@pytest.mark.parametrize("name", STATES)
def test_yesterdays_state_is_brought_in(name: str, tmp_path: Path, home: Path, database_url: str) -> None:
    """A ledger of an older schema, from another ComfyUI, also into one on PostgreSQL: nothing of it is bought again,
    and every stored file is found where it is."""
    with Gateway() as gateway:
        state = State(name, tmp_path, gateway.url)
        shutil.copytree(state.home, home, ignore=shutil.ignore_patterns("ledger*", "references", "sandbox", "owners"))
        env = state.env | ({"SORA_DATABASE_URL": database_url} if database_url else {})
        engine = Engine(home, tmp_path / "output", env=env)
        try:
            done = import_home(state.home, engine.ledger)
            assert done.added == len(rows(state.home)) >= len(state.asked)
            for row in state.rows("stored"):
                if row.get("file") is None:
                    submission = engine.start_create(spec(row)).result(30)
                    assert (submission.job.id, submission.reused) == (row["job"], True), row
                    job = engine.start_wait(row["job"], timeout=30).future.result(60)
                    assert engine.path(job).is_relative_to(tmp_path / "output")
            assert gateway.creates == []
        finally:
            engine.close()


def test_a_damaged_ledger_is_rebuilt_from_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the rows that can be read, the receipts beside the videos, and the list of a provider that has one; what is
    found is not bought again."""
    with Gateway() as gateway:
        state = State(STATES[0], tmp_path, gateway.url)
        for name, value in state.env.items():
            monkeypatch.setenv(name, value)
        ledger = state.home / "ledger.sqlite3"
        ledger.write_bytes(b"SQLite format 3\0" + b"\0" * 5000)
        arguments = ["restore", "--rebuild", "--home", str(state.home), "--out", str(state.output)]
        status, told, said = sora(arguments, capsys)
        assert (status, told["read"]) == (0, 0)
        here = [row for row in state.rows("stored") if (state.output / row["path"]).with_suffix(".json").is_file()]
        here = [row for row in here if row.get("file") is None and not row.get("does")]
        assert told["receipts"] >= len(here) > 3
        assert Path(told["aside"], "ledger.sqlite3").read_bytes() == b"SQLite format 3\0" + b"\0" * 5000
        assert "do not say how the image was fitted" in said
        engine = Engine(state.home, state.output, env=state.env)
        try:
            for row in here:
                if row.get("fit", "crop") == "crop":
                    submission = engine.start_create(spec(row)).result(30)
                    assert (submission.job.video_id, submission.reused) == (row["video_id"], True), row
                    assert engine.start_wait(submission.job.id, timeout=30).future.result(60).state is JobState.STORED
            assert gateway.creates == []
        finally:
            engine.close()
        assert sora(arguments, capsys)[1] | {"aside": ""} == {
            "read": 0, "receipts": 0, "listed": 0, "listed_jobs": [], "guessed": 0, "aside": "",
        }  # fmt: skip


def test_the_readable_part_of_a_damaged_ledger_is_kept(home: Path, tmp_path: Path) -> None:
    """One page in the middle is damaged: rows before and behind it are read."""
    from sora_jobs.config.settings import Settings
    from sora_jobs.delivery.rebuild import rebuild
    from sora_jobs.gateway.clients import ClientPool
    from sora_jobs.sandbox.local import LocalSandbox

    with Ledger_at(home) as ledger:
        jobs = [bought(ledger, f"{number} " + "long " * 200, f"video_{number}") for number in range(60)]
    file = home / "ledger.sqlite3"
    pages = file.read_bytes()
    place = pages.index(jobs[30].prompt[:50].encode()) // 4096 * 4096
    file.write_bytes(pages[:place] + b"\xff" * 4096 + pages[place + 4096 :])
    settings = Settings(home=home, output=tmp_path / "output", env={})
    clients = ClientPool(settings, LocalSandbox(home / "sandbox", {})).now()
    with Ledger_at(home) as ledger:
        done = rebuild(ledger, clients, tmp_path / "output")
        assert 40 < done.read < 60
        assert done.aside is not None
        known = {job.id for job in ledger.jobs(limit=100)}
        assert len(known) == done.read
        assert {jobs[0].id, jobs[59].id} < known < {job.id for job in jobs}
        assert reserve(ledger, dataclasses.replace(PLAIN, prompt=jobs[59].prompt, typed="")).id == jobs[59].id


def test_jobs_that_only_a_list_tells_of_are_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They stand for no purchase: a person is told, before the same is bought again."""
    home.mkdir()
    (home / "providers.toml").write_text(
        '[provider.house]\nbase_url = "http://127.0.0.1:9"\nkey = false\nlist = true\n', encoding="utf-8"
    )

    def list_videos(client: Client) -> list[RemoteVideo]:
        told = RemoteVideo(id="video_1", phase="running", status="queued", prompt="a boat")
        return [told] if client.provider.name == "house" else []

    monkeypatch.setattr(Client, "list_videos", list_videos)
    command = ["restore", "--rebuild", "--home", str(home), "--out", str(tmp_path / "output")]
    status, told, said = sora(command, capsys)
    with Ledger_at(home) as ledger:
        job = ledger.jobs()[0]
    assert (status, told["listed"], told["listed_jobs"]) == (0, 1, [job.id])
    assert f"warning: 1 job from providers' lists ({job.id})" in said
    assert "buys it again" in said
    _, told, said = sora(command, capsys)
    assert (told["listed"], "warning" in said) == (0, False)


def test_a_receipt_of_today_needs_no_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells the identity, whatever was sent as reference."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    cv = pytest.importorskip("PIL.Image")
    cv.fromarray(IMAGE[:300, :400]).save(tmp_path / "small.png")
    run = ["run", "a boat", "--provider", "sandbox", "--model", "seedance-2-5", "--seconds", "4", "--size", "854x480"]
    run += ["--reference", "small.png", "--fit", "pad", "--home", "home"]
    job = sora(run, capsys)[1]
    receipt = json.loads(receipt_of(Path(job["path"])).read_text(encoding="utf-8"))
    assert receipt["fit"] == "pad"
    for file in (tmp_path / "home").glob("ledger*"):
        file.unlink()
    shutil.rmtree(tmp_path / "home" / "references")
    told = sora(["restore", "--rebuild", "--home", "home"], capsys)[1]
    assert (told["receipts"], told["guessed"]) == (1, 0)
    again = sora(run, capsys)[1]
    assert (again["job"], again["reused"]) == (job["job"], True)


def test_what_another_ledger_of_this_user_holds_is_not_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run` and `remix` name it, with the ways out; a new take is bought. What failed there, or is free, is no bar."""
    theirs = ledger_of_comfyui(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    with Gateway() as gateway, Ledger_at(theirs) as ledger:
        monkeypatch.setenv("COMETAPI_KEY", "some-key-123456")
        monkeypatch.setenv("COMETAPI_BASE_URL", gateway.url)
        job = bought(ledger)
        run = ["run", "a boat ", "--seconds", "4", "--size", "1280x720", "--home", "home"]
        status, told, _ = sora(run, capsys)
        assert (status, told["charge"], gateway.creates) == (3, "none", [])
        assert f"job {job.id} (submitted) of another ledger, in {theirs}" in told["error"]
        assert f'--home "{theirs}"' in told["hint"]
        assert "--take" in told["hint"]
        assert sora([*run, "--take", "2", "--timeout", "0.001"], capsys)[1].get("charge") != "none"
        assert gateway.creates == ["a boat"]


def ledger_of_comfyui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of another ComfyUI, which the command line knows by its record."""
    theirs = tmp_path / "ComfyUI" / "user" / "__sora"
    with monkeypatch.context() as patch:
        patch.setattr(locations, "packs", lambda: [tmp_path / "ComfyUI" / "custom_nodes" / "sora-jobs"])
        locations.record_location(theirs, theirs, theirs)
    return theirs


def running(ledger: Ledger) -> None:
    reserve(ledger)


def ended_unsent(ledger: Ledger) -> None:
    reserve(ledger)
    ledger.close()


def ended_sent(ledger: Ledger) -> None:
    ledger.sending(reserve(ledger).id)
    ledger.close()


def unknown(ledger: Ledger) -> None:
    job = reserve(ledger).id
    ledger.sending(job)
    ledger.unknown(job, PurchaseUncertainError("no answer"))


def failed(ledger: Ledger) -> None:
    ledger.observed(bought(ledger).id, RemoteVideo(id="video_1", phase="failed", status="failed"))


def submitted(ledger: Ledger) -> None:
    bought(ledger)


def refused(ledger: Ledger) -> None:
    ledger.refused(reserve(ledger).id, NotPurchasedError("no"))


@pytest.mark.parametrize(
    ("happened", "state", "says"),
    [
        (running, "reserved", "Another program is sending"),
        (ended_sent, "unknown", "may have been bought"),
        (unknown, "unknown", "may have been bought"),
        (failed, "failed", "was bought already and failed"),
        (submitted, "submitted", "was bought already: "),
        (ended_unsent, "", ""),
        (refused, "", ""),
    ],
)
def test_what_another_ledger_says_of_a_purchase_is_told(
    happened: Callable[[Ledger], None], state: str, says: str, home: Path
) -> None:
    """As far as it came there. What a program that has ended never sent is no bar."""
    with Ledger_at(home) as ledger:
        happened(ledger)
        found = held_elsewhere(PLAIN.identity, [home])
        assert (found.state if found else "") == state
        if found is not None:
            assert says in found.error.message
            assert (found.job, found.error.charge) == (ledger.jobs()[0].id, "none")
            resume = f'`sora resume {found.job} --home "{home}"`'
            assert (resume in found.error.hint) == (state == "unknown")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR])
def test_another_ledger_that_cannot_be_read_lets_nothing_be_bought(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may hold the purchase. The error names its file, and the record to delete if it is no longer needed; then
    nobody asks for it any more."""
    theirs = ledger_of_comfyui(tmp_path, monkeypatch)
    with Ledger_at(theirs) as ledger:
        bought(ledger)

    connect = sqlite3.connect

    def refused(database: str, *given: Any, **named: Any) -> sqlite3.Connection:
        if "mode=ro" not in database:
            return connect(database, *given, **named)
        error = sqlite3.OperationalError("it is closed")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", refused)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMETAPI_KEY", "some-key-123456")
    run = ["run", "a boat", "--seconds", "4", "--size", "1280x720", "--home", "home", "--timeout", "0.001"]
    with Gateway() as gateway:
        monkeypatch.setenv("COMETAPI_BASE_URL", gateway.url)
        status, told, _ = sora(run, capsys)
        assert (status, told["charge"], gateway.creates) == (7, "none", [])
        assert str(theirs / "ledger.sqlite3") in told["error"]
        [record] = (locations.user_folder() / "packs").iterdir()
        assert f"delete {record}:" in told["hint"]
        record.unlink()
        sora(run, capsys)
        assert gateway.creates == ["a boat"]


@pytest.mark.parametrize("content", [None, b"", b"no ledger at all" * 100, b"SQLite format 3\0" + b"\0" * 5000])
def test_what_is_no_ledger_bars_nothing(content: bytes | None, tmp_path: Path) -> None:
    """A file that is gone by now, an empty one, and what no program can read."""
    if content is not None:
        (tmp_path / "ledger.sqlite3").write_bytes(content)
    assert held_elsewhere(PLAIN.identity, [tmp_path]) is None


class Ledger_at:
    """A ledger that is opened and closed here."""

    def __init__(self, home: Path) -> None:
        self.ledger = Ledger(home)

    def __enter__(self) -> Ledger:
        return self.ledger

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
