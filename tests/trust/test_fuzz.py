"""Ten thousand bodies, queries and ids against the routes: never an error of the server's, never an effect from a
foreign page."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ..gateway.ugly import UglyServer, answer
from ..nodes.hosts import Pack
from .conftest import Site
from .test_routes import ACTS, KEY, READS, everything

COUNT = 10_000
BATCH = 200  # requests on their way for one draw, which costs far more than a request
SPEC = {"provider": "sandbox", "prompt": "a boat", "model": "sora-2", "seconds": "4", "size": "1280x720"}
# The words that the routes know, and their neighbours.
NAMES = [
    "provider", "key", "video_id", "lost", "aside", "language", "background_downloads", "usd_per_day", "usd_per_job",
    "home", "__class__", "",
]  # fmt: skip
VALUES: list[Any] = [
    "cometapi", "sandbox", "../../x", "", "sk-12345678", "unwatched", "forgotten", "vi", "en", True, False, None, 0, -1,
    1e308, float("nan"), float("inf"), 2**70, "\0", "\ud800", "a" * 5000, [], {}, [[]], "..", "video_1", "%s%n", "🎬",
]  # fmt: skip
json_values = st.recursive(
    st.sampled_from(VALUES) | st.text(max_size=8) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
bodies = st.one_of(
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), json_values, max_size=4).map(
        lambda value: json.dumps(value).encode("utf-8", "surrogatepass")
    ),
    st.binary(max_size=20),
    json_values.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
words = st.sampled_from(["..", "%00", "a/b", "JOB", "JOB", "running", "stored", "x" * 300]) | st.text(max_size=9)
drawn = st.tuples(words, bodies)
# The rest of a request is few things, and comes from a die of Python's own, which is quicker.
SLOW = ["/sora/doctor", "/sora/models/refresh"]  # they ask a gateway
PATHS = [path for path in ACTS * 4 + READS if path not in SLOW] * 4 + SLOW
KINDS = ["application/json"] * 8 + ["application/json; charset=utf-16", "text/plain", ""]
PAGES = ["own", "own", "none", "null", "https://evil.example", "http://127.0.0.1:1"]


@pytest.fixture
def attacked(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, UglyServer]]:
    """With a job, a budget that the page may change, and a gateway that counts its calls."""
    site.home.mkdir()
    (site.home / "settings.toml").write_text("[page]\nmay_change_budget = true\n", encoding="utf-8")
    with UglyServer([answer(503, {"error": {"message": "busy"}})]) as gateway:
        monkeypatch.setenv("COMETAPI_BASE_URL", gateway.url)
        yield site, gateway


def target(path: str, word: str, job: str) -> bytes:
    """The request line's path, with what a client could write into it."""
    from urllib.parse import quote

    word = job if word == "JOB" else word
    name = quote(word.encode("utf-8", "surrogatepass"), safe="") or "x"
    filled = re.sub(r"\{\w+\}", lambda _: name, path)
    return f"{filled}?search={name}&after={name[:40]}&limit={name[:6]}&state={name[:9]}".encode()


