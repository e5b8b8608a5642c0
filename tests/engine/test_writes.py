"""Where files are written: what stands for state or money goes through util/atomic_write, which alone renames."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

NODES = Path(__file__).parents[2] / "nodes"
ATOMIC = "sora_jobs/util/atomic_write.py"
# Whoever opens a file for writing by other means, and why nothing is lost by it.
MAY_WRITE = {
    ATOMIC: "",
    "sora_jobs/util/disk.py": "tries out what a folder can do",
    "sora_jobs/delivery/download.py": "a part that is taken up again, published by atomic_write",
    "sora_jobs/ledger/backups.py": "an archive under an unfinished name, published by atomic_write",
    "sora_jobs/ledger/database_errors.py": "asks whether the file may be written, and writes nothing",
    "sora_jobs/ledger/restore.py": "unpacks into a temporary folder",
    "sora_jobs/ledger/shared_output.py": "a file of which only the name counts",
    "sora_jobs/cli/verify.py": "a report, into the file or device that the user names",
    "sora_jobs/cli/job_commands.py": "a list of jobs, into the file or device that the user names",
    "host/files.py": "a temporary copy for a decoder",
}
COPIES = {"copy", "copy2", "copyfile", "copyfileobj", "copytree"}


def renames(call: ast.Call) -> bool:
    """os.replace, os.rename, os.link, shutil.move, Path.replace and Path.rename; `str.replace` has two arguments."""
    if not isinstance(call.func, ast.Attribute):
        return False
    name, owner = call.func.attr, ast.unparse(call.func.value)
    if owner in ("os", "shutil"):
        return name in ("replace", "rename", "renames", "link", "move")
    return name in ("rename", "replace") and len(call.args) == 1 and not call.keywords


def writes(call: ast.Call) -> bool:
    """write_text, write_bytes, an `open` with a mode that writes, and shutil's copies."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name in ("write_text", "write_bytes") or (name in COPIES and ast.unparse(call.func) == f"shutil.{name}"):
        return True
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    constants = [one.value for part in given for one in ast.walk(part) if isinstance(one, ast.Constant)]
    modes = [one for one in constants if isinstance(one, str)]
    return name in ("open", "fdopen") and any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in NODES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(NODES).as_posix(), node


def test_only_atomic_write_renames() -> None:
    """On Windows another program may have the file open, and after a power cut the new name has to be there: both are
    seen to in one place."""
    assert {file for file, call in calls() if renames(call)} == {ATOMIC}


def test_whoever_writes_by_other_means_has_a_reason() -> None:
    found = {file for file, call in calls() if writes(call) and not file.startswith("sora_jobs/sandbox/")}
    assert found == set(MAY_WRITE)


def test_such_calls_are_recognised() -> None:
    def first(text: str) -> ast.Call:
        return next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))

    for text in ("os.replace(a, b)", "path.rename(b)", "path.replace(b)", "shutil.move(a, b)", "os.link(a, b)"):
        assert renames(first(text)), text
    for text in ("text.replace(a, b)", "replace(job, state=a)", "moment.replace(tzinfo=a)", "path.hardlink_to(a)"):
        assert not renames(first(text)), text
    for text in (
        'path.open("wb")',
        'open(a, mode="a")',
        "path.write_text(a)",
        "shutil.copyfile(a, b)",
        'a.open("r+b")',
    ):
        assert writes(first(text)), text
    for text in ("path.open()", 'path.open("rb")', 'open(a, encoding="ax")', "copy(a, b)"):
        assert not writes(first(text)), text
