"""The pack with each OpenCV and PyAV that it promises to work with, and with the lowest and the newest of everything.
`make matrix`, or this file alone.

It lies beside the tests and not in bench/, since it says passed or failed and measures nothing. Each row has an
environment of its own, which is kept: the first run installs, later ones only test. The pairs run tests/media. They are
not the full product: every version is there, the lowest of both together, and an old one of each beside a new other.
The lowest of all requirements runs on the oldest Python of this machine, the newest on the newest one, each with WIDE.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

import environments as envs
from environments import HEADLESS, ROOT, Outcome

FOLDER = ROOT / ".venv-matrix"
WIDE = ("tests/engine", "tests/gateway", "tests/media", "tests/nodes", "tests/frozen")
WIDE = (*WIDE, "--ignore=tests/nodes/test_real_host.py", "-n", str(os.cpu_count() or 1), "--dist", "loadfile")


class Pair(NamedTuple):
    """Versions, what else they want, and which of OpenCV's four wheels it is."""

    opencv: str
    pyav: str
    others: tuple[str, ...]
    wheel: str = HEADLESS

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


class Row(NamedTuple):
    """A name, the Python of an environment, and what pytest is told."""

    name: str
    python: Path
    tests: tuple[str, ...]


def environment(pair: Pair) -> Path:
    """The Python of the pair's environment, made if it is not there as it should be."""
    wanted = requirements(pair)
    return envs.install(Path(sys.executable), FOLDER / pair.name, wanted, wanted)


def requirements(pair: Pair) -> list[str]:
    """What pip is told: the pair, and the rest of the pack's own requirements."""
    return envs.requirements(f"{pair.wheel}=={pair.opencv}", f"av=={pair.pyav}", *pair.others)


def lowest() -> list[str]:
    """The oldest releases that the pack promises to work with."""
    found = []
    for one in envs.PROJECT["project"]["dependencies"]:
        name, version = one.replace("opencv-python", HEADLESS).split(">=")
        # The last fix of the release: OpenCV has no plain 4.8, and nobody has the first one.
        found.append(f"{name}=={version if '.' in version else version + '.0'}.*")
    return found


def rows(only: str) -> list[Row]:
    """Those whose names have `only` in them, installed."""
    found = [Row(pair.name, environment(pair), ("tests/media",)) for pair in PAIRS if only in pair.name]
    pythons = envs.find_pythons()
    oldest, newest = pythons[0], pythons[-1]
    if only in (name := f"lowest_python-{oldest.name}"):
        wanted = envs.requirements(*lowest())
        found.append(Row(name, envs.install(oldest.program, FOLDER / name, wanted, wanted), WIDE))
    if only in (name := f"newest_python-{newest.name}"):
        made = envs.with_newest(newest)
        if made.why:
            print(f"{name}: {made.why}", file=sys.stderr)
        else:
            found.append(Row(name, made.program, WIDE))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a row's name, such as opencv-4.10 or lowest")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    given = parser.parse_args()
    outcomes: dict[str, Outcome] = {}
    for row in rows(given.only):
        outcomes[row.name] = envs.tested(row.python, [*row.tests, *given.pytest])
    print("| versions | passed | failed | skipped |\n|---|---|---|---|")
    for name, outcome in outcomes.items():
        print(f"| {name.replace('_', ', ')} | {outcome.passed} | {len(outcome.failed)} | {outcome.skipped} |")
    for name, outcome in outcomes.items():
        for test in outcome.failed:
            print(f"{name}: {test}")
    sys.exit(any(outcome.failed for outcome in outcomes.values()))


if __name__ == "__main__":
    main()
