"""The gateway's own list of models, merged into the catalogue when somebody asks for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.config.providers import load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError, RequestRejectedError
from sora_jobs.gateway.clients import ClientPool
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.rows import update
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.model import Status
from sora_jobs.models.refresh import merged, seen_here
from sora_jobs.models.remote_list import read_list
from sora_jobs.sandbox.local import LocalSandbox

from ..failures import failing
from .ugly import Script, UglyServer, answer


def row(name: str, **more: Any) -> dict[str, Any]:
    """A row as CometAPI documents it, of a video model."""
    made = {
        "id": name, "provider": "X", "model_type": "video", "features": ["text-to-video", "image-to-video"],
        "pricing": {"currency": "USD", "input": None, "output": None, "per_request": None, "per_second": 0.5},
        "endpoints": ["/v1/videos"], "upcoming": False,
    }  # fmt: skip
    return made | more


def listing(*rows: Any) -> dict[str, Any]:
    return {"success": True, "page": 0, "page_size": 0, "total": len(rows), "data": list(rows)}


ROWS = (
    row("sora-2", pricing={"per_second": 0.09}),
    row("seedance-2-5", pricing={"per_second": 0.2}),
    row("doubao-seedance-1-5-pro"),
    row("brand-new-1", features=["text-to-video"]),
)


@pytest.fixture
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Engine, UglyServer]]:
    script: list[Script] = getattr(request, "param", [answer(200, listing(*ROWS))])
    with UglyServer(script) as server:
        env = {"COMETAPI_BASE_URL": server.url, "COMETAPI_KEY": "sk-test-key-123"}
        made = Engine(tmp_path / "home", tmp_path / "output", env=env)
        yield made, server
        made.close()


def test_a_refresh_brings_what_is_new_and_marks_what_is_gone(engine: tuple[Engine, UglyServer]) -> None:
    """New ids appear and are sent as typed, prices move, what is not listed is marked. A row proves nothing: what is
    unknown stays so, and what was retired may be tried again."""
    made, server = engine
    assert made.catalogue.refreshed_at is None
    done = made.refresh_models()
    assert "brand-new-1" in done.added
    assert "doubao-seedance-1-5-pro" in done.added
    assert "sora-2" not in done.added
    assert "wan2.7" in done.gone
    assert done.changed == ("sora-2",)  # one price says nothing about a table of several, nor where none is known
    assert done.doubtful == ("seedance-2-5",)
    models = made.catalogue.models
    assert models["sora-2"].usd == {"*": 0.09}
    assert models["seedance-2-5"].usd == Catalogue.shipped().models["seedance-2-5"].usd
    assert models["wan2.7"].state("cometapi") == "unknown"
    assert "not in the list of cometapi" in models["wan2.7"].note
    assert models["doubao-seedance-1-0-pro"].state("cometapi") == "retired"
    assert {models[name].state("cometapi") for name in ("sora-2", "doubao-seedance-1-5-pro", "brand-new-1")} == {
        "unknown"
    }
    assert models["seedance-2-5"].state("cometapi") == "live"
    spec = VideoRequest(provider="cometapi", prompt="x", model="brand-new-1", seconds="7", size="999x111")
    made.catalogue.check(spec)
    assert made.catalogue.estimate_usd(spec) is None  # its one price may be that of the smallest size
    assert "listed at $0.5 per second" in models["brand-new-1"].note
    assert models["doubao-seedance-1-5-pro"].usd == {}
    assert [request.path for request in server.requests] == ["/api/models"]


def test_a_row_of_the_list_ends_no_doubt(engine: tuple[Engine, UglyServer]) -> None:
    """Priced rows were refused as without a channel. That it is listed is told beside what the pack knew."""
    made, server = engine
    spec = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="4", size="1280x720")
    assert "not known" in made.catalogue.warning(spec)
    server.answers[:] = [answer(200, listing(*ROWS, row("omni-fast")))]
    made.refresh_models()
    status = made.catalogue.models["sora-2"].status["cometapi"]
    assert (status.state, status.date) == ("unknown", time.strftime("%Y-%m-%d", time.gmtime()))
    assert "OpenAI ended its own API" in made.catalogue.warning(spec)
    assert "it is in the list of cometapi of" in made.catalogue.warning(spec)
    assert "a beta" in made.catalogue.models["omni-fast"].note


def test_an_id_that_comes_and_goes_is_kept_and_marked(engine: tuple[Engine, UglyServer]) -> None:
    """A workflow may name it; and once it is back, that is told."""
    made, server = engine
    made.refresh_models()
    server.answers[:] = [answer(200, listing(*ROWS[:3]))]
    for gone in (("brand-new-1",), ()):
        assert made.refresh_models().gone == gone
        model = made.catalogue.models["brand-new-1"]
        assert model.state("cometapi") == "unknown"
        assert "not in the list of cometapi" in model.note
    server.answers[:] = [answer(200, listing(*ROWS))]
    assert made.refresh_models().added == ("brand-new-1",)
    assert "not in the list" not in made.catalogue.models["brand-new-1"].note


def pages(*parts: tuple[Any, ...], total: int) -> list[Script]:
    return [
        answer(200, {"success": True, "page": number, "page_size": 2, "total": total, "data": list(part)})
        for number, part in enumerate(parts, 1)
    ]


def test_a_list_in_pages_is_read_to_its_end(engine: tuple[Engine, UglyServer]) -> None:
    """What stands on the second page is not gone."""
    made, server = engine
    server.answers[:] = pages(ROWS[:2], ROWS[2:], total=4)
    done = made.refresh_models()
    assert "brand-new-1" in done.added
    assert "wan2.7" in done.gone
    paths = [request.path for request in server.requests]
    assert paths == ["/api/models", "/api/models?page=2&page_size=2"]


@pytest.mark.parametrize(
    "scripts",
    [
        pages(ROWS[:2], total=4),  # the same page again and again
        [*pages(ROWS[:2], total=4), answer(503, b"")],
        [*pages(ROWS[:2], total=4), answer(200, b"<html>")],
        [answer(200, {"total": 9, "data": list(ROWS)})],
    ],
)
def test_of_a_list_that_is_not_whole_nothing_is_gone(engine: tuple[Engine, UglyServer], scripts: list[Script]) -> None:
    """What it has lives, and of the rest nothing new is known."""
    made, server = engine
    made.refresh_models()  # so that there is an id that the pack does not know
    server.answers[1:] = scripts
    before = made.catalogue.models
    done = made.refresh_models()
    assert done.gone == ()
    assert made.catalogue.models.keys() == before.keys()
    assert made.catalogue.models["wan2.7"] == before["wan2.7"]
    assert "it is in the list" in made.catalogue.models["sora-2"].note
    assert len(server.requests) <= 4


@pytest.mark.parametrize("engine", [pages(ROWS[:2], total=4)], indirect=True)
def test_a_first_list_that_is_not_whole_marks_nothing(engine: tuple[Engine, UglyServer]) -> None:
    """Nobody has seen it all yet."""
    made, _ = engine
    assert made.refresh_models().gone == ()
    assert made.catalogue.models["wan2.7"] == Catalogue.shipped().models["wan2.7"]


def test_a_price_is_taken_where_it_can_only_mean_one_thing(engine: tuple[Engine, UglyServer]) -> None:
    """A table of one price follows the list; one of several is named where the list's price is none of it."""
    made, server = engine
    prices = {"sora-2-pro": 0.3, "wan2.7": 0.08, "viduq3": 0.01, "viduq3-turbo": 0.028}
    server.answers[:] = [answer(200, listing(*(row(name, pricing={"per_second": p}) for name, p in prices.items())))]
    done = made.refresh_models()
    models, shipped = made.catalogue.models, Catalogue.shipped().models
    assert models["sora-2-pro"].usd == {"1280x720": 0.3, "720x1280": 0.3}
    assert (models["wan2.7"].usd, models["viduq3"].usd) == (shipped["wan2.7"].usd, shipped["viduq3"].usd)
    assert models["viduq3-turbo"].usd == shipped["viduq3-turbo"].usd
    assert (done.changed, done.doubtful) == (("sora-2-pro",), ("viduq3",))


