"""Bad input is refused by the nodes before anything is sent; an interrupt is no error and costs no job."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from ..failures import failing
from .conftest import Bench


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"prompt": " \n"}, "empty_prompt", ""),
        ({"seconds": "5"}, "seconds_not_offered", "4, 8, 12"),
        ({"size": "640x480"}, "size_not_offered", "1280x720, 720x1280"),
        ({"model": "sora-3"}, "unknown_model", "'sora-2'"),
        ({"extra_fields": "[1]"}, "invalid_extra_fields", "list"),
        ({"extra_fields": "{"}, "invalid_extra_fields", ""),
        ({"extra_fields": '{"negativ_prompt": "fog"}'}, "field_refused", "'negative_prompt'"),
        ({"extra_fields": '{"lora": "evil/repo"}'}, "field_refused", "'lora' may not be sent to sandbox"),
        ({"extra_fields": '{"seed": "abc"}'}, "field_refused", "a whole number"),
        ({"project": "x" * 101}, "project_too_long", "101 characters; 100"),
        ({"project": "a\nb"}, "project_not_one_line", ""),
        ({"provider": "cometapi"}, "missing_key", "COMETAPI_KEY"),
        ({"images": (2, 0.5)}, "several_images", "2 images"),
        ({"images": (1, np.nan)}, "not_finite", ""),
        ({"images": (1, 0.5), "model": "wan2.6", "seconds": "5", "size": "1920x1080"}, "references_not_offered", "no"),
    ],
)
def test_a_wrong_request_is_refused(bench: Bench, change: dict[str, Any], code: str, name: str) -> None:
    """With a typed error that says what is wrong and that nothing was spent."""
    given = {"prompt": "a boat"} | change
    if images := given.pop("images", None):
        given["reference"] = bench.image(np.full((images[0], 8, 8, 3), images[1], np.float32))
    with failing(bench.pack.error("SoraError"), code, name, "Nothing was spent", charge="none"):
        asyncio.run(bench.create(**given))
    assert bench.sandbox_jobs() == []


def test_an_omitted_provider_is_cometapi(bench: Bench) -> None:
    """Also while a new node would name the sandbox: a prompt in API form means what it always meant."""
    words = {"prompt": "a boat", "model": "sora-2", "seconds": "4", "size": "1280x720"}
    with failing(bench.pack.error("MissingKeyError"), "missing_key", "COMETAPI_KEY"):
        asyncio.run(bench.pack.run("CreateSoraJob", "1", **words))
    assert bench.sandbox_jobs() == []


def test_a_last_image_needs_a_first(bench: Bench) -> None:
    """The two are told apart by their order, so the second cannot come alone."""
    image = bench.image(np.zeros((1, 8, 8, 3), np.float32))
    with failing(bench.pack.error("InvalidInputError"), "no_first_reference"):
        asyncio.run(bench.create("a boat", last_reference=image))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"seconds": "5"}, "Its lengths in seconds: 4, 8, 12"),
        ({"size": "640x480"}, "Its sizes: 1280x720"),
        ({"model": "sora-3"}, "Did you mean"),
        ({"provider": "nobody"}, "cometapi, sandbox"),
        ({"model": None, "seconds": None}, None),  # linked: known when the node runs
        ({"custom_model": "mine", "seconds": "5"}, None),
    ],
)
def test_a_workflow_of_another_catalogue_reaches_our_own_check(
    bench: Bench, change: dict[str, Any], says: str | None
) -> None:
    """The host's own check of options is off for the inputs that the node names, and ours lists what is allowed."""
    node = bench.pack.nodes["CreateSoraJob"]
    assert set(inspect.signature(node.validate_inputs).parameters) >= {"model", "seconds", "size", "provider"}
    chosen = {"model": "sora-2", "seconds": "4", "size": "1280x720", "provider": "sandbox"} | change
    answer = node.validate_inputs(**chosen)
    assert answer is True if says is None else says in answer


