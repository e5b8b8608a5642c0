"""Which ledger the command line opens: the one that the nodes of the same pack use, wherever ComfyUI keeps it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config import locations
from sora_jobs.config.budget import Budget
from sora_jobs.config.locations import (
    location_of,
    other_homes,
    output_folder,
    record_location,
    recorded_location,
    state_folder,
)
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.database import Database
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.queries import Queries

from ..failures import failing
from ..frozen.gateway import Gateway
from ..systems import make_link

PACK = Path(__file__).parents[2]
PLAIN = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pack as it lies in ComfyUI Desktop: in a base folder that holds no program."""
    folder = tmp_path / "Documents" / "ComfyUI" / "custom_nodes" / "sora-jobs"
    folder.mkdir(parents=True)
    monkeypatch.setattr(locations, "packs", lambda: [folder])
    monkeypatch.setenv("SORA_LANGUAGE", "en")
    return folder


def comfyui(base: Path) -> tuple[Path, Path, Path]:
    """(state, output, temp), as `--base-directory` makes them."""
    made = (base / "user" / "__sora", base / "output", base / "temp")
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
    return made


def buy(home: Path, spec: VideoRequest = PLAIN) -> str:
    """A job in the ledger there; nothing is sent."""
    ledger = Ledger(home)
    try:
        return ledger.reserve(spec, origin="https://x", estimated_usd=0.3, budget=Budget(usd_per_day=1e6))[0].id
    finally:
        ledger.close()


def test_the_nodes_word_counts_for_more_than_the_folders(pack: Path, tmp_path: Path) -> None:
    """`--base-directory` and `--user-directory` put the state anywhere."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    (pack.parents[1] / "user").mkdir()
    assert state_folder({}) == pack.parents[1] / "user" / "__sora"
    assert output_folder() == pack.parents[1] / "output"
    record_location(home, output, temp)
    assert (state_folder({}), output_folder()) == (home, output)
    assert state_folder({"SORA_HOME": str(tmp_path / "mine")}) == tmp_path / "mine"


def test_desktops_folder_is_known_without_a_word(pack: Path) -> None:
    """It has `user` and `models`, and no `comfy` beside `custom_nodes`."""
    assert state_folder({}) != pack.parents[1] / "user" / "__sora"
    (pack.parents[1] / "models").mkdir()
    assert state_folder({}) == pack.parents[1] / "user" / "__sora"


def test_outside_of_a_comfyui_it_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(locations, "packs", lambda: [tmp_path / "src" / "sora-jobs"])
    assert state_folder({}).name == "sora"
    assert output_folder() is None


def test_a_stale_word_is_ignored_and_named(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ComfyUI was moved: its state folder is gone. The command line says so, and which ledger it uses instead."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    record_location(home, output, temp)
    monkeypatch.chdir(tmp_path)
    assert main(["jobs"]) == 0
    said = capsys.readouterr().err
    assert f"ledger: {home / 'ledger.sqlite3'}, as ComfyUI said on 20" in said
    shutil.rmtree(home)
    assert state_folder({}) != home
    assert main(["jobs"]) == 0
    said = capsys.readouterr().err
    assert f"warning: ComfyUI kept its ledger in {home} on 20" in said
    assert f"ledger: {locations.user_folder() / 'ledger.sqlite3'}\n" in said


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"pack": "/p"}', '{"pack": "p", "home": "h", "output": "o", "temp": "t", "at": 1}',
     '{"pack": "/p", "home": 1, "output": "/o", "temp": "/t", "at": 1}',
     '{"pack": "/p", "home": "/h", "output": "/o", "temp": "/t", "at": "now"}',
     '{"pack": "/p", "home": "/h", "output": "/o", "temp": "/t", "at": 1, "database": 1}'],
)  # fmt: skip
def test_a_damaged_word_is_none(pack: Path, text: str) -> None:
    record_location(pack, pack, pack)
    [file] = (locations.user_folder() / "packs").iterdir()
    file.write_text(text, encoding="utf-8")
    assert recorded_location() is None


def test_the_newest_word_counts_for_a_pack_with_two_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that two ComfyUIs link: the one that ran last."""
    one, two, real = tmp_path / "one" / "p", tmp_path / "two" / "p", tmp_path / "src" / "p"
    for place in (one, two):
        home, output, temp = comfyui(place.parent)
        monkeypatch.setattr(locations, "packs", lambda place=place: [place, real])
        record_location(home, output, temp)
    monkeypatch.setattr(locations, "packs", lambda: [real])
    assert state_folder({}) == two.parent / "user" / "__sora"
    monkeypatch.setattr(locations, "packs", lambda: [one])
    assert state_folder({}) == one.parent / "user" / "__sora"


