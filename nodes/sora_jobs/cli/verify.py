"""The command verify: what a provider really does, with a report that can be passed on."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from ..engine import Engine, PurchaseResult
from ..errors import InvalidInputError, storage_error
from .console import collect, finish, minutes, open_engine, say, tell


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add verify to the command line."""
    verify = commands.add_parser(
        "verify",
        parents=[common],
        help="what a provider really does, by its free calls and one cheap job",
        description="Walk over every call of a provider's API and report what it really does, beside what the\n"
        "catalogue, providers.toml and the known quirks say. Nothing is spent without --spend (the sandbox is\n"
        "free): then only the free calls are made, and what --spend would buy is told with its price.\n"
        "With --spend the cheapest video is bought once, within the budget; the same again takes that job up.\n"
        "The report has no key, no address, no prompt, no id and no name of a person in it.\n"
        "--json gives the report; where something differs `agrees` is false, and the exit status stays 0.",
        epilog="""examples:
  sora verify cometapi                               the free calls, and what --spend would buy
  sora verify cometapi --spend 0.10 --report cometapi.json
  sora verify mine --spend 0 --model wan2.2          a machine of your own, with usd_per_second = 0
  sora verify sandbox                                free""",
    )
    verify.add_argument("provider", metavar="PROVIDER", help="cometapi, sandbox, or one of providers.toml")
    verify.add_argument("--spend", type=float, metavar="USD", help="buy one video (and a remix, if it is enough for "
                        "both) for at most that many dollars")  # fmt: skip
    verify.add_argument("--model", default="", metavar="ID", help="that model instead of the cheapest")
    verify.add_argument("--take", type=int, default=1, metavar="N", help="a new take is a new purchase (1)")
    verify.add_argument("--report", type=Path, metavar="FILE", help="also write the report there, as JSON")
    verify.add_argument(
        "--out", type=Path, metavar="DIR", help="where the video goes (in a ComfyUI its output/sora, else out/)"
    )
    verify.add_argument("--timeout", type=float, default=60, metavar="MINUTES", help="how long to wait (60)")
    verify.set_defaults(command=verify_command)


def verify_command(options: argparse.Namespace) -> dict[str, Any]:
    from ..diagnostics.verify.choice import Wish
    from ..diagnostics.verify.report import lines_of, report_of
    from ..diagnostics.verify.walk import Walk

    minutes(options.timeout)
    wish = Wish(provider=options.provider, spend=_dollars(options.spend), model=options.model, take=options.take)
    if options.take < 1:
        raise InvalidInputError(f"take is {options.take}.", hint="Takes are counted from 1.", code="invalid_take")
    with open_engine(options.home, options.out, name=True) as engine:
        found = Walk(engine, wish, finish, lambda bought: _collected(engine, bought, options)).go()
    report = report_of(found)
    for line in lines_of(report):
        tell(options, line)
    if options.report is not None:
        _write(options.report, report)
        say(f"report: {options.report}")
    if found.error is None:
        return report
    if not options.json:
        raise found.error
    return report | found.error.as_dict() | {"exit": found.error.exit_code}


def _collected(engine: Engine, bought: PurchaseResult, options: argparse.Namespace) -> Path:
    """Wait for the video; where it is, is told on stderr, since it is no part of the report."""
    path = Path(collect(engine, bought, argparse.Namespace(json=True, timeout=options.timeout))["path"])
    say(f"video: {path}")
    return path


def _dollars(spend: float | None) -> float | None:
    if spend is not None and (not math.isfinite(spend) or spend < 0):
        raise InvalidInputError(f"--spend is {spend}.", hint="It wants dollars, from 0 on.", code="out_of_range")
    return spend


def _write(file: Path, report: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise storage_error(f"{file} could not be written", error) from error
