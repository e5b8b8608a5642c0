"""A project never reaches a provider, and what a provider charged reaches the ledger."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sora_jobs.gateway import charges
from sora_jobs.gateway.vocabulary import ReportedCharge
from sora_jobs.jobs.spec import Reference
from sora_jobs.jobs.state import JobState

from .test_purchase import ACCEPTED, SPEC, Bench
from .ugly import UglyServer, answer

DONE = answer(200, {"id": "video_1", "status": "completed", "usage": {"cost": 0.31}})
REMIXED = answer(200, {"id": "video_2", "status": "queued"})


def test_a_project_is_in_no_request(tmp_path: Path) -> None:
    """Neither in a create with an image, nor in a poll, a remix, or the names of what is uploaded."""
    with UglyServer([ACCEPTED, DONE, REMIXED]) as server:
        made = Bench(tmp_path, server.url)
        pixels = np.zeros((720, 1280, 3), np.uint8)
        secret = dataclasses.replace(SPEC, project="Client Zebra", references=(Reference(pixels),))
        job = made.buy(secret).job
        job = made.engine.ledger.observed(job.id, made.engine.providers.client("cometapi").retrieve(job.video_id))
        assert (job.project, job.state) == ("Client Zebra", JobState.COMPLETED)
        remix = made.engine.start_remix(job.id, "at night", 1, "Client Okapi").result(30).job
        assert remix.project == "Client Okapi"
        made.engine.close()
        assert [request.method for request in server.requests[:3]] == ["POST", "GET", "POST"]
        for request in server.requests:
            sent = f"{request.path} {request.headers}".encode() + request.body
            assert b"client" not in sent.lower()
            assert b"project" not in sent.lower()
    assert "zebra" not in " ".join(str(file) for file in tmp_path.rglob("*")).lower()


def test_a_remix_takes_its_parents_project_from_the_ledger(tmp_path: Path) -> None:
    """As it is by then; the same with another project is the same remix, and sends nothing."""
    with UglyServer([ACCEPTED, DONE, REMIXED]) as server:
        made = Bench(tmp_path, server.url)
        job = made.buy().job
        made.engine.ledger.observed(job.id, made.engine.providers.client("cometapi").retrieve(job.video_id))
        made.engine.history.set_project(job.id, "Winter film")
        remix = made.engine.start_remix(job.id, "at night").result(30)
        assert remix.job.project == "Winter film"
        again = made.engine.start_remix(job.id, "at night", 1, "other").result(30)
        assert (again.job.id, again.job.project, again.reused) == (remix.job.id, "Winter film", True)
        assert server.count("POST") == 2
        made.engine.close()


@pytest.mark.parametrize("known", [True, False])
def test_what_a_known_provider_charged_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """By its poll, once the job is finished; what the same field of another host means is unknown."""
    here = ReportedCharge("127.0.0.1", ("usage", "cost"), 1.0)
    if known:
        monkeypatch.setattr(charges, "CHARGES", (here, *charges.CHARGES))
    with UglyServer([ACCEPTED, DONE]) as server:
        made = Bench(tmp_path, server.url)
        job = made.buy().job
        assert job.charged_usd is None
        seen = made.engine.ledger.observed(job.id, made.engine.providers.client("cometapi").retrieve(job.video_id))
        assert (seen.state, seen.charged_usd) == (JobState.COMPLETED, 0.31 if known else None)
        told = made.engine.history.costs("provider")["total"]
        assert (told["estimated_usd"], told["usd"]) == (0.32, 0.31 if known else 0.32)
        made.engine.close()
