"""The sandbox's calls: what it answers, what it refuses, and that a job's state is a function of time."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from sora_jobs.errors import InvalidInputError
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.sandbox import Sandbox, store
from sora_jobs.sandbox.store import LINK_LASTS_S

from ..failures import failing
from .test_sandbox_setup import SMALL, TAKES_S, Gateway, films, gateway, gateways, picture, png, reference

__all__ = ["films", "gateway", "gateways"]  # pytest finds fixtures by their names in the module

REMIXABLE = {"model": "sora-2", "size": "1280x720"}
FIRST_ANSWER = {"created_at", "id", "model", "object", "progress", "seconds", "size", "status"}
IMAGE = png(picture(854, 480))


def refused(answer: requests.Response, status: int) -> dict[str, Any]:
    """The `error` of an answer with that status, in OpenAI's envelope."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    return dict(error)


# -- create -----------------------------------------------------------------------------------------------------------


def test_the_first_answer_is_that_of_the_gateways_page(gateway: Gateway) -> None:
    """Eight fields and no more; `seconds` is a string, the job is queued."""
    video = gateway.create(model="sora-2", size="1280x720", prompt="x [sandbox: fail=x]").json()
    assert set(video) == FIRST_ANSWER
    assert video["id"].startswith("video_")
    assert video | {"id": ""} == {
        "created_at": 1773296991, "id": "", "model": "sora-2", "object": "video", "progress": 0, "seconds": "4",
        "size": "1280x720", "status": "queued",
    }  # fmt: skip


def test_what_is_not_said_has_the_pages_defaults(gateway: Gateway) -> None:
    """Without model, seconds and size it is sora-2, four seconds, 1280x720."""
    video = gateway.create(model=None, seconds=None, size=None, prompt="x [sandbox: fail=x]").json()
    assert (video["model"], video["seconds"], video["size"]) == ("sora-2", "4", "1280x720")


@pytest.mark.parametrize("form", ["json", "data"])
def test_a_create_without_files_may_be_json_or_urlencoded(gateway: Gateway, form: str) -> None:
    """As the official client sends it, and as a shell does."""
    answer = gateway.call("POST", "/v1/videos", **{form: SMALL})
    assert (answer.status_code, answer.json()["size"]) == (200, "854x480")


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "says"),
    [
        ({"prompt": None}, 400, "missing_required_parameter", "prompt", "Missing required parameter: 'prompt'."),
        ({"prompt": "  \n"}, 400, "missing_required_parameter", "prompt", "'prompt'"),
        ({"prompt": "[sandbox: stuck]"}, 400, "missing_required_parameter", "prompt", "'prompt'"),
        ({"model": "sora-9"}, 503, "model_not_found", "model", "sora-9"),
        ({"seconds": "3"}, 400, "invalid_value", "seconds", "Invalid value: '3'. Supported values are: '4', '5', '6'"),
        ({"seconds": "4.0"}, 400, "invalid_value", "seconds", "'4.0'"),
        ({"size": "640x480"}, 400, "invalid_value", "size", "'640x480'. Supported values are: '1280x720', '854x480'."),
        ({"size": ""}, 400, "invalid_value", "size", "''"),
        ({"model": "veo3-fast", "seconds": "8", "size": "1280x720"}, 400, "invalid_value", "size", "'16x9', '9x16'"),
        ({"input_reference": "first.png"}, 400, "invalid_type", "input_reference", "expected a file, but got a string"),
        ({"prompt": "x [sandbox: dance]"}, 400, "invalid_value", "prompt", "'dance'. It knows: fail=CODE, refuse=WHY"),
        ({"prompt": "x [sandbox: fail]"}, 400, "invalid_value", "prompt", "'fail'"),
        ({"prompt": "x [sandbox: cut=some]"}, 400, "invalid_value", "prompt", "whole number"),
        ({"prompt": "x [sandbox: refuse=because]"}, 400, "invalid_value", "prompt", "moderation, quota"),
    ],
)  # fmt: skip
def test_a_create_that_cannot_be_is_refused(
    gateway: Gateway, fields: dict[str, str | None], status: int, code: str, param: str, says: str
) -> None:
    """Each with the status, the code and the parameter that a real gateway names; nothing is created."""
    error = refused(gateway.create(**fields), status)
    assert (error["code"], error["param"]) == (code, param)
    assert says in error["message"]
    assert gateway.get("/v1/videos").json()["data"] == []


