"""The whole road in a real ComfyUI, through POST /prompt; results from the history and the files on disk."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from .comfy import ComfyUI
from .graphs import SORA, Graph, bought, create, frames, image, node, saved, shown, wait

NODES = (
    "CreateSoraJob", "WaitForVideo", "LoadVideoFrames", "Remix", "SoraOpenJob", "SoraSubmitOnly", "SoraFitReference",
    "SoraThumbnail",
)  # fmt: skip


def picture(comfy: ComfyUI, name: str) -> np.ndarray:
    return np.asarray(Image.open(comfy.base / "output" / name).convert("RGB")).astype(int)


def test_the_pack_loads_without_a_word(comfy: ComfyUI) -> None:
    """All nodes are there, and the log has no complaint."""
    info = comfy.get("/object_info")
    assert [name for name in NODES if name not in info] == []
    assert not any(info[name].get("api_node") for name in NODES)
    starting = comfy.log.split("got prompt")[0]
    ours = [line for line in starting.splitlines() if "sora-jobs" in line]
    assert ours
    assert not [line for line in ours if "FAILED" in line or "Cannot import" in line]
    assert "Traceback" not in starting


def test_nothing_happens_before_the_first_use(comfy: ComfyUI) -> None:
    """Starting the host and asking for its nodes makes no ledger, no sandbox, no thread's trace on disk."""
    assert not comfy.wrote_at_start


def test_combos_come_from_the_catalogue(comfy: ComfyUI) -> None:
    """sora-2, four seconds and 1280x720 first; take is never randomised by the page."""
    inputs = comfy.get("/object_info/CreateSoraJob")["CreateSoraJob"]["input"]
    first = {}
    for name in ("model", "seconds", "size"):
        kind, options = inputs["required"][name][0], inputs["required"][name][1]
        first[name] = (options["options"] if kind == "COMBO" else kind)[0]
    assert first == {"model": "sora-2", "seconds": "4", "size": "1280x720"}
    assert not inputs["required"]["take"][1].get("control_after_generate")


def test_from_a_prompt_to_frames_and_sound(comfy: ComfyUI) -> None:
    """Create, wait, decode, with what a new node asks for: every output is what the file on disk says."""
    graph: Graph = bought("a red kite over the sea", **SORA)
    graph |= {"3": frames("2", frame_load_cap=10, skip_first_frames=2, select_every_nth=3, custom_width=320)}
    graph |= {"4": saved("3", 0, "frames"), "5": saved("3", 4, "last"), "6": shown("3", 3), "7": shown("3", 2)}
    graph |= {"8": node("SaveAudio", audio=["3", 1], filename_prefix="audio/sound"), "9": shown("2", 2)}
    run = comfy.run(graph)
    assert run.ok, run.error
    video = comfy.base / "output" / run.text("9")
    assert video.parent == comfy.base / "output" / "sora"
    assert video.read_bytes()[4:8] == b"ftyp"
    assert (run.text("6"), float(run.text("7"))) == ("10", 10.0)
    names = [item["filename"] for item in run.outputs["4"]["images"]]
    assert len(names) == 10
    assert picture(comfy, names[0]).shape == (180, 320, 3)
    assert np.array_equal(picture(comfy, names[-1]), picture(comfy, run.outputs["5"]["images"][0]["filename"]))
    assert run.outputs["8"]["audio"][0]["filename"]
    (player,) = run.outputs["2"]["images"]
    shown_file = requests.get(f"{comfy.url}/view", params=player, headers={"Range": "bytes=4-7"}, timeout=10)
    assert (shown_file.status_code, shown_file.content) == (206, b"ftyp")


def test_progress_and_status_reach_the_page(comfy: ComfyUI) -> None:
    """A bar that rises to its end, and a line that says what goes on."""
    assert comfy.run(bought("progress")).ok
    values = [e["data"]["value"] for e in comfy.events if e["type"] == "progress" and e["data"]["node"] == "2"]
    assert values == sorted(values)
    assert values[-1] == 1000
    assert len(set(values)) > 3
    texts = comfy.texts("2")
    assert any(text.startswith("rendering") for text in texts)
    assert texts[-1].startswith("done")


