"""The price that the page shows is the price that the budget counts: quoted before a purchase, and read off its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import BudgetExceededError, InvalidInputError
from sora_jobs.jobs.quote import Quote
from sora_jobs.jobs.spec import Job, VideoRequest, parse_extra_fields
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.purchasing.quote import estimate

from ..failures import failing
from .ugly import Request, UglyServer, answer

WIDGETS = {
    "model": "sora-2", "custom_model": "", "seconds": "4", "size": "1280x720", "provider": "cometapi",
    "extra_fields": "",
}  # fmt: skip
OWNERS = {
    "mine": "remix = true\nusd_per_second = 0.5", "free": "remix = true\nusd_per_second = 0", "unpriced": "",
}  # fmt: skip
DEARER = '{"quality": "high"}'
CREATES: dict[str, tuple[dict[str, str], float | None]] = {
    "one price": ({}, 0.32),
    "a price by size": ({"model": "sora-2-pro", "seconds": "8"}, 1.92),
    "a price by short side": ({"model": "wan3.0", "seconds": "17", "size": "1080x1920"}, 3.4),
    "a model without a price": ({"model": "omni-fast", "seconds": "4"}, None),
    "a model that is not listed": ({"custom_model": "brand-new-9", "seconds": "17", "size": "640x640"}, None),
    "a listed one that was typed": ({"custom_model": "sora-2-pro"}, 0.96),
    "an extra field": ({"extra_fields": DEARER}, None),
    "no extra field": ({"extra_fields": " {} "}, 0.32),
    "the owner's price": ({"provider": "mine"}, 2.0),
    "the owner's price of any model": ({"provider": "mine", "custom_model": "hers", "seconds": "7"}, 3.5),
    "the owner's price and an extra field": ({"provider": "mine", "extra_fields": DEARER}, None),
    "an owner without a price": ({"provider": "unpriced"}, None),
    "an owner's free server": ({"provider": "free", "custom_model": "hers", "extra_fields": DEARER}, 0.0),
    "the sandbox": ({"provider": "sandbox"}, 0.0),
    "the sandbox and an extra field": ({"provider": "sandbox", "extra_fields": DEARER}, 0.0),
}


class Bench:
    """An engine whose gateways are one server that takes every job and has finished it when it is asked."""

    def __init__(self, folder: Path, server: UglyServer) -> None:
        self.server, self.home, self.output = server, folder / "home", folder / "output"
        self.home.mkdir()
        tables = [
            f'[provider.{name}]\nbase_url = "{server.url}"\nkey = false\n{more}\n' for name, more in OWNERS.items()
        ]
        (self.home / "providers.toml").write_text("\n".join(tables), encoding="utf-8")
        env = {"COMETAPI_BASE_URL": server.url, "SORA_POLL_SECONDS": "0.01", "SORA_BUDGET_USD_PER_DAY": "1000"}
        self.env = env | {"COMETAPI_KEY": "sk-test-key-123"}
        self.engine = Engine(self.home, self.output, env=self.env)
        self.keyless = Engine(self.home, self.output, env=env)  # as the page asks before anything is set up

    def quote(self, wanted: dict[str, Any]) -> float | None:
        """Without a key, and nothing is sent."""
        sent = len(self.server.requests)
        usd = self.keyless.quote(wanted).usd
        assert len(self.server.requests) == sent
        return usd

    def spec(self, widgets: dict[str, str], prompt: str = "a boat") -> VideoRequest:
        names = ("seconds", "size", "provider")
        return VideoRequest(
            prompt=prompt,
            model=widgets["custom_model"] or widgets["model"],
            extra_fields=parse_extra_fields(widgets["extra_fields"]),
            **{name: widgets[name] for name in names},
        )

    def buy(self, widgets: dict[str, str], prompt: str = "a boat") -> Job:
        return self.row(self.engine.start_create(self.spec(widgets, prompt)).result(30).job)

    def set_budget(self, usd_per_day: str) -> None:
        self.env["SORA_BUDGET_USD_PER_DAY"] = usd_per_day

    def remix(self, job: Job, prompt: str = "at night") -> Job:
        return self.row(self.engine.start_remix(job.id, prompt).result(30).job)

    def row(self, job: Job) -> Job:
        """As the ledger has it, of which the budget makes its sum."""
        return self.engine.ledger.job(job.id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    def respond(request: Request) -> bytes:
        video = {"object": "video", "model": "sora-2"}
        if request.method == "POST":
            return answer(200, {"id": f"video_{len(server.requests)}", "status": "queued", **video})
        return answer(200, {"id": request.path.rsplit("/", 1)[-1], "status": "completed", **video})

    with UglyServer([lambda connection: connection.sendall(respond(server.requests[-1]))]) as server:
        made = Bench(tmp_path, server)
        yield made
        made.keyless.close()
        made.engine.close()


@pytest.mark.parametrize("name", CREATES)
def test_a_quote_is_what_the_budget_counts(bench: Bench, name: str) -> None:
    """Asked for before the first purchase, without a key, a ledger or a request."""
    changed, usd = CREATES[name]
    widgets = WIDGETS | changed
    before = sorted(bench.home.rglob("*"))
    assert bench.quote(widgets) == usd
    assert sorted(bench.home.rglob("*")) == before
    assert bench.buy(widgets).estimated_usd == usd


REASONS: dict[str, tuple[str, dict[str, str]]] = {
    "a model without a price": ("model", {"model": "omni-fast"}),
    "a model that is not listed": ("model", {"model": "brand-new-9"}),
    "an extra field": ("extra_fields", {"fields": "quality"}),
    "the owner's price and an extra field": ("extra_fields", {"fields": "quality"}),
    "an owner without a price": ("provider", {"provider": "unpriced"}),
}


@pytest.mark.parametrize("name", CREATES)
def test_an_unknown_price_has_a_reason(bench: Bench, name: str) -> None:
    """The page and the command line are told the same one; a known price has none."""
    changed, _ = CREATES[name]
    quote = bench.keyless.quote(WIDGETS | changed)
    assert (quote.unknown, quote.facts) == REASONS.get(name, ("", {}))
    assert (quote.usd is None) is (name in REASONS) is bool(quote.why_unknown())
    bought = bench.engine.start_create(bench.spec(WIDGETS | changed)).result(30)
    assert bought.quote == quote
    again = bench.engine.start_create(bench.spec(WIDGETS | changed)).result(30)
    assert (again.reused, again.quote.unknown) == (True, "")  # nothing is bought, so that nothing has to be said


def test_a_price_by_size_may_lack_that_size(bench: Bench) -> None:
    rows = [row for row in Catalogue.shipped().models.values() if row.usd and "*" not in row.usd]
    row, size = next((row, size) for row in rows for size in ("4000x400", "8000x800") if not row.usd_per_second(size))
    spec = bench.spec(WIDGETS | {"custom_model": row.id, "size": size})
    quote = estimate(spec, bench.engine.providers.client("cometapi").provider, Catalogue.shipped())
    assert (quote.usd, quote.unknown, quote.facts) == (None, "size", {"model": row.id, "size": size})


def test_the_budget_says_why_it_does_not_know_a_price(bench: Bench) -> None:
    """It counts as the cap of a job, which is hard to understand without the reason."""
    bench.set_budget("0.5")
    with failing(BudgetExceededError, "budget_per_day", "is listed for omni-fast", charge="none"):
        bench.buy(WIDGETS | {"model": "omni-fast"})
    with pytest.raises(BudgetExceededError) as raised:
        bench.buy(WIDGETS | {"model": "sora-2-pro", "seconds": "12"})
    assert "price is unknown" not in str(raised.value)


@pytest.mark.parametrize("fields", ['{"seed": 7}', '{"negative_prompt": "rain"}', '{"resolution": "720p", "seed": 7}'])
@pytest.mark.parametrize("provider", ["cometapi", "mine", "free"])
def test_a_field_counts_in_a_quote_as_in_the_budget(bench: Bench, fields: str, provider: str) -> None:
    """Whichever fields may make a job dearer."""
    widgets = WIDGETS | {"provider": provider, "extra_fields": fields}
    usd = bench.quote(widgets)
    assert bench.buy(widgets).estimated_usd == usd


def test_a_quote_tells_how_old_its_price_is_and_what_comes_out(bench: Bench) -> None:
    """Where the price is one of the catalogue's, and where another size comes than is asked for."""
    row = Catalogue.shipped().models["veo3.1"]
    widgets = WIDGETS | {"model": "veo3.1", "seconds": "4"}
    assert bench.keyless.quote(widgets) == Quote(1.28, row.price_age_days())
    assert (row.price_age_days() or 0) > 100
    for free in ("sandbox", "mine", "unpriced"):
        assert bench.keyless.quote(widgets | {"provider": free}).price_age_days is None
    other = WIDGETS | {"model": "omni-fast", "size": "1920x1080"}
    assert bench.keyless.quote(other) == Quote(None, None, "1280x720", "model", {"model": "omni-fast"})
    assert bench.keyless.quote(other | {"size": "720x1280"}).comes_out == ""


