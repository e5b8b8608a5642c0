r"""The command line as a file that is run by its path, for a Python that imports nothing from the current folder. That
of ComfyUI's portable build for Windows is one:

    python_embeded\python.exe -s ComfyUI\custom_nodes\sora-jobs\sora.py jobs

Nothing is written into the pack, not even bytecode. (Python 3.8 can read this file, to say what it lacks.)
"""

import sys
from pathlib import Path

PACK = Path(__file__).resolve().parent


def run() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one is told so
        sys.stderr.write(f"sora: Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}.\n")
        return 7
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(PACK / "nodes"))
    from sora_jobs.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
