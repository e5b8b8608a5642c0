"""What is sent how often: no library repeats a request of ours, and the one table that says what is made again is kept.

With each version of urllib3 (tests/matrix_urllib3.py), whose own retries these tests would see.
"""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sora_jobs.config.providers import COMETAPI, Provider
from sora_jobs.config.timing import DEFAULT
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, PurchaseUncertainError, SoraError, UnreachableError
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.jobs.state import JobState
from sora_jobs.models.remote_list import ask_for_list
from sora_jobs.purchasing.balance import ask_key

from ..failures import failing
from ..timings import FAST
from ..trust.lines import TLSServer
from .test_purchase import ACCEPTED, SPEC, Bench
from .ugly import Script, UglyServer, answer, hang_up, reset

STATUS = {"id": "video_1", "object": "video", "status": "queued"}
QUEUED = answer(200, STATUS)
KEPT = QUEUED.replace(b"Connection: close\r\n", b"")
AT_ONCE = [("Retry-After", "0")]
Calling = Callable[[Client], object]

# Those that a purchase, a job and a download make, and those that a person makes.
CALLS: dict[str, Calling] = {
    "create": lambda client: client.create(CreateCall({"prompt": "a boat"})),
    "remix": lambda client: client.remix("video_1", "a boat"),
    "poll": lambda client: client.retrieve("video_1"),
    "content": lambda client: client.content("video_1", {}).close(),
    "thumbnail": lambda client: client.content("video_1", {}, "thumbnail").close(),
    "address": lambda client: client.stream(f"{client.provider.base_url}/film.mp4?sig=1", {}).close(),
    "list": lambda client: client.list_videos(),
    "doctor": lambda client: client.reach(),
    "models": lambda client: ask_for_list(client.provider, FAST),
    "balance": lambda client: ask_key(client.provider, client.key, FAST),
}
REPEATABLE = ("poll", "content", "thumbnail", "address", "list", "doctor")
TROUBLES: dict[str, Script] = {
    "hung up": hang_up,
    "reset": reset,
    "no HTTP": b"220 mail ready\r\n",
    "429": answer(429, b"", AT_ONCE),
    "500": answer(500, b""),
    "503": answer(503, b"", AT_ONCE),
    "cut head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut body": answer(200, b'{"id": "v', length=500),
}


@pytest.fixture
def clients() -> Iterator[Callable[[str], Client]]:
    """`clients(url)`: a client of the provider there, which is closed in the end."""
    made: list[Client] = []

    def make(url: str) -> Client:
        made.append(Client(Provider(name=COMETAPI, base_url=url, timeout_s=2), "sk-key-12345", FAST))
        return made[-1]

    yield make
    for client in made:
        client.close()


def called(call: Calling, client: Client) -> SoraError | None:
    """The error of a call, if it has one."""
    try:
        call(client)
    except SoraError as error:
        return error
    return None


def kept(trouble: Script, heard: list[bytes]) -> Callable[[socket.socket], None]:
    """A connection that has one response, stays open, and is closed when the next request was heard."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(KEPT)
        heard.append(connection.recv(65536))
        if callable(trouble):
            trouble(connection)

    return serve


class Absent:
    """Makes the first connections to a server fail, and counts all of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.tried, self.at = 0, list[float]()  # when
        real = socket.create_connection

        def connect(*given: object, **named: object) -> socket.socket:
            self.tried += 1
            self.at.append(time.monotonic())
            if self.tried <= times:
                raise ConnectionRefusedError(111, "Connection refused")
            return real(*given, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "create_connection", connect)