def test_the_reference_output_is_what_was_uploaded(comfy: ComfyUI) -> None:
    """Pixel for pixel, and the video starts with it."""
    graph: Graph = {"0": image(900, 300), **bought("from an image", reference=["0", 0], fit="pad")}
    graph |= {"3": saved("1", 2, "sent"), "4": frames("2", frame_load_cap=1), "5": saved("4", 0, "first")}
    run = comfy.run(graph)
    assert run.ok, run.error
    sent = picture(comfy, run.outputs["3"]["images"][0]["filename"])
    (job,) = [job for job in comfy.sandbox_jobs() if job["prompt"] == "from an image"]
    uploaded = Image.open(comfy.home / "sandbox" / "references" / job["references"][0])
    assert np.array_equal(sent, np.asarray(uploaded.convert("RGB")))
    assert sent.shape == (480, 854, 3)
    assert np.abs(picture(comfy, run.outputs["5"]["images"][0]["filename"]) - sent).mean() < 2


def test_two_images_are_first_and_last_frame(comfy: ComfyUI) -> None:
    """For a model that takes both."""
    graph: Graph = {"0": image(), "9": image(colour=0x2040C0)}
    graph |= bought("two images", model="veo3.1", size="1280x720", reference=["0", 0], last_reference=["9", 0])
    graph |= {"3": frames("2", skip_first_frames=-1), "4": saved("3", 4, "end")}
    run = comfy.run(graph)
    assert run.ok, run.error
    assert np.abs(picture(comfy, run.outputs["4"]["images"][0]["filename"]) - (0x20, 0x40, 0xC0)).mean() < 4


def test_a_remix_of_a_finished_video(comfy: ComfyUI) -> None:
    """Wait's job goes into Remix, whose job goes into another Wait."""
    graph: Graph = bought("to be remixed", **SORA)
    graph |= {"3": node("Remix", job=["2", 1], prompt="at night", take=1), "4": wait("3"), "5": shown("3", 1)}
    run = comfy.run(graph)
    assert run.ok, run.error
    (job,) = [job for job in comfy.sandbox_jobs() if job["id"] == run.text("5")]
    assert (job["prompt"], bool(job["parent"])) == ("at night", True)


def test_a_remix_of_an_unfinished_video_is_refused(comfy: ComfyUI) -> None:
    """The error names the output to connect instead, and nothing is bought for it."""
    run = comfy.run(
        {
            "1": create("not yet [sandbox: slow=30]", **SORA),
            "2": node("Remix", job=["1", 0], prompt="x", take=1),
            "3": wait("2"),
        }
    )
    assert "only a finished video can be remixed" in run.error
    assert "WaitForVideo" in run.error
    assert not [job for job in comfy.sandbox_jobs() if job["prompt"] == "x"]


def test_five_jobs_of_one_graph_render_at_the_same_time(comfy: ComfyUI) -> None:
    """All five are bought before the first of them is finished: no wait holds up another create."""
    graph: Graph = {}
    for number in range(5):
        graph |= {f"c{number}": create(f"five at once {number} [sandbox: slow=5]"), f"w{number}": wait(f"c{number}")}
    run = comfy.run(graph)
    assert run.ok, run.error
    jobs = [job for job in comfy.sandbox_jobs() if job["prompt"].startswith("five at once")]
    assert len(jobs) == 5
    assert max(job["created_at"] for job in jobs) < min(job["created_at"] + job["takes_s"] for job in jobs)


