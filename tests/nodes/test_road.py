"""The whole road through the nodes, on the free sandbox: what each output is, and what the page is told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ..failures import failing
from .conftest import Bench, every_family

NO_PROGRESS = ("sglang", "vllm-omni")  # they say 0 % until it is finished


@every_family
def test_from_a_prompt_to_frames(bench: Bench) -> None:
    """Create, wait, decode: each output has the type and the shape that its socket promises, whoever the gateway is."""

    async def road() -> tuple[Any, ...]:
        created = await bench.create("a red kite")
        waited = await bench.wait(created.args[0])
        return (
            created,
            waited,
            await bench.frames(waited.args[0], frame_load_cap=6, skip_first_frames=3, custom_width=320),
        )

    created, waited, decoded = asyncio.run(road())
    job, video_id, sent = created.args
    assert (job.provider, job.prompt, job.video_id) == ("sandbox", "a red kite", video_id)
    assert (type(sent).__name__, sent.message) == ("ExecutionBlocker", None)
    video, done, filename = waited.args
    stored = bench.output / filename
    assert (done.id, done.state.value, stored.parent) == (job.id, "stored", bench.output / "sora")
    assert Path(video.get_stream_source()) == stored
    assert waited.ui.as_dict()["images"] == [{"filename": stored.name, "subfolder": "sora", "type": "output"}]
    frames, audio, fps, count, last = decoded.args
    assert (tuple(frames.shape), tuple(last.shape), count, fps) == ((6, 180, 320, 3), (1, 180, 320, 3), 6, 30.0)
    assert str(frames.dtype).endswith("float32")
    assert np.array_equal(last.numpy()[0], frames.numpy()[-1])
    assert 0 <= frames.numpy().min() < frames.numpy().max() <= 1
    assert audio["waveform"].shape[0] == 1
    assert audio["waveform"].shape[2] == round(6 / 30 * audio["sample_rate"])
    assert [(one["id"], one["prompt"]) for one in bench.sandbox_jobs()] == [(bench.there(video_id), "a red kite")]


@every_family
def test_a_remix(bench: Bench) -> None:
    """A job of its own on top of its parent, where the gateway has that; elsewhere nothing is sent."""

    async def road() -> tuple[Any, ...]:
        first = await bench.wait((await bench.create("a red kite")).args[0])
        remixed = await bench.pack.run("Remix", job=first.args[1], prompt="at night", take=1)
        return first, remixed, await bench.wait(remixed.args[0])

    if not bench.family.remix:
        with failing(bench.pack.error("InvalidInputError"), "remix_unsupported"):
            asyncio.run(road())
        assert len(bench.sandbox_jobs()) == 1
        return
    first, remixed, second = asyncio.run(road())
    parent = bench.there(first.args[1].video_id)
    parents = {one["id"]: (one["prompt"], one["parent"]) for one in bench.sandbox_jobs()}
    assert parents == {parent: ("a red kite", ""), bench.there(remixed.args[1]): ("at night", parent)}
    assert second.args[1].id == remixed.args[0].id
    assert second.args[2] != first.args[2]


@every_family
def test_a_job_that_fails(bench: Bench) -> None:
    """The node says so in the gateway's words, at once."""
    job = asyncio.run(bench.create("a storm [sandbox: fail=broken]")).args[0]
    with pytest.raises(bench.pack.error("JobFailedError")) as failed:
        asyncio.run(bench.wait(job, timeout_minutes=0.3))
    assert (failed.value.kind, failed.value.charge) == ("job_failed", "possible")
    assert "fail this job (broken)" in failed.value.message


@every_family
def test_a_create_that_is_refused(bench: Bench) -> None:
    """The node says so in the gateway's words, and that nothing was spent."""
    with pytest.raises(bench.pack.error("RequestRejectedError")) as refused:
        asyncio.run(bench.create("a face [sandbox: refuse=moderation]"))
    assert (refused.value.kind, refused.value.charge) == ("moderation_create", "none")
    assert "blocked by our moderation system" in refused.value.message
    assert "Nothing was spent" in str(refused.value)
    assert bench.sandbox_jobs() == []


