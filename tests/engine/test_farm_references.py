"""On a farm the images that went up with jobs are kept where every machine finds them."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.delivery.receipts import receipt_of
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, StorageError
from sora_jobs.jobs.spec import Job, Reference, VideoRequest, fingerprints
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.identities import fingerprints_of
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run
from sora_jobs.media.reference import to_png

from ..failures import failing
from ..postgres import Server

PIXELS = np.random.default_rng(3).integers(0, 255, (40, 60, 3), np.uint8)
SPEC = VideoRequest(
    provider="sandbox", prompt="a boat", model="seedance-2-5", seconds="4", size="854x480",
    references=(Reference(PIXELS, "pad"),),
)  # fmt: skip
Start = Callable[..., Engine]


@pytest.fixture
def start(postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the engine of the farm's machine of that name, which is also that of its state folder."""
    url, made = postgresql.database(), []

    def machine(host: str, output: Path = tmp_path / "output") -> Engine:
        env = {"SORA_DATABASE_URL": url, "SORA_SANDBOX_SECONDS": "0.2", "SORA_POLL_SECONDS": "0.05"}
        engine = Engine(tmp_path / host, output, env=env)
        made.append(engine)
        with monkeypatch.context() as here:
            here.setattr("socket.gethostname", lambda: host)
            assert engine.ledger.database.owner.host == host
        return engine

    yield machine
    for engine in made:
        engine.close()


def bought(engine: Engine, spec: VideoRequest = SPEC) -> Job:
    return engine.start_create(spec).result(30).job


def kept_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def change(engine: Engine, job: Job, **columns: Any) -> None:
    """As older code, or a damaged disk, left the row."""
    with engine.ledger.database.write() as connection:
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        run(connection, f"UPDATE jobs SET {assignments} WHERE id = :job", job=job.id, **columns)


def moved_home(engine: Engine, job: Job) -> Path:
    """The job's image where older code kept it: in the machine's own state folder."""
    (place,) = engine.history.references(job.id)
    own = engine.settings.home / "references" / place.name
    own.parent.mkdir()
    place.rename(own)
    return own