@pytest.mark.parametrize(
    ("files", "code", "says"),
    [
        ([reference(png(picture(853, 480)))], None, "Inpaint image must match the requested width and height"),
        ([reference(png(picture(480, 854)))], None, "Inpaint image must match the requested width and height"),
        ([reference(IMAGE, None, "first")], "unsupported_mimetype", "('application/octet-stream')"),
        ([reference(IMAGE, "image/gif")], "unsupported_mimetype", "('image/gif'). Supported file formats are image/j"),
        ([reference(b"no picture at all")], None, "not a valid image"),
        ([reference(IMAGE[: len(IMAGE) // 2])], None, "not a valid image"),
        ([reference(b"")], None, "not a valid image"),
        ([reference(png(picture(854, 480), "GIF"))], None, "not a valid image"),
        ([reference(IMAGE), reference(IMAGE)], None, "takes one reference image at most"),
    ],
    ids=[
        "a pixel less",
        "turned",
        "no type",
        "gif",
        "no image",
        "half an image",
        "empty",
        "a gif called png",
        "too many",
    ],
)
def test_a_reference_that_does_not_fit_is_refused(
    gateway: Gateway, files: list[tuple[str, Any]], code: str | None, says: str
) -> None:
    """In the gateway's words, naming input_reference; nothing is created."""
    error = refused(gateway.create(files=files), 400)
    assert (error["code"], error["param"]) == (code, "input_reference")
    assert says in error["message"]
    assert gateway.get("/v1/videos").json()["data"] == []


def test_a_model_of_text_alone_takes_no_reference(gateway: Gateway) -> None:
    """wan2.6 is listed as text only."""
    files = [reference(png(picture(1920, 1080), "JPEG"), "image/jpeg")]
    error = refused(gateway.create(model="wan2.6", seconds="5", size="1920x1080", files=files), 400)
    assert "takes no reference image" in error["message"]


def test_another_file_than_the_reference_is_refused(gateway: Gateway) -> None:
    """A misspelt field must not be dropped in silence."""
    error = refused(gateway.create(files=[("inputreference", ("a.png", IMAGE, "image/png"))]), 400)
    assert error["param"] == "inputreference"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_image_types_are_taken(gateway: Gateway, kind: str) -> None:
    """JPEG, PNG and WebP, as the page of the Videos API says."""
    files = [reference(png(picture(854, 480), kind), f"image/{kind.lower()}")]
    assert gateway.create(files=files, prompt="x [sandbox: fail=x]").status_code == 200


# -- what is wrong with the request itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic abc", "any"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/videos"), ("GET", "/v1/videos/video_1"), ("GET", "/v1/models")]
)
def test_no_key_is_401(gateway: Gateway, method: str, path: str, header: str | None) -> None:
    """Every call below /v1 wants a bearer key; any will do."""
    error = refused(gateway.call(method, path, headers={"Authorization": header}), 401)
    assert (error["code"], "API key" in error["message"]) == ("invalid_api_key", True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/video", 404),
        ("GET", "/", 404),
        ("DELETE", "/v1/videos", 405),
        ("POST", "/v1/videos/video_1", 405),
        ("GET", "/v1/videos/video_0123456789abcdef0123456789abcdef", 404),
        ("GET", "/v1/videos/video_1/content", 404),
        ("GET", "/v1/videos/..%2F..%2Fetc%2Fpasswd", 404),
        ("POST", "/v1/videos/task_1/remix", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(gateway: Gateway, method: str, path: str, status: int) -> None:
    """Unknown calls, methods and ids, in the same envelope as every other error."""
    error = refused(gateway.call(method, path), status)
    if "video_0" in path:
        assert (error["code"], error["message"]) == ("not_found", f"Video with id '{path[11:]}' not found.")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (json.dumps(SMALL | {"seconds": 4}).encode(), "application/json"),
        (json.dumps(SMALL | {"prompt": ["a"]}).encode(), "application/json"),
        (json.dumps(SMALL | {"prompt": "\ud800"}).encode(), "application/json"),
        (json.dumps(SMALL | {"input_reference": {"file_id": "file_1"}}).encode(), "application/json"),
        (b"prompt=a", "application/x-www-form-urlencoded; charset=klingon"),
        (b"prompt", "multipart/form-data"),
        (b"prompt", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\xff\xfe\r\n--x--\r\n",
         "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=\"input_reference\"\r\nContent-Type: image/png\r\n\r\nP"
         b"\r\n--x--", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nno name\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"prompt", "text/plain"),
        (b"", ""),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_400(gateway: Gateway, body: bytes, content_type: str) -> None:
    """Whatever it is, the answer is an error in JSON and not the server's own page."""
    headers = {"Content-Type": content_type} if content_type else {}
    refused(gateway.call("POST", "/v1/videos", data=body, headers=headers), 400)


def test_numbers_are_refused_where_strings_are_due(gateway: Gateway) -> None:
    """`seconds` is a string on this wire, also in JSON."""
    error = refused(gateway.call("POST", "/v1/videos", json=SMALL | {"seconds": 4}), 400)
    assert (error["code"], error["param"]) == ("invalid_type", "seconds")


def test_too_large_is_413(gateways: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    """A body above the limit is not read to its end."""
    monkeypatch.setattr("sora_jobs.sandbox.server.LARGEST_REQUEST", 2_000_000)
    gateway = gateways()
    refused(gateway.create(files=[reference(b"\x89PNG" * 600_000)]), 413)
    refused(gateway.call("POST", "/v1/videos", json=SMALL | {"prompt": "a" * 2_100_000}), 413)


# -- time -------------------------------------------------------------------------------------------------------------


def test_the_state_is_a_function_of_time(gateway: Gateway) -> None:
    """Queued, then in progress and rising, then completed, by the clock alone; back again if the clock goes back."""
    video_id = gateway.made()
    start, seen = gateway.clock.now, []
    for after in (0, 14, 16, 50, 99.9, 100, 5000, 50):
        gateway.clock.now = start + after
        video = gateway.look(video_id)
        seen.append((video["status"], video["progress"]))
    assert seen == [
        ("queued", 0), ("queued", 0), ("in_progress", 16), ("in_progress", 50), ("in_progress", 99),
        ("completed", 100), ("completed", 100), ("in_progress", 50),
    ]  # fmt: skip


def test_the_whole_object(gateway: Gateway) -> None:
    """All thirteen fields, before and after completion."""
    video_id = gateway.made()
    start = int(gateway.clock.now)
    waiting = {
        "id": video_id, "object": "video", "model": "seedance-2-5", "status": "queued", "progress": 0,
        "created_at": start, "completed_at": None, "expires_at": None, "prompt": "a paper boat [sandbox: ]",
        "size": "854x480", "seconds": "4", "remixed_from_video_id": None, "error": None,
    }  # fmt: skip
    assert gateway.look(video_id) == waiting
    gateway.clock.now += TAKES_S
    done = {"status": "completed", "progress": 100, "completed_at": start + 100}
    done["expires_at"] = start + 100 + LINK_LASTS_S
    assert gateway.look(video_id) == waiting | done


@pytest.mark.parametrize("variant", ["video", "thumbnail", "spritesheet"])
def test_no_content_before_completion(gateway: Gateway, variant: str) -> None:
    """The file may be rendered long before: it is not to be had before its time."""
    video_id = gateway.made()
    gateway.clock.now += TAKES_S - 0.1
    error = refused(gateway.content(video_id, params={"variant": variant}), 404)
    assert error["code"] == "not_ready"


def test_an_unknown_variant_is_refused(gateway: Gateway) -> None:
    """With the three that there are."""
    error = refused(gateway.content(gateway.finished(), params={"variant": "poster"}), 400)
    assert (error["param"], "thumbnail" in error["message"]) == ("variant", True)


def test_content_lapses_after_an_hour(gateway: Gateway) -> None:
    """To the second of expires_at; the object stays."""
    video_id = gateway.finished()
    gateway.clock.now = gateway.look(video_id)["expires_at"]
    assert gateway.content(video_id).status_code == 200
    gateway.clock.now += 1
    assert refused(gateway.content(video_id), 404)["code"] == "expired"
    assert gateway.look(video_id)["status"] == "completed"


def test_a_restart_and_a_second_server_see_the_same_jobs(gateways: Callable[..., Gateway]) -> None:
    """Jobs lie on disk: who opens the folder later, or beside the first, finds them, and their content."""
    first = gateways()
    video_id = first.made()
    first.close()
    again, beside = gateways(), gateways()
    for one in (again, beside):
        one.clock.now += TAKES_S / 2
        assert one.look(video_id)["progress"] == 50
        one.clock.now += TAKES_S / 2
    assert again.content(video_id).content == beside.content(video_id).content


def test_a_damaged_job_is_no_job(gateway: Gateway) -> None:
    """Half a file after a power cut costs that job, and not the list."""
    damaged, whole = gateway.made("fail=x"), gateway.made("fail=x")
    for text in ("", '{"id": 1', "[]", '{"id": "x"}'):
        (gateway.folder / "jobs" / f"{damaged}.json").write_text(text, encoding="utf-8")
        refused(gateway.get(f"/v1/videos/{damaged}"), 404)
        assert [video["id"] for video in gateway.get("/v1/videos").json()["data"]] == [whole]


def test_a_film_that_was_deleted_is_rendered_again(gateway: Gateway) -> None:
    """Also while the server runs; the bytes are the same."""
    video_id = gateway.finished()
    before = gateway.content(video_id)
    shutil.rmtree(gateway.folder / "renders")
    after = gateway.content(video_id)
    assert (after.status_code, after.content == before.content) == (200, True)
    assert after.headers["ETag"] == before.headers["ETag"]


def test_closing_does_not_wait_for_a_long_film(tmp_path: Path) -> None:
    """Neither for the one being rendered nor for a download that waits for it; nothing unfinished stays on disk."""
    gateway = Gateway(tmp_path, takes_s=0)
    video_id = gateway.made(seconds="30")

    def download() -> None:
        with pytest.raises(requests.ConnectionError):
            gateway.content(video_id)

    waiting = threading.Thread(target=download)
    waiting.start()
    while not gateway.sandbox.routes.counts["GET", "/v1/videos/{id}/content"]:
        time.sleep(0.005)
    start = time.monotonic()
    gateway.sandbox.close()
    assert time.monotonic() - start < 2
    waiting.join(5)
    gateway.close()
    assert list((tmp_path / "renders").iterdir()) == []


def test_progress_begins_anew_for_nobody(gateways: Callable[..., Gateway]) -> None:
    """A fault that was asked for once happens once, also over a restart."""
    first = gateways()
    video_id = first.finished("notready=1")
    assert first.content(video_id).status_code == 404
    first.close()
    again = gateways()
    again.clock.now += TAKES_S
    assert again.content(video_id).status_code == 200


# -- remix ------------------------------------------------------------------------------------------------------------


def test_a_remix_is_a_job_of_its_own(gateway: Gateway) -> None:
    """It names its source, takes over its model, length and size, and may be remixed in turn."""
    parent = gateway.finished(**REMIXABLE)
    answer = gateway.call("POST", f"/v1/videos/{parent}/remix", json={"prompt": "at night [sandbox: fail=x]"}).json()
    assert set(answer) == FIRST_ANSWER | {"remixed_from_video_id"}
    assert (answer["status"], answer["remixed_from_video_id"]) == ("queued", parent)
    video = gateway.look(answer["id"])
    assert (video["prompt"], video["remixed_from_video_id"]) == ("at night [sandbox: fail=x]", parent)
    assert (video["model"], video["seconds"], video["size"]) == ("sora-2", "4", "1280x720")


@pytest.mark.parametrize("directive", ["", "fail=x", "stuck"])
def test_what_is_not_finished_cannot_be_remixed(gateway: Gateway, directive: str) -> None:
    """The source must be completed."""
    video_id = gateway.made(directive, **REMIXABLE)
    gateway.clock.now += TAKES_S if directive else TAKES_S / 2
    error = refused(gateway.call("POST", f"/v1/videos/{video_id}/remix", json={"prompt": "x"}), 400)
    assert "must be completed" in error["message"]


@pytest.mark.parametrize("body", [{}, {"prompt": ""}, {"prompt": "[sandbox: stuck]"}])
def test_a_remix_wants_a_prompt(gateway: Gateway, body: dict[str, str]) -> None:
    """Without one it is refused as a create is."""
    video_id = gateway.finished(**REMIXABLE)
    error = refused(gateway.call("POST", f"/v1/videos/{video_id}/remix", json=body), 400)
    assert (error["code"], error["param"]) == ("missing_required_parameter", "prompt")


def test_a_model_without_remix(gateway: Gateway) -> None:
    """Where the catalogue says that there is none, there is none."""
    error = refused(gateway.call("POST", f"/v1/videos/{gateway.finished()}/remix", json={"prompt": "x"}), 400)
    assert error["message"] == "seedance-2-5 has no remix."


# -- lists ------------------------------------------------------------------------------------------------------------


def test_the_list_is_paged(gateway: Gateway) -> None:
    """Newest first or oldest first, `limit` at a time, from `after` on."""
    ids = []
    for _ in range(5):
        ids.insert(0, gateway.made("fail=x"))
        gateway.clock.now += 1
    page = gateway.get("/v1/videos", params={"limit": 2}).json()
    assert [video["id"] for video in page.pop("data")] == ids[:2]
    assert page == {"object": "list", "first_id": ids[0], "last_id": ids[1], "has_more": True}
    rest = gateway.get("/v1/videos", params={"after": ids[1]}).json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (ids[2:], False)
    upwards = gateway.get("/v1/videos", params={"order": "asc", "after": ids[3]}).json()
    assert [video["id"] for video in upwards["data"]] == [ids[2], ids[1], ids[0]]
    nothing = gateway.get("/v1/videos", params={"after": ids[4]}).json()
    assert (nothing["data"], nothing["first_id"], nothing["last_id"]) == ([], None, None)


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "many"}, {"order": "up"}, {"after": "v"}]
)
def test_a_list_that_cannot_be_is_refused(gateway: Gateway, query: dict[str, str]) -> None:
    """The parameter is named."""
    error = refused(gateway.get("/v1/videos", params=query), 400)
    assert error["param"] == next(iter(query))


def test_the_models(gateway: Gateway) -> None:
    """/v1/models with a key, as at OpenAI; /api/models without one, as at CometAPI."""
    names = [name for name, model in Catalogue.shipped().models.items() if not model.needs]
    models = gateway.get("/v1/models").json()
    assert (models["object"], {model["id"] for model in models["data"]}) == ("list", {*names})
    catalogue = gateway.get("/api/models", headers={"Authorization": None}).json()
    assert (catalogue["success"], catalogue["total"]) == (True, len(names))
    for row in catalogue["data"]:
        assert row["endpoints"] == ["/v1/videos"]
        assert ("image-to-video" in row["features"]) == (Catalogue.shipped().models[row["id"]].references != 0)
        assert (row["upcoming"], row["pricing"]["per_second"]) == (False, 0)


# -- the server itself ------------------------------------------------------------------------------------------------


def test_the_calls_are_counted(gateway: Gateway) -> None:
    """By method and route, for tests that ask how often something was sent."""
    video_id = gateway.made("fail=x")
    gateway.look(video_id)
    gateway.look(video_id)
    gateway.get("/v1/nowhere")
    counts = gateway.sandbox.routes.counts
    assert (counts["POST", "/v1/videos"], counts["GET", "/v1/videos/{id}"], counts["GET", "?"]) == (1, 2, 1)


def test_a_port_that_is_taken(gateway: Gateway, tmp_path: Path) -> None:
    """It is said at once, in words; the failed server can be closed like any other."""
    port = int(gateway.url.rpartition(":")[2])
    for _ in range(5):
        second = Sandbox(tmp_path, port=port)
        with failing(InvalidInputError, "port_unavailable", f"cannot listen on port {port}"):
            second.start()
        second.close()


@pytest.mark.parametrize("text", ["fast", "-1", "nan", "86400"])
def test_the_speed_must_be_a_number_of_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """SORA_SANDBOX_SECONDS is checked before the server starts."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", text)
    with failing(InvalidInputError, "invalid_setting", "SORA_SANDBOX_SECONDS", repr(text)):
        Sandbox(tmp_path)


def test_the_speed_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero is done at once."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0")
    with Sandbox(tmp_path) as sandbox, requests.Session() as session:
        session.headers["Authorization"] = "Bearer any"
        body = {"prompt": "x [sandbox: fail=x]", "model": "seedance-2-5"}
        video = session.post(f"{sandbox.url}/v1/videos", json=body, timeout=5).json()
        assert session.get(f"{sandbox.url}/v1/videos/{video['id']}", timeout=5).json()["status"] == "failed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
    ],
)
def test_no_web_page_reaches_it(gateways: object, headers: dict[str, str]) -> None:
    """Neither by a form of its own nor by a name that it had rebound to this machine: it would have films made."""
    gateway = gateways(dialect="sglang")  # which wants no key
    answer = gateway.call("POST", "/v1/videos", json={"prompt": "x"}, headers=headers)
    assert answer.status_code == 403
    assert gateway.call("GET", "/v1/videos", headers=headers).status_code == 403
    for name in ("localhost", "127.0.0.1:80", "[::1]:9"):
        assert gateway.call("GET", "/v1/videos", headers={"Host": name}).status_code == 200


def test_a_full_disk_is_an_answer(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON with the reason, and no traceback in anybody's log."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write", full)
    answer = gateway.create()
    assert (answer.status_code, "No space left" in answer.json()["error"]["message"]) == (500, True)
