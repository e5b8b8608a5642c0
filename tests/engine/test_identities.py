"""Both versions of an identity in one ledger: rows of older code, processes that still run it, and rows that fall
together."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.errors import PurchaseUncertainError, RequestRejectedError
from sora_jobs.jobs import identity
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger import migrations
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import insert, run
from sora_jobs.media.reference import to_png

PLAIN = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
SPACED = dataclasses.replace(PLAIN, prompt="a boat\n", typed="")
SAME = np.full((720, 1280, 3), 90, np.uint8)
# The columns that older code knows nothing of.
NEWER = {"identity2": "", "slot2": None, "fit": ""}


@pytest.fixture
def ledger(tmp_path: Path, database_url: str) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, url=database_url)
    yield opened
    opened.close()


def reserve(ledger: Ledger, spec: VideoRequest) -> tuple[Job, bool]:
    return ledger.reserve(spec, origin="https://x", estimated_usd=0.32, budget=Budget(usd_per_day=1e6))


def of_older_code(ledger: Ledger, spec: VideoRequest, **more: Any) -> Job:
    """A row as a process writes it that knows version 1 alone."""
    with ledger.database.exclusive() as connection:
        job = insert(connection, spec, origin="https://x", owner=ledger.database.owner.id, now=time.time())
        changes = NEWER | more
        names = ", ".join(f"{name} = :{name}" for name in changes)
        run(connection, f"UPDATE jobs SET {names} WHERE id = :job", **changes, job=job.id)
    return ledger.job(job.id)


def slots(ledger: Ledger, job: Job) -> tuple[bool, bool]:
    """Does the row hold version 1, and version 2?"""
    with ledger.database.read() as connection:
        row = run(connection, "SELECT slot, slot2 FROM jobs WHERE id = :id", id=job.id).one()
    return row[0] is not None, row[1] is not None


def with_image(fit: str, image: np.ndarray = SAME) -> VideoRequest:
    return dataclasses.replace(PLAIN, references=(Reference(image, fit),))


def keep(folder: Path, image: np.ndarray = SAME) -> str:
    """The kept reference, as a row names it."""
    (folder / "references").mkdir(exist_ok=True)
    name = f"{'0' * 63}{image.shape[0] % 10}.png"
    (folder / "references" / name).write_bytes(to_png(image))
    return f'["{name}"]'


def test_the_same_request_in_other_words_is_one_row(ledger: Ledger) -> None:
    """White space around the prompt, and a fit that does nothing."""
    job, _ = reserve(ledger, PLAIN)
    assert reserve(ledger, SPACED) == (job, False)
    image, _ = reserve(ledger, with_image("crop"))
    assert image.fit == "crop"
    assert reserve(ledger, with_image("pad")) == reserve(ledger, with_image("stretch")) == (image, False)
    assert ledger.queries.active_purchase(SPACED) == job
    assert ledger.queries.was_requested(SPACED)


def test_a_process_with_older_code_is_joined(ledger: Ledger) -> None:
    """Its row has version 1 alone: the same words find it, and so do words that change nothing."""
    theirs = of_older_code(ledger, SPACED, state="submitted", video_id="v1")
    assert reserve(ledger, SPACED)[0].id == theirs.id
    assert reserve(ledger, PLAIN)[0].id == theirs.id
    assert slots(ledger, theirs) == (True, True)


def test_a_process_with_older_code_joins_ours(ledger: Ledger) -> None:
    """It looks for version 1 of what was typed, which our row has as well."""
    ours, _ = reserve(ledger, SPACED)
    with ledger.database.read() as connection:
        found = run(connection, "SELECT id FROM jobs WHERE slot = :v1", v1=SPACED.identity.v1).scalars().all()
    assert found == [ours.id]


@pytest.mark.parametrize("end", ["refused", "lost"])
def test_what_older_code_freed_can_be_bought_again(ledger: Ledger, end: str) -> None:
    """It empties the slot that it knows, and leaves version 2 in the row."""
    job, _ = reserve(ledger, PLAIN)
    with ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET state = :end, slot = NULL WHERE id = :job", end=end, job=job.id)
    again, mine = reserve(ledger, SPACED)
    assert mine
    assert again.id != job.id


@pytest.mark.parametrize("end", ["refused", "lost"])
def test_what_we_free_is_free_in_both_versions(ledger: Ledger, end: str) -> None:
    job, _ = reserve(ledger, PLAIN)
    if end == "refused":
        ledger.refused(job.id, RequestRejectedError("no"))
    else:
        ledger.unknown(job.id, PurchaseUncertainError("cut"))
        ledger.reconcile(job.id)
    assert slots(ledger, job) == (False, False)
    assert reserve(ledger, PLAIN)[1]


def test_rows_that_fall_together_leave_the_best_in_front(ledger: Ledger, tmp_path: Path) -> None:
    """One picture of the video's size was bought in three fits. The row with a video is used whatever the fit; the
    others keep what they are, and count again when that one is gone."""
    files = keep(tmp_path)
    states = {"crop": "failed", "pad": "stored", "stretch": "unknown"}
    rows = {
        fit: of_older_code(ledger, with_image(fit), state=state, reference_files=files, video_id=f"v-{fit}")
        for fit, state in states.items()
    }
    for fit in states:
        found, mine = reserve(ledger, with_image(fit))
        assert (found.id, mine) == (rows["pad"].id, False)
    for fit, row in rows.items():
        now = ledger.job(row.id)
        assert (now.state, now.fit, now.identity2) == (states[fit], fit, with_image("pad").identity.v2)
        assert slots(ledger, row) == (True, fit == "pad")
    with ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET slot = NULL, slot2 = NULL WHERE id = :id", id=rows["pad"].id)
    assert reserve(ledger, with_image("pad"))[0].id == rows["stretch"].id


def test_an_alpha_that_hides_nothing_is_left_out_of_a_row_of_older_code(ledger: Ledger, tmp_path: Path) -> None:
    """Version 1 comes out of the kept image as it is, version 2 without its alpha: each of both asks for that row."""
    opaque = np.dstack([SAME, np.full(SAME.shape[:2], 255, np.uint8)])
    row = of_older_code(ledger, with_image("pad", opaque), reference_files=keep(tmp_path, opaque))
    for image in (SAME, opaque):
        assert reserve(ledger, with_image("pad", image))[0].id == row.id
    assert ledger.job(row.id).identity2 == with_image("pad").identity.v2


def test_a_fit_that_does_something_stays_another_purchase(ledger: Ledger, tmp_path: Path) -> None:
    """With images of another shape the three fits are three videos, found by the identity that each row has."""
    wide = np.random.default_rng(1).integers(0, 255, (40, 96, 4), np.uint8)
    files = keep(tmp_path, wide)
    rows = {fit: of_older_code(ledger, with_image(fit, wide), reference_files=files) for fit in ("crop", "pad")}
    for fit, row in rows.items():
        assert reserve(ledger, with_image(fit, wide))[0].id == row.id
        assert ledger.job(row.id).fit == fit
    assert ledger.job(rows["crop"].id).identity2 != ledger.job(rows["pad"].id).identity2


@pytest.mark.parametrize("damage", ["gone", "other", "damaged"])
def test_a_row_whose_images_are_elsewhere_is_found_by_version_1(ledger: Ledger, tmp_path: Path, damage: str) -> None:
    """They are on another machine, or were replaced: nothing is guessed, and nothing is bought twice."""
    files = keep(tmp_path)
    kept = next((tmp_path / "references").iterdir())
    row = of_older_code(ledger, with_image("pad"), reference_files=files)
    if damage == "gone":
        kept.unlink()
    elif damage == "other":
        cv2.imwrite(str(kept), SAME + 1)
    else:
        kept.write_bytes(b"no picture")
    assert reserve(ledger, with_image("pad"))[0].id == row.id
    assert (ledger.job(row.id).identity2, ledger.job(row.id).fit) == ("", "")


def test_an_identity_is_completed_once(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are not here are not looked for at each purchase."""
    of_older_code(ledger, with_image("pad"), reference_files='["0.png"]')
    looked, place = list[str](), ledger.references.place
    monkeypatch.setattr(ledger.references, "place", lambda name: looked.append(name) or place(name))
    for take in (2, 3, 4):
        reserve(ledger, dataclasses.replace(PLAIN, take=take))
    assert len(looked) == 1


