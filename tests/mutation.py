"""What the tests would not notice: mutmut changes the files that money and videos hang on, one place at a time, and the
tests nearest to them have to fail. `make mutation`, or this file with arguments as in its --help.

It works on a copy in build/mutation/, which is kept, so that a run that was broken off goes on with what is left.
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
from collections import Counter
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "mutation"
MUTATED = ("wire", "envelope", "verdict", "spec", "ledger", "rows", "download", "part")
TESTS = (
    "tests/gateway/test_wire.py", "tests/gateway/test_words_of_answers.py", "tests/gateway/quirks/test_table.py",
    "tests/gateway/test_download.py",
    "tests/engine/test_spec.py", "tests/engine/test_labels.py", "tests/engine/test_ledger.py",
    "tests/engine/test_ledger_steps.py", "tests/engine/test_budget.py", "tests/engine/test_watches.py",
    "tests/engine/test_links.py",
)  # fmt: skip
# mutmut's words for exit codes of pytest; a mutant that ends in an endless loop is as dead as one that fails.
KILLED, SURVIVED, UNTESTED = (1, 3, 24, 36, -24, -9), (0,), (5, 33)
SETTINGS = f"""
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "--confcutdir=tests"]
pythonpath = ["src"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = {[f"src/sora/{name}.py" for name in MUTATED]}
pytest_add_cli_args_test_selection = {list(TESTS)}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-k", "not postgresql"]
track_dependencies = false
use_git_change_detection = false
timeout_multiplier = 5
"""


def copied() -> None:
    """The engine and its tests, laid out as mutmut wants them. What is as it was keeps its time, and so its results."""
    for source, target in ((ROOT / "nodes" / "sora", FOLDER / "src" / "sora"), (ROOT / "tests", FOLDER / "tests")):
        for file in source.rglob("*"):
            copy = target / file.relative_to(source)
            if file.is_file() and "__pycache__" not in file.parts:
                data = file.read_bytes()
                if file.suffix == ".py" and file.parent == source and file.stem in MUTATED:
                    data = undecorated(data.decode()).encode()
                if not copy.is_file() or copy.read_bytes() != data:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(data)
    (FOLDER / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")


def undecorated(source: str) -> str:
    """The same module, with the decorators of methods applied at its end: mutmut leaves decorated functions as they
    are, and so every step of the ledger."""
    lines, below = source.splitlines(), []
    for kind in [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]:
        for method in [node for node in kind.body if isinstance(node, ast.FunctionDef)]:
            for decorator in method.decorator_list:
                lines[decorator.lineno - 1] = ""
                name = f"{kind.name}.{method.name}"
                below.append(f"{name} = {ast.unparse(decorator)}({name})")
    return "\n".join([*lines, "", *below, ""])


def run(minutes: float, children: int, mutants: list[str]) -> None:
    """Have mutmut run, and end it when its time is over: it writes down each result as it comes. Of no mutants named:
    those without a result."""
    program = Path(sys.executable).with_name("mutmut")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [program, "run", "--max-children", str(children), *mutants], cwd=FOLDER, env=environment, start_new_session=True
    ) as process:
        try:
            process.wait(60 * minutes)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(process.pid, signal.SIGTERM)
    if process.returncode:
        print(f"mutmut ended with status {process.returncode}; what it has is below, run again for the rest")


def outcomes(name: str) -> dict[str, int | None]:
    """Mutant -> the exit code of its tests; None where they were not run."""
    found: dict[str, int | None] = json.loads(
        (FOLDER / f"mutants/src/sora/{name}.py.meta").read_text(encoding="utf-8")
    )["exit_code_by_key"]
    return found


def report() -> None:
    total: Counter[str] = Counter()
    print("| file | mutants | killed | survived | untested | not run | score |\n|---|---|---|---|---|---|---|")
    for name in MUTATED:
        codes = list(outcomes(name).values())
        here = Counter(
            killed=sum(code in KILLED for code in codes),
            survived=sum(code in SURVIVED for code in codes),
            untested=sum(code in UNTESTED for code in codes),
            left=sum(code is None for code in codes),
        )
        total += here
        print(row(f"`{name}`", here))
    print(row("together", total))


def survivors(part: str) -> list[str]:
    """Those whose name has `part` in it."""
    named = ((mutant, code) for name in MUTATED for mutant, code in outcomes(name).items())
    return [mutant for mutant, code in named if part in mutant and code in (*SURVIVED, *UNTESTED)]


def show(mutants: list[str]) -> None:
    """What was changed in each, and nobody noticed."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    os.chdir(FOLDER)  # where mutmut looks
    for mutant in mutants:
        shown = get_diff_for_mutant(mutant, path=f"src/sora/{mutant.split('.')[1]}.py")
        print(f"\n{mutant}\n{dedent(changed(shown))}")


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
    parser.add_argument("--minutes", type=float, default=40, help="then it stops with what it has (40)")
    parser.add_argument("--children", type=int, default=1, help="processes at a time (1)")
    parser.add_argument("--show", default="", metavar="PART", help="of a name, such as ledger or x_: its survivors")
    parser.add_argument("--anew", action="store_true", help="forget earlier results")
    parser.add_argument("--again", action="store_true", help="only what survived, with tests that are new or changed")
    given = parser.parse_args()
    if given.anew:
        shutil.rmtree(FOLDER, ignore_errors=True)
    if not given.show:
        alive = survivors("") if given.again else []
        copied()
        run(given.minutes, given.children, alive)
    report()
    if given.show:
        show(survivors(given.show))


if __name__ == "__main__":
    main()
