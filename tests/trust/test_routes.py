"""The routes under attack: other pages, rebound names, strangers on the network, proxies, and bodies that are none."""

from __future__ import annotations

import errno
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest

from ..failures import WORDING
from ..readings import FILES, counted_readings
from ..systems import others_may_read
from .conftest import Site

READS = [
    "/sora/jobs", "/sora/history", "/sora/history/{id}", "/sora/history/{id}/thumbnail", "/sora/of_file/{sha256}",
    "/sora/models", "/sora/models/nearest", "/sora/news", "/sora/settings", "/sora/costs",
]  # fmt: skip
ACTS = [
    "/sora/history/{id}/reconcile", "/sora/history/{id}/ask", "/sora/history/{id}/aside", "/sora/history/{id}/again",
    "/sora/history/{id}/cancel", "/sora/history/{id}/project", "/sora/quote", "/sora/models/refresh",
    "/sora/settings", "/sora/keys", "/sora/balance", "/sora/doctor",
]  # fmt: skip
KEY = {"provider": "cometapi", "key": "sk-planted-by-a-stranger"}
JSON = {"Content-Type": "application/json"}
LARGEST = 64 << 10  # bytes of a body


def ask(
    site: Site, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", host: str | None = ""
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """One request as it is written here: `host` "" is the right one, None sends none."""
    line = http.client.HTTPConnection("127.0.0.1", urlsplit(site.url).port, timeout=20)
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    if host is not None:
        line.putheader("Host", host or urlsplit(site.url).netloc)
    for name, value in (headers or {}).items():
        line.putheader(name, value)
    if body or method == "POST":
        line.putheader("Content-Length", str(len(body)))
    line.endheaders(body)
    answer = line.getresponse()
    given = answer.status, answer.read(), answer.headers
    line.close()
    return given


def put(site: Site, path: str, body: Any, **more: Any) -> tuple[int, bytes, http.client.HTTPMessage]:
    headers = JSON | more.pop("headers", {})
    return ask(site, "POST", path, headers, json.dumps(body).encode(), **more)


@pytest.fixture
def untouched(site: Site) -> Iterator[Site]:
    """Nothing is there afterwards that was not there before."""
    before = everything(site)
    yield site
    assert everything(site) == before


def everything(site: Site) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}


def named(path: str) -> str:
    return path.replace("{id}", "abc123").replace("{sha256}", "0" * 64)


def test_these_are_all_routes_that_there_are(site: Site) -> None:
    """As few as can be: a new one is a decision, taken here first. Whatever changes something is a POST."""
    there = {(route.method, route.path) for route in site.pack.module("host.http").routes}
    assert there == {("GET", path) for path in READS} | {("POST", path) for path in ACTS}


@pytest.mark.parametrize("path", READS + ACTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "POST", "BREW"])
def test_every_method_gets_a_plain_answer(untouched: Site, method: str, path: str) -> None:
    """No effect by any but POST, and by POST none without JSON; never an error of the server's."""
    status, _, _ = ask(untouched, method, named(path))
    reads = path in READS and method in ("GET", "HEAD")
    assert status < 500
    assert reads or status in ((415,) if method == "POST" and path in ACTS else (405, 400))  # 400: no method at all


