"""Attacks by the address of a video: local servers play the gateway, its storage and what must not be reached."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
import requests
from sora_jobs.config.providers import Provider
from sora_jobs.errors import GatewayError, InvalidInputError, NotOfferedError, SoraError
from sora_jobs.gateway import http
from sora_jobs.gateway.error_body import Response
from sora_jobs.gateway.video_object import read_video
from sora_jobs.jobs.create_call import CreateCall
from sora_jobs.util.addresses import parse_ranges
from sora_jobs.util.redact import redact

from ..failures import failing
from ..gateway.ugly import UglyServer, answer
from .lines import GATEWAY, KEY, Resolver, TLSServer, client


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where connections were made to, while those that leave this machine fail at once."""
    seen: list[str] = []
    real = socket.create_connection

    def noted(address: tuple[str, int], *more: Any, **named: Any) -> Any:
        seen.append(address[0])
        if not address[0].startswith("127."):
            raise OSError("this test has no internet")
        return real(address, *more, **named)

    monkeypatch.setattr(socket, "create_connection", noted)
    return seen


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254",
     "[fd00:ec2::254]", "192.168.0.1.", "0.0.0.0"],
)  # fmt: skip
def test_an_inner_address_is_never_asked(host: str, connected: list[str]) -> None:
    """However it is written: the error names it and says how its owner would allow it; it is not tried again."""
    with client() as made, failing(NotOfferedError, "url_not_public", host.strip("[]")) as caught:
        made.stream(f"https://{host}:9/film.mp4?sig=1", {})
    assert connected == []
    assert not caught.value.transient
    assert "[downloads] ranges" in caught.value.hint


@pytest.mark.parametrize("url", ["http://cdn.example.com/x", "http://127.0.0.1/x", "ftp://x/y", "file:///x", "//x", ""])
def test_nothing_but_https_is_asked(url: str, connected: list[str]) -> None:
    """Unless the gateway itself is on this machine."""
    with client() as made, failing(NotOfferedError, "url_not_https"):
        made.stream(url, {})
    assert connected == []


@pytest.mark.parametrize("url", ["https://x:99999999/", "https://[::1", "https://x:port/"])
def test_what_is_no_address_is_told(url: str) -> None:
    with client() as made, failing(NotOfferedError, "url_invalid"):
        made.stream(url, {})


# Of these one reader sees the gateway's host, or an open one, and another reader another host.
TWO_HOSTS = [
    "https://evil.example\\@api.example.com/x", "https://169.254.169.254\\@api.example.com/", "https://a@evil.example/x",
    "https://:pw@api.example.com/x", "https://%31%36%39.254.169.254/x", "https://evil.example%2f@api.example.com/x",
    "https://ⓔvil.example/x", "https://evil.example\t/x", "https://api.example.com\\.evil/x",
]  # fmt: skip


@pytest.mark.parametrize("url", TWO_HOSTS)
def test_an_address_with_two_meanings_is_none(url: str, connected: list[str]) -> None:
    """Neither in an answer nor in a redirect, and nothing is asked: who checks an address is not who connects to it."""
    video = b'{"id": "v", "status": "completed", "video_url": %s}' % json.dumps(url).encode()
    for base in ("", GATEWAY):
        found = read_video(Response(200, {}, video, base))
        assert found is not None
        assert found.url == ""
    with client() as made, pytest.raises(NotOfferedError) as caught:
        made.stream(url, {})
    assert caught.value.code in ("url_invalid", "url_not_https")
    assert connected == []
    assert not http.same_origin(url, "https://api.example.com")


