"""`sora verify`: what it chooses, what stops it before money is spent, and what a broken-off one costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.providers import Provider
from sora_jobs.diagnostics.verify.choice import PROMPT, Offer, Wish, cheapest, check_spend, picture
from sora_jobs.engine import Engine
from sora_jobs.errors import BudgetExceededError, InvalidInputError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.sandbox import Sandbox

from ..failures import failing
from ..gateway.ugly import UglyServer, answer

ROW = """[provider.mine]
base_url = "{url}"
key_variable = "MINE_KEY"
list = true
variants = true
poll_seconds = 0.02
{more}
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "home", tmp_path / "output", env={"MINE_KEY": "any", "COMETAPI_KEY": "any"})
    yield made
    made.close()


def write_row(home: Path, url: str = "https://x.example", more: str = "usd_per_second = 0.5") -> None:
    home.mkdir(exist_ok=True)
    (home / "providers.toml").write_text(ROW.format(url=url, more=more), encoding="utf-8")


# -- what is chosen ---------------------------------------------------------------------------------------------------


def test_the_cheapest_of_cometapi(engine: Engine) -> None:
    """By the catalogue's prices: 28 thousandths of a dollar, with a reference image. None of all is cheaper."""
    offer = cheapest(engine, Wish(provider="cometapi", spend=1), None)
    assert offer == Offer(model="viduq3-turbo", seconds="1", size="640x352", reference=True, usd=0.028)
    for model in engine.catalogue.offered():
        for size in model.sizes if model.seconds else ():
            usd = model.usd_per_second(size)
            assert usd is None or usd * min(map(int, model.seconds)) >= 0.028


def test_a_named_model_at_its_cheapest(engine: Engine) -> None:
    """Its shortest length, its cheapest size; a model that was retired is refused."""
    named = cheapest(engine, Wish(provider="cometapi", spend=1, model="doubao-seedance-2-0-fast"), None)
    assert (named.seconds, named.size, named.usd) == ("4", "640x640", 0.2016)
    with failing(InvalidInputError, "model_retired"):
        cheapest(engine, Wish(provider="cometapi", spend=1, model="doubao-seedance-1-5-pro"), None)


def test_of_equal_prices_one_that_takes_a_reference_and_has_a_remix(engine: Engine) -> None:
    """On the sandbox all are free."""
    offer = cheapest(engine, Wish(provider="sandbox"), None)
    assert offer == Offer(model="sora-2", seconds="4", size="1280x720", reference=True, usd=0.0)


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        (None, "viduq3"), (frozenset(), "viduq3"), ({"wan2.7", "sora-2", "gpt-5"}, "wan2.7"),
        ({"Wan-AI/Wan2.2-T2V"}, "Wan-AI/Wan2.2-T2V"),
    ],
)  # fmt: skip
def test_an_owners_provider_is_asked_for_what_it_lists(engine: Engine, listed: Any, chosen: str) -> None:
    """Those of the catalogue that it lists, else the one that it lists, at the price that its row says."""
    write_row(engine.settings.home)
    offer = cheapest(engine, Wish(provider="mine", spend=9), listed)
    assert (offer.model, offer.usd) == (chosen, 0.5 * int(offer.seconds))


def test_strange_models_have_to_be_named(engine: Engine) -> None:
    """Which of them makes videos is unknown."""
    write_row(engine.settings.home)
    with failing(InvalidInputError, "no_model", "lists 2 models") as told:
        cheapest(engine, Wish(provider="mine", spend=9), {"gpt-5", "gpt-6"})
    assert "--model ID" in told.value.hint


@pytest.mark.parametrize("model", ["", "my-own", "sora-2"])
def test_without_a_price_nothing_is_bought(engine: Engine, model: str) -> None:
    """The error names --model and the line of providers.toml."""
    write_row(engine.settings.home, more="")
    with failing(InvalidInputError, "price_unknown") as told:
        cheapest(engine, Wish(provider="mine", spend=9, model=model), None)
    assert all(words in told.value.hint for words in ("--model ID", "usd_per_second", "[provider.mine]"))


