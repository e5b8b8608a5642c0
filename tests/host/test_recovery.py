"""Jobs outlive the host: what a kill left behind is fetched at the next start, and many are bought at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from .comfy import ComfyUI
from .graphs import Graph, bought, create, frames, node, shown, wait


def videos(host: ComfyUI) -> list[Path]:
    return list((host.base / "output" / "sora").glob("*.mp4"))


def receipts(host: ComfyUI) -> list[str]:
    """The prompts of the videos that are there."""
    files = (host.base / "output" / "sora").glob("*.json")
    return [json.loads(file.read_text(encoding="utf-8"))["prompt"] for file in files]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_host_fetches_its_job_at_the_next_start(tmp_path: Path) -> None:
    """Killed while it waited; the next start asks no one, and the same prompt then finds the video: bought once."""
    with ComfyUI(tmp_path, SORA_SANDBOX_SECONDS="6") as host:
        host.queue(bought("kill -9"))
        host.until(lambda: any(text.startswith("rendering") for text in host.texts("2")))
        host.stop(signal.SIGKILL)
    with ComfyUI(tmp_path, SORA_SANDBOX_SECONDS="6") as host:
        host.until(lambda: videos(host))
        host.until(lambda: "was fetched in the background" in host.log)
        assert "looks after 1 unfinished jobs" in host.log
        assert host.run(bought("kill -9")).ok
        assert (len(videos(host)), len(host.sandbox_jobs())) == (1, 1)


def test_the_shell_opens_the_ledger_of_the_nodes(tmp_path: Path) -> None:
    """Wherever ComfyUI was told to keep it: the same purchase is used, and its file lies where the nodes put theirs."""
    user, output = tmp_path / "profile", tmp_path / "films"
    user.mkdir()
    with ComfyUI(tmp_path / "base", "--user-directory", str(user), "--output-directory", str(output)) as host:
        assert host.run(bought("one purchase")).ok
        [video] = (output / "sora").glob("*.mp4")
        pack, env = host.base / "custom_nodes" / "sora-jobs", {**os.environ, **host.env}
        command = [sys.executable, str(pack / "sora.py"), "run", "one purchase", "--provider", "sandbox", "--json"]
        ran = subprocess.run(
            [*command, "--model", "seedance-2-5", "--seconds", "4", "--size", "854x480"], cwd=tmp_path, env=env,
            capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["reused"], Path(told["path"])) == (0, True, video)
    assert f"ledger: {user / '__sora' / 'ledger.sqlite3'}, as ComfyUI said on 20" in ran.stderr


def test_the_owner_can_turn_the_rescue_off(tmp_path: Path) -> None:
    """Then a start looks after nothing, and a prompt still takes the job up."""
    with ComfyUI(tmp_path, SORA_SANDBOX_SECONDS="60") as host:
        host.run({"1": create("later"), "2": node("SoraSubmitOnly", job=["1", 0])})
    with ComfyUI(tmp_path, SORA_BACKGROUND_DOWNLOADS="0", SORA_SANDBOX_SECONDS="60") as host:
        host.run({"1": create("later"), "2": node("SoraSubmitOnly", job=["1", 0])})
        assert "looks after" not in host.log
        assert len(host.sandbox_jobs()) == 1


def test_ten_prompts_buy_at_once(comfy: ComfyUI) -> None:
    """Queued prompts that only submit do not wait for their videos; all ten come."""
    before = {job["id"] for job in comfy.sandbox_jobs()}
    graphs: list[Graph] = [
        {
            "1": create(f"of ten, number {n} [sandbox: slow=12]"),
            "2": node("SoraSubmitOnly", job=["1", 0]),
        }
        for n in range(10)
    ]
    prompts = [comfy.queue(graph) for graph in graphs]
    assert all(comfy.wait(prompt).ok for prompt in prompts)
    created = [job["created_at"] for job in comfy.sandbox_jobs() if job["id"] not in before]
    assert len(created) == 10
    assert max(later - earlier for earlier, later in pairwise(sorted(created))) < 12  # seconds that each video takes
    comfy.until(lambda: sum(prompt.startswith("of ten") for prompt in receipts(comfy)) == 10, timeout_s=60)


def test_a_deleted_file_is_fetched_again(comfy: ComfyUI) -> None:
    """Although the host still has the outputs of the first run in its memory; nothing is bought, other videos stay."""
    graph = bought("deleted") | {"3": frames("2", frame_load_cap=1)}
    graph["4"] = shown("2", 2)
    first = comfy.run(graph)
    file = comfy.base / "output" / first.text("4")
    there, before = len(comfy.sandbox_jobs()), file.read_bytes()
    assert comfy.run(graph).ok
    file.unlink()
    again = comfy.run(graph)
    assert again.ok, again.error
    assert file.read_bytes() == before
    assert len(comfy.sandbox_jobs()) == there


def test_twins_and_turns_are_bought_once(comfy: ComfyUI) -> None:
    """Two identical nodes in one graph; then another prompt, then the first again, which the host has forgotten."""
    twins = bought("twin")
    twins |= {"3": create("twin"), "4": wait("3")}
    there = len(comfy.sandbox_jobs())
    assert comfy.run(twins).ok
    assert comfy.run(bought("in between")).ok
    assert comfy.run(twins).ok
    assert len(comfy.sandbox_jobs()) == there + 2
