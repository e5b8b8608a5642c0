"""An engine in a process of its own, which is told what to do and can be killed at any moment."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from .forks import Forker
from .wish import bare_environment

CHILD = Path(__file__).with_name("engine_child.py")
LONGEST_S = 60.0  # for a response of the process


class Refused(Exception):
    """The engine raised that error: its type, charge, text and code."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(error["text"])
        self.type, self.charge, self.code = error["type"], error["charge"], error["code"]


class EngineProcess:
    """The methods of `engine_child.Child`, by name: `do("create", prompt="a", take=1)`."""

    def __init__(self, home: Path, output: Path, key: str) -> None:
        self.key = key
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(LONGEST_S)
            given = {"port": server.getsockname()[1], "home": str(home), "output": str(output), "key": key}
            self._process = Forker.start([str(CHILD), json.dumps(given)], bare_environment())
            self._socket, _ = server.accept()
        self._socket.settimeout(LONGEST_S)
        self._line = self._socket.makefile("rw", encoding="utf-8")

    def do(self, what: str, **given: Any) -> Any:
        """Have it done, and wait for the result; Refused with what the engine raised."""
        self.tell(what, **given)
        return self.told()

    def tell(self, what: str, **given: Any) -> None:
        """Begin it; `told` waits for the result."""
        self._line.write(json.dumps({"do": what, **given}) + "\n")
        self._line.flush()

    def told(self) -> Any:
        text = self._line.readline()
        assert text, f"the engine's process ended: {self._process.communicate()}"
        response = json.loads(text)
        if "error" in response:
            raise Refused(response["error"])
        return response["is"]

    def end(self) -> str:
        """Let it end; return what it printed."""
        self._hang_up()
        return "".join(self._process.communicate())

    def kill(self) -> str:
        """SIGKILL; return what it printed before."""
        self._process.kill()
        self._hang_up()
        return "".join(self._process.communicate())

    def _hang_up(self) -> None:
        self._line.close()
        self._socket.close()
