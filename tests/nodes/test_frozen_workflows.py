"""The workflows of an older version, run again on the state that it left: nothing is bought twice."""

from __future__ import annotations

import shutil

import pytest

from ..frozen.graphs import HERE, run_workflow
from .conftest import Bench

FROZEN = HERE / "2026-11-29"
WORKFLOWS = sorted((FROZEN / "workflows").glob("*.json"), key=lambda path: path.stem == "recover_a_video")


@pytest.fixture
def yesterday(bench: Bench) -> Bench:
    shutil.copytree(FROZEN / "ComfyUI" / "user" / "__sora", bench.home)
    shutil.copytree(FROZEN / "ComfyUI" / "output", bench.output)
    return bench


async def run_all(bench: Bench) -> dict[str, dict[int, tuple[object, ...]]]:
    """The outputs of each workflow's nodes."""
    done = {}
    for file in WORKFLOWS:
        more = {"past_job": bench.studio.labels()[-1]} if file.stem == "recover_a_video" else {}
        done[file.stem] = await run_workflow(bench.pack, file, **more)
    return done


def test_they_find_what_they_bought(yesterday: Bench) -> None:
    """Every job of theirs is in the ledger, with its file: the sandbox gets no create."""
    import asyncio

    before = {job["id"] for job in yesterday.sandbox_jobs()}
    files = {file.name: file.read_bytes() for file in yesterday.output.rglob("*.mp4")}
    done = asyncio.run(run_all(yesterday))
    assert {job["id"] for job in yesterday.sandbox_jobs()} == before
    assert {file.name: file.read_bytes() for file in yesterday.output.rglob("*.mp4")} == files
    assert len(done) == 8
    assert all(done.values())
