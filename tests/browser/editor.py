"""ComfyUI's page in Chromium, seen and used as a person does, in either of its renderers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from ..host.comfy import ComfyUI

READY = "() => window.app?.extensionManager && app.graph && document.querySelector('canvas') && !app.configuringGraph"
TOAST = ".p-toast-message, [data-testid=toast]"  # the second from 1.58 on
# Toasts, and on the first Nodes 2.0 the dialog that asks about a retired model of the workflow before.
CLOSE = """document.querySelectorAll(
  '.p-toast-close-button, [data-testid=toast-close], .p-dialog-close-button'
).forEach((one) => one.click())"""
COMBOS = ["model", "seconds", "size", "fit", "provider"]  # as CreateSoraJob shows them
FIND = "const node = app.graph.getNodeById(id), widget = node.widgets.find((one) => one.name === name);"


class Editor:
    """The open page. Node ids are those of the workflow that was loaded."""

    vue = False

    def __init__(self, comfy: ComfyUI, page: Any, pictures: Path) -> None:
        self.page, self.pictures, self.errors = page, pictures, list[str]()
        page.on("pageerror", lambda error: self.errors.append(str(error.stack)))
        requests.post(f"{comfy.url}/settings", json={"Comfy.VueNodes.Enabled": self.vue}, timeout=10).raise_for_status()
        page.goto(comfy.url)
        page.wait_for_function(READY)
        page.wait_for_load_state("networkidle")
        page.keyboard.press("Escape")  # the template browser

    @property
    def frozen(self) -> bool:
        """Is this one of the first Nodes 2.0 (1.27), which look at a node's widgets once, and show no badges?"""
        script = "() => !Object.getOwnPropertyDescriptor(app.graph.nodes[0], 'widgets')?.get"
        return self.vue and bool(self.page.evaluate(script))

    def close(self) -> None:
        self.page.close()
        self.check()

    def check(self) -> None:
        """No error of ours since the last time."""
        ours = [error for error in self.errors if "sora-jobs" in error]
        self.errors.clear()
        assert ours == []

    def load(self, *nodes: dict[str, Any], links: list[list[Any]] | None = None) -> None:
        """Open a workflow, and wait until what it says is told."""
        self.page.evaluate(CLOSE)
        workflow = {"last_node_id": 99, "last_link_id": 99, "nodes": nodes, "links": links or [], "version": 0.4}
        self.page.evaluate("(workflow) => app.loadGraphData(workflow)", workflow)
        self.page.wait_for_timeout(300)

    def picture(self, name: str) -> None:
        self.pictures.mkdir(exist_ok=True)
        self.page.screenshot(path=self.pictures / f"{name}_{type(self).__name__.lower()}.png")

    def value(self, node: int, name: str) -> Any:
        return self.page.evaluate(f"([id, name]) => {{ {FIND} return widget.value }}", [node, name])

    def values(self, node: int) -> tuple[Any, Any, Any]:
        """Model, length and size."""
        return self.value(node, "model"), self.value(node, "seconds"), self.value(node, "size")

    def type(self, node: int, name: str, text: str) -> None:
        """As the small window of a text widget does."""
        script = f"([id, name, text]) => {{ {FIND} widget.value = text; widget.callback?.(text, app.canvas, node) }}"
        self.page.evaluate(script, [node, name, text])
        self.page.wait_for_timeout(100)

    def graph(self) -> dict[str, Any]:
        """The workflow as it would be saved."""
        return dict(self.page.evaluate("() => app.graph.serialize()"))

    def saved(self, node: int) -> Any:
        return next(one for one in self.graph()["nodes"] if one["id"] == node)["widgets_values"]

    def sent(self, node: int) -> dict[str, Any]:
        """What Run would send of a node, beside what no test of this folder changes."""
        inputs = self.page.evaluate("async (id) => (await app.graphToPrompt()).output[id].inputs", node)
        plain = ("prompt", "take", "fit", "provider", "custom_model", "extra_fields")
        return {name: value for name, value in inputs.items() if name not in plain}

    def toast(self, part: str) -> str:
        """The toast that has these words; waits for it."""
        found = self.page.locator(TOAST, has_text=part).first
        found.wait_for()
        return str(found.inner_text())

    def toasts(self) -> list[str]:
        return list(self.page.locator(TOAST, has_text="Sora Jobs").all_inner_texts())

    def run(self, command: str) -> None:
        """A command of the page, by its id."""
        self.page.evaluate("(id) => app.extensionManager.command.execute(id)", command)

    def finish(self, timeout_s: float = 120) -> None:
        """Press Run, and wait for the prompt's end; an AssertionError with what the host says of a failure."""
        done = """() => new Promise((resolve) => {
          const ends = ["execution_success", "execution_error", "execution_interrupted"];
          const end = ({type, detail}) => {
            for (const name of ends) app.api.removeEventListener(name, end);
            resolve([type, JSON.stringify(detail)]);
          };
          for (const name of ends) app.api.addEventListener(name, end);
          // 1.27 says false of what was taken, too, but then has no errors of nodes.
          const refused = () => Object.keys(app.lastNodeErrors ?? {}).length > 0;
          app.queuePrompt(0).then(() => refused() && end({type: "refused", detail: app.lastNodeErrors}));
        })"""
        self.page.set_default_timeout(1000 * timeout_s)
        how, what = self.page.evaluate(done)
        assert how == "execution_success", what

    def offer(self, node: int) -> str | None:
        """What the button at the end of a node says."""
        script = "(id) => app.graph.getNodeById(id).widgets.find((one) => one.type === 'button')?.name"
        return self.page.evaluate(script, node)

    def choices(self, node: int, name: str) -> list[str]:
        """Open a combo and read what it offers."""
        entries = [text.strip() for text in self._open(node, name).all_inner_texts()]
        self.page.keyboard.press("Escape")
        self.page.wait_for_timeout(100)
        return entries

    def choose(self, node: int, name: str, value: str) -> None:
        self._open(node, name).get_by_text(value, exact=True).first.click()
        self.page.wait_for_timeout(100)

    def shown(self, node: int, name: str) -> str:
        """The text that stands in a combo."""
        return str(self.value(node, name))

    def accept(self, node: int) -> None:
        """Take the model that is offered."""
        raise NotImplementedError

    def _open(self, node: int, name: str) -> Any:
        """Open a combo; what it offers."""
        raise NotImplementedError


