"""The mark of a process: there only once the others can see that it lives, and for as long as it does."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from sora_jobs.config.timing import Timing
from sora_jobs.errors import LedgerError
from sora_jobs.ledger.database import Database
from sora_jobs.ledger.liveness import FileLiveness
from sora_jobs.ledger.rows import run

from ..failures import failing
from ..postgres import Server

Open = Callable[..., Database]


def until(look: Callable[[], object], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- on one machine -------------------------------------------------------------------------------------------------


def test_a_folder_that_is_a_file_is_told_and_tried_again(tmp_path: Path) -> None:
    """No mark is handed out that the others could not see; once the folder can be made there is one."""
    (tmp_path / "owners").write_text("", encoding="utf-8")
    owner = FileLiveness(tmp_path)
    with pytest.raises(LedgerError) as caught:
        _ = owner.id
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert str(tmp_path / "owners") in caught.value.message
    assert caught.value.hint
    assert not owner.started
    (tmp_path / "owners").unlink()
    assert FileLiveness(tmp_path).alive(owner.id)
    owner.close()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "ledger_full"),
        (Timeout("x.lock"), "ledger_in_use"),
        (NotImplementedError("no flock here"), "no_file_locks"),
    ],
)
def test_a_lock_that_cannot_be_had_leaves_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    """A full disk, a lock that another process keeps, a file system without locks: an error of ours, tried again."""

    def refused(*_: object, **__: object) -> None:
        raise error

    owner = FileLiveness(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(FileLock, "acquire", refused)
        with failing(LedgerError, code, "could be locked"):
            _ = owner.id
    assert not owner.started
    assert FileLiveness(tmp_path).alive(owner.id)
    owner.close()


def test_a_file_system_without_locks_is_told_and_not_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks of another kind, which a crash leaves behind, are not taken instead; and a person sees no raw warning."""
    fcntl = pytest.importorskip("fcntl")
    owner = FileLiveness(tmp_path / "with")
    mark = owner.id

    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    with monkeypatch.context() as broken:
        broken.setattr(fcntl, "flock", flock)
        with failing(LedgerError, "no_file_locks", "could be locked"):
            _ = FileLiveness(tmp_path / "without").id
        with failing(LedgerError, "no_file_locks", "could be locked"):
            FileLiveness(tmp_path / "with").alive(mark)
        with failing(LedgerError, "no_file_locks"):
            _ = Database(tmp_path / "new", "").owner
    owner.close()


def test_nobody_is_taken_for_dead_because_the_file_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can tell, neither dead nor alive is the answer: the first would send a purchase again."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    owner, other = FileLiveness(tmp_path), FileLiveness(tmp_path)
    mark = owner.id
    with monkeypatch.context() as broken:
        broken.setattr(FileLock, "acquire", refused)
        with failing(LedgerError, "ledger_denied", "Permission denied"):
            other.alive(mark)
    assert other.alive(mark)
    owner.close()
    assert not other.alive(mark)


def test_a_sweep_removes_no_file_that_another_one_locks_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets the lock keeps the file: one that lost its file in that moment would look dead for ever."""
    left = tmp_path / "owners" / f"{'0' * 32}.lock"
    left.parent.mkdir()
    left.write_text("", encoding="utf-8")
    newcomer, remove = FileLock(left, thread_local=False), Path.unlink
    got = []

    def locked_just_before(path: Path, missing_ok: bool = False) -> None:
        if path == left:
            try:
                newcomer.acquire(timeout=0)
                got.append(path)
            except Timeout:
                pass
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", locked_just_before)
    owner = FileLiveness(tmp_path)
    assert owner.id
    assert (got, left.exists()) in (([], False), ([left], True))
    newcomer.release(force=True)
    owner.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open, so a sweep takes none away")
def test_a_file_that_a_sweep_took_away_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its locking another process may find it free; a lock on no name is no sign of life."""
    acquire, swept = FileLock.acquire, []

    def too_late(lock: FileLock, *given: object, **more: object) -> object:
        got = acquire(lock, *given, **more)
        file = Path(lock.lock_file)
        if file.suffix == ".lock" and not swept:
            file.unlink()
            swept.append(file)
        return got

    monkeypatch.setattr(FileLock, "acquire", too_late)
    owner = FileLiveness(tmp_path)
    mark = owner.id
    assert swept
    assert FileLiveness(tmp_path).alive(mark)
    owner.close()


