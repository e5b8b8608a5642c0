"""`sora verify` over every family that the sandbox speaks as: the walk is green, and its report becomes rows of the
table of quirks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import main
from sora_jobs.gateway.error_body import Response
from sora_jobs.sandbox import Sandbox
from sora_jobs.sandbox.families import FAMILIES
from sora_jobs.sandbox.families.base import Family

from ..systems import share_folder
from .quirks.from_report import rows_of
from .quirks.rows import Row
from .quirks.test_table import outcome

Run = Callable[..., dict[str, Any]]


class Place:
    """A sandbox as an owner's provider `mine`, and the command line beside it."""

    def __init__(self, folder: Path, films: Path, family: Family, capsys: pytest.CaptureFixture[str]) -> None:
        self.family, self._capsys, self._folder = family, capsys, folder
        (folder / "jobs").mkdir()
        share_folder(folder / "jobs" / "renders", films)  # what is the same is rendered once
        self.sandbox = Sandbox(folder / "jobs", seconds=0.3, dialect=family.name)
        self.url = self.sandbox.start()
        self.home = folder / "home"
        self.home.mkdir()

    def row(self, **change: Any) -> None:
        """What providers.toml says of it: what is true, but for the `change`."""
        family = self.family
        fields = {
            "base_url": self.url, "key": family.wants_key, "remix": family.remix, "list": family.lists,
            "delete": family.deletes, "variants": family.variants, "usd_per_second": 0.01, "poll_seconds": 0.05,
        }  # fmt: skip
        lines = [f"{name} = {json.dumps(value)}" for name, value in (fields | change).items()]
        text = "\n".join(["[provider.mine]", 'key_variable = "MINE_KEY"', *lines])
        (self.home / "providers.toml").write_text(text, encoding="utf-8")

    def verify(self, *arguments: str, provider: str = "mine") -> dict[str, Any]:
        """The report, with the exit status as `exit`."""
        common = ["--home", str(self.home), "--out", str(self._folder / "out"), "--json"]
        status = main(["verify", provider, *arguments, *common])
        report: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return report | {"exit": status}

    def creates(self) -> int:
        return self.sandbox.routes.counts["POST", "/v1/videos"]


@pytest.fixture
def place(
    tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], Place]]:
    monkeypatch.setenv("MINE_KEY", "any-key-will-do")
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.3")
    made: list[Place] = []

    def make(family: str) -> Place:
        made.append(Place(tmp_path, films, FAMILIES[family], capsys))
        made[-1].row()
        return made[-1]

    yield make
    for one in made:
        one.sandbox.close()


def finding(report: dict[str, Any], what: str) -> dict[str, Any]:
    (found,) = [line for line in report["findings"] if line["what"] == what]
    return dict(found)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_verified(place: Callable[[str], Place], name: str, tmp_path: Path) -> None:
    """Nothing differs from catalogue, row and quirks; its rows pass through the readers; nothing is bought twice."""
    there = place(name)
    family = there.family
    if family.remix:
        there.row(usd_per_second=0)
    report = there.verify("--spend", "0.05")
    assert [line for line in report["findings"] if line["verdict"] == "differs"] == []
    assert (report["exit"], report["agrees"], report["purchase"]["state"]) == (0, True, "stored")
    video, offer = report["video"], report["offer"]
    assert (f"{video['width']}x{video['height']}", video["codec"]) == (offer["size"], "h264")
    assert (video["frames"], video["fps"], video["colour_matrix"]) == (30 * int(offer["seconds"]), 30, "bt709")
    assert report["content"]["ranges"] == (family.ranges or family.in_object)
    assert report["content"]["way"] == ("address" if family.in_object else "call")
    assert (report["content"]["content_type"], report["content"]["bytes_per_s"] > 0) == ("video/mp4", True)
    assert report["variants"]["thumbnail"]["picture"] == family.variants
    assert (report["remix"] is not None) == family.remix
    phases = [state["phase"] for state in report["states"]]
    assert (phases[0], phases[-1], report["states"][0]["first_s"]) == ("waiting", "done", 0.0)
    assert report["timings"]["create_s"] > 0
    assert finding(report, "list")["verdict"] == finding(report, "variants")["verdict"] == "agrees"
    assert finding(report, "unknown id")["verdict"] == "agrees"
    rows = rows_of(report)
    assert {row.call for row in rows} >= {"create", "retrieve"}
    for row in rows:
        check(row, tmp_path)
    bought = there.creates()
    again = there.verify("--spend", "0.05")
    assert (again["purchase"]["taken_up"], again["agrees"], there.creates()) == (True, True, bought)


