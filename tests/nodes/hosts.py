"""Puts a host on the path and loads the pack as ComfyUI does: the stand-in, or a real ComfyUI.

Both look the same from here on, so that each test runs on both: what the stand-in promises, ComfyUI keeps.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

PACK = Path(__file__).parents[2]
STANDIN = Path(__file__).parent / "standin"
TEXT = 3  # the number of a binary message that carries a node's line of text


class Pack:
    """The loaded pack in its host. `real` tells whether that is ComfyUI itself."""

    def __init__(self, *, real: bool) -> None:
        self.real = real
        self.name = str(PACK).replace(".", "_x_")
        self._load()
        self.engine: Any = self.module("host.engine")  # nodes/host/engine.py
        self.io: Any = self.module("host.schema").io
        extension = asyncio.run(sys.modules[self.name].comfy_entrypoint())  # type: ignore[attr-defined]
        found = asyncio.run(extension.get_node_list())
        self.nodes: dict[str, Any] = {node.__name__: node for node in found}

    def _load(self) -> None:
        """As in ComfyUI's nodes.py, load_custom_node."""
        spec = importlib.util.spec_from_file_location(self.name, PACK / "__init__.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        spec.loader.exec_module(module)

    def module(self, name: str) -> ModuleType:
        """A module of the pack's folder `nodes`, under the name that the host gave it."""
        return importlib.import_module(f"{self.name}.nodes.{name}")

    def error(self, name: str) -> Any:
        """A class of the pack's own error tree."""
        return getattr(self.module("sora_jobs.errors"), name)

    async def run(self, node_id: str, unique_id: str = "1", **inputs: Any) -> Any:
        """Execute a node as the host does: on a clone of its class that carries the hidden values."""
        node = self.nodes[node_id]
        hidden: dict[Any, Any] = {self.io.Hidden.unique_id: unique_id}
        (parameter,) = inspect.signature(node.PREPARE_CLASS_CLONE).parameters
        clone = node.PREPARE_CLASS_CLONE({"hidden_inputs": hidden} if parameter == "v3_data" else hidden)
        return await clone.EXECUTE_NORMALIZED_ASYNC(**inputs)


class Page:
    """What the page is told: `bars` as (node, value, total), `lines` as (node, text, client)."""

    def __init__(self) -> None:
        self.bars: list[tuple[str | None, int, int]] = []
        self.lines: list[tuple[str, str, str | None]] = []

    def on_bar(self, value: int, total: int, preview: Any, node_id: str | None = None) -> None:
        self.bars.append((node_id, value, total))

    def on_message(self, event: Any, data: Any, sid: str | None = None) -> None:
        if event == TEXT:
            (length,) = struct.unpack(">I", data[:4])
            self.lines.append((data[4 : 4 + length].decode(), data[4 + length :].decode(), sid))

    def texts(self, node: str) -> list[str]:
        return [text for to, text, _ in self.lines if to == node]


def _forget() -> None:
    name = str(PACK).replace(".", "_x_")
    for module in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[module]
    for module in list(sys.modules):
        if "standin" in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@contextmanager
def standin_pack() -> Iterator[Pack]:
    """The pack, loaded anew: its modules keep the host that they were loaded in."""
    path = list(sys.path)
    _forget()
    use_standin()
    yield Pack(real=False)
    sys.path[:] = path
    _forget()


def use_standin() -> None:
    """Take `comfy`, `comfy_api`, `torch` and so on from the folder `standin`."""
    sys.path.insert(0, str(STANDIN))


def use_real(comfyui: Path, base: Path) -> None:
    """Take them from a ComfyUI, on the CPU and with its folders below `base`, so that it is left as it is."""
    sys.path.insert(0, str(comfyui))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        import utils.extra_config  # noqa: F401 - first, as in main.py: their folder `comfy` has a module of that name
        from comfy.cli_args import args

        args.cpu = True
        args.base_directory = args.front_end_root = str(base)
        (base / "custom_nodes").mkdir()
        import server

        server.PromptServer(asyncio.new_event_loop())
