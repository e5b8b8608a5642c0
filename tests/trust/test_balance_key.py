"""The key that goes out in a URL: where it arrives, and where nothing of it is to be found afterwards."""

from __future__ import annotations

import http.client
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.providers import Provider
from sora_jobs.config.settings import Settings
from sora_jobs.errors import GatewayError, SoraError
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.purchasing.balance import KeyInUrl, Places, balance_of

from ..failures import failing
from ..gateway.ugly import Script, UglyServer, answer, hang_up, reset
from .canary import KEY, files_with_it, places
from .conftest import Site
from .echo import echoes
from .lines import Resolver, TLSServer
from .test_routes import ask, put

GOOD = answer(200, {"total_quota": 7.5, "total_used_quota": 1, "keys": [{"name": KEY, "remain_quota": 1}]})
LIMIT, USED = answer(200, {"hard_limit_usd": 100000000}), answer(200, {"total_usage": 5})


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    yield Settings(home=tmp_path / "home", output=tmp_path / "output", env={"COMETAPI_KEY": KEY})


def asked(settings: Settings, own: str, account: str, **more: Any) -> Any:
    """The account's balance, or the error, at these places."""
    provider = Provider(name="cometapi", base_url=own, key_variable="COMETAPI_KEY", **more)
    try:
        return balance_of(
            provider, settings.read(), Ledger(settings.home), account=True, places=Places(own=own, account=account)
        )
    except SoraError as error:
        return error


def all_of(found: object) -> str:
    """Everything that a program could write of it, also what an error came from."""
    text = f"{found} {found!r} {vars(found)}"
    if isinstance(found, BaseException):
        text += "".join(traceback.format_exception(found))
        assert found.__context__ is None
        assert found.__cause__ is None
    return text


def loud(line: Any) -> None:
    """What it was asked for, in the headers, in the reason and in the body."""
    said = KEY.replace('"', "%22").replace("&", "%26")
    line.sendall(f"HTTP/1.1 500 {said}\r\nX-Asked: {said}\r\nContent-Length: 3\r\n\r\nkey".encode())


FATES: dict[str, Script] = {
    "good": GOOD, "401": answer(401, {"error": {"message": KEY}}), "hung up": hang_up, "reset": reset, "loud": loud,
    "redirect": answer(302, b"", [("Location", "https://evil.example/user/quota")]), "cut": answer(200, b"{", length=9),
    "page": answer(200, f"<html>{KEY}".encode()), "text": answer(200, KEY.encode()),
    "no HTTP": KEY.encode() + b"\r\n\r\n",
    "error": answer(200, {"error": KEY}), "packed": answer(200, KEY.encode(), [("Content-Encoding", "gzip")]),
}  # fmt: skip


@pytest.mark.parametrize("fate", FATES)
def test_the_key_in_the_url_is_in_no_log_error_or_answer(
    settings: Settings, fate: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Everything is logged; whatever happens to the call, and whatever the other end says of it."""
    with UglyServer([LIMIT]) as own, UglyServer([FATES[fate]]) as account:
        found = asked(settings, own.url, account.url)
    (request,) = account.requests
    assert parse_qs(urlsplit(request.path).query) == {"key": [KEY]}  # it did go out, and arrived as it is
    assert own.requests == []
    assert isinstance(found, GatewayError) == (fate != "good")
    heard = [caplog.text, *map(str, caplog.records), *(str(record.args) for record in caplog.records), all_of(found)]
    assert [place for text in heard for place in places(text)] == []
    assert list(files_with_it(tmp_path)) == []


def test_urllib3_would_have_logged_it(caplog: pytest.LogCaptureFixture) -> None:
    """Else the silence of the log would prove nothing."""
    import requests

    with UglyServer([answer(200, b"{}")]) as other:
        requests.get(other.url, params={"key": KEY}, timeout=5)
    assert places(caplog.text)


def test_nothing_is_followed_and_nobody_else_is_asked(settings: Settings) -> None:
    """A redirect to another host, to the provider's own origin, or within the same host."""
    with UglyServer([GOOD]) as evil, UglyServer([LIMIT]) as own:
        for location in (f"{evil.url}/user/quota?key=x", "/user/quota/", own.url):
            for status in (301, 302, 307, 308):
                with UglyServer([answer(status, b"{}", [("Location", location)]), GOOD]) as account:
                    found = asked(settings, own.url, account.url)
                assert isinstance(found, GatewayError)
                assert f"HTTP {status}" in found.message
                assert len(account.requests) == 1
        assert evil.requests + own.requests == []


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/user/quota", "http://query.cometapi.com/user/quota", "https://query.cometapi.com:444/x",
     "https://query.cometapi.com.evil.example/", "https://evil.example\\@query.cometapi.com/"],
)  # fmt: skip
def test_the_key_is_put_into_the_exact_origins_url_alone(url: str) -> None:
    import requests

    request = requests.PreparedRequest()
    request.url = url
    with failing(GatewayError, "key_not_for_origin", charge="none"):
        KeyInUrl(KEY, "https://query.cometapi.com")(request)
    assert request.url == url
    assert places(repr(KeyInUrl(KEY, "https://query.cometapi.com"))) == []