def test_what_is_dearer_than_spend_is_refused() -> None:
    """With the sum that would do; the same sum is enough."""
    offer = Offer(model="m", seconds="4", size="64x64", reference=False, usd=0.1232)
    with failing(BudgetExceededError, "spend_limit", "--spend 0.12", "--spend 0.13"):
        check_spend(offer, 0.12)
    check_spend(offer, 0.1232)


def test_the_picture_is_the_same_everywhere() -> None:
    """It is part of the purchase's identity: red on white, of whole numbers."""
    made = picture(64, 32)
    assert (made.shape, made.dtype) == ((32, 64, 3), np.uint8)
    assert {tuple(map(int, one)) for one in made.reshape(-1, 3)} == {(150,) * 3, (235,) * 3, (200, 30, 40)}
    smallest = hashlib.sha256(picture(640, 352).tobytes()).hexdigest()
    assert smallest == "8a2b558a772b67a6f8203a761ccea679fb3d51850b8e343db431c985e26e089d"


# -- on the command line ----------------------------------------------------------------------------------------------


class Shell:
    """The command in one state folder, with a sandbox as the provider `mine`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.sandbox = Sandbox(folder / "jobs", seconds=0.2)
        write_row(folder / "home", self.sandbox.start())
        self.out, self.err = "", ""

    def __call__(self, *arguments: str) -> int:
        places = ["--home", str(self.folder / "home"), "--out", str(self.folder / "out")]
        status = main(["verify", "mine", *arguments, *places])
        self.out, self.err = self._capsys.readouterr()
        return status

    def json(self, *arguments: str) -> dict[str, Any]:
        status = self(*arguments, "--json")
        return json.loads(self.out) | {"exit": status}

    @property
    def creates(self) -> int:
        return self.sandbox.routes.counts["POST", "/v1/videos"]


@pytest.fixture
def sora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    monkeypatch.setenv("MINE_KEY", "any")
    made = Shell(tmp_path, capsys)
    yield made
    made.sandbox.close()


@pytest.fixture
def prompted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the sandbox misbehave."""

    def write(directive: str) -> None:
        monkeypatch.setattr("sora_jobs.diagnostics.verify.choice.PROMPT", f"{PROMPT} [sandbox: {directive}]")

    return write


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--spend", "0.49"], 3), (["--spend", "nan"], 2), (["--spend", "-1"], 2), (["--spend", "inf"], 2),
        (["--spend", "1", "--take", "0"], 2), (["--spend", "1", "--timeout", "0"], 2),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_is_bought(sora: Shell, arguments: list[str], status: int) -> None:
    """Also with too small a sum."""
    assert sora.json(*arguments)["exit"] == status
    assert sora.creates == 0


@pytest.mark.parametrize("cap", ["SORA_BUDGET_USD_PER_JOB", "SORA_BUDGET_USD_PER_DAY"])
def test_the_owners_budget_counts_below_spend(sora: Shell, monkeypatch: pytest.MonkeyPatch, cap: str) -> None:
    """The smaller of both is the limit."""
    monkeypatch.setenv(cap, "0.4")
    told = sora.json("--spend", "5")
    assert (told["exit"], told["kind"], sora.creates) == (3, "budget", 0)