def test_an_interrupt_stops_the_waiting_and_never_the_job(comfy: ComfyUI) -> None:
    """It shows as interrupted, at once; the next run joins the job instead of buying again."""
    graph = bought("interrupted [sandbox: slow=20]")
    prompt = comfy.queue(graph)
    comfy.until(lambda: any(text.startswith("rendering") for text in comfy.texts("2")))
    begun = time.monotonic()
    requests.post(f"{comfy.url}/interrupt", json={}, timeout=10)
    run = comfy.wait(prompt)
    assert time.monotonic() - begun < 1.5
    assert (run.ok, run.interrupted, run.error) == (False, True, "")
    again = comfy.queue(graph | {"3": shown("1", 1)})
    comfy.until(lambda: any(text.startswith("rendering") for text in comfy.texts("2")))
    requests.post(f"{comfy.url}/interrupt", json={}, timeout=10)
    comfy.wait(again)
    assert len([job for job in comfy.sandbox_jobs() if job["prompt"] == "interrupted"]) == 1


def test_a_failing_sibling_takes_no_job_with_it(comfy: ComfyUI) -> None:
    """The host cancels the other nodes of the graph; their job is found again by the next run."""
    graph: Graph = bought("the good one [sandbox: slow=3]")
    graph |= {"3": create("the bad one [sandbox: fail=moderation_blocked]"), "4": wait("3")}
    run = comfy.run(graph)
    assert not run.ok
    assert "moderation_blocked" in run.error
    assert "another take" in run.error
    assert comfy.run(bought("the good one [sandbox: slow=3]")).ok
    assert len([job for job in comfy.sandbox_jobs() if job["prompt"] == "the good one"]) == 1


def test_a_restart_buys_nothing_again(tmp_path: Path) -> None:
    """Killed in the middle of a job, started again, run again: the same job, its video, one purchase."""
    graph = bought("power cut [sandbox: slow=3]")
    with ComfyUI(tmp_path, forked=False) as host:  # as a user starts it
        host.queue(graph)
        host.until(lambda: any(text.startswith("rendering") for text in host.texts("2")))
        host.process.kill()
    with ComfyUI(tmp_path) as host:
        run = host.run(graph)
        assert run.ok, run.error
        assert host.run(graph | {"3": shown("1", 1)}).ok
        assert len(host.sandbox_jobs()) == 1
        assert len(list((host.base / "output").rglob("*.mp4"))) == 1


def test_a_past_job_is_opened_from_the_list(comfy: ComfyUI) -> None:
    """The page fetches the list from the route; a line of it, a ledger id and a gateway id all lead to the job."""
    assert comfy.run(bought("open me later")).ok
    label = next(line for line in comfy.get("/sora/jobs") if line.startswith("open me later"))
    (job,) = [job for job in comfy.sandbox_jobs() if job["prompt"] == "open me later"]
    for chosen in ({"past_job": label}, {"video_id": label.split(" · ")[-1]}, {"video_id": job["id"]}):
        graph: Graph = {"1": node("SoraOpenJob", provider="sandbox", **chosen), "2": wait("1"), "3": shown("1", 1)}
        run = comfy.run(graph)
        assert run.ok, run.error
        assert run.text("3") == job["id"]


def test_the_list_is_refused_to_a_page_without_an_origin(comfy: ComfyUI) -> None:
    """`Origin: null` is a sandboxed page of somebody else."""
    assert requests.get(f"{comfy.url}/sora/jobs", headers={"Origin": "null"}, timeout=10).status_code == 403


def test_core_nodes_take_our_video(comfy: ComfyUI) -> None:
    """SaveVideo and GetVideoComponents of core work on WaitForVideo's VIDEO."""
    graph: Graph = bought("for core nodes")
    graph |= {"3": node("SaveVideo", video=["2", 0], filename_prefix="core/copy", format="auto", codec="auto")}
    graph |= {"4": node("GetVideoComponents", video=["2", 0]), "5": shown("4", 2)}
    run = comfy.run(graph)
    assert run.ok, run.error
    assert float(run.text("5")) == 30
    assert list((comfy.base / "output" / "core").glob("copy_*.mp4"))


