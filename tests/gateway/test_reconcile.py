"""A purchase that may have been made, and a gateway's list: never the wrong video, and never one of two of ours."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError, JobFailedError, PurchaseUncertainError, SoraError
from sora_jobs.jobs.remote_video import LONGEST_ID
from sora_jobs.jobs.spec import Job, Reference, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.purchasing.reconcile import _same_length, _same_model, _same_size

from ..failures import failing
from ..frozen.gateway import film
from .ugly import UglyServer, answer

SPEC = VideoRequest(provider="mine", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
LISTED = {"object": "video", "status": "completed", "prompt": "a boat", "model": "sora-2", "seconds": "4"}
LISTED |= {"size": "1280x720"}


class Bench:
    """A gateway with a list, and an engine whose creates it never answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[dict[str, Any]] = []
        self.states: Callable[[str], dict[str, Any]] = lambda video: {"id": video, "status": "completed"}
        self.refuses = False  # the key, of whoever asks
        self.server = UglyServer([self.reply])

    def __enter__(self) -> Bench:
        self.server.__enter__()
        self.engine = self.new_engine("home")
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self.server.__exit__()

    def new_engine(self, home: str) -> Engine:
        (self.folder / home).mkdir()
        table = f'base_url = "{self.server.url}"\nkey = false\nlist = true\nremix = true\n'
        text = f"[provider.mine]\n{table}[provider.other]\n{table}"
        (self.folder / home / "providers.toml").write_text(text, encoding="utf-8")
        return Engine(self.folder / home, self.folder / "output", env={"SORA_POLL_SECONDS": "0.01"})

    def reply(self, connection: socket.socket) -> None:
        request = self.server.requests[-1]
        if request.method == "POST":
            return  # hang up: the request arrived, and nothing came back
        name = request.path.removeprefix("/v1/videos/").split("/")[0]
        if self.refuses:
            connection.sendall(answer(401, {"error": {"message": "bad key", "code": "invalid_api_key"}}))
            return
        if "?limit" in request.path:
            connection.sendall(answer(200, {"object": "list", "data": self.listed}))
        elif request.path.endswith("/content"):
            connection.sendall(answer(200, film(name)))
        else:
            connection.sendall(answer(200, {"object": "video", **self.states(name)}))

    def unknown(self, **changes: Any) -> Job:
        """A purchase of which nobody knows whether it was made."""
        spec = dataclasses.replace(SPEC, typed="", **changes)
        with pytest.raises(PurchaseUncertainError) as caught:
            self.engine.start_create(spec).result(30)
        return self.engine.ledger.job(caught.value.job)

    def lists(self, name: str, **changes: Any) -> None:
        self.listed.append(LISTED | {"id": name, "created_at": int(time.time())} | changes)

    def find_in_provider_list(self, job: Job) -> Job:
        return self.engine.reconcile(job.id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        yield made


def test_the_one_that_fits_is_taken(bench: Bench) -> None:
    job = bench.unknown()
    bench.lists("video_1")
    found = bench.find_in_provider_list(job)
    assert (found.state, found.video_id) == (JobState.COMPLETED, "video_1")


@pytest.mark.parametrize(
    "told",
    [
        {"size": "720x1280"},
        {"size": "9:16"},
        {"model": "sora-2-pro"},
        {"seconds": "8"},
        {"prompt": "a ship"},
        {"remixed_from_video_id": "video_0"},
        {"input_reference": "image.png"},
        {"input_references": ["a", "b"]},
        {"created_at": 1_000_000_000},
    ],
)
def test_a_list_that_shows_another_video_settles_nothing(bench: Bench, told: dict[str, Any]) -> None:
    """The same prompt was sent upright, say, and only that one was taken: the other one may be bought again once it is
    declared lost, and neither gets the other's video."""
    job = bench.unknown()
    bench.lists("video_1", **told)
    with pytest.raises(PurchaseUncertainError):
        bench.find_in_provider_list(job)
    assert bench.engine.ledger.job(job.id).state is JobState.UNKNOWN


@pytest.mark.parametrize(
    "told",
    [
        {"size": "16x9"},
        {"size": "16:9"},
        {"size": ""},
        {"size": "720p"},
        {"model": "sora-2-2025-12-08"},
        {"model": ""},
        {"seconds": ""},
        {"input_references": []},
        {"remixed_from_video_id": None},
        {"created_at": None},
    ],
)
def test_what_a_list_does_not_tell_speaks_against_nothing(bench: Bench, told: dict[str, Any]) -> None:
    """Some name a ratio, a version of the model, or nothing."""
    job = bench.unknown()
    bench.lists("video_1", **told)
    assert bench.find_in_provider_list(job).video_id == "video_1"


def test_a_remix_whose_length_is_unknown_fits_a_list_that_tells_it(bench: Bench) -> None:
    """Its parent was opened by its id, and the gateway told no length of it."""
    parent = bench.engine.open("video_0", "mine")
    with pytest.raises(PurchaseUncertainError) as caught:
        bench.engine.start_remix(parent.id, "at night").result(30)
    job = bench.engine.ledger.job(caught.value.job)
    assert job.seconds == ""
    bench.lists("video_1", prompt="at night", remixed_from_video_id="video_0", seconds="12")
    assert bench.find_in_provider_list(job).video_id == "video_1"


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("4", "4", True), ("4", "4.0", True), ("4", "4s", True), ("4", "", True), ("", "8", True), ("4", "8", False),
        ("4", "8 seconds", False), ("4", "auto", True),
    ],
)  # fmt: skip
def test_lengths_in_seconds(asked: str, told: str, same: bool) -> None:
    assert _same_length(asked, told) is same