@pytest.mark.parametrize("left", ["retired", "gone", "made otherwise"])
def test_what_was_bought_passes_whatever_became_of_its_model(
    bench: Bench, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is asked first, with the prompt or without one that comes through a link. What was not bought is
    refused before the run and in it."""
    node, catalogue_module = bench.pack.nodes["CreateSoraJob"], bench.pack.module("sora_jobs.models.catalogue")
    asked = {"model": "omni-fast", "seconds": "4", "size": "1280x720", "provider": "sandbox"}
    bought = asyncio.run(bench.create(" a boat ", **asked))
    (row,) = [model for model in catalogue_module.Catalogue.shipped().models.values() if model.id == "omni-fast"]
    status = {"sandbox": bench.pack.module("sora_jobs.models.model").Status("retired", "2026-12-01")}
    rows = {
        "retired": [dataclasses.replace(row, status=status)],
        "gone": [],
        "made otherwise": [dataclasses.replace(row, seconds=("9",), more=())],
    }
    monkeypatch.setattr(catalogue_module.Catalogue, "shipped", lambda: catalogue_module.Catalogue(rows[left]))
    (bench.engine.settings.home / "models.json").write_text("{}", encoding="utf-8")  # so that it is read anew
    for prompt in ("a boat", " a boat ", None):
        assert node.validate_inputs(**asked, prompt=prompt) is True
    assert asyncio.run(bench.create("a boat", **asked)).args[0].id == bought.args[0].id
    for other in ({"prompt": "another boat"}, {"seconds": "5"}):
        assert node.validate_inputs(**{"prompt": "a boat", **asked, **other}) is not True
    codes = {"retired": "model_retired", "gone": "unknown_model", "made otherwise": "seconds_not_offered"}
    with failing(bench.pack.error("InvalidInputError"), codes[left]):
        asyncio.run(bench.create("a boat", **asked, take=2))


def test_the_check_before_a_run_says_what_the_run_would_say(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words, in the same order of checks and in the user's language: that a model is gone comes before its
    lengths."""
    chosen = {"model": "doubao-seedance-1-5-pro", "seconds": "77", "size": "1280x720", "provider": "cometapi"}
    for tongue in ("en", "zh"):
        monkeypatch.setenv("SORA_LANGUAGE", tongue)
        with failing(bench.pack.error("InvalidInputError"), "model_retired", "doubao-seedance-1-5-pro") as caught:
            asyncio.run(bench.create("a boat", **chosen))
        assert bench.pack.nodes["CreateSoraJob"].validate_inputs(**chosen) == str(caught.value)
        fit = bench.pack.nodes["SoraFitReference"].validate_inputs(size="5")
        assert ("尺寸" in fit or "请求" in fit) == (tongue == "zh")
        nobody = {"provider": "nobody"}
        told = bench.pack.nodes["CreateSoraJob"].validate_inputs(model=None, seconds=None, size=None, **nobody)
        assert bench.pack.nodes["SoraOpenJob"].validate_inputs(**nobody) == told
        with failing(bench.pack.error("InvalidInputError"), "unknown_provider", "'nobody'") as caught:
            asyncio.run(bench.create("a boat", **nobody))
        assert str(caught.value) == told


def test_a_node_speaks_the_servers_language_and_the_page_its_own(bench: Bench) -> None:
    """The page is told what it makes its words of, and English; a `language` that an earlier page had kept is the
    server's."""
    bench.home.mkdir(exist_ok=True)
    (bench.home / "page.json").write_text('{"language": "vi"}', encoding="utf-8")
    bought = asyncio.run(bench.create("a boat [sandbox: fail=moderation_blocked]"))
    with pytest.raises(bench.pack.error("JobFailedError")) as caught:
        asyncio.run(bench.wait(bought.args[0]))
    assert str(caught.value).startswith("Cổng đã nhận công việc")
    (row,) = bench.engine.history.page()["jobs"]
    assert "stopped it before there was a video" in row["error"]
    assert (row["failure"]["kind"], row["failure"]["values"]["job"]) == ("moderation_job", row["id"])


def test_a_past_job_that_no_list_holds_is_no_wrong_choice(bench: Bench) -> None:
    """The list lives on the page; only the provider can be checked before the run."""
    check = bench.pack.nodes["SoraOpenJob"].validate_inputs
    assert check(past_job="anything", provider="sandbox") is True
    assert "cometapi, sandbox" in check(past_job="anything", provider="nobody")


def test_a_remix_of_an_unfinished_job_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get there, and buys nothing."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "60")
    job = asyncio.run(bench.create("a red kite")).args[0]
    with failing(bench.pack.error("InvalidInputError"), "job_not_finished", job.id):
        asyncio.run(bench.pack.run("Remix", job=job, prompt="at night", take=1))
    assert len(bench.sandbox_jobs()) == 1


def test_nothing_chosen_is_nothing_opened(bench: Bench) -> None:
    """SoraOpenJob as it is dropped on the canvas."""
    with failing(bench.pack.error("InvalidInputError"), "no_job"):
        asyncio.run(bench.pack.run("SoraOpenJob", provider="sandbox"))


def test_an_interrupt_ends_the_waiting_and_keeps_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the host's own exception, which it shows as interrupted; the next run takes the same job up."""
    from comfy.model_management import InterruptProcessingException, interrupt_current_processing

    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "60")

    async def interrupted() -> Any:
        job = (await bench.create("a red kite")).args[0]
        waiting = asyncio.create_task(bench.wait(job))
        await asyncio.sleep(0.3)
        interrupt_current_processing()
        with pytest.raises(InterruptProcessingException):
            await asyncio.wait_for(waiting, 5)
        return job

    job = asyncio.run(interrupted())
    assert bench.engine.ledger.job(job.id).state.value == "submitted"
    assert asyncio.run(bench.create("a red kite")).args[0].id == job.id
    assert len(bench.sandbox_jobs()) == 1


def test_a_timeout_names_the_way_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node fails, the job goes on."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "60")
    job = asyncio.run(bench.create("a red kite")).args[0]
    with failing(bench.pack.error("WaitTimeoutError"), "wait_timeout", job.id) as caught:
        asyncio.run(bench.wait(job, timeout_minutes=0.005))
    assert "run the same again" in caught.value.hint
    assert bench.engine.ledger.job(job.id).video_id == job.video_id


def test_a_typing_error_in_the_settings_breaks_no_node(bench: Bench) -> None:
    """Else the host would show none of them. Running one names the file, and nothing is bought."""
    bench.home.mkdir()
    (bench.home / "settings.toml").write_text("rescue = flase", encoding="utf-8")
    for node in bench.pack.nodes.values():
        assert node.GET_SCHEMA().inputs
    assert bench.pack.nodes["CreateSoraJob"].validate_inputs(model="sora-2", seconds="4", size="1280x720") is True
    unreadable = (bench.home / "settings.toml", "Nothing was spent")
    with failing(bench.pack.error("InvalidInputError"), "settings_unreadable", *unreadable, charge="none"):
        asyncio.run(bench.create("a boat"))
    assert bench.sandbox_jobs() == []
