"""What users get and what it pulls in: the packed files, the requirements, the modes in git, and the calls that no code
of ours makes."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pathspec
import pytest
from sora_jobs.gateway.connections import TESTED

from ..matrix_urllib3 import URLLIB3

ROOT = Path(__file__).parents[2]
# Folder -> the endings of what is packed from it.
PACKED = {
    "": {".py", ".toml", ".txt", ".md", ""},
    "nodes": {".py", ".toml", ".mp4", ".typed"},
    "js": {".js", ".mjs", ".ts", ".css", ".md", ".jpg", ".png"},
    "locales": {".json"},
    "example_workflows": {".json", ".jpg"},
    "docs": {".md", ".jpg", ".png"},
}
AT_THE_TOP = {
    "__init__.py", "sora.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "README.vi.md",
    "CHANGELOG.md", "SECURITY.md",
}  # fmt: skip
LARGEST = 10 << 20  # bytes of all packed files
# Of these, nodes/ uses none: no other program, no code from text, no objects from bytes, no installing.
MODULES = {
    "subprocess", "pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "pip", "ensurepip", "code", "codeop",
    "pty", "ftplib", "telnetlib", "multiprocessing", "cffi",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "execfile", "breakpoint"}
OS_CALLS = re.compile(r"(system|popen|exec[lv].*|spawn.*|fork.*|startfile|posix_spawn.*)")


def git(*arguments: str) -> list[str]:
    try:
        ran = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, encoding="utf-8", check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return ran.stdout.split("\0")[:-1]


def packed() -> list[str]:
    """As comfy-cli packs it: what git tracks, without what .comfyignore names."""
    lines = [
        line
        for line in (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    tracked = git("ls-files", "-z")
    ways = [set(pathspec.GitIgnoreSpec.from_lines(lines).match_files(tracked))]
    ways.append(set(pathspec.PathSpec.from_lines("gitignore", lines).match_files(tracked)))
    assert ways[0] == ways[1]  # in both readings of such a file
    return [name for name in tracked if name not in ways[0]]


def sources() -> Iterator[tuple[Path, ast.AST]]:
    for file in [ROOT / "__init__.py", ROOT / "sora.py", *sorted((ROOT / "nodes").rglob("*.py"))]:
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def test_the_archive_holds_what_is_meant() -> None:
    """No test, no workflow of a server's, no hidden file, no tool of ours; and all that the pack needs to run."""
    files = packed()
    assert {name for name in files if "/" not in name} == AT_THE_TOP
    for name in files:
        folder = name.partition("/")[0] if "/" in name else ""
        assert folder in PACKED, name
        assert Path(name).suffix in PACKED[folder], name
        assert not any(part.startswith(".") for part in Path(name).parts), name
    tracked = git("ls-files", "-z", "nodes", "js", "locales", "example_workflows")
    assert set(tracked) <= set(files)
    assert sum((ROOT / name).stat().st_size for name in files if (ROOT / name).exists()) < LARGEST


def test_modes_in_git() -> None:
    """Nothing can be executed but the one script, nothing is a link, nothing is another repository."""
    modes = {line.split("\t")[1]: line.split()[0] for line in git("ls-files", "-s", "-z")}
    assert {name for name, mode in modes.items() if mode != "100644"} == {".ci/run"}
    assert modes[".ci/run"] == "100755"


def test_requirements_agree_and_are_bounded_below_only() -> None:
    """The registry installs requirements.txt and pip reads pyproject.toml; a bound above would fight other packs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
    assert sorted(wanted) == sorted(project["dependencies"])
    assert all(re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line) for line in wanted)
    assert len(wanted) <= 11


def test_the_versions_of_urllib3_that_are_named_are_tried() -> None:
    """An error names them as the cure; the last one is the newest of its day."""
    assert TESTED[:-1] == URLLIB3[:-1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (least,) = [one for one in project["dependencies"] if one.startswith("urllib3")]
    assert TESTED[0].startswith(least.removeprefix("urllib3>=") + ".")


def test_nothing_of_ours_runs_a_program_or_code_from_text() -> None:
    """Nor unpickles, nor installs: when it is imported and ever after."""
    found = []
    for file, tree in sources():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            found += [(file.name, name) for name in names if name.split(".")[0] in MODULES]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found.append((file.name, node.func.id))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                of = node.value.id
                if (of == "os" and OS_CALLS.fullmatch(node.attr)) or (of, node.attr) == ("sys", "settrace"):
                    found.append((file.name, f"{of}.{node.attr}"))
            if isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle", "verify"):
                value = getattr(node.value, "value", True)
                if value is (node.arg != "verify"):
                    found.append((file.name, f"{node.arg}={value}"))
    assert found == []


def test_modules_are_imported_by_names_that_stand_here() -> None:
    """`importlib.import_module` gets a text that is written in the code, and no variable."""
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
                assert isinstance(node.args[0], ast.Constant), file.name


def test_no_file_tells_of_a_machine_or_a_person() -> None:
    """No home folder, no address of a person, no key."""
    told = re.compile(
        rb"/(home/[a-z]+|Users/[a-z]+|root)/|sk-[A-Za-z0-9]{20,}|[\w.]+@(gmail|outlook|hotmail|qq|163)\.com"
    )
    assert [name for name in packed() if (ROOT / name).exists() and told.search((ROOT / name).read_bytes())] == []


def test_the_threat_model_names_tests_that_there_are() -> None:
    """Each line of SECURITY.md has a proof that runs."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    files = (ROOT / "tests").rglob("test_*.py")
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert named <= there, named - there


@pytest.mark.parametrize(
    ("page", "clip", "no_model"),
    [
        ("README.md", "**test clip**", "**No AI model"),
        ("README.vi.md", "**đoạn phim thử**", "**Không có mô hình AI nào"),
    ],
)
def test_before_the_first_command_readers_know_that_the_sandbox_is_no_ai(page: str, clip: str, no_model: str) -> None:
    """Who takes the sandbox's landscape for a model's work would judge the pack, and their prompt, by it."""
    before = (ROOT / page).read_text(encoding="utf-8").split("make demo")[0]
    assert clip in before
    assert no_model in before