def test_two_sizes_of_one_prompt_get_each_its_own(bench: Bench) -> None:
    """Both connections were lost, and both were taken."""
    wide, tall = bench.unknown(), bench.unknown(size="720x1280")
    bench.lists("video_wide")
    bench.lists("video_tall", size="720x1280")
    assert bench.find_in_provider_list(tall).video_id == "video_tall"
    assert bench.find_in_provider_list(wide).video_id == "video_wide"


@pytest.mark.parametrize("change", [{"take": 2}, {"extra_fields": {"seed": 7}}])
def test_of_two_that_may_be_it_none_is_chosen(bench: Bench, change: dict[str, Any]) -> None:
    """Two takes are the same for the gateway: a person says which, and the other one stays open."""
    first, second = bench.unknown(), bench.unknown(**change)
    bench.lists("video_1")
    for job, other in ((first, second), (second, first)):
        with pytest.raises(PurchaseUncertainError) as caught:
            bench.find_in_provider_list(job)
        assert other.id in caught.value.message
        assert "video_1" in caught.value.hint
    assert {bench.engine.ledger.job(job.id).state for job in (first, second)} == {JobState.UNKNOWN}
    bench.engine.reconcile(second.id, lost=True)  # declared lost
    assert bench.find_in_provider_list(first).video_id == "video_1"


def test_what_another_process_sends_now_may_be_it(bench: Bench) -> None:
    """Its answer is not here yet."""
    job = bench.unknown()
    other = bench.new_engine("other")
    try:
        other.ledger.database.home = bench.engine.settings.home
        sent, mine = other.ledger.reserve(
            dataclasses.replace(SPEC, take=2),
            origin=bench.server.url,
            estimated_usd=None,
            budget=other.settings.read().budget,
        )
        assert mine
        other.ledger.sending(sent.id)
        bench.lists("video_1")
        with pytest.raises(PurchaseUncertainError) as caught:
            bench.find_in_provider_list(job)
        assert sent.id in caught.value.message
    finally:
        other.close()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"prompt": "a ship"}, ["'a ship'", "'a boat'"]),
        ({"size": "720x1280"}, ["720x1280", "1280x720"]),
        ({"model": "veo-3"}, ["veo-3", "sora-2"]),
        ({"seconds": "12"}, ["12 s", "4 s"]),
        ({"remixed_from_video_id": "video_0"}, ["video_0"]),
        ({"input_references": ["a", "b"]}, ["images is 2, not 0"]),
        ({"prompt": None, "size": "720x1280", "model": "veo-3", "seconds": "12"}, ["720x1280", "veo-3", "12 s"]),
    ],
)
def test_an_id_by_hand_of_another_video_is_refused_with_what_differs(
    bench: Bench, told: dict[str, Any], words: list[str]
) -> None:
    """Each of them is told: a wrong id settles nothing, and the purchase stays open."""
    job = bench.unknown()
    bench.states = lambda video: LISTED | {"id": video} | told
    with failing(InvalidInputError, "video_differs", "video_1", *words):
        bench.engine.reconcile(job.id, video_id="video_1")
    assert bench.engine.ledger.job(job.id).state is JobState.UNKNOWN