def test_a_refresh_is_public(engine: tuple[Engine, UglyServer]) -> None:
    """The list needs no key, so none goes there."""
    made, server = engine
    made.refresh_models()
    assert "authorization" not in server.requests[0].headers


def test_nothing_is_asked_by_itself(engine: tuple[Engine, UglyServer]) -> None:
    """Neither the catalogue nor a list of names asks anybody."""
    made, server = engine
    assert made.catalogue.models
    assert made.providers.names()
    assert server.requests == []


def test_another_program_sees_it_too(engine: tuple[Engine, UglyServer]) -> None:
    """The kept copy is looked at by its time; who runs already needs no restart. One that is broken counts as none."""
    made, _ = engine
    other = Engine(made.settings.home, made.settings.output, env={})
    assert "brand-new-1" not in other.catalogue.models
    made.refresh_models()
    assert "brand-new-1" in other.catalogue.models
    (made.settings.home / "models.json").write_text("{", encoding="utf-8")
    assert other.catalogue.models.keys() == Catalogue.shipped().models.keys()
    other.close()


TROUBLES: dict[str, Script] = {
    "no such page": answer(404, b"<html>"),
    "a redirect": answer(302, b"", [("Location", "http://127.0.0.1:1/")]),
    "a page": answer(200, b"<html></html>"),
    "no list": answer(200, {"success": False, "message": "later", "data": None}),
    "an empty list": answer(200, listing()),
    "no model of ours": answer(
        200, listing(row("chat", features=["text"]), row("kling", endpoints=["/kling/v1/videos"]))
    ),
    "deep": answer(200, b"[" * 100_000),
}


