"""The commands that keep the ledger: backup, restore, import."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from ..engine import Engine
from ..errors import InvalidInputError
from .console import open_engine, say, tell

MANY = 10  # ids in a sentence


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add backup, restore and import to the command line."""
    save = commands.add_parser(
        "backup",
        parents=[common],
        help="copy the ledger and its images to one file",
        description="Copy the ledger, the images that its jobs started from and the settings to a zip file, also\n"
        "while ComfyUI is using them. No key and no video is in it.",
        epilog="example:\n  sora backup ledger.zip",
    )
    save.add_argument("file", type=Path, metavar="FILE", help="the zip file; an older backup is replaced")
    save.set_defaults(command=backup_command)

    back = commands.add_parser(
        "restore",
        parents=[common],
        help="put a backup back, or rebuild a damaged ledger",
        description="Put back what `sora backup` wrote; jobs that were bought since then stay, and a copy of what is\n"
        "there now is kept in a folder beside it. Or rebuild a damaged ledger: from what can be read of it,\n"
        "the receipts beside the videos, and the lists of providers that have one.\n"
        "Nothing is bought. End ComfyUI first.",
        epilog="examples:\n  sora restore ledger.zip\n  sora restore --rebuild --out ComfyUI/output",
    )
    back.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a backup")
    back.add_argument("--rebuild", action="store_true", help="instead, add every job that can still be found")
    back.add_argument("--out", type=Path, metavar="DIR", help="where the videos are (ComfyUI's output/, or out/)")
    back.set_defaults(command=restore_command)

    bring = commands.add_parser(
        "import",
        parents=[common],
        help="bring the jobs of another ledger into this one",
        description="Bring every job of another state folder into this ledger, with its images: after a move to\n"
        "another ComfyUI, say. That folder stays as it is; its keys and settings are not taken. End ComfyUI first.",
        epilog="example:\n  sora import old-ComfyUI/user/__sora",
    )
    bring.add_argument("old", type=Path, metavar="OLD_HOME", help="the state folder that holds ledger.sqlite3")
    bring.set_defaults(command=import_command)


def backup_command(options: argparse.Namespace) -> dict[str, Any]:
    with open_engine(options.home, name=True) as engine:
        kept = engine.maintenance.backup(options.file)
    tell(options, f"{options.file}  {_count(kept.jobs, 'job')}, {_count(kept.references, 'image')}")
    return {"path": str(options.file), "jobs": kept.jobs, "references": kept.references}


def restore_command(options: argparse.Namespace) -> dict[str, Any]:
    if options.rebuild == (options.file is not None):
        raise InvalidInputError("What shall be restored?", hint="Give a backup FILE, or --rebuild.", code="wrong_usage")
    with open_engine(options.home, options.out, name=True) as engine:
        if options.rebuild:
            return _rebuild(engine, options)
        kept = engine.maintenance.restore(options.file)
    tell(options, f"{options.file}  {_count(kept.jobs, 'job')}, {_count(kept.references, 'image')}")
    if kept.later:
        say(f"{_count(kept.later, 'job')} bought since the backup stay in the ledger.")
    if not kept.whole:
        say(
            "warning: The ledger that was there could not be read completely. Purchases since the backup may be "
            "missing, and would be bought again: `sora restore --rebuild` adds those that it finds in receipts and in "
            "the lists of providers."
        )
    restored = {"path": str(options.file), "jobs": kept.jobs, "references": kept.references, "later": kept.later}
    return restored | {"aside": _aside(kept.aside)}


def _rebuild(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    done = engine.maintenance.rebuild()
    listed = len(done.listed)
    found = f"{done.read} from the damaged ledger, {done.receipts} from receipts, {listed} from providers' lists"
    tell(options, f"{engine.whereabouts.place}  {_count(done.read + done.receipts + listed, 'job')}: {found}")
    if listed:
        say(
            f"warning: {_count(listed, 'job')} from providers' lists ({', '.join(done.listed[:MANY])}"
            f"{', …' if listed > MANY else ''}) cannot be matched to a request. Running the same request again buys it "
            "again. Look for it first: `sora jobs` shows their prompts, and `sora resume JOB` or *Open Sora Job* gets "
            "the video."
        )
    if done.guessed:
        say(
            f"warning: {_count(done.guessed, 'receipt')} of an older version do not say how the image was fitted. "
            "They stand for the purchase with `crop`; one with `pad` or `stretch` would be bought again."
        )
    return dataclasses.asdict(done) | {"listed": listed, "listed_jobs": done.listed, "aside": _aside(done.aside)}


def import_command(options: argparse.Namespace) -> dict[str, Any]:
    with open_engine(options.home, name=True) as engine:
        done = engine.maintenance.import_home(options.old)
    tell(options, f"{options.old}  {_count(done.added, 'job')} added, {done.known} known already")
    return {"path": str(options.old), "added": done.added, "known": done.known}


def _aside(folder: Path | None) -> str:
    if folder is None:
        return ""
    say(f"What was there before is in {folder}.")
    return str(folder)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
