"""The page's modules, run by Node's own test runner; without Node they are skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

JS = Path(__file__).parents[2] / "js"
OLDEST = 20  # of Node, which has the test runner
TYPES = re.compile(r"\bHTML[A-Za-z]*(Element|Map)\b")  # the names of types may have it


def test_the_modules_do_what_their_tests_say() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip(f"node is not installed (Node {OLDEST} or newer)")
    files = sorted(str(file) for file in Path(__file__).parent.glob("*.test.mjs"))
    run = subprocess.run([node, "--test", *files], capture_output=True, encoding="utf-8", timeout=180, check=False)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]


def test_one_entry_and_no_markup_from_text() -> None:
    """The page imports every .js below js/ as an extension of its own, so there is one; nothing writes HTML."""
    assert [file.name for file in JS.rglob("*.js")] == ["sora.js"]
    for file in [*JS.rglob("*.js"), *JS.rglob("*.mjs")]:
        text = TYPES.sub("", file.read_text(encoding="utf-8"))
        assert "HTML" not in text, file
