"""What the sandbox sends as each family, word for word as its source or its pages say, and our whole road over each."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sora_jobs.cli.main import main
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, JobFailedError, PurchaseUncertainError, RequestRejectedError, SoraError
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.sandbox import Sandbox
from sora_jobs.sandbox.families import FAMILIES, find_family

from ..failures import failing
from ..systems import share_folder
from ..timings import FAST
from .test_sandbox_setup import SMALL, TAKES_S, Gateway, films, gateways

__all__ = ["films", "gateways"]  # pytest finds fixtures by their names in the module

FAIL = "a paper boat [sandbox: fail=broken]"
SAID = "The sandbox was asked to fail this job (broken)."
NOT_READY = {
    "openai": (404, {"error": {
        "message": "Video is not ready yet, use GET /v1/videos/{id} to check its status.",
        "type": "invalid_request_error", "param": None, "code": "not_ready"}}),
    "new-api": (400, {"error": {
        "message": "Task is not completed yet, current status: IN_PROGRESS", "type": "invalid_request_error"}}),
    "sglang": (404, {"detail": "Generation is still in-progress"}),
    "vllm-omni": (404, {"error": {
        "message": "Generation is still in-progress", "type": "Not Found", "param": None, "code": 404}}),
}  # fmt: skip


@pytest.fixture
def speaking(gateways: Callable[..., Gateway]) -> Callable[[str], Gateway]:
    return lambda family: gateways(dialect=family)


def states(gateway: Gateway, video_id: str) -> list[tuple[str, Any]]:
    """(status, progress) when it is new, halfway, and at its end."""
    found = []
    for after in (0, TAKES_S / 2, TAKES_S / 2):
        gateway.clock.now += after
        found.append((gateway.look(quoted(video_id))["status"], gateway.look(quoted(video_id))["progress"]))
    return found


def quoted(video_id: str) -> str:
    return requests.utils.quote(video_id, safe="")


# -- what each sends --------------------------------------------------------------------------------------------------


def test_new_api(speaking: Callable[[str], Gateway]) -> None:
    """A task of its own id under two names, nothing of what was asked; the film's address in `metadata`."""
    gateway = speaking("new-api")
    created = gateway.create().json()
    assert re.fullmatch(r"task_[0-9a-z]{32}", created["id"])
    assert created == {
        "id": created["id"], "task_id": created["id"], "object": "video", "model": "seedance-2-5",
        "status": "queued", "progress": 0, "created_at": int(gateway.clock.now),
    }  # fmt: skip
    start = gateway.clock.now
    assert states(gateway, created["id"]) == [("queued", 0), ("in_progress", 50), ("completed", 100)]
    done = gateway.look(created["id"])
    assert (done["completed_at"], set(done) - set(created)) == (int(start + TAKES_S), {"completed_at", "metadata"})
    assert done["metadata"]["url"].startswith("http://127.0.0.1:")
    film = gateway.content(created["id"], headers={"Range": "bytes=4-7"}, params={"variant": "thumbnail"})
    assert (film.status_code, film.content[4:8], "Accept-Ranges" in film.headers) == (200, b"ftyp", False)
    failed = gateway.look(gateway.finished(prompt=FAIL))
    assert (failed["status"], failed["progress"]) == ("failed", 100)
    assert failed["error"] == {"message": SAID, "code": ""}


def test_new_apis_errors(speaking: Callable[[str], Gateway]) -> None:
    """Flat where it speaks itself, its upstream's as text, nested where no channel was chosen."""
    gateway = speaking("new-api")
    assert gateway.create(prompt="").json()["code"] == "invalid_request"
    broke = gateway.create(prompt="x [sandbox: refuse=quota]")
    assert (broke.status_code, broke.json()["code"], broke.json()["data"]) == (403, "insufficient_user_quota", None)
    blocked = gateway.create(prompt="x [sandbox: refuse=moderation]")
    assert (blocked.status_code, blocked.json()["code"]) == (400, "fail_to_fetch_task")
    assert "blocked by our moderation system" in json.loads(blocked.json()["message"])["error"]["message"]
    gone = gateway.create(model="nope")
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "model_not_found")
    assert gone.json()["error"]["type"] == "new_api_error"
    assert "(request id: " in gone.json()["error"]["message"]
    unknown = gateway.get("/v1/videos/task_1")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "task_not_exist")
    assert gateway.content("task_1").json()["error"]["message"] == "Task not found"
    lapsed = gateway.content(gateway.finished("expired"))
    assert (lapsed.status_code, lapsed.json()) == (
        502, {"error": {"message": "Failed to fetch video content", "type": "server_error"}})  # fmt: skip
    listed = gateway.get("/v1/videos")
    assert (listed.status_code, listed.json()["error"]["message"]) == (404, "Invalid URL (GET /v1/videos)")
    assert gateway.call("DELETE", "/v1/videos/task_1").status_code == 404
    assert {"X-Oneapi-Request-Id", "Retry-After"} & set(gateway.create(prompt="x [sandbox: 429=1]").headers) == {
        "X-Oneapi-Request-Id"
    }


