"""Yesterday's state opens for ever: each job that is paid for is found, and none is bought again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sora_jobs.config.extra_fields import REFUSED
from sora_jobs.delivery.receipts import origin_of
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, JobFailedError, PurchaseUncertainError
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.model import Status

from ..failures import failing
from .gateway import Gateway
from .state import STATES, State, spec


class Bench:
    """A frozen state, its gateway, and the engine on both."""

    def __init__(self, state: State, gateway: Gateway) -> None:
        self.state, self.gateway = state, gateway
        self.engine = Engine(state.home, state.output, env=state.env)


@pytest.fixture(params=STATES)
def bench(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with Gateway() as gateway:
        made = Bench(State(request.param, tmp_path, gateway.url, database_url), gateway)
        yield made
        made.engine.close()


def test_what_is_stored_is_used_and_never_bought_again(bench: Bench) -> None:
    """Each comes with the very file that it had; one that was deleted is fetched again. No file is renamed or changed,
    but for the one that came only in part."""
    before = bench.state.files()
    for row in bench.state.rows("stored"):
        submission = bench.engine.start_create(spec(row)).result(30)
        assert (submission.job.id, submission.reused) == (row["job"], True), row
        done = bench.engine.start_wait(row["job"], timeout=30).future.result(60)
        assert (done.state, done.path) == (JobState.STORED, row["path"])
        assert bench.engine.path(done).is_file()
    assert bench.gateway.creates == []
    after = bench.state.files()
    cut = {row["path"] for row in bench.state.asked if row.get("does") == "cut"}
    assert {name: data for name, data in before.items() if name not in cut}.items() <= after.items()
    assert after.keys() - before.keys() == {row["path"] for row in bench.state.asked if row.get("file") == "deleted"}


def test_a_stored_job_is_used_though_its_fields_are_refused_today(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the list of harmless fields holds one day: that is only looked at where something is to be sent."""
    (row,) = [row for row in bench.state.rows("stored") if row.get("extra_fields")]
    monkeypatch.setattr("sora_jobs.models.catalogue.shipped", dict)
    submission = bench.engine.start_create(spec(row)).result(30)
    assert (submission.job.id, submission.reused) == (row["job"], True)
    with pytest.raises(InvalidInputError) as caught:
        bench.engine.start_create(spec(row | {"take": 99})).result(30)
    assert caught.value.code == REFUSED
    assert bench.gateway.creates == []


