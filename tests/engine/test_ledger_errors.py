"""A ledger that cannot be used: held by another program, on a full disk, of another user, damaged. Each has an error of
its own, and only a full disk is called one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from filelock import FileLock, Timeout
from sora_jobs.config.budget import Budget
from sora_jobs.config.providers import load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.config.timing import Timing
from sora_jobs.diagnostics import doctor
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, LedgerError, SoraError, StorageError, storage_error
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger import backups, connections, database, database_errors
from sora_jobs.ledger.backups import LEDGER_FILE, backup_ledger, uri_of
from sora_jobs.ledger.database_errors import folder_error, ledger_error
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.merge import held_elsewhere
from sora_jobs.ledger.restore import restore
from sora_jobs.util import disk

from ..failures import failing
from ..gateway.ugly import UglyServer

SPEC = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
ORIGIN = "https://api.cometapi.com"
IMPATIENT = Timing(ledger_busy_s=0.1, ledger_copy_busy_s=0.1)


@contextlib.contextmanager
def held(ledger: Path, *, alone: bool = False) -> Iterator[None]:
    """As an SQLite browser holds it that has begun to write; or as one that does not even let others read."""
    with contextlib.closing(sqlite3.connect(ledger, isolation_level=None, timeout=5)) as other:
        if alone:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def with_a_job(home: Path) -> Path:
    with contextlib.closing(Ledger(home)) as ledger:
        job, _ = ledger.reserve(SPEC, origin=ORIGIN, estimated_usd=0.1, budget=Budget())
        ledger.sending(job.id)
    return home / LEDGER_FILE


def test_a_ledger_that_another_program_holds_is_named_and_nothing_is_bought(tmp_path: Path) -> None:
    """Not before the ledger was read, nor between; a ledger that was open before is told of in the same way."""
    file = with_a_job(tmp_path)
    with (
        UglyServer([]) as server,
        contextlib.closing(
            Engine(
                tmp_path,
                tmp_path / "out",
                env={"COMETAPI_BASE_URL": server.url, "COMETAPI_KEY": "sk-test-123456"},
                timing=IMPATIENT,
            )
        ) as engine,
    ):
        for _ in range(2):
            with held(file), pytest.raises(LedgerError) as caught:
                engine.start_create(dataclasses.replace(SPEC, take=2)).result(30)
            error = caught.value
            assert (error.code, error.kind, error.charge) == ("ledger_in_use", "ledger_in_use", "none")
            assert str(file) in error.message
            assert "SQLite browser" in error.hint
            assert "full" not in str(error)
            assert len(engine.ledger.jobs()) == 1  # and now it is open
        assert server.requests == []


def test_a_ledger_on_a_network_is_told_where_it_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = with_a_job(tmp_path)
    monkeypatch.setattr(database_errors, "network_of", lambda folder: "cifs" if folder == tmp_path else "")
    with (
        contextlib.closing(Ledger(tmp_path, timing=IMPATIENT)) as ledger,
        held(file, alone=True),
        pytest.raises(LedgerError) as caught,
    ):
        ledger.jobs()
    assert caught.value.code == "ledger_in_use"
    assert all(part in caught.value.hint for part in ("cifs", "SORA_HOME"))


def test_copies_and_merges_tell_the_same(tmp_path: Path) -> None:
    """A backup, a restore, and a look into another ledger of this user: what is bought there is not bought here while
    nobody can tell. A damaged one of another ComfyUI stops nobody."""
    home, other = tmp_path / "here", tmp_path / "other"
    file = with_a_job(other)
    with_a_job(home)
    backups.backup(home, tmp_path / "kept.zip")
    with held(file, alone=True):
        for use in (
            lambda: backup_ledger(file, tmp_path / "copy", IMPATIENT),
            lambda: restore(other, tmp_path / "kept.zip", IMPATIENT),
            lambda: held_elsewhere(SPEC.identity, [other], IMPATIENT),
        ):
            with pytest.raises(LedgerError) as caught:
                use()
            assert (caught.value.code, str(file) in caught.value.message) == ("ledger_in_use", True)
    assert held_elsewhere(SPEC.identity, [other]) is not None
    file.write_bytes(b"my diary " * 2000)
    assert held_elsewhere(SPEC.identity, [other]) is None


def test_one_that_opens_it_for_ever_holds_it_too(tmp_path: Path) -> None:
    with (
        contextlib.closing(Ledger(tmp_path, timing=IMPATIENT)) as ledger,
        FileLock(f"{tmp_path / LEDGER_FILE}-opening"),
    ):
        with pytest.raises(LedgerError) as caught:
            ledger.jobs()
        assert caught.value.code == "ledger_in_use"


def sqlite_error(number: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = number
    return error


@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        (sqlite3.SQLITE_BUSY, "ledger_in_use", "SQLite browser"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "ledger_in_use", "SQLite browser"),
        (sqlite3.SQLITE_LOCKED, "ledger_in_use", "SQLite browser"),
        (sqlite3.SQLITE_FULL, "ledger_full", "Free disk space"),
        (sqlite3.SQLITE_READONLY, "ledger_denied", "Delete nothing"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "", "restart ComfyUI"),
        (sqlite3.SQLITE_CORRUPT, "ledger_damaged", "sora restore --rebuild"),
        (sqlite3.SQLITE_NOTADB, "ledger_damaged", "sora restore --rebuild"),
        (sqlite3.SQLITE_IOERR_WRITE, "", "Check the disk"),
        (sqlite3.SQLITE_IOERR_LOCK, "no_file_locks", "file locks"),
        (0, "", "sora doctor"),
    ],
)
def test_what_sqlite_says_decides(tmp_path: Path, number: int, code: str, hint: str) -> None:
    """By its number. No advice is to free a disk that is not full."""
    error = ledger_error(str(tmp_path / LEDGER_FILE), sqlite_error(number), folder=tmp_path)
    assert (error.code, error.charge) == (code, "none")
    assert str(tmp_path / LEDGER_FILE) in error.message
    assert hint in error.hint
    assert ("disk space" in error.hint) == (code == "ledger_full")


def held_on_windows() -> PermissionError:
    error = PermissionError(errno.EACCES, "The process cannot access the file because another program is using it")
    error.winerror = 32  # type: ignore[attr-defined,unused-ignore]
    return error


@pytest.mark.parametrize(
    ("why", "code", "hint"),
    [
        (held_on_windows(), "ledger_in_use", "virus scanner"),
        (OSError(errno.EBUSY, "Device or resource busy"), "ledger_in_use", "virus scanner"),
        (PermissionError(errno.EACCES, "Access is denied"), "ledger_denied", "Delete nothing"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "", "drive is connected"),
        (OSError(errno.EMFILE, "Too many open files"), "", "Check the disk"),
        (None, "ledger_in_use", "virus scanner"),
    ],
    ids=str,
)
def test_a_file_that_sqlite_could_not_open_is_asked_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: OSError | None, code: str, hint: str
) -> None:
    """It says "unable to open database file" to all of these."""
    (tmp_path / LEDGER_FILE).write_bytes(b"")

    def opening(*_: object, **__: object) -> None:
        raise why  # type: ignore[misc]

    if why is not None:
        monkeypatch.setattr(Path, "open", opening)
    error = ledger_error(str(tmp_path / LEDGER_FILE), sqlite_error(sqlite3.SQLITE_CANTOPEN), folder=tmp_path)
    assert (error.code, hint in error.hint) == (code, True)


@pytest.mark.parametrize(
    ("state", "code", "hint"),
    [
        ("55P03", "ledger_in_use", "database server"),
        ("40P01", "ledger_in_use", "database server"),
        ("53100", "ledger_full", "on the database server"),
        ("28P01", "", "lets this user in"),
        ("", "", "lets this user in"),
    ],
)
def test_what_postgresql_says_decides(state: str, code: str, hint: str) -> None:
    """And never this machine's disk."""
    said = Exception("what the server says")
    said.sqlstate = state  # type: ignore[attr-defined]
    error = ledger_error("postgresql://x/y", said, folder=None)
    assert (error.code, hint in error.hint) == (code, True)