@pytest.mark.parametrize("engine", [[script] for script in TROUBLES.values()], ids=list(TROUBLES), indirect=True)
def test_a_list_that_is_none_changes_nothing(engine: tuple[Engine, UglyServer]) -> None:
    """Else a gateway that is being serviced would mark every model as gone."""
    made, _ = engine
    with pytest.raises(GatewayError) as caught:
        made.refresh_models()
    assert caught.value.charge == "none"
    assert "stays as it is" in caught.value.hint
    assert not (made.settings.home / "models.json").exists()


ENDPOINTS = {
    "a list": (["/v1/videos"], True),
    "whole addresses": (["https://api.cometapi.com/v1/videos"], True),
    "a table": ({"video": {"path": "/v1/videos", "method": "POST"}}, True),
    "text": ('["/v1/videos"]', True),
    "text within a table": ({"video": '{"path": "/v1/videos"}'}, True),
    "an escaped slash": (r'["\/v1\/videos"]', True),
    "a path of ours further down": (["/v1/videos/{id}/content"], False),
    "another route": (["/kling/v1/videos/text2video"], False),
    "nothing": (None, False),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoints_are_written_in_many_ways(name: str) -> None:
    """Lists, tables, and JSON within text; ours is POST /v1/videos alone."""
    endpoints, ours = ENDPOINTS[name]
    names = [found["id"] for found in read_list(listing(row("ours"), row("that", endpoints=endpoints)))]
    assert names == (["ours", "that"] if ours else ["ours"])


ODD = {
    "not there yet": row("odd", upcoming=True),
    "no id": row("") | {"id": None},
    "an id that is a path": row("../../etc/passwd"),
    "an id with a line break": row("odd\nnews"),
    "features that are none": row("odd", features=None),
    "no row": 7,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_rows_are_passed_over(name: str) -> None:
    """The others count all the same."""
    assert [found["id"] for found in read_list(listing(ODD[name], row("good")))] == ["good"]


@pytest.mark.parametrize("price", [None, "0.5", True, 0, -1, 1e9, float("nan"), {"x": 1}])
def test_a_price_that_is_none_is_unknown(price: Any) -> None:
    """Unknown counts as the owner's cap for a job; nothing is free because a list says so."""
    assert read_list(listing(row("odd", pricing={"per_second": price})))[0]["usd_per_second"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "id",
                    "features",
                    "endpoints",
                    "pricing",
                    "per_second",
                    "models",
                    "at",
                    "provider",
                    "images",
                    "gone",
                    "whole_at",
                    "total",
                    "page",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_whatever_comes_is_a_list_or_a_clear_error(value: Any) -> None:
    """And whatever lies on the disk is a catalogue."""
    try:
        rows = read_list(value)
    except GatewayError:
        rows = []
    kept = merged({"provider": "cometapi", "at": 1e9, "models": json.loads(json.dumps(rows))})
    assert kept.models.keys() >= Catalogue.shipped().models.keys()
    if isinstance(value, dict):
        assert merged(value).models.keys() >= Catalogue.shipped().models.keys()


GONE = {
    "by code": (503, {"message": "No available channel", "code": "model_not_found"}),
    "by code, in capitals": (503, {"message": "No available channel", "code": "Model_Not_Found"}),
    "by text": (503, {"message": "No available channels for model sora-2 in group default", "type": "new_api_error"}),
    "without a price": (
        400,
        {"message": "Model sora-2 has not been priced by the administrator yet.", "type": "comet_api_error"},
    ),
    "of another endpoint": (400, {"message": "unsupported relay mode: 34", "type": "comet_api_error"}),
}


@pytest.mark.parametrize("name", GONE)
def test_a_refused_model_is_explained(tmp_path: Path, name: str) -> None:
    """The gateway says that it does not offer it: nothing was bought, and the error names the nearest one that it
    offers."""
    status, said = GONE[name]
    with UglyServer([answer(status, {"error": said})]) as server:
        env = {"COMETAPI_BASE_URL": server.url, "COMETAPI_KEY": "sk-test-key-123"}
        made = Engine(tmp_path / "home", tmp_path / "output", env=env)
        spec = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="4", size="1280x720")
        with pytest.raises(RequestRejectedError) as caught:
            made.start_create(spec).result(10)
        error = caught.value
        assert (error.kind, error.charge, error.transient) == ("model_gone", "none", False)
        assert made.ledger.job(error.job).state is JobState.REFUSED
        assert "seedance-2-5, 4 s, 1280x720" in str(caught.value)
        retired = VideoRequest(
            provider="cometapi", prompt="x", model="doubao-seedance-1-5-pro", seconds="5", size="1280x720"
        )
        with failing(InvalidInputError, "model_retired", retired.model):
            made.start_create(retired).result(10)
        assert server.count("POST") == 1
        made.close()


# -- what the ledger saw ----------------------------------------------------------------------------------------------


def bought(
    engine: Engine,
    model: str,
    video: RemoteVideo | RequestRejectedError,
    *,
    provider: str = "cometapi",
    origin: str = "",
) -> Job:
    """A purchase that came to that end."""
    at = load_provider(engine.settings.read(), provider).origin
    spec = VideoRequest(provider=provider, prompt=f"{time.time()}", model=model, seconds="5", size="1280x720")
    job, _ = engine.ledger.reserve(spec, origin=origin or at, estimated_usd=0.0, budget=Budget())
    if isinstance(video, RequestRejectedError):
        return engine.ledger.refused(job.id, video)
    return engine.ledger.submitted(job.id, video)


DONE = RemoteVideo(id="video_1", phase="done")
NOT_THERE = RequestRejectedError("no available channel", code="model_not_found")
TODAY = time.strftime("%Y-%m-%d", time.gmtime())


@pytest.mark.parametrize(
    ("model", "ends", "state"),
    [
        ("sora-2", [DONE], "live"),  # what the pack does not know
        ("doubao-seedance-1-5-pro", [DONE], "live"),  # what it takes for retired
        ("seedance-2-5", [NOT_THERE], "unknown"),
        ("seedance-2-5", [NOT_THERE, DONE], "live"),
        ("sora-2", [DONE, NOT_THERE], "unknown"),
    ],
)
def test_the_ledger_is_the_best_evidence(
    engine: tuple[Engine, UglyServer], model: str, ends: list[RemoteVideo | RequestRejectedError], state: str
) -> None:
    """What it saw complete lives here, with that date; what was refused as not available after that does not."""
    made, _ = engine
    for end in ends:
        bought(made, model, end)
        time.sleep(0.01)
    status = made.fresh_catalogue().models[model].status["cometapi"]
    assert (status.state, status.date, status.here) == (state, TODAY, True)
    spec = VideoRequest(provider="cometapi", prompt="x", model=model, seconds="5", size="1280x720")
    assert ("not known" in made.fresh_catalogue().warning(spec)) == (state == "unknown")
    if state == "live":
        made.fresh_catalogue().check_availability(model, "5", "1280x720", "cometapi")


@pytest.mark.parametrize(
    ("end", "provider"),
    [
        (DONE, "sandbox"),
        (RequestRejectedError("no", code="invalid_value"), "cometapi"),
        (RemoteVideo(id="video_2", phase="running"), "cometapi"),
    ],
)
def test_what_proves_nothing(
    engine: tuple[Engine, UglyServer], end: RemoteVideo | RequestRejectedError, provider: str
) -> None:
    """The sandbox's films, a wrong form, and a job that is not done."""
    made, _ = engine
    bought(made, "sora-2", end, provider=provider)
    assert made.fresh_catalogue().models["sora-2"] == Catalogue.shipped().models["sora-2"]


@pytest.mark.parametrize(
    ("end", "state", "says"),
    [
        (DONE, "live", "typed-1 is in no list: live here at cometapi"),
        (NOT_THERE, "unknown", "typed-1 is in no list: refused here at cometapi"),
    ],
)
def test_a_model_that_was_typed_is_told_by_what_was_seen_of_it(
    engine: tuple[Engine, UglyServer], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    end: RemoteVideo | RequestRejectedError, state: str, says: str,
) -> None:  # fmt: skip
    """It has no row, and so nothing that it is asked for is checked."""
    made, server = engine
    bought(made, "typed-1", end)
    catalogue = made.fresh_catalogue()
    assert catalogue.unlisted == {("cometapi", "typed-1"): Status(state, TODAY, here=True)}
    assert catalogue.find("typed-1") is None
    monkeypatch.setenv("COMETAPI_BASE_URL", server.url)
    assert main(["models", "--home", str(made.settings.home)]) == 0
    assert f"{says}, {TODAY}" in capsys.readouterr().out


def test_what_was_seen_here_goes_before_a_list(engine: tuple[Engine, UglyServer]) -> None:
    """Also where the list does not have it any more."""
    made, _ = engine
    bought(made, "wan2.7", DONE)
    assert "wan2.7" in made.refresh_models().gone
    assert made.fresh_catalogue().models["wan2.7"].status["cometapi"] == Status("live", TODAY, here=True)


def test_an_empty_ledger_asks_for_no_provider(tmp_path: Path) -> None:
    """A mistake in providers.toml is not met by somebody who only reads the catalogue."""

    class Unused(ClientPool):
        def names(self) -> list[str]:
            raise AssertionError("the providers were loaded")

    assert seen_here(dict, Unused(Settings(home=tmp_path, output=tmp_path, env={}), LocalSandbox(tmp_path, {}))) == {}


def test_a_ledger_that_cannot_be_read_leaves_the_catalogue(engine: tuple[Engine, UglyServer]) -> None:
    """Whoever needs the ledger is told."""
    made, _ = engine
    made.settings.home.mkdir(parents=True)
    (made.settings.home / "ledger.sqlite3").write_bytes(b"no database" * 99)
    assert made.fresh_catalogue().models == Catalogue.shipped().models


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, {"message": "no", "code": "model_not_found"}),
        (503, {"message": "No available channel for model seedance-2-5 under group default", "type": "new_api_error"}),
        (400, {"message": "Model seedance-2-5 has not been priced by the administrator yet", "code": ""}),
        (400, {"message": "unsupported relay mode", "code": "invalid_request"}),
        (400, {"message": "no price", "code": "model_price_error"}),
    ],
)
def test_each_way_to_say_that_a_model_is_not_there_marks_it(
    engine: tuple[Engine, UglyServer], status: int, error: dict[str, str]
) -> None:
    """As gateways say it to a create (docs/gateway.md, quirk 5)."""
    made, server = engine
    server.answers[:] = [answer(status, {"error": error})]
    spec = VideoRequest(provider="cometapi", prompt="x", model="seedance-2-5", seconds="5", size="1280x720")
    with pytest.raises(RequestRejectedError):
        made.start_create(spec).result(30)
    later = Engine(made.settings.home, made.settings.output, env={"COMETAPI_BASE_URL": server.url})
    assert later.fresh_catalogue().models["seedance-2-5"].status["cometapi"] == Status("unknown", TODAY, here=True)
    assert "it was refused here" in later.fresh_catalogue().warning(spec)
    later.close()


