"""Known holes in what the pack requires, by pip-audit: a package of requirements.txt, or one that such a package
brings, fails this; tools of ours are only named. Without a network, or with an index that knows of no holes, it says
so and fails nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONGEST_S = 120


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought(names: set[str]) -> set[str]:
    """These packages with all that they require, as far as it is installed."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name in found:
            continue
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        names |= {normal(re.split(r"[\s<>=!~;\[(]", line)[0]) for line in lines if "extra ==" not in line}
    return found


def audited() -> list[dict[str, Any]]:
    """pip-audit's rows of this environment; [] where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
    try:
        ran = subprocess.run([*command, "--format", "json"], capture_output=True, encoding="utf-8", timeout=LONGEST_S)
        return list(json.loads(ran.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []


def main() -> int:
    rows = audited()
    looked_at = [row for row in rows if "vulns" in row]
    if not looked_at:
        print("pip-audit: offline, or the index knows of no holes; nothing was audited")
        return 0
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    ours = brought({normal(re.split("[<>=]", line)[0]) for line in lines if line})
    holes = [row for row in looked_at if row["vulns"]]
    for row in holes:
        ids = ", ".join(str(hole["id"]) for hole in row["vulns"])
        print(f"pip-audit: {row['name']} {row['version']}: {ids}")
    print(f"pip-audit: {len(looked_at)} of {len(rows)} packages were audited")
    return 1 if any(normal(row["name"]) in ours for row in holes) else 0


if __name__ == "__main__":
    sys.exit(main())
