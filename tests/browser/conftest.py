"""Chromium on a real ComfyUI. Where one of them is missing these tests are skipped, and the summary says how to enable
them. COMFYUI_DIR chooses another ComfyUI, and with it another version of the page."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..host.comfy import ENABLE, ComfyUI, find_comfyui, find_python
from .desk import DESK, find_chromium
from .editor import RENDERERS, Editor
from .gateway import Gateway
from .tab import Tab

SKIPPED = pytest.StashKey[str]()


def missing() -> str:
    """What these tests lack here, and how to get it; "" where nothing is missing."""
    comfyui = find_comfyui()
    if comfyui is None or find_python(comfyui) is None:
        return f"no ComfyUI with a Python of its own was found. To enable them, {ENABLE}"
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed. To enable them, pip install playwright (without its browsers)"
    return "" if find_chromium() else "no Chromium was found. To enable them, install it or set CHROMIUM to its program"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.parent.name == "browser"]
    if ours and (why := missing()):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=why))
        config.stash[SKIPPED] = f"{len(ours)} browser tests were skipped: {why}."


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if SKIPPED in config.stash:
        terminalreporter.write_line(config.stash[SKIPPED], yellow=True)


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> Iterator[ComfyUI]:
    """A host whose cometapi is the fake gateway, with a key: what would be bought would show there."""
    base = tmp_path_factory.mktemp("browser")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    with ComfyUI(base, COMETAPI_BASE_URL=gateway.url, COMETAPI_KEY="sk-test") as host:
        yield host


@pytest.fixture(scope="module")
def chromium() -> Any:
    """Of Playwright's browsers the one of this machine."""
    return DESK.chromium


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Chromium ends with the last test of this folder."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        DESK.close()


@pytest.fixture(scope="module", params=sorted(RENDERERS))
def either(request: pytest.FixtureRequest, comfy: ComfyUI) -> Iterator[Editor]:
    """The page, once in each renderer."""
    editor = DESK.editor(comfy, request.param)
    yield editor
    editor.check()


@pytest.fixture(scope="module")
def editor(comfy: ComfyUI) -> Iterator[Editor]:
    """The page in the classic renderer."""
    editor = DESK.editor(comfy, "classic")
    yield editor
    editor.check()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A host without any key; what a test buys is bought at its sandbox."""
    with keyless(tmp_path_factory.mktemp("tab")) as host:
        yield host


def keyless(base: Path) -> ComfyUI:
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    return ComfyUI(base, SORA_LANGUAGE="", COMETAPI_KEY="")


@pytest.fixture(scope="module")
def page(host: ComfyUI) -> Iterator[Editor]:
    editor = DESK.editor(host, "classic")
    yield editor
    editor.check()


@pytest.fixture
def tab(page: Editor) -> Iterator[Tab]:
    """The tab, freshly opened over an empty graph; closed in the end."""
    page.load()
    tab = Tab(page)
    yield tab
    tab.close()
