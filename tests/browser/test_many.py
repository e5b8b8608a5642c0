"""The tab with 10,000 jobs of the past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ..host.comfy import ComfyUI
from .desk import opened
from .editor import Editor
from .ledger import filled
from .tab import Tab

JOBS = 10_000
MOST_ROWS = 40  # in the page at a time; a window of 2400 px shows 23


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Editor]:
    base = tmp_path_factory.mktemp("many")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    filled(base / "user" / "__sora", JOBS)
    with ComfyUI(base, SORA_BACKGROUND_DOWNLOADS="0") as host:
        editor = opened(host, chromium, "classic", base / "pictures")
        yield editor
        editor.close()


def test_the_whole_history_can_be_scrolled(page: Editor) -> None:
    """To the very first job; only what is seen is in the page, and each job is there once, in its place."""
    tab = Tab(page)
    tab.row(f"shot {JOBS - 1}:")
    page.picture("many")
    page.page.set_viewport_size({"width": 1400, "height": 2400})  # fewer steps
    page.page.wait_for_function("() => document.querySelectorAll('.sora-item').length > 20")
    seen = page.page.evaluate(
        """async () => {
          const scroll = document.querySelector('.sora-scroll'), seen = new Map();
          let most = 0;
          for (let still = 0; still < 40;) {
            for (const item of document.querySelectorAll('.sora-item')) {
              seen.set(item.ariaPosInSet, /shot (\\d+):/.exec(item.textContent)?.[1]);
            }
            const before = scroll.scrollTop;
            scroll.scrollTop += scroll.clientHeight;
            await new Promise((then) => requestAnimationFrame(() => setTimeout(then))); // after the list's own turn
            most = Math.max(most, document.querySelectorAll('.sora-item').length);
            still = scroll.scrollTop === before ? still + 1 : 0;
            if (still) await new Promise((then) => setTimeout(then, 50));
          }
          return [[...seen], most];
        }"""
    )
    rows, most = seen
    assert all(int(place) + int(shot) == JOBS for place, shot in rows)
    assert len(rows) == JOBS
    assert most <= MOST_ROWS
    tab.row("shot 0:")
    page.page.set_viewport_size({"width": 1400, "height": 900})
    page.picture("many_end")
    tab.close()


def test_a_search_finds_one_of_them(page: Editor) -> None:
    """Without having read the others; and the filter those that failed."""
    tab = Tab(page)
    tab.root.get_by_role("searchbox").fill("shot 4242:")
    tab.row("shot 4242:")
    page.page.wait_for_function("() => document.querySelectorAll('.sora-item').length === 1")
    tab.root.get_by_role("searchbox").fill("")
    tab.root.get_by_role("combobox").select_option("failed")
    tab.row(f"shot {JOBS - 5}:")
    assert "The gateway" in tab.rows.first.inner_text()
    tab.close()


def test_what_was_typed_as_the_tab_closed_narrows_nothing_later(page: Editor) -> None:
    """The tab that is opened anew has an empty search, and shows all."""
    tab = Tab(page)
    tab.root.get_by_role("searchbox").fill("shot 4242:")
    tab.close()
    tab = Tab(page)
    tab.row(f"shot {JOBS - 1}:")
    page.page.wait_for_timeout(500)
    tab.row(f"shot {JOBS - 1}:")
    assert tab.rows.count() > 1
    tab.close()


def test_the_way_back_leads_to_the_row_that_was_opened(page: Editor) -> None:
    """Far down, too: with the keyboard on it, where it was."""
    tab = Tab(page)
    tab.row(f"shot {JOBS - 1}:")
    page.page.evaluate("() => { document.querySelector('.sora-scroll').scrollTop = 3000 }")
    tab.open(f"shot {JOBS - 31}:")
    page.page.wait_for_timeout(300)
    page.page.keyboard.press("Escape")
    page.page.wait_for_timeout(300)
    assert f"shot {JOBS - 31}:" in page.page.evaluate("() => document.activeElement.innerText")
    assert page.page.evaluate("() => document.querySelector('.sora-scroll').scrollTop") >= 2700
    tab.close()


def test_end_and_home_go_far(page: Editor) -> None:
    """As far as was read; the row that has the keyboard stays in the page while others pass by."""
    tab = Tab(page)
    first = tab.row(f"shot {JOBS - 1}:").get_by_role("button")
    first.focus()
    page.page.evaluate("() => { document.querySelector('.sora-scroll').scrollTop = 4000 }")
    page.page.wait_for_timeout(300)
    assert page.page.evaluate("() => document.activeElement.closest('.sora-item')?.ariaPosInSet") == "1"
    page.page.keyboard.press("End")
    assert int(page.page.evaluate("() => document.activeElement.closest('.sora-item')?.ariaPosInSet")) >= 60
    page.page.keyboard.press("Home")
    assert page.page.evaluate("() => document.activeElement.closest('.sora-item')?.ariaPosInSet") == "1"
    tab.close()
