"""Jobs that are queued here, since their provider has as many as it may have: what nodes give, show and wait for."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..failures import failing
from ..gateway.studio import Studio, open_studio
from .conftest import Bench

OWN = {"provider": "mine", "custom_model": "own", "size": "160x96"}


@pytest.fixture
def studio(tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The provider `mine`, which may have one job at once."""
    with open_studio(tmp_path) as made:
        made.add_to(bench.home, "at_once = 1\nusd_per_second = 0.1\n")
        monkeypatch.setenv("MINE_KEY", "sk-key-12345")
        yield made
        made.finish()


async def create(bench: Bench, prompt: str, unique_id: str = "1") -> Any:
    """The job of a CreateSoraJob at `mine`."""
    return (await bench.create(prompt, unique_id, **OWN)).args[0]


async def waiting(bench: Bench, job: Any, text: str, **more: Any) -> asyncio.Task[Any]:
    """A WaitForVideo that shows `text` by now."""
    task = asyncio.create_task(bench.wait(job, "2", **more))
    async with asyncio.timeout(20):
        while not any(text in line for line in bench.page.texts("2")):
            assert not task.done()
            await asyncio.sleep(0.02)
    return task


def test_a_queued_job_is_given_at_once_and_waited_for(bench: Bench, studio: Studio) -> None:
    """Without an id, with its place in the node; the time in the line is none of the timeout."""

    async def road() -> Any:
        first = await create(bench, "a boat")
        made = await bench.create("b boat", "1", **OWN)
        assert (first.video_id, made.args[1]) == ("video_1", "")
        job = made.args[0]
        await bench.pack.run("SoraSubmitOnly", "4", job=job)
        opened = await bench.pack.run("SoraOpenJob", "5", video_id=job.id)
        assert (opened.args[0].id, opened.args[1]) == (job.id, "")
        shown = f"queued here · {job.id}"
        assert [bench.page.texts(node) for node in ("1", "4", "5")] == [[shown]] * 3
        task = await waiting(bench, job, "queued, 1st in line", timeout_minutes=0.01)
        await asyncio.sleep(0.8)
        assert not task.done()
        studio.renders_s = 0.0
        studio.finish()
        return (await asyncio.wait_for(task, 20)).args

    video, done, _ = asyncio.run(road())
    assert (done.state.value, done.video_id, studio.prompts) == ("stored", "video_2", ["a boat", "b boat"])
    frames = asyncio.run(bench.frames(video))
    assert frames.args[3] > 0


def test_what_is_queued_has_nothing_to_start_from(bench: Bench, studio: Studio) -> None:
    """A remix or a picture of it says that it is not finished; nothing is sent."""

    async def queued() -> Any:
        await create(bench, "a boat")
        return await create(bench, "b boat")

    job = asyncio.run(queued())
    with failing(bench.pack.error("InvalidInputError"), "job_not_finished", job.id, "queued") as caught:
        asyncio.run(bench.pack.run("Remix", job=job, prompt="at night", take=1))
    assert "WaitForVideo" in caught.value.hint
    with pytest.raises(bench.pack.error("NotFinishedError")) as unfinished:
        asyncio.run(bench.pack.run("SoraThumbnail", job=job))
    assert (unfinished.value.code, unfinished.value.job) == ("job_not_finished", job.id)
    assert studio.prompts == ["a boat"]


def test_a_remix_is_queued_like_any_other(bench: Bench, studio: Studio) -> None:
    async def road() -> Any:
        studio.renders_s = 0.0
        parent = (await bench.wait(await create(bench, "a boat"))).args[1]
        studio.renders_s = None
        await create(bench, "b boat")
        return await bench.pack.run("Remix", "6", job=parent, prompt="at night", take=1)

    job, video_id = asyncio.run(road()).args
    assert (job.kind, job.state.value, video_id) == ("remix", "queued", "")
    assert bench.page.texts("6") == [f"queued here · {job.id}"]


def test_an_interrupt_leaves_the_job_in_the_line(bench: Bench, studio: Studio) -> None:
    """It ends the waiting alone: the job is sent in its turn, or cancelled by a person."""
    from comfy.model_management import InterruptProcessingException, interrupt_current_processing

    async def interrupted() -> Any:
        await create(bench, "a boat")
        job = await create(bench, "b boat")
        task = await waiting(bench, job, "queued, 1st in line")
        interrupt_current_processing()
        with pytest.raises(InterruptProcessingException):
            await asyncio.wait_for(task, 5)
        return job

    job = asyncio.run(interrupted())
    assert bench.engine.queue.places() == {job.id: 1}
    bench.engine.queue.cancel(job.id)
    assert bench.engine.queue.places() == {}
    studio.finish()
    with failing(bench.pack.error("NotPurchasedError"), "cancelled", job.id, "cancelled before it was sent"):
        asyncio.run(bench.wait(job))
    assert studio.prompts == ["a boat"]


def fingerprints(bench: Bench) -> list[int]:
    """What the host asks the nodes 1 and 7 before each run: do they still give what they gave?"""
    from comfy_execution.utils import CurrentNodeContext

    found = []
    for unique_id in ("1", "7"):
        with CurrentNodeContext("prompt", unique_id, 0):
            found.append(bench.pack.nodes["CreateSoraJob"].fingerprint_inputs(prompt="b boat"))
    return found


@pytest.mark.parametrize("end", ["cancelled", "program ended", "sent"])
def test_a_node_asks_again_for_what_nobody_sends_any_more(bench: Bench, studio: Studio, end: str) -> None:
    """The host would give the same job for ever, of which no video comes. What was sent is given as it was: nothing
    that follows is done anew."""

    async def road() -> Any:
        await create(bench, "a boat")
        await create(bench, "c boat", "7")
        return await create(bench, "b boat")

    job = asyncio.run(road())
    before = fingerprints(bench)
    assert fingerprints(bench) == before
    if end == "cancelled":
        bench.engine.queue.cancel(job.id)
    elif end == "program ended":
        engine, bench.pack.engine._engine = bench.engine, None
        atexit.unregister(engine.close)
        engine.close()
    else:
        studio.renders_s = 0.0
        studio.finish()
        asyncio.run(bench.wait(job))
    after = fingerprints(bench)
    expected = {"cancelled": [1, 0], "program ended": [1, 1], "sent": [0, 0]}[end]
    assert [now - then for now, then in zip(after, before, strict=True)] == expected
    assert fingerprints(bench) == after
    if end == "cancelled":
        again = asyncio.run(create(bench, "b boat"))
        assert (again.id != job.id, again.state.value) == (True, "queued")