def test_a_damaged_ledger_is_called_so(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_bytes(b"my diary " * 200)
    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path).jobs()
    assert (caught.value.code, caught.value.kind) == ("ledger_damaged", "ledger_damaged")
    assert disk.KEEP_HINT in caught.value.hint


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (PureWindowsPath(r"\\nas\my share\ledger.sqlite3"), "file:////nas/my%20share/ledger.sqlite3"),
        (PureWindowsPath(r"C:\Ngô Bảo\ledger.sqlite3"), "file:///C:/Ng%C3%B4%20B%E1%BA%A3o/ledger.sqlite3"),
        (PurePosixPath("/srv/a?b#c%d/ledger.sqlite3"), "file:///srv/a%3Fb%23c%25d/ledger.sqlite3"),
    ],
)
def test_a_ledger_on_a_windows_share_can_be_read(path: PurePath, uri: str) -> None:
    """SQLite takes a server's name in a URI for a mistake: no backup, no import, and "the other ledger has nothing"."""
    assert uri_of(path) == uri


# -- a folder of another user's: an administrator, a container, a disk of another computer ----------------------------


def denied(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Access is denied")


@pytest.mark.parametrize(("windows", "cure"), [(True, 'icacls "{}" /grant "Bảo:(OI)(CI)F" /T'), (False, "chown -R")])
@pytest.mark.parametrize("step", ["make", "look", "create", "lock", "mark"])
def test_a_folder_of_another_users_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, cure: str, step: str
) -> None:
    """Whichever of its files is met first. Nobody is told to delete the folder, which holds the ledger."""
    monkeypatch.setattr(disk, "_is_windows", lambda: windows)
    monkeypatch.setenv("USERNAME", "Bảo")
    home = tmp_path / "home"
    with contextlib.closing(Ledger(home)) as ledger, monkeypatch.context() as broken:
        where = {
            "make": (connections, "make_private"), "look": (Path, "exists"), "create": (connections.os, "open"),
            "lock": (FileLock, "acquire"), "mark": (database, "FileLiveness"),
        }[step]  # fmt: skip
        if step == "mark":
            real = FileLock.acquire
            broken.setattr(
                FileLock, "acquire",
                lambda lock, *given, **named: (
                    real(lock, *given, **named) if "opening" in lock.lock_file else denied()
                ),
            )  # fmt: skip
        else:
            broken.setattr(*where, denied)
        with pytest.raises(LedgerError) as caught:
            ledger.reserve(SPEC, origin=ORIGIN, estimated_usd=0.1, budget=Budget())
    error = caught.value
    assert (error.code, error.kind, error.charge) == ("ledger_denied", "ledger_denied", "none")
    folder = home / "owners" if step == "mark" else home
    assert cure.format(folder) in error.hint
    assert str(folder) in error.hint
    assert disk.KEEP_HINT in error.hint


