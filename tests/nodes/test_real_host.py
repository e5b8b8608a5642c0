"""The tests of this folder once more, on the real ComfyUI: what the stand-in promises is what ComfyUI does. Not with
every family of gateways: they are no matter of the host."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

from ..host.comfy import ENABLE, find_comfyui, find_python, host_version
from .conftest import FAMILIES, REAL
from .hosts import PACK

ONE_FAMILY = f"not ({' or '.join(f'[{family}]' for family in FAMILIES[1:])})"
PURE = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")  # pytest and all that it needs; none is compiled


def lend_pytest(folder: Path) -> None:
    """Link our pytest into `folder`, for an interpreter that has none: ComfyUI's own stays as it is."""
    folder.mkdir()
    for name in PURE:
        files = distribution(name).files
        assert files is not None
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(distribution(name).locate_file(top))))


@pytest.mark.skipif(REAL, reason="this is that run")
def test_the_same_on_the_real_comfyui(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them pass; this one is skipped there, and what that version cannot do."""
    comfyui = find_comfyui()
    python = comfyui and find_python(comfyui)
    if comfyui is None or python is None:
        pytest.skip(f"no ComfyUI with a Python of its own; to enable this, {ENABLE}")
    lend_pytest(tmp_path / "lent")
    environment = {"SORA_TESTS_REAL_COMFYUI": "1", "COMFYUI_DIR": str(comfyui), "PYTHONPATH": str(tmp_path / "lent")}
    command = [str(python), "-m", "pytest", "tests/nodes", "-q", "-p", "no:cacheprovider", "-k", ONE_FAMILY]
    command += ["--basetemp", str(tmp_path / "base")]
    run = subprocess.run(
        command, cwd=PACK, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", timeout=540
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    summary = run.stdout.rstrip().splitlines()[-1]
    skipped = [line for line in run.stdout.splitlines() if line.startswith("SKIPPED")]
    known = ("this is that run", "cannot trim", "cannot crop", "Windows' consoles")
    assert all(any(reason in line for reason in known) for line in skipped), skipped
    with capsys.disabled():
        print(f"\nComfyUI {host_version(comfyui)}, nodes in its own Python: {summary}")
