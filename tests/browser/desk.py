"""Chromium and its open pages, which the files of this folder share: to open a page takes as long as twenty tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ..host.comfy import ComfyUI
from .editor import RENDERERS, Editor

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
AS_NEW = "() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; app.canvas.draw(true, true) }"


def find_chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def opened(comfy: ComfyUI, chromium: Any, renderer: str, pictures: Path) -> Editor:
    """A page of its own."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    return RENDERERS[renderer](comfy, page, pictures)


class Desk:
    """Started at its first use, and again after `close`."""

    def __init__(self) -> None:
        self._playwright: Any = None
        self._chromium: Any = None
        self._pages: dict[tuple[ComfyUI, str], Editor] = {}

    @property
    def chromium(self) -> Any:
        if self._chromium is None:
            from playwright.sync_api import sync_playwright

            self._playwright = sync_playwright().start()
            self._chromium = self._playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        return self._chromium

    def editor(self, comfy: ComfyUI, renderer: str) -> Editor:
        """That host's page in that renderer, as the last file left it but for where it looks. The pages of other hosts
        are closed: each costs something as long as it is open."""
        for other in {one for one, _ in self._pages if one is not comfy}:
            self.forget(other)
        key = (comfy, renderer)
        if key not in self._pages:
            self._pages[key] = opened(comfy, self.chromium, renderer, comfy.base / "pictures")
        self._pages[key].page.evaluate(AS_NEW)
        return self._pages[key]

    def forget(self, comfy: ComfyUI) -> None:
        """Close that host's pages: whoever wants one next gets a new one."""
        for key in [key for key in self._pages if key[0] is comfy]:
            self._pages.pop(key).close()

    def close(self) -> None:
        """While Playwright runs, no other test of this process can have an event loop."""
        self._pages.clear()
        if self._chromium is not None:
            self._chromium.close()
            self._playwright.stop()
        self._playwright = self._chromium = None


DESK = Desk()
