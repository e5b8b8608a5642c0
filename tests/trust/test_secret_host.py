"""The secret hunt in a real ComfyUI: what its page, its routes, its history, its files and its log tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sora_jobs.views.history import BRIEF

from ..host.comfy import ComfyUI, find_comfyui, find_python
from ..host.graphs import Graph, bought, frames, node, saved
from ..media.clips import make_clip
from .canary import KEY, files_with_it, places
from .echo import Echo
from .test_routes import READS

FOUND = find_comfyui()
pytestmark = pytest.mark.skipif(FOUND is None or find_python(FOUND) is None, reason="there is no ComfyUI")
HOSTS = ["/object_info", "/history", "/settings", "/queue", "/prompt", "/system_stats", "/extensions", "/models"]


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    made = Echo(make_clip(tmp_path_factory.mktemp("film") / "c.mp4", audio=None).read_bytes())
    with made.server, made.storage:
        yield made


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory, echo: Echo) -> Iterator[ComfyUI]:
    """With the canary as cometapi's key, written by the page. (In the environment it is hunted in the engine.)"""
    with ComfyUI(tmp_path_factory.mktemp("comfy"), forked=False, COMETAPI_BASE_URL=echo.server.url) as host:
        given = {"provider": "cometapi", "key": KEY}
        told = requests.post(f"{host.url}/sora/keys", json=given, headers={"Origin": host.url}, timeout=30)
        assert told.status_code == 200, told.text
        assert places(told.text) == []
        yield host


def graph(prompt: str) -> Graph:
    """From the purchase to a PNG and an MP4 of core's, which embed the prompt."""
    made: Graph = bought(prompt, provider="cometapi")
    made |= {"3": frames("2", frame_load_cap=2), "4": saved("3", 0, "frames")}
    made |= {"5": node("SaveVideo", video=["2", 0], filename_prefix="core", format="auto", codec="auto")}
    return made


def test_an_event_says_nothing_of_what_a_job_is(comfy: ComfyUI, echo: Echo) -> None:
    """Who listens from another page, which no route would answer, learns that there are jobs, and how they stand."""
    echo.fate = "good"
    assert comfy.run(graph("a plan that is nobody else's")).ok

    def stored() -> list[dict[str, Any]]:
        told = [event for event in comfy.events if event["type"] == "sora.job"]
        return told if any(event["data"]["job"]["state"] == "stored" for event in told) else []

    heard = comfy.until(stored)
    assert {name for event in heard for name in event["data"]["job"]} == {
        *BRIEF, "state", "is_running", "is_counted", "in_trouble", "group", "expected_s", "place",
    }  # fmt: skip
    assert "nobody else" not in json.dumps(heard)


def test_the_key_is_nowhere_in_the_host(comfy: ComfyUI, echo: Echo) -> None:
    """Success first, then failures of each call; every answer, event, file and process is searched."""
    echo.fate = "good"
    run = comfy.run(graph("a boat"))
    assert run.ok, run.error
    heard: list[Any] = [run.messages, run.outputs, comfy.events[:]]
    for fate in ("create 401", "create 500", "create failed", "lookup failed", "lookup 401", "create reset"):
        echo.fate = fate
        asked = graph(f"a boat with {fate}")
        asked["2"]["inputs"]["timeout_minutes"] = 0.1  # a key that was accepted is asked with again for so long
        run = comfy.run(asked)
        assert not run.ok, fate
        heard += [run.messages, run.error, comfy.events[:]]
    assert any(KEY in request.headers.get("authorization", "") for request in echo.server.requests)
    assert not any("authorization" in request.headers for request in echo.storage.requests)
    jobs = [row["id"] for row in comfy.get("/sora/history")["jobs"]]
    paths = HOSTS + [path for path in READS if "{" not in path]
    paths += [f"/sora/history/{job}{rest}" for job in jobs for rest in ("", "/thumbnail")]
    texts = [requests.get(comfy.url + path, timeout=60).text for path in paths]
    texts += [requests.post(f"{comfy.url}/sora/doctor", json={}, timeout=120).text, comfy.log]
    texts += [json.dumps(item, default=str) for item in heard]
    assert [(len(text), found) for text in texts if (found := places(text))] == []
    assert len(list((comfy.base / "output").rglob("*.mp4"))) >= 2
    assert list((comfy.base / "output").rglob("*.png"))
    assert list(files_with_it(comfy.base, but=(comfy.home / "keys" / "cometapi",))) == []
    assert commands_with_it() == []


def commands_with_it() -> list[str]:
    """Processes whose command line tells it, as `ps` shows it to everybody."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" "))
        except OSError:  # it has ended
            continue
    return [line.decode("utf-8", "replace")[:200] for line in lines if places(line)]