def test_litellm(speaking: Callable[[str], Gateway]) -> None:
    """Long ids that need quoting, another one at create than later; nothing that LiteLLM's own type does not have."""
    gateway = speaking("litellm")
    created = gateway.create().json()
    assert len(created["id"]) > 200
    assert {"=", "/", "+"} <= set(created["id"])
    said = base64.b64decode(created["id"].removeprefix("video_")).decode()
    assert re.match(r"litellm:custom_llm_provider:openai;model_id:.*;video_id:video_\w{32};deployment_id:\w{64}", said)
    assert set(created) == {
        "id", "object", "status", "created_at", "completed_at", "expires_at", "error", "progress",
        "remixed_from_video_id", "seconds", "size", "model", "usage",
    }  # fmt: skip
    assert (created["usage"], created["error"]) == ({"duration_seconds": 4.0}, None)
    assert states(gateway, created["id"]) == [("queued", 0), ("in_progress", 50), ("completed", 100)]
    done = gateway.look(quoted(created["id"]))
    assert done["id"] != created["id"]
    assert gateway.look(quoted(done["id"])) == done
    for asked in (created["id"], done["id"]):
        film = gateway.content(quoted(asked), headers={"Range": "bytes=4-7"}, params={"variant": "thumbnail"})
        assert (film.status_code, film.content[4:8]) == (200, b"ftyp")


def test_litellms_errors(speaking: Callable[[str], Gateway]) -> None:
    """The status as text, the upstream's own error as JSON within words."""
    gateway = speaking("litellm")
    blocked = gateway.create(prompt="x [sandbox: refuse=moderation]")
    error = blocked.json()["error"]
    assert (blocked.status_code, error["code"], error["type"]) == (400, "400", "invalid_request_error")
    message = error["message"]
    assert message.startswith('litellm.BadRequestError: OpenAIException - {"error": {')
    assert message.endswith("failed with the error above. No fallback was attempted.")
    limited = gateway.create(prompt="x [sandbox: refuse=rate_limit]")
    assert (limited.status_code, limited.json()["error"]["type"]) == (429, "throttling_error")
    assert limited.headers["llm_provider-retry-after"] == "1"
    broke = gateway.create(prompt="x [sandbox: refuse=quota]").json()["error"]
    assert (broke["type"], broke["message"].split(" - ")[0]) == (
        "permission_error", "litellm.BadRequestError: OpenAIException")  # fmt: skip
    strange = gateway.create(prompt="x [sandbox: refuse=key]")
    assert (strange.status_code, strange.json()["error"]["type"]) == (401, "authentication_error")
    assert "missing_required_parameter" in gateway.create(prompt="").json()["error"]["message"]  # found upstream
    unknown = gateway.create(model="nope")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "400")
    message = unknown.json()["error"]["message"]
    assert message.startswith("/videos: Invalid model name passed in model=nope.")
    assert unknown.json()["error"]["provider_specific_fields"] == {"error": message}
    assert "LLM Provider NOT provided" in gateway.get("/v1/videos").json()["error"]["message"]
    gone = gateway.call("DELETE", "/v1/videos/video_1")
    assert (gone.status_code, gone.json()) == (405, {"detail": "Method Not Allowed"})


def test_sglang(speaking: Callable[[str], Gateway]) -> None:
    """UUIDs, a place on the server's own disk, no progress; `variant` is the number of a film; no key is asked for."""
    gateway = speaking("sglang")
    gateway.session.headers.pop("Authorization")
    created = gateway.create(model="Wan-AI/any", size="854x480").json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created["id"])
    assert (created["model"], created["url"], created["urls"]) == ("Wan-AI/any", None, None)
    assert created["file_path"].endswith(f"{created['id']}.mp4")
    assert "prompt" not in created
    video_id = gateway.create().json()["id"]
    assert states(gateway, video_id) == [("queued", 0), ("in_progress", 0), ("completed", 100)]
    assert (gateway.look(video_id)["url"], gateway.look(video_id)["urls"]) == (None, [None])
    assert gateway.content(video_id).content[4:8] == b"ftyp"
    named = gateway.content(video_id, params={"variant": "video"})
    assert (named.status_code, named.json()) == (404, {"detail": "Video variant video not found"})
    failed = gateway.look(gateway.finished(prompt=FAIL))
    assert (failed["status"], failed["error"]) == ("failed", {"message": SAID})
    listed = gateway.get("/v1/videos").json()
    assert (set(listed), len(listed["data"])) == ({"data", "object"}, 3)
    assert gateway.call("DELETE", f"/v1/videos/{video_id}").json()["status"] == "deleted"
    assert gateway.get(f"/v1/videos/{video_id}").json() == {"detail": "Video not found"}


