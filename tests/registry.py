"""What the Comfy Registry says of the pack, and what it hands out: comfy-cli's `node validate`, and its `node pack` as
build/sora-jobs.zip, on which the host tests run with COMFYUI_PACK=build/sora-jobs.zip. `make registry`, or this file.

It packs what git tracks, as it lies in the work tree: a new file has to be added before it is in the archive.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-registry"
PACKED = ROOT / "node.zip"  # the name that comfy-cli gives it
ARCHIVE = ROOT / "build" / "sora-jobs.zip"
ASSURED = "All validation checks passed successfully"


def comfy(*arguments: str) -> str:
    """What comfy-cli says; SystemExit where it fails. Its own settings go to a folder that nobody keeps."""
    program = FOLDER / ("Scripts/comfy.exe" if os.name == "nt" else "bin/comfy")
    with tempfile.TemporaryDirectory() as home:
        Path(home, ".config").mkdir()
        quiet = {"HOME": home, "USERPROFILE": home, "LOCALAPPDATA": home, "DO_NOT_TRACK": "1", "COLUMNS": "200"}
        # Its git would not read the owner's settings in that home, so this checkout is named as one to trust.
        trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT)}
        ran = subprocess.run(
            [program, "--skip-prompt", *arguments],
            cwd=ROOT, env=os.environ | quiet | trust, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            encoding="utf-8",
        )  # fmt: skip
    said = ran.stdout + ran.stderr
    # It only warns of what the registry may refuse, and of a field that it leaves out.
    if ran.returncode or re.search("warning|not found", said, re.IGNORECASE):
        raise SystemExit(f"comfy {' '.join(arguments)} (exit status {ran.returncode}):\n{said}")
    return said


def main() -> None:
    said = comfy("node", "validate")
    if ASSURED not in said:
        raise SystemExit(f"comfy node validate did not say that all is well:\n{said}")
    comfy("node", "pack")
    ARCHIVE.parent.mkdir(exist_ok=True)
    PACKED.replace(ARCHIVE)
    print(f"{ARCHIVE.relative_to(ROOT)}  valid, {ARCHIVE.stat().st_size / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