URL = "postgresql+psycopg://user:pass-word@db.example/sora"


@pytest.mark.parametrize(
    ("theirs", "ours", "names"),
    [(URL, "", "is not set"), (URL, URL.replace("/sora", "/other"), "names another one"), ("", URL, "Remove it from")],
    ids=["unset", "another", "theirs is the file"],
)
def test_nothing_is_bought_where_comfyui_uses_another_database(
    theirs: str,
    ours: str,
    names: str,
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its environment alone may name one: what it bought is then not known here. The list is shown, with a warning."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    record_location(home, output, temp, Database(home, theirs).mark)
    monkeypatch.setenv("SORA_DATABASE_URL", ours)
    monkeypatch.setenv("COMETAPI_KEY", "some-key-123456")
    monkeypatch.setattr(Queries, "active_purchase", lambda *_: None)  # no server has to run for it
    monkeypatch.setattr("sora_jobs.ledger.connections._up_to_date", lambda engine: engine)
    with Gateway() as gateway:
        monkeypatch.setenv("COMETAPI_BASE_URL", gateway.url)
        assert main(["run", "a boat", "--json"]) == 2
        out, err = capsys.readouterr()
        answer = json.loads(out)
        assert gateway.creates == []
    assert "warning: ComfyUI kept its jobs in" in err
    assert "as ComfyUI said" not in err
    assert names in answer["error"] + answer["hint"]
    assert "SORA_DATABASE_URL" in answer["error"] + answer["hint"]
    assert "--home DIR" in answer["hint"]
    assert "pass-word" not in out + err
    assert not (home / "ledger.sqlite3").exists()


def test_comfyuis_other_database_does_not_hide_what_is_here(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands that only read go on. In a record of an older version no database is named: all goes on as it did."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    job = buy(home)
    record_location(home, output, temp, Database(home, URL).mark)
    assert main(["jobs"]) == 0
    out, err = capsys.readouterr()
    assert job in out
    assert "warning: ComfyUI kept its jobs in a PostgreSQL database" in err
    assert f"ledger: {home / 'ledger.sqlite3'}\n" in err
    [file] = (locations.user_folder() / "packs").iterdir()
    told = json.loads(file.read_text(encoding="utf-8"))
    del told["database"]
    file.write_text(json.dumps(told), encoding="utf-8")
    assert main(["jobs"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert location_of(home) == recorded_location()


def test_a_database_is_told_by_its_place_and_not_by_who_uses_it(tmp_path: Path) -> None:
    """The record names no address, and its hash has no part of the password."""

    def mark(url: str) -> str:
        return Database(tmp_path, url).mark

    same = ("postgresql+psycopg://db.example/sora", "postgresql+psycopg://a:b@/sora?host=db.example&port=5432")
    assert {mark(URL)} == {mark(url) for url in same}
    others = ("//db.example/two", "//db2.example/sora", "//db.example:5433/sora")
    assert len({mark(URL), mark(""), *(mark(f"postgresql+psycopg:{url}") for url in others)}) == 5
    assert mark("") == ""
    with failing(InvalidInputError, "invalid_setting"):
        mark("mysql://x")


def test_other_ledgers_of_this_user_are_found(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have one: of other ComfyUIs, around the pack, and of the command line alone. Never the own one."""
    mine, other, none = (tmp_path / name for name in ("mine", "other", "none"))
    for home in (mine, other, none):
        with monkeypatch.context() as patch:
            patch.setattr(locations, "packs", lambda home=home: [home / "custom_nodes" / "sora-jobs"])
            record_location(home, home, home)
    for home in (mine, other, locations.user_folder()):
        buy(home)
    assert set(other_homes(mine)) == {other, locations.user_folder()}
    make_link(tmp_path / "link", mine)
    assert set(other_homes(tmp_path / "link")) == {other, locations.user_folder()}


def nobody_may_look_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's folder, also where the tests run as root."""

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            if isinstance(path, str | Path) and Path(path).is_relative_to(folder):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *more, **named)

        return call

    for name in ("stat", "open", "mkdir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
    for name in ("stat", "open", "is_dir", "is_file", "exists"):
        monkeypatch.setattr(Path, name, guarded(getattr(Path, name)))


@pytest.mark.parametrize("arguments", [["jobs"], ["run", "a boat"]])
def test_comfyuis_ledger_of_another_user_is_not_left_for_another_one(
    arguments: list[str],
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """ComfyUI runs as root, in a container. The command says whose folder it is, and does not take another ledger,
    where nothing is known of what was bought."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    record_location(home, output, temp)
    monkeypatch.setenv("COMETAPI_KEY", "some-key-123456")
    nobody_may_look_into(home, monkeypatch)
    assert main([*arguments, "--json"]) in (2, 7)
    answer = json.loads(capsys.readouterr().out)
    assert str(home) in answer["error"]
    assert "Delete nothing" in answer["hint"]
    assert not (locations.user_folder() / "ledger.sqlite3").exists()


def test_a_ledger_of_another_user_counts_as_one(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another ComfyUI, say: commands that only read do not need it, and none that buys goes on without it."""
    home, output, temp = comfyui(tmp_path / "elsewhere")
    record_location(home, output, temp)
    nobody_may_look_into(home, monkeypatch)
    mine = tmp_path / "mine"
    assert main(["jobs", "--home", str(mine), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"jobs": []}
    assert other_homes(mine) == [home]
    assert main(["import", str(home), "--home", str(mine), "--json"]) == 7
    assert str(home) in json.loads(capsys.readouterr().out)["error"]


@pytest.fixture(params=[False, True], ids=["~", "raises"])
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service or container whose user has neither HOME nor a line in /etc/passwd. platformdirs gives a path with its
    `~`; newer ones raise."""

    def user_data_dir(*_: str, **__: object) -> str:
        if request.param:
            raise RuntimeError("could not determine the home directory")
        return "~/.local/share/sora"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_data_dir", user_data_dir)


@pytest.mark.skipif(os.name == "nt", reason="Windows has a folder for each user")
@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("arguments", [["jobs"], ["run", "a boat", "--provider", "sandbox"], ["demo"]])
def test_no_home_folder_is_told_with_its_cure(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Wherever a ledger is needed."""
    assert main(arguments) == 2
    assert "Set SORA_HOME to a folder that this user may write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has a folder for each user")
@pytest.mark.usefixtures("homeless")
def test_the_doctor_looks_at_the_machine_where_no_engine_can_be_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It shows why, with the cure, as one failed line below those that it could look at."""
    assert main(["doctor", "--json"]) == 7
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert [name for name, one in found.items() if one["level"] == "failed"] == ["engine"]
    assert "Set SORA_HOME to a folder that this user may write" in found["engine"]["text"]
    assert {"python", "opencv", "pyav"} < set(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has a folder for each user")
def test_the_doctor_works_where_a_user_has_no_home(tmp_path: Path) -> None:
    """For an id that no passwd line knows; with SORA_HOME set everything is looked at."""
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_DATA_HOME")}
    code = (
        f"import pwd, sys; sys.path.insert(0, {str(PACK / 'nodes')!r}); pwd.getpwuid = {{}}.__getitem__\n"
        "from sora_jobs.cli.main import main; sys.exit(main(['doctor', '--json']))"
    )
    for home, says in ((None, "Set SORA_HOME"), (str(tmp_path / "state"), "defaults")):
        run = subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8",
            env=environment | ({} if home is None else {"SORA_HOME": home}), timeout=120,
        )  # fmt: skip
        assert says in run.stdout, run.stderr
        assert "Traceback" not in run.stderr
        assert "check itself broke" not in run.stdout


def test_a_home_with_a_tilde_and_nobodys_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(path: Path) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    with failing(InvalidInputError, "no_home_folder"):
        state_folder({"SORA_HOME": "~/sora"})


def test_the_word_is_for_this_user_alone(pack: Path) -> None:
    """It tells where somebody's videos are."""
    record_location(pack, pack, pack)
    [file] = (locations.user_folder() / "packs").iterdir()
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"pack", "home", "output", "temp", "at", "database"}
    if os.name != "nt":
        assert file.stat().st_mode & 0o077 == 0
