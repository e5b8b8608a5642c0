"""The doctor's look at a gateway: from its name to its models, each line with its cure, and nothing bought."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.diagnostics.findings import Finding
from sora_jobs.engine import Engine
from sora_jobs.gateway.client import Client

from ..gateway.ugly import Script, UglyServer, answer

Lines = Callable[..., list[Finding]]
KEY = "sk-canary-key-123456"
NOWHERE = "https://cometapi.invalid"  # the doctor looks there without a key, too
MODELS = {"object": "list", "data": [{"id": "sora-2"}, {"id": "wan2.7"}, {"id": "another"}]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def lines(home: Path, tmp_path: Path) -> Iterator[Lines]:
    """The lines about the provider `mine`, whose row is given."""

    def examined(row: str, **env: str) -> list[Finding]:
        (home / "providers.toml").write_text(f'[provider.mine]\nkey_variable = "MINE_KEY"\n{row}\n', encoding="utf-8")
        engine = Engine(home, tmp_path / "output", env={"MINE_KEY": KEY, "COMETAPI_BASE_URL": NOWHERE} | env)
        try:
            found = examine(engine)
        finally:
            engine.close()
        assert KEY not in json.dumps([finding.text for finding in found])
        return [finding for finding in found if finding.name in ("mine", "clock", "providers")]

    yield examined


def test_a_limit_of_jobs_at_once_is_told(lines: Lines) -> None:
    """Who wonders why a job is not sent finds the reason."""
    with UglyServer([answer(200, {"data": []})]) as server:
        found = lines(f'base_url = "{server.url}"\nat_once = 2')
        assert [one.level for one in found if "at most 2 jobs at once" in one.text] == ["ok"]
        assert not any("at once" in one.text for one in lines(f'base_url = "{server.url}"'))


def test_the_fields_that_the_owner_opened_are_told(lines: Lines) -> None:
    """They are the owner's choice, and what any workflow can then send should be seen. A fault in them is named."""
    with UglyServer([answer(200, MODELS)]) as server:
        found = lines(f'base_url = "{server.url}"\nextra_fields = ["n", {{ name = "lora", values = ["film"] }}]')
        assert any(one.level == "ok" and "n, lora" in one.text for one in found if one.name == "mine")
        wrong = lines(f'base_url = "{server.url}"\nextra_fields = "lora"')
    (fault,) = [one for one in wrong if one.name == "providers"]
    assert (fault.level, "extra_fields is not right" in fault.text) == ("failed", True)


