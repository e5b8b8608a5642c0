"""A notification of the browser: switched on by a click, shown for a job that is done while nobody looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..host import graphs
from ..host.comfy import ComfyUI
from .desk import opened
from .editor import Editor
from .tab import Tab

SWITCH = "Have this browser notify me"
# The page's own class, and what it was made with; `shown` once the browser says that it shows it. `heard`: the states
# in the events that reached the page; the pack's own listener has had them by then.
WATCH = """() => {
  window.seen = [];
  window.heard = [];
  app.api.addEventListener('sora.job', ({ detail }) => window.heard.push(detail.job.state));
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, given) {
      super(title, given);
      const one = { title, body: this.body, tag: this.tag, shown: false, self: this };
      this.addEventListener('show', () => (one.shown = true));
      window.seen.push(one);
    }
  };
}"""
TOLD = "() => window.seen.map(({ title, body, tag, shown }) => ({ title, body, tag, shown }))"
UNASKED = "() => Object.defineProperty(Notification, 'permission', { configurable: true, value: 'default' })"
# `set` replaces what the browser says, on which nobody was asked yet, and `undo` puts all of it back.
KEEP = """() => {
  const { Notification } = window;
  const kept = [[Notification, 'permission'], [Notification, 'requestPermission'], [window, 'isSecureContext']].map(
    ([of, name]) => [of, name, Object.getOwnPropertyDescriptor(of, name)],
  );
  window.set = (of, name, value) => { Object.defineProperty(of, name, { configurable: true, value }); };
  window.undo = () => {
    for (const [of, name, descriptor] of kept) Object.defineProperty(of, name, descriptor);
    window.Notification = Notification;
  };
  window.set(Notification, 'permission', 'default');
}"""
LOOK = "(here) => { document.hasFocus = () => here; }"


@pytest.fixture
def own(host: ComfyUI, chromium: Any) -> Iterator[Editor]:
    """A page in a browser of its own, whose permissions nobody else has."""
    editor = opened(host, chromium, "classic", host.base / "pictures")
    yield editor
    editor.close()


def made(editor: Editor, count: int) -> list[dict[str, Any]]:
    editor.page.wait_for_function("(count) => window.seen.length >= count", arg=count, timeout=30_000)
    return list(editor.page.evaluate(TOLD))


def test_a_job_that_is_done_is_told_to_who_looks_elsewhere(own: Editor, host: ComfyUI) -> None:
    """Switched on by the keyboard; the browser itself shows it; a click opens the job. One that failed is told, too."""
    page, context = own.page, own.page.context
    tab = Tab(own)
    tab.press("Settings")
    switch = tab.root.get_by_label(SWITCH)
    assert not switch.is_checked()
    context.grant_permissions(["notifications"], origin=host.url)
    page.evaluate(WATCH)
    switch.focus()
    page.keyboard.press("Space")
    page.wait_for_function("(one) => document.querySelector(one).checked", arg="[data-key=notify]")
    assert switch.is_checked()
    own.picture("notify_on")
    page.evaluate(LOOK, True)
    assert host.run(graphs.bought("seen by somebody")).ok
    page.wait_for_function("() => window.heard.includes('stored')")  # while somebody looks
    tab.close()
    page.evaluate(LOOK, False)
    prompt = "a kite over https://cdn.example.com/film?sig=secret " + "and the sea " * 20
    assert host.run(graphs.bought(prompt)).ok
    (done,) = made(own, 1)
    assert done["title"] == "Your video is finished"
    assert done["body"].startswith("a kite over … and the sea")
    assert len(done["body"]) <= 60
    host.run(graphs.bought("a kite that fails [sandbox: fail=moderation_blocked]"))
    failed = made(own, 2)[1]
    assert failed["title"] == "A job went wrong: Failed"
    assert failed["tag"] != done["tag"]
    page.wait_for_function("() => window.seen.every(({ shown }) => shown)", timeout=5000)
    page.evaluate("() => window.seen[0].self.onclick()")
    root = page.locator(".sora-jobs:not(.sora-alerts)")
    root.locator(".sora-detail").get_by_text("a kite over https").first.wait_for()  # its row in the list is hidden then
    own.picture("notify_clicked")


def test_it_is_remembered_and_can_be_switched_off(own: Editor, host: ComfyUI) -> None:
    """By this browser, after a reload; nothing is asked again."""
    own.page.context.grant_permissions(["notifications"], origin=host.url)
    tab = Tab(own)
    tab.press("Settings")
    tab.root.get_by_label(SWITCH).check()
    own.page.reload()
    own.page.wait_for_function("() => window.app?.extensionManager && app.graph")
    own.page.wait_for_load_state("networkidle")
    tab = Tab(own)
    tab.press("Settings")
    tab.until(SWITCH)
    assert tab.root.get_by_label(SWITCH).is_checked()
    tab.root.get_by_label(SWITCH).uncheck()
    assert own.page.evaluate("() => Object.keys(localStorage).filter((key) => key.startsWith('sora-jobs'))") == []


@pytest.mark.parametrize(
    ("script", "words", "disabled"),
    [
        ("() => set(Notification, 'permission', 'denied')", "blocks", False),
        ("() => set(Notification, 'requestPermission', async () => 'default')", "asked once more", False),
        ("() => set(window, 'isSecureContext', false)", "only over https", True),
        ("() => { delete window.Notification; }", "has no notifications", True),
    ],
)
def test_why_there_are_none_is_told_beside_the_switch(
    page: Editor, request: pytest.FixtureRequest, script: str, words: str, disabled: bool
) -> None:
    """The browser blocks it, the question was closed, http from another machine, or a browser without any."""
    page.page.evaluate(KEEP)
    request.addfinalizer(lambda: page.page.evaluate("() => window.undo()"))
    page.page.evaluate(script)
    tab = Tab(page)
    tab.press("Settings")
    switch = tab.root.get_by_label(SWITCH)
    switch.wait_for()
    assert switch.is_disabled() == disabled
    if not disabled:
        switch.click()
    tab.until(words)
    assert not switch.is_checked()
    assert switch.get_attribute("aria-describedby") == "sora-notify-why"
    page.picture(f"notify_{words.split()[0]}")
    tab.close()