def damaged(body: bytes, die: random.Random) -> bytes:
    """The same with a byte changed, cut off somewhere, or with a piece of it twice."""
    at = die.randrange(len(body) + 1)
    changed = body[:at] + die.randbytes(1) + body[at + 1 :]
    return die.choice([changed, body[:at], body[:at] + body[at // 2 :]])


async def send(site: Site, job: str, batch: list[Any]) -> list[tuple[int, str, str]]:
    """(status, path, page) of each, over a few connections that are kept open as a browser keeps them."""
    host = site.url.removeprefix("http://")
    port = int(host.rsplit(":", 1)[1])

    async def line(share: list[Any]) -> list[tuple[int, str, str]]:
        found = []
        reader = writer = None
        for path, word, body, kind, page in share:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            origin = f"http://{host}" if page == "own" else page
            head = [f"{'POST' if path in ACTS else 'GET'} ".encode() + target(path, word, job) + b" HTTP/1.1"]
            head += [f"Host: {host}".encode(), f"Content-Length: {len(body)}".encode()]
            head += [f"Origin: {origin}".encode()] if page != "none" else []
            head += [f"Content-Type: {kind}".encode()] if kind else []
            writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
            given_head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = re.search(r"content-length: (\d+)", given_head)
            await reader.readexactly(int(length[1]) if length else 0)
            found.append((int(given_head[9:12]), path, page))
            if "connection: close" in given_head:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()
        return found

    shares = await asyncio.gather(*(line(batch[number::4]) for number in range(4)))
    return [one for share in shares for one in share]


def test_ten_thousand_requests(attacked: tuple[Site, UglyServer]) -> None:
    """What is looked at: every status, what the gateway was asked for, and what lies on the disk afterwards."""
    site, gateway = attacked
    spec = site.pack.module("sora_jobs.jobs.spec").VideoRequest(**SPEC)
    job = site.engine.start_create(spec).result(30).job.id
    bought = site.engine.ledger.spent_usd(site.engine.settings.read().budget)
    seen: list[tuple[int, str, str]] = []

    @settings(
        max_examples=COUNT // BATCH, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(drawn, min_size=BATCH // 2, max_size=BATCH // 2))
    def attack(drawn: list[tuple[str, bytes]]) -> None:
        die = random.Random(len(seen))
        drawn = [*drawn, *((word, damaged(body, die)) for word, body in drawn)]
        rest = [tuple(map(die.choice, (PATHS, KINDS, PAGES))) for _ in drawn]
        batch = [(path, *one, kind, page) for one, (path, kind, page) in zip(drawn, rest, strict=True)]
        found = asyncio.run(send(site, job, batch))
        seen.extend(found)
        # A refresh that a gateway refuses is told as such (502); all else is the sender's fault or none.
        assert [one for one in found if one[0] >= 500 and one[1] != "/sora/models/refresh"] == []
        foreign = [one for one in found if one[2] not in ("own", "none")]
        assert [one for one in foreign if one[0] not in (400, 403, 404)] == []  # no HTTP, not ours, no such route

    attack()
    assert len(seen) >= COUNT
    assert {200, 400, 403, 415} <= {status for status, _, _ in seen}
    assert {request.method for request in gateway.requests} <= {"GET"}  # nothing is bought
    assert site.engine.ledger.spent_usd(site.engine.settings.read().budget) == bought
    assert len(site.engine.ledger.jobs(limit=10, forgotten=True)) == 1
    outside = {path.name for path in site.folder.iterdir()} - {"home", "output", "input", "temp", "user"}
    assert outside == set()


def test_a_foreign_page_has_no_effect(attacked: tuple[Site, UglyServer], pack: Pack) -> None:
    """The very bodies that would have one from the host's own page."""
    site, gateway = attacked
    spec = site.pack.module("sora_jobs.jobs.spec").VideoRequest(**SPEC)
    job = site.engine.start_create(spec).result(30).job.id
    site.engine.close()
    before = {name: data for name, data in everything(site).items() if "/sandbox/" not in name}
    effects = [
        ("/sora/keys", KEY), ("/sora/settings", {"language": "vi"}), ("/sora/settings", {"usd_per_day": 1e5}),
        ("/sora/history/{id}/aside", {"aside": "unwatched"}), ("/sora/history/{id}/reconcile", {"lost": True}),
        ("/sora/history/{id}/again", {}), ("/sora/models/refresh", {}), ("/sora/doctor", {}),
    ]  # fmt: skip
    batch = [
        (path, "JOB", json.dumps(body).encode(), kind, page)
        for path, body in effects
        for kind in ("application/json", "text/plain")
        for page in ("null", "https://evil.example", "http://127.0.0.1:1", "http://localhost")
    ]
    assert {status for status, _, _ in asyncio.run(send(site, job, batch))} == {403}
    assert {name: data for name, data in everything(site).items() if "/sandbox/" not in name} == before
    assert gateway.requests == []
