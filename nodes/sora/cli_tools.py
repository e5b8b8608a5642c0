"""The commands around the jobs: frames, models, doctor, sandbox, demo."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Any

from .catalogue import Catalogue
from .cli_demo import demo_command
from .cli_jobs import open_studio
from .errors import InvalidInput, LocalTrouble
from .settings import default_output, surrounding_comfyui
from .spec import parse_size


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add frames, models, doctor, sandbox and demo to the command line."""
    frames = commands.add_parser("frames", parents=[common], help="decode an MP4 to numbered PNGs, or to one sheet")
    frames.add_argument("file", type=Path, metavar="FILE")
    frames.add_argument("--out", type=Path, metavar="DIR", help="where frame_000000.png … go; the source's own numbers")
    frames.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N frames")
    frames.add_argument("--limit", type=int, default=0, metavar="N", help="at most N frames (0: all)")
    frames.add_argument("--step", type=int, default=1, metavar="N", help="every Nth frame (1)")
    frames.add_argument("--fps", type=float, default=0, help="sample by time at this rate first (0: as it is)")
    frames.add_argument("--size", metavar="WxH", help="in pixels; as it is if left out")
    frames.add_argument("--sheet", type=Path, metavar="FILE", help="also one PNG with frames from start to end")
    frames.set_defaults(command=frames_command)

    models = commands.add_parser("models", parents=[common], help="the models that are known, with lengths and prices")
    models.set_defaults(command=models_command)

    doctor = commands.add_parser("doctor", parents=[common], help="check this machine and the way to the gateway")
    doctor.add_argument("--out", type=Path, metavar="DIR", help="where the videos go (ComfyUI's output/, or out/)")
    doctor.set_defaults(command=doctor_command)

    from .sandbox.directives import describe_directives

    sandbox = commands.add_parser(
        "sandbox",
        parents=[common],
        help="run the free gateway on loopback until Ctrl-C",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A free gateway on this machine, for the sandbox provider, scripts and tests.",
        epilog="A directive in the prompt makes it misbehave on purpose, such as [sandbox: slow=30]:\n\n"
        + describe_directives(),
    )
    sandbox.add_argument("--port", type=int, default=0, help="0 takes a free one")
    sandbox.set_defaults(command=sandbox_command)

    demo = commands.add_parser("demo", parents=[common], help="the whole road on the sandbox: free, in two minutes")
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the files go (out/)")
    demo.set_defaults(command=demo_command)


def frames_command(options: argparse.Namespace) -> dict[str, Any]:
    from .media.frames import FrameChoice
    from .media.sheet import contact_sheet, save_frames

    if options.out is None and options.sheet is None:
        raise InvalidInput(
            "Nothing to do.", advice="Give --out DIR for the frames, --sheet FILE for one picture, or both."
        )
    if options.sheet is not None and options.sheet.suffix.lower() != ".png":
        raise InvalidInput(f"{options.sheet} is no .png file.", advice="The sheet is a PNG picture.")
    width, height = parse_size(options.size) if options.size else (0, 0)
    choice = FrameChoice(
        force_rate=options.fps,
        frame_load_cap=options.limit,
        skip_first_frames=options.skip,
        select_every_nth=options.step,
        custom_width=width,
        custom_height=height,
    )
    result: dict[str, Any] = {}
    if options.out is not None:
        files = save_frames(options.file, options.out, choice)
        result |= {"out": str(options.out), "count": len(files), "files": [file.name for file in files]}
        _tell(options, f"{options.out}  {len(files)} frames")
    if options.sheet is not None:
        contact_sheet(options.file, options.sheet)
        result["sheet"] = str(options.sheet)
        _tell(options, f"{options.sheet}  contact sheet")
    return result


def models_command(options: argparse.Namespace) -> dict[str, Any]:
    models = list(Catalogue.shipped().models.values())
    _tell(options, f"{'model':<14} {'at CometAPI':<12} {'$ per s':<14} {'images':<7} {'remix':<6} lengths in s; sizes")
    for model in models:
        prices = "-".join(dict.fromkeys(f"{price:g}" for price in sorted(model.usd.values()))) or "unknown"
        numbers = sorted(int(seconds) for seconds in model.seconds)
        lengths = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 4 else " ".join(map(str, numbers))
        remix = "yes" if model.remix else "no"
        state = model.status.get("cometapi", "unknown")
        facts = f"{model.id:<14} {state:<12} {prices:<14} {model.references:<7} {remix:<6}"
        _tell(options, f"{facts} {lengths}; {' '.join(model.sizes)}")
    _tell(options, "\nPrices are estimates; `sora models --json` gives their dates and sources.")
    rows = []
    for model in models:
        row_fields = {name: getattr(model, name) for name in model.__dataclass_fields__}
        rows.append(row_fields | {"sizes": list(model.sizes)})
    return {"models": rows}


def doctor_command(options: argparse.Namespace) -> dict[str, Any]:
    from .doctor import examine

    # A farm is checked with the folder that its ComfyUIs share, not with one that lies where the shell happens to be.
    with open_studio(options.home, options.out or default_output(surrounding_comfyui())) as studio:
        findings = examine(studio)
    marks = {"ok": "ok      ", "warning": "warning ", "failed": "FAILED  "}
    for finding in findings:
        _tell(options, f"{marks[finding.level]} {finding.name:<12} {finding.text}")
    failed = any(finding.level == "failed" for finding in findings)
    if failed and not options.json:
        raise LocalTrouble("Something above failed.", advice="Each failed line says what cures it.")
    return {"findings": [finding.__dict__ for finding in findings], "exit": 7 if failed else 0}


def sandbox_command(options: argparse.Namespace) -> dict[str, Any]:
    from .sandbox import Sandbox

    with open_studio(options.home, Path("out")) as studio:
        folder = studio.settings.home / "sandbox"
    if not 0 <= options.port <= 65_535:
        raise InvalidInput(f"--port is {options.port}.", advice="Ports go from 1 to 65535; 0 takes any that is free.")
    try:
        with Sandbox(folder, port=options.port) as sandbox:
            print(f"{sandbox.url}  the sandbox; any key will do; Ctrl-C ends it", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("", file=sys.stderr)
    return {}


def _tell(options: argparse.Namespace, line: str) -> None:
    if not options.json:
        print(line)
