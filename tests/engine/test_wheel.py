"""The package as it is installed: a wheel is built, installed into an empty environment, and used from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

venv = pytest.importorskip("venv", reason="an embedded Python has neither venv nor pip")
PACK = Path(__file__).parents[2]
ENGINE = PACK / "nodes" / "sora_jobs"
NOT_SHIPPED = ("__pycache__", ".venv", ".git", "build", "node_modules", "out", "tests")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment in which nothing but the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    # A build writes beside what it builds.
    source = shutil.copytree(PACK, folder / "source", ignore=shutil.ignore_patterns(*NOT_SHIPPED, "*.egg-info"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    built = subprocess.run(build, capture_output=True, encoding="utf-8", timeout=300)
    if "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("pip cannot download setuptools, which builds the wheel")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    site = sysconfig.get_path("purelib", "venv", {"base": str(folder / "env"), "platbase": str(folder / "env")})
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--target",
        site,
        str(wheel),
    ]
    subprocess.run(install, check=True, timeout=300)
    return folder / "env"


def run(environment: Path, *arguments: str) -> str:
    """What its Python prints. The libraries that the pack needs are this environment's."""
    scripts = sysconfig.get_path("scripts", "venv", {"base": str(environment), "platbase": str(environment)})
    libraries = str(Path(np.__file__).parents[1])
    program = f"import sys; sys.path.append({libraries!r}); sys.argv[0] = 'sora'; {arguments[0]}"
    python = Path(scripts) / ("python.exe" if os.name == "nt" else "python")
    command = [str(python), "-I", "-c", program, *arguments[1:]]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=environment, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_everything_is_in_the_wheel(installed: Path) -> None:
    """Each module, and what modules read beside themselves."""
    wanted = {
        path.relative_to(ENGINE) for path in ENGINE.rglob("*") if path.suffix in (".py", ".toml", ".mp4", ".typed")
    }
    there = run(installed, "import sora_jobs; print(sora_jobs.__file__)").strip()
    assert Path(there).is_relative_to(installed)
    found = {
        path.relative_to(Path(there).parent)
        for path in Path(there).parent.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == wanted


def test_the_public_api_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The program of the manual: it buys at the sandbox, waits for the video, and buys nothing twice."""
    program = (PACK / "docs" / "api.md").read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    quick = "SORA_SANDBOX_SECONDS='0.1', SORA_POLL_SECONDS='0.05'"
    script = f"import os; os.environ.update({quick}); os.chdir(sys.argv[1]); exec(sys.argv[2])"
    lines = run(installed, script, str(tmp_path), program).splitlines()
    assert (lines[0], lines[-1]) == ("estimated: 0.0", "again: True")
    (video,) = (tmp_path / "videos" / "sora").glob("*.mp4")
    assert lines[-2] == f"{video} 0.0"
    where = (
        "import sora_jobs; from sora_jobs import *; print(sora_jobs.__file__, Engine.__module__, *sora_jobs.__all__)"
    )
    file, *names = run(installed, where).split()
    assert Path(file).is_relative_to(installed)
    assert (Path(file).with_name("py.typed").is_file(), names[0]) == (True, "sora_jobs.engine")


def test_the_command_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Its entry point, with the catalogue and the texts that it reads."""
    main = "from sora_jobs.cli.main import main; sys.exit(main())"
    assert run(installed, main, "--version") == "sora 0.1.0\n"
    listed = json.loads(run(installed, main, "models", "--json", "--home", str(tmp_path)))
    assert len(listed["models"]) > 10