def test_sglangs_errors(speaking: Callable[[str], Gateway]) -> None:
    """`detail` as a text or a list, `error` as a text."""
    gateway = speaking("sglang")
    no_prompt = gateway.create(prompt="")
    assert (no_prompt.status_code, no_prompt.json()) == (400, {"detail": "prompt is required"})
    no_number = gateway.create(seconds="x")
    assert (no_number.status_code, no_number.json()["detail"][0]["loc"]) == (422, ["body", "seconds"])
    assert gateway.create(prompt="x [sandbox: refuse=server_error]").json() == {"error": "The server had an error."}
    remix = gateway.call("POST", f"/v1/videos/{gateway.finished()}/remix", json={"prompt": "x"})
    assert (remix.status_code, remix.json()) == (404, {"detail": "Not Found"})


def test_vllm_omni(speaking: Callable[[str], Gateway]) -> None:
    """A failed job is HTTP 500 with the whole object; a variant is ignored, a part of the file is not."""
    gateway = speaking("vllm-omni")
    created = gateway.create().json()
    assert re.fullmatch(r"video_gen_[0-9a-f]{32}", created["id"])
    assert {"prompt": "a paper boat", "quality": "default", "media_type": "video/mp4"}.items() <= created.items()
    assert states(gateway, created["id"]) == [("queued", 0), ("in_progress", 0), ("completed", 100)]
    film = gateway.content(created["id"], headers={"Range": "bytes=4-7"}, params={"variant": "thumbnail"})
    assert (film.status_code, film.content) == (206, b"ftyp")
    failed_id = gateway.finished(prompt=FAIL)
    failed = gateway.get(f"/v1/videos/{failed_id}")
    assert (failed.status_code, failed.json()["status"], failed.json()["id"]) == (500, "failed", failed_id)
    assert failed.json()["error"] == {"code": 500, "message": SAID}
    assert gateway.content(failed_id).status_code == 422
    listed = gateway.get("/v1/videos").json()
    assert (set(listed), len(listed["data"])) == ({"first_id", "last_id", "has_more", "data", "object"}, 2)
    gone = gateway.call("DELETE", f"/v1/videos/{failed_id}").json()
    assert gone == {"id": failed_id, "deleted": True, "object": "video.deleted"}


def test_vllm_omnis_errors(speaking: Callable[[str], Gateway]) -> None:
    """The code is the status as a number."""
    gateway = speaking("vllm-omni")
    unknown = gateway.get("/v1/videos/video_gen_1")
    assert unknown.json() == {"error": {"message": "Video not found", "type": "Not Found", "param": None, "code": 404}}
    other = gateway.create(model="x")
    assert (other.status_code, other.json()["error"]["type"]) == (400, "Bad Request")
    assert other.json()["error"]["message"].startswith("Model mismatch: request specifies 'x' but server is running")
    keyless = gateway.get("/v1/videos", headers={"Authorization": None})
    assert (keyless.status_code, keyless.json()) == (401, {"error": "Unauthorized"})
    assert gateway.call("POST", "/v1/videos", json=SMALL).status_code == 400
    assert gateway.create(size="16:9").status_code == 400
    assert gateway.call("POST", "/v1/videos/x/remix", json={"prompt": "x"}).status_code == 404


def test_seedance(speaking: Callable[[str], Gateway]) -> None:
    """Words of its own; exact pixels, and no other way to ask for them; the film at an address in the object alone."""
    gateway = speaking("seedance")
    form = {"model": "doubao-seedance-2-0-fast", "size": "864x496"}
    assert gateway.create(**form | {"size": "16:9", "resolution": "480p"}, prompt=FAIL).status_code == 400
    created = gateway.create(**form, prompt=FAIL).json()
    assert created == {
        "id": created["id"], "task_id": created["id"], "object": "video", "model": "doubao-seedance-2-0-fast",
        "status": "SUBMITTED", "progress": 0, "created_at": int(gateway.clock.now),
    }  # fmt: skip
    (file,) = gateway.folder.rglob("video_*.json")
    assert json.loads(file.read_text(encoding="utf-8"))["width"] == 864
    gateway.clock.now += TAKES_S
    failed = gateway.look(created["id"])
    assert (failed["status"], failed["error"]["message"]) == ("FAILED", SAID)
    video_id = gateway.made()
    assert states(gateway, video_id) == [("SUBMITTED", 0), ("IN_PROGRESS", 50), ("SUCCESS", 100)]
    done = gateway.look(video_id)
    assert gateway.content(video_id).status_code == 404
    assert not done["video_url"].startswith(gateway.url)
    assert requests.get(done["video_url"], timeout=5).content[4:8] == b"ftyp"
    assert requests.get(done["video_url"], headers={"Authorization": "Bearer any"}, timeout=5).status_code == 403


