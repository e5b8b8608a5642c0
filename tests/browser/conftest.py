"""Chromium on a real ComfyUI. Where one of them is missing these tests are skipped, and the summary says how to enable
them. COMFYUI_DIR chooses another ComfyUI, and with it another version of the page."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..host.comfy import ENABLE, ComfyUI, find_comfyui, find_python
from .editor import RENDERERS, Editor
from .gateway import Gateway
from .tab import Tab

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
SKIPPED = pytest.StashKey[str]()


def find_chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


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
def chromium() -> Iterator[Any]:
    """Not for the whole session: while Playwright runs, no other test can have an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


def opened(comfy: ComfyUI, chromium: Any, renderer: str, pictures: Path) -> Editor:
    page = chromium.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    return RENDERERS[renderer](comfy, page, pictures)


@pytest.fixture(scope="module", params=sorted(RENDERERS))
def either(request: pytest.FixtureRequest, comfy: ComfyUI, chromium: Any) -> Iterator[Editor]:
    """The page, once in each renderer."""
    editor = opened(comfy, chromium, request.param, comfy.base / "pictures")
    yield editor
    editor.close()


@pytest.fixture(scope="module")
def editor(comfy: ComfyUI, chromium: Any) -> Iterator[Editor]:
    """The page in the classic renderer."""
    editor = opened(comfy, chromium, "classic", comfy.base / "pictures")
    yield editor
    editor.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A host of its own, without any key; what a test buys is bought at its sandbox."""
    base = tmp_path_factory.mktemp("tab")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    with ComfyUI(base, SORA_LANGUAGE="", COMETAPI_KEY="") as host:
        yield host


@pytest.fixture(scope="module")
def page(host: ComfyUI, chromium: Any) -> Iterator[Editor]:
    editor = opened(host, chromium, "classic", host.base / "pictures")
    yield editor
    editor.close()


@pytest.fixture
def tab(page: Editor) -> Iterator[Tab]:
    """The tab, freshly opened over an empty graph; closed in the end."""
    page.load()
    tab = Tab(page)
    yield tab
    tab.close()