@pytest.mark.parametrize("name", ["one price", "a price by size", "an extra field", "the owner's price",
                                  "the owner's price and an extra field", "an owner's free server"])  # fmt: skip
def test_a_remix_is_quoted_before_its_parent_exists(bench: Bench, name: str) -> None:
    """By the widgets of the node that will buy the parent; then by the job, however it is named; and so on."""
    changed, usd = CREATES[name]
    widgets = WIDGETS | changed
    assert bench.quote(widgets | {"remix": True}) == usd
    parent = bench.buy(widgets)
    for named in (parent.id, parent.label, parent.video_id):
        assert bench.quote({"job": named, "provider": parent.provider}) == usd
    remix = bench.remix(parent)
    assert (remix.kind, remix.estimated_usd) == ("remix", usd)
    assert bench.quote({"job": remix.id, "provider": remix.provider}) == usd
    assert bench.remix(remix, "at noon").estimated_usd == usd


@pytest.mark.parametrize(("provider", "usd"), [("cometapi", None), ("mine", None), ("free", 0.0), ("sandbox", 0.0)])
def test_a_remix_of_a_job_from_elsewhere(bench: Bench, provider: str, usd: float | None) -> None:
    """Nobody knows what it was asked for, neither before it was opened nor after."""
    assert bench.quote({"job": "video_from_elsewhere", "provider": provider}) == usd
    assert bench.quote({"job": "video_from_elsewhere", "provider": None}) is None
    reason = bench.keyless.quote({"job": "video_from_elsewhere", "provider": provider}).unknown
    assert reason == ("" if usd == 0 else "job")
    if provider == "sandbox":  # which has no job that the ledger does not have
        return
    opened = bench.engine.open("video_from_elsewhere", provider)
    assert opened.kind == "opened"
    for named in (provider, None):
        assert bench.quote({"job": opened.id, "provider": named}) == usd
    assert bench.keyless.quote({"job": opened.id, "provider": provider}).unknown == ("" if usd == 0 else "source")
    assert bench.remix(opened).estimated_usd == usd