def test_a_trimmed_video_is_cut_by_the_host_and_read_by_us(comfy: ComfyUI) -> None:
    """Core's Trim Video takes WaitForVideo's VIDEO, and LoadVideoFrames takes what comes out of it."""
    if "Video Slice" not in comfy.get("/object_info"):
        pytest.skip("this ComfyUI cannot trim a VIDEO")
    graph: Graph = bought("for core nodes")
    graph |= {"3": node("Video Slice", video=["2", 0], start_time=1.0, duration=1.0, strict_duration=False)}
    run = comfy.run(graph | {"4": frames("3", custom_height=90), "5": shown("4", 3)})
    assert run.ok, run.error
    assert run.text("5") == "30"


def test_frames_on_disk_go_through_core_nodes(comfy: ComfyUI) -> None:
    """A batch that lies in a file is scaled, blended and saved like any other, and leaves nothing behind."""
    graph: Graph = bought("for core nodes")
    graph |= {"3": frames("2", frame_load_cap=3, memory="disk"), "4": frames("2", frame_load_cap=3)}
    for source in ("3", "4"):
        scaled = {"upscale_method": "area", "width": 320, "height": 180, "crop": "disabled"}
        graph |= {f"{source}0": node("ImageScale", image=[source, 0], **scaled)}
        graph |= {
            f"{source}1": node("ImageInvert", image=[f"{source}0", 0]),
            f"{source}2": saved(f"{source}1", 0, source),
        }
    run = comfy.run(graph)
    assert run.ok, run.error
    names = [[item["filename"] for item in run.outputs[f"{source}2"]["images"]] for source in ("3", "4")]
    for one, other in zip(*names, strict=True):
        assert np.array_equal(picture(comfy, one), picture(comfy, other))
    assert list((comfy.base / "temp").rglob("sora_frames_*")) == []


def test_our_decoder_takes_videos_of_core_nodes(comfy: ComfyUI) -> None:
    """From a file by LoadVideo, and put together from images by CreateVideo."""
    run = comfy.run(bought("to be loaded"))
    (item,) = run.outputs["2"]["images"]
    stored = comfy.base / "output" / item["subfolder"] / item["filename"]
    (comfy.base / "input" / "clip.mp4").write_bytes(stored.read_bytes())
    graph: Graph = {"1": node("LoadVideo", file="clip.mp4"), "2": frames("1", frame_load_cap=5), "3": shown("2", 3)}
    graph |= {"4": image(64, 48, batch=7), "5": node("CreateVideo", images=["4", 0], fps=7.0), "6": frames("5")}
    graph |= {"7": shown("6", 3), "8": shown("6", 2), "9": saved("6", 4, "made")}
    run = comfy.run(graph)
    assert run.ok, run.error
    assert (run.text("3"), run.text("7"), float(run.text("8"))) == ("5", "7", 7.0)
    made = picture(comfy, run.outputs["9"]["images"][0]["filename"])
    assert np.array_equal(made, np.broadcast_to((0xE0, 0x80, 0x20), (48, 64, 3)))


def test_a_prefix_is_a_second_name_for_the_same_file(comfy: ComfyUI) -> None:
    """It takes no room, and the stored file keeps its own name."""
    graph: Graph = {"1": create("two names"), "2": wait("1", filename_prefix="shots/%year%/boat"), "3": shown("2", 2)}
    run = comfy.run(graph)
    named = comfy.base / "output" / run.text("3")
    assert named.name == "boat_00001_.mp4"
    assert named.parent.parent.name == "shots"
    assert any(named.samefile(stored) for stored in (comfy.base / "output" / "sora").glob("*.mp4"))


def test_the_stored_file_is_the_one_that_the_ledger_knows(comfy: ComfyUI) -> None:
    """Its hash and size are written down."""
    import sqlite3

    assert comfy.run(bought("hashed")).ok
    with sqlite3.connect(comfy.home / "ledger.sqlite3") as ledger:
        path, sha256, size = ledger.execute("SELECT path, sha256, bytes FROM jobs WHERE prompt = 'hashed'").fetchone()
    ledger.close()
    data = (comfy.base / "output" / path).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, size)