@pytest.mark.parametrize("told", [{}, {"size": "16:9", "model": "sora-2-2025-12-08", "created_at": 1_000_000_000}])
def test_an_id_by_hand_that_fits_is_taken(bench: Bench, told: dict[str, Any]) -> None:
    """A person knows more than the clock, and what the gateway does not tell speaks against nothing."""
    job = bench.unknown()
    bench.states = lambda video: {"id": video, "status": "completed"} if not told else LISTED | {"id": video} | told
    assert bench.engine.reconcile(job.id, video_id="video_1").state is JobState.COMPLETED


def test_a_long_id_by_hand_is_taken(bench: Bench) -> None:
    """As long as the wire takes it; a longer one is refused with both lengths before the gateway is asked."""
    job = bench.unknown()
    bench.states = lambda video: LISTED | {"id": video}
    name = "video_" + "a" * (LONGEST_ID - 6)
    asked = len(bench.server.requests)
    with failing(InvalidInputError, "video_id_too_long", LONGEST_ID + 1, f"{LONGEST_ID} is the most"):
        bench.engine.reconcile(job.id, video_id=name + "a")
    assert len(bench.server.requests) == asked
    assert bench.engine.reconcile(job.id, video_id=name).video_id == name


def test_an_alias_of_the_model_has_a_way_out(bench: Bench) -> None:
    """As the refusal says: the video is opened by its id, and the purchase is declared lost."""
    job = bench.unknown()
    bench.states = lambda video: LISTED | {"id": video, "model": "azure/my-deployment"}
    with failing(InvalidInputError, "video_differs", "azure/my-deployment") as caught:
        bench.engine.reconcile(job.id, video_id="video_1")
    assert "`sora resume video_1 --provider mine`" in caught.value.hint
    assert f"`sora resume {job.id} --lost`" in caught.value.hint
    assert bench.engine.open("video_1", "mine").state is JobState.COMPLETED
    assert bench.engine.reconcile(job.id, lost=True).state is JobState.LOST


def test_images_are_counted_where_the_list_counts_them(bench: Bench) -> None:
    pixels = np.zeros((720, 1280, 3), np.uint8)
    job = bench.unknown(references=(Reference(pixels),))
    bench.lists("video_1", input_references=[])
    with pytest.raises(PurchaseUncertainError):
        bench.find_in_provider_list(job)
    bench.lists("video_2", input_references=["first.png"])
    assert bench.find_in_provider_list(job).video_id == "video_2"


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("1280x720", "1280x720", True), ("1280x720", "1280*720", True), ("1280x720", "720x1280", False),
        ("854x480", "16x9", True), ("1280x720", "4:3", False), ("", "1280x720", True), ("1280x720", "hd", True),
        ("1280x720", "0x0", True),
    ],
)  # fmt: skip
def test_sizes_in_pixels_and_as_ratios(asked: str, told: str, same: bool) -> None:
    assert _same_size(asked, told) is same


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("sora-2", "SORA-2", True), ("sora-2", "sora-2-pro", False), ("sora-2-pro", "sora-2", False),
        ("doubao-seedance-2-0", "doubao-seedance-2-0-260128", True), ("sora-2", "", True), ("", "sora-2", True),
        ("wan2.6", "wan2.7", False),
    ],
)  # fmt: skip
def test_versions_of_a_model(asked: str, told: str, same: bool) -> None:
    assert _same_model(asked, told) is same


# -- jobs that were seen to fail --------------------------------------------------------------------------------------


