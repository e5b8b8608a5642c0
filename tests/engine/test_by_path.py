"""The command line by its file's path, as a portable build needs it; and what a Python that is too old is told."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..systems import hears_pythonpath

PACK = Path(__file__).parents[2]
OLD = ("3.8", "3.9", "3.10")


def run(python: Path | str, *arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH" and "BYTECODE" not in name}
    env |= more
    env["COMETAPI_BASE_URL"] = "http://127.0.0.1:9"  # where nothing listens: the doctor looks at it
    command = [python, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=120)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the pack, of a version that is not installed anywhere."""
    copy = tmp_path / "ComfyUI of Bảo" / "custom_nodes" / "sora-jobs"
    shutil.copytree(PACK / "nodes", copy / "nodes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "sora.py"):
        shutil.copy(PACK / name, copy)
    (copy / "nodes" / "sora_jobs" / "__init__.py").write_text('__version__ = "9.8.7"\n', encoding="utf-8")
    return copy


@pytest.mark.parametrize("flag", ["-I", "-P", "-s"])
def test_the_command_runs_by_its_path(pack: Path, tmp_path: Path, flag: str) -> None:
    """From another folder, on the copy's own engine, also where Python imports nothing from the current folder; and it
    writes nothing into the pack, not even bytecode."""
    (tmp_path / "elsewhere").mkdir()
    version = run(sys.executable, flag, str(pack / "sora.py"), "--version", cwd=tmp_path / "elsewhere")
    assert (version.stdout, version.stderr) == ("sora 9.8.7\n", "")
    given = ("doctor", "--home", str(tmp_path / "home"), "--out", str(tmp_path / "out"), "--json")
    looked = run(sys.executable, flag, str(pack / "sora.py"), *given, cwd=tmp_path / "elsewhere")
    assert '"findings"' in looked.stdout, looked.stderr
    assert list(pack.rglob("__pycache__")) == []
    wrong = run(sys.executable, flag, str(pack / "sora.py"), "no-such-command", cwd=tmp_path / "elsewhere")
    assert wrong.returncode == 2


@pytest.mark.skipif(not hears_pythonpath(), reason="an embedded Python reads no PYTHONPATH")
def test_the_file_hides_no_package(pack: Path) -> None:
    """A Python that was started in the pack's folder finds this file first, whose name is not the package's."""
    program = "import sora_jobs.cli.main as main; print(main.__name__, sora_jobs.__version__)"
    ran = run(sys.executable, "-c", f"import sora, sora_jobs; {program}", cwd=pack, PYTHONPATH=str(pack / "nodes"))
    assert ran.stdout == "sora_jobs.cli.main 9.8.7\n", ran.stderr


@pytest.mark.parametrize("file", ["__init__.py", "sora.py"])
def test_an_old_python_can_read_what_it_is_told(file: str) -> None:
    """No newer syntax stands between it and the sentence."""
    ast.parse((PACK / file).read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", OLD)
def test_an_old_python_is_told_what_it_needs(pack: Path, version: str) -> None:
    """In ComfyUI's log, and in a shell, in one sentence: not that some module has no tomllib."""
    python = old_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    imported = f"import sys; sys.path.insert(0, {str(pack.parent)!r}); __import__('sora-jobs')"
    for arguments in (("-c", imported), (str(pack / "sora.py"),)):
        ran = run(python, *arguments, cwd=pack.parent)
        assert ran.returncode != 0
        last = ran.stderr.splitlines()[-1]
        assert "Python 3.11 or newer" in last
        assert version in last


def old_python(version: str) -> Path | None:
    """One on PATH that works, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [Path(file) for file in (shutil.which(f"python{version}"),) if file]
    for python in [*found, *(folder / "bin" / "python" for folder in pyenv.glob(f"{version}.*"))]:
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None