def test_another_machine_finds_what_one_kept(start: Start, tmp_path: Path) -> None:
    """In the folder for videos, under a name that ComfyUI's lists leave out; also once the first machine is gone."""
    one, two = start("one"), start("two")
    job = bought(one)
    (place,) = two.history.references(job.id)
    assert place.is_relative_to(tmp_path / "output")
    assert place.relative_to(tmp_path / "output").parts[0].startswith(".")
    assert one.history.references(job.id) == [place]
    assert fingerprints_of(place) == fingerprints(PIXELS)
    assert two.history.again(job.id) == {"fit": "pad", "take": 2}
    assert kept_in(tmp_path / "one") == kept_in(tmp_path / "two") == []
    one.close()
    shutil.rmtree(tmp_path / "one")
    assert two.history.references(job.id) == [place]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_every_user_of_the_machines_may_read_it(start: Start, tmp_path: Path) -> None:
    """ComfyUI may run as another one there; where nobody shares the folder it stays private."""
    before = os.umask(0o022)
    try:
        job = bought(start("one"))
        alone = Engine(tmp_path / "alone", tmp_path / "its output", env={"SORA_SANDBOX_SECONDS": "0.2"})
        try:
            (own,) = alone.history.references(bought(alone).id)
        finally:
            alone.close()
    finally:
        os.umask(before)
    (shared,) = start("two").history.references(job.id)
    assert (shared.stat().st_mode & 0o777, shared.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert own == tmp_path / "alone" / "references" / shared.name
    assert (own.stat().st_mode & 0o777, own.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_older_code_kept_is_found_on_its_machine(start: Start, tmp_path: Path) -> None:
    one, two = start("one"), start("two")
    job = bought(one)
    own = moved_home(one, job)
    assert one.history.references(job.id) == [own]
    with failing(StorageError, "missing_reference", "machine one") as caught:
        two.history.references(job.id)
    assert caught.value.job == job.id
    shared = tmp_path / "output" / ".sora-farm" / "references"
    assert str(shared) in caught.value.hint
    with failing(StorageError, "missing_reference", "machine one"):
        two.history.again(job.id)
    change(one, job, machine="")  # the name was not recorded then
    with failing(StorageError, "missing_reference", "Another machine"):
        two.history.references(job.id)
    shutil.copyfile(own, shared / own.name)  # as the advice says
    assert two.history.references(job.id) == one.history.references(job.id) == [shared / own.name]


def test_a_machine_with_another_output_folder_names_the_one_that_has_it(start: Start, tmp_path: Path) -> None:
    job = bought(start("one"))
    with failing(StorageError, "missing_reference", "machine one"):
        start("two", tmp_path / "elsewhere").history.references(job.id)


def test_the_same_image_from_another_machine_is_the_same_purchase(start: Start, tmp_path: Path) -> None:
    """Also where older code wrote its row without the second identity: the image is found, and tells it."""
    one, two = start("one"), start("two")
    job = bought(one)
    change(one, job, identity2="", slot2=None, fit="")
    again = two.start_create(SPEC).result(30)
    assert (again.job.id, again.reused) == (job.id, True)
    now = two.ledger.job(job.id)
    assert (now.identity2, now.fit) == (SPEC.identity.v2, "pad")
    assert len(kept_in(tmp_path / "output")) == 1


def test_what_a_dead_machine_left_is_sent_with_its_image(start: Start, tmp_path: Path) -> None:
    """Reserved there, sent here: the row names the image, which is in the common folder."""
    one, two = start("one"), start("two")
    files = [one.ledger.references.keep(to_png(PIXELS))]
    job, mine = one.ledger.reserve(
        SPEC, origin=one.providers.client("sandbox").provider.origin, estimated_usd=0.0,
        budget=one.settings.read().budget, references=files,
    )  # fmt: skip
    assert mine
    one.ledger.database.owner.close()
    shutil.rmtree(tmp_path / "one")
    done = two.start_create(SPEC).result(30).job
    assert (done.id, done.machine) == (job.id, "two")
    assert [path.name for path in two.history.references(done.id)] == files
    assert two.start_wait(done.id, timeout=30).future.result(60).state is JobState.STORED


def test_a_place_that_cannot_be_written_is_told_before_anything_is_bought(start: Start, tmp_path: Path) -> None:
    """By the purchase, and by the doctor; a job without an image is bought."""
    one = start("one")
    (tmp_path / "output" / ".sora-farm").mkdir(parents=True)
    (tmp_path / "output" / ".sora-farm" / "references").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        one.start_create(SPEC).result(30)
    assert caught.value.charge == "none"
    assert one.ledger.jobs() == []
    failed = [finding.text for finding in examine(one) if (finding.name, finding.level) == ("farm", "failed")]
    assert len(failed) == 1
    assert ".sora-farm" in failed[0]
    assert bought(one, dataclasses.replace(SPEC, references=())).state is not JobState.REFUSED
    (tmp_path / "output" / ".sora-farm" / "references").unlink()
    assert {finding.level for finding in examine(one) if finding.name == "farm"} == {"ok"}
    assert list((tmp_path / "output" / ".sora-farm" / "references").iterdir()) == []


def test_an_import_brings_its_images_to_every_machine(start: Start, tmp_path: Path) -> None:
    alone = Engine(tmp_path / "alone", tmp_path / "its output", env={"SORA_SANDBOX_SECONDS": "0.2"})
    job = bought(alone)
    alone.close()
    one, two = start("one"), start("two")
    assert one.maintenance.import_home(tmp_path / "alone").added == 1
    (place,) = two.history.references(job.id)
    assert place.is_relative_to(tmp_path / "output")
    assert place.read_bytes() == (tmp_path / "alone" / "references" / place.name).read_bytes()
    again = two.start_create(SPEC).result(30)
    assert (again.job.id, again.reused) == (job.id, True)


def test_a_ledger_is_rebuilt_with_the_images_of_all_machines(start: Start) -> None:
    """From receipts of older versions, which tell no identity: the images do."""
    one, two = start("one"), start("two")
    job = bought(one, dataclasses.replace(SPEC, references=(Reference(PIXELS, "crop"),)))
    done = one.start_wait(job.id, timeout=30).future.result(60)
    receipt = receipt_of(one.path(done))
    told = json.loads(receipt.read_text(encoding="utf-8"))
    kept = {name: value for name, value in told.items() if name not in ("identity", "identity2", "fit")}
    receipt.write_text(json.dumps(kept), encoding="utf-8")
    with one.ledger.database.write() as connection:
        run(connection, "DELETE FROM jobs")
    assert two.maintenance.rebuild().receipts == 1
    assert (two.ledger.job(job.id).identity, two.ledger.job(job.id).identity2) == (job.identity, job.identity2)


def test_a_backup_names_where_the_images_are(start: Start, tmp_path: Path) -> None:
    """What copies the database does not copy them."""
    one = start("one")
    for act in (one.maintenance.backup, one.maintenance.restore):
        with pytest.raises(InvalidInputError) as caught:
            act(tmp_path / "l.zip")
        assert str(tmp_path / "output" / ".sora-farm" / "references") in caught.value.hint


def test_a_ledger_without_an_output_folder_keeps_them_beside_itself(tmp_path: Path) -> None:
    """Whoever opens the ledger alone, and every single machine, also one whose output folder a farm used once."""
    for ledger in (Ledger(tmp_path / "home"), Ledger(tmp_path / "home", output=tmp_path / "output")):
        assert ledger.references.folders == (tmp_path / "home" / "references",)
        ledger.close()
