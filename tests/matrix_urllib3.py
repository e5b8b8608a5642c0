"""The gateway's side with old and new versions of urllib3, of whose inside
nodes/sora_jobs/gateway/connections.py uses parts. `make matrix`, or this file alone.

Each version has an environment of its own in .venv-matrix/, which is kept: the first run installs, later ones test.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-matrix"
URLLIB3 = ("2.0.7", "2.2.3", "newest")  # as TESTED in connections.py, whose last one is the newest of its day
TESTS = (
    "tests/gateway/quirks", "tests/gateway/test_bodies.py", "tests/gateway/test_connections.py",
    "tests/gateway/test_download.py", "tests/gateway/test_providers.py", "tests/gateway/test_purchase.py",
    "tests/gateway/test_reasons.py", "tests/gateway/test_repeats.py", "tests/trust/test_payload.py",
    "tests/trust/test_reach.py",
)  # fmt: skip
TESTERS = ("pytest", "hypothesis", "trustme", "brotli")


def requirements(version: str) -> list[str]:
    """What pip is told: that urllib3, and the rest of what the pack and these tests want."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [one for one in project["dependencies"] if _name(one) != "urllib3"]
    wanted += [one for one in project["optional-dependencies"]["dev"] if _name(one) in TESTERS]
    wanted = [one.replace("opencv-python", "opencv-python-headless") for one in wanted]
    return ["urllib3" if version == "newest" else f"urllib3=={version}", *wanted]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def environment(version: str) -> Path:
    """The Python of that version's environment, made if it is not there as it should be. The newest is asked for each
    time."""
    folder, wanted = FOLDER / f"urllib3-{version}", requirements(version)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed.txt"
    kept = stamp.is_file() and stamp.read_text(encoding="utf-8").splitlines() == wanted
    if not kept:
        print(f"installing urllib3 {version} …", file=sys.stderr)
        stamp.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    if not kept or version == "newest":
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", *wanted]
        subprocess.run(pip, check=not kept)  # without an index, the newest is that of the last run
        stamp.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a version, such as 2.0")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    given = parser.parse_args()
    failed = []
    for version in (version for version in URLLIB3 if given.only in version):
        command = [environment(version), "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *TESTS]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran = subprocess.run(
            [*command, *given.pytest], cwd=ROOT, env=clean, capture_output=True, encoding="utf-8", errors="replace"
        )
        print(
            f"urllib3 {version}: {ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else 'pytest did not run'}"
        )
        if ran.returncode:
            print(ran.stdout, ran.stderr, file=sys.stderr)
            failed.append(version)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
