"""Connections: the check of addresses is called in every version of urllib3, or nothing is sent at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import urllib3.connection
from requests.exceptions import InvalidSchema
from sora_jobs.config.providers import Provider
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, LocalError, SoraError, UnreachableError
from sora_jobs.gateway import connections
from sora_jobs.gateway.client import Client
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.jobs.state import JobState
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..failures import failing
from .ugly import UglyServer, answer

ACCEPTED = answer(200, {"id": "video_1", "object": "video", "model": "own", "status": "queued"})
SPEC = VideoRequest(provider="mine", prompt="a boat", model="own", seconds="4", size="1280x720")


@pytest.fixture
def unproved() -> Iterator[None]:
    """A process that has not sent anything yet; afterwards none of this is remembered."""
    connections.prove.cache_clear()
    yield
    connections.prove.cache_clear()


def local(server: UglyServer) -> str:
    """The server by a name, which the check has to look at."""
    return server.url.replace("127.0.0.1", "localhost")


def test_the_check_is_proved_once_per_process(unproved: None) -> None:
    """Before the first request to a name; a numeric loopback address (the sandbox) needs no proof."""
    with UglyServer([ACCEPTED]) as server:
        for url, proofs in ((server.url, 0), (local(server), 1), (local(server), 1)):
            client = Client(Provider(name="x", base_url=url, timeout_s=5), "sk-key-12345")
            client.retrieve("video_1")
            client.close()
            assert connections.prove.cache_info().misses == proofs


def test_the_proof_connects_to_nothing(unproved: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops at the check: no packet leaves, not even on this machine."""

    def connected(*given: object) -> None:
        raise AssertionError(given)

    monkeypatch.setattr("socket.create_connection", connected)
    connections.prove()


