"""The secret hunt in the engine: a canary for a key goes through success and through every way to fail, at a gateway
that echoes it in whatever it says; then everything that was written, shown, logged or raised is searched for it."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.config.keys import write_key
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import SoraError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.views.settings import shown

from ..media.clips import make_clip
from ..systems import others_may_read
from ..timings import FAST
from .canary import KEY, SIGNATURE, files_with_it, places
from .echo import FATES, Echo

TIMING = replace(FAST, content_attempts=2)  # each fate costs that many

SPEC = {"provider": "mine", "model": "own", "seconds": "4", "size": "1280x720"}


class Hunt:
    """An engine with the canary as a key, and all that it said."""

    def __init__(self, folder: Path, film: bytes, *, in_file: bool) -> None:
        self.home, self.output = folder / "home", folder / "output"
        self.key_file = self.home / "keys" / "mine"
        self.key_file.parent.mkdir(parents=True)
        self.echo = Echo(film)
        self.servers = contextlib.ExitStack()
        self.servers.enter_context(self.echo.server)
        self.servers.enter_context(self.echo.storage)
        self.heard: list[str] = []
        headers = f'[provider.mine.headers]\nX-Cost-Centre = "{SIGNATURE}"\n'
        row = f'[provider.mine]\nbase_url = "{self.echo.server.url}"\nkey_variable = "MINE_KEY"\n'
        row += f"list = true\nusd_per_second = 0\n{headers}"
        (self.home / "providers.toml").write_text(row, encoding="utf-8")
        self.env = {"SORA_BACKGROUND_DOWNLOADS": "0", "SORA_POLL_SECONDS": "0.02", "SORA_HOME": str(self.home)}
        if in_file:
            self.key_file.write_text(KEY, encoding="utf-8")
            self.key_file.chmod(0o600)
        else:
            self.env["MINE_KEY"] = KEY
        self.engine = Engine(self.home, self.output, env=self.env, timing=TIMING)

    def close(self) -> None:
        self.engine.close()
        self.servers.close()

    def run(self, fate: str) -> None:
        """Buy, wait and fetch under that fate; whatever is raised is heard as the host would print it."""
        self.echo.fate = fate
        try:
            job = self.engine.start_create(VideoRequest(prompt=f"a boat {fate}", **SPEC)).result(30).job
            self.heard.append(repr(job))
            self.heard.append(repr(self.engine.start_wait(job.id, timeout=1).future.result(30)))
        except BaseException as error:  # noqa: BLE001 - all of it is searched
            self.tell(error)

    def open_from_elsewhere(self) -> None:
        """A job of which only the id is known: all the rest is the gateway's word, its status above all."""
        self.echo.fate, self.echo.status = "good", f"Bearer {KEY}"
        job = self.engine.open("video_from_elsewhere", "mine")
        self.heard += [repr(job), job.label]
        assert "you sent" in job.prompt

    def tell(self, error: BaseException) -> None:
        self.heard += ["".join(traceback.format_exception(error)), repr(error), str(error)]
        self.heard.append(str(getattr(error, "__dict__", "")))


@pytest.fixture(params=["variable", "file"])
def hunt(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hunt]:
    made = Hunt(tmp_path, make_clip(tmp_path / "c.mp4").read_bytes(), in_file=request.param == "file")
    yield made
    made.close()