@every_family
def test_the_reference_output_is_what_was_uploaded(bench: Bench) -> None:
    """Pixel for pixel, after fitting, against the PNG that arrived at the gateway."""
    pixels = np.random.default_rng(1).random((1, 90, 300, 3), np.float32)
    sent = asyncio.run(bench.create("from an image", reference=bench.image(pixels), fit="pad")).args[2].numpy()
    (job,) = bench.sandbox_jobs()
    uploaded = Image.open(bench.home / "sandbox" / "references" / job["references"][0])
    assert uploaded.format == "PNG"
    assert (sent.shape, sent.dtype) == ((1, 720, 1280, 3), np.float32)
    assert np.array_equal(np.rint(sent[0] * 255), np.asarray(uploaded.convert("RGB")))
    assert np.abs(sent[0] * 255 - np.rint(sent[0] * 255)).max() < 1e-4


def test_first_and_last_image(bench: Bench) -> None:
    """Both go up, in this order; a half-precision image is as good as another."""
    first, last = (np.full((1, 8, 8, 3), value, np.float16) for value in (0.25, 0.75))
    images = {"reference": bench.image(first), "last_reference": bench.image(last)}
    sent = asyncio.run(bench.create("two images", model="veo3.1", **images)).args[2].numpy()
    (job,) = bench.sandbox_jobs()
    folder = bench.home / "sandbox" / "references"
    up = [np.asarray(Image.open(folder / name).convert("RGB"))[0, 0, 0] for name in job["references"]]
    assert up == [64, 191]
    assert np.allclose(sent, 64 / 255)


@every_family
def test_the_same_is_bought_once_and_another_take_again(bench: Bench) -> None:
    """Three runs of one take are one purchase, also side by side; a new take is another."""

    async def runs() -> list[Any]:
        return await asyncio.gather(*(bench.create("once", take=take) for take in (1, 1, 2)), bench.create("once"))

    ids = [made.args[1] for made in asyncio.run(runs())]
    assert ids[0] == ids[1] == ids[3] != ids[2]
    assert len(bench.sandbox_jobs()) == 2


def test_a_custom_model_and_extra_fields_go_out_as_typed(bench: Bench) -> None:
    """A model that no catalogue knows is sent under its own name, with the fields that were typed."""
    job = asyncio.run(bench.create("new", custom_model=" sora-2-pro ", extra_fields='{"style": "film"}')).args[0]
    assert (job.model, dict(job.extra_fields)) == ("sora-2-pro", {"style": "film"})
    assert bench.sandbox_jobs()[0]["model"] == "sora-2-pro"


