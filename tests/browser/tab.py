"""The tab "Sora jobs", used as a person does: by the names of its controls."""

from __future__ import annotations

import time
from typing import Any

from .editor import Editor

OPEN = """(id) => {
  const tab = app.extensionManager.sidebarTab;
  if (tab.activeSidebarTabId !== id) app.extensionManager.command.execute('Workspace.ToggleSidebarTab.' + id);
}"""
ROOT = ".sora-jobs:not(.sora-alerts)"


class Tab:
    """The open tab of an editor."""

    def __init__(self, editor: Editor) -> None:
        self.editor, self.page = editor, editor.page
        self.page.evaluate(OPEN, "sora-jobs")
        self.root = self.page.locator(ROOT)
        self.root.wait_for()
        self.rows = self.root.get_by_role("listitem")

    def close(self) -> None:
        self.page.evaluate("() => { app.extensionManager.sidebarTab.activeSidebarTabId = null }")
        self.root.wait_for(state="detached")

    def row(self, part: str) -> Any:
        """The row that has these words; waits for it."""
        found = self.rows.filter(has_text=part).first
        found.wait_for()
        return found

    def look_again(self, part: str, state: str) -> None:
        """Come back to the window, which reads the jobs again, until that row has this state. Once may not be enough
        after a change past the server: an event of before it can still be on its way, and counts as the newer one."""
        end = time.monotonic() + 60
        while not self.row(part).get_by_text(state).count():
            assert time.monotonic() < end, f"{part} is never {state}"
            self.page.evaluate("() => { window.dispatchEvent(new Event('focus')) }")
            self.page.wait_for_timeout(500)

    def open(self, part: str) -> None:
        """One job in full."""
        self.row(part).get_by_role("button").click()
        self.root.locator(".sora-detail").wait_for()

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def confirm(self, part: str) -> str:
        """Say yes to the host's question that has these words."""
        dialog = self.page.get_by_role("dialog").filter(has_text=part)
        dialog.wait_for()
        text = str(dialog.inner_text())
        dialog.get_by_role("button", name="Confirm").click()
        dialog.wait_for(state="detached")
        return text

    def until(self, part: str, timeout_s: float = 60) -> None:
        """Until these words stand in the tab."""
        self.root.get_by_text(part).locator("visible=true").first.wait_for(timeout=1000 * timeout_s)

    def badge(self) -> str:
        """The number on the tab's icon; "" without one."""
        return str(
            self.page.evaluate(
                "() => app.extensionManager.getSidebarTabs().find(({id}) => id === 'sora-jobs').iconBadge ?? ''"
            )
        )

    def kinds(self) -> list[str]:
        """The nodes of the open graph, by id."""
        nodes = sorted(self.editor.graph()["nodes"], key=lambda one: int(one["id"]))
        return [one["type"] for one in nodes]
