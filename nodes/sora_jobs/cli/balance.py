"""`sora balance`: what is left at a provider, asked because its owner typed it."""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

from ..config.keys import QUERY_KEY
from ..engine import COMETAPI, Balance
from .console import looked_up, open_engine, say, tell, warn

ACCOUNT = f"`sora balance {COMETAPI} --account`"


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add balance to the command line."""
    balance = commands.add_parser(
        "balance",
        parents=[common],
        help="what is left at CometAPI",
        description="What is left of the key at CometAPI, which its own origin is asked for. It costs nothing, nothing "
        "is\nkept, and nothing is refused for it: a warning says if the last job cost more than is left.\n"
        "With --account the whole account, which another call tells: it sends the key in the URL to\n"
        f"query.cometapi.com. A key that CometAPI lets buy nothing, in the file keys/{QUERY_KEY} of the\n"
        "state folder, is sent there instead of the one that buys.",
        epilog="examples:\n  sora balance\n  sora balance --account --json | jq .left_usd",
    )
    balance.add_argument(
        "provider", nargs="?", default=COMETAPI, metavar="PROVIDER", help=f"its name ({COMETAPI}, the only one known)"
    )
    balance.add_argument("--account", action="store_true", help="of the account; sends the key in a URL")
    balance.set_defaults(command=balance_command)


def balance_command(options: argparse.Namespace) -> dict[str, Any]:
    with open_engine(options.home) as engine:
        name, account = options.provider, options.account
        found = looked_up(engine.start(lambda: engine.providers.balance(name, account=account), key=name))
    tell(options, in_words(found))
    if found.unlimited and found.of == "key":
        say(f"The key has no limit of its own. {ACCOUNT} tells what the account has left.")
    if found.short:
        price = "the last job cost about" if found.next_by == "last_job" else "the cap per job is"
        warn(f"{price} ${found.next_usd:.2f}, which is more than is left: the next job may be refused.")
    return dataclasses.asdict(found)


def in_words(found: Balance) -> str:
    """One line for a person."""
    facts = ["unlimited" if found.left_usd is None else f"{dollars(found.left_usd)} left"]
    facts += [] if found.used_usd is None else [f"{dollars(found.used_usd)} used"]
    of = "this key" if found.of == "key" else "the account"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.asked_at))
    return f"{found.provider}, {of}: {', '.join(facts)} ({found.host}, {when})"


def dollars(usd: float) -> str:
    """-0.5 -> "-$0.50"."""
    return f"{'-' * (usd < 0)}${abs(usd):.2f}"
