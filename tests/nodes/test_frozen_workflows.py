"""The workflows of older versions, run again on the state that each left: nothing is bought twice."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from ..frozen.graphs import HERE, run_workflow
from ..frozen.state import STATES
from .conftest import Bench


def test_every_frozen_folder_is_opened() -> None:
    """One that is not in the list would be tested by nothing."""
    assert {path.parent.name for path in HERE.glob("*/ComfyUI")} == set(STATES)


async def run_all(bench: Bench, workflows: list[Path]) -> dict[str, dict[int, tuple[object, ...]]]:
    """The outputs of each workflow's nodes."""
    done = {}
    for file in sorted(workflows, key=lambda path: path.stem == "recover_a_video"):
        more = {"past_job": bench.engine.history.labels()[-1]} if file.stem == "recover_a_video" else {}
        done[file.stem] = await run_workflow(bench.pack, file, **more)
    return done


@pytest.mark.parametrize("state", STATES)
def test_they_find_what_they_bought(bench: Bench, state: str) -> None:
    """Every job of theirs is in the ledger, with its file: the sandbox gets no create."""
    frozen = HERE / state
    shutil.copytree(frozen / "ComfyUI" / "user" / "__sora", bench.home)
    shutil.copytree(frozen / "ComfyUI" / "output", bench.output)
    before = {job["id"] for job in bench.sandbox_jobs()}
    files = {file.name: file.read_bytes() for file in bench.output.rglob("*.mp4")}
    workflows = sorted((frozen / "workflows").glob("*.json"))
    done = asyncio.run(run_all(bench, workflows))
    assert {job["id"] for job in bench.sandbox_jobs()} == before
    assert {file.name: file.read_bytes() for file in bench.output.rglob("*.mp4")} == files
    assert len(done) == len(workflows) >= 8
    assert all(done.values())