def test_without_a_key_it_is_told_at_once(sora: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one call is made."""
    monkeypatch.delenv("MINE_KEY")
    assert (sora.json()["kind"], not sora.sandbox.routes.counts) == ("no_key", True)


def test_a_verify_that_was_broken_off_costs_nothing_more(sora: Shell, tmp_path: Path) -> None:
    """Its report is written all the same; the next one takes up the job, also when prices and lists changed since;
    another take buys again."""
    file = tmp_path / "reports" / "mine.json"
    broken = sora.json("--spend", "1", "--timeout", "0.0001", "--report", str(file))
    assert (broken["exit"], broken["kind"], broken["agrees"], sora.creates) == (6, "waited_long", False, 1)
    assert json.loads(file.read_text(encoding="utf-8"))["purchase"]["error"] == {
        "kind": "waited_long", "code": "wait_timeout", "charge": "charged"
    }  # fmt: skip
    write_row(sora.folder / "home", sora.sandbox.url, "usd_per_second = 3")
    done = sora.json("--spend", "0.5")
    assert (done["exit"], done["purchase"]["taken_up"], done["agrees"], sora.creates) == (0, True, True, 1)
    assert (done["purchase"]["estimated_usd"], done["video"]["frames"]) == (0.5, 30)
    assert (sora(), sora.creates) == (0, 1)
    assert "--spend USD takes up what was bought before: viduq3" in sora.out
    assert (sora.json("--spend", "0.5", "--take", "2")["exit"], sora.creates) == (3, 1)
    assert (sora.json("--spend", "3", "--take", "2")["purchase"]["taken_up"], sora.creates) == (False, 2)


@pytest.mark.parametrize(("spend", "creates"), [("0.07", 1), ("0.08", 2)])
def test_a_remix_is_bought_where_the_money_is_enough_for_both(sora: Shell, spend: str, creates: int) -> None:
    """Four seconds at a cent each, twice."""
    write_row(sora.folder / "home", sora.sandbox.url, "usd_per_second = 0.01\nremix = true")
    told = sora.json("--spend", spend, "--model", "sora-2")
    remixes = sora.sandbox.routes.counts["POST", "/v1/videos/{id}/remix"]
    assert (told["exit"], told["agrees"], sora.creates + remixes) == (0, True, creates)
    (line,) = [line for line in told["findings"] if line["what"] == "remix"]
    assert (line["verdict"], told["remix"] is not None) == (("unknown", False) if creates == 1 else ("agrees", True))


def test_a_purchase_that_was_never_sent_is_checked_as_a_new_one(sora: Shell) -> None:
    """An earlier run ended between its row and its create: to send it now costs what a new one costs."""
    engine = Engine(sora.folder / "home", sora.folder / "out", env={"MINE_KEY": "any"})
    offer = cheapest(engine, Wish(provider="mine", spend=1), None)
    budget = engine.settings.read().budget
    engine.ledger.reserve(offer.spec("mine", 1), origin=sora.sandbox.url, estimated_usd=0.5, budget=budget)
    engine.close()
    assert (sora.json("--spend", "0.1")["exit"], sora.creates) == (3, 0)
    told = sora.json("--spend", "0.5")
    assert (told["exit"], told["offer"]["bought_before"], sora.creates) == (0, False, 1)


@pytest.mark.parametrize(
    ("now", "spend", "remixes"), [("0.1", "0.39", 0), ("0.1", "0.4", 1), ("0.005", "0.02", 1), ("", "9", 0)]
)
def test_a_remix_costs_what_it_costs_today(sora: Shell, now: str, spend: str, remixes: int) -> None:
    """Its video was bought in an earlier run for four cents, and costs nothing now. Nothing is bought without a
    price."""
    home, url = sora.folder / "home", sora.sandbox.url
    write_row(home, url, "usd_per_second = 0.01")
    assert sora.json("--spend", "0.04", "--model", "sora-2")["exit"] == 0
    write_row(home, url, f"remix = true\n{f'usd_per_second = {now}' if now else ''}")
    told = sora.json("--spend", spend, "--model", "sora-2")
    assert (told["exit"], told["purchase"]["taken_up"], sora.creates) == (0, True, 1)
    assert sora.sandbox.routes.counts["POST", "/v1/videos/{id}/remix"] == remixes
    assert (told["remix"] is not None) == bool(remixes)


@pytest.mark.parametrize(
    ("arguments", "charge"), [(["--spend", "1"], "possible"), (["--spend=1"], "possible"), ([], "none")]
)
def test_ctrl_c_speaks_of_money_where_some_may_be_spent(
    sora: Shell, monkeypatch: pytest.MonkeyPatch, arguments: list[str], charge: str
) -> None:
    """However the sum is written."""

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sora_jobs.diagnostics.verify.walk.Walk.go", stop)
    assert sora.json(*arguments)["charge"] == charge


def test_a_job_that_fails_is_reported_and_told(sora: Shell, prompted: Callable[[str], None], tmp_path: Path) -> None:
    """Exit status 5, as for `run`; the report says how far it came."""
    prompted("fail=broken")
    told = sora.json("--spend", "1", "--report", str(tmp_path / "r.json"))
    assert (told["exit"], told["kind"], told["agrees"]) == (5, "job_failed", False)
    assert [line["what"] for line in told["findings"] if line["verdict"] == "differs"] == ["create"]
    assert told["states"][-1]["phase"] == "failed"
    kept = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (kept["purchase"]["error"]["kind"], "job" in kept) == ("job_failed", False)
    assert (sora("--spend", "1"), sora.creates) == (5, 1)
    assert "differs  catalogue  create" in sora.out


def test_a_refused_create_bought_nothing(sora: Shell, prompted: Callable[[str], None]) -> None:
    """Exit status 3; its code is in the report."""
    prompted("refuse=moderation")
    told = sora.json("--spend", "1")
    assert (told["exit"], told["purchase"]["error"]["code"]) == (3, "moderation_blocked")


@pytest.mark.parametrize(
    ("directive", "first", "again"),
    [
        ("refuse=moderation", "not bought", "not bought"),
        ("lost_answer", "perhaps bought", "taken up, perhaps bought before"),
        ("fail=broken", "bought", "taken up, perhaps bought before"),
        ("", "bought", "taken up, bought before"),
    ],
)
def test_the_first_line_says_what_became_of_the_money(
    sora: Shell, prompted: Callable[[str], None], directive: str, first: str, again: str
) -> None:
    """In this run, and in the next one."""
    prompted(directive)
    sora("--spend", "1")
    assert sora.out.startswith(f"mine: {first}: viduq3, 1 s"), sora.out
    sora("--spend", "1")
    assert sora.out.startswith(f"mine: {again}: viduq3, 1 s"), sora.out


@pytest.mark.parametrize("model", ["/home/johndoe/wan", "C:\\Users\\johndoe\\wan", "C:/Users/johndoe/wan"])
@pytest.mark.parametrize(("arguments", "price"), [([], True), ([], False), (["--spend", "1"], True)])
def test_a_model_that_is_a_path_is_not_shown(sora: Shell, model: str, arguments: list[str], price: bool) -> None:
    """Neither in the offer nor in what is found."""
    write_row(sora.folder / "home", sora.sandbox.url, "usd_per_second = 0.1" if price else "")
    told = sora.json(*arguments, "--model", model)
    assert [line for line in told["findings"] if "johndoe" in line["text"]] == []
    assert price == ((told["offer"] or {}).get("model") == "(a path)")
    assert "(a path)" in json.dumps(told["findings"])


def test_a_state_that_nobody_knows_differs(sora: Shell, prompted: Callable[[str], None]) -> None:
    """The job is finished all the same: the exit status is 0."""
    prompted("word=dreaming, slow=1")
    told = sora.json("--spend", "1")
    assert (told["exit"], told["agrees"], told["purchase"]["state"]) == (0, False, "stored")
    (states,) = [line for line in told["findings"] if line["what"] == "states"]
    assert (states["verdict"], "dreaming" in states["text"]) == ("differs", True)
    assert [state["word"] for state in told["states"]][-2:] == ["dreaming", "completed"]


def test_a_person_reads_what_would_be_bought(sora: Shell) -> None:
    """With its price, and what each call did."""
    assert sora() == 0
    assert (
        "nothing was bought. --spend USD would buy viduq3, 1 s, 640x352, with a reference image, for about $0.5000"
        in (sora.out)
    )
    assert "GET  /v1/videos/{unknown id} " in sora.out
    assert "agrees   quirks     unknown id: HTTP 404, not_found." in sora.out


def test_a_provider_that_cannot_be_reached(sora: Shell) -> None:
    """Nothing was bought, and there is nothing to report."""
    sora.sandbox.close()
    told = sora.json("--spend", "1")
    assert (told["exit"], told["charge"], told["kind"]) == (6, "none", "network")


def test_a_listener_that_breaks_loses_no_paid_response() -> None:
    """Whatever it raises."""
    body = {"id": "video_1", "object": "video", "status": "queued"}
    heard: list[int] = []

    def broken(response: Any, _: object) -> None:
        heard.append(response.status_code)
        raise RuntimeError("no")

    with UglyServer([answer(200, body)]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=5), "any")
        client.listen(broken)
        assert client.create(CreateCall({"prompt": "x"})).id == "video_1"
        assert client.retrieve("video_1").id == "video_1"
        client.listen(None)
        client.retrieve("video_1")
        client.close()
    assert heard == [200, 200, 200]