def check(row: Row, folder: Path) -> None:
    """The row's bytes come out as the report says that the real ones did."""
    kind, fields = row.expected.kind, row.expected.fields
    if isinstance(kind, type):
        with pytest.raises(kind) as caught:
            outcome(row, folder)
        assert {name: getattr(caught.value, name) for name in fields} == fields
    else:
        found = outcome(row, folder)
        assert found == fields["ids"] if kind == "ids" else {name: getattr(found, name) for name in fields} == fields


def test_what_a_report_of_new_api_becomes(place: Callable[[str], Place], tmp_path: Path) -> None:
    """Word for word: its flat error for an unknown id, its id under two names, its address in `metadata`."""
    report = place("new-api").verify("--spend", "0.05")
    rows = {row.name: row for row in rows_of(report)}
    unknown = next(row for name, row in rows.items() if "task_not_exist" in name)
    assert json.loads(unknown.body) == {"code": "task_not_exist", "message": "a text", "data": None}
    assert (unknown.status, unknown.expected.fields["code"]) == (400, "task_not_exist")
    done = next(row for row in rows.values() if row.call == "retrieve" and row.expected.fields.get("phase") == "done")
    told = json.loads(done.body)
    assert told["status"] == "completed"
    assert told["task_id"] == told["id"]
    assert told["metadata"] == {"url": "https://cdn.example/a.mp4"}
    assert Response(done.status, {}, done.body).json()["progress"] == 1


def test_a_row_that_is_wrong_differs(place: Callable[[str], Place]) -> None:
    """What providers.toml says and the provider does not do is told, with what to write; the exit status stays 0."""
    there = place("vllm-omni")
    there.row(list=False, variants=True)
    report = there.verify("--spend", "0.05")
    assert (report["exit"], report["agrees"]) == (0, False)
    assert {line["what"] for line in report["findings"] if line["verdict"] == "differs"} == {"list", "variants"}
    assert "write list = true in providers.toml" in finding(report, "list")["text"]


def test_a_remix_that_is_refused_differs(place: Callable[[str], Place]) -> None:
    """The row says that there is one, and there is none: nothing was bought, and the job itself is fine."""
    there = place("sglang")
    there.row(remix=True, usd_per_second=0)
    report = there.verify("--spend", "0")
    assert (report["exit"], report["purchase"]["state"], report["remix"]) == (0, "stored", None)
    assert finding(report, "remix")["verdict"] == "differs"


@pytest.mark.parametrize("name", FAMILIES)
def test_the_sandbox_itself(
    place: Callable[[str], Place], films: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The provider that is built in, as each family: free, without --spend, with a remix where there is one."""
    monkeypatch.setenv("SORA_SANDBOX_DIALECT", name)
    there = place(name)
    (there.home / "sandbox").mkdir()
    share_folder(there.home / "sandbox" / "renders", films)
    report = there.verify(provider="sandbox")
    assert [line for line in report["findings"] if line["verdict"] == "differs"] == []
    assert (report["exit"], report["agrees"], report["purchase"]["state"]) == (0, True, "stored")
    assert report["remix"] == ({"state": "stored", "usd": 0.0} if there.family.remix else None)


def test_without_spend_only_free_calls_are_made(place: Callable[[str], Place]) -> None:
    """What --spend would buy is told with its price; no row is written, and no create is sent."""
    there = place("openai")
    report = there.verify()
    assert (report["exit"], report["purchase"], there.creates()) == (0, None, 0)
    assert report["offer"] == {
        "model": "viduq3", "seconds": "1", "size": "640x352", "reference": True, "usd": 0.01,
        "bought_before": False,
    }  # fmt: skip
    assert {call["path"] for call in report["calls"]} == {
        "/v1/models", "/v1/videos/{unknown id}", "/v1/videos/{unknown id}/content", "/v1/videos?limit=100&order=desc",
    }  # fmt: skip
    assert not (there.home / "ledger.sqlite3").exists()
    assert set(there.sandbox.routes.counts) == {
        ("GET", "/v1/models"), ("GET", "/v1/videos/{id}"), ("GET", "/v1/videos/{id}/content"), ("GET", "/v1/videos"),
    }  # fmt: skip
