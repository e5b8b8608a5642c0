"""A report of `sora verify` is passed on: nothing secret and nobody's name is in it, whatever a provider echoes."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import main
from sora_jobs.diagnostics.verify.choice import PROMPT
from sora_jobs.diagnostics.verify.private import Private, scrubbed

from ..gateway.ugly import Request, UglyServer, answer
from ..media.clips import make_clip
from .canary import KEY, SIGNATURE, places
from .echo import echoes

MAIL, NAME, ACCOUNT = "wanda.lovelace@films.example", "Wanda Lovelace", "acct-wlovelace-77"
ID = "video_5f0e7c2b9a"
SEEN = ("wanda", "lovelace", "films.example", "acct-", "5f0e7c2b9a", PROMPT.lower(), "red ball", "/signed/")


class Hostile:
    """A gateway that writes whatever it knows of its customer into each header and each field, also into names."""

    def __init__(self, film: bytes) -> None:
        self.film, self.polls = film, 0
        self.server, self.storage = UglyServer([self._reply]), UglyServer([self._stored])

    def _reply(self, line: socket.socket) -> None:
        request = self.server.requests[-1]
        line.sendall(self.response_to(request))

    def _stored(self, line: socket.socket) -> None:
        line.sendall(answer(200, self.film, [("Content-Type", f"video/{NAME.replace(' ', '.')}"), *self._headers("")]))

    def response_to(self, request: Request) -> bytes:
        said = echoes(request)
        headers = self._headers(request.headers.get("authorization", ""))
        path = request.path.partition("?")[0]
        if path == "/v1/models":
            return answer(200, {"data": [{"id": "viduq3", "owned_by": said}, {"id": MAIL}], "user": NAME}, headers)
        if path == "/v1/videos" and request.method == "GET":
            return answer(200, {"data": [self._video(said, "completed"), self._video(MAIL, NAME)]}, headers)
        if path.endswith("/content") and ID in path:
            moved = f"{self.storage.url}/signed/{ID}.mp4?{SIGNATURE}&user={MAIL}"
            return answer(302, b"", [("Location", moved), *headers])
        if "0000" in path:
            error = {"message": said, "code": f"{NAME} {KEY}", "type": "wanda_lovelace", MAIL: KEY, KEY: MAIL}
            return answer(404, {"error": error, ID: {NAME: ACCOUNT}}, headers)
        if request.method == "POST":
            return answer(200, self._video(said, "queued"), headers)
        self.polls += 1
        return answer(200, self._video(said, "wanda_lovelace" if self.polls == 1 else "completed"), headers)

    def _headers(self, key: str) -> list[tuple[str, str]]:
        return [
            ("x-request-id", f"{key} {MAIL}"), ("X-User", NAME), ("X-Account-Id", ACCOUNT), ("ETag", f'"{KEY}"'),
            ("X-wanda-request-id", "1"), (f"X-{ACCOUNT}", MAIL), ("Set-Cookie", f"session={KEY}"), ("X-Echo", MAIL),
        ]  # fmt: skip

    def _video(self, said: str, status: str) -> dict[str, Any]:
        fields = dict.fromkeys(("model", "prompt", "size", "seconds", "detail", "status_text"), said)
        fields |= {"user": {"name": NAME, "email": MAIL}, "account": ACCOUNT, NAME: said, f"by_{ACCOUNT}": 1}
        fields |= {"wanda_lovelace": 1, "metadata": {MAIL: f"see {MAIL}", "url": self._signed()}}
        return fields | {"id": ID, "object": "video", "type": NAME, "code": 0, "status": status, "message": said}

    def _signed(self) -> str:
        return f"{self.storage.url}/signed/{ID}.mp4?{SIGNATURE}"


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_a_report_tells_nothing_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Neither on stdout nor in the file: no key, no signed address, no e-mail address, no name, no id, no prompt."""
    film = make_clip(tmp_path / "c.mp4").read_bytes()
    home = tmp_path / "home"
    home.mkdir()
    hostile = Hostile(film)
    with hostile.server, hostile.storage:
        row = f'[provider.mine]\nbase_url = "{hostile.server.url}"\nkey_variable = "MINE_KEY"\nlist = true\n'
        row += "usd_per_second = 0\npoll_seconds = 0.02\n"
        (home / "providers.toml").write_text(row, encoding="utf-8")
        monkeypatch.setenv("MINE_KEY", KEY)
        file = tmp_path / "report.json"
        folders = ["--home", str(home), "--out", str(tmp_path / "out"), "--report", str(file)]
        status = main(["verify", "mine", "--spend", "0", *folders, *arguments])
    printed = capsys.readouterr().out
    report = json.loads(file.read_text(encoding="utf-8"))
    assert (status, report["purchase"]["state"], report["agrees"]) == (0, "stored", False)
    assert report["content"] is not None
    assert len(report["calls"]) >= 8
    assert any(call["body"] != "nothing" and "status" in call["body"] for call in report["calls"])
    for text in (printed, file.read_text(encoding="utf-8")):
        assert places(text) == []
        assert [word for word in SEEN if word in text.lower()] == []
        assert str(tmp_path) not in text
    assert [state["phase"] for state in report["states"]] == ["waiting", "unknown to the engine", "done"]


def test_the_hunt_would_find_it() -> None:
    """The provider does say all of it, and the last gate takes out what it knows."""
    hostile = Hostile(b"")
    request = Request("GET", f"/v1/videos/{ID}", {"authorization": f"Bearer {KEY}"}, b"")
    with hostile.storage:
        told = hostile.response_to(request).decode()
    assert places(told)
    assert all(word in told.lower() for word in SEEN if word not in (PROMPT.lower(), "red ball"))
    left = json.dumps(scrubbed({MAIL: [f"ask {MAIL}", "https://cdn.example/signed/a.mp4?sig=1", "Bearer abcdefgh"]}))
    assert left == '{"[hidden]": ["ask [hidden]", "cdn.example", "Bearer [hidden]"]}'


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://3f2b77aa.r2.cloudflarestorage.com/a.mp4?sig=1", "cloudflarestorage.com"),
        ("https://johndoe-videos.s3.amazonaws.com/a.mp4", "amazonaws.com"), ("http://127.0.0.1:8188/a", "127.0.0.1"),
        ("http://localhost:8188/a", "localhost"), ("http://[::1]:80/a", "::1"), ("https://[broken/a", "[hidden]"),
    ],
)  # fmt: skip
def test_a_host_does_not_tell_an_account(url: str, shown: str) -> None:
    """Only its end is shown, also where an address came through all the same."""
    assert (Private([]).host(url), scrubbed(f"see {url}")) == (shown, f"see {shown}")
