"""Trouble that a page must not miss: an uncertain purchase is told, whatever became of its event."""

from __future__ import annotations

from typing import Any

import pytest

from ..host import graphs
from ..host.comfy import ComfyUI
from .desk import opened
from .tab import Tab

# No event of ours reaches the page, until it is handed over with HEAR.
HOLD = """() => {
  window.held = [];
  window.given = EventTarget.prototype.dispatchEvent;
  EventTarget.prototype.dispatchEvent = function (event) {
    return event.type === 'sora.job' ? window.held.push(event.detail) : window.given.call(this, event);
  };
}"""
HELD = "(state) => window.held.some(({ job }) => job.state === state)"
HEAR = """(details) => {
  EventTarget.prototype.dispatchEvent = window.given;
  for (const detail of details) app.api.dispatchEvent(new CustomEvent('sora.job', { detail }));
}"""
# The socket is closed, and the next one connects for ever, until MEND. (Since one that fails is not always followed by
# another: Chromium sends no `close` after the `error` in which the page of 1.49 closes it.)
CUT = """() => {
  window.Socket = WebSocket;
  window.WebSocket = class extends EventTarget { close() {} };
  window.heard = 0;
  app.api.addEventListener('sora.job', () => window.heard++);
  app.api.socket.close();
}"""
MEND = """() => {
  window.WebSocket = window.Socket;
  app.api.socket.dispatchEvent(new Event('close'));
}"""
CONNECTED = "() => app.api.socket?.readyState === WebSocket.OPEN"
FOCUS = "() => { window.dispatchEvent(new Event('focus')) }"


def lose(host: ComfyUI, name: str) -> str:
    """A purchase of which nobody knows what became of it; its id."""
    host.run(graphs.bought(f"{name} [sandbox: lost_answer]"))
    (row,) = host.get(f"/sora/history?search={name}")["jobs"]
    assert row["state"] == "unknown"
    return str(row["id"])


def toast_of(page: Any, name: str) -> Any:
    return page.get_by_role("alert").filter(has_text=name)


def test_trouble_is_told_also_if_the_list_read_it_before_its_event_came(tab: Tab, host: ComfyUI) -> None:
    """As it is under load: what is read because of the event before it tells of the trouble already."""
    tab.page.evaluate(HOLD)
    lose(host, "overtaken")
    tab.page.wait_for_function(HELD, arg="unknown")
    trouble = tab.page.evaluate("() => window.held.find(({ job }) => job.state === 'unknown')")
    goes_on = {"state": "reserved", "is_running": True, "is_counted": True, "in_trouble": False, "group": "running"}
    early = {"job": trouble["job"] | goes_on, "was": "", "was_running": False}
    tab.page.evaluate(HEAR, [early])
    tab.row("overtaken").get_by_text("Unknown if bought").wait_for()
    assert toast_of(tab.page, "overtaken").count() == 0
    tab.page.evaluate(HEAR, [trouble | {"was": "reserved", "was_running": True}])
    toast_of(tab.page, "overtaken").wait_for(timeout=10_000)


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("shown", [False, True])
def test_trouble_is_told_though_the_socket_was_closed(tab: Tab, host: ComfyUI, back: bool, shown: bool) -> None:
    """Once the page is connected again; at its next look, where it never is. With the tab, and without it."""
    if not shown:
        tab.close()
    name = f"away {back} {shown}"
    tab.page.evaluate(CUT)
    lose(host, name)
    assert tab.page.evaluate("() => window.heard") == 0
    if back:
        tab.page.evaluate(MEND)
    toast_of(tab.page, name).wait_for(timeout=30_000)
    if not back:
        tab.page.evaluate(MEND)
    tab.page.wait_for_function(CONNECTED)
    if not shown:
        Tab(tab.editor)


def test_trouble_is_told_to_a_page_that_began_to_load_before_it(host: ComfyUI, chromium: Any) -> None:
    """Its scripts came later than the event. A page that is opened afterwards is not bothered with it."""
    names = []

    def late(route: Any) -> None:
        if not names:
            names.append(lose(host, "too early"))
        route.continue_()

    page = chromium.new_page()
    page.route("**/sora-jobs/sora.js*", late)
    page.goto(host.url)
    toast_of(page, "too early").wait_for()
    page.close()
    editor = opened(host, chromium, "classic", host.base / "pictures")
    editor.page.wait_for_timeout(500)
    assert toast_of(editor.page, "too early").count() == 0
    editor.close()


def test_trouble_that_could_not_be_read_is_told_at_the_next_look(tab: Tab, host: ComfyUI) -> None:
    """The event came, and the answer to the page's question did not."""
    paths = ("**/sora/news*", "**/sora/history*", "**/sora/history/*")
    for path in paths:
        tab.page.route(path, lambda route: route.abort())
    with tab.page.expect_event("requestfailed", lambda request: "/sora/" in request.url):
        lose(host, "unheard")
    for path in paths:
        tab.page.unroute(path)
    tab.page.evaluate(FOCUS)
    toast_of(tab.page, "unheard").wait_for(timeout=10_000)


HIDDEN = """async ([module, row]) => {
  const { Alerts } = await import(module);
  const timers = [], real = window.setTimeout;
  window.setTimeout = (run, ms) => ms > 10_000 ? timers.push(run) : real(run, ms);
  const hide = (hidden) => Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  hide(true);
  const alerts = new Alerts({ '': { icon: 'x', key: 'open_job', run: () => {} } });
  alerts.show(row);
  const away = timers.length;
  hide(false);
  document.dispatchEvent(new Event('visibilitychange'));
  const back = timers.length;
  window.setTimeout = real;
  delete document.hidden;
  timers.forEach((run) => run());
  const left = [...document.querySelectorAll('.sora-alert')].filter((one) => one.textContent.includes(row.prompt));
  alerts.end();
  return [away, back > 0, left.length];
}"""


def test_a_toast_waits_for_a_page_that_nobody_sees(tab: Tab, host: ComfyUI) -> None:
    """Its seconds begin when the page is looked at."""
    entry = next(path for path in host.get("/extensions") if path.endswith("/sora.js"))
    module = f"{host.url}{entry.replace('sora.js', 'alert.mjs')}"
    row = {"id": "0123456789", "state": "failed", "prompt": "nobody looks", "error": "It failed.", "cure": ""}
    assert tab.page.evaluate(HIDDEN, [module, row]) == [0, True, 0]
