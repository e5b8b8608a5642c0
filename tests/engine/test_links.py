"""The stored file under another name, where hard links can be made and where they cannot."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sora_jobs.delivery.stored_files import _linked
from sora_jobs.errors import StorageError
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState

from ..failures import failing

FILM = bytes(range(256)) * 4096
JOB = Job(
    id="j", kind="create", state=JobState.STORED, provider="p", origin="", model="", seconds="", size="", prompt="",
    take=1, identity="",
)  # fmt: skip


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "sora" / "stored.mp4"
    path.parent.mkdir()
    path.write_bytes(FILM)
    return path


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: Path, _: Path) -> None:
        raise FileExistsError(17, "File exists") if target.exists() else PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.usefixtures("no_links")
def test_two_who_copy_at_once_do_not_meet(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has an unfinished file of its own, which is synced before it gets the name; a download's `.part` beside it
    is not theirs."""
    target = tmp_path / "copies" / "v.mp4"
    target.parent.mkdir()
    (target.parent / "v.part").write_bytes(b"of a download")
    both, synced = threading.Barrier(2), []
    copyfile, fsync = shutil.copyfile, os.fsync

    def together(source: Path, unfinished: Path) -> None:
        both.wait(5)
        copyfile(source, unfinished)
        both.wait(5)

    def counted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(shutil, "copyfile", together)
    monkeypatch.setattr(os, "fsync", counted)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(lambda _: _linked(JOB, stored, target), range(2))] == [target, target]
    assert target.read_bytes() == FILM
    assert synced.count(len(FILM)) == 2
    assert {path.name for path in target.parent.iterdir()} == {"v.mp4", "v.part"}
    assert (target.parent / "v.part").read_bytes() == b"of a download"


def test_the_slower_one_finds_what_the_quicker_one_made(stored: Path, tmp_path: Path) -> None:
    """A link, or a copy of the same file; anything else is not overwritten."""
    target = tmp_path / "v.mp4"
    assert _linked(JOB, stored, target).samefile(stored)
    assert _linked(JOB, stored, target).samefile(stored)
    target.unlink()
    target.write_bytes(FILM)
    assert _linked(JOB, stored, target).read_bytes() == FILM
    target.write_bytes(b"another one")
    with pytest.raises(StorageError):
        _linked(JOB, stored, target)
    assert target.read_bytes() == b"another one"


@pytest.mark.usefixtures("no_links")
def test_a_copy_that_fails_leaves_nothing(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    target = tmp_path / "copies" / "v.mp4"
    with failing(StorageError, "disk_full", "No space left"):
        _linked(JOB, stored, target)
    assert list(target.parent.iterdir()) == []
