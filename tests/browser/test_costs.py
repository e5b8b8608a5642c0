"""The page "Costs" in the tab, on a ledger of twelve days; and the project in a job's details."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from ..host.comfy import ComfyUI
from ..host.graphs import create, node
from .desk import DESK
from .editor import Editor
from .ledger import spent
from .tab import ROOT, Tab
from .test_tab import SIDEWAYS, UNNAMED

# The bars that are seen: their kind, and their sizes on the screen.
BARS = """() => [...document.querySelectorAll('.sora-plot g rect')].map((bar) => {
  const { width, height } = bar.getBoundingClientRect();
  return { kind: bar.getAttribute('class'), width, height, fill: getComputedStyle(bar).fill };
})"""
# Text and lines of the chart, as their contrast with what is behind them.
CONTRAST = """() => {
  const rgb = (colour) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const parts = rgb(colour).map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = light(getComputedStyle(document.querySelector('.sora-jobs:not(.sora-alerts)')).backgroundColor);
  return ['.sora-plot text', '.sora-plot g .sora-charged', '.sora-plot .sora-ink'].map((name) => {
    const own = light(getComputedStyle(document.querySelector(name)).fill);
    return (Math.max(own, behind) + 0.05) / (Math.min(own, behind) + 0.05);
  });
}"""
# Pairs of texts in the chart that lie on one another, and those that stick out of it.
CROWDED = """() => {
  const box = document.querySelector('.sora-plot').getBoundingClientRect();
  const texts = [...document.querySelectorAll('.sora-plot text')];
  const all = texts.map((one) => [one.textContent, one.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const out = all.filter(([, { left, right, bottom }]) =>
    left < box.left - 1 || right > box.right + 1 || bottom > box.bottom + 1);
  const pairs = all.flatMap(([one, a], at) =>
    all.slice(at + 1).filter(([, b]) => meet(a, b)).map(([other]) => `${one} ${other}`));
  return [...out.map(([text]) => text), ...pairs];
}"""
COSTS = ".sora-costs"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A host with a past; what is bought now is bought at its sandbox."""
    base = tmp_path_factory.mktemp("costs")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")
    spent(base / "user" / "__sora")
    with ComfyUI(base, SORA_BACKGROUND_DOWNLOADS="0", SORA_LANGUAGE="") as host:
        yield host
        DESK.forget(host)


@pytest.fixture
def tab(page: Editor) -> Iterator[Tab]:
    tab = Tab(page)
    tab.row("shot 0:")
    yield tab
    tab.close()


def choose(tab: Tab, name: str, value: str) -> None:
    tab.root.get_by_role("combobox", name=name).select_option(value)


def cells(tab: Tab, row: str) -> list[str]:
    """The cells of the table's row of that name, its name first."""
    found = tab.root.locator(f"{COSTS} tr").filter(has=tab.page.get_by_role("rowheader", name=row, exact=True))
    found.wait_for()
    return str(found.inner_text()).split("\t")


def test_the_costs_are_shown_by_day_as_a_chart_and_as_numbers(tab: Tab) -> None:
    """Charged and estimated dollars on one another, the uncertain and the failed told apart; in the host's two themes.
    The chart has its axes named, and says in words what it is."""
    tab.press("Costs")
    tab.until("Uncertain jobs were perhaps bought")
    bars = tab.page.evaluate(BARS)
    assert {bar["kind"] for bar in bars} == {f"sora-{kind}" for kind in ("charged", "estimated", "uncertain", "failed")}
    assert all(bar["width"] > 2 and bar["height"] > 1 for bar in bars)
    fills = {bar["kind"]: bar["fill"] for bar in bars}
    assert ("sora-lines" in fills["sora-uncertain"], "sora-dots" in fills["sora-failed"]) == (True, True)
    chart = tab.root.get_by_role("img", name=re.compile(r"Costs by Day, \$\d+\.\d\d in all"))
    words = chart.locator("text").all_text_contents()
    assert {"US dollars", "Day"} <= set(words)
    assert cells(tab, "Total") == [
        "Total", "$24.20", "35", "$5.00", "$19.20", "3 (≈ $1.92)", "3 (≈ $1.92)", "1", "280 sec",
    ]  # fmt: skip
    assert tab.page.evaluate(CROWDED) == []
    for theme in ("dark", "light"):
        tab.page.evaluate(f"() => app.ui.settings.setSettingValue('Comfy.ColorPalette', '{theme}')")
        tab.page.wait_for_timeout(500)
        text, charged, ink = tab.page.evaluate(CONTRAST)
        assert text >= 4.5
        assert min(charged, ink) >= 3
        tab.editor.picture(f"costs_{theme}")
    tab.page.evaluate("() => app.ui.settings.setSettingValue('Comfy.ColorPalette', 'dark')")


def test_other_groups_and_times_can_be_chosen_and_are_kept(tab: Tab) -> None:
    """Models, providers and projects lie with their names beside them, whatever somebody called one."""
    tab.press("Costs")
    choose(tab, "Costs by", "project")
    assert cells(tab, "Winter film")[1:5] == ["$19.20", "30", "–", "$19.20"]
    assert cells(tab, "=HYPERLINK(1)")[1:5] == ["$5.00", "4", "$5.00", "$0.00"]
    assert tab.page.evaluate(CROWDED) == []
    tab.editor.picture("costs_project")
    choose(tab, "Costs by", "week")
    tab.root.get_by_role("columnheader", name="Week").wait_for()
    assert tab.page.evaluate(CROWDED) == []
    tab.editor.picture("costs_week")
    choose(tab, "Since when", "7d")
    tab.page.wait_for_function("() => !document.querySelector('.sora-costs tfoot').innerText.includes('35')")
    choose(tab, "Costs by", "model")
    assert cells(tab, "seedance-2-5")[1:] == ["?", "1", "–", "$0.00", "–", "2 (≈ $1.28)", "1", "8 sec"]
    tab.editor.picture("costs_model")
    tab.press("Back to the list")
    tab.press("Costs")
    assert tab.root.get_by_role("combobox", name="Costs by").input_value() == "model"
    choose(tab, "Since when", "30d")
    choose(tab, "Costs by", "day")


def test_a_date_can_be_typed(tab: Tab) -> None:
    """One in the future has no jobs, which is said."""
    tab.press("Costs")
    choose(tab, "Since when", "date")
    tab.root.get_by_label("From a date on").fill("2199-01-01")
    tab.until("No job in this time.")
    choose(tab, "Since when", "30d")
    assert cells(tab, "Total")[2] == "35"


def test_the_page_is_used_with_the_keyboard(tab: Tab) -> None:
    """In, through its controls and the table, and out again to where one came from."""
    tab.root.get_by_role("button", name="Costs", exact=True).focus()
    tab.page.keyboard.press("Enter")
    tab.root.locator(f"{COSTS} table").wait_for()
    seen = []
    for _ in range(3):
        tab.page.keyboard.press("Tab")
        seen.append(tab.page.evaluate("() => document.activeElement.dataset.key"))
    assert seen == ["by", "since", "table"]
    assert tab.page.evaluate(UNNAMED) == []
    tab.page.keyboard.press("Escape")
    assert tab.page.evaluate("() => document.activeElement.ariaLabel") == "Costs"


def test_nothing_but_the_table_scrolls_sideways_at_300_pixels(tab: Tab) -> None:
    """Which does so by itself: the page around it stays where it is."""
    tab.press("Costs")
    try:
        for by in ("day", "model"):
            choose(tab, "Costs by", by)
            tab.root.get_by_role("columnheader", name=by.title()).wait_for()
            wide = tab.page.evaluate(SIDEWAYS, [ROOT, 300])
            inside = "() => document.querySelectorAll('.sora-table *').length"
            assert len([name for name in wide if name]) == 0, wide
            assert len(wide) < tab.page.evaluate(inside)
            assert tab.page.evaluate("() => document.querySelector('.sora-costs').scrollWidth") <= 300
            tab.editor.picture(f"costs_narrow_{by}")
    finally:
        tab.page.evaluate(f"() => {{ document.querySelector('{ROOT}').style.width = '' }}")
        choose(tab, "Costs by", "day")


def test_a_job_that_is_bought_meanwhile_is_counted(tab: Tab, host: ComfyUI) -> None:
    """Without another click; the keyboard stays where it is."""
    tab.press("Costs")
    choose(tab, "Costs by", "provider")
    assert tab.root.get_by_role("rowheader", name="sandbox").count() == 0
    tab.root.get_by_role("combobox", name="Since when").focus()
    host.run({"1": create("a red kite", project="Kites"), "2": node("SoraSubmitOnly", job=["1", 0])})
    assert cells(tab, "sandbox")[1:3] == ["$0.00", "1"]
    assert tab.page.evaluate("() => document.activeElement.dataset.key") == "since"
    choose(tab, "Costs by", "day")


def test_a_jobs_project_is_changed_in_its_details(tab: Tab, page: Editor) -> None:
    """What is typed is kept when Enter is pressed, and groups the job from then on."""
    tab.open("shot 0:")
    field = tab.root.get_by_label("Project")
    assert field.input_value() == "Winter film"
    field.fill("  Spring film ")
    field.press("Enter")
    tab.editor.toast("Saved.")
    assert field.input_value() == "Spring film"
    page.picture("costs_detail")
    tab.press("Back to the list")
    tab.open("shot 0:")
    assert tab.root.get_by_label("Project").input_value() == "Spring film"
    tab.press("Back to the list")
    tab.press("Costs")
    choose(tab, "Costs by", "project")
    assert cells(tab, "Spring film")[2] == "1"
    choose(tab, "Costs by", "day")
