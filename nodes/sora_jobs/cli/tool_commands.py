"""The commands frames, models, spent, doctor, sandbox and demo."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import threading
from pathlib import Path
from typing import Any

from ..engine import COMETAPI, Model
from ..errors import InvalidInputError, LocalError, SoraError
from ..jobs.spec import parse_size
from ..util.renamed import renamed, warn_once
from ..util.waiting import TICK_S
from .console import counted, looked_up, open_engine, tell
from .demo import demo_command

UNTAGGED = ("auto", "bt601", "bt709")  # media/colour.py, which is imported at first use
MOST_SIZES = 3  # in a line


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add frames, models, spent, doctor, sandbox and demo to the command line."""
    _add_frames(commands, common)
    _add_sandbox(commands, common)

    models = commands.add_parser(
        "models",
        parents=[common],
        help="the models that are known, with lengths and prices",
        description="The models that are known. --json also gives the date and the source of every fact.",
        epilog="example:\n  sora models --refresh          what is new, changed and gone at CometAPI",
    )
    models.add_argument("--refresh", action="store_true", help="first ask CometAPI for its public list of models")
    models.set_defaults(command=models_command)

    spent = commands.add_parser(
        "spent",
        parents=[common],
        help="what the last 24 hours cost, and the caps on it",
        description="What the jobs of the last 24 hours cost, and the caps that count here; on a farm the strictest, "
        "with the\nmachine that set it. A job whose price is unknown counts as the cap of a job. Nothing is bought.\n"
        "--json gives spent_usd, left_usd, usd_per_day, usd_per_job, and the machines: day_set_on, job_set_on.",
        epilog="example:\n  sora spent --json | jq .left_usd",
    )
    spent.set_defaults(command=spent_command)

    doctor = commands.add_parser(
        "doctor",
        parents=[common],
        help="check this machine and the way to the gateway",
        description="Check this machine and the way to each gateway. Nothing is bought, and no secret is shown.\n"
        "Exit status 7 where something failed; each such line says what cures it.",
    )
    doctor.add_argument("--out", type=Path, metavar="DIR", help="where the videos go (ComfyUI's output/, or out/)")
    doctor.set_defaults(command=doctor_command)

    demo = commands.add_parser(
        "demo",
        parents=[common],
        help="the whole road on the sandbox: free, in two minutes",
        description="The whole road on the sandbox, free: from a drawn picture to a video, its frames and a remix.",
    )
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the files go (out/)")
    demo.set_defaults(command=demo_command)


def _add_frames(commands: Any, common: argparse.ArgumentParser) -> None:
    frames = commands.add_parser(
        "frames",
        parents=[common],
        help="decode an MP4 to numbered PNGs, or to one sheet",
        description="Decode an MP4 to PNGs with the numbers they have in the file, from 0, to one sheet, or both.\n"
        "The choices apply in this order: --fps, --skip, --step, --limit.",
        epilog="""examples:
  sora frames x.mp4 --out frames                     every frame
  sora frames x.mp4 --out last --skip -1             the last one
  sora frames x.mp4 --sheet sheet.png""",
    )
    frames.add_argument("file", type=Path, metavar="FILE", help="any video that OpenCV or PyAV can read")
    frames.add_argument("--out", type=Path, metavar="DIR", help="where frame_000000.png … go; the source's own numbers")
    frames.add_argument(
        "--skip", type=int, default=0, metavar="N", help="leave out the first N frames (0); -N takes the last N"
    )
    frames.add_argument("--limit", type=int, default=0, metavar="N", help="at most N frames (0: all)")
    frames.add_argument("--step", type=int, default=1, metavar="N", help="every Nth frame (1)")
    frames.add_argument(
        "--fps", type=float, default=0, metavar="FPS", help="sample by time at this rate first (0: as it is)"
    )
    frames.add_argument("--size", metavar="WxH", help="in pixels; as it is if left out")
    frames.add_argument("--untagged", choices=UNTAGGED, default="auto", help="colours of a file that names "
                        "none: as players show it, or these (auto)")  # fmt: skip
    frames.add_argument(
        "--square-pixels", action="store_true", help="give anamorphic video the shape that players show, by enlarging"
    )
    frames.add_argument("--sheet", type=Path, metavar="FILE", help="also one PNG with frames from start to end")
    frames.set_defaults(command=frames_command)


