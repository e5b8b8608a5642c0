"""Disks as people have them: that cannot sync, link or lock, that are full, away, or hold a file open for a moment."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import ItemsView
from pathlib import Path

import pytest
from filelock import FileLock
from sora_jobs.config.settings import Settings
from sora_jobs.errors import LedgerError, StorageError, storage_error
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.purchasing.disk_room import check_room
from sora_jobs.util import atomic_write, disk
from sora_jobs.views import settings as page_settings

from ..failures import failing
from ..frozen.gateway import Gateway

ENGINE = Path(atomic_write.__file__).parents[1]
# What a file system may not offer, and the calls by which that is asked for.
MISSING = ("sync of folders", "sync of files", "chmod", "utime", "link", "lock")
ERRNOS = (errno.ENOTSUP, errno.EINVAL, errno.EBADF, errno.EACCES)
LIES_ON = """
import errno, fcntl, os, stat, sys
from pathlib import Path
home, output, what, codes = Path(sys.argv[1]), sys.argv[2], sys.argv[3], [int(one) for one in sys.argv[4].split(",")]
code, called = codes[0], []

def is_there(place):
    if isinstance(place, int):
        place = os.readlink(f"/proc/self/fd/{place}")
    elif not isinstance(place, (str, os.PathLike)):
        place = os.readlink(f"/proc/self/fd/{place.fileno()}")
    return os.path.abspath(os.fspath(place)).startswith(output)

def made_to_fail(module, name, wanted=lambda *_: True):
    real = getattr(module, name)
    def call(*given, **named):
        if is_there(given[0]) and wanted(*given):
            called.append(name)
            raise OSError(code, os.strerror(code))
        return real(*given, **named)
    setattr(module, name, call)

is_folder = lambda fd: stat.S_ISDIR(os.fstat(fd).st_mode)
shims = {
    "sync of folders": lambda: made_to_fail(os, "fsync", is_folder),
    "sync of files": lambda: made_to_fail(os, "fsync", lambda fd: not is_folder(fd)),
    "chmod": lambda: [made_to_fail(os, name) for name in ("chmod", "fchmod")],
    "utime": lambda: made_to_fail(os, "utime"),
    "link": lambda: made_to_fail(os, "link"),
    "lock": lambda: [made_to_fail(fcntl, name) for name in ("flock", "lockf")],
}
shims[what]()
import numpy as np
from sora_jobs.util.disk import try_folder
from sora_jobs.jobs.spec import VideoRequest, Reference
from sora_jobs.engine import Engine
engine = Engine(home, Path(output))
picture = np.zeros((720, 1280, 3), np.uint8)
for code in codes:
    spec = VideoRequest(provider="cometapi", prompt=f"a boat {code}", model="sora-2", seconds="4", size="1280x720",
                   references=(Reference(picture),))
    job = engine.start_create(spec).result(60).job
    done = engine.start_wait(job.id, timeout=60).future.result(90)
    second = engine.files.link(done, Path(output) / "shots" / f"boat_{code}.mp4")
    assert second.read_bytes() == engine.path(done).read_bytes(), code
    print(done.state.value, *try_folder(Path(output)), sep=", ")
engine.close()
assert called or what in ("chmod", "utime"), what
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the shim reads /proc")
@pytest.mark.parametrize("what", MISSING)
def test_what_a_file_system_lacks_ends_no_download(tmp_path: Path, what: str) -> None:
    """From the purchase to a second name, with each errno; what is missing is known before, for the doctor."""
    with Gateway() as gateway:
        command = [sys.executable, "-c", LIES_ON, tmp_path / "home", tmp_path / "output", what]
        env = {"PYTHONPATH": str(ENGINE.parent), "PATH": "", "COMETAPI_KEY": "test-key-123456"}
        env |= {"COMETAPI_BASE_URL": gateway.url, "SORA_POLL_SECONDS": "0.05"}
        done = subprocess.run(
            [*map(str, command), ",".join(map(str, ERRNOS))],
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=240,
        )
    assert done.returncode == 0, done.stderr
    missing = {
        "sync of folders": "syncing folders",
        "sync of files": "syncing files",
        "link": "hard links",
        "lock": "locks",
    }
    said = f"stored, {missing[what]}" if what in missing else "stored"
    assert done.stdout.splitlines() == [said] * len(ERRNOS)
    assert len(gateway.contents) == len(ERRNOS)


def test_nothing_is_renamed_or_deleted_past_the_patient_way() -> None:
    """On Windows a scanner has a file open for a moment: atomic_write.py waits for it. Left out are marks of
    processes, which a sweep deletes if not their owner, and the sandbox's own unfinished films."""
    allowed = {"atomic_write.py", "liveness.py", "shared_output.py", "encode.py"}
    past = [
        (file.name, node.lineno)
        for file in ENGINE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("unlink", "rename", "rmtree") and file.name not in allowed
    ]
    assert past == []


class Held(PermissionError):
    """As Windows says it while another program has the file open."""

    def __init__(self, winerror: int) -> None:
        super().__init__(errno.EACCES, "Access is denied")
        self.winerror = winerror


