"""A purchase goes by one reading of the owner's files: it never sees half of an edit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import BudgetExceededError
from sora_jobs.jobs.spec import JobState, VideoRequest
from sora_jobs.ledger.whereabouts import Whereabouts

from ..failures import failing
from ..readings import FILES, counted_readings
from ..timings import FAST
from .ugly import UglyServer, answer

SPEC = VideoRequest(provider="mine", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
ACCEPTED = answer(200, {"id": "video_1", "status": "queued"})
ENV = {"MINE_KEY": "sk-test-key-123"}


def provider_at(url: str) -> str:
    return f'[provider.mine]\nbase_url = "{url}"\nkey_variable = "MINE_KEY"\nusd_per_second = 0.1\n'


@pytest.fixture
def server() -> Iterator[UglyServer]:
    with UglyServer([ACCEPTED, answer(200, {"id": "video_2", "status": "queued"})]) as made:
        yield made


def test_each_file_is_opened_once_in_a_purchase(tmp_path: Path, server: UglyServer) -> None:
    """Of an engine that has its ledger open; the first purchase also reads where that is."""
    (tmp_path / "providers.toml").write_text(provider_at(server.url), encoding="utf-8")
    engine = Engine(tmp_path, tmp_path / "output", env=ENV, timing=FAST)
    try:
        engine.start_create(SPEC).result(30)
        with counted_readings() as counts:
            engine.start_create(dataclasses.replace(SPEC, take=2)).result(30)
    finally:
        engine.close()
    assert counts == dict.fromkeys(FILES, 1)
    assert server.count("POST") == 2


def test_each_file_is_opened_once_by_the_doctor(tmp_path: Path, server: UglyServer) -> None:
    (tmp_path / "providers.toml").write_text(provider_at(server.url), encoding="utf-8")
    engine = Engine(tmp_path, tmp_path / "output", env=ENV, timing=FAST)
    try:
        engine.start_create(SPEC).result(30)
        with counted_readings() as counts:
            examine(engine)
    finally:
        engine.close()
    assert counts == dict.fromkeys(FILES, 1)


def test_an_edit_in_the_middle_counts_from_the_next_purchase_on(
    tmp_path: Path, server: UglyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider moved and the cap lowered, after the provider was looked up and before the budget is: the purchase
    goes where it was begun, by the cap of that moment; the next one goes by the new files."""
    settings, providers = tmp_path / "settings.toml", tmp_path / "providers.toml"
    providers.write_text(provider_at(server.url), encoding="utf-8")

    def edit(_: Whereabouts) -> list[Path]:  # asked in the middle of a purchase: which other ledgers there are
        settings.write_text("[budget]\nusd_per_job = 0.1\n", encoding="utf-8")
        providers.write_text(provider_at("http://127.0.0.1:9"), encoding="utf-8")
        return []

    monkeypatch.setattr(Whereabouts, "others", edit)
    engine = Engine(tmp_path, tmp_path / "output", env=ENV, timing=FAST, others=True)
    try:
        job = engine.start_create(SPEC).result(30).job
        assert (job.state, job.origin) == (JobState.SUBMITTED, server.url)
        with failing(BudgetExceededError, "budget_per_job"):
            engine.start_create(dataclasses.replace(SPEC, take=2)).result(30)
    finally:
        engine.close()
    assert server.count("POST") == 1


def test_a_reading_does_not_change(tmp_path: Path) -> None:
    """Neither with the files nor with the variables; the next one has what is new."""
    env = {"SORA_LANGUAGE": "vi"}
    engine = Engine(tmp_path, tmp_path / "output", env=env)
    try:
        before = engine.settings.read()
        env["SORA_LANGUAGE"] = "zh"
        (tmp_path / "settings.toml").write_text("receipts = false\n", encoding="utf-8")
        (tmp_path / "page.json").write_text('{"rescue": false}', encoding="utf-8")
        after = engine.settings.read()
    finally:
        engine.close()
    assert (before.language, before.receipts, before.background_downloads) == ("vi", True, True)
    assert (after.language, after.receipts, after.background_downloads) == ("zh", False, False)
