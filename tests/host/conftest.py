"""One ComfyUI for all tests of this folder; without one they are skipped, and the summary says how to enable them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from .comfy import ENABLE, ComfyUI, find_comfyui, find_python, host_version


def _missing() -> str:
    comfyui = find_comfyui()
    if comfyui is None:
        return "no ComfyUI was found"
    return "" if find_python(comfyui) else f"{comfyui} has no Python of its own"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.parent.name == "host"]
    if ours and (why := _missing()):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=why))
        config.stash[SKIPPED] = (len(ours), why)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if SKIPPED in config.stash:
        count, why = config.stash[SKIPPED]
        terminalreporter.write_line(f"{count} host tests were skipped: {why}. To enable them, {ENABLE}.", yellow=True)
    elif (comfyui := find_comfyui()) is not None:
        pack = os.environ.get("COMFYUI_PACK", "the checkout")
        terminalreporter.write_line(f"host tests: {pack} in ComfyUI {host_version(comfyui)}")


SKIPPED = pytest.StashKey[tuple[int, str]]()


# A node of a pack beside ours, for what no core node makes: pixels that are no numbers.
NAN_PACK = """
import torch


class TestNanImage:
    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def make(self):
        return (torch.full((1, 8, 8, 3), float("nan")),)


NODE_CLASS_MAPPINGS = {"TestNanImage": TestNanImage}
"""


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    base = tmp_path_factory.mktemp("comfy")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "nan_pack.py").write_text(NAN_PACK, encoding="utf-8")
    with ComfyUI(base) as host:
        host.get("/object_info")
        host.wrote_at_start = host.home.exists()
        yield host
