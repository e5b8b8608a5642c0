"""A run of tests that is killed, by hand or for want of memory, leaves no process and no PostgreSQL cluster behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .. import leftovers
from ..browser.desk import find_chromium
from ..host.comfy import find_comfyui, find_python
from ..postgres import find_programs

PACK = Path(__file__).parents[2]
BROWSER = find_chromium() is not None and importlib.util.find_spec("playwright") is not None
START_S = 300  # for a ComfyUI on a busy machine
GONE_S = leftovers.POLITE_S + leftovers.KILLED_S + 10

NAMES = ("sandbox", "postgresql", "host True", "host False")  # of files with the process numbers

# One of each, as the tests start them. What the machine lacks is left out, and does not fail the run.
RUN = """
import subprocess, sys, time
from pathlib import Path

from tests.browser.desk import FLAGS, find_chromium
from tests.host.comfy import ComfyUI, find_comfyui, find_python


def test_that_is_killed(request, tmp_path):
    folder = Path({folder!r})
    sandbox = subprocess.Popen([sys.executable, "-m", "sora_jobs", "sandbox", "--home", str(tmp_path / "home")])
    (folder / "sandbox").write_text(str(sandbox.pid))
    if {postgresql}:
        server = request.getfixturevalue("postgresql")
        (folder / "cluster").write_text(str(server._folder))
        (folder / "postgresql").write_text(str(server._process.pid))
    if {comfyui}:
        for forked in (True, False):
            host = ComfyUI(tmp_path / f"host {{forked}}", forked=forked).__enter__()
            (folder / f"host {{forked}}").write_text(str(host.process.pid))
    if {chromium}:
        from playwright.sync_api import sync_playwright

        playwright = sync_playwright().start()
        playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS).new_page()
    (folder / "all").write_text("up")
    time.sleep(600)
"""


def parents() -> dict[int, int]:
    """Process -> its parent, of all that run."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found[int(file.parent.name)] = int(parent)
    return found


def descendants(pid: int) -> set[int]:
    """All that it started, and they did."""
    known, found = parents(), {pid}
    while more := {process for process, parent in known.items() if parent in found} - found:
        found |= more
    return found - {pid}


def until(done: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    return done()


@pytest.mark.skipif(not leftovers.ABLE, reason="only Linux has descriptors of processes")
@pytest.mark.parametrize("victim", ["the only process", "xdist's controller", "xdist's worker"])
def test_nothing_is_left_of_a_killed_run(tmp_path: Path, victim: str) -> None:
    """kill -9 of pytest: soon afterwards, nothing runs that it started, and the cluster's folder is gone."""
    comfyui = find_comfyui()
    has = {
        "postgresql": find_programs() is not None,
        "comfyui": comfyui is not None and find_python(comfyui) is not None and victim == "the only process",
        "chromium": BROWSER and victim == "the only process",
    }
    file = tmp_path / "test_mini.py"
    file.write_text(RUN.format(folder=str(tmp_path), **has), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)]
    command += ["-c", "pyproject.toml", "--rootdir", str(PACK), "--basetemp", str(tmp_path / "base")]
    command += [] if victim == "the only process" else ["-n", "1", "--max-worker-restart", "0"]
    with (tmp_path / "out").open("wb") as out:
        run = subprocess.Popen(command, cwd=PACK, stdout=out, stderr=out, start_new_session=True)
    there: set[int] = set()
    try:
        up = tmp_path / "all"
        assert until(lambda: up.exists() or run.poll() is not None, START_S) and up.exists(), out_of(tmp_path)
        there = descendants(run.pid)
        started = {int((tmp_path / name).read_text(encoding="ascii")) for name in NAMES if (tmp_path / name).exists()}
        assert len(started) == 1 + has["postgresql"] + 2 * has["comfyui"]
        assert started <= there
        if victim == "xdist's worker":
            os.kill(parents()[int((tmp_path / "sandbox").read_text(encoding="ascii"))], signal.SIGKILL)
        else:
            run.kill()
            run.wait()
        assert until(lambda: not there & parents().keys(), GONE_S), named(there & parents().keys())
        if has["postgresql"]:
            cluster = Path((tmp_path / "cluster").read_text(encoding="ascii"))
            assert until(lambda: not cluster.exists(), GONE_S)
    finally:
        run.kill()
        run.wait()
        for pid in there & parents().keys():  # of a test that failed
            os.kill(pid, signal.SIGKILL)


def named(processes: set[int]) -> str:
    """The command lines of processes."""
    lines = (Path(f"/proc/{pid}/cmdline") for pid in processes)
    return "\n".join(file.read_bytes().replace(b"\0", b" ").decode() for file in lines if file.exists())


def out_of(folder: Path) -> str:
    return (folder / "out").read_text(encoding="utf-8", errors="replace")[-4000:]
