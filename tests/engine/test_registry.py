"""What the registry, an installer and a reader of the CHANGELOG are told agrees with the rest of the house."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import sora_jobs
from PIL import Image

PACK = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, COMFY = PYPROJECT["project"], PYPROJECT["tool"]["comfy"]
CHANGELOG = (PACK / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((PACK / ".github" / "workflows").glob("*.yml"))


def test_the_manager_installs_what_pip_would() -> None:
    """requirements.txt, which ComfyUI's installers read, has the dependencies of pyproject.toml, in their order."""
    lines = (PACK / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines == PROJECT["dependencies"]


def test_nothing_is_pinned_that_others_share() -> None:
    """Every requirement is a lower bound: an upper one would break the next pack of the same ComfyUI."""
    assert [one for one in PROJECT["dependencies"] if not re.fullmatch(r"[\w.-]+>=[\d.]+", one)] == []


def test_the_registry_takes_the_name_and_the_version() -> None:
    """The rules of docs.comfy.org/registry/specifications; the id is for ever."""
    assert PROJECT["name"] == "sora-jobs"
    assert COMFY["PublisherId"] == "sora-jobs"
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert PROJECT["version"] == sora_jobs.__version__
    assert re.fullmatch(r">=\d+\.\d+\.\d+", COMFY["requires-comfyui"])
    assert PROJECT["license"] == {"file": "LICENSE"}
    assert (PACK / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_where_the_repository_is_known_the_pictures_are_too() -> None:
    """They are given to the registry as addresses, so they come with the repository's, or not at all."""
    known = bool(PROJECT.get("urls", {}).get("Repository"))
    assert [bool(COMFY.get(name)) for name in ("Icon", "Banner")] == [known, known]


def test_the_pictures_have_the_registrys_shapes() -> None:
    """An icon of 400x400 at most, a banner of 21:9."""
    with Image.open(PACK / "assets" / "icon.png") as icon, Image.open(PACK / "assets" / "banner.png") as banner:
        assert icon.size == (400, 400)
        assert banner.width * 9 == banner.height * 21


def test_the_changelog_has_this_version_and_keeps_its_form() -> None:
    """Newest first, each with a date, and only the headings of keepachangelog.com."""
    releases = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGELOG, re.MULTILINE)
    assert [name for name, date in releases if not date] == ["Unreleased"]
    versions = [name for name, date in releases if date]
    assert versions[:1] in ([], [PROJECT["version"]])
    assert versions == sorted(versions, key=lambda one: [int(part) for part in one.split(".")], reverse=True)
    headings = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_its_commit(workflow: Path) -> None:
    """A tag can be moved. The readable version stands beside it, and nothing may write to the repository."""
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # .+", one)] == []
    assert "permissions:" in text
    assert ": write" not in text


def test_ci_covers_what_is_promised() -> None:
    """The Pythons of the classifiers, and the oldest ComfyUI of pyproject.toml."""
    text = (PACK / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    listed = ", ".join(f'"{one}"' for one in pythons)
    assert f"python: [{listed}]" in text
    assert f"v{COMFY['requires-comfyui'].removeprefix('>=')}" in text
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    assert re.search(r"os: \[.*windows-latest", text)
    assert "PYTHONUTF8:" not in text  # users of Windows do not set it
    weekly = text[text.index("  prereleases:") :]
    assert "--pre" in weekly[: weekly.index("pytest")]
    assert "continue-on-error: true" in weekly[: weekly.index("steps:")]


def test_ci_runs_every_python_of_the_machine() -> None:
    """After the one that `make test` takes: what is newest there may be what users get, and nothing else tries it."""
    commands = [line for line in (PACK / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line[:4] == "make"]
    assert commands == ["make test", "make pythons"]
