"""The types and the format of the page's modules, by TypeScript and Prettier as tests/js/package.json pins them. `make
js` installs them; without them these tests are skipped, and say so."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOOLS = HERE / "node_modules"
FORMATTED = ["js/*.js", "js/*.mjs", "js/*.ts", "tests/js/*.{mjs,json}", "tests/js/page/**/*.ts"]


def run(package: str, program: str, *arguments: str) -> tuple[int, str]:
    """Status and output of one of the tools, with Node, in the pack's folder."""
    node, pinned = shutil.which("node"), json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    if node is None:
        pytest.skip("node is not installed")
    try:
        installed = json.loads((TOOLS / package / "package.json").read_text(encoding="utf-8"))["version"]
    except OSError:
        pytest.skip(f"{package} is not installed in tests/js. To enable this, make js (with npm)")
    assert installed == pinned["devDependencies"][package], "make js installs the pinned version"
    command = [node, str(TOOLS / package / program), *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_types_fit() -> None:
    """Strictly: what travels, the host object and ComfyUI's page are described in js/types.d.ts."""
    status, told = run("typescript", "bin/tsc", "--project", "tests/js")
    assert status == 0, told[-5000:]


def test_a_wrong_type_is_seen(tmp_path: Path) -> None:
    """In a copy of js/ with one mistake, so that the test above is known to look at it."""
    shutil.copytree(ROOT / "js", tmp_path / "js", ignore=shutil.ignore_patterns("docs"))
    shutil.copytree(HERE, tmp_path / "tests" / "js", ignore=shutil.ignore_patterns("node_modules", "*.py"))
    with (tmp_path / "js" / "row.mjs").open("a", encoding="utf-8") as module:
        module.write("\n/** @param {Row} row */\nexport const wrong = (row) => row.no_such_field;\n")
    status, told = run("typescript", "bin/tsc", "--project", str(tmp_path / "tests" / "js"))
    assert status != 0
    assert "no_such_field" in told
    assert told.count("error TS") == 1, told


def test_nothing_is_left_out_of_the_types() -> None:
    """No module tells the compiler to look away."""
    for file in [*(ROOT / "js").glob("*.mjs"), ROOT / "js" / "sora.js"]:
        text = file.read_text(encoding="utf-8")
        for way_out in ("@ts-ignore", "@ts-nocheck", "@ts-expect-error", "{any}", "{*}"):
            assert way_out not in text, f"{file.name}: {way_out}"


def test_the_format_is_prettiers() -> None:
    """`make js-format` makes it so."""
    status, told = run("prettier", "bin/prettier.cjs", "--check", *FORMATTED)
    assert status == 0, told[-5000:]