def failed(bench: Bench) -> Job:
    """A job whose gateway says once that it failed."""
    bench.states = lambda video: {"id": video, "status": "failed", "error": {"code": "internal", "message": "oops"}}
    job = bench.engine.ledger.adopt("mine", bench.server.url, "video_1")
    with pytest.raises(JobFailedError):
        bench.engine.start_wait(job.id, timeout=10).future.result(30)
    return bench.engine.ledger.job(job.id)


@pytest.mark.parametrize("status", ["completed", "in_progress"])
def test_a_job_that_failed_is_asked_about_once_more(bench: Bench, status: str) -> None:
    """Opened again, it goes on as the gateway says now, and its video is fetched. Asking buys nothing."""
    job = failed(bench)
    bench.states = lambda video: {"id": video, "status": status}
    opened = bench.engine.open(job.id)
    assert opened.state is (JobState.COMPLETED if status == "completed" else JobState.SUBMITTED)
    assert (opened.error, opened.error_code) == ("", "")
    bench.states = lambda video: {"id": video, "status": "completed"}
    done = bench.engine.start_wait(job.id, timeout=10).future.result(30)
    assert (done.state, bench.engine.path(done).is_file()) == (JobState.STORED, True)
    assert bench.server.count("POST") == 0


def test_a_job_that_stays_failed_says_why(bench: Bench) -> None:
    """The gateway says so once more."""
    job = failed(bench)
    assert bench.engine.open(job.id) == bench.engine.ledger.job(job.id)
    assert bench.engine.ledger.job(job.id).error_code == "internal"


@pytest.mark.parametrize("how", ["no provider", "no key", "key refused"])
def test_a_failed_job_that_cannot_be_asked_about_tells_both_reasons(bench: Bench, how: str) -> None:
    """That of its failure, and why there is no newer answer, with what to do about that. It stays as it is."""
    job = failed(bench)
    table = {"no provider": "", "no key": f'[provider.mine]\nbase_url = "{bench.server.url}"\n'}
    if how in table:
        (bench.engine.settings.home / "providers.toml").write_text(table[how], encoding="utf-8")
    bench.refuses = how == "key refused"
    with pytest.raises(JobFailedError) as caught:
        bench.engine.open(job.id)
    cause = caught.value.__cause__
    assert isinstance(cause, SoraError)
    assert cause.kind == {"no provider": "wrong_choice", "no key": "no_key", "key refused": "bad_key"}[how]
    assert "oops" in caught.value.message
    assert cause.message in caught.value.message
    assert cause.hint in caught.value.hint
    assert (caught.value.job, caught.value.code, caught.value.charge) == (job.id, "internal", "possible")
    assert bench.engine.ledger.job(job.id) == job


@pytest.mark.parametrize(
    ("status", "expected"),
    [("failed", JobState.FAILED), ("completed", JobState.COMPLETED), ("in_progress", JobState.SUBMITTED)],
)
def test_a_person_who_asks_again_gets_the_answer(bench: Bench, status: str, expected: JobState) -> None:
    """Asking buys nothing."""
    job = failed(bench)
    bench.states = lambda video: {"id": video, "status": status}
    asked = bench.server.count("GET")
    assert bench.engine.ask_again(job.id).state is expected
    assert bench.server.count("GET") > asked
    assert bench.server.count("POST") == 0


@pytest.mark.parametrize(
    ("how", "error", "charge"), [("no provider", InvalidInputError, "none"), ("no answer", GatewayError, "possible")]
)
def test_a_person_who_asks_again_is_told_that_there_is_no_answer(
    bench: Bench, how: str, error: type[SoraError], charge: str
) -> None:
    """ "Still failed" would be said of a question that nobody answered."""
    job = failed(bench)
    if how == "no provider":
        (bench.engine.settings.home / "providers.toml").write_text("", encoding="utf-8")
    bench.states = lambda video: {"error": {"message": "try later"}}
    with pytest.raises(error) as said:
        bench.engine.ask_again(job.id)
    assert said.value.charge == charge
    assert bench.engine.ledger.job(job.id) == job


