"""A stored file is what was stored, or it is fetched again under another name; nothing of anybody's is written over."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sora_jobs.delivery import stored_files
from sora_jobs.engine import Engine
from sora_jobs.errors import StorageError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState

from ..frozen.gateway import Gateway, film


class Bench:
    """A stored job at a gateway that still has its video."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        env = {"COMETAPI_KEY": "test-key-123456", "COMETAPI_BASE_URL": gateway.url, "SORA_POLL_SECONDS": "0.02"}
        self.gateway = gateway
        self.engine = Engine(folder / "home", folder / "output", env=env)
        self.job = self.fetch(self.buy("a boat").id)
        self.file = self.engine.path(self.job)
        self.whole = self.file.read_bytes()
        assert self.whole == film(self.job.video_id)

    def buy(self, prompt: str) -> Job:
        spec = VideoRequest(provider="cometapi", prompt=prompt, model="own", seconds="4", size="128x64")
        return self.engine.start_create(spec).result(30).job

    def fetch(self, job_id: str) -> Job:
        return self.engine.start_wait(job_id, timeout=30).future.result(60)

    def again(self) -> Job:
        return self.fetch(self.job.id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Gateway() as gateway:
        made = Bench(tmp_path, gateway)
        yield made
        made.engine.close()


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:500])


def replace_with_another(file: Path) -> None:
    """By an editor, hours later; as long as before."""
    file.write_bytes(bytes(reversed(file.read_bytes())))
    later = time.time() + 3600
    os.utime(file, (later, later))


def empty(file: Path) -> None:
    """What a cloud drive leaves of a file that it keeps elsewhere."""
    file.write_bytes(b"")


CHANGES = [truncate, replace_with_another, empty]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_not_what_was_stored_is_fetched_under_a_new_name(bench: Bench, change: object) -> None:
    """Before it is handed out; the other one stays, since it may be somebody's work."""
    change(bench.file)  # type: ignore[operator]
    changed = bench.file.read_bytes()
    done = bench.again()
    good = bench.engine.path(done)
    assert (good.read_bytes(), bench.file.read_bytes()) == (bench.whole, changed)
    assert (good.name, done.error) == (f"{bench.file.stem}_2.mp4", "")
    assert (bench.again(), bench.engine.ledger.job(done.id).path) == (done, done.path)
    assert len(bench.gateway.contents) == 2
    assert (bench.file.parent / f"{good.stem}.json").is_file()  # with a receipt of its own


@pytest.mark.parametrize("change", CHANGES)
def test_where_it_cannot_be_fetched_again_it_is_used_with_a_warning(bench: Bench, change: object) -> None:
    change(bench.file)  # type: ignore[operator]
    bench.gateway.gone = True
    done = bench.again()
    assert bench.file.name in done.error
    assert bench.engine.path(done) == bench.file
    assert bench.engine.ledger.job(done.id).error == ""  # and the next run tries again


def test_a_good_copy_that_was_not_noted_is_taken(bench: Bench) -> None:
    """The process died between the file and its row."""
    truncate(bench.file)
    second = bench.file.with_stem(f"{bench.file.stem}_2")
    second.write_bytes(bench.whole)
    assert bench.engine.path(bench.again()) == second
    assert len(bench.gateway.contents) == 1


def test_a_file_that_was_copied_with_its_folder_is_the_same(bench: Bench) -> None:
    """A restored backup has other times: what counts is what is in it."""
    later = time.time() + 3600
    os.utime(bench.file, (later, later))
    assert bench.again() == bench.job
    assert len(bench.gateway.contents) == 1


def test_the_good_copy_goes_before_a_changed_one(bench: Bench, tmp_path: Path) -> None:
    """The file at our own output root was truncated; where it was stored it is as it was."""
    elsewhere = tmp_path / "elsewhere" / bench.job.path
    elsewhere.parent.mkdir(parents=True)
    truncate(bench.file)
    elsewhere.write_bytes(bench.whole)
    job = replace(bench.job, root=str(tmp_path / "elsewhere"))
    assert stored_files.file_of(job, bench.engine.settings) == elsewhere
    with_name = bench.engine.path(job)
    assert with_name.read_bytes() == bench.whole
    assert with_name != bench.file


# -- second names -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network or cloud drive whose driver gives no file numbers: by them any two files are the same."""
    real = Path.stat

    def stat(self: Path, **more: bool) -> os.stat_result:
        found = list(real(self, **more))
        found[1] = 0
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", stat)


@pytest.mark.usefixtures("no_numbers")
def test_another_jobs_video_is_never_handed_out(bench: Bench) -> None:
    """Also not where the file system says that all files are one."""
    other = bench.fetch(bench.buy("a ship").id)
    taken = bench.engine.files.link(other, bench.file.parent / "shots" / "boat_00001_.mp4")
    assert taken.read_bytes() == film(other.video_id)
    with pytest.raises(StorageError):
        bench.engine.files.link(bench.job, taken)
    assert not stored_files.is_same_video(bench.job, taken, bench.file)


def test_a_copy_is_known_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hard links a second name is a copy, which the next run finds instead of making one more."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    name = bench.file.parent / "shots" / "boat_00001_.mp4"
    assert bench.engine.files.link(bench.job, name) == name
    assert not name.samefile(bench.file)
    assert stored_files.is_same_video(bench.job, name, bench.file)
    assert bench.engine.files.link(bench.job, name) == name
    name.write_bytes(bench.whole[:-1])
    assert not stored_files.is_same_video(bench.job, name, bench.file)
    assert bench.engine.ledger.job(bench.job.id).state is JobState.STORED


def test_one_place_knows_where_the_file_of_a_job_is() -> None:
    """Whoever joined the output folder and a job's path by itself would miss a file that is under another root."""
    nodes = Path(__file__).parents[2] / "nodes"
    joins = re.compile(r"(output|root|videos)\)? / job\.|Path\(job\.(root|path)")
    found = [path.name for path in nodes.rglob("*.py") if joins.search(path.read_text(encoding="utf-8"))]
    assert found == ["stored_files.py"]