class Classic(Editor):
    """Widgets are drawn on the canvas, and a combo opens a menu."""

    def _click(self, node: int, name: str) -> None:
        script = f"""async ([id, name]) => {{ {FIND}
          const ds = app.canvas.ds;
          ds.scale = 1; ds.offset[0] = 200 - node.pos[0]; ds.offset[1] = 150 - node.pos[1];
          app.canvas.draw(true, true);
          const at = [node.pos[0] + node.size[0] / 2, node.pos[1] + (widget.last_y ?? widget.y) + 10];
          const box = app.canvas.canvas.getBoundingClientRect();
          return [box.x + (at[0] + ds.offset[0]) * ds.scale, box.y + (at[1] + ds.offset[1]) * ds.scale]; }}"""
        x, y = self.page.evaluate(script, [node, name])
        self.page.mouse.move(x, y)
        self.page.mouse.click(x, y)

    def _open(self, node: int, name: str) -> Any:
        self._click(node, name)
        entries = self.page.locator(".litecontextmenu .litemenu-entry")
        entries.first.wait_for()
        return entries

    def choices(self, node: int, name: str) -> list[str]:
        entries = [text.strip() for text in self._open(node, name).all_inner_texts()]
        self.page.mouse.click(700, 880)
        self.page.wait_for_timeout(100)
        return entries

    def accept(self, node: int) -> None:
        self._click(node, str(self.offer(node)))
        self.page.wait_for_timeout(200)


class Nodes2(Editor):
    """Nodes are HTML."""

    vue = True

    def _open(self, node: int, name: str) -> Any:
        self.page.locator(f'[data-node-id="{node}"]').get_by_role("combobox").nth(COMBOS.index(name)).click()
        entries = self.page.get_by_role("option")
        entries.first.wait_for()
        return entries

    def choices(self, node: int, name: str) -> list[str]:
        """From 1.58 on only those are in the page that are seen."""
        entries, found = self._open(node, name), dict[str, None]()
        while fresh := [text.strip() for text in entries.all_inner_texts() if text.strip() not in found]:
            found |= dict.fromkeys(fresh)
            entries.last.scroll_into_view_if_needed()
            entries.last.hover()
            self.page.mouse.wheel(0, 200)
            self.page.wait_for_timeout(150)
        self.page.keyboard.press("Escape")
        self.page.wait_for_timeout(100)
        return list(found)

    def shown(self, node: int, name: str) -> str:
        box = self.page.locator(f'[data-node-id="{node}"]').get_by_role("combobox").nth(COMBOS.index(name))
        return str(box.inner_text()).strip()

    def accept(self, node: int) -> None:
        """The button in the node; on the first Nodes 2.0 (1.27) that of a dialog."""
        button = self.page.locator(f'[data-node-id="{node}"]').get_by_role("button", name="Use ")
        button.or_(self.page.get_by_role("button", name="Confirm")).click()
        self.page.wait_for_timeout(200)


RENDERERS = {"classic": Classic, "nodes2": Nodes2}
