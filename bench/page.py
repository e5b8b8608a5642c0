"""The page: bytes of JavaScript, the tab's first paint with 10,000 jobs, events and scrolling without dropped frames.

Needs a ComfyUI and Chromium, found as the browser tests find them. Nothing is spent.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "nodes"))

from playwright.sync_api import sync_playwright
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import update

from tests.browser.conftest import missing
from tests.browser.desk import FLAGS, find_chromium
from tests.browser.editor import Classic
from tests.browser.ledger import filled
from tests.browser.tab import ROOT as TAB
from tests.host.comfy import PACK, ComfyUI

JOBS = 10_000
RUNNING = 60  # of them, the newest
RUNS = 5
SECONDS = 2
RATES = [100, 300, 1000, 3000, 10_000, 30_000, 100_000]  # events a second
FRAME_MS, LATE = 1000 / 60, 1.5  # what took longer than so many frames dropped one
TIMES = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")

# Events a second on jobs that run, most of them out of sight, as the server's socket hands them on.
EVENTS = """async ([rate, seconds]) => {
  const { api } = await import('/scripts/api.js');
  const { jobs } = await (await api.fetchApi('/sora/history?limit=60')).json();
  const times = [];
  let sent = 0, begun = performance.now();
  while (performance.now() - begun < 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    times.push(performance.now());
    for (const due = (rate * (performance.now() - begun)) / 1000; sent < due; sent += 1) {
      const { id, state, is_running, is_counted, group, aside, created_at, submitted_at } = jobs[sent % jobs.length];
      const known = { id, state, is_running, is_counted, group, aside, created_at, submitted_at };
      const job = { ...known, progress: sent % 100, expected_s: null };
      api.dispatchEvent(new CustomEvent('sora.job', { detail: { job, was: state, was_running: is_running } }));
    }
  }
  return times;
}"""
SCROLL = """async (seconds) => {
  const list = document.querySelector('.sora-scroll'), times = [], begun = performance.now();
  while (performance.now() - begun < 1000 * seconds) {
    list.scrollTop += 300;
    await new Promise(requestAnimationFrame);
    times.push(performance.now());
  }
  return times;
}"""
IDLE = """async (seconds) => {
  const times = [], begun = performance.now();
  while (performance.now() - begun < 1000 * seconds) times.push(await new Promise(requestAnimationFrame));
  return times;
}"""
PAINTED = """async () => {
  const begun = performance.now();
  app.extensionManager.command.execute('Workspace.ToggleSidebarTab.sora-jobs');
  while (!document.querySelector('.sora-item')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def reached(name: str, found: set[str]) -> set[str]:
    """The modules that come with one, without those that are imported at first use."""
    if name not in found:
        found.add(name)
        text = (PACK / "js" / name).read_text(encoding="utf-8")
        for other in re.findall(r'^import .*?"\./([\w.]+)";|^} from "\./([\w.]+)";', text, re.MULTILINE):
            reached(other[0] or other[1], found)
    return found


def zipped(names: set[str]) -> float:
    """KiB of these files, each compressed by itself, as a server sends them."""
    return sum(len(gzip.compress((PACK / "js" / name).read_bytes(), 9)) for name in names) / 1024


def sizes() -> None:
    every = {file.name for file in (PACK / "js").iterdir() if file.suffix in (".js", ".mjs")}
    tables = {name for name in every if name.startswith("words.") and name != "words.mjs"}
    first = reached("sora.js", set())
    opened = reached("panel.mjs", set(first))
    print(f"JavaScript that every page loads            {zipped(first):6.1f} KiB in {len(first)} files, gzipped")
    print(f"  and with the tab open                     {zipped(opened):6.1f} KiB in {len(opened)}")
    print(f"  each other language                       {(zipped(tables - first)) / 2:6.1f} KiB")
    print(f"  all there is                              {zipped(every):6.1f} KiB in {len(every)}")
    whole = b"".join((PACK / "js" / name).read_bytes() for name in sorted(every))
    print(f"  the same in one archive                   {len(gzip.compress(whole, 9)) / 1024:6.1f} KiB")


class Frames:
    """What the page's frames cost while something goes on in it."""

    def __init__(self, page: Any) -> None:
        self._page, self._session = page, page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def show(self, label: str, script: str, given: Any) -> None:
        before = metrics(self._session)["TaskDuration"]
        times = self._page.evaluate(script, given)
        work = 1000 * (metrics(self._session)["TaskDuration"] - before) / len(times)
        steps = [later - sooner for sooner, later in itertools.pairwise(times)]
        late = 100 * sum(step > LATE * FRAME_MS for step in steps) / len(steps)
        print(f"  {label:40}  {work:6.1f} ms of CPU a frame, {late:3.0f} % late, longest {max(steps):.0f} ms")


def metrics(session: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def first_paint(open_page: Callable[[], Any]) -> Any:
    """Opens the tab on RUNS fresh pages; gives the last of them."""
    results: dict[str, list[float]] = {name: [] for name in (*TIMES, "wall")}
    page = None
    for _ in range(RUNS):
        if page is not None:
            page.close()
        page = open_page()
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU time: others may be busy, too
        before = metrics(session)
        results["wall"].append(page.evaluate(PAINTED))
        after = metrics(session)
        for name in TIMES:
            results[name].append(1000 * (after[name] - before[name]))
    for name, label in zip((*TIMES, "wall"), ("scripting", "layout", "style", "from click to rows"), strict=True):
        low, high = min(results[name]), max(results[name])
        print(f"  {label:40}  {statistics.median(results[name]):6.1f} ms ({low:.1f}-{high:.1f})")
    return page


def begin(home: Path) -> None:
    """The newest page of jobs runs; nobody looks after them."""
    ledger = Ledger(home)
    with ledger.database.write() as connection:
        for job in ledger.jobs(limit=RUNNING):
            update(connection, job.id, state="submitted", submitted_at=job.created_at)
    ledger.close()


def main() -> None:
    sizes()
    if why := missing():
        raise SystemExit(f"The rest is not measured: {why}.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        base = Path(folder)
        settings = base / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
        home = base / "user" / "__sora"
        filled(home, JOBS)
        begin(home)
        with ComfyUI(base, forked=False, SORA_BACKGROUND_DOWNLOADS="0") as host:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)

            def open_page() -> Any:
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                Classic(host, page, base / "pictures")
                return page

            print(f"first paint of the tab with {JOBS} jobs, medians of {RUNS} (min-max)")
            page = first_paint(open_page)
            page.locator(TAB).wait_for()
            frames = Frames(page)
            print("frames of the page; late ones also count what else this machine does")
            frames.show("nothing", IDLE, SECONDS)
            for rate in RATES:
                frames.show(f"{rate} events a second", EVENTS, [rate, SECONDS])
            frames.show("scrolling, three rows a frame", SCROLL, SECONDS)
            browser.close()


if __name__ == "__main__":
    main()
