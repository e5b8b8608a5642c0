"""The tab: a job from the Run button to its video, what can be done with it, and what helps when it went wrong.

The tests of this file share one host and go on from each other's jobs, since every job is a video that is rendered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ..host import graphs
from ..host.comfy import ComfyUI
from .conftest import keyless
from .desk import DESK, opened
from .editor import CLOSE, Editor
from .tab import Tab
from .workflows import node

BOAT = "A paper boat, drifting over a lake at sunset"
SLOW = f"{BOAT} [sandbox: slow=6]"
# Whether it ever did: a slow machine may look at it when it is over.
NODE_SAYS = """() => {
  const look = () => {
    const { progress, widgets } = app.graph.getNodeById(2);
    if (!(progress > 0 && widgets.some(({ value }) => /rendering/i.test(value)))) return;
    clearInterval(timer);
    window.said = true;
  };
  const timer = setInterval(look, 50);
}"""
# As if the server were away: no event of ours arrives, and the tab does not look by itself.
DEAF = """() => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
  const own = window.heard = EventTarget.prototype.dispatchEvent;
  window.missed = [];
  EventTarget.prototype.dispatchEvent = function (event) {
    return event.type === 'sora.job' ? window.missed.push(event.detail.job.state) : own.call(this, event);
  };
}"""
BACK = """() => {
  delete document.hidden;
  EventTarget.prototype.dispatchEvent = window.heard;
  app.api.dispatchEvent(new CustomEvent('reconnected'));
}"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A host of its own, whose ledger is empty at first."""
    with keyless(tmp_path_factory.mktemp("tab")) as host:
        yield host
        DESK.forget(host)


@pytest.fixture
def buys_nothing(host: ComfyUI) -> Iterator[None]:
    before = len(host.sandbox_jobs())
    yield
    assert len(host.sandbox_jobs()) == before


def test_the_first_load_says_what_to_do(tab: Tab) -> None:
    """An empty ledger is no error."""
    tab.until("No job yet")
    assert tab.badge() == ""
    tab.editor.picture("empty")


def test_progress_of_a_run_reaches_the_tab_and_its_icon(tab: Tab) -> None:
    """From the Run button to the picture of the finished video, without a reload; no row changes its height."""
    create = node(1, "CreateSoraJob", [SLOW, "sora-2", "4", "1280x720", 1, "crop", "sandbox", "", ""])
    create["outputs"] = [{"name": "job", "type": "SORA_JOB", "links": [1]}]
    wait = node(2, "WaitForVideo", [60, ""], inputs=[{"name": "job", "type": "SORA_JOB", "link": 1}])
    tab.editor.load(create, wait, links=[[1, 1, 0, 2, 0, "SORA_JOB"]])
    tab.page.evaluate(NODE_SAYS)
    tab.page.evaluate("() => app.queuePrompt(0)")
    row = tab.row(BOAT)
    row.get_by_text("Rendering").wait_for()
    row.get_by_role("progressbar").and_(tab.page.locator("[aria-valuenow]")).wait_for()
    assert tab.badge() == "1"
    tab.page.wait_for_function("() => window.said")
    height = row.bounding_box()["height"]
    tab.editor.picture("rendering")
    tab.until("Finished")
    row.locator("img").wait_for()
    tab.page.wait_for_function("() => document.querySelector('.sora-thumb img').naturalWidth > 0")
    assert tab.badge() == ""
    assert row.bounding_box()["height"] == height
    assert "free" in row.inner_text()
    tab.editor.picture("finished")


def test_a_video_plays_and_can_be_downloaded(tab: Tab, buys_nothing: None) -> None:
    """In the tab, from the host's own /view."""
    tab.open(BOAT)
    tab.root.locator("video").evaluate("(video) => { video.muted = true; return video.play() }")
    tab.page.wait_for_function("() => document.querySelector('.sora-detail video').currentTime > 0.1")
    with tab.page.expect_download() as download:
        tab.root.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".mp4")
    tab.editor.picture("detail")


def test_a_card_can_be_pressed_anywhere(tab: Tab) -> None:
    """Its button is the prompt, and covers the picture, too."""
    box = tab.row(BOAT).locator(".sora-thumb").bounding_box()
    tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.root.locator(".sora-detail").wait_for()


