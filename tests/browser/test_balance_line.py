"""The balance in the tab's settings. The page's question is answered here: nobody asks CometAPI."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..host.comfy import ComfyUI
from .tab import Tab
from .test_tab import SIDEWAYS, UNNAMED

KEY = "sk-0123456789abcdefghijWXYZ"
LEFT: dict[str, Any] = {
    "provider": "cometapi", "of": "key", "host": "api.cometapi.com", "left_usd": None, "used_usd": 1.25,
    "unlimited": True, "next_usd": 5.0, "next_by": "cap", "short": False,
}  # fmt: skip
ACCOUNT = LEFT | {"of": "account", "left_usd": 0.5, "unlimited": False, "next_usd": 0.8, "short": True}
ACCOUNT["next_by"] = "last_job"


@pytest.fixture
def asked(tab: Tab) -> Iterator[list[dict[str, Any]]]:
    """What the page asked for; every question is answered with the balance."""
    questions: list[dict[str, Any]] = []

    def reply(route: Any) -> None:
        body = json.loads(route.request.post_data)
        questions.append(body)
        given = (ACCOUNT if body["account"] else LEFT) | {"asked_at": time.time()}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(given))

    tab.page.route("**/sora/balance", reply)
    tab.press("Settings")
    tab.root.get_by_label("Key of cometapi").fill(KEY)
    tab.root.get_by_label("Key of cometapi").press("Enter")
    tab.until("ends in …WXYZ")
    yield questions
    tab.page.unroute("**/sora/balance")
    tab.press("Remove")
    tab.confirm("Remove the key of cometapi")
    tab.until("not set")


def test_the_balance_is_asked_by_a_click_and_the_account_after_a_question(
    tab: Tab, asked: list[dict[str, Any]], host: ComfyUI
) -> None:
    """With the keyboard, which stays where it is; nothing is asked when the settings are opened. The warning says what
    it was compared with; a changed key makes what was told count no more."""
    box = tab.root.locator(".sora-balance")
    box.wait_for()
    assert asked == []
    button = box.get_by_role("button", name="Ask for the balance")
    button.focus()
    tab.page.keyboard.press("Enter")
    tab.until("This key: no limit · $1.25 used · asked")
    tab.until("what is left is the account's")
    assert asked == [{"provider": "cometapi", "account": False}]
    assert tab.page.evaluate("() => document.activeElement.dataset.key") == "balance-cometapi"
    box.get_by_role("button", name="Ask for the account's balance").click()
    dialog = tab.page.get_by_role("dialog").filter(has_text="inside a URL")
    dialog.wait_for()
    tab.editor.picture("balance_question")
    assert len(asked) == 1  # nothing is sent before the answer
    tab.confirm("query.cometapi.com")
    tab.until("The account: $0.50 left")
    tab.until("The last job cost about $0.80")
    assert asked[1:] == [{"provider": "cometapi", "account": True}]
    assert tab.page.evaluate(UNNAMED) == []
    tab.editor.picture("balance")
    for palette in ("light", "dark"):
        tab.page.evaluate("(name) => app.extensionManager.setting.set('Comfy.ColorPalette', name)", palette)
        tab.page.wait_for_timeout(300)
        assert tab.page.evaluate(SIDEWAYS, [".sora-jobs:not(.sora-alerts)", 300]) == []
        tab.editor.picture(f"balance_narrow_{palette}")
    tab.root.get_by_label("Key of cometapi").fill(KEY)
    tab.root.get_by_label("Key of cometapi").press("Enter")
    tab.page.locator(".sora-balance").get_by_text("This key").wait_for(state="detached")
    assert not list(host.home.rglob("*balance*"))


def test_a_refused_question_is_told_and_offers_the_other_one(tab: Tab, asked: list[dict[str, Any]]) -> None:
    tab.page.unroute("**/sora/balance")
    told = json.dumps({"error": "api.cometapi.com did not tell the balance: HTTP 404."})
    tab.page.route(
        "**/sora/balance", lambda route: route.fulfill(status=502, content_type="application/json", body=told)
    )
    tab.press("Ask for the balance")
    assert "HTTP 404" in tab.editor.toast("did not tell the balance")
    tab.root.get_by_role("button", name="Ask for the account's balance").wait_for()
    assert asked == []


@pytest.mark.parametrize("changed", ["the settings", "the key"])
def test_an_answer_that_comes_after_a_change_is_shown_where_it_counts(
    tab: Tab, asked: list[dict[str, Any]], changed: str
) -> None:
    """The settings are drawn anew while it is on its way: it stands in what is in the page then. Told for the key that
    was there before, it stands nowhere."""
    held: list[Any] = []
    tab.page.unroute("**/sora/balance")
    tab.page.route("**/sora/balance", lambda route: held.append(route))
    ask = tab.root.get_by_role("button", name="Ask for the balance")
    ask.click()
    ask.evaluate("(old) => old.setAttribute('data-old', '')")
    if changed == "the key":
        tab.root.get_by_label("Key of cometapi").fill(KEY)
        tab.root.get_by_label("Key of cometapi").press("Enter")
    else:
        tab.root.get_by_label("Fetch finished videos by itself").click()
    tab.root.locator("[data-old]").wait_for(state="detached")
    (route,) = held
    told = json.dumps(LEFT | {"asked_at": time.time()})
    with tab.page.expect_response("**/sora/balance"):
        route.fulfill(status=200, content_type="application/json", body=told)
    if changed == "the settings":
        tab.until("This key: no limit")
        tab.root.get_by_label("Fetch finished videos by itself").click()
    else:
        tab.page.wait_for_timeout(500)
        assert tab.root.get_by_text("This key: no limit").count() == 0
