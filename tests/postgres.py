"""A real PostgreSQL server (Debian's package `postgresql`) in a temporary folder, as an unprivileged user."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from . import leftovers

ABSENT = "there is no PostgreSQL server here (Debian: apt install postgresql)"


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, which Debian keeps off the PATH."""
    if os.name == "nt":  # this server is run as Linux does it
        return None
    beside = shutil.which("postgres")
    folders = [Path(beside).resolve().parent] if beside else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


class Server:
    """A running server; `database()` gives the address of a new, empty one."""

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sora-pg-"))  # short: a socket's path has 107 characters at most
        leftovers.remove(self._folder)
        # PostgreSQL refuses to run as root, as tests in a container do.
        self._who: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self._who:
            shutil.chown(self._folder, "postgres", "postgres")
        data = self._folder / "data"
        self._run([programs / "initdb", "-D", data, "-A", "trust", "-U", "sora", "--no-sync"])
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(self._folder), "-c", "listen_addresses="]
        command += ["-c", "fsync=off", "-c", "max_connections=200"]  # nothing here has to survive a power cut
        with (self._folder / "log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder, start_new_session=True, **self._who
            )
        self._wait_until_up()

    def database(self) -> str:
        """The SQLAlchemy address of a new database."""
        import psycopg

        name = f"t{secrets.token_hex(6)}"
        with psycopg.connect(host=str(self._folder), user="sora", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://sora:not-asked-for@/{name}?host={self._folder}"

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)  # its "fast" way: it waits for no client
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, command: list[Any]) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, check=True, capture_output=True, cwd=self._folder, timeout=120, **self._who)

    def _wait_until_up(self) -> None:
        import psycopg  # not above: ComfyUI's own Python, which runs tests/nodes, has none

        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(host=str(self._folder), user="sora", dbname="postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.05)
            else:
                return
