"""Jobs that wait in the line of a provider that may have one at a time, and what its owner left there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..gateway.studio import Studio, open_studio
from ..host.comfy import ComfyUI
from .desk import DESK
from .editor import Editor
from .ledger import write
from .tab import Tab
from .test_badges import reads
from .workflows import node

DAY_S = 86_400.0
SHOTS = ("the first shot", "the second shot", "the third shot", "the fourth shot")

ONLY = "(id) => app.graph.nodes.forEach((node) => { node.mode = [id, 10 + id].includes(Number(node.id)) ? 0 : 2 })"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with open_studio(tmp_path_factory.mktemp("studio")) as made:
        made.running.add("video_old")
        yield made


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, studio: Studio) -> Iterator[ComfyUI]:
    """A host whose ledger has a job that a program left in the line, and one that is stale."""
    base = tmp_path_factory.mktemp("line")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    home = base / "user" / "__sora"
    leave(home, studio)
    studio.add_to(home, "at_once = 1\npoll_seconds = 1\nusd_per_second = 0.16\n")
    with ComfyUI(base, SORA_LANGUAGE="", COMETAPI_KEY="", MINE_KEY="sk-mine-12345") as host:
        yield host
        DESK.forget(host)


def leave(home: Path, studio: Studio) -> None:
    now = time.time()
    mine: dict[str, Any] = {"provider": "mine", "origin": studio.server.url, "path": "", "sha256": ""}
    stale = {"state": "submitted", "submitted_at": now - 3 * DAY_S, "stale_at": now - DAY_S, "video_id": "video_old"}
    write(
        home,
        [
            mine | {"state": "queued", "video_id": "", "prompt": "a shot that was left", "created_at": now - 900},
            mine | stale | {"prompt": "a shot that is late", "created_at": now - 3 * DAY_S},
        ],
    )


@pytest.fixture(scope="module")
def page(host: ComfyUI) -> Iterator[Editor]:
    editor = DESK.editor(host, "classic")
    yield editor
    editor.check()


def polls(studio: Studio) -> int:
    """How often the provider was asked about the job that is late."""
    return sum(request.path.endswith("/video_old") for request in studio.server.requests)


def queue_them(editor: Editor) -> None:
    """Jobs that are submitted and not waited for, one after the other: nodes of one run have no order."""
    nodes, links = list[dict[str, Any]](), list[list[Any]]()
    for number, prompt in enumerate(SHOTS, start=1):
        values = [prompt, "sora-2", "4", "1280x720", 1, "crop", "mine", "own", ""]
        job = {"name": "job", "type": "SORA_JOB"}
        nodes.append(node(number, "CreateSoraJob", values, outputs=[job | {"links": [number]}]))
        nodes.append(node(10 + number, "SoraSubmitOnly", [], inputs=[job | {"link": number}], pos=[60, 900]))
        links.append([number, number, 0, 10 + number, 0, "SORA_JOB"])
    editor.load(*nodes, links=links)
    for number in range(1, 1 + len(SHOTS)):
        editor.page.evaluate(ONLY, number)
        editor.finish(30)


def in_row(tab: Tab, part: str, state: str) -> None:
    tab.row(part).get_by_text(state, exact=True).wait_for(timeout=15_000)


def in_full(tab: Tab, state: str) -> None:
    tab.root.get_by_role("heading", level=2, name=re.compile(f"^{state}")).wait_for(timeout=20_000)


def until(tab: Tab, holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        tab.page.wait_for_timeout(50)


def test_a_place_is_shown_and_stays_true(tab: Tab, studio: Studio) -> None:
    """One is rendered and three wait; the first of them is cancelled, the others move up and are sent in their turn.
    Without a reload: in the list, in full, and on the nodes."""
    queue_them(tab.editor)
    reads(tab.editor, 1, "≈ $0.64")
    reads(tab.editor, 2, "Queued, 1st in line · ≈ $0.64")
    reads(tab.editor, 3, "Queued, 2nd in line · ≈ $0.64")
    tab.row(SHOTS[0]).get_by_text(re.compile("^Rendering")).wait_for()
    in_row(tab, SHOTS[1], "Queued, 1st in line")
    in_row(tab, SHOTS[2], "Queued, 2nd in line")
    assert tab.row(SHOTS[0]).get_by_role("progressbar").count() == 1
    assert tab.row(SHOTS[2]).get_by_role("progressbar").count() == 0
    tab.root.get_by_role("combobox").select_option("running")
    until(tab, lambda: tab.rows.count() == 5)  # with the one that was left
    assert tab.badge() == "5"
    tab.editor.picture("line")
    tab.open(SHOTS[1])
    tab.editor.picture("line_detail")
    tab.press("Cancel job")
    assert "nothing is charged" in tab.confirm("Take this job out of the line?")
    tab.until("Cancelled, nothing was sent")
    assert tab.page.get_by_role("alert").filter(has_text=SHOTS[1]).count() == 0
    tab.press("Back to the list")
    in_row(tab, SHOTS[2], "Queued, 1st in line")
    reads(tab.editor, 2, "≈ $0.64")
    reads(tab.editor, 3, "Queued, 1st in line · ≈ $0.64")
    assert (tab.badge(), studio.prompts) == ("4", [SHOTS[0]])
    tab.open(SHOTS[3])
    in_full(tab, "Queued, 2nd in line")
    studio.finish("video_1")
    in_full(tab, "Queued, 1st in line")
    assert studio.prompts == [SHOTS[0], SHOTS[2]]
    reads(tab.editor, 3, "≈ $0.64")
    reads(tab.editor, 4, "Queued, 1st in line · ≈ $0.64")
    studio.finish("video_2")
    in_full(tab, "Rendering")
    assert studio.prompts == [SHOTS[0], *SHOTS[2:]]
    assert tab.root.get_by_role("button", name="Cancel job").count() == 0


def test_what_a_program_left_in_the_line_can_be_cancelled(tab: Tab, studio: Studio) -> None:
    """It says what would send it: nothing does by itself."""
    tab.open("a shot that was left")
    tab.until("Queued here; its program has ended")
    tab.until("Run the same again to send it.")
    tab.editor.picture("line_left")
    tab.press("Cancel job")
    tab.confirm("Take this job out of the line?")
    tab.until("Cancelled, nothing was sent")
    assert "a shot that was left" not in studio.prompts


def test_a_stale_job_is_asked_about(tab: Tab, studio: Studio) -> None:
    """It has a list of its own and counts as running no more; its button asks now, and says what came of it."""
    tab.root.get_by_role("combobox").select_option("stale")
    until(tab, lambda: tab.rows.count() == 1)
    row = tab.row("a shot that is late")
    row.get_by_text("Stale", exact=True).wait_for()
    assert row.get_by_role("progressbar").count() == 0
    tab.editor.picture("stale")
    tab.open("a shot that is late")
    tab.until("Its provider has not finished it")
    before = polls(studio)
    tab.press("Ask again")
    tab.editor.toast("The provider has not finished the job yet")
    until(tab, lambda: polls(studio) > before)
    studio.finish("video_old")
    tab.press("Ask again")
    tab.until("Finished")
