"""Environments for `make pythons` and `make matrix`: the Pythons of this machine, what is installed for them, and what
the tests say there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OLDEST = [3, 11]
# Of [dev], what tests of the engine need; the rest is for lint, types and the page.
TESTERS = ("pytest", "pytest-xdist", "hypothesis", "openai", "shtab", "trustme")
# It reads videos as the plain one does, and needs no libGL.
HEADLESS = "opencv-python-headless"
# Fails where no environment can be made (Debian has ensurepip in a package of its own). OpenCV has no wheels for a
# build without the GIL.
ASK = """
import ensurepip, json, os, sys, sysconfig, venv
usable = sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(json.dumps([usable, sys.version_info[:3], os.path.realpath(sys.executable)]))
"""
_one_build = threading.Lock()  # at a time: all of them build in the checkout


class Python(NamedTuple):
    """A Python of this machine."""

    version: tuple[int, int, int]
    program: Path

    @property
    def name(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


class Outcome(NamedTuple):
    """How many tests of each kind there were, and the names of those that failed."""

    passed: int
    failed: tuple[str, ...]
    skipped: int


def find_pythons() -> list[Python]:
    """The newest release of each Python from 3.11 on, oldest first: `python3.N` on PATH, this one, and pyenv's."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    programs = [file for folder in folders if folder.is_dir() for file in folder.glob("python3.*")]
    programs = [file for file in programs if re.fullmatch(r"python3\.\d+(\.exe)?", file.name)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    programs += [folder / "bin" / "python" for folder in pyenv.glob("3.*")]
    found: dict[str, Python] = {}
    for program in [Path(sys.executable), *programs]:
        python = _asked(program)
        if python is not None and python > found.get(python.name, Python((0, 0, 0), program)):
            found[python.name] = python
    return sorted(found.values())


def _asked(program: Path) -> Python | None:
    try:
        ran = subprocess.run([program, "-I", "-c", ASK], capture_output=True, encoding="utf-8", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if ran.returncode:  # a pyenv shim of a version that is not chosen, say
        return None
    usable, version, real = json.loads(ran.stdout)
    return Python((version[0], version[1], version[2]), Path(real)) if usable and version >= OLDEST else None


def python_in(folder: Path) -> Path:
    """The Python of that environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements(*chosen: str) -> list[str]:
    """What pip is told: what is chosen, and for all else the requirements of the pack and of its tests."""
    project = PROJECT["project"]
    named = {name_of(one) for one in chosen}
    packs = [one.replace("opencv-python", HEADLESS) for one in project["dependencies"] if name_of(one) not in named]
    if any(name.startswith("opencv-") for name in named):  # one of its four wheels
        packs = [one for one in packs if name_of(one) != HEADLESS]
    return [*chosen, *packs, *(one for one in project["optional-dependencies"]["dev"] if name_of(one) in TESTERS)]


def name_of(requirement: str) -> str:
    """The package's name, in the one spelling that pip compares."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def install(python: Path, folder: Path, key: Sequence[str], wanted: Sequence[str], *, pack: bool = False) -> Path:
    """The Python of the environment in `folder`, which is kept while `key` is the same; else it is made anew with what
    is wanted, and with the pack itself."""
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").splitlines() != list(key):
        print(f"installing {folder.name} …", file=sys.stderr)
        create(python, folder)
        try:
            _pip(folder, "install", "--no-compile", "--only-binary=:all:", *wanted)
            if pack:
                with _one_build:
                    _pip(folder, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"pip could not install {folder.name}:\n{error.stderr}") from None
        stamp.write_text("\n".join(key) + "\n", encoding="utf-8")
    return python_in(folder)


class Installed(NamedTuple):
    """An environment: its Python and its versions; without a Python where nothing could be installed."""

    program: Path
    versions: tuple[str, ...] = ()
    why: str = ""


def with_newest(python: Python, *, unless: Callable[[Python, list[str]], bool] = lambda *_: False) -> Installed:
    """The environment of that Python with the newest of all requirements and the pack itself, in .venv-pythons/: made
    anew where pip would install other versions now, kept where it reaches no index. `unless(python, versions)` is true
    where that is needed no more."""
    folder = ROOT / ".venv-pythons" / python.name
    stamp = folder / "installed.txt"
    if not python_in(folder).exists():
        create(python.program, folder)
    versions = resolve(folder, requirements())
    if versions is None and not stamp.is_file():
        return Installed(Path(), why="pip reaches no index, and nothing is left of an earlier run")
    if versions is None:
        print(f"Python {python.name}: pip reaches no index, so the versions are those of the last run", file=sys.stderr)
        return Installed(python_in(folder), tuple(stamp.read_text(encoding="utf-8").splitlines()))
    if unless(python, versions):
        return Installed(Path(), why="`make test` has run it with the same versions")
    # A new pyproject.toml may name other packages of ours.
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    key = [f"Python {python.version}", f"pyproject.toml {project}", *versions]
    wanted = [*versions, *PROJECT["build-system"]["requires"]]
    return Installed(install(python.program, folder, key, wanted, pack=True), tuple(versions))


def create(python: Path, folder: Path) -> None:
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True, env=_clean())


def resolve(folder: Path, wanted: Sequence[str]) -> list[str] | None:
    """What pip would install now, as name==version; None where it reaches no index."""
    report = ["install", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--report", "-"]
    try:
        found = json.loads(_pip(folder, *report, *wanted))["install"]
    except subprocess.CalledProcessError as error:
        # It says so of a package that every index has; the connection's own errors are warnings in many forms.
        if "(from versions: none)" in error.stderr and "Retrying (" in error.stderr:
            return None
        raise SystemExit(f"pip found no versions for {folder.name}:\n{error.stderr}") from None
    return sorted(f"{name_of(one['metadata']['name'])}=={one['metadata']['version']}" for one in found)


def _pip(folder: Path, *arguments: str) -> str:
    command = [python_in(folder), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, env=_clean(), capture_output=True, encoding="utf-8").stdout


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def tested(python: Path, arguments: Sequence[str]) -> Outcome:
    """Run the tests; what they say goes to stderr when one fails. (All of it: that Python, -m pytest, and these.)"""
    env = _clean() | {"PYTHONWARNDEFAULTENCODING": "1"}  # as `make test` does
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}"]
        ran = subprocess.run(
            [*command, *arguments], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", errors="replace"
        )
        if ran.returncode:
            print(ran.stdout, ran.stderr, file=sys.stderr)
        if not report.is_file():
            raise SystemExit("pytest did not run.")
        cases = ET.parse(report).findall(".//testcase")
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = tuple(f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}" for case in bad)
    return Outcome(len(cases) - len(bad) - skipped, names, skipped)