@pytest.mark.parametrize("left", ["retired", "gone"])
def test_a_stored_job_is_used_though_its_model_left_the_catalogue(
    bench: Bench, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retired everywhere, with other lengths and sizes; or not there at all. A new one is refused."""
    origins = [("cometapi", "2026-12-01"), *((name, "2026-12-01") for name in bench.engine.providers.names())]
    retired = {name: Status("retired", day) for name, day in origins}
    models = [
        dataclasses.replace(model, status=retired, seconds=("99",), sizes={"64x64": {"size": "64x64"}}, more=())
        for model in Catalogue.shipped().models.values()
    ]
    monkeypatch.setattr(Catalogue, "shipped", lambda: Catalogue(models if left == "retired" else []))
    for row in bench.state.rows("stored"):
        submission = bench.engine.start_create(spec(row), listed=True).result(30)
        assert (submission.job.id, submission.reused) == (row["job"], True)
        known = left == "retired" and spec(row).model in {model.id for model in models}
        with failing(InvalidInputError, "model_retired" if known else "unknown_model"):
            bench.engine.start_create(spec(row | {"take": 99}), listed=True).result(30)
    assert bench.gateway.creates == []


def test_remixes_and_what_was_opened_are_used_as_well(bench: Bench) -> None:
    for row in bench.state.asked:
        if row.get("kind") == "remix":
            submission = bench.engine.start_remix(row["of"], row["prompt"]).result(30)
        elif row.get("kind") == "opened":
            submission = None
            assert bench.engine.open(row["video_id"], "cometapi").id == row["job"]
        else:
            continue
        assert submission is None or (submission.job.id, submission.reused) == (row["job"], True)
        assert bench.engine.path(bench.engine.start_wait(row["job"], timeout=30).future.result(60)).is_file()
    assert bench.gateway.creates == []


def test_what_is_on_its_way_is_joined_and_fetched(bench: Bench) -> None:
    """Also what was half here, what the gateway did not offer any more that day, and what was not to be watched."""
    for row in bench.state.rows("submitted", "completed", "lapsed"):
        submission = bench.engine.start_create(spec(row)).result(30)
        assert (submission.job.id, submission.reused) == (row["job"], True)
        done = bench.engine.start_wait(row["job"], timeout=30).future.result(60)
        assert (done.state, bench.engine.path(done).is_file()) == (JobState.STORED, True)
    assert bench.gateway.creates == []


def test_what_failed_or_may_have_been_bought_is_not_sent_again(bench: Bench) -> None:
    for row in bench.state.rows("failed", "unknown"):
        if row.get("references"):  # one picture of the video's size was bought in each fit: see below
            continue
        with pytest.raises(JobFailedError if row["as"] == "failed" else PurchaseUncertainError) as caught:
            bench.engine.start_create(spec(row)).result(30)
        assert caught.value.job == row["job"]
    sent = next(row for row in bench.state.rows("reserved") if row["sent"])
    with pytest.raises(PurchaseUncertainError):
        bench.engine.start_create(spec(sent)).result(30)
    assert bench.gateway.creates == []


def test_what_was_bought_twice_is_one_purchase_now(bench: Bench) -> None:
    """One picture of the video's size in each of the three fits, and one prompt with and without white space around
    it: whatever is asked for, the row with the video is used, and the other rows are kept."""
    rows = [row for row in bench.state.asked if row["prompt"] in ("As large as the video", "White space at both ends")]
    stored = next(row["job"] for row in rows if row["as"] == "stored" and row.get("references"))
    for row in rows:
        if row.get("references"):
            submission = bench.engine.start_create(spec(row)).result(30)
            assert (submission.job.id, submission.reused) == (stored, True)
        assert bench.engine.ledger.job(row["job"]).state == row["as"]
    spaced = next(row for row in bench.state.asked if row["prompt"] == "  White space at both ends")
    for prompt in ("White space at both ends", "White space at both ends\n", "  White space at both ends"):
        assert bench.engine.start_create(spec(spaced | {"prompt": prompt})).result(30).job.id == spaced["job"]
    assert bench.gateway.creates == []


def test_every_row_has_both_versions_of_its_identity(bench: Bench) -> None:
    """Also those with images, whose fit nobody had noted."""
    bench.engine.start_create(spec(bench.state.rows("stored")[0])).result(30)
    for row in bench.state.asked:
        job = bench.engine.ledger.job(row["job"])
        if job.kind == "create":
            assert (job.identity, job.identity2) == spec(row).identity
            assert job.fit == (row["fit"] if row.get("references") else "")
        assert job.identity2


def test_what_was_never_bought_may_be_sent(bench: Bench) -> None:
    """Refused, declared lost, and reserved by a process that died before it sent anything."""
    free = [row for row in bench.state.rows("refused", "lost", "reserved") if not row.get("sent")]
    free = [row for row in free if row["prompt"] != "White space at both ends"]  # bought with white space: see above
    for row in free:
        assert bench.engine.start_create(spec(row)).result(30).reused is False
    assert sorted(bench.gateway.creates) == sorted(row["prompt"] for row in free)


def test_the_owners_files_mean_what_they_meant(bench: Bench) -> None:
    settings = bench.engine.settings.read()
    assert (settings.budget.usd_per_day, settings.budget.usd_per_job) == (500, 9)
    assert (settings.language, settings.background_downloads, settings.receipts) == ("en", True, True)
    assert settings.allowed_hosts == {"comfy.example.com"}
    assert [str(one) for one in settings.download_ranges] == ["10.1.2.0/24"]
    assert bench.engine.providers.names() == ["cometapi", "sandbox", "mine", "other"]
    assert settings.faults() == []


def test_receipts_tell_the_job_without_the_ledger(bench: Bench, tmp_path: Path) -> None:
    """On another machine, say."""
    empty = Ledger(tmp_path / "elsewhere")
    try:
        for row in bench.state.rows("stored"):
            if row.get("file") != "deleted":
                found, receipt = origin_of(bench.state.output / row["path"], empty)
                assert found is None
                assert (receipt["job"], receipt["video_id"]) == (row["job"], row["video_id"])
    finally:
        empty.close()