def test_seedances_errors(speaking: Callable[[str], Gateway]) -> None:
    """CometAPI's envelope, with the request's number in the message."""
    gateway = speaking("seedance")
    refused = gateway.create(seconds="99")
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["code"]) == (400, "comet_api_error", "invalid_value")
    assert re.search(r"\(request id: req_\w+\)$", error["message"])
    unknown = gateway.get("/v1/videos/task_1")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "task_not_exist")
    assert gateway.get("/v1/videos").status_code == 405
    assert gateway.call("POST", "/v1/videos/task_1/remix", json={"prompt": "x"}).status_code == 404


@pytest.mark.parametrize("family", NOT_READY)
def test_content_before_the_end(speaking: Callable[[str], Gateway], family: str) -> None:
    """Each says in its own way that it is too early."""
    gateway = speaking(family)
    video_id = gateway.made()
    gateway.clock.now += TAKES_S / 2
    answer = gateway.content(video_id)
    assert (answer.status_code, answer.json()) == NOT_READY[family]


def test_openai_can_delete(speaking: Callable[[str], Gateway]) -> None:
    """And what was deleted is not there any more."""
    gateway = speaking("openai")
    video_id = gateway.made("fail=x")
    gone = gateway.call("DELETE", f"/v1/videos/{video_id}").json()
    assert gone == {"id": video_id, "deleted": True, "object": "video.deleted"}
    assert gateway.get(f"/v1/videos/{video_id}").status_code == 404


# -- choosing one -----------------------------------------------------------------------------------------------------


def test_an_unknown_family_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With those that there are: in the program, by the variable, and on the command line."""
    with failing(InvalidInputError, "unknown_option", "'esperanto'") as told:
        Sandbox(tmp_path, dialect="esperanto")
    assert told.value.hint == "It speaks: openai, new-api, litellm, sglang, vllm-omni, seedance."
    monkeypatch.setenv("SORA_SANDBOX_DIALECT", "esperanto")
    with failing(InvalidInputError, "unknown_option", "SORA_SANDBOX_DIALECT"):
        Sandbox(tmp_path)
    assert main(["sandbox", "--home", str(tmp_path)]) == 2
    assert "SORA_SANDBOX_DIALECT" in capsys.readouterr().err
    assert main(["run", "x", "--provider", "sandbox", "--home", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "vllm-omni" in capsys.readouterr().err


def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a family is named."""
    assert find_family().name == "openai"
    monkeypatch.setenv("SORA_SANDBOX_DIALECT", " sglang ")
    assert (find_family().name, find_family("litellm").name) == ("sglang", "litellm")


# -- our whole road over each -----------------------------------------------------------------------------------------

SPEC = VideoRequest(provider="sandbox", prompt="a paper boat", model="seedance-2-5", seconds="4", size="854x480")


class Road:
    """An engine whose sandbox speaks as `family`."""

    def __init__(self, family: str, folder: Path) -> None:
        self.family = FAMILIES[family]
        self.env = {"SORA_SANDBOX_DIALECT": family, "SORA_POLL_SECONDS": "0.02", "SORA_BACKGROUND_DOWNLOADS": "0"}
        self.env["SORA_SANDBOX_SECONDS"] = "0.2"
        self.engine = Engine(folder / "home", folder / "output", env=self.env, timing=FAST)
        self.jobs = folder / "home" / "sandbox" / "jobs"

    def buy(self, directives: str = "", **change: Any) -> Job:
        prompt = f"{SPEC.prompt} [sandbox: {directives}]" if directives else SPEC.prompt
        job: Job = self.engine.start_create(dataclasses.replace(SPEC, prompt=prompt, **change)).result(30).job
        return job

    def wait(self, job: Job) -> Job:
        done: Job = self.engine.start_wait(job.id, timeout=20).future.result(30)
        return done

    def bought(self) -> int:
        return len(list(self.jobs.glob("*.json")))

    def only_id(self) -> str:
        """The id under which its users know the one job that was bought."""
        (file,) = self.jobs.glob("*.json")
        return self.family.shown_id(self._stored(file.stem))

    def _stored(self, job_id: str) -> Any:
        from sora_jobs.sandbox.store import Store

        return Store(self.jobs.parent).load(job_id)