def test_it_goes_over_tls_to_whoever_has_the_name(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's headers and authorities, which are for the provider's own origin, are left out; a server with a
    certificate of nobody's, or for another name, hears nothing of the key."""
    Resolver(monkeypatch, query_cometapi_com=["127.0.0.1"])
    with TLSServer("query.cometapi.com", tmp_path, GOOD) as account, TLSServer("evil.example", tmp_path, GOOD) as evil:
        more: dict[str, Any] = {"headers": (("X-Cost-Centre", "team-a-secret"),), "ca_bundle": str(account.bundle)}
        good, bad = (f"https://query.cometapi.com:{port}" for port in (account.port, evil.port))
        refused = asked(settings, "https://api.cometapi.com", good, **more)
        assert (isinstance(refused, GatewayError), refused.kind) == (True, "tls")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(account.bundle))
        assert asked(settings, "https://api.cometapi.com", good, **more).left_usd == 7.5
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(evil.bundle))
        wrong = asked(settings, "https://api.cometapi.com", bad, **more)
        assert (isinstance(wrong, GatewayError), wrong.kind) == (True, "tls")
        assert [place for found in (refused, wrong) for place in places(all_of(found))] == []
        (heard,) = account.heard
        assert heard.startswith(b"GET /user/quota?key=")
        assert b"team-a-secret" not in heard
        assert b"Authorization" not in heard
        assert evil.heard == []


