"""tests/media with each OpenCV and PyAV that the pack promises to work with. `make matrix`, or this file alone.

It lies beside the tests and not in bench/, since it says passed or failed and measures nothing. Each pair has an
environment of its own in .venv-matrix/, which is kept: the first run installs, later ones only test. Not the full
product: every version is there, the lowest of everything together, and an old one of each beside a new other.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-matrix"
TESTERS = ("pytest>=8", "hypothesis>=6.100")


class Pair(NamedTuple):
    """Versions, what else they want, and which of OpenCV's four wheels it is."""

    opencv: str
    pyav: str
    others: tuple[str, ...]
    # It reads videos as the plain one does, and needs no libGL.
    wheel: str = "opencv-python-headless"

    @property
    def name(self) -> str:
        return f"{self.wheel.removesuffix('-headless').removesuffix('-python')}-{self.opencv}_pyav-{self.pyav}"


PAIRS = (
    # The lowest that pyproject.toml allows; newer Pythons have no wheels of the old numpy and pillow.
    Pair(
        "4.8.1.78",
        "14.2.0",
        ("numpy~=1.26.0; python_version < '3.13'", "numpy<2.3", "pillow~=10.1.0; python_version < '3.13'"),
    ),
    Pair("4.10.0.84", "16.1.0", ("numpy<2.3",)),
    Pair("4.12.0.88", "18.1.0", ("numpy<2.3",)),  # colours: an old OpenCV, which numpy 2.3 is too new for
    Pair("4.13.0.92", "16.1.0", ("numpy>=2",)),
    Pair("5.0.0.93", "14.2.0", ("numpy>=2",)),  # an old PyAV
    Pair("5.0.0.93", "18.1.0", ("numpy>=2",)),
    Pair("5.0.0.93", "18.1.0", ("numpy>=2",), "opencv-contrib-python-headless"),
)


class Outcome(NamedTuple):
    """How many tests of each kind there were, and the names of those that failed."""

    passed: int
    failed: tuple[str, ...]
    skipped: int


def environment(pair: Pair) -> Path:
    """The Python of the pair's environment, made if it is not there as it should be."""
    folder = FOLDER / pair.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = requirements(pair)
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").splitlines() != wanted:
        print(f"installing {pair.name} …", file=sys.stderr)
        stamp.unlink(missing_ok=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=True)
        stamp.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return python


def requirements(pair: Pair) -> list[str]:
    """What pip is told: the pair, and the rest of the pack's own requirements."""
    chosen = [f"{pair.wheel}=={pair.opencv}", f"av=={pair.pyav}", *pair.others]
    named = {_name(one) for one in chosen} | {"opencv-python"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return chosen + [one for one in (*project["dependencies"], *TESTERS) if _name(one) not in named]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def tested(python: Path, arguments: list[str]) -> Outcome:
    """Run the tests; what they say goes to stderr when one fails. (All of it: that Python, -m pytest tests/media.)"""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "tests/media", "-q", "--tb=line", f"--junitxml={report}"]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran = subprocess.run([*command, *arguments], cwd=ROOT, env=clean, capture_output=True, encoding="utf-8")
        if ran.returncode:
            print(ran.stdout, ran.stderr, file=sys.stderr)
        if not report.is_file():
            raise SystemExit("pytest did not run.")
        cases = ET.parse(report).findall(".//testcase")
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = tuple(f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}" for case in bad)
    return Outcome(len(cases) - len(bad) - skipped, names, skipped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a pair's name, such as opencv-4.10")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    given = parser.parse_args()
    outcomes = {pair: tested(environment(pair), given.pytest) for pair in PAIRS if given.only in pair.name}
    print("| OpenCV | PyAV | passed | failed | skipped |\n|---|---|---|---|---|")
    for pair, outcome in outcomes.items():
        print(f"| {pair.opencv} | {pair.pyav} | {outcome.passed} | {len(outcome.failed)} | {outcome.skipped} |")
    for pair, outcome in outcomes.items():
        for name in outcome.failed:
            print(f"OpenCV {pair.opencv}, PyAV {pair.pyav}: {name}")
    sys.exit(any(outcome.failed for outcome in outcomes.values()))


if __name__ == "__main__":
    main()
