"""`sora completion SHELL`: a script that teaches a shell this command line, made from its parser by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import LocalError
from .console import open_engine

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add_command(commands: Any, common: argparse.ArgumentParser, parser: argparse.ArgumentParser) -> None:
    """Add completion to the command line of `parser`."""
    completion = commands.add_parser(
        "completion",
        parents=[common],
        help="print a script that completes all this in your shell",
        description="Print a script that completes commands, options, models, providers and files.\n"
        "It wants the package shtab (pip install shtab), and only here: completing itself starts no Python.",
        epilog="""examples:
  sora completion bash > ~/.local/share/bash-completion/completions/sora
  sora completion zsh > ~/.zfunc/_sora               in a folder of $fpath
  sora completion fish > ~/.config/fish/completions/sora.fish

Print it again after an update, or when models or providers were added.""",
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    completion.set_defaults(command=lambda options: completion_command(options, parser))


def completion_command(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, Any]:
    try:
        import shtab
    except ImportError:
        raise LocalError(
            "shtab is not installed.", hint="pip install shtab, for this command alone.", code="missing_package"
        ) from None
    with open_engine(options.home) as engine:
        known = {"--model": list(engine.catalogue.models), "--provider": engine.providers.names()}
    for action in _actions(parser):
        name = action.option_strings[0] if action.option_strings else ""
        if name in known:
            action.choices = known[name]  # offered only: this parser parses nothing any more
        elif action.type is Path:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell=options.shell)
    if not options.json:
        print(script)
    return {"shell": options.shell, "script": script}


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument, of every command."""
    for action in parser._actions:  # argparse has no other way to them
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