FOREIGN: list[dict[str, str]] = [
    {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "http://localhost:1"}, {"Origin": ""},
    {"Origin": "HTTP://EVIL.EXAMPLE"}, {"Origin": "file://"}, {"Origin": "chrome-extension://abcdef"},
    {"Origin": "http://127.0.0.1"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "http://127.0.0.1.evil.example:PORT"},
    {"Origin": "http://evil.example@127.0.0.1:1"}, {"Origin": "ws://127.0.0.1:PORT"}, {"Origin": "127.0.0.1:PORT"},
    {"Origin": "http://[::1"}, {"Origin": "http://127.0.0.1:PORT/"}, {"Origin": "http://127.0.0.1:PORT, http://evil"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "whatever"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: str(headers))
def test_another_page_sees_and_does_nothing(untouched: Site, headers: dict[str, str]) -> None:
    """On any route, with any content type."""
    port = str(urlsplit(untouched.url).port)
    headers = {name: value.replace("PORT", port) for name, value in headers.items()}
    for path in READS:
        status, said, _ = ask(untouched, "GET", named(path), headers)
        assert status == 403
        assert set(json.loads(said)) <= {"error", "host"}
    for path in ACTS:
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            status, _, given = ask(untouched, "POST", named(path), headers | {"Content-Type": kind}, b"{}")
            assert status == 403
            assert not [name for name in given if name.lower().startswith("access-control")]


HOSTS = [
    ("127.0.0.1:PORT", 200), ("127.0.0.1", 200), ("localhost:PORT", 200), ("LOCALHOST", 200), ("[::1]:8188", 200),
    ("[::1]", 200), ("localhost.", 200), ("a.localhost:1", 200), ("evil.example", 403), ("evil.example:PORT", 403),
    ("127.0.0.1.evil.example", 403), ("evil.example@127.0.0.1", 403), ("127.0.0.1#evil.example", 403),
    ("127.0.0.1/evil.example", 403), ("192.168.1.5:8188", 403), ("0.0.0.0:8188", 403), ("[::2]", 403), ("[::1", 403),
    ("127.0.0.1:notaport", 403), ("", 403), (None, 403), (" ", 403), ("a" * 300, 403), ("127.0.0.1, evil", 403),
]  # fmt: skip


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_a_rebound_name_is_refused_on_loopback(untouched: Site, host: str | None, status: int) -> None:
    """A page of somebody's whose name leads to this machine has no foreign Origin: its Host is what tells it."""
    port = str(urlsplit(untouched.url).port)
    given = None if host is None else host.replace("PORT", port) or " "
    answered = ask(untouched, "GET", "/sora/settings", host=given)[0]
    assert answered == status or (status == 403 and answered == 400)  # aiohttp's own, for what is no Host at all


def test_two_hosts_are_none(untouched: Site) -> None:
    """Whichever of them a proxy would have looked at."""
    evil = {"Host": "evil.example"}
    assert ask(untouched, "GET", "/sora/settings", evil)[0] in (400, 403)


def test_on_a_network_the_origin_has_to_be_the_host(untouched: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tunnels and rented machines work: any name, as long as the page came by it; or one that the owner names."""
    from comfy.cli_args import args

    monkeypatch.setattr(args, "listen", "0.0.0.0,::")
    name = "machine.example:8188"
    assert ask(untouched, "GET", "/sora/jobs", host=name)[0] == 200
    assert ask(untouched, "GET", "/sora/jobs", {"Origin": f"http://{name}"}, host=name)[0] == 200
    assert ask(untouched, "GET", "/sora/jobs", {"Origin": f"https://{name.upper()}"}, host=name)[0] == 200
    for origin in ("http://machine.example", "http://machine.example:1", "http://evil.example", "null"):
        assert ask(untouched, "GET", "/sora/jobs", {"Origin": origin}, host=name)[0] == 403


def test_the_owner_names_other_hosts(site: Site) -> None:
    """By which a tunnel leads here; an empty name opens nothing, and a slip in the file opens nothing."""
    site.home.mkdir()
    tunnel, headers = "comfy.example.com", {"Origin": "https://comfy.example.com"}
    assert ask(site, "GET", "/sora/jobs", headers, host=tunnel)[0] == 403
    (site.home / "settings.toml").write_text('[page]\nallowed_hosts = ["Comfy.example.com", ""]\n', encoding="utf-8")
    assert ask(site, "GET", "/sora/jobs", headers, host=tunnel)[0] == 200
    assert ask(site, "GET", "/sora/jobs", headers)[0] == 200  # a tunnel that gives its own Host
    assert ask(site, "GET", "/sora/jobs", {"Origin": "null"}, host=tunnel)[0] == 403
    assert ask(site, "GET", "/sora/jobs", {"Origin": "https://evil.example"}, host=tunnel)[0] == 403
    (site.home / "settings.toml").write_text('[page]\nallowed_hosts = "comfy.example.com"\n', encoding="utf-8")
    assert ask(site, "GET", "/sora/jobs", headers, host=tunnel)[0] == 400


BLOCKED: list[tuple[dict[str, str], str | None, str]] = [
    ({}, "comfy.example.com", "comfy.example.com"),
    ({}, "Comfy.Example.com.:8188", "comfy.example.com"),
    ({"Origin": "https://comfy.example.com"}, "comfy.example.com", "comfy.example.com"),
    ({"Origin": "https://comfy.example.com"}, "", "comfy.example.com"),  # a proxy that writes its own Host
    ({}, "192.168.1.5:8188", "192.168.1.5"),
    ({}, "[fd00::5]:8188", "fd00::5"),
    # What is no name is not repeated, and nobody is told to allow what every page can send.
    ({}, "<script>alert(1)</script>", ""), ({}, "a\"b", ""), ({}, "a" * 300, ""), ({}, "evil%0d%0a.example", ""),
    ({"Origin": "https://evil<b>.example"}, "", ""), ({"Origin": 'https://a"b.example'}, "", ""),
    ({"Origin": "null"}, "", ""), ({"Origin": "http://localhost:1"}, "", ""), ({"Origin": "ftp://a.example"}, "", ""),
    ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "name", "seen"), BLOCKED)
def test_a_tunnels_name_is_told_and_nothing_else(
    site: Site, headers: dict[str, str], name: str, seen: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The response names the host that was seen and what allows it, and no path of this machine; the log has the file
    and the line, once. That line, written there, lets the page in."""
    site.home.mkdir()
    (site.home / "settings.toml").write_text('language = "vi"\n[page]\nallowed_hosts = ["b.example"]\n', "utf-8")
    for _ in range(2):
        status, said, _ = ask(site, "GET", "/sora/jobs", headers, host=name)
        assert status == 403 or (not seen and status == 400)  # aiohttp's own, for what is no Host at all
    if not seen:
        assert status == 400 or json.loads(said) == {"error": "Only ComfyUI's own page may ask for this."}
        assert caplog.records == []
        assert site.pack.module("web.access").blocked == {}
        return
    told = json.loads(said)
    assert (told["host"], set(told)) == (seen, {"error", "host"})
    assert seen in told["error"]
    assert "allowed_hosts" in told["error"]
    assert str(site.folder) not in said.decode()
    (line,) = [record.getMessage() for record in caplog.records]
    allowing = f'allowed_hosts = ["b.example", "{seen}"]'
    assert line.endswith(f"under [page] in {site.home / 'settings.toml'}: {allowing}")
    (site.home / "settings.toml").write_text(f"[page]\n{allowing}\n", encoding="utf-8")
    assert ask(site, "GET", "/sora/jobs", headers, host=name)[0] == 200


def test_the_doctor_names_the_file_and_the_line(site: Site) -> None:
    """Of each name that was refused; of none any more once it is allowed."""
    site.home.mkdir()
    assert ask(site, "GET", "/sora/jobs", host="comfy.example.com")[0] == 403

    def page() -> list[tuple[str, str]]:
        found = json.loads(put(site, "/sora/doctor", {})[1])["findings"]
        return [(finding["level"], finding["text"]) for finding in found if finding["name"] == "page"]

    ((level, text),) = page()
    line = '[page] in {}: allowed_hosts = ["comfy.example.com"]'.format(site.home / "settings.toml")
    assert (level, line in text) == ("warning", True)
    (site.home / "settings.toml").write_text('[page]\nallowed_hosts = ["comfy.example.com"]\n', encoding="utf-8")
    ((level, text),) = page()
    assert (level, "comfy.example.com" in text) == ("ok", True)


def test_made_up_names_fill_no_log(untouched: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A name that was rebound to this machine costs nothing, and each gets its refusal."""
    for number in range(40):
        assert json.loads(ask(untouched, "GET", "/sora/jobs", host=f"a{number}.example")[1])["host"]
    assert len(caplog.records) == untouched.pack.module("web.access").MOST_NAMED


def test_a_page_from_elsewhere_is_told_no_path(site: Site) -> None:
    """Why it may not change keys and money: the file's name is enough for whoever owns the machine."""
    through = {"X-Forwarded-For": "203.0.113.9"}
    for said in (
        put(site, "/sora/keys", KEY, headers=through)[1],
        put(site, "/sora/settings", {"usd_per_day": 1}, headers=through)[1],
        json.dumps(json.loads(ask(site, "GET", "/sora/settings", through)[1])["why"]).encode(),
    ):
        assert b"settings.toml" in said
        assert str(site.folder).encode() not in said


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json", 400), ("application/json; charset=utf-8", 400), ("Application/JSON", 400), ("", 415),
     ("text/plain", 415), ("text/json", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415),
     ("application/json, text/plain", 415), ("text/plain; application/json", 415), ("application/jsonp", 415)],
)  # fmt: skip
def test_only_json_has_an_effect(untouched: Site, kind: str, status: int) -> None:
    """A form of another page cannot send it without asking first. (Here the body is no object, so 400 is a yes.)"""
    headers = {"Content-Type": kind} if kind else {}
    assert ask(untouched, "POST", "/sora/keys", headers, b"[]")[0] == status


PROXIES = [
    {"X-Forwarded-For": "203.0.113.9"}, {"x-forwarded-for": "127.0.0.1"}, {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Via": "1.1 proxy"}, {"CF-Connecting-IP": "127.0.0.1"},
    {"True-Client-IP": "x"}, {"X-Client-IP": "x"}, {"X-Cluster-Client-Ip": "x"}, {"Tailscale-User-Login": "x"},
    {"X-Original-Host": "x"}, {"X-Envoy-External-Address": "x"}, {"X-Forwarded": ""},
]  # fmt: skip


@pytest.mark.parametrize("headers", PROXIES, ids=lambda headers: next(iter(headers)))
def test_who_comes_through_a_proxy_changes_no_key(untouched: Site, headers: dict[str, str]) -> None:
    """From wherever he says that he comes; the refusal says how the owner would allow it."""
    status, said, _ = put(untouched, "/sora/keys", KEY, headers=headers)
    assert status == 400
    assert json.loads(said)["code"] == "local_only"
    assert re.search(WORDING["local_only"], json.loads(said)["error"])
    assert json.loads(ask(untouched, "GET", "/sora/settings", headers)[1])["may"]["keys"] is False


def test_a_proxy_that_says_nothing_is_known_by_its_pages_name(site: Site) -> None:
    """nginx as it comes: it asks as 127.0.0.1 from 127.0.0.1, and the browser's Origin is all that is left."""
    site.home.mkdir()
    (site.home / "settings.toml").write_text('[page]\nallowed_hosts = ["comfy.example.com"]\n', encoding="utf-8")
    through = {"Origin": "https://comfy.example.com"}
    assert ask(site, "GET", "/sora/jobs", through)[0] == 200
    assert put(site, "/sora/keys", KEY, headers=through)[0] == 400
    assert put(site, "/sora/keys", KEY, host="comfy.example.com")[0] == 400
    assert not (site.home / "keys").exists()
    (site.home / "settings.toml").write_text(
        '[page]\nallowed_hosts = ["comfy.example.com"]\nallow_remote_changes = true\n', encoding="utf-8"
    )
    assert put(site, "/sora/keys", KEY, headers=through)[0] == 200


def test_who_is_not_on_this_machine_changes_no_key(untouched: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import web
    from comfy.cli_args import args

    monkeypatch.setattr(args, "listen", "0.0.0.0")
    monkeypatch.setattr(web.BaseRequest, "remote", "192.168.1.77")
    assert put(untouched, "/sora/keys", KEY)[0] == 400
    monkeypatch.setattr(web.BaseRequest, "remote", None)
    assert put(untouched, "/sora/keys", KEY)[0] == 400


def test_on_this_machine_a_key_is_written_and_never_read(site: Site) -> None:
    """By the host's own page; no route tells it, and none of its answers is kept or shown elsewhere."""
    own = {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
    status, said, headers = put(site, "/sora/keys", KEY, headers=own)
    assert status == 200
    file = site.home / "keys" / "cometapi"
    assert file.read_text(encoding="utf-8") == KEY["key"] + "\n"
    assert not others_may_read(file)
    for path in READS:
        said += ask(site, "GET", named(path))[1]
    assert KEY["key"].encode() not in said
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("wish", [{"usd_per_day": 1e6}, {"usd_per_job": 1e6}, {"page.may_change_budget": True}])
def test_no_route_raises_the_budget(untouched: Site, wish: dict[str, Any]) -> None:
    """Where its owner did not say that the page may; and the first refusal says how he would."""
    status, said, _ = put(untouched, "/sora/settings", wish)
    assert status == 400
    assert b"may_change_budget" in said or b"There is no setting" in said
    assert untouched.engine.settings.read().budget.usd_per_day == 20


BODIES = {
    "empty": b"", "null": b"null", "list": b"[]", "text": b'"x"', "cut": b'{"provider": "come', "nan": b'{"a": NaN}',
    "deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "large": b'{"a": "' + b"x" * (70 << 10) + b'"}',
    "halves": b'{"provider": "\\ud800", "key": "\\udfff"}', "nul": b'{"provider": "cometapi", "key": "a\\u0000b"}',
    "utf-16": '{"provider": "cometapi"}'.encode("utf-16"), "bytes": b"\xff\xfe\x00",
    "digits": b'{"a": ' + b"9" * 9000 + b"}",
    "twice": b'{"provider": "sandbox", "provider": "cometapi"}',
    "names": json.dumps({str(n): n for n in range(3000)}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("kind", [kind for kind in BODIES if kind not in ("empty",)])
def test_a_body_that_is_none_is_refused_in_words(site: Site, kind: str, path: str) -> None:
    if path in ("/sora/doctor", "/sora/models/refresh") and kind in ("nan", "twice", "names"):
        pytest.skip("they read nothing of a body that is an object")
    status, said, _ = ask(site, "POST", named(path), JSON, BODIES[kind])
    assert status in (400, 413)
    assert "error" in json.loads(said)
    assert not (site.home / "keys").exists()
    assert not (site.home / "page.json").exists()


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (LARGEST, 200), (LARGEST + 1, 400), (LARGEST * 8, 400)])
def test_a_body_that_comes_in_pieces_is_read_as_one(site: Site, size: int, status: int) -> None:
    """However small they are: up to 64 KiB together, and not a byte more."""
    key = "x" * 200
    start = json.dumps({"provider": "cometapi", "key": key})
    body = f"{start[:-1]}{' ' * (size - len(start))}}}".encode()
    pieces = [body[at : at + 1 + size // 9] for at in range(0, size, 1 + size // 9)]
    line = http.client.HTTPConnection("127.0.0.1", urlsplit(site.url).port, timeout=20)
    line.request("POST", "/sora/keys", iter(pieces), JSON, encode_chunked=True)
    answer = line.getresponse()
    said = answer.read()
    line.close()
    assert answer.status == status, said
    assert (str(LARGEST).encode() in said) == (status == 400)
    file = site.home / "keys" / "cometapi"
    assert (file.read_text(encoding="utf-8") if file.exists() else "") == (f"{key}\n" if status == 200 else "")


def test_no_body_is_an_empty_object(site: Site) -> None:
    """What takes nothing need not be sent anything."""
    assert ask(site, "POST", "/sora/settings", JSON)[0] == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity"])
def test_a_packed_body_is_refused(untouched: Site, encoding: str) -> None:
    """It would have to be unpacked to be measured."""
    status = put(untouched, "/sora/keys", KEY, headers={"Content-Encoding": encoding})[0]
    assert status in (400, 415)


IDS = [
    "..", "%2e%2e", "..%2f..%2fkeys%2fcometapi", "%00", "a%00b", "%ff", "%ed%a0%80", "'; DROP TABLE jobs; --", "%25",
    "a" * 5000, "sandbox", "%0d%0aX: y", "{id}", "*", "con", "C:%5Cx", "🎬", "%", "1 OR 1=1", "-1", "%u0041",
]  # fmt: skip


@pytest.mark.parametrize("one", IDS, ids=[str(number) for number in range(len(IDS))])
def test_an_id_is_an_id_and_no_path(site: Site, one: str) -> None:
    """Nothing of the kind is known, whatever it looks like; nothing is made for it but an empty ledger."""
    one = quote(one, safe="%/'*{};")
    (site.home / "keys").mkdir(parents=True)
    (site.home / "keys" / "cometapi").write_text(KEY["key"], encoding="utf-8")
    for path in READS:
        if "{" in path:
            status, said, _ = ask(site, "GET", path.replace("{id}", one).replace("{sha256}", one))
            assert 400 <= status < 500
            assert KEY["key"].encode() not in said
    for path in ACTS:
        if "{" in path:
            assert 400 <= ask(site, "POST", path.replace("{id}", one), JSON, b"{}")[0] < 500
    assert not (site.home / "thumbnails").exists()
    assert not (site.folder / "input").exists()


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=999999", "limit=9" + "9" * 4000, "limit=%D9%A3", "limit=", "state=nobody", "state=%00",
     "state='", "search=%25%25", "search=" + "_" * 3000, "search=%ed%a0%80", "after=nobody", "after=%00", "a=b&a=c",
     "&".join(f"x{number}=1" for number in range(900)), "=" * 500, "%", "search=%f0%9f%8e%ac"],
    ids=range(18),
)  # fmt: skip
def test_a_query_is_survived(site: Site, query: str) -> None:
    for path in ("/sora/history", "/sora/models/nearest", "/sora/jobs", "/sora/news"):
        assert ask(site, "GET", f"{path}?{query}")[0] in (200, 400)


def test_an_id_that_a_gateway_gives_can_be_named(site: Site) -> None:
    """LiteLLM's have some 250 characters. The page's field takes as many as the engine."""
    longest = site.pack.module("sora_jobs.gateway.video_object").LONGEST_ID
    for length in (250, longest):
        status, said, _ = put(site, "/sora/history/abc123/reconcile", {"video_id": "v" * length})
        assert status == 400
        assert "abc123" in json.loads(said)["error"]  # there is no such job, which is the next thing that is looked at
    field = Path(__file__).parents[2].joinpath("js", "reconcile.mjs").read_text(encoding="utf-8")
    assert f"maxlength: {longest}," in field


@pytest.mark.parametrize("body", [{"video_id": 7}, {"video_id": None}, {"lost": "yes"}, {"lost": 1}])
def test_what_settles_a_job_is_text_or_a_yes(untouched: Site, body: dict[str, Any]) -> None:
    status, said, _ = put(untouched, "/sora/history/abc123/reconcile", body)
    assert status == 400
    assert "takes true or false" in json.loads(said)["error"]


def test_an_image_is_brought_in_whole_or_not_at_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full for a moment: what is there under the image's name is used by every later run."""
    engine, spec = site.engine, site.pack.module("sora_jobs.jobs.spec")
    image = site.pack.module("sora_jobs.media.reference").to_png(np.zeros((8, 8, 3), np.uint8))
    name = engine.ledger.references.keep(image)
    asked = spec.VideoRequest(provider="sandbox", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
    job, _ = engine.ledger.reserve(
        asked, origin="https://x", estimated_usd=0.0, budget=engine.settings.read().budget, references=[name]
    )

    def half(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:4])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("shutil.copyfile", half)
        assert put(site, f"/sora/history/{job.id}/again", {})[0] >= 400
    status, said, _ = put(site, f"/sora/history/{job.id}/again", {})
    assert status == 200, said
    (brought,) = (site.folder / "input" / "sora").iterdir()
    assert (brought.name, brought.read_bytes()) == (name, image)


def test_nothing_takes_a_path_or_an_address(site: Site) -> None:
    """No parameter of any route is one, by its name; and no answer is a page or a script."""
    modules = map(site.pack.module, ("web.routes", "web.owner_routes"))
    source = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    assert not [word for word in ('"path"', '"url"', '"file"', '"folder"', '"base_url"', "filename") if word in source]
    for path in READS:
        status, _, headers = ask(site, "GET", named(path))
        assert headers["Content-Type"].startswith(("application/json", "image/jpeg")), (path, status)


def test_a_project_is_a_short_line_of_text(site: Site) -> None:
    """A stranger's words cannot fill the ledger, or come into a page or a terminal as anything else than text."""
    spec = site.pack.module("sora_jobs.jobs.spec")
    asked = spec.VideoRequest(provider="sandbox", prompt="x", model="sora-2", seconds="4", size="1280x720")
    ledger = site.engine.ledger
    job, _ = ledger.reserve(asked, origin="x", estimated_usd=0.0, budget=site.engine.settings.read().budget)
    path = f"/sora/history/{job.id}/project"
    wrong: list[Any] = ["x" * 101, "a\nb", "\u001b[2J", "a\u0000", 5, None, ["x"]]
    for wish in ({}, *({"project": each} for each in wrong)):
        status, said, _ = put(site, path, wish)
        assert (status, len(said) < 500) == (400, True)
        assert ledger.job(job.id).project == ""
    status, said, _ = put(site, path, {"project": " <b>=1+1</b> ", "state": "stored"})
    assert (status, json.loads(said)["job"]["project"]) == (200, "<b>=1+1</b>")
    assert ledger.job(job.id).state == "reserved"
    assert put(site, "/sora/history/nobody/project", {"project": "x"})[0] == 400
    assert put(site, path, {"project": "x"}, headers={"Origin": "https://evil.example"})[0] == 403


def has_times(value: Any) -> bool:
    """Does it hold a time, by the name of its field?"""
    if isinstance(value, dict):
        return any(name.endswith("_at") or has_times(each) for name, each in value.items())
    return isinstance(value, list) and any(map(has_times, value))


def test_what_carries_times_carries_the_servers_now(site: Site) -> None:
    """A page compares the two, since its own clock may be minutes off."""
    spec, ledger = site.pack.module("sora_jobs.jobs.spec"), site.engine.ledger
    asked = spec.VideoRequest(provider="sandbox", prompt="x", model="sora-2", seconds="4", size="1280x720")
    job, _ = ledger.reserve(asked, origin="x", estimated_usd=0.0, budget=site.engine.settings.read().budget)
    begin = time.time()
    answers = {path: ask(site, "GET", named(path).replace("abc123", job.id)) for path in READS}
    for path, body in (("/sora/history/{id}/project", {"project": "y"}), ("/sora/quote", {}), ("/sora/doctor", {})):
        answers[path] = put(site, path.replace("{id}", job.id), body)
    told = {path: json.loads(said) for path, (_, said, _) in answers.items()}
    dated = {path for path, each in told.items() if has_times(each)}
    assert {"/sora/history", "/sora/history/{id}", "/sora/models", "/sora/history/{id}/project"} <= dated
    for path in dated | {"/sora/news"}:
        assert begin <= told[path]["now"] <= time.time(), path


@pytest.mark.parametrize(
    "query", ["by=prompt", "by=day;--", "since=yesterday", "since=99999d", f"by={'x' * 5000}", f"since={'1' * 5000}d"]
)
def test_costs_take_known_words_only(untouched: Site, query: str) -> None:
    """Nothing of a request gets into a query, or back at length."""
    status, said, _ = ask(untouched, "GET", f"/sora/costs?{query}")
    assert (status, len(json.loads(said)["error"]) < 300, len(said) < 600) == (400, True, True)
    assert json.loads(ask(untouched, "GET", "/sora/costs")[1])["rows"] == []


@pytest.mark.parametrize("language", ["en", "vi"])
def test_an_error_travels_as_kind_and_values(site: Site, language: str) -> None:
    """Of which the page makes its own words, whatever the server's language is; and in English for anybody else."""
    site.home.mkdir()
    (site.home / "settings.toml").write_text(f'language = "{language}"\n', encoding="utf-8")
    told = json.loads(ask(site, "GET", "/sora/history/no-such-job")[1])
    assert set(told) == {"error", "kind", "code", "values"}
    assert (told["kind"], told["code"]) == ("wrong_choice", "unknown_job")
    assert told["values"]["message"] in told["error"]
    assert told["error"].endswith("Nothing was spent by this.")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/sora/settings", None), ("GET", "/sora/history", None), ("GET", "/sora/models", None),
        ("POST", "/sora/quote", {"model": "sora-2", "custom_model": "", "seconds": "4", "size": "1280x720",
                                 "provider": "cometapi", "extra_fields": ""}),
        ("POST", "/sora/doctor", {}), ("GET", "/sora/history/no-such-job", None),
    ],
)  # fmt: skip
def test_a_request_goes_by_one_reading_of_the_owners_files(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """From who may call to what is told; also where it ends in an error."""
    monkeypatch.setattr(site.pack.engine, "_record_location", lambda _: None)  # which reads them, too, in a thread
    assert site.engine.ledger.jobs() == []  # from now on the ledger stays where it is
    site.engine.fresh_catalogue()
    with counted_readings() as counts:
        status = ask(site, method, path)[0] if body is None else put(site, path, body)[0]
    assert status == (400 if "no-such-job" in path else 200)
    assert counts == dict.fromkeys(FILES, 1)