@pytest.fixture(params=list(FAMILIES))
def road(request: pytest.FixtureRequest, tmp_path: Path, films: Path) -> Iterator[Road]:
    (tmp_path / "home" / "sandbox").mkdir(parents=True)
    share_folder(tmp_path / "home" / "sandbox" / "renders", films)  # what is the same is rendered once
    made = Road(request.param, tmp_path)
    yield made
    made.engine.close()


def test_create_wait_and_file(road: Road) -> None:
    """The film is on disk, whole; the same again is not bought twice."""
    done = road.wait(road.buy())
    assert (done.state.value, road.engine.path(done).read_bytes()[4:8]) == ("stored", b"ftyp")
    assert (road.buy().id, road.bought()) == (done.id, 1)


@pytest.mark.parametrize("directives", ["cut=1", "redirect", "word=dreaming", "wrapped", "html=1"])
def test_what_else_goes_wrong(road: Road, directives: str) -> None:
    """Directives misbehave in every family, and the film comes all the same."""
    done = road.wait(road.buy(directives))
    assert (done.state.value, road.bought()) == ("stored", 1)


def test_a_film_that_is_not_there_at_once(road: Road) -> None:
    """Finished, but not to be had yet: it is asked for again."""
    assert road.wait(road.buy("notready=2, bad_mp4=1")).state.value == "stored"


def test_a_failing_job(road: Road) -> None:
    """Its end is told in the gateway's words and at once, whatever status and envelope it comes in."""
    job = road.buy("fail=broken")
    with pytest.raises(JobFailedError) as failed:
        road.wait(job)
    assert "asked to fail this job (broken)" in failed.value.message
    assert road.engine.ledger.job(job.id).state.value == "failed"


@pytest.mark.parametrize(
    ("why", "kinds", "says"),
    [
        ("moderation", ("moderation_create",), "blocked by our moderation system"),
        ("quota", ("no_balance", "not_allowed"), "no balance left"),  # some have a status for it, and no code
    ],
)
def test_a_refused_create(road: Road, why: str, kinds: tuple[str, ...], says: str) -> None:
    """A no that was read as a no: nothing was bought, and it may be sent again."""
    with pytest.raises(RequestRejectedError) as refused:
        road.buy(f"refuse={why}")
    assert (refused.value.kind in kinds, says in refused.value.message) == (True, True)
    assert (refused.value.charge, road.bought()) == ("none", 0)
    (job,) = road.engine.ledger.jobs()
    assert job.state.value == "refused"


def test_a_busy_gateway(road: Road) -> None:
    """A 429 is sent again, and bought once."""
    job = road.buy("429=1")
    assert (job.state.value, road.bought()) == ("submitted", 1)


def test_a_remix(road: Road) -> None:
    """Where there is one, it is bought on top of its parent; elsewhere it is told before anything is sent."""
    parent = road.wait(road.buy("silent", model="sora-2", size="1280x720"))
    if not road.family.remix:
        with failing(InvalidInputError, "remix_unsupported", parent.provider):
            road.engine.start_remix(parent.id, "at night").result(30)
        assert road.bought() == 1
        return
    remix = road.engine.start_remix(parent.id, "at night [sandbox: fail=broken]").result(30).job
    with pytest.raises(JobFailedError):
        road.wait(remix)
    assert road.bought() == 2


def test_an_unknown_purchase(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in the list where that tells the prompt; elsewhere by its id. It is not bought again."""
    with pytest.raises(PurchaseUncertainError) as lost:
        road.buy("lost_answer")
    job = road.engine.ledger.job(lost.value.job)
    assert job.state.value == "unknown"
    if road.family.name in ("openai", "vllm-omni"):
        found = road.engine.reconcile(job.id)
    else:
        with pytest.raises(SoraError) as stays:
            road.engine.reconcile(job.id)
        assert stays.value.charge == "possible"
        found = road.engine.reconcile(job.id, video_id=road.only_id())
    assert (road.wait(found).state.value, road.bought()) == ("stored", 1)


def test_a_thumbnail(road: Road) -> None:
    """Of the gateway where it makes any, else of the stored film: asked for neither in vain nor under a false name."""
    done = road.wait(road.buy())
    assert road.engine.pictures.picture(done.id, "thumbnail").shape == (480, 854, 3)
