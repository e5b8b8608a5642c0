"""Which tests need more than this process: a socket, another process, a video. They are marked `outside`, by what their
file imports and by their fixtures; `make check` runs the others."""

from __future__ import annotations

import ast
import sys
import threading
from functools import cache
from pathlib import Path

import pytest

IMPORTS = (
    "aiohttp", "av", "cv2", "http.client", "http.server", "multiprocessing", "openai", "playwright", "requests",
    "socket", "sora_jobs.Engine", "sora_jobs.engine", "sora_jobs.sandbox.Sandbox", "subprocess",
)  # fmt: skip
FIXTURES = {"bench", "one_film", "postgresql", "site"}
EVENTS = {"os.fork", "os.posix_spawn", "socket.bind", "socket.connect", "subprocess.Popen"}  # as sys.audit names them


@cache
def imports_it(file: Path) -> bool:
    """Does that file of the tests import one of `IMPORTS`, or another of our files that does? Of a conftest.py, which
    is there for many files, the fixtures count that a test uses."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{one.name}" for one in node.names]
        else:
            if isinstance(node, ast.ImportFrom):
                folder = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                ours = [folder.with_suffix(".py"), *(folder / f"{one.name}.py" for one in node.names)]
                if any(one.is_file() and one.name != "conftest.py" and imports_it(one) for one in ours):
                    return True
            continue
        if any(f"{name}.".startswith(f"{one}.") for name in names for one in IMPORTS):
            return True
    return False


def is_outside(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    params = getattr(getattr(item, "callspec", None), "params", {})
    return bool(fixtures & FIXTURES) or params.get("database_url") == "postgresql" or imports_it(item.path)


class Guard:
    """What a test does that `EVENTS` name, but for the threads that earlier tests have left."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._others: set[int] | None = None
        sys.addaudithook(self._hear)

    def begin(self) -> None:
        self.seen.clear()
        self._others = {thread.ident or 0 for thread in threading.enumerate()} - {threading.get_ident()}

    def end(self) -> list[str]:
        self._others = None
        return self.seen

    def _hear(self, event: str, _: object) -> None:
        if event in EVENTS and self._others is not None and threading.get_ident() not in self._others:
            self.seen.append(event)