def test_a_proxy_hears_the_host_and_nothing_of_the_url(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked for a tunnel; and one that refuses it puts nothing into an error."""
    with UglyServer([answer(502, b"no way")]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        found = asked(settings, "https://api.cometapi.com", "https://query.cometapi.com")
    assert {(one.method, one.path) for one in proxy.requests} == {("CONNECT", "query.cometapi.com:443")}
    assert found.kind == "proxy"
    assert places(all_of(found) + caplog.text + str(proxy.requests)) == []


@pytest.mark.parametrize("arguments", [["--account"], ["--account", "--json"], [], ["--json"]])
@pytest.mark.parametrize("given", [GOOD, answer(401, {"error": KEY}), hang_up])
def test_the_shell_shows_nothing_of_it(
    settings: Settings,
    arguments: list[str],
    given: Script,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with UglyServer([LIMIT, USED] if given is GOOD else [given]) as own, UglyServer([given]) as account:
        monkeypatch.setattr("sora_jobs.purchasing.balance.PLACES", Places(own=own.url, account=account.url))
        for name, value in {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": own.url}.items():
            monkeypatch.setenv(name, value)
        assert main(["balance", *arguments, "--home", str(settings.home)]) == (0 if given is GOOD else 6)
        asked_at = account if "--account" in arguments else own
        assert asked_at.requests
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert places(printed.out + printed.err + caplog.text) == []
    assert list(files_with_it(settings.home)) == []


# -- the route --------------------------------------------------------------------------------------------------------

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def comet(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, UglyServer, UglyServer]]:
    """The routes, with servers in the places of CometAPI's two origins."""
    with UglyServer([LIMIT, USED]) as own, UglyServer([GOOD]) as account:
        balance = site.pack.module("sora_jobs.purchasing.balance")
        monkeypatch.setattr(balance, "PLACES", balance.Places(own=own.url, account=account.url))
        monkeypatch.setenv("COMETAPI_BASE_URL", own.url)
        monkeypatch.setenv("COMETAPI_KEY", KEY)
        yield site, own, account


def test_the_page_asks_and_is_told_two_numbers(
    comet: tuple[Site, UglyServer, UglyServer], caplog: pytest.LogCaptureFixture
) -> None:
    """The second origin only where that was asked for; nothing is kept, and nothing of the key is told."""
    site, own, account = comet
    before = {path for path in site.folder.rglob("*") if path.is_file()}
    status, said, headers = put(site, "/sora/balance", {"provider": "cometapi"}, headers=OWN | {"Origin": site.url})
    found = json.loads(said)
    assert (status, found["of"], found["unlimited"], found["used_usd"]) == (200, "key", True, 0.05)
    assert (len(own.requests), account.requests) == (2, [])
    status, more, _ = put(site, "/sora/balance", {"provider": "cometapi", "account": True})
    found = json.loads(more)
    assert (status, found["of"], found["left_usd"], len(account.requests)) == (200, "account", 7.5, 1)
    names = {"provider", "of", "host", "asked_at", "left_usd", "used_usd", "unlimited", "next_usd", "next_by", "short"}
    assert found.keys() == names | {"now"}
    assert headers["Cache-Control"] == "no-store"
    account.answers[:] = [answer(401, {"error": KEY})]
    status, refused, _ = put(site, "/sora/balance", {"provider": "cometapi", "account": True})
    assert status == 502
    assert places(said + more + refused) + places(caplog.text) == []
    assert {path for path in site.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400), ({"provider": 7}, 400), ({"provider": "cometapi", "account": "yes"}, 400),
        ({"provider": "nobody"}, 400), ({"provider": "sandbox"}, 400), ({"provider": "../keys/cometapi"}, 400),
    ],
)  # fmt: skip
def test_what_is_no_question_asks_nobody(
    comet: tuple[Site, UglyServer, UglyServer], body: dict[str, Any], status: int
) -> None:
    site, own, account = comet
    assert put(site, "/sora/balance", body)[0] == status
    assert own.requests + account.requests == []


def test_the_balance_is_for_this_machine_alone(
    comet: tuple[Site, UglyServer, UglyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As keys are: not for a stranger on the network, nor through a proxy, nor for another page; no GET asks; unless
    its owner allows it from elsewhere."""
    from aiohttp import web
    from comfy.cli_args import args

    site, own, account = comet
    body = {"provider": "cometapi", "account": True}
    assert put(site, "/sora/balance", body, headers={"X-Forwarded-For": "8.8.8.8"})[0] == 400
    assert put(site, "/sora/balance", body, headers={"Origin": "https://evil.example"})[0] == 403
    assert put(site, "/sora/balance", body, headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(site, "GET", "/sora/balance?provider=cometapi&account=true")[0] == 405
    assert ask(site, "POST", "/sora/balance", {"Content-Type": "text/plain"}, b'{"provider": "cometapi"}')[0] == 415
    monkeypatch.setattr(args, "listen", "0.0.0.0")
    monkeypatch.setattr(web.BaseRequest, "remote", "192.168.1.77")
    assert put(site, "/sora/balance", body)[0] == 400
    assert own.requests + account.requests == []
    site.home.mkdir(exist_ok=True)
    (site.home / "settings.toml").write_text("[page]\nallow_remote_changes = true\n", encoding="utf-8")
    assert put(site, "/sora/balance", body)[0] == 200


def test_a_gateway_that_repeats_all_it_heard_leaks_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """In each spelling that is hunted for."""
    with UglyServer([answer(200, b"")]) as own, UglyServer([answer(200, b"")]) as account:
        asked(settings, own.url, account.url)
        (heard,) = account.requests
        heard.headers["authorization"] = heard.path
        account.answers[:] = [answer(400, echoes(heard).encode()), answer(200, echoes(heard).encode())]
        found = [asked(settings, own.url, account.url) for _ in range(2)]
    assert all(isinstance(one, GatewayError) for one in found)
    assert [place for one in found for place in places(all_of(one))] + places(caplog.text) == []
