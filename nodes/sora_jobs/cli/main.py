"""The command `sora`: the engine from a shell. Progress on stderr, results on stdout.

Exit status: 0 the thing asked for exists on disk; 2 wrong usage, wrong input or no key; 3 nothing was bought;
4 unknown, perhaps bought; 5 failed at the gateway; 6 not finished, run again; 7 local trouble.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .. import __version__
from ..errors import InvalidInputError, NotFinishedError, SoraError
from . import balance, completion, costs, job_commands, keep_commands, queue_commands, tool_commands, verify
from .console import language_at

EPILOG = """\
examples:
  sora demo                                        everything once, free, without a key
  sora run "A paper boat" --provider sandbox       the same for a prompt of yours
  sora run "A paper boat" --json | jq -r .path     for a script; with COMETAPI_KEY set
  sora resume JOB                                  take up a job after a power cut

The same purchase is never sent twice: run it again, and it is joined, fetched, or its file is used.
Progress goes to stderr, results to stdout; bars are drawn on a terminal only.

exit status:
  0  the thing asked for exists on disk         4  perhaps bought: `sora resume` reconciles it
  2  wrong usage, wrong input or no key         5  failed at the gateway
  3  nothing was bought                         6  not finished: run the same again
                                                7  local trouble (disk, codec)

environment: COMETAPI_KEY, SORA_HOME and some more; README has the table, `sora doctor` says what is missing.
"""


class _Parser(argparse.ArgumentParser):
    """Wrong usage becomes an error of our tree, so that `--json` covers it too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Shortened options would change their meaning with every new one, and `--js` would not be seen in time.
        options |= {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*arguments, **options)

    def error(self, message: str) -> NoReturn:
        message = f"{message[:1].upper()}{message[1:]}."
        raise InvalidInputError(message, hint=f"See `{self.prog} --help`.", code="wrong_usage")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a redirected Windows console cannot write every prompt
    options = argparse.Namespace(home=None)
    try:
        options = build_parser().parse_args(arguments)
        result: dict[str, Any] = options.command(options)
    except SoraError as error:
        _report(error.changed(language=language_at(options.home)), as_json)
        return error.exit_code
    except KeyboardInterrupt:
        spending = arguments[:1] == ["verify"] and any(word.startswith("--spend") for word in arguments)
        buying = arguments[:1] in (["run"], ["remix"], ["resume"]) or spending
        stopped = NotFinishedError("Stopped.", hint="Run the same again.", charge="possible" if buying else "none")
        _report(stopped.changed(language=language_at(options.home)), as_json)
        return stopped.exit_code
    except BrokenPipeError:  # `sora jobs | head`: nobody reads on, which is no failure
        sys.stderr.close()
        return 0
    status = int(result.pop("exit", 0))
    if as_json and result:
        _print_json(result)
    return status


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options; each sets `command`, a function of the parsed options."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="state folder: ledger, keys, references (SORA_HOME, else that of this pack's nodes, else the system's "
        "place for data)",
    )
    common.add_argument("--json", action="store_true", help="one JSON object on stdout, also for a failure")
    parser = _Parser(
        prog="sora",
        description="Videos from a gateway that speaks /v1/videos: paid once, never lost.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"sora {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    job_commands.add_commands(commands, common)
    queue_commands.add_command(commands, common)
    tool_commands.add_commands(commands, common)
    costs.add_commands(commands, common)
    balance.add_command(commands, common)
    verify.add_command(commands, common)
    keep_commands.add_commands(commands, common)
    completion.add_command(commands, common, parser)
    return parser


def _report(error: SoraError, as_json: bool) -> None:
    if as_json:
        _print_json(error.as_dict())
    print(f"sora: {error}", file=sys.stderr)


def _print_json(value: dict[str, Any]) -> None:
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not utf8))