def test_the_key_is_nowhere(
    hunt: Hunt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledger, receipts, references, log, errors with their tracebacks, what the page, the doctor and the shell show."""
    caplog.set_level(logging.DEBUG)
    for fate in FATES[:-1] if "MINE_KEY" in hunt.env else FATES[:-1:5]:  # the second time for what is otherwise then
        hunt.run(fate)
    with monkeypatch.context() as crash:
        crash.setattr("sora_jobs.gateway.client.read_created", lambda answered: 1 / 0)
        hunt.run("crash")
    assert any(KEY in request.headers.get("authorization", "") for request in hunt.echo.server.requests)
    hunt.open_from_elsewhere()
    assert any("ZeroDivisionError" in text for text in hunt.heard)
    stored = [job for job in hunt.engine.ledger.jobs(limit=99) if job.state.value == "stored"]
    assert len(stored) >= 2
    hunt.echo.fate = "lookup 401"
    history = hunt.engine.history
    hunt.heard.append(json.dumps(history.page(limit=200)))
    hunt.heard.append(json.dumps([history.tree(job.id) for job in hunt.engine.ledger.jobs(limit=99)]))
    hunt.heard.append(json.dumps(shown(hunt.engine.settings.read(), hunt.engine.ledger, local=False)))
    hunt.heard += [f"{finding}" for finding in examine(hunt.engine)]
    hunt.heard.append(repr(hunt.engine.providers.client("mine")) + repr(hunt.engine.providers.client("mine").provider))
    for name, value in hunt.env.items():
        monkeypatch.setenv(name, value)
    for command in (
        "doctor",
        "doctor --json",
        "jobs --json",
        "jobs",
        "models",
        "run x --provider mine --json --timeout 0.02",
    ):
        with contextlib.suppress(SystemExit):
            main([*command.split(), "--home", str(hunt.home)])
    printed = capsys.readouterr()
    hunt.heard += [printed.out, printed.err, caplog.text, *map(str, caplog.records)]
    assert [place for text in hunt.heard for place in places(text)] == []
    known = (hunt.key_file, hunt.home / "providers.toml")  # where the owner wrote it
    assert list(files_with_it(hunt.home, hunt.output, but=known)) == []
    assert len(hunt.echo.storage.requests) >= 2
    assert not any({"authorization", "x-cost-centre"} & set(request.headers) for request in hunt.echo.storage.requests)


def test_the_hunt_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Each spelling of the canary, in a file, in a name, within packed text: else its silence would mean nothing."""
    import zlib

    packed = base64.b64encode(f"Authorization: Bearer {KEY}".encode())
    spelt = [KEY.encode(), json.dumps({"a": KEY}).encode(), quote(KEY).encode(), packed, SIGNATURE.encode()]
    for text in spelt:
        assert places(b"before" + text + b"after")
    assert places(b"\x89PNG zTXtprompt\0\0" + zlib.compress(KEY.encode()))
    (tmp_path / "a.bin").write_bytes(KEY.encode())
    assert len(list(files_with_it(tmp_path))) == 1
    assert not places("an ordinary text")


def test_an_error_hides_the_key_whatever_carries_it() -> None:
    """Also one that nobody read as a key: by its form."""
    error = SoraError("Bearer sk-abcdefgh12345678", hint="https://u:pw@h/x?sig=abc", code="x")
    for leaked in ("abcdefgh", "pw@", "sig=abc"):
        assert leaked not in str(error) + repr(error) + str(error.__dict__)


def test_the_key_lies_in_its_own_file_and_is_written_whole(hunt: Hunt) -> None:
    """Nothing of a half-written one is left, and nobody else can read it."""
    write_key(hunt.engine.settings.read(), "mine", KEY)
    assert not others_may_read(hunt.key_file)
    assert [path.name for path in hunt.key_file.parent.iterdir()] == ["mine"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("key_first", [True, False])
@pytest.mark.parametrize("folder", ["user/__sora", "open"])
def test_nobody_else_reads_the_state(tmp_path: Path, folder: str, key_first: bool) -> None:
    """Whatever is written first: a folder that we make is the user's alone; in one that was there before, so are the
    ledger and its journal, since prompts are nobody else's business."""
    (tmp_path / "open").mkdir(mode=0o755)
    home = tmp_path / folder
    engine = Engine(home, tmp_path / "output", env={})
    if key_first:
        write_key(engine.settings.read(), "cometapi", KEY)
    spec = VideoRequest(prompt="a boat", **(SPEC | {"provider": "cometapi"}))
    engine.ledger.reserve(spec, origin="x", estimated_usd=0.0, budget=Budget())
    files = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]  # locks are empty
    assert {"ledger.sqlite3", "ledger.sqlite3-wal"} <= {path.name for path in files}
    assert home.name == "open" or home.stat().st_mode & 0o077 == 0
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []
    engine.close()