def test_the_shell_finds_what_a_node_bought_with_extra_fields(
    bench: Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The same fields in another order and spelling are the same purchase, from both; other values are another one."""
    fields = '{"seed": 7, "watermark": true}'
    job = asyncio.run(bench.create("shared", extra_fields=fields)).args[0]
    asyncio.run(bench.wait(job))

    def run(text: str) -> dict[str, Any]:
        given = (
            "--provider",
            "sandbox",
            "--home",
            str(bench.home),
            "--out",
            str(tmp_path / "out"),
            "--extra-fields",
            text,
        )
        assert bench.pack.module("sora_jobs.cli.main").main(["run", "shared", *given, "--json"]) == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    again = run(' {"watermark": "true", "seed": "7"}')
    assert (again["job"], again["reused"]) == (job.id, True)
    other = run('{"seed": 8}')
    assert (other["job"] == job.id, other["reused"]) == (False, False)
    assert len(bench.sandbox_jobs()) == 2


@every_family
def test_progress_and_status_reach_the_page_that_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that never falls and ends full; lines for one page only, without repetition."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "1.5")  # so that a busy machine has time for several looks

    async def road() -> None:
        await bench.wait((await bench.create("a red kite")).args[0], unique_id="77")

    asyncio.run(road())
    assert {(node, total) for node, _, total in bench.page.bars} == {("77", 1000)}
    values = [value for _, value, _ in bench.page.bars]
    assert values == sorted(values)
    assert values[-1] == 1000
    assert len(set(values)) > (2 if bench.family.name not in NO_PROGRESS else 0)
    assert {(node, client) for node, _, client in bench.page.lines} == {("77", "page-1")}
    texts = bench.page.texts("77")
    assert all(text != after for text, after in itertools.pairwise(texts))
    assert texts[-1].startswith("done · ")


def test_what_a_size_comes_out_as_is_said_before_it_is_bought(bench: Bench) -> None:
    """In the node, also on a prompt that no page wrote: it stands there although the gateway refuses the job."""
    with failing(bench.pack.error("RequestRejectedError"), "insufficient_user_quota"):
        asyncio.run(bench.create("a kite [sandbox: refuse=quota]", "77", model="omni-fast", size="1920x1080"))
    assert bench.page.texts("77") == ["omni-fast makes 1280x720 where 1920x1080 is asked for."]


def test_without_a_page_nothing_is_broadcast(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt queued by a script has no page; a line without a receiver would go to all that are open."""
    from server import PromptServer

    monkeypatch.setattr(PromptServer.instance, "client_id", None)
    asyncio.run(bench.wait(asyncio.run(bench.create("a red kite")).args[0]))
    assert bench.page.lines == []


def test_a_prefix_is_a_second_name_of_the_same_file(bench: Bench) -> None:
    """It takes no room; the same graph again makes no third name; the next video gets the next number."""

    async def road(prompt: str, prefix: str) -> str:
        made = await bench.wait((await bench.create(prompt)).args[0], filename_prefix=prefix)
        assert made.ui.as_dict()["images"][0]["subfolder"] == "shots"
        return str(made.args[2])

    for prefix in ("shots/boat", "shots/boat [final]"):
        assert asyncio.run(road("a red kite", prefix)) == f"{prefix}_00001_.mp4"
        assert asyncio.run(road("a red kite", prefix)) == f"{prefix}_00001_.mp4"
        assert asyncio.run(road("a blue kite", prefix)) == f"{prefix}_00002_.mp4"
    stored = {file.stat().st_ino for file in (bench.output / "sora").glob("*.mp4")}
    named = [file.stat().st_ino for file in (bench.output / "shots").glob("*.mp4")]
    assert (len(named), set(named)) == (4, stored)


def test_a_prefix_has_the_size_of_the_video(bench: Bench) -> None:
    """As in core's save nodes."""
    made = asyncio.run(
        bench.wait(asyncio.run(bench.create("a red kite")).args[0], filename_prefix="%width%x%height%/boat %CLIP.text%")
    )
    picture = bench.pack.module("sora_jobs.media.probe").probe(bench.output / made.args[2])
    assert made.args[2] == f"{picture.width}x{picture.height}/boat %CLIP.text%_00001_.mp4"


def test_videos_that_are_done_at_the_same_time_get_names_of_their_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes with one prefix in one graph: neither takes the other's number."""
    import folder_paths

    both, counted = threading.Barrier(2), folder_paths.get_save_image_path

    def together(*arguments: Any) -> Any:
        """Count, then let the other one count before the name is made, where nothing prevents it."""
        found = counted(*arguments)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        return found

    monkeypatch.setattr(folder_paths, "get_save_image_path", together)

    async def road(prompt: str) -> Any:
        return await bench.wait((await bench.create(prompt)).args[0], filename_prefix="pair/boat")

    async def graph() -> list[Any]:
        return await asyncio.gather(road("a red kite"), road("a blue kite"))

    assert {made.args[2] for made in asyncio.run(graph())} == {"pair/boat_00001_.mp4", "pair/boat_00002_.mp4"}
    assert len({file.stat().st_ino for file in (bench.output / "pair").glob("*.mp4")}) == 2


REFUSED = ["../../elsewhere/boat", "%date:yyyy-MM-dd%/boat", "/etc/boat", "NUL", "a/../../b", "x" * 300, "boat ?"]


@pytest.mark.parametrize("prefix", REFUSED)
def test_a_prefix_that_no_file_can_have_is_refused_before_anything_runs(bench: Bench, prefix: str) -> None:
    """The host asks for this before it executes the first node of the graph, so nothing is bought."""
    refused = bench.pack.nodes["WaitForVideo"].validate_inputs(filename_prefix=prefix)
    assert isinstance(refused, str) and refused
    for good in ("", "shots/boat", "shots/%year%-%month%/boat", None):
        assert bench.pack.nodes["WaitForVideo"].validate_inputs(filename_prefix=good) is True


@pytest.mark.parametrize("prefix", REFUSED)
def test_a_prefix_that_comes_by_a_link_never_fails_a_paid_node(bench: Bench, prefix: str) -> None:
    """It is not known before. The video has the name under which it was stored, and a warning says why."""
    made = asyncio.run(bench.wait(asyncio.run(bench.create("a red kite")).args[0], filename_prefix=prefix))
    assert (bench.output / made.args[2]).is_file()
    assert made.args[2].startswith("sora/")
    assert any("filename_prefix was not used" in text for text in bench.page.texts("2"))
    assert not (bench.output.parents[1] / "elsewhere").exists()
    assert len(bench.sandbox_jobs()) == 1


def test_a_second_name_that_cannot_be_written_never_fails_a_paid_node(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, or a file is in the way of the folder."""
    (bench.output).mkdir(parents=True)
    (bench.output / "shots").write_text("a file", encoding="utf-8")
    made = asyncio.run(bench.wait(asyncio.run(bench.create("a red kite")).args[0], filename_prefix="shots/boat"))
    assert made.args[2].startswith("sora/")
    assert any("filename_prefix was not used" in text for text in bench.page.texts("2"))


@every_family
def test_a_past_job_is_opened(bench: Bench) -> None:
    """By its line in the list, by its ledger id, by the gateway's id; a pasted id goes before the list."""
    job = asyncio.run(bench.create("a red kite")).args[0]
    (label,) = bench.engine.history.labels()
    nobody = "someone else's · stored sora-2 4s · 0000"
    for chosen in (
        {"past_job": label},
        {"video_id": f"  {job.id} "},
        {"video_id": job.video_id},
        {"past_job": nobody, "video_id": job.id},
    ):
        opened = asyncio.run(bench.pack.run("SoraOpenJob", provider="sandbox", **chosen))
        assert (opened.args[0].id, opened.args[1]) == (job.id, job.video_id)
    assert len(bench.sandbox_jobs()) == 1


@every_family
def test_a_job_from_elsewhere_is_taken_up(bench: Bench) -> None:
    """An id that this ledger does not know is looked up at the gateway, and can be waited for."""
    video_id = asyncio.run(bench.create("a red kite")).args[1]
    bench.engine.close()
    bench.pack.engine._engine = None
    for file in bench.home.glob("ledger*"):
        file.unlink()
    opened = asyncio.run(bench.pack.run("SoraOpenJob", video_id=video_id, provider="sandbox"))
    assert opened.args[1] == video_id
    assert asyncio.run(bench.wait(opened.args[0])).args[1].state.value == "stored"


def test_the_list_of_jobs_is_a_route(bench: Bench) -> None:
    """It is registered at the host's server under the address that SoraOpenJob's list asks."""
    from server import PromptServer

    routes = {(route.method, route.path) for route in PromptServer.instance.routes}
    assert ("GET", "/sora/jobs") in routes
    (remote,) = [one.remote for one in bench.pack.nodes["SoraOpenJob"].GET_SCHEMA().inputs if one.id == "past_job"]
    assert remote.route == "/sora/jobs"


@every_family
def test_submit_only_ends_the_graph_and_the_video_is_fetched(bench: Bench) -> None:
    """Nobody waits for it in a graph; it is on disk all the same, and was bought once."""
    job = asyncio.run(bench.create("a red kite")).args[0]
    made = asyncio.run(bench.pack.run("SoraSubmitOnly", "9", job=job))
    assert made.result is None
    assert bench.page.texts("9") == [f"bought · {job.id}"]
    end = time.monotonic() + 20
    while bench.engine.ledger.job(job.id).state.value != "stored" and time.monotonic() < end:
        time.sleep(0.05)
    assert bench.engine.path(bench.engine.ledger.job(job.id)).is_file()
    assert len(bench.sandbox_jobs()) == 1


def test_the_owner_can_turn_the_rescue_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is watched that nobody waits for."""
    monkeypatch.setenv("SORA_BACKGROUND_DOWNLOADS", "0")
    job = asyncio.run(bench.create("a red kite")).args[0]
    asyncio.run(bench.pack.run("SoraSubmitOnly", job=job))
    time.sleep(0.6)  # twice as long as the job takes
    assert bench.engine.ledger.job(job.id).state.value == "submitted"


def test_a_share_that_does_not_respond_holds_up_its_own_node_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a video gets its name there, other nodes end and ComfyUI's event loop goes on."""
    naming, responds = threading.Event(), threading.Event()
    link = bench.engine.files.link

    def slow(*given: Any) -> Path:
        naming.set()
        assert responds.wait(30)
        return link(*given)

    async def both() -> tuple[bool, Any, Any]:
        named, other = [await bench.create(prompt) for prompt in ("a red kite", "a blue kite")]
        first = asyncio.create_task(bench.wait(named.args[0], filename_prefix="boat"))
        assert await asyncio.to_thread(naming.wait, 30)
        second = await bench.wait(other.args[0], unique_id="3")
        bench.pack.module("host.files").missing_files_fingerprint()
        still = not responds.is_set()
        responds.set()
        return still, await first, second

    monkeypatch.setattr(bench.engine.files, "link", slow)
    guard = threading.Timer(15, responds.set)  # what blocks the loop would block the test as well
    guard.start()
    still, first, second = asyncio.run(both())
    guard.cancel()
    assert still
    assert Path(first.args[0].get_stream_source()).name.startswith("boat_")
    assert Path(second.args[0].get_stream_source()).is_file()


def test_a_deleted_file_makes_its_node_run_again_and_no_other(bench: Bench) -> None:
    """Once: the host asks before each run whether what it remembers still holds. What is behind the other nodes, which
    may take minutes, is not done anew."""
    from comfy_execution.utils import CurrentNodeContext

    node = bench.pack.nodes["WaitForVideo"]

    def fingerprints() -> list[int]:
        found = []
        for unique_id in ("2", "3"):
            with CurrentNodeContext("prompt", unique_id, 0):
                found.append(node.fingerprint_inputs(job=None, timeout_minutes=60.0, filename_prefix=""))
        return found

    made = asyncio.run(bench.wait(asyncio.run(bench.create("a red kite")).args[0], unique_id="2"))
    asyncio.run(bench.wait(asyncio.run(bench.create("a blue kite")).args[0], unique_id="3"))
    before = fingerprints()
    assert fingerprints() == before
    Path(made.args[0].get_stream_source()).unlink()
    after = fingerprints()
    assert [now == then for now, then in zip(after, before, strict=True)] == [False, True]
    assert fingerprints() == after


def test_a_project_goes_into_the_ledger_and_nowhere_else(bench: Bench) -> None:
    """The first run's counts; a remix has its job's unless its own widget names one. What the page is sent, and what is
    written beside the video, has none."""

    async def road() -> tuple[Any, ...]:
        created = await bench.create("a red kite", project=" Zebra ")
        again = await bench.create("a red kite", project="Okapi")
        waited = await bench.wait(again.args[0])
        remixes = [
            await bench.pack.run("Remix", job=waited.args[1], prompt="at night", take=take, project=project)
            for take, project in ((1, ""), (2, "Okapi"))
        ]
        return created, again, waited, *remixes

    created, again, waited, *remixes = asyncio.run(road())
    assert (created.args[0].project, again.args[0].project) == ("Zebra", "Zebra")
    assert created.args[0].id == again.args[0].id
    assert [one.args[0].project for one in remixes] == ["Zebra", "Okapi"]
    said = json.dumps([created.args[1:2], waited.args[2], waited.ui.as_dict(), bench.page.lines], default=str)
    written = [file for file in bench.output.rglob("*") if file.is_file()]
    assert len(written) >= 2
    assert not [word for word in ("zebra", "okapi") if word in said.lower()]
    assert not [file for file in written if b"zebra" in file.read_bytes().lower()]
    assert not [row for row in bench.sandbox_jobs() if "zebra" in json.dumps(row).lower()]