def test_files_that_cannot_be_removed_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes no open file: neither a start nor an end fails for it, and the one that ended counts as dead."""

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    left = tmp_path / "owners" / f"{'0' * 32}.lock"
    left.parent.mkdir()
    left.write_text("", encoding="utf-8")
    owner, other = FileLiveness(tmp_path), FileLiveness(tmp_path)
    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", refused)
        mark = owner.id
        owner.close()
    assert left.exists() or os.name == "nt"  # there filelock removes it, in a way of its own
    assert not other.alive(mark)
    assert other.id
    assert [file.stem for file in left.parent.glob("*.lock")] == [other.id]
    other.close()


def test_a_ledger_that_another_one_keeps_opening_is_waited_for_no_longer_than_need_be(tmp_path: Path) -> None:
    """A program that hangs while it opens the ledger must not hang all others for ever."""
    ledger = Database(tmp_path, "", timing=Timing(ledger_busy_s=0.1))
    with (
        FileLock(tmp_path / "ledger.sqlite3-opening", timeout=0),
        failing(LedgerError, "ledger_in_use", "has been opening"),
    ):
        _ = ledger.owner
    assert ledger.owner.id
    ledger.close()


# -- on a farm ------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(postgresql: Server, tmp_path: Path) -> Iterator[Open]:
    """Start a machine of one farm as often as asked."""
    url, opened = postgresql.database(), []

    def start(budget: Callable[[], None] = lambda: None) -> Database:
        opened.append(Database(tmp_path, url, budget, Timing(heartbeat_s=0.02)))
        return opened[-1]

    yield start
    for database in opened:
        database.close()


def sees(other: Database, mark: str) -> bool:
    with other.read() as connection:
        return other.owner.alive(mark, connection)


def forget(database: Database, mark: str) -> None:
    with database.write() as connection:
        run(connection, "UPDATE owners SET seen_at = 0 WHERE id = :mark", mark=mark)


def test_a_first_beat_that_fails_leaves_no_mark(machine: Open) -> None:
    """Nobody would have heard of it, so that the others took it for dead at once; the next use tries again."""
    mine, other = machine(), machine()
    with other.write() as connection:
        run(connection, "ALTER TABLE owners RENAME TO away")
    with failing(LedgerError, "", '"owners" does not exist') as caught:
        _ = mine.owner.id
    assert caught.value.hint
    assert not mine.owner.started
    with other.write() as connection:
        run(connection, "ALTER TABLE away RENAME TO owners")
    assert sees(other, mine.owner.id)


def test_a_heart_goes_on_whatever_breaks_a_beat(machine: Open, caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody thought of must not end it: the process lives, and would be taken for dead. It is told once,
    without secrets."""
    asked, broken = [], []

    def budget() -> None:
        asked.append(1)
        if len(asked) > 1 and len(broken) < 3:
            broken.append(1)
            raise RuntimeError("sk-verysecret123 is no number")

    mine, other = machine(budget), machine()
    with caplog.at_level(logging.WARNING, "sora"):
        mark = mine.owner.id
        until(lambda: len(broken) == 3)
        forget(other, mark)
        until(lambda: sees(other, mark))
    assert caplog.text.count("it is tried again") == 1
    assert "[hidden] is no number" in caplog.text


def test_a_beat_under_way_does_not_bring_an_ended_process_back(machine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the others wait a minute for one that has said good-bye."""
    under_way, waited_for, go_on = (threading.Event() for _ in range(3))
    asked, real = [], threading.Thread.join

    def budget() -> None:
        asked.append(1)
        if len(asked) == 2:
            under_way.set()
            assert go_on.wait(10)

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "sora-heartbeat":
            waited_for.set()
        real(thread, timeout)

    mine, other = machine(budget), machine()
    monkeypatch.setattr(threading.Thread, "join", join)
    mark, owner = mine.owner.id, mine.owner
    assert under_way.wait(10)
    closing = threading.Thread(target=owner.close)
    closing.start()
    until(lambda: waited_for.is_set() or not closing.is_alive())  # for the beat; or it has said good-bye by now
    go_on.set()
    closing.join(10)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "sora-heartbeat"])
    assert not sees(other, mark)