@pytest.mark.parametrize("held", [Held(5), Held(32), Held(33), OSError(errno.EBUSY, "busy")], ids=str)
@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_a_file_that_is_held_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, held: OSError
) -> None:
    """A virus scanner looks at each new file: renames and deletes are tried again, and nothing is left over."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    real, refused = getattr(Path, step), []

    def refusing(*given: object, **named: object) -> object:
        if len(refused) < 3:
            refused.append(1)
            raise held
        return real(*given, **named)

    monkeypatch.setattr(Path, step, refusing)
    target = tmp_path / "key"
    atomic_write.atomic_write(target, b"one")
    assert target.read_bytes() == b"one"
    atomic_write.remove(target)
    assert list(tmp_path.iterdir()) == []
    assert len(refused) == 3
    assert tuple(slept) == atomic_write.PAUSES_S[:3]


def test_a_file_that_stays_held_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To free disk space would not help; what was there stays."""
    (tmp_path / "page.json").write_bytes(b"{}")
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    def refuse(*_: object) -> None:
        raise Held(32)

    monkeypatch.setattr(Path, "replace", refuse)
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    with pytest.raises(StorageError) as caught:
        page_settings.change(settings.read(), {"language": "vi"}, local=True)
    assert (caught.value.code, caught.value.kind) == ("file_in_use", "file_in_use")
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]
    assert (tmp_path / "page.json").read_bytes() == b"{}"
    assert 4 < sum(slept) < 5


@pytest.mark.skipif(os.name != "nt", reason="only Windows keeps an open file from being renamed")
def test_a_file_that_is_open_for_a_second_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    file = target.open("rb")
    threading.Timer(1.0, file.close).start()
    atomic_write.atomic_write(target, b"new")
    assert target.read_bytes() == b"new"


def test_another_refusal_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing right does not pass by itself."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        atomic_write.atomic_write(tmp_path / "key", b"one")
    assert slept == []


def test_who_writes_while_another_does_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who comes later counts, and none of them removes what the other has not renamed yet."""
    target, real, others = tmp_path / "key", Path.replace, []

    def rename(unfinished: Path, path: Path) -> Path:
        if not others:
            others.append(1)
            atomic_write.atomic_write(target, b"the other's")
        return real(unfinished, path)

    monkeypatch.setattr(Path, "replace", rename)
    atomic_write.atomic_write(target, b"ours, later")
    assert target.read_bytes() == b"ours, later"
    assert list(tmp_path.iterdir()) == [target]


def test_many_who_write_at_once_leave_one_of_theirs(tmp_path: Path) -> None:
    target, failed = tmp_path / "key", []

    def write(number: int) -> None:
        try:
            for turn in range(20):
                atomic_write.atomic_write(target, f"{number} {turn}".encode() * 500)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert target.read_bytes() in {f"{number} 19".encode() * 500 for number in range(4)}
    assert list(tmp_path.iterdir()) == [target]


def test_only_what_is_old_is_taken_for_abandoned(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".key.0123.part", tmp_path / ".key.4567.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    atomic_write.atomic_write(tmp_path / "key", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"key", fresh.name}


def test_of_two_changes_at_once_both_are_kept(tmp_path: Path) -> None:
    """Read, changed and written by one at a time: language by one tab, the background downloads by another."""
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    together = threading.Barrier(2)

    class Wish(dict[str, object]):
        """Looked into for the first time, it waits until the other one is, too."""

        met = False

        def items(self) -> ItemsView[str, object]:
            if not self.met:
                self.met = True
                together.wait(10)
            return super().items()

    wishes = [Wish(language="vi"), Wish(background_downloads=False)]
    threads = [
        threading.Thread(target=page_settings.change, args=(settings.read(), wish), kwargs={"local": True})
        for wish in wishes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert settings.read().page == {"language": "vi", "rescue": False}


@pytest.mark.parametrize("holder", ["a thread", "a process"])
def test_a_lock_that_is_never_released_has_a_deadline(tmp_path: Path, holder: str) -> None:
    """Another process may hang on a share."""
    path = tmp_path / "v.lock"
    is_held, tried = threading.Event(), threading.Event()

    def hold() -> None:
        with (
            atomic_write.locked(path, 1.0) if holder == "a thread" else FileLock(path)
        ):  # past the lock among our threads
            is_held.set()
            tried.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(30)
    with pytest.raises(TimeoutError), atomic_write.locked(path, 0.05):
        pass
    tried.set()
    thread.join()
    with atomic_write.locked(path, 1.0):
        assert path.exists()
    assert not path.exists()


def test_a_drive_that_is_not_there_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A USB disk or a mapped drive, whose root has itself for a parent."""
    monkeypatch.setattr(Path, "exists", lambda _: False)
    ledger = Ledger(tmp_path / "home")
    with pytest.raises(LedgerError):
        ledger.jobs()
    with pytest.raises(FileNotFoundError):
        atomic_write.make_private(Path(tmp_path.anchor))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Free disk space"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.ENOENT, "No such file or directory"), "drive is connected"),
        (OSError(errno.EACCES, "Permission denied"), "may write"),
        (Held(32), "has it open"),
    ],
)
def test_what_helps_depends_on_what_failed(error: OSError, words: str) -> None:
    assert words in storage_error("It failed", error).hint


@pytest.mark.parametrize("broken", ["write", "rename", "read"])
def test_a_folder_in_which_no_video_could_be_stored_is_found_before_buying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """By doing once what a download does, and leaving nothing behind."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    names = {"write": (os, "fsync"), "rename": (Path, "replace"), "read": (Path, "read_bytes")}
    with monkeypatch.context() as patched:
        patched.setattr(*names[broken], refuse)
        with pytest.raises(StorageError):
            check_room(tmp_path)
    assert list(tmp_path.iterdir()) == []
    check_room(tmp_path)


def test_a_path_that_windows_cannot_take_is_found_before_buying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_is_windows", lambda: True)
    monkeypatch.setattr(disk, "_long_paths_are_enabled", lambda: False)
    check_room(tmp_path, 40)
    with failing(StorageError, "path_too_long", tmp_path):
        check_room(tmp_path, 250)
