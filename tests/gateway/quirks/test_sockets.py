"""Quirks of which the bytes on the line are the point: with the real client, on a real socket."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.delivery.download import Downloaded, download
from sora_jobs.errors import GatewayError, NotOfferedError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.media.delivered import Delivered

from ...failures import failing
from ..ugly import Script, UglyServer, answer

FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 64
QUEUED = {"id": "video_1", "object": "video", "status": "queued"}
KEY = "sk-key-12345"


@pytest.fixture
def gateway() -> Iterator[Any]:
    """`gateway(answer, …)`: a client of a server that gives these answers."""
    opened: list[Any] = []

    def make(*answers: Script, timeout_s: float = 5) -> tuple[Client, UglyServer]:
        server = UglyServer(list(answers))
        server.__enter__()
        client = Client(Provider(name="x", base_url=server.url, timeout_s=timeout_s), KEY)
        opened.extend((client.close, lambda: server.__exit__()))
        return client, server

    yield make
    for close in opened:
        close()


def fetched(client: Client, folder: Path) -> Downloaded:
    return download(
        lambda headers: client.content("video_1", headers),
        folder / "v.mp4",
        check=lambda path: Delivered(suffix=".mp4"),
        progress=lambda done, total: None,
    )


def test_the_film_is_asked_for_without_a_variant(gateway: Any, tmp_path: Path) -> None:
    """SGLang reads a variant as the number of a film; pictures have to name theirs."""
    client, server = gateway(answer(200, FILM))
    fetched(client, tmp_path)
    client.content("video_1", {}, "thumbnail").close()
    assert [request.path for request in server.requests] == [
        "/v1/videos/video_1/content",
        "/v1/videos/video_1/content?variant=thumbnail",
    ]


@pytest.mark.parametrize("where", ["https://www.example/", "/login", "https://[nowhere/", "", "http://:0/"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_create_never_follows_a_redirect(gateway: Any, status: int, where: str) -> None:
    """7: a wrong base URL. The paid body goes nowhere else, and the key neither."""
    client, server = gateway(answer(status, b"<html>moved</html>", [("Location", where)]))
    with failing(RequestRejectedError, str(status), "another address") as caught:
        client.create(CreateCall({"prompt": "a boat"}))
    assert (caught.value.http_status, caught.value.kind) == (status, "wrong_address")
    assert server.count("POST") == len(server.requests) == 1


@pytest.mark.parametrize("where", ["https://www.example/", "https://[nowhere/"])
def test_a_poll_never_follows_a_redirect(gateway: Any, where: str) -> None:
    """7: the job stays what it is."""
    client, server = gateway(answer(301, b"<html>moved</html>", [("Location", where)]))
    with pytest.raises(GatewayError) as caught:
        client.retrieve("video_1")
    assert (caught.value.http_status, len(server.requests)) == (301, 1)


@pytest.mark.parametrize("video_id", ["sora-2:task_1", "video_bGl0/Zy+x==", "/a//..b/==", "a?b#c%2F"])
def test_an_id_stays_one_piece_of_the_path(gateway: Any, video_id: str) -> None:
    """11: LiteLLM's ids hold / + =, others a colon; whatever it holds, no other call is made of it."""
    client, server = gateway(answer(200, {**QUEUED, "id": video_id}))
    assert client.retrieve(video_id).id == video_id
    with contextlib.suppress(NotOfferedError):
        client.content(video_id, {})
    paths = [request.path for request in server.requests]
    assert paths == [f"/v1/videos/{quote(video_id, safe='')}", f"/v1/videos/{quote(video_id, safe='')}/content"]
    assert all(set(path.split("/")[3]).isdisjoint("/?#+=:") for path in paths)


def test_a_create_without_a_length_is_read_to_its_end(gateway: Any) -> None:
    """The answer ends where the connection does."""
    client, _ = gateway(b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{"id":"video_1","status":"queued"}')
    assert client.create(CreateCall({"prompt": "a boat"})).id == "video_1"


def test_a_create_in_chunks_that_break_off_is_perhaps_bought(gateway: Any) -> None:
    """Half an answer says nothing, whatever that half says."""
    client, server = gateway(b'HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{"error":{"message":"no"}}')
    with pytest.raises(PurchaseUncertainError):
        client.create(CreateCall({"prompt": "a boat"}))
    assert server.count("POST") == 1


def test_a_create_that_drips_is_given_up_and_perhaps_bought(gateway: Any) -> None:
    """Each byte in time, and no end: the whole answer has a deadline."""

    def drip(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(200):
            connection.sendall(b" ")
            time.sleep(0.02)

    client, _ = gateway(drip, timeout_s=0.3)
    begun = time.monotonic()
    with pytest.raises(PurchaseUncertainError):
        client.create(CreateCall({"prompt": "a boat"}))
    assert time.monotonic() - begun < 3


def test_a_create_that_is_no_http_is_perhaps_bought(gateway: Any) -> None:
    """What answers there has read the request."""
    client, _ = gateway(b"220 mail ready\r\n")
    with pytest.raises(PurchaseUncertainError):
        client.create(CreateCall({"prompt": "a boat"}))


def test_a_job_with_an_error_status_is_kept(gateway: Any) -> None:
    """4: alive, and with HTTP 500."""
    client, server = gateway(answer(500, {**QUEUED, "model": "sora-2"}))
    assert client.create(CreateCall({"prompt": "a boat"})).id == "video_1"
    assert server.count("POST") == 1


def test_a_signed_address_on_another_host_never_sees_the_key(gateway: Any, tmp_path: Path) -> None:
    """8 and 9: by redirect, and by the address in the object."""
    with UglyServer([answer(200, FILM)]) as storage:
        client, server = gateway(answer(302, b"", [("Location", f"{storage.url}/a?sig=1")]))
        assert fetched(client, tmp_path).sha256 == hashlib.sha256(FILM).hexdigest()
        client.stream(f"{storage.url}/b?sig=2", {}).close()
        assert [request.path for request in storage.requests] == ["/a?sig=1", "/b?sig=2"]
        assert all(KEY not in str(request.headers) for request in storage.requests)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_film_without_a_length(gateway: Any, tmp_path: Path) -> None:
    """8: it ends where the connection does."""
    client, _ = gateway(b"HTTP/1.1 200 OK\r\n\r\n" + FILM)
    assert fetched(client, tmp_path).size == len(FILM)


def test_a_film_that_is_cut_goes_on(gateway: Any, tmp_path: Path) -> None:
    """8: the rest with Range, or, where there is none, all of it once more."""
    etag = ("ETag", '"one"')
    cut = answer(200, FILM[:5000], [etag], length=len(FILM))
    rest = answer(206, FILM[5000:], [etag, ("Content-Range", f"bytes 5000-{len(FILM) - 1}/{len(FILM)}")])
    for name, second in (("range", rest), ("none", answer(200, FILM))):
        client, server = gateway(cut, second)
        assert fetched(client, tmp_path / name).sha256 == hashlib.sha256(FILM).hexdigest()
        assert server.requests[1].headers["range"] == "bytes=5000-"


def test_a_page_after_a_redirect_is_no_film(gateway: Any, tmp_path: Path) -> None:
    """8: a signed address that leads to a page of the storage's."""
    with UglyServer([answer(200, b"<html>sign in</html>")]) as storage:
        client, _ = gateway(answer(302, b"", [("Location", f"{storage.url}/a")]))
        with failing(NotOfferedError, "not_a_video"):
            fetched(client, tmp_path)
    assert not (tmp_path / "v.mp4").exists()