def no_pause(_: threading.Event, seconds: float) -> bool:
    raise AssertionError(f"a pause of {seconds} s")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_call_is_made_once(call: Calling, trouble: Script, clients: Callable[[str], Client]) -> None:
    """Whatever comes, also with `Retry-After: 0`: one request on one connection."""
    with UglyServer([trouble]) as server:
        called(call, clients(server.url))
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", [name for name in CALLS if name not in ("content", "address")])
def test_no_library_follows_a_redirect(call: str, status: int, clients: Callable[[str], Client]) -> None:
    with UglyServer([]) as server:
        server.answers[:] = [answer(status, b"", [("Location", f"{server.url}/elsewhere"), *AT_ONCE])]
        called(CALLS[call], clients(server.url))
        if call == "thumbnail":  # whose redirects are followed by ourselves, up to MOST_STEPS
            assert {request.path for request in server.requests[1:]} == {"/elsewhere"}
        else:
            assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", [TimeoutError("timed out"), ConnectionRefusedError(111, "Connection refused")])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_connection_is_tried_once(
    call: Calling, trouble: OSError, clients: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def away(address: object, *_: object) -> None:
        tried.append(address)
        raise trouble

    monkeypatch.setattr(socket, "create_connection", away)
    assert called(call, clients("http://127.0.0.1:9")) is not None
    assert tried == [("127.0.0.1", 9)]


@pytest.mark.parametrize("trouble", [hang_up, reset])
@pytest.mark.parametrize("call", REPEATABLE)
def test_a_kept_connection_that_was_closed_is_opened_anew(
    call: str, trouble: Script, clients: Callable[[str], Client]
) -> None:
    """At once, and once: what fails on the new connection is told."""
    heard: list[bytes] = []
    with UglyServer([kept(trouble, heard), QUEUED, kept(trouble, heard), trouble]) as server:
        client = clients(server.url)
        client.retrieve("video_1")
        error = called(CALLS[call], client)
        assert error is None or error.code != "network"  # a status is no video, and no list
        assert (len(heard), len(server.requests)) == (1, 2)
        assert heard[0].split(b"\r\n")[0] == f"GET {server.requests[1].path} HTTP/1.1".encode()
        client.retrieve("video_1")
        error = called(CALLS[call], client)
        assert error is not None
        assert error.code == "network"
        assert (len(heard), len(server.requests)) == (2, 4)


def test_a_new_connection_that_is_closed_is_not_opened_anew(clients: Callable[[str], Client]) -> None:
    """Also where its session made calls before."""
    with UglyServer([QUEUED, hang_up]) as server:
        client = clients(server.url)
        client.retrieve("video_1")
        with failing(GatewayError, "network"):
            client.retrieve("video_1")
        assert len(server.requests) == 2


def test_a_name_that_is_lost_is_looked_up_once(
    clients: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection was begun, and none was kept either."""
    asked: list[object] = []

    def lost(*given: object, **_: object) -> None:
        asked.append(given[0])
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with UglyServer([QUEUED]) as server:
        client = clients(server.url)
        client.retrieve("video_1")
        monkeypatch.setattr(socket, "getaddrinfo", lost)
        with failing(GatewayError, "network", "resolve"):
            client.retrieve("video_1")
        assert asked == ["127.0.0.1"]


def test_a_kept_connection_that_is_silent_is_not_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is over, and the request was perhaps heard."""
    released, heard = threading.Event(), list[bytes]()
    line = Absent(monkeypatch, 0)
    with UglyServer([kept(lambda _: released.wait(5), heard), QUEUED]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=0.2), "sk-key-12345")
        try:
            client.retrieve("video_1")
            with failing(GatewayError, "network", "timed out"):
                client.retrieve("video_1")
        finally:
            released.set()
            client.close()
        assert (len(heard), line.tried) == (1, 1)


@pytest.mark.parametrize("trouble", [hang_up, reset])
@pytest.mark.parametrize("call", ["create", "remix"])
def test_a_create_has_a_connection_of_its_own_and_is_sent_once(
    call: str, trouble: Script, clients: Callable[[str], Client]
) -> None:
    """The kept one is not used: its loss would look like money perhaps spent."""
    heard: list[bytes] = []
    with UglyServer([lambda connection: connection.sendall(KEPT), trouble]) as server:
        client = clients(server.url)
        client.retrieve("video_1")
        with failing(PurchaseUncertainError, "connection_lost"):
            CALLS[call](client)
        assert (heard, server.count("POST"), len(server.requests)) == ([], 1, 2)