def test_the_key_does_not_follow_a_backslash() -> None:
    """The wrong server answers 401, as one would that wants the key: it gets neither the key nor a second request."""
    with UglyServer([answer(401, b"who are you?")]) as evil, UglyServer([answer(200, b"")]) as gateway:
        url = f"http://{evil.url.removeprefix('http://')}\\@{gateway.url.removeprefix('http://')}/film"
        with client(gateway.url) as made, pytest.raises(GatewayError):
            made.stream(url, {})
        assert (evil.requests, gateway.requests) == ([], [])
    signed = http.Bearer(KEY, Provider(name="x", base_url=GATEWAY))
    with failing(GatewayError, "key_not_for_origin"):
        signed(requests.Request("GET", "https://evil.example/x").prepare())


@pytest.mark.parametrize("video_id", ["", ".", "..", "../../api/user", "a/../b", "a\\..\\b"])
def test_an_id_is_no_way_to_other_calls(video_id: str, connected: list[str]) -> None:
    with client() as made:
        for call in (made.retrieve, lambda one: made.content(one, {}), lambda one: made.remix(one, "p")):
            with failing(InvalidInputError, "invalid_video_id", repr(video_id)):
                call(video_id)
    assert connected == []


def test_a_name_that_leads_inside_is_never_asked(monkeypatch: pytest.MonkeyPatch, connected: list[str]) -> None:
    """Only the resolver knows; of several addresses the good ones are used."""
    resolver = Resolver(monkeypatch, cdn_evil_example=["192.168.1.1"])
    with client() as made, failing(NotOfferedError, "url_not_public", "cdn.evil.example is 192.168.1.1"):
        made.stream("https://cdn.evil.example/film.mp4", {})
    assert (resolver.asked, connected) == (["cdn.evil.example"], [])
    assert http.reachable(Provider(name="x", base_url=GATEWAY), "h", ["10.0.0.1", "1.1.1.1"]) == ["1.1.1.1"]


def test_a_second_answer_of_the_name_server_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, connected: list[str]
) -> None:
    """DNS rebinding: public when it is checked, loopback when it would be connected to. It is asked once for each
    connection, and what was checked is what is connected to."""
    with UglyServer([answer(200, b"the secret of this machine")]) as inside:
        port = int(inside.url.rsplit(":", 1)[1])
        resolver = Resolver(monkeypatch, cdn_evil_example=["93.184.216.34", "127.0.0.1"])
        with client() as made, pytest.raises(GatewayError):
            made.stream(f"https://cdn.evil.example:{port}/film.mp4", {})
        assert connected == ["93.184.216.34"]
        assert resolver.asked == ["cdn.evil.example"]
        with client() as made, failing(NotOfferedError, "url_not_public", "cdn.evil.example is 127.0.0.1"):
            made.stream(f"https://cdn.evil.example:{port}/film.mp4", {})  # another try is checked anew
        assert (resolver.asked, connected) == (["cdn.evil.example"] * 2, ["93.184.216.34"])
        assert inside.requests == []