@pytest.mark.parametrize(
    ("linked", "provider", "usd"),
    [(name, "cometapi", None) for name in WIDGETS]
    + [("seconds", "mine", None), ("model", "free", 0.0), ("size", "sandbox", 0.0), ("custom_model", "sandbox", 0.0)],
)
def test_a_value_that_comes_through_a_link_is_unknown(
    bench: Bench, linked: str, provider: str, usd: float | None
) -> None:
    """So is the price, except where everything is free."""
    assert bench.keyless.quote(WIDGETS | {"provider": provider, linked: None}).unknown == ("" if usd == 0 else "linked")
    assert bench.quote(WIDGETS | {"provider": provider, linked: None}) == usd
    assert bench.quote(WIDGETS | {"provider": provider, linked: None, "remix": True}) == usd


WRONG: dict[str, dict[str, Any]] = {
    "a length that the model does not make": {"seconds": "5"},
    "a size that the model does not make": {"size": "640x640"},
    "no length": {"seconds": ""},
    "a size that is none": {"size": "large", "custom_model": "brand-new-9"},
    "a model that no list has": {"model": "sora-9"},
    "an unknown provider": {"provider": "nobody"},
    "no provider": {"provider": ""},
    "half a set of fields": {"extra_fields": '{"seed": '},
    "a list of fields": {"extra_fields": "[]"},
    "a field that replaces a widget": {"extra_fields": '{"seconds": "60"}'},
    "a remix of a model without remix": {"model": "seedance-2-5", "seconds": "5", "remix": True},
    "a remix at a provider without remix": {"provider": "unpriced", "remix": True},
    "two images for a model that takes one": {"references": 2},
    "three images": {"references": 3},
    "a number of images that is none": {"references": True},
    "a length that is a number": {"seconds": 4},
    "a model that is a list": {"model": ["sora-2"]},
    "a remix that is none": {"remix": "yes"},
    "a very long model": {"custom_model": "m" * 2000},
    "very many fields": {"extra_fields": json.dumps({f"field_{number}": 1 for number in range(3000)})},
    "a name that is unknown": {"prompt": "a boat"},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_bought_has_no_price(bench: Bench, name: str) -> None:
    """It is an error, as the purchase would be."""
    with pytest.raises(InvalidInputError):
        bench.quote(WIDGETS | WRONG[name])


@pytest.mark.parametrize("wanted", [{"references": True}, {"seconds": 4}, {"remix": "yes"}, {"prompt": "a boat"}])
def test_a_request_with_other_fields_has_its_code(bench: Bench, wanted: dict[str, Any]) -> None:
    with failing(InvalidInputError, "invalid_request"):
        bench.quote(WIDGETS | wanted)


def test_a_retired_model_has_no_price(bench: Bench) -> None:
    """At the provider that retired it; the sandbox still draws its test clip."""
    rows = bench.engine.catalogue.models.values()
    gone = next(row for row in rows if row.state("cometapi") == "retired" and row.seconds and row.sizes)
    widgets = WIDGETS | {"model": gone.id, "seconds": gone.seconds[0], "size": next(iter(gone.sizes))}
    with failing(InvalidInputError, "model_retired", gone.id):
        bench.quote(widgets)
    assert bench.quote(widgets | {"provider": "sandbox"}) == 0.0


@pytest.mark.parametrize(
    "wanted",
    [{}, {"model": "sora-2"}, {"provider": "cometapi"}, {"job": ""}, {"job": "x"}, {"job": "x", "provider": "nobody"},
     {"job": None, "provider": "cometapi"}, {"job": 7, "provider": "cometapi"},
     {"job": "x", "provider": "cometapi", "model": "sora-2"}, {"job": "x" * 2000, "provider": "cometapi"},
     {"job": "video_1", "provider": "unpriced"}],
)  # fmt: skip
def test_a_question_that_is_none(bench: Bench, wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        bench.quote(wanted)


def test_a_change_of_the_owners_price_counts_at_once(bench: Bench) -> None:
    """For the page as for the budget, without a restart."""
    file = bench.home / "providers.toml"
    widgets = WIDGETS | {"provider": "mine"}
    assert bench.quote(widgets) == 2.0
    file.write_text(file.read_text(encoding="utf-8").replace("= 0.5", "= 0.7"), encoding="utf-8")
    assert bench.quote(widgets) == 2.8
    assert bench.buy(widgets).estimated_usd == 2.8