def test_a_late_look_proves_nothing_of_its_day(engine: tuple[Engine, UglyServer]) -> None:
    """A job that was taken before its model was retired, and is found complete after it: the model stays retired."""
    made, server = engine
    job = bought(made, "doubao-seedance-1-5-pro", DONE)
    with made.ledger.database.write() as connection:
        update(connection, job.id, submitted_at=datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp())
    status = made.fresh_catalogue().models["doubao-seedance-1-5-pro"].status["cometapi"]
    assert status == Status("retired", "2026-09-21")
    with failing(InvalidInputError, "model_retired", job.model):
        made.start_create(
            VideoRequest(provider="cometapi", prompt="x", model=job.model, seconds="5", size="1280x720")
        ).result(30)
    assert server.count("POST") == 0


def test_what_another_address_served_proves_nothing(engine: tuple[Engine, UglyServer]) -> None:
    """Of the provider's present one: the name stays when its base URL changes."""
    made, _ = engine
    bought(made, "sora-2", DONE, origin="https://elsewhere.example")
    assert made.fresh_catalogue().models["sora-2"].status["cometapi"].here is False


def test_a_row_takes_away_nothing_that_was_seen(engine: tuple[Engine, UglyServer]) -> None:
    """A list of today against a job of last week, newer than what the pack knows."""
    made, _ = engine
    job = bought(made, "sora-2", DONE)
    with made.ledger.database.write() as connection:
        update(connection, job.id, submitted_at=datetime(2026, 11, 28, tzinfo=UTC).timestamp())
    made.refresh_models()
    assert made.fresh_catalogue().models["sora-2"].status["cometapi"] == Status("live", "2026-11-28", here=True)


def test_no_event_loop_waits_for_the_ledger(engine: tuple[Engine, UglyServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """`catalogue` is what ComfyUI's loop reads: by what the ledger was last asked for."""
    made, _ = engine
    bought(made, "sora-2", DONE)
    monkeypatch.setattr(made.ledger.queries, "seen_models", lambda: pytest.fail("the ledger was asked"))
    assert made.catalogue.models["sora-2"].state("cometapi") == "unknown"
    monkeypatch.undo()
    made.fresh_catalogue()
    assert made.catalogue.models["sora-2"].state("cometapi") == "live"
