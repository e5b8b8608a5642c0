"""The page opened by the name of a tunnel or a proxy, which nobody has allowed yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..host.comfy import ComfyUI
from .desk import FLAGS, find_chromium
from .editor import READY, TOAST

NAME = "comfy.example.com"
BADGES = """() => {
  const node = app.graph.add(LiteGraph.createNode('SoraOpenJob')) ?? app.graph.nodes.at(-1);
  return node.badges.map((badge) => (typeof badge === 'function' ? badge() : badge).text);
}"""


@pytest.fixture(scope="module")
def page(comfy: ComfyUI, chromium: Any) -> Iterator[Any]:
    """In a browser for which that name leads to this machine."""
    flags = [*FLAGS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    browser = chromium.browser_type.launch(executable_path=find_chromium(), args=flags)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"http://{NAME}:{urlsplit(comfy.url).port}")
    page.wait_for_function(READY)
    yield page
    browser.close()


def test_the_page_says_which_host_is_to_be_allowed(page: Any) -> None:
    """Once, in a toast; and on the node whose list the host leaves empty."""
    toast = page.locator(TOAST).filter(has_text="allowed_hosts")
    toast.first.wait_for(timeout=30_000)
    assert NAME in toast.first.inner_text()
    assert toast.count() == 1
    assert any(NAME in text for text in page.evaluate(BADGES) if text)  # the host has badges of its own