def test_tls_goes_on_verifying_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the address that the connection is made to; whoever has another name's certificate is refused."""
    Resolver(monkeypatch, cdn_example_com=["127.0.0.1"], other_example_com=["127.0.0.1"])
    ranges = parse_ranges(["127.0.0.0/8"])
    storage = TLSServer("cdn.example.com", tmp_path, answer(200, b"film"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(storage.bundle))
    with storage, client(ranges=ranges) as made:
        with made.stream(f"https://cdn.example.com:{storage.port}/film.mp4?sig=1", {}) as response:
            assert response.content == b"film"
        with failing(GatewayError, "tls"):
            made.stream(f"https://other.example.com:{storage.port}/film.mp4", {})
    (heard,) = storage.heard
    assert KEY.encode() not in heard
    assert b"authorization" not in heard.lower()


def test_redirects_are_checked_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good first step opens no door to the next; nothing goes along, neither key nor cookie."""
    Resolver(monkeypatch, cdn_example_com=["127.0.0.1"])
    ranges = parse_ranges(["127.0.0.0/8"])
    with UglyServer([answer(200, b"the secret of this machine")]) as inside:
        next_step = [("Location", f"{inside.url}/admin"), ("Set-Cookie", "a=b")]
        with TLSServer("cdn.example.com", tmp_path, answer(302, b"", next_step)) as storage:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(storage.bundle))
            with client(ranges=ranges) as made, failing(NotOfferedError, "url_not_https"):
                made.stream(f"https://cdn.example.com:{storage.port}/a", {})
        https = [("Location", f"https://169.254.169.254:{storage.port}/latest/meta-data")]
        with TLSServer("cdn.example.com", tmp_path, answer(307, b"", https)) as storage:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(storage.bundle))
            with (
                client(ranges=parse_ranges(["127.0.0.0/8"])) as made,
                failing(NotOfferedError, "url_not_public", "169.254.169.254"),
            ):
                made.stream(f"https://cdn.example.com:{storage.port}/a", {})
        assert inside.requests == []


def test_a_chain_of_redirects_has_an_end_and_never_carries_the_key() -> None:
    """Also where it comes back to the gateway: no further than five steps, and with the key only where the gateway
    itself wants it."""
    with UglyServer([]) as gateway:
        gateway.answers.append(answer(302, b"", [("Location", f"{gateway.url}/round")]))
        with client(gateway.url) as made, failing(GatewayError, "too_many_redirects"):
            made.content("v", {})
        assert len(gateway.requests) <= 7
        assert ["authorization" in request.headers for request in gateway.requests][1:] == [False] * 5


@pytest.mark.parametrize("how", ["redirect", "JSON", "text"])
def test_what_comes_in_place_of_a_video_opens_no_other_door(
    monkeypatch: pytest.MonkeyPatch, connected: list[str], tmp_path: Path, how: str
) -> None:
    """An address in JSON, or alone, is followed under the rules of every other: https, no private network, no key."""
    Resolver(monkeypatch, api_example_com=["127.0.0.1"], cdn_example_com=["10.0.0.7"])

    def given(url: str) -> bytes:
        if how == "redirect":
            return answer(302, b"", [("Location", url)])
        return answer(200, {"url": url} if how == "JSON" else url.encode())

    for url, code in {
        "http://cdn.example.com/a.mp4": "url_not_https",
        "https://cdn.example.com/a.mp4": "url_not_public",
        "https://169.254.169.254/latest/meta-data": "url_not_public",
        "https://[::1]/a.mp4": "url_not_public",
    }.items():
        with TLSServer("api.example.com", tmp_path, given(url)) as server:
            base = f"https://api.example.com:{server.port}"
            with client(base, ca_bundle=str(server.bundle)) as made, failing(NotOfferedError, code):
                made.content("video_1", {})
    assert set(connected) == {"127.0.0.1"}
    with UglyServer([]) as storage, UglyServer([answer(200, b"film")]) as inside:
        storage.answers.append(given(f"{inside.url}/a.mp4"))
        with client(storage.url) as made:
            made.content("video_1", {}).close()
        assert [KEY in str(request.headers) for request in (*storage.requests, *inside.requests)] == [True, False]


def test_json_that_leads_to_json_has_an_end() -> None:
    """As a chain of redirects has."""
    with UglyServer([]) as gateway, client(gateway.url) as made:
        gateway.answers.append(answer(200, {"url": f"{gateway.url}/round"}))
        with failing(GatewayError, "too_many_redirects"):
            made.content("v", {})
        assert len(gateway.requests) <= 7
        assert ["authorization" in request.headers for request in gateway.requests][1:] == [False] * 5


def test_an_error_in_place_of_a_video_is_followed_nowhere() -> None:
    """Whatever address stands beside it: a page that explains it, say. Its words and its number are kept."""
    body = {"error": {"message": "Link has expired", "request_id": "req_123456"}, "url": "https://docs.example.com/e"}
    with UglyServer([answer(200, body)]) as gateway, client(gateway.url) as made:
        with failing(NotOfferedError, "not_a_video", "Link has expired") as caught:
            made.content("v", {})
        assert caught.value.request_id == "req_123456"


def test_a_gateway_on_this_machine_may_send_us_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """And to the open internet over https; but not to the network around it, nor by a name that only looks local."""
    Resolver(monkeypatch, storage_localhost=["127.0.0.1"], evil_localhost=["10.0.0.1"])
    with UglyServer([answer(200, b"film")]) as storage, client("http://127.0.0.1:1") as made:
        port = storage.url.rsplit(":", 1)[1]
        with made.stream(f"http://storage.localhost:{port}/film", {}) as response:
            assert response.content == b"film"
        with failing(InvalidInputError, "url_not_loopback", "evil.localhost"):
            made.stream(f"http://evil.localhost:{port}/film", {})
        with failing(NotOfferedError, "url_not_public", "10.0.0.1"):
            made.stream("https://10.0.0.1/film", {})


def test_a_base_url_that_looks_local_has_to_be_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key would go over plain http."""
    Resolver(monkeypatch, api_localhost=["93.184.216.34"])
    with client("http://api.localhost:9") as made:
        with failing(InvalidInputError, "url_not_loopback", "api.localhost"):
            made.retrieve("video_1")
        with failing(InvalidInputError, "url_not_loopback", "api.localhost"):
            made.create(CreateCall({"prompt": "x"}))


def test_plain_http_goes_to_the_private_network_alone(monkeypatch: pytest.MonkeyPatch, connected: list[str]) -> None:
    """The name leads to this network today and to the internet tomorrow: it is looked at for each connection, and
    connected to as it was looked at. Nothing of it goes through a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with UglyServer([answer(200, {"id": "video_1", "status": "queued"})]) as inside:
        port = inside.url.rsplit(":", 1)[1]
        resolver = Resolver(monkeypatch, gpu_example=["127.0.0.1", "127.0.0.1", "93.184.216.34"])
        with client(f"http://gpu.example:{port}", proxy="http://127.0.0.1:9") as made:
            assert made.create(CreateCall({"prompt": "a boat"})).id == "video_1"
            assert made.retrieve("video_1").id == "video_1"
            assert connected == ["127.0.0.1"] * 2
            for call in (lambda: made.create(CreateCall({"prompt": "a boat"})), lambda: made.retrieve("video_1"),
                         lambda: made.content("video_1", {}), made.reach):  # fmt: skip
                with failing(InvalidInputError, "url_not_private", "leads to 93.184.216.34"):
                    call()
        assert connected == ["127.0.0.1"] * 2
        assert resolver.asked == ["gpu.example"] * 6
        assert len(inside.requests) == 2


def resolves_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """gpu.example has all of these addresses at once."""
    real = socket.getaddrinfo
    found = [
        (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in addresses
    ]
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: found if host == "gpu.example" else real(host, *more, **named),
    )


@pytest.mark.parametrize(
    "addresses",
    [
        ["192.168.1.20", "93.184.216.34"],
        ["93.184.216.34"],
        ["169.254.169.254"],
        ["fe80::1"],
        ["100.64.0.1"],
        ["192.168.1.20", "169.254.169.254"],
        ["192.168.1.20", "fe80::1", "93.184.216.34"],
        ["192.168.1.20", "fec0::1"],
    ],
)
def test_all_addresses_of_plain_http_have_to_be_private(
    monkeypatch: pytest.MonkeyPatch, connected: list[str], addresses: list[str]
) -> None:
    """One that is not is enough: which of them answers is not ours to choose."""
    resolves_to(monkeypatch, addresses)
    with client("http://gpu.example") as made, failing(InvalidInputError, "url_not_private", addresses[-1]):
        made.create(CreateCall({"prompt": "a boat"}))
    assert connected == []


def test_an_address_of_a_link_is_left_out_beside_a_private_one(
    monkeypatch: pytest.MonkeyPatch, connected: list[str]
) -> None:
    """mDNS gives it for the host's name, first or last; nothing is connected to it."""
    with UglyServer([answer(200, {"id": "video_1", "status": "queued"})]) as inside:
        port = inside.url.rsplit(":", 1)[1]
        for addresses in (["fe80::1%eth0", "127.0.0.1"], ["127.0.0.1", "fe80::a9fe:a9fe"]):
            resolves_to(monkeypatch, addresses)
            with client(f"http://gpu.example:{port}") as made:
                assert made.retrieve("video_1").id == "video_1"
        assert connected == ["127.0.0.1"] * 2


def test_plain_http_opens_no_other_address(monkeypatch: pytest.MonkeyPatch, connected: list[str]) -> None:
    """Videos come from the server itself; an address elsewhere has to be https and outside of this network."""
    with UglyServer([answer(200, b"film")]) as inside:
        port = inside.url.rsplit(":", 1)[1]
        Resolver(monkeypatch, gpu_example=["127.0.0.1"])
        with client(f"http://gpu.example:{port}") as made:
            made.stream(f"http://gpu.example:{port}/videos/a.mp4", {}).close()
            for url in (f"http://other.example:{port}/a.mp4", "http://gpu.example:9/a.mp4", "http://192.168.1.20/a"):
                with failing(NotOfferedError, "url_not_https"):
                    made.stream(url, {})
            with failing(NotOfferedError, "url_not_public", "192.168.1.20"):
                made.stream("https://192.168.1.20/a.mp4", {})
        assert connected == ["127.0.0.1"]
        assert [KEY in str(request.headers) for request in inside.requests] == [False]


def test_a_proxy_gets_names_and_no_inner_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the proxy that resolves a name (SECURITY.md says so); a number is looked at before."""
    with UglyServer([answer(502, b"no way")]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        resolver = Resolver(monkeypatch, cdn_example_com=["10.0.0.1"])
        with client() as made:
            with failing(GatewayError, "proxy", "could not be downloaded"):
                made.stream("https://cdn.example.com/film", {})
            assert {request.path for request in proxy.requests} == {"cdn.example.com:443"}
            before = len(proxy.requests)
            for host in ("10.0.0.1", "127.1", "0xa9fea9fe", "localhost"):
                with failing(NotOfferedError, "url_not_public", host):
                    made.stream(f"https://{host}/film", {})
        assert len(proxy.requests) == before
        assert resolver.asked == []


def test_a_netrc_brings_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in place of ours nor to storage."""
    (tmp_path / "netrc").write_text("default login canary password stolen\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Resolver(monkeypatch, cdn_example_com=["127.0.0.1"])
    with TLSServer("cdn.example.com", tmp_path, answer(200, b"film")) as storage:
        base = f"https://cdn.example.com:{storage.port}"
        with client(base, ca_bundle=str(storage.bundle)) as made, contextlib.suppress(SoraError):
            made.retrieve("video_1")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(storage.bundle))
        with client(ranges=parse_ranges(["127.0.0.1"])) as made:
            made.stream(f"{base}/film", {}).close()
    assert [KEY.encode() in heard for heard in storage.heard] == [True, False]
    assert not any(b"Basic" in heard for heard in storage.heard)


def test_signed_addresses_are_in_no_log_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Not even when everything is logged, and not where an address stands without its host."""
    signed = "/film.mp4?X-Signature=canarysignature&e=1"

    def broken(line: socket.socket) -> None:
        line.shutdown(socket.SHUT_RDWR)

    caplog.set_level(logging.DEBUG)
    local = "http://127.0.0.1:1"
    with UglyServer([broken]) as storage, client(local) as made, pytest.raises(GatewayError) as caught:
        made.stream(storage.url + signed, {})
    assert len(storage.requests) == 1
    assert "canarysignature" not in caplog.text + str(caught.value)
    assert "canarysignature" not in redact(f"Max retries exceeded with url: {signed}")