def _add_sandbox(commands: Any, common: argparse.ArgumentParser) -> None:
    from ..sandbox.directives import describe_directives
    from ..sandbox.families import FAMILIES, VARIABLE

    sandbox = commands.add_parser(
        "sandbox",
        parents=[common],
        help="run the free gateway on loopback until Ctrl-C",
        description="A free gateway on this machine, for the sandbox provider, scripts and tests.\n"
        "With --json its address comes as {url, family}, at once.",
        epilog="A directive in the prompt makes it misbehave on purpose, such as [sandbox: slow=30]:\n\n"
        + describe_directives(),
    )
    sandbox.add_argument("--port", type=int, default=0, metavar="N", help="0 takes a free one (0)")
    sandbox.add_argument(
        "--dialect", choices=list(FAMILIES), metavar="NAME", help=f"{', '.join(FAMILIES)} ({VARIABLE}, else openai)"
    )
    sandbox.add_argument("--speak", choices=list(FAMILIES), help=argparse.SUPPRESS)  # its name before 0.1.0
    sandbox.set_defaults(command=sandbox_command)


def frames_command(options: argparse.Namespace) -> dict[str, Any]:
    from ..media.export import save_frames
    from ..media.frames import FrameChoice
    from ..media.sheet import contact_sheet

    if options.out is None and options.sheet is None:
        raise InvalidInputError(
            "Nothing to do.",
            hint="Give --out DIR for the frames, --sheet FILE for one picture, or both.",
            code="nothing_to_do",
        )
    if options.sheet is not None and options.sheet.suffix.lower() != ".png":
        raise InvalidInputError(
            f"{options.sheet} is no .png file.", hint="The sheet is a PNG picture.", code="wrong_usage"
        )
    width, height = parse_size(options.size) if options.size else (0, 0)
    choice = FrameChoice(
        force_rate=options.fps,
        frame_load_cap=options.limit,
        skip_first_frames=options.skip,
        select_every_nth=options.step,
        custom_width=width,
        custom_height=height,
        square_pixels=options.square_pixels,
    )
    result: dict[str, Any] = {}
    warnings: list[str] = []
    if options.out is not None:
        with counted("frames") as progress:
            files = save_frames(
                options.file,
                options.out,
                choice,
                untagged=options.untagged,
                warn=warnings.append,
                progress=progress,
            )
        result |= {"out": str(options.out), "count": len(files), "files": [file.name for file in files]}
        tell(options, f"{options.out}  {len(files)} frames")
    if options.sheet is not None:
        contact_sheet(
            options.file,
            options.sheet,
            untagged=options.untagged,
            square_pixels=options.square_pixels,
            warn=warnings.append,
        )
        result["sheet"] = str(options.sheet)
        tell(options, f"{options.sheet}  contact sheet")
    result["warnings"] = list(dict.fromkeys(warnings))
    for warning in result["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    return result


def models_command(options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with open_engine(options.home) as engine:
        if options.refresh:
            refreshed = looked_up(engine.start(engine.refresh_models, key=COMETAPI))
            result["refreshed"] = dataclasses.asdict(refreshed)
            for name, ids in result["refreshed"].items():
                tell(options, f"{name + ':':<9} {', '.join(ids) or 'none'}")
        catalogue = engine.fresh_catalogue()
    form = "{:<25} {:<20} {:<13} {:<18} {:<7} {:<5} {:<13} {}"
    heads = ("model", COMETAPI, "$ per s", "seen", "images", "remix", "lengths in s", "sizes")
    tell(options, form.format(*heads))
    for model in catalogue.models.values():
        remix = "yes" if model.remix else "no"
        images = model.needs or model.references
        facts = (_standing(model), _prices(model), _seen(model), images, remix, _lengths(model), _sizes(model))
        tell(options, form.format(model.id, *facts))
    unlisted = [
        {"model": model, "provider": provider, **status._asdict()}
        for (provider, model), status in catalogue.unlisted.items()
    ]
    for one in unlisted:
        how = "live" if one["state"] == "live" else "refused"
        tell(options, f"{one['model']} is in no list: {how} here at {one['provider']}, {one['date']}")
    tell(
        options,
        "\nlive here: a job of this ledger, taken on that day, was completed. Prices are estimates; … where it may "
        "take more.\n`sora models --json` gives the date and the source of each fact, and every size.",
    )
    return result | {"models": catalogue.rows(), "refreshed_at": catalogue.refreshed_at, "unlisted": unlisted}


def _standing(model: Model) -> str:
    """Whether it lives at CometAPI, by what it was read from, or by what this ledger saw."""
    status = model.status.get(COMETAPI)
    if status is None:
        return "unknown"
    if not status.here:
        return f"{status.state} {status.date}"
    return f"live here {status.date}" if status.state == "live" else f"refused {status.date}"


def _seen(model: Model) -> str:
    """When its price was seen, and how old that is, where it is old."""
    if not model.usd:
        return ""
    age = model.price_age_days()
    return model.usd_date if age is None else f"{model.usd_date}, {age} d"


def _prices(model: Model) -> str:
    prices = sorted(set(model.usd.values()))
    return "unknown" if not prices else "-".join(f"{price:g}" for price in dict.fromkeys((prices[0], prices[-1])))


def _lengths(model: Model) -> str:
    numbers = sorted(int(seconds) for seconds in model.seconds)
    known = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 5 else " ".join(map(str, numbers))
    return (f"{known} …" if "seconds" in model.more else known) or "unknown"


def _sizes(model: Model) -> str:
    sizes = list(model.sizes)
    shown = " ".join(sizes[:MOST_SIZES]) or "unknown"
    shown += f" and {len(sizes) - MOST_SIZES} more" if len(sizes) > MOST_SIZES else ""
    return f"{shown} …" if "sizes" in model.more else shown


def spent_command(options: argparse.Namespace) -> dict[str, Any]:
    with open_engine(options.home, name=True) as engine:
        spending = engine.spent()
    tell(options, str(spending))
    day, job = spending.per_day, spending.per_job
    return {
        "spent_usd": round(spending.usd, 4),
        "left_usd": round(max(0.0, day.usd_per_day - spending.usd), 4),
        "usd_per_day": day.usd_per_day,
        "usd_per_job": job.usd_per_job,
        "day_set_on": day.machine,
        "job_set_on": job.machine,
    }


def doctor_command(options: argparse.Namespace) -> dict[str, Any]:
    from ..diagnostics.doctor import examine, examine_without_engine

    try:
        # A farm is checked with the folder that its ComfyUIs share, not with one that is where the shell happens to be.
        with open_engine(options.home, options.out) as engine:
            findings = examine(engine)
    except SoraError as error:  # no engine can be made
        findings = examine_without_engine(error)
    marks = {"ok": "ok      ", "warning": "warning ", "failed": "FAILED  "}
    for finding in findings:
        tell(options, f"{marks[finding.level]} {finding.name:<12} {finding.text}")
    failed = any(finding.level == "failed" for finding in findings)
    if failed and not options.json:
        raise LocalError("Something above failed.", hint="Each failed line says what cures it.", code="checks_failed")
    return {"findings": [finding.__dict__ for finding in findings], "exit": 7 if failed else 0}


def sandbox_command(options: argparse.Namespace) -> dict[str, Any]:
    from ..sandbox import Sandbox

    with open_engine(options.home) as engine:
        folder = engine.home / "sandbox"
    if not 0 <= options.port <= 65_535:
        hint = "Ports go from 1 to 65535; 0 takes any that is free."
        raise InvalidInputError(f"--port is {options.port}.", hint=hint, code="out_of_range")
    if options.speak is not None:
        warn_once(renamed("--speak", "--dialect"))
    try:
        with Sandbox(folder, port=options.port, dialect=options.dialect or options.speak) as sandbox:
            family = sandbox.routes.family.name
            line = f"{sandbox.url}  the sandbox, speaking as {family}; any key will do; Ctrl-C ends it"
            print(json.dumps({"url": sandbox.url, "family": family}) if options.json else line, flush=True)
            ended = threading.Event()
            while not ended.wait(TICK_S):  # without a timeout Windows passes no Ctrl-C on (before Python 3.14)
                pass
    except KeyboardInterrupt:
        print("", file=sys.stderr)
    return {}