ANSWERS: dict[str, tuple[Script, str, str]] = {
    "a gateway": (
        answer(200, MODELS),
        "ok",
        "answers HTTP 200; beside the usual calls it has: remix, list; looked at: DNS, key",
    ),
    "a gateway with a clock": (
        answer(200, MODELS, [("Date", formatdate(time.time()))]),
        "ok",
        "looked at: DNS, clock, key",
    ),
    "nothing": (answer(200, b""), "failed", "HTTP 200, and not with a list of models: check base_url"),
    "XML": (answer(200, b"<?xml version='1.0'?><Error/>"), "failed", "and not with a list of models"),
    "text": (answer(200, b"It works!"), "failed", "and not with a list of models"),
    "an error with HTTP 200": (
        answer(200, {"code": "odd_code", "message": "no", "data": None}),
        "failed",
        "and not with a list of models but with odd_code",
    ),
    "no balance with HTTP 200": (
        answer(200, {"error": {"code": "insufficient_user_quota", "message": "0"}}),
        "failed",
        "HTTP 200, insufficient_user_quota: Top up the account",
    ),
    "no balance": (
        answer(403, {"error": {"code": "insufficient_user_quota", "message": "0"}}),
        "failed",
        "HTTP 403, insufficient_user_quota: Top up the account",
    ),
    "busy": (
        answer(403, {"error": {"code": "upstream_load_saturated", "message": "later"}}),
        "warning",
        "HTTP 403, upstream_load_saturated: The gateway is busy",
    ),
    "its models": (answer(200, MODELS), "ok", "lists 2 models of the catalogue: sora-2, wan2.7"),
    "none of ours": (answer(200, {"data": [{"id": "llama"}]}), "warning", "into custom_model"),
    "a page": (
        answer(200, b"<!DOCTYPE html><html></html>"),
        "failed",
        "with a web page, not with JSON: check base_url",
    ),
    "a redirect": (
        answer(301, b"", [("Location", "https://www.example.com/")]),
        "failed",
        "redirect to www.example.com",
    ),
    "a wrong key": (answer(401, {"error": {"message": KEY}}), "failed", "HTTP 401: check the key"),
    "no list": (answer(404, {"detail": "Not Found"}), "warning", "it has no list of models, or base_url"),
    "trouble": (answer(503, b""), "warning", "HTTP 503: it is in trouble"),
    "a clock": (
        answer(200, MODELS, [("Date", formatdate(time.time() + 3600))]),
        "warning",
        "behind that of mine: set it",
    ),
    "silence": (lambda _: None, "failed", "Check that something listens"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_has_its_line(lines: Lines, name: str) -> None:
    """What is wrong, and what cures it; asked once, with the call that costs nothing."""
    script, level, says = ANSWERS[name]
    with UglyServer([script]) as server:
        found = lines(f'base_url = "{server.url}"\nremix = true\nlist = true')
        assert any(finding.level == level and says in finding.text for finding in found), found
        assert {(request.method, request.path) for request in server.requests} == {("GET", "/v1/models")}


def test_a_name_that_nobody_knows(lines: Lines) -> None:
    """Told before anything is asked."""
    (found,) = lines('base_url = "https://videos.nowhere.invalid"')
    assert found.level == "failed"
    assert "has no address" in found.text
    assert "name server (DNS)" in found.text


def test_a_closed_port(lines: Lines) -> None:
    """The address is there, and nothing listens."""
    (found,) = lines('base_url = "http://127.0.0.1:9"')
    assert (found.level, "Check that something listens" in found.text) == ("failed", True)


@pytest.mark.parametrize(
    ("row", "level", "says"),
    [
        ("insecure = true", "warning", "reads the key"),
        ("key = false", "ok", "are not encrypted"),
        ('key = false\nheaders = { X-Tenant = "a" }', "warning", "reads the extra headers"),
    ],
)
def test_plain_http_in_the_private_network_is_told(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, row: str, level: str, says: str
) -> None:
    """With what is better; a warning where somebody could read a secret. No proxy is looked at."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: real(
        "127.0.0.1" if host == "gpu.example" else host, *more, **named))  # fmt: skip
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with UglyServer([answer(200, MODELS)]) as server:
        found = lines(f'base_url = "{server.url.replace("127.0.0.1", "gpu.example")}"\n{row}')
        assert (found[0].level, says in found[0].text, "ssh tunnel" in found[0].text) == (level, True, True)
        assert any(one.level == "ok" and "answers HTTP 200" in one.text for one in found)
        assert len(server.requests) == 1


def test_plain_http_that_leads_elsewhere_is_told(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the doctor as by a purchase."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert any(one.level == "failed" and "93.184.216.34" in one.text for one in lines(
        'base_url = "http://gpu.example"\nkey = false'))  # fmt: skip


def test_a_proxy_is_named_without_its_password(lines: Lines) -> None:
    """And when it does not let us through, it is what has to be looked at."""
    with UglyServer([answer(407, b"")]) as server:
        proxy = server.url.replace("http://", "http://user:hunter2secret@")
        found = lines(f'base_url = "https://videos.nowhere.invalid"\nproxy = "{proxy}"')
    assert "goes through the proxy" in found[0].text
    assert "hunter2secret" not in str(found)
    assert found[1].level == "failed"
    assert "HTTPS_PROXY" in found[1].text


@pytest.mark.parametrize(
    "proxy",
    [
        "proxyuser:hunter2secret@127.0.0.1:9",
        "http://user:hunter2@secret@127.0.0.1:9",
        "http://user:hunter2/se#cret@127.0.0.1:9",
        "http://127.0.0.1:9/hunter2?secret",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_variables_is_its_host_and_port(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str
) -> None:
    """However it is written: with no scheme, with an @ in its password, for all schemes at once."""
    monkeypatch.setenv(variable, proxy)
    found = lines('base_url = "https://videos.nowhere.invalid"')
    assert (found[0].level, found[0].text) == ("ok", "goes through the proxy 127.0.0.1:9")
    assert all(secret not in str(found) for secret in ("hunter2", "secret"))


def test_a_redirect_is_shown_by_its_host(lines: Lines) -> None:
    """A password may stand before it, and what is no address at all breaks nothing."""
    for where, shown in (
        ("https://user:hunter2@www.example.com:8443/x", "www.example.com:8443"),
        ("https://[x/", "[x"),
    ):
        with UglyServer([answer(301, b"", [("Location", where)])]) as server:
            found = lines(f'base_url = "{server.url}"')
        assert f"a redirect to {shown}:" in str(found)
        assert "hunter2" not in str(found)


def about_cometapi(home: Path, tmp_path: Path, **env: str) -> list[Finding]:
    engine = Engine(home, tmp_path / "output", env=env)
    try:
        return [finding for finding in examine(engine) if finding.name in ("cometapi", "clock")]
    finally:
        engine.close()


def test_without_a_key_all_the_rest_is_looked_at(home: Path, tmp_path: Path) -> None:
    """CometAPI's own list is public: its name, connection, clock and base URL are known to be right before a key is."""
    rows = {"success": True, "data": [{"id": "sora-2"}, {"id": "wan2.7"}]}
    with UglyServer([answer(200, rows, [("Date", formatdate(time.time() - 900))])]) as server:
        key, there, clock, models = about_cometapi(home, tmp_path, COMETAPI_BASE_URL=server.url)
        assert [request.path for request in server.requests] == ["/api/models"]
        assert "authorization" not in server.requests[0].headers
    assert (key.level, "COMETAPI_KEY" in key.text) == ("warning", True)
    assert (there.level, there.text.endswith("looked at: DNS, clock")) == ("ok", True)
    assert "s ahead of that of cometapi: set it" in clock.text
    assert models.text == "lists 2 models of the catalogue: sora-2, wan2.7"


def test_without_a_key_what_is_wrong_is_told_and_fails_nothing(home: Path, tmp_path: Path) -> None:
    """Who needs only the sandbox has no trouble; who is about to set a key learns of the rest."""
    with UglyServer([answer(200, b"<!DOCTYPE html><html></html>")]) as server:
        found = about_cometapi(home, tmp_path, COMETAPI_BASE_URL=server.url)
    assert [finding.level for finding in found] == ["warning", "warning"]
    assert "with a web page, not with JSON: check COMETAPI_BASE_URL" in found[1].text


def test_a_gateway_that_wants_a_key_and_gets_none(lines: Lines) -> None:
    """It answers, so the way to it is right."""
    with UglyServer([answer(401, {"error": {"message": "no key", "code": "invalid_api_key"}})]) as server:
        found = lines(f'base_url = "{server.url}"', MINE_KEY="")
    assert [finding.level for finding in found] == ["warning", "ok"]
    assert "HTTP 401, since it wants a key; looked at: DNS" in found[1].text


def test_a_look_that_breaks_leaves_the_others(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is a line, and no end."""
    monkeypatch.setattr(Client, "reach", lambda *_, **__: 1 / 0)
    with UglyServer([answer(200, MODELS)]) as server:
        row = f'base_url = "{server.url}"'
        found = lines(f"{row}\n[provider.providers]\n{row}\nkey = false")
    assert [(finding.name, finding.level) for finding in found] == [("mine", "failed"), ("providers", "failed")]
    assert "ZeroDivisionError" in found[0].text


def test_every_mistake_of_the_file_has_its_line(lines: Lines, home: Path) -> None:
    """Not only the first one."""
    row = 'base_url = "https://x.org"\npolls = 3\n[provider.b]\nbase_url = "http://example.com"'
    found = [finding for finding in lines(row) if finding.name == "providers"]
    assert [finding.level for finding in found] == ["failed", "failed"]
    assert "polls is not understood" in found[0].text
    assert "plain http" in found[1].text
