"""`make pythons` and `make matrix`: which Pythons they find, what they install, and what they do without an index."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

PACK = Path(__file__).parents[2]

pytestmark = pytest.mark.outside  # it asks each Python of the machine


@pytest.fixture(scope="module")
def envs() -> ModuleType:
    return script("environments")


def script(name: str) -> ModuleType:
    """tests/NAME.py, as it imports its neighbours when it is run."""
    sys.path.insert(0, str(PACK / "tests"))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(PACK / "tests"))


def fake(folder: Path, name: str, said: str, status: int = 0) -> Path:
    """A program in that folder that answers as a Python would."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\nprintf '%s\\n' '{said}'\nexit {status}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def described(version: list[int], program: Path, *, usable: bool = True) -> str:
    return json.dumps([usable, version, str(program)])


@pytest.mark.skipif(os.name != "posix", reason="its programs are shell scripts")
def test_each_python_is_found_once(envs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PATH and pyenv's; of each minor version the newest release. Those that are too old, not released, or not
    working (pyenv's own stand-ins, say) are left out."""
    path, pyenv = tmp_path / "bin", tmp_path / "pyenv" / "versions"
    fake(path, "python3.12", described([3, 12, 1], tmp_path / "older"))
    fake(pyenv / "3.12.7" / "bin", "python", described([3, 12, 7], tmp_path / "newer"))
    fake(path, "python3.99", described([3, 99, 0], tmp_path / "newest"))
    fake(path, "python3.98", described([3, 98, 0], tmp_path / "alpha", usable=False))
    fake(path, "python3.97", "pyenv: python3.97: command not found", 127)
    fake(path, "python3.10", described([3, 10, 4], tmp_path / "old"))
    fake(path, "python3.12-config", "--libs")
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{tmp_path / 'not there'}")
    monkeypatch.setenv("PYENV_ROOT", str(pyenv.parent))
    found = {python.name: python for python in envs.find_pythons()}
    assert found.keys() == {f"{sys.version_info[0]}.{sys.version_info[1]}", "3.12", "3.99"}
    if sys.version_info[:2] != (3, 12):
        assert (found["3.12"].version, found["3.12"].program) == ((3, 12, 7), tmp_path / "newer")
    assert list(found) == sorted(found, key=lambda name: int(name.partition(".")[2]))


def test_requirements_are_those_of_the_pack(envs: ModuleType) -> None:
    """With what is chosen in place of its own, and the OpenCV that needs no libGL in place of the plain one."""
    own = {envs.name_of(one) for one in envs.PROJECT["project"]["dependencies"]}
    wanted = [envs.name_of(one) for one in envs.requirements()]
    assert len(wanted) == len(set(wanted))
    assert own - set(wanted) == {"opencv-python"}
    assert "opencv-python-headless" in wanted
    chosen = envs.requirements("opencv-contrib-python-headless==5.0.0.93", "av==14.2.0")
    assert [one for one in chosen if one.startswith(("opencv", "av"))] == chosen[:2]
    assert envs.name_of("SQLAlchemy==2.1") == envs.name_of("sqlalchemy>=2.0.35") == "sqlalchemy"
    assert envs.name_of("psycopg[binary]>=3.2") == "psycopg"


def test_the_lowest_are_the_bounds(envs: ModuleType) -> None:
    """One release of each requirement, from its lower bound."""
    matrix = script("matrix")
    for one, bound in zip(matrix.lowest(), envs.PROJECT["project"]["dependencies"], strict=True):
        name, version = bound.replace("opencv-python", "opencv-python-headless").split(">=")
        assert one.startswith(f"{name}=={version}.")


@pytest.mark.skipif(os.name != "posix", reason="asks this Python's pip where a POSIX environment has it")
def test_without_an_index_there_are_no_versions(envs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is told from a requirement that cannot be met."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert envs.resolve(Path(sys.prefix), ["requests>=2.31"]) is None
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit):
        envs.resolve(Path(sys.prefix), ["requests>=2.31"])