def test_a_folder_that_cannot_be_looked_into_is_told_by_its_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of past jobs and the doctor ask first whether there is a ledger."""
    engine = Engine(tmp_path, tmp_path / "out", env={"COMETAPI_BASE_URL": "http://127.0.0.1:9"})
    with contextlib.closing(engine):
        monkeypatch.setattr(Path, "exists", denied)
        with pytest.raises(LedgerError) as caught:
            engine.history.labels()
        assert caught.value.code == "ledger_denied"


def test_the_doctor_says_the_same_of_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tmp_path, tmp_path / "out", env={"COMETAPI_BASE_URL": "http://127.0.0.1:9"})
    with contextlib.closing(engine):
        monkeypatch.setattr(doctor, "try_folder", denied)
        found = {finding.name: finding for finding in doctor.examine(engine)}
    assert found["state"].level == "failed"
    assert all(part in found["state"].text for part in (str(tmp_path), "chown" if disk.os.name != "nt" else "icacls"))
    assert "Delete nothing" in found["state"].text
    assert "Delete nothing" not in found["output"].text


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "ledger_full", "Free disk space"),
        (OSError(errno.ENOLCK, "No locks available"), "no_file_locks", "file locks"),
        (NotImplementedError("no flock here"), "no_file_locks", "file locks"),
        (Timeout("x.lock"), "ledger_in_use", "SQLite browser"),
        (OSError(errno.EROFS, "Read-only file system"), "", "read-only"),
    ],
    ids=str,
)
def test_what_else_a_folder_can_have(tmp_path: Path, error: Exception, code: str, hint: str) -> None:
    told = folder_error("The folder cannot be written", error, tmp_path)
    assert (told.code, hint in told.hint) == (code, True)


def test_a_damaged_ledger_that_is_open_elsewhere_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows lets nobody delete what another program has open: an error of ours, with the copy kept."""
    (tmp_path / LEDGER_FILE).write_bytes(b"my diary " * 2000)
    engine = Engine(tmp_path, tmp_path / "out", env={})
    with contextlib.closing(engine), monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", denied)
        with pytest.raises(StorageError):
            engine.maintenance.rebuild()
    assert [file.name for file in tmp_path.glob("before-restore-*/*")] == [LEDGER_FILE]


def test_a_full_disk_is_called_so_everywhere() -> None:
    """And nothing else is."""
    assert storage_error("x", OSError(errno.ENOSPC, "full")).kind == "disk_full"
    assert storage_error("x", OSError(errno.EACCES, "denied")).kind == "disk"
    assert isinstance(storage_error("x", OSError(errno.EIO, "bad")), SoraError)


@pytest.mark.parametrize("file", ["settings.toml", "providers.toml", "keys/cometapi"])
def test_what_is_read_before_the_ledger_tells_it_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Settings, providers and keys are in the same folder, and are met first."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    path.chmod(0o600)
    settings, real = Settings(home=tmp_path, output=tmp_path / "out", env={}), Path.open
    monkeypatch.setattr(Path, "open", lambda at, *given, **named: denied() if at == path else real(at, *given, **named))
    with failing(InvalidInputError, f"{'key_file' if 'keys' in file else 'settings'}_unreadable", path) as caught:
        if file == "settings.toml":
            _ = settings.read().budget
        else:
            load_provider(settings.read(), "cometapi").key({})
    assert disk.KEEP_HINT in caught.value.hint