def test_a_ledger_of_the_fourth_schema_is_brought_up_to_date(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All kinds of rows; a purchase of before is the first thing that is asked for."""
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", migrations.STEPS[:4])
        old = Ledger(tmp_path, url=database_url)
        with old.database.write() as connection:
            run(connection, "SELECT count(*) FROM jobs")
        old.close()
    ledger = Ledger(tmp_path, url=database_url)
    try:
        remix = VideoRequest(kind="remix", provider="cometapi", prompt=" at night ", parent="v1")
        opened = ledger.adopt("cometapi", "https://x", "video_9")
        rows = [of_older_code(ledger, spec, state="stored") for spec in (SPACED, remix)]
        with ledger.database.write() as connection:
            run(connection, "UPDATE jobs SET identity2 = '', slot2 = NULL, fit = ''")
        assert ledger.queries.active_purchase(PLAIN) == ledger.job(rows[0].id)
        assert ledger.queries.active_purchase(dataclasses.replace(remix, prompt="at night")) == ledger.job(rows[1].id)
        assert ledger.job(opened.id).identity2
    finally:
        ledger.close()


def test_an_answer_that_comes_late_holds_both_again(ledger: Ledger) -> None:
    """A sleeper's row was freed meanwhile; the id of its job counts, unless another row stands for the purchase."""
    job, _ = reserve(ledger, PLAIN)
    ledger.sending(job.id)
    with ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET state = 'refused', slot = NULL WHERE id = :id", id=job.id)
    ledger.submitted(job.id, RemoteVideo(id="v1", phase="waiting", status="queued"))
    assert slots(ledger, job) == (True, True)
    assert reserve(ledger, SPACED)[0].id == job.id


def test_the_images_are_hashed_once_and_outside_of_transactions(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones take a while, in which nobody else could write."""
    from sora_jobs.jobs import spec as module

    hashed: list[int] = []
    real = module.hashlib.sha256
    monkeypatch.setattr(module.hashlib, "sha256", lambda data: (hashed.append(len(data)), real(data))[1])
    spec = with_image("pad")
    for _ in range(3):
        reserve(ledger, spec)
        ledger.queries.active_purchase(spec)
    assert hashed.count(SAME.nbytes) == 1
    assert ledger.job(ledger.jobs()[0].id).state is JobState.RESERVED


def test_an_old_rows_prompt_loses_the_white_space_around_it() -> None:
    """It was kept as it was typed, and is the same purchase as what is typed today."""
    asked = {"kind": "create", "provider": "sandbox", "prompt": "a boat", "model": "sora-2", "seconds": "4"}
    asked |= {"size": "1280x720", "take": 1, "extra_fields": {}, "parent": ""}
    typed = asked | {"prompt": " a boat\n"}
    assert identity.version_2(typed) == identity.version_2(asked)
    assert identity.version_1(typed) != identity.version_1(asked)
