"""Mutation testing: mutmut changes the files that money and videos hang on (mutation.toml), one place at a time, and
the tests nearest to each have to fail. `make mutation`, or this file with arguments as in its --help.

Each file has a copy of pack and tests in build/mutation/, which is kept, so that a run that was broken off goes on with
what is left.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
# mutmut's words for exit codes of pytest; a mutant that ends in an endless loop is as dead as one that fails.
KILLED, SURVIVED, UNTESTED = (1, 3, 24, 36, -24, -9), (0,), (5, 33)
# A function that runs while the pack is loaded, such as a decorator, matters to all tests that follow, and not only to
# the one before which that was.
FROM_THEN_ON = """
import pytest
from mutmut.state import state

hit = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    hit.update(state()._stats)
    state()._stats.update(hit)
"""


@dataclass(frozen=True)
class Module:
    """A file that is changed: its path below nodes/, and the paths of its tests below tests/."""

    path: str
    tests: tuple[str, ...]
    in_host: bool  # it is imported as ComfyUI does it

    @property
    def name(self) -> str:
        """sora_jobs.ledger.ledger."""
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def folder(self) -> Path:
        return ROOT / "build" / "mutation" / self.name

    def settings(self) -> str:
        arguments = ["-p", "no:cacheprovider", "-k", "not postgresql"]
        arguments += ["-p", "from_then_on"] if self.in_host else []
        return f"""
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "--confcutdir=tests"]
pythonpath = ["src"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/{self.path}"]
also_copy = ["__init__.py", "from_then_on.py"]
pytest_add_cli_args_test_selection = {[f"tests/{test}" for test in self.tests]}
pytest_add_cli_args = {arguments}
track_dependencies = false
use_git_change_detection = false
timeout_multiplier = 5
"""

    def copied(self) -> bool:
        """Copy pack and tests, laid out as mutmut wants them; is anything other than it was? What is not keeps its
        time, and so its results."""
        before = _newest(self.folder)
        for source, target in ((ROOT / "nodes", self.folder / "src"), (ROOT / "tests", self.folder / "tests")):
            for file in source.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    data = file.read_bytes()
                    if file == ROOT / "nodes" / self.path:
                        data = self.mutable(data.decode()).encode()
                    _write(target / file.relative_to(source), data)
        _write(self.folder / "__init__.py", (ROOT / "__init__.py").read_bytes())
        _write(self.folder / "from_then_on.py", FROM_THEN_ON.encode())
        _write(self.folder / "pyproject.toml", self.settings().encode())
        mutants = self.folder / "mutants"
        mutants.mkdir(exist_ok=True)
        # The pack where the host looks for it, and the sandbox's films, which all tests share.
        links = {"nodes": Path("src"), **{name: ROOT / name for name in ("js", "locales", "build")}}
        for name, to in links.items():
            if not (mutants / name).is_symlink():
                (mutants / name).symlink_to(to, target_is_directory=True)
        return _newest(self.folder) > before

    def mutable(self, source: str) -> str:
        """The same module, with the decorators of methods applied at its end: mutmut leaves decorated functions as they
        are, and so every step of the ledger. One that the host loads gets the name by which mutmut knows it."""
        lines, below = source.splitlines(), []
        body = ast.parse(source).body
        for kind in [node for node in body if isinstance(node, ast.ClassDef)]:
            for method in [node for node in kind.body if isinstance(node, ast.FunctionDef)]:
                for decorator in method.decorator_list:
                    lines[decorator.lineno - 1] = ""
                    name = f"{kind.name}.{method.name}"
                    below.append(f"{name} = {ast.unparse(decorator)}({name})")
        if self.in_host:
            future = next(node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__")
            lines[future.lineno - 1] += f"; __name__ = {self.name!r}"
        return "\n".join([*lines, "", *below, ""])

    def outcomes(self) -> dict[str, int | None]:
        """Mutant -> the exit code of its tests; None where they were not run. {} before the first run."""
        file = self.folder / "mutants" / "src" / f"{self.path}.meta"
        if not file.is_file():
            return {}
        found: dict[str, int | None] = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
        return found

    def survivors(self) -> list[str]:
        return [mutant for mutant, code in self.outcomes().items() if code in (*SURVIVED, *UNTESTED)]

    def run(self, minutes: float, children: int, mutants: list[str]) -> None:
        """Have mutmut run, and end it when its time is over: it writes down each result as it comes. Of no mutants
        named: those without a result."""
        program = Path(sys.executable).with_name("mutmut")
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        command = [program, "run", "--max-children", str(children), *mutants]
        with subprocess.Popen(command, cwd=self.folder, env=environment, start_new_session=True) as process:
            try:
                process.wait(60 * minutes)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                os.killpg(process.pid, signal.SIGTERM)
        if process.returncode:
            print(f"mutmut ended with status {process.returncode}; what it has is below, run again for the rest")

    def show(self, part: str) -> None:
        """What was changed in each mutant with `part` in its name, and nobody noticed."""
        from mutmut.mutation.diff_apply import get_diff_for_mutant

        for mutant in self.survivors():
            if part in mutant:
                os.chdir(self.folder)  # where mutmut looks
                print(f"\n{mutant}\n{dedent(changed(get_diff_for_mutant(mutant, path=f'src/{self.path}')))}")


def _write(copy: Path, data: bytes) -> None:
    if not copy.is_file() or copy.read_bytes() != data:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)


def _newest(folder: Path) -> float:
    """When a file of the copy was written last."""
    files = [file for name in ("src", "tests") for file in (folder / name).rglob("*") if file.is_file()]
    return max((file.stat().st_mtime for file in [*files, *folder.glob("*.*")]), default=0)


def listed() -> list[Module]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return [Module(path, tuple(table[kind][path]), kind == "pack") for kind in table for path in table[kind]]


def run(modules: list[Module], minutes: float, children: int, *, again: bool) -> None:
    """One file after the other, until the time is over; one with nothing left to try is left out."""
    end = time.monotonic() + 60 * minutes
    for module in modules:
        alive = module.survivors() if again else []
        other, known = module.copied(), module.outcomes()
        left = bool(alive) if again else other or not known or None in known.values()
        if left and (minutes_left := (end - time.monotonic()) / 60) > 0:
            module.run(minutes_left, children, alive)


def report(modules: list[Module]) -> None:
    total: Counter[str] = Counter()
    print("| file | mutants | killed | survived | untested | not run | score |\n|---|---|---|---|---|---|---|")
    for module in modules:
        codes = list(module.outcomes().values())
        here = Counter(
            killed=sum(code in KILLED for code in codes),
            survived=sum(code in SURVIVED for code in codes),
            untested=sum(code in UNTESTED for code in codes),
            left=sum(code is None for code in codes),
        )
        total += here
        print(row(f"`{module.name}`", here))
    print(row("together", total))


def changed(diff: str) -> str:
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(lines)


def row(name: str, here: Counter[str]) -> str:
    done = here["killed"] + here["survived"] + here["untested"]
    score = f"{100 * here['killed'] / done:.0f} %" if done else "–"
    figures = (done + here["left"], here["killed"], here["survived"], here["untested"], here["left"], score)
    return f"| {name} | {' | '.join(map(str, figures))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as sora_jobs.ledger.ledger; without any, all of mutation.toml")
    parser.add_argument("--minutes", type=float, default=40, help="then it stops with what it has (40)")
    parser.add_argument("--children", type=int, default=1, help="processes at a time (1)")
    parser.add_argument("--show", nargs="?", const="", metavar="PART", help="the survivors, with PART in their names")
    parser.add_argument("--anew", action="store_true", help="forget earlier results")
    parser.add_argument("--again", action="store_true", help="only what survived, with tests that are new or changed")
    given = parser.parse_args()
    modules = [module for module in listed() if not given.modules or module.name in given.modules]
    if unknown := set(given.modules) - {module.name for module in modules}:
        parser.error(f"{', '.join(sorted(unknown))}: not in {Path(__file__).with_suffix('.toml').name}")
    if given.show is None:
        if given.anew:
            for module in modules:
                shutil.rmtree(module.folder, ignore_errors=True)
        run(modules, given.minutes, given.children, again=given.again)
    report(modules)
    if given.show is not None:
        for module in modules:
            module.show(given.show)


if __name__ == "__main__":
    main()