def test_a_missing_file_of_certificates_is_told_as_that(unproved: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of urllib3's, and another version of it mends nothing."""
    with monkeypatch.context() as gone:
        gone.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", "/nowhere/cacert.pem")
        with failing(LocalError, "check_not_tried", "/nowhere/cacert.pem") as caught:
            connections.prove()
    assert caught.value.kind != "unsupported_library"
    assert "urllib3" not in str(caught.value)
    assert "certifi" in caught.value.hint
    connections.prove()


# In each of these the pool or the connection is urllib3's own, as it would be after a change of its names.
@pytest.mark.parametrize("lost", ["direct", "through a proxy", "plain", "over TLS"])
def test_each_way_is_proved(unproved: None, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """One way on which the check is not called is enough to send nothing."""
    real = connections._pools

    def pools(check: connections.Check) -> dict[str, type]:
        calls.append(check)
        direct = len(calls) % 2  # an adapter makes its own first, then those for proxies
        theirs = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        if lost == ("direct" if direct else "through a proxy"):
            return theirs
        name = {"plain": "http", "over TLS": "https"}.get(lost, "")
        return real(check) | ({name: theirs[name]} if name else {})

    calls: list[connections.Check] = []
    monkeypatch.setattr(connections, "_pools", pools)
    with pytest.raises(LocalError) as caught:
        connections.prove()
    assert (caught.value.kind, caught.value.charge) == ("unsupported_library", "none")


def test_nothing_is_bought_or_asked_where_the_check_is_not_called(
    unproved: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is refused and may be sent again; the error names the version that is installed and one that works."""
    monkeypatch.setattr(connections._Line, "_new_conn", urllib3.connection.HTTPConnection._new_conn)
    (tmp_path / "home").mkdir()
    with UglyServer([ACCEPTED]) as server:
        row = f'[provider.mine]\nbase_url = "{local(server)}"\nkey_variable = "MINE_KEY"\n'
        (tmp_path / "home" / "providers.toml").write_text(row, encoding="utf-8")
        engine = Engine(tmp_path / "home", tmp_path / "output", env={"MINE_KEY": "sk-mine-12345"})
        try:
            with pytest.raises(LocalError) as caught:
                engine.start_create(SPEC).result(20)
            with pytest.raises(LocalError):
                engine.providers.client("mine").reach()
            assert server.requests == []
            (job,) = engine.ledger.jobs()
            assert job.state is JobState.REFUSED
            assert (caught.value.kind, caught.value.charge) == ("unsupported_library", "none")
            assert urllib3.__version__ in caught.value.message
            assert connections.TESTED[-1] in caught.value.hint
            monkeypatch.undo()
            assert engine.start_create(SPEC).result(20).job.state is JobState.SUBMITTED
        finally:
            engine.close()


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
def test_a_urllib3_with_another_name_for_it_sends_nothing(proxied: bool) -> None:
    """As a version to come might have it: `_new_conn` is called something else in all of urllib3's connections."""
    program = dedent("""
        import sys
        from pathlib import Path
        import urllib3.connection as theirs
        source = Path(theirs.__file__).read_text(encoding="utf-8")
        assert "def _new_conn(" in source
        exec(compile(source.replace("_new_conn", "_open_socket"), theirs.__file__, "exec"), theirs.__dict__)
        from sora_jobs.gateway.client import Client
        from sora_jobs.jobs.create_call import CreateCall
        from sora_jobs.errors import LocalError
        from sora_jobs.config.providers import Provider
        client = Client(Provider(name="x", base_url=sys.argv[1], timeout_s=5), "sk-key-12345")
        for call in (lambda: client.create(CreateCall({"prompt": "a boat"})), lambda: client.retrieve("video_1"),
                     lambda: client.stream("https://cdn.example.com/a.mp4", {})):
            try:
                call()
            except LocalError as error:
                assert error.code == "unsupported_library"
            else:
                raise AssertionError("it was sent")
    """)
    with UglyServer([answer(502)]) as server:
        url = "https://videos.nowhere.invalid" if proxied else local(server)
        env = {**os.environ, "PYTHONPATH": str(Path(connections.__file__).parents[2])}
        env |= {"HTTPS_PROXY": server.url} if proxied else {}
        ran = subprocess.run(
            [sys.executable, "-c", program, url], env=env, capture_output=True, encoding="utf-8", timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        assert server.requests == []


def test_a_socks_proxy_names_the_package_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a purchase, a poll, a download, the list of models and the doctor; nothing was sent."""

    def without_it(*_: object, **__: object) -> None:
        raise InvalidSchema("Missing dependencies for SOCKS support.")  # requests' own stand-in for the class

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", without_it)
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hunter2secret@127.0.0.1:9")
    env = {"COMETAPI_KEY": "sk-key-12345", "COMETAPI_BASE_URL": "https://videos.nowhere.invalid"}
    engine = Engine(tmp_path / "home", tmp_path / "output", env=env)
    try:
        client = engine.providers.client("cometapi")
        spec = VideoRequest(provider="cometapi", prompt="a boat", model="wan2.6", seconds="5", size="1280x720")
        calls: list[tuple[Callable[[], object], type[SoraError]]] = [
            (lambda: engine.start_create(spec).result(20), UnreachableError),
            (lambda: client.retrieve("video_1"), GatewayError),
            (lambda: client.content("video_1", {}), GatewayError),
            (lambda: engine.refresh_models(), GatewayError),
        ]
        for call, kind in calls:
            with pytest.raises(kind) as caught:
                call()
            assert caught.value.kind == "socks"
            assert "pip install PySocks" in str(caught.value)
            assert "hunter2secret" not in str(caught.value)
        (job,) = engine.ledger.jobs()
        assert job.state is JobState.REFUSED
        (found,) = [one for one in examine(engine) if one.name == "cometapi" and one.level == "failed"]
        assert "pip install PySocks" in found.text
    finally:
        engine.close()


@pytest.mark.parametrize("trouble", [TimeoutError("timed out"), ConnectionRefusedError(111, "Connection refused")])
@pytest.mark.parametrize("call", ["create", "retrieve", "content", "stream"])
def test_a_connection_that_is_not_made_is_told_without_pythons_own_words(
    call: str, trouble: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What urllib3 says of it, and not the object that it says it of, whichever call it is."""

    def away(*_: object) -> None:
        raise trouble

    monkeypatch.setattr("socket.create_connection", away)
    client = Client(Provider(name="x", base_url="http://127.0.0.1:9", timeout_s=5), "sk-key-12345")
    given: dict[str, tuple[object, ...]] = {
        "create": (CreateCall({"prompt": "p"}),),
        "retrieve": ("video_1",),
        "content": ("video_1", {}),
    }
    try:
        says = "timed out" if isinstance(trouble, TimeoutError) else "refused"
        with failing(UnreachableError if call == "create" else GatewayError, "network", says) as caught:
            getattr(client, call)(*given.get(call, ("http://127.0.0.1:9/film.mp4", {})))
    finally:
        client.close()
    assert not [sign for sign in ("0x", "<", "HTTPConnection", "('") if sign in caught.value.message]
