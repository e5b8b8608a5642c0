"""The button that asks the gateway for its list of models, and the routes behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from ..host.comfy import ComfyUI
from .desk import DESK
from .editor import Editor
from .gateway import Gateway
from .workflows import create

REFRESH = "/sora/models/refresh"


@pytest.fixture(scope="module", autouse=True)
def forgotten(comfy: ComfyUI) -> Iterator[None]:
    """The other tests go by the catalogue that comes with the pack."""
    yield
    (comfy.home / "models.json").unlink(missing_ok=True)
    DESK.forget(comfy)  # its combos have the other models


def test_a_refresh_brings_new_models_into_open_nodes(editor: Editor, gateway: Gateway) -> None:
    """From the menu; a toast says what is new, gone and priced otherwise. No key is sent and nothing bought."""
    gateway.models = {"sora-2": 0.5, "brand-new-1": 0.1}
    gateway.asked.clear()
    editor.load(create(1, "sora-2", "8", "1280x720"))
    assert "brand-new-1" not in editor.choices(1, "model")
    editor.run("sora-jobs.refresh")
    told = editor.toast("New: ")
    assert "brand-new-1" in told
    assert "Other price: sora-2" in told
    assert "brand-new-1" in editor.choices(1, "model")
    editor.choose(1, "model", "brand-new-1")
    assert len(editor.choices(1, "seconds")) > 10  # nobody knows its lengths
    assert gateway.asked == ["GET /api/models"]
    editor.picture("refreshed")


def test_a_gateway_that_gives_no_list_is_told(editor: Editor, gateway: Gateway) -> None:
    """The catalogue stays as it is."""
    gateway.models = {}
    editor.load(create(1, "sora-2", "8", "1280x720"))
    before = editor.choices(1, "model")
    editor.run("sora-jobs.refresh")
    assert "HTTP 503" in editor.toast("That did not work")
    assert editor.choices(1, "model") == before


def test_the_commands_are_in_the_menu(editor: Editor) -> None:
    """Both, in words."""
    labels = editor.page.evaluate("() => app.extensionManager.command.commands.map((one) => one.label)")
    assert {"Sora: refresh models", "Sora: convert OpenAI Video Sora nodes"} <= set(labels)


@pytest.mark.parametrize(
    "headers", [{"Origin": "null"}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/sora/models"), ("GET", "/sora/jobs"), ("POST", REFRESH)])
def test_another_page_is_refused(
    comfy: ComfyUI, gateway: Gateway, headers: dict[str, str], method: str, path: str
) -> None:
    """And the gateway is not asked."""
    gateway.asked.clear()
    answer = requests.request(
        method, comfy.url + path, headers=headers, json={} if method == "POST" else None, timeout=10
    )
    assert answer.status_code == 403
    assert gateway.asked == []


def test_a_form_is_refused(comfy: ComfyUI) -> None:
    """Only JSON, which no form of another page can send."""
    answer = requests.post(comfy.url + REFRESH, data={"a": "b"}, timeout=10)
    assert answer.status_code == 415


@pytest.mark.parametrize("size", ["", "large", "0x0", "9" * 5000])
def test_nearest_survives_any_words(comfy: ComfyUI, size: str) -> None:
    """{} or a model, whatever is asked."""
    answer = requests.get(f"{comfy.url}/sora/models/nearest", params={"model": "x", "size": size}, timeout=10)
    assert answer.status_code == 200
    assert set(answer.json()) in ({"model", "seconds", "size"}, set())