def test_a_create_that_reaches_nobody_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at the connection twice, through at the third: one POST in all, after pauses of 0.3 and 0.6 s. Meanwhile
    the row counts as being sent: only a response of the provider says otherwise."""
    with UglyServer([ACCEPTED]) as server:
        made = Bench(tmp_path, server.url, timing=DEFAULT)
        line = Absent(monkeypatch, 2)
        future = made.engine.start_create(SPEC)
        marks: set[bool] = set()
        while not future.done():
            if line.tried in (1, 2):
                marks.add(made.only_job().sent_at is not None)
            time.sleep(0.05)
        assert future.result().job.state is JobState.SUBMITTED
        assert (line.tried, server.count("POST"), len(server.requests)) == (3, 1, 1)
        assert (line.at[1] - line.at[0] >= 0.3, line.at[2] - line.at[1] >= 0.6) == (True, True)
        assert marks == {True}
        made.engine.close()


def test_a_create_that_reaches_nobody_for_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was bought, and the same may be sent again."""
    with UglyServer([ACCEPTED]) as server:
        made = Bench(tmp_path, server.url)
        line = Absent(monkeypatch, 3)
        with failing(UnreachableError, "network", "refused"):
            made.buy()
        assert (made.only_job().state, line.tried, server.requests) == (JobState.REFUSED, 3, [])
        assert made.buy().job.state is JobState.SUBMITTED
        made.engine.close()


def test_a_rate_limit_does_not_use_up_the_tries_of_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the other way round: each row of the table has its own number."""
    busy = answer(429, {"error": {"message": "busy", "code": "rate_limit_exceeded"}}, AT_ONCE)
    with UglyServer([busy, busy, busy, busy, ACCEPTED]) as server:
        made = Bench(tmp_path, server.url)
        line = Absent(monkeypatch, 2)
        assert made.buy().job.state is JobState.SUBMITTED
        assert (line.tried, server.count("POST")) == (7, 5)
        made.engine.close()


def test_a_create_that_is_not_wanted_any_more_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program closes in the pause: refused, since nothing went out."""
    with UglyServer([ACCEPTED]) as server:
        made = Bench(tmp_path, server.url, timing=dataclasses.replace(DEFAULT, connect_retry_s=30.0))
        line = Absent(monkeypatch, 1)
        future = made.engine.start_create(SPEC)
        while not line.tried:
            time.sleep(0.01)
        made.engine.close()
        with failing(UnreachableError, "network", "refused"):
            future.result(1)
        again = Engine(made.home, made.home, env=made.env)
        assert ([job.state for job in again.jobs()], line.tried, server.requests) == ([JobState.REFUSED], 1, [])
        again.close()


def test_a_certificate_that_is_not_trusted_stays_so(tmp_path: Path) -> None:
    """The create is not sent again: only its connection failed, and that for good."""
    with TLSServer("localhost", tmp_path, ACCEPTED) as server:
        made = Bench(tmp_path, f"https://localhost:{server.port}", timing=dataclasses.replace(FAST, sleep=no_pause))
        with failing(UnreachableError, "tls") as caught:
            made.buy()
        assert not caught.value.transient
        assert (made.only_job().state, server.heard) == (JobState.REFUSED, [])
        made.engine.close()


@pytest.mark.parametrize("says", [answer(407, b"who are you"), answer(502, b"no way")], ids=["407", "502"])
def test_what_a_proxy_rejects_is_not_sent_again(says: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with UglyServer([says]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        made = Bench(tmp_path, "https://videos.nowhere.invalid", timing=dataclasses.replace(FAST, sleep=no_pause))
        with failing(UnreachableError, "proxy") as caught:
            made.buy()
        assert (caught.value.transient, len(proxy.requests)) == (False, 1)
        made.engine.close()


def test_a_proxy_that_is_away_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, not even to it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    line = Absent(monkeypatch, 9)
    made = Bench(tmp_path, "https://videos.nowhere.invalid")
    with failing(UnreachableError, "proxy") as caught:
        made.buy()
    assert (caught.value.transient, line.tried) == (True, 3)
    made.engine.close()
