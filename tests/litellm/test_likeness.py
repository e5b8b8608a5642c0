"""The sandbox that speaks as LiteLLM, beside a real LiteLLM in front of the sandbox: call by call the same answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sora_jobs.sandbox import Sandbox

from .proxy import ENABLED, OPT_IN, Proxy

pytestmark = pytest.mark.skipif(not ENABLED, reason=OPT_IN)

TAKES_S = 0.5
HEADERS = ("llm_provider-retry-after", "accept-ranges")
# What is of one run, or of one deployment's name.
OF_ONE_RUN = {
    r"video_[A-Za-z0-9+/]{60,}=*": "LONG",
    r"video_[0-9a-f]{32}": "SHORT",
    r"\b1[0-9]{9}\b": "1",
    r"model group '[^']*'": "model group",
}


class Caller:
    """Plain HTTP to one of the two."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._session = url, requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(method, self._url + path, timeout=60, **options)

    def create(self, directive: str = "", **change: str) -> requests.Response:
        form = {"model": "sora-2", "seconds": "4", "size": "1280x720", "prompt": "a paper boat"} | change
        if directive:
            form["prompt"] += f" [sandbox: {directive}]"
        return self.call("POST", "/v1/videos", files=[(name, (None, value)) for name, value in form.items()])

    def path(self, directive: str = "", *, after_s: float = TAKES_S) -> str:
        """The path of a new job, that many seconds later."""
        answer = self.create(directive)
        time.sleep(after_s)
        return f"/v1/videos/{quote(answer.json()['id'], safe='')}"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Caller]]:
    folder = tmp_path_factory.mktemp("likeness")
    behind = Sandbox(folder / "behind", seconds=TAKES_S, dialect="openai")
    ours = Sandbox(folder / "ours", seconds=TAKES_S, dialect="litellm")
    with behind, ours, Proxy(folder / "run", {"sora-2": f"{behind.url}/v1"}, retries=0) as proxy:
        yield Caller(ours.url, "any"), Caller(proxy.url, proxy.key)


def remixed(at: Caller) -> requests.Response:
    return at.call("POST", f"{at.path()}/remix", json={"prompt": "at night"})


CALLS: dict[str, Callable[[Caller], requests.Response]] = {
    "create": Caller.create,
    "running": lambda at: at.call("GET", at.path("slow=60", after_s=0)),
    "completed": lambda at: at.call("GET", at.path()),
    "failed": lambda at: at.call("GET", at.path("fail=broken")),
    "content": lambda at: at.call("GET", f"{at.path()}/content"),
    "a part": lambda at: at.call("GET", f"{at.path()}/content", headers={"Range": "bytes=4-7"}),
    "thumbnail": lambda at: at.call("GET", f"{at.path()}/content?variant=thumbnail"),
    "content too early": lambda at: at.call("GET", f"{at.path('slow=60', after_s=0)}/content"),
    "content of a failed job": lambda at: at.call("GET", f"{at.path('fail=x')}/content"),
    "remix": remixed,
    "delete": lambda at: at.call("DELETE", at.path()),
    "unknown path": lambda at: at.call("GET", "/v1/nothing"),
    "unknown model": lambda at: at.create(model="nope"),
    "no prompt": lambda at: at.create(prompt=""),
    "bad size": lambda at: at.create(size="1x1"),
}
REFUSALS = ("moderation", "quota", "saturated", "key", "model_not_found", "server_error", "rate_limit")


@pytest.mark.parametrize("why", REFUSALS)
def test_the_same_refusal(both: tuple[Caller, Caller], why: str) -> None:
    """The upstream's own words, wrapped in the same way."""
    ours, real = (at.create(f"refuse={why}") for at in both)
    assert said(ours) == said(real)


@pytest.mark.parametrize("call", CALLS)
def test_the_same_answer(both: tuple[Caller, Caller], call: str) -> None:
    """Status, body and the headers that our engine reads."""
    ours, real = (CALLS[call](at) for at in both)
    assert said(ours) == said(real)


def test_ids(both: tuple[Caller, Caller]) -> None:
    """Both are known by the id of create and by that of retrieve; both are long."""
    for at in both:
        created = at.create().json()["id"]
        seen = at.call("GET", f"/v1/videos/{quote(created, safe='')}").json()["id"]
        again = at.call("GET", f"/v1/videos/{quote(seen, safe='')}").json()["id"]
        assert (again, min(len(created), len(seen)) > 100) == (seen, True)


def said(answer: requests.Response) -> tuple[int, str, Any, dict[str, str | None]]:
    """(status, kind of body, body, headers), without what is of this one run. A film is told by its first bytes."""
    kind = answer.headers["Content-Type"].split(";")[0]
    headers = {name: answer.headers.get(name) for name in HEADERS}
    if kind != "application/json":
        return answer.status_code, kind, (answer.content[4:8], len(answer.content) > 1000), headers
    text = answer.text
    for shape, name in OF_ONE_RUN.items():
        text = re.sub(shape, name, text)
    return answer.status_code, kind, json.loads(text), headers
