"""Errors of the pack's own have codes, which programs compare: here those that no other test needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.providers_toml import check_row
from sora_jobs.delivery.receipts import origin_of
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, MediaError, SoraError, StorageError
from sora_jobs.jobs.spec import JobState, VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.media import backends
from sora_jobs.media.clip import clip_of_images
from sora_jobs.media.selection import FrameChoice
from sora_jobs.models.catalogue import Catalogue

from ..failures import failed_as, failing

USAGE = {
    "costs in two formats": ["costs", "--csv", "--json"],
    "an export of another kind": ["jobs", "--export", "jobs.txt", "--json"],
    "a project without a job": ["jobs", "--set-project", "x", "--json"],
    "a project with a filter": ["jobs", "--set-project", "x", "video_1", "--state", "stored", "--json"],
    "nothing to restore": ["restore", "--json"],
    "a sheet that is no PNG": ["frames", "a.mp4", "--sheet", "a.jpg", "--json"],
}
PIXELS = np.zeros((2, 8, 8, 3), np.float32)
NEEDS_A_VIDEO = next(name for name, model in Catalogue.shipped().models.items() if model.needs)
Call = Callable[[Path], object]
CALLS: dict[str, tuple[type[SoraError], str, Call]] = {
    "a VIDEO without images": (
        InvalidInputError, "no_images", lambda _: clip_of_images(PIXELS[:0], 24, None, 0, FrameChoice()),
    ),
    "images without channels": (
        InvalidInputError, "invalid_image", lambda _: clip_of_images(PIXELS[..., 0], 24, None, 0, FrameChoice()),
    ),
    "a model that works on a video": (
        InvalidInputError, "model_unsupported", lambda _: Catalogue.shipped().check_choice(NEEDS_A_VIDEO, "4", ""),
    ),
    "a name that no provider can have": (
        InvalidInputError, "invalid_provider_name", lambda _: check_row("A B", {}),
    ),
    "a video that is a folder": (
        InvalidInputError, "unreadable_video", lambda home: origin_of(home, Ledger(home)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_has_its_code(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*USAGE[name], "--home", str(tmp_path)]) == 2
    failed_as(json.loads(capsys.readouterr().out), "wrong_usage")


@pytest.mark.parametrize("name", CALLS)
def test_wrong_input_has_its_code(name: str, tmp_path: Path) -> None:
    kind, code, call = CALLS[name]
    with failing(kind, code):
        call(tmp_path)


def test_a_library_that_cannot_be_loaded_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    backends.av.cache_clear()
    monkeypatch.setitem(sys.modules, "av", None)
    with failing(MediaError, "pyav_unusable"):
        backends.av()


def test_a_file_that_is_gone_or_in_the_way_has_its_code(tmp_path: Path) -> None:
    """A stored video whose file was deleted, a name that is taken, and a backup that would replace another file."""
    with closing(Engine(tmp_path / "home", tmp_path / "output", env={})) as engine:
        spec = VideoRequest(provider="sandbox", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
        job, _ = engine.ledger.reserve(spec, origin="x", estimated_usd=0.0, budget=engine.settings.read().budget)
        job = engine.ledger.stored(job.id, path="sora/a.mp4", root=str(tmp_path / "output"), sha256="0", size=1)
        assert job.state is JobState.STORED
        with failing(StorageError, "stored_file_gone", job.id):
            engine.files.path(job)
        (tmp_path / "output" / "sora").mkdir(parents=True)
        (tmp_path / "output" / "sora" / "a.mp4").write_bytes(b"a")
        (tmp_path / "taken.mp4").write_bytes(b"another one")
        with failing(StorageError, "file_exists", "taken.mp4"):
            engine.files.link(job, tmp_path / "taken.mp4")
        with failing(InvalidInputError, "file_exists", "taken.mp4"):
            engine.maintenance.backup(tmp_path / "taken.mp4")


def test_a_shared_ledger_is_copied_by_its_own_programs(tmp_path: Path) -> None:
    env = {"SORA_DATABASE_URL": "postgresql+psycopg://elsewhere/db"}
    with (
        closing(Engine(tmp_path / "home", tmp_path / "output", env=env)) as engine,
        failing(InvalidInputError, "ledger_shared", "pg_dump"),
    ):
        engine.maintenance.backup(tmp_path / "ledger.zip")