def test_running_the_same_again_asks_once_more_and_buys_nothing(tmp_path: Path) -> None:
    """The node, or `sora run`: what the gateway took back is used."""
    status = ["failed"]

    def reply(connection: socket.socket) -> None:
        request = server.requests[-1]
        if request.method == "POST":
            connection.sendall(answer(200, {"id": "video_1", "status": "queued"}))
        elif request.path.endswith("/content"):
            connection.sendall(answer(200, film("video_1")))
        elif status[0] == "no answer":
            connection.sendall(answer(401, {"error": {"message": "bad key", "code": "invalid_api_key"}}))
        else:
            connection.sendall(answer(200, {"id": "video_1", "object": "video", "status": status[0]}))

    with UglyServer([reply]) as server:
        env = {"COMETAPI_KEY": "sk-test-key-123", "COMETAPI_BASE_URL": server.url, "SORA_POLL_SECONDS": "0.01"}
        engine = Engine(tmp_path / "home", tmp_path / "output", env=env)
        try:
            spec = dataclasses.replace(SPEC, provider="cometapi")
            job = engine.start_create(spec).result(30).job
            with pytest.raises(JobFailedError):
                engine.start_wait(job.id, timeout=10).future.result(30)
            with pytest.raises(JobFailedError):
                engine.start_create(spec).result(30)
            status[0] = "no answer"
            with failing(JobFailedError, "", "could not be asked about it again"):
                engine.start_create(spec).result(30)
            status[0] = "completed"
            again = engine.start_create(spec).result(30)
            assert (again.job.id, again.job.state, again.reused) == (job.id, JobState.COMPLETED, True)
            assert engine.start_wait(job.id, timeout=10).future.result(30).state is JobState.STORED
            assert server.count("POST") == 1
        finally:
            engine.close()


# -- ids of several providers -----------------------------------------------------------------------------------------


def test_an_id_is_opened_at_the_provider_that_was_named(bench: Bench) -> None:
    """Small gateways count their videos: the same number is another video at another one."""
    other = bench.engine.ledger.adopt("other", bench.server.url, "video_1")
    assert bench.engine.open("video_1").id == other.id  # the only one there is
    opened = bench.engine.open("video_1", "mine")
    assert (opened.provider, opened.id == other.id) == ("mine", False)
    assert bench.engine.open("video_1", "mine").id == opened.id
    with pytest.raises(InvalidInputError) as caught:
        bench.engine.open("video_1")
    assert all(job.id in caught.value.hint for job in (opened, other))
    assert bench.engine.open(other.id, "mine").id == other.id  # an id of the ledger is that job's alone


def test_a_long_id_is_opened(bench: Bench) -> None:
    """As long as the wire takes it: LiteLLM puts the names of its provider and model into it."""
    name = "video_" + "a" * (LONGEST_ID - 6)
    assert bench.engine.open(name, "mine").video_id == name
    with failing(InvalidInputError, "unknown_video", name):
        bench.engine.open(name + "a", "mine")


def test_an_id_that_is_known_elsewhere_is_told(bench: Bench) -> None:
    """The wrong provider is chosen in the node."""
    other = bench.engine.ledger.adopt("other", "https://other.example.com", "video_elsewhere")
    bench.states = lambda video: {"error": {"code": "task_not_exist", "message": "no such task"}}
    with failing(InvalidInputError, "unknown_video", "video_elsewhere") as caught:
        bench.engine.open("video_elsewhere", "mine")
    assert other.id in caught.value.hint


def test_a_remix_belongs_to_the_video_of_its_own_gateway(bench: Bench) -> None:
    """In what the page shows beside a job."""
    ledger = bench.engine.ledger
    ours, other = ledger.adopt("mine", bench.server.url, "video_1"), ledger.adopt("mine", "https://old", "video_1")
    spec = VideoRequest(kind="remix", provider="mine", prompt="at night", parent="video_1")
    budget = bench.engine.settings.read().budget
    remix, _ = ledger.reserve(spec, origin=bench.server.url, estimated_usd=None, budget=budget)
    assert [child["id"] for child in bench.engine.history.tree(ours.id)["children"]] == [remix.id]
    assert bench.engine.history.tree(other.id)["children"] == []
    assert bench.engine.history.tree(remix.id)["parent"]["id"] == ours.id
    assert json.dumps(bench.engine.history.tree(ours.id))