def test_the_hosts_settings_lead_to_ours(tab: Tab) -> None:
    """Their dialog, which is over the tab, is closed."""
    tab.page.evaluate("() => app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    dialog = tab.page.get_by_role("dialog")
    dialog.locator("input").first.fill("Sora")
    dialog.get_by_role("button", name="Open the settings").click()
    dialog.wait_for(state="detached")
    tab.until("Providers and keys")


ADDED = {
    "Load frames": ["SoraOpenJob", "WaitForVideo", "LoadVideoFrames"],
    "Add to graph": ["SoraOpenJob", "WaitForVideo"],
    "Remix": ["SoraOpenJob", "WaitForVideo", "Remix", "WaitForVideo"],
    "Same again, new take": ["CreateSoraJob", "WaitForVideo"],
}


@pytest.mark.parametrize("name", ADDED)
def test_a_button_adds_nodes_and_buys_nothing(tab: Tab, host: ComfyUI, buys_nothing: None, name: str) -> None:
    """They are connected, and can be run; one undo takes them back."""
    tab.open(BOAT)
    tab.press(name)
    tab.editor.toast("Nothing is bought before you run it.")
    assert tab.kinds() == ADDED[name]
    graph = tab.editor.graph()
    assert len(graph["links"]) == len(ADDED[name]) - 1
    if name == "Same again, new take":
        assert graph["nodes"][0]["widgets_values"][:5] == [SLOW, "sora-2", "4", "1280x720", 2]
    else:
        opens = next(one for one in graph["nodes"] if one["type"] == "SoraOpenJob")
        assert host.get("/sora/history")["jobs"][0]["id"] in opens["widgets_values"]
    if name == "Remix":
        tab.page.wait_for_function("() => document.activeElement.tagName === 'TEXTAREA'")
        tab.editor.picture("remix_added")
    tab.page.evaluate("() => app.extensionManager.command.execute('Comfy.Undo')")
    tab.page.wait_for_function("() => app.graph.nodes.length === 0")


def test_loaded_frames_come_from_the_stored_file(tab: Tab, host: ComfyUI, buys_nothing: None) -> None:
    """What "Load frames" put there runs, and gives frames."""
    tab.open(BOAT)
    tab.press("Load frames")
    tab.page.wait_for_function("() => app.graph.nodes.length === 3")
    prompt = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    frames = next(name for name, one in prompt.items() if one["class_type"] == "LoadVideoFrames")
    run = host.run(prompt | {"shown": graphs.shown(frames, 3)})
    assert run.ok, run.error
    assert int(run.text("shown")) > 90


def test_the_same_again_brings_its_reference_along(tab: Tab, host: ComfyUI) -> None:
    """As a LoadImage, which shows it, fitted as it was; the fitted picture stands in the new node."""
    graph = {"0": graphs.image()} | graphs.bought("from a picture")
    graph["1"]["inputs"] |= {"reference": ["0", 0], "fit": "pad"}
    assert host.run(graph).ok
    before = len(host.sandbox_jobs())
    tab.open("from a picture")
    tab.press("Same again, new take")
    tab.page.wait_for_function("() => app.graph.nodes.length === 3")
    assert tab.kinds() == ["CreateSoraJob", "WaitForVideo", "LoadImage"]
    assert tab.page.evaluate("() => app.graph.nodes[0].widgets.find(({ name }) => name === 'fit').value") == "pad"
    tab.page.locator(".sora-preview canvas").wait_for()
    tab.page.wait_for_timeout(500)
    tab.editor.picture("again_with_reference")
    assert len(host.sandbox_jobs()) == before


def test_a_remix_shows_what_it_came_from_and_what_changed(tab: Tab, host: ComfyUI) -> None:
    """Up to the parent, and down again."""
    graph = graphs.bought("a red boat on a lake", **graphs.SORA)
    graph |= {"3": graphs.node("Remix", job=["2", 1], prompt="a blue boat on a lake", take=1), "4": graphs.wait("3")}
    assert host.run(graph).ok
    tab.open("a blue boat on a lake")
    tab.until("A remix of")
    assert tab.root.locator("ins").all_inner_texts() == ["blue"]
    assert tab.root.locator("del").all_inner_texts() == ["red"]
    tab.editor.picture("remix")
    tab.press("Open the job: a red boat on a lake")
    tab.until("Its remixes")
    assert tab.root.locator("ins").all_inner_texts() == ["blue"]


def test_a_purchase_that_nobody_knows_of_is_told_and_settled(tab: Tab, host: ComfyUI) -> None:
    """The toast leads to the job, where it can be looked for, named or given up; only the last asks first."""
    for number in ("three", "one", "two"):
        host.run(graphs.bought(f"lost {number} [sandbox: lost_answer]"))
    toast = tab.page.get_by_role("alert").filter(has_text="lost two")
    toast.wait_for()
    tab.editor.picture("toast")
    toast.get_by_role("button", name="Open the job").click()
    tab.until("Was it bought?")
    tab.editor.picture("unknown")
    tab.press("Declare it lost")
    assert "paid twice" in tab.confirm("Declare this job lost?")
    tab.until("Declared lost")
    tab.page.keyboard.press("Escape")
    known = {job["prompt"]: job["id"] for job in host.sandbox_jobs()}
    tab.open("lost one")
    tab.root.get_by_role("textbox", name="The gateway's id of it").fill(known["lost one"])
    tab.press("Use this id")
    tab.until("Finished")
    tab.page.keyboard.press("Escape")
    tab.open("lost three")
    tab.press("Look in the gateway's list")
    tab.until("Finished")


def test_a_job_that_failed_is_told_with_its_cure(tab: Tab, host: ComfyUI, page: Editor) -> None:
    """A new take, as nodes."""
    host.run(graphs.bought("stopped [sandbox: fail=moderation_blocked]"))
    toast = tab.page.get_by_role("alert").filter(has_text="stopped")
    toast.wait_for()
    assert "moderation" in toast.inner_text()
    before = len(host.sandbox_jobs())
    toast.get_by_role("button", name="Same again, new take").click()
    tab.page.wait_for_function("() => app.graph.nodes.length === 2")
    toast.wait_for(state="detached")
    assert page.graph()["nodes"][0]["widgets_values"][4] == 2
    assert len(host.sandbox_jobs()) == before
    tab.row("stopped").get_by_text("Failed").wait_for()


def test_a_job_that_failed_is_asked_about_again(tab: Tab, host: ComfyUI, buys_nothing: None) -> None:
    """It is still failed, with its reason; what cannot be asked is told as that."""
    tab.open("stopped")
    tab.press("Ask again")
    assert "moderation" in tab.editor.toast("still counts as failed")
    tab.editor.picture("asked_again")
    tab.page.route("**/sora/history/*/ask", lambda route: route.fulfill(status=502, json={"error": "Nobody is there."}))
    tab.press("Ask again")
    tab.editor.toast("Nobody is there.")
    tab.page.unroute("**/sora/history/*/ask")
    assert "Failed" in tab.root.get_by_role("heading").first.inner_text()


def test_a_job_that_did_not_fail_after_all_is_fetched(tab: Tab, host: ComfyUI) -> None:
    """Some providers say "failed" once, and finish the video."""
    tab.page.evaluate(CLOSE)
    assert host.run(graphs.bought("taken back")).ok
    before = len(host.sandbox_jobs())
    with sqlite3.connect(host.home / "ledger.sqlite3") as ledger:
        lost = "state = 'failed', error = 'oops', path = '', root = '', sha256 = '', bytes = NULL, stored_at = NULL"
        assert ledger.execute(f"UPDATE jobs SET {lost} WHERE prompt = 'taken back'").rowcount == 1
    ledger.close()
    tab.look_again("taken back", "Failed")
    tab.open("taken back")
    tab.press("Ask again")
    tab.editor.toast("did not fail after all")
    tab.until("Finished")
    tab.root.locator("video").wait_for()
    assert tab.root.get_by_role("button", name="Ask again").count() == 0
    assert len(host.sandbox_jobs()) == before


def test_a_model_that_is_gone_is_cured_by_the_nearest(tab: Tab, host: ComfyUI) -> None:
    """As nodes, too; both from the toast and from the job. Where none is known to live, that is said."""
    host.run(graphs.bought("gone [sandbox: refuse=model_not_found]"))
    toast = tab.page.get_by_role("alert").filter(has_text="gone")
    tab.open("gone [")
    tab.press("Take the nearest model")
    assert tab.editor.toast("No model is known")
    choice = {"model": "seedance-2-5", "seconds": "5", "size": "854x480"}
    tab.page.route("**/sora/models/nearest?*", lambda route: route.fulfill(json=choice))  # as if it lived there
    toast.get_by_role("button", name="Take the nearest model").click()
    tab.page.wait_for_function("() => app.graph.nodes.length === 2")
    assert tab.editor.graph()["nodes"][0]["widgets_values"][1:5] == ["seedance-2-5", "5", "854x480", 2]
    tab.press("Take the nearest model")
    tab.page.wait_for_function("() => app.graph.nodes.length === 4")
    tab.page.unroute("**/sora/models/nearest?*")


def test_a_key_that_is_missing_is_told_with_the_way_to_it(tab: Tab, host: ComfyUI) -> None:
    """Before there is a job, which is why the list has none."""
    create = node(1, "CreateSoraJob", ["no key yet", "sora-2", "4", "1280x720", 1, "crop", "cometapi", "", ""])
    create["outputs"] = [{"name": "job", "type": "SORA_JOB", "links": [1]}]
    end = node(2, "SoraSubmitOnly", [], inputs=[{"name": "job", "type": "SORA_JOB", "link": 1}])
    tab.editor.load(create, end, links=[[1, 1, 0, 2, 0, "SORA_JOB"]])
    tab.page.evaluate("() => app.queuePrompt(0)")
    toast = tab.page.get_by_role("alert").filter(has=tab.page.get_by_text("Not sent", exact=True))
    toast.wait_for()
    tab.editor.picture("no_key")
    toast.get_by_role("button", name="Open the settings").click()
    tab.until("Providers and keys")


def test_a_remix_from_the_tab_runs(tab: Tab, host: ComfyUI) -> None:
    """Its prompt is typed where the keyboard already is."""
    assert host.run(graphs.bought("a small harbour", **graphs.SORA)).ok
    before = len(host.sandbox_jobs())
    tab.open("a small harbour")
    tab.press("Remix")
    tab.page.wait_for_function("() => app.graph.nodes.length === 4")
    tab.page.wait_for_timeout(500)
    tab.page.keyboard.type("the same in a storm")
    tab.page.evaluate("() => app.queuePrompt(0)")
    tab.page.keyboard.press("Escape")
    tab.press("Back to the list")
    tab.row("the same in a storm").get_by_text("Finished").wait_for(timeout=60_000)
    assert len(host.sandbox_jobs()) == before + 1


def test_a_forgotten_job_keeps_its_file(tab: Tab, host: ComfyUI) -> None:
    """It asks first, and says so; it can be shown again."""
    tab.open("a red boat")
    tab.press("Forget")
    assert "video file stay" in tab.confirm("Take this job off the list?")
    tab.press("Show again")
    tab.root.get_by_role("button", name="Forget").wait_for()
    tab.press("Forget")
    tab.confirm("Take this job off the list?")
    tab.root.get_by_role("button", name="Show again").wait_for()
    tab.page.keyboard.press("Escape")
    tab.rows.filter(has_text="a red boat").wait_for(state="detached")
    assert tab.page.evaluate("() => document.activeElement.ariaLabel") == "Settings"  # its row is there no more
    tab.root.get_by_role("combobox").select_option("forgotten")
    row = tab.row("a red boat")
    job = next(job for job in host.get("/sora/history?state=forgotten")["jobs"])
    assert (host.base / "output" / job["file"]["subfolder"] / job["file"]["filename"]).is_file()
    assert "forgotten" in row.inner_text()


def test_what_happened_while_the_server_was_away_is_caught_up(tab: Tab, host: ComfyUI) -> None:
    """A job in full and the icon, once the page is connected again."""
    prompt = "a boat behind the fog"
    run = host.queue(graphs.bought(f"{prompt} [sandbox: slow=6]"))
    tab.open(prompt)
    tab.until("Rendering")
    assert tab.badge() == "1"
    tab.page.evaluate(DEAF)
    assert host.wait(run).ok
    tab.page.wait_for_function("() => window.missed.includes('stored')")
    assert tab.root.get_by_role("heading", name="Rendering").count() == 1
    tab.page.evaluate(BACK)
    tab.until("Finished", timeout_s=5)  # sooner than the tab looks by itself
    tab.root.locator("video").wait_for()
    assert tab.badge() == ""


def test_search_and_filter(tab: Tab) -> None:
    """In the ledger, not in what was read of it."""
    tab.root.get_by_role("searchbox").fill("picture")
    tab.page.wait_for_function("() => document.querySelectorAll('.sora-item').length === 1")
    tab.root.get_by_role("searchbox").fill("no such words")
    tab.until("No job matches.")
    tab.root.get_by_role("searchbox").fill("")
    tab.root.get_by_role("combobox").select_option("failed")
    tab.page.wait_for_function("() => document.querySelectorAll('.sora-item').length === 1")


DROP = """async ([selector, file, name]) => {
  const blob = await (await fetch('/view?' + new URLSearchParams(file))).blob();
  const carried = new DataTransfer();
  carried.items.add(new File([blob], name, { type: 'video/mp4' }));
  const options = { dataTransfer: carried, bubbles: true, cancelable: true };
  document.querySelector(selector).dispatchEvent(new DragEvent('drop', options));
}"""


@pytest.mark.parametrize(("of_file", "name"), [(True, "holiday.mp4"), (False, "2026-01-01_{id}.mp4")])
def test_a_dropped_video_finds_its_job(tab: Tab, host: ComfyUI, of_file: bool, name: str) -> None:
    """By what is in it, whatever it is called now; else by its name. The page does not open it as a workflow."""
    jobs = host.get("/sora/history?search=picture")["jobs"] + host.get("/sora/history?search=lost one")["jobs"]
    file = jobs[0 if of_file else 1]["file"] if of_file else {"filename": "none.mp4", "subfolder": "", "type": "output"}
    wanted = jobs[0 if of_file else 1]
    tab.page.evaluate(DROP, [".sora-home", file, name.format(id=wanted["id"])])
    tab.until(wanted["id"])
    assert tab.kinds() == []


def test_a_key_goes_in_and_never_comes_back(tab: Tab, host: ComfyUI) -> None:
    """The page learns how it ends. Its field is empty at once."""
    key = "sk-0123456789abcdefghijWXYZ"
    tab.press("Settings")
    tab.until("not set")
    tab.editor.picture("settings")
    field = tab.root.get_by_label("Key of cometapi")
    assert field.get_attribute("type") == "password"
    field.fill(key)
    field.press("Enter")
    assert field.input_value() == ""
    tab.until("ends in …WXYZ")
    assert key not in tab.page.content()
    assert key not in requests.get(f"{host.url}/sora/settings", timeout=10).text
    tab.press("Remove")
    tab.confirm("Remove the key of cometapi")
    tab.until("not set")


PAGE_LANGUAGE, SERVER_LANGUAGE = "[data-key=page_language]", "[data-key=language]"
SET_LOCALE = "(locale) => app.extensionManager.setting.set('Comfy.Locale', locale)"


def test_the_language_of_the_page_changes_at_once(tab: Tab, host: ComfyUI) -> None:
    """The list, too; in this browser alone, and not what nodes say."""
    tab.press("Settings")
    for language, words in (("vi", "Chạy kiểm tra"), ("zh", "运行诊断"), ("", "Run the doctor")):
        tab.root.locator(PAGE_LANGUAGE).select_option(language)
        tab.until(words)
        tab.page.wait_for_timeout(200)
        tab.editor.picture(f"settings_{language or 'en'}")
    assert requests.get(f"{host.url}/sora/settings", timeout=10).json()["language"] == "en"


def test_the_page_follows_comfyui_and_the_nodes_the_server(tab: Tab, host: ComfyUI) -> None:
    """A Vietnamese server and a Chinese page: the node's error is Vietnamese, the job in the tab Chinese; what was
    chosen in this browser goes before both."""
    tab.press("Settings")
    tab.root.locator(SERVER_LANGUAGE).select_option("vi")
    tab.editor.toast("Saved.")
    tab.page.evaluate(SET_LOCALE, "zh")
    try:
        tab.until("运行诊断")
        run = host.run(graphs.bought("two tongues [sandbox: fail=moderation_blocked]"))
        assert "Cổng đã nhận công việc" in run.error
        toast = tab.page.get_by_role("alert").filter(has_text="two tongues")
        toast.wait_for()
        assert "网关接受了任务" in toast.inner_text()
        assert "Cổng" not in toast.inner_text()
        tab.root.locator(PAGE_LANGUAGE).select_option("en")
        tab.until("Run the doctor")
        assert requests.get(f"{host.url}/sora/settings", timeout=10).json()["language"] == "vi"
    finally:
        tab.root.locator(PAGE_LANGUAGE).select_option("")
        tab.page.evaluate(SET_LOCALE, "en")
        requests.post(f"{host.url}/sora/settings", json={"language": "en"}, timeout=10).raise_for_status()
    tab.until("Run the doctor")


def test_the_doctor_says_what_it_found(tab: Tab) -> None:
    """Each line with a word for how bad it is."""
    tab.press("Settings")
    tab.press("Run the doctor")
    tab.root.locator(".sora-findings li").first.wait_for(timeout=60_000)
    words = {text.split(":")[0] for text in tab.root.locator(".sora-findings strong").all_inner_texts()}
    assert words <= {"Fine", "Take a look", "Broken"}
    tab.editor.picture("doctor")


UNNAMED = """() => [...document.querySelectorAll('.sora-jobs :is(button, input, select, a, video, [role=progressbar])')]
  .filter((one) => !one.ariaLabel && !(one.closest('label') ?? one).textContent.trim())
  .map((one) => one.outerHTML)"""


def test_the_keyboard_reaches_everything(tab: Tab) -> None:
    """Arrows go from row to row, Enter opens one, Escape goes back to that row; every control has a name."""
    tab.row("stopped")
    tab.root.get_by_role("searchbox").focus()
    for _ in range(4):  # the filter, the costs, the settings, the first row
        tab.page.keyboard.press("Tab")
    held = "() => document.activeElement.closest('.sora-item')?.dataset.id ?? ''"
    first = tab.page.evaluate(held)
    assert first
    tab.page.keyboard.press("ArrowDown")
    second = tab.page.evaluate(held)
    assert second not in ("", first)
    assert tab.page.evaluate(UNNAMED) == []
    tab.page.keyboard.press("Enter")
    tab.root.locator(".sora-detail").wait_for()
    assert tab.page.evaluate(UNNAMED) == []
    tab.page.keyboard.press("Escape")
    assert tab.page.evaluate(held) == second
    tab.press("Settings")
    tab.until("Run the doctor")
    assert tab.page.evaluate(UNNAMED) == []


SIDEWAYS = """([root, width]) => {
  const tab = document.querySelector(root);
  tab.style.width = width + 'px';
  const edge = tab.getBoundingClientRect().right + 1;
  return [...tab.querySelectorAll('*')]
    .filter((one) => one.getBoundingClientRect().right > edge || tab.scrollWidth > tab.clientWidth)
    .filter((one) => !one.closest('.sora-heard, .sora-bar'))
    .map((one) => one.className);
}"""


@pytest.mark.parametrize("palette", ["dark", "light"])
def test_nothing_overflows_at_300_pixels(tab: Tab, palette: str) -> None:
    """The list, a job with a long error, and the settings; in both themes."""
    tab.page.evaluate("(name) => app.extensionManager.setting.set('Comfy.ColorPalette', name)", palette)
    root = ".sora-jobs:not(.sora-alerts)"
    try:
        tab.row("stopped").locator("..").wait_for()
        tab.page.wait_for_timeout(400)
        assert tab.page.evaluate(SIDEWAYS, [root, 300]) == []
        tab.editor.picture(f"narrow_list_{palette}")
        for part in ("stopped", "a blue boat"):
            tab.open(part)
            tab.page.wait_for_timeout(300)
            assert tab.page.evaluate(SIDEWAYS, [root, 300]) == []
            tab.editor.picture(f"narrow_{part.split()[-1]}_{palette}")
            tab.page.keyboard.press("Escape")
        tab.press("Settings")
        tab.until("Run the doctor")
        assert tab.page.evaluate(SIDEWAYS, [root, 300]) == []
        tab.editor.picture(f"narrow_settings_{palette}")
    finally:
        tab.page.evaluate("() => app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")


def test_a_tab_that_was_closed_leaves_nothing_behind(tab: Tab) -> None:
    """No timer, no listener, no element; opened again it is there again."""
    tab.row("stopped")
    for _ in range(3):
        tab.close()
        assert tab.page.locator(".sora-item").count() == 0
        tab = Tab(tab.editor)
        tab.row("stopped")
    assert tab.root.count() == 1


def test_the_history_is_there_after_a_restart(host: ComfyUI, chromium: Any) -> None:
    """Of ComfyUI, whose own history is gone then."""
    DESK.forget(host)  # it would look for its host all the time
    host.__exit__()
    with host:
        editor = opened(host, chromium, "classic", host.base / "pictures")
        tab = Tab(editor)
        assert "Finished" in tab.row("a blue boat").inner_text()
        tab.open("a blue boat")
        tab.until("A remix of")
        editor.close()
