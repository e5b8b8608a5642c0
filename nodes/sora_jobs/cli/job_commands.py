"""The commands that buy and collect: run, remix, jobs, resume."""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

from ..engine import Engine
from ..errors import InvalidInputError, storage_error
from ..jobs.identity import FITS
from ..jobs.spec import STALE, Job, Reference, VideoRequest, parse_extra_fields, parse_project
from ..jobs.state import JobState
from .console import as_dict, collect, finish, looked_up, minutes, open_engine, safe_cell, say, tell, warn
from .queue_commands import places_of, state_text, taken_up

EXPORTS = (".csv", ".json")


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add run, remix, jobs and resume to the command line."""
    collecting = argparse.ArgumentParser(add_help=False)
    collecting.add_argument(
        "--out", type=Path, metavar="DIR", help="where the video goes (in a ComfyUI its output/sora, else out/)"
    )
    collecting.add_argument(
        "--timeout", type=float, default=60, metavar="MINUTES", help="how long to wait, without time in the line (60)"
    )

    _add_run(commands, [common, collecting])
    _add_remix(commands, [common, collecting])
    _add_jobs(commands, [common])
    _add_resume(commands, [common, collecting])


def _add_run(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        parents=parents,
        help="buy a video, wait for it, store it",
        description="Buy a video, wait for it, store its MP4. Run again, it is taken up and not bought twice.\n"
        "--json gives job, video_id, state, path, frames, fps, width, height, has_audio, estimated_usd and reused,\n"
        "and where a new purchase has no known price price_unknown, the reason.",
        epilog="""examples:
  sora run "A paper boat on a lake" --provider sandbox
  sora run "The boat sails on" --reference boat.png --seconds 8 --size 1280x720
  sora run "A paper boat on a lake" --take 2         the same once more: a second purchase
  sora run "A paper boat" --extra-fields '{"seed":7}'""",
    )
    run.add_argument("prompt", metavar="PROMPT", help="what the video shows")
    run.add_argument(
        "--model", default="sora-2", metavar="ID", help="see `sora models`; an unlisted id is sent as typed (sora-2)"
    )
    run.add_argument("--seconds", metavar="N", help="length; the model's default if left out")
    run.add_argument("--size", metavar="WxH", help="in pixels; the model's default if left out")
    run.add_argument("--reference", type=Path, action="append", default=[], metavar="FILE", help="image to start from; "
                     "a second one is the last frame, where the model takes one")  # fmt: skip
    run.add_argument("--fit", choices=FITS, default="crop", help="how the image is brought to the size (crop)")
    run.add_argument(
        "--provider",
        default="cometapi",
        metavar="NAME",
        help="cometapi, sandbox (free), or one of providers.toml (cometapi)",
    )
    run.add_argument("--take", type=int, default=1, metavar="N", help="a new take of the same is a new purchase (1)")
    run.add_argument(
        "--extra-fields",
        default="",
        metavar="JSON",
        help="more form fields, such as '{\"seed\": 7}': harmless ones, and those that the model or providers.toml has",
    )
    _add_project(run, "what the job is bought for; `sora costs --by project` groups by it (none)")
    run.set_defaults(command=run_command)


def _add_remix(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    remix = commands.add_parser(
        "remix",
        parents=parents,
        help="buy a changed version of a finished video",
        description="Buy a changed version of a finished video; what is printed and what --json has is as for `run`.",
        epilog='example:\n  sora remix JOB "the same at night"',
    )
    remix.add_argument("job", metavar="JOB", help="ledger id or gateway id")
    remix.add_argument("prompt", metavar="PROMPT", help="what changes")
    remix.add_argument("--take", type=int, default=1, metavar="N", help="a new take of the same is a new purchase (1)")
    _add_project(remix, "what the remix is bought for (that of the job)")
    remix.set_defaults(command=remix_command)


def _add_project(command: argparse.ArgumentParser, words: str) -> None:
    command.add_argument("--project", default="", metavar="NAME", help=f"{words}; it stays in the ledger")


def _add_jobs(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    jobs = commands.add_parser(
        "jobs",
        parents=parents,
        help="list what was ever sent, and what waits to be",
        description="List what was ever sent or waits to be, newest first: id, time, state, estimate, provider,\n"
        "model, prompt. --json has the place in the line of a queued job as place: 1 is the next of its provider,\n"
        "0 one whose program has ended; `sora resume` sends it. Jobs that were forgotten in ComfyUI's page are\n"
        "left out, but for an export. In a .csv a text that a spreadsheet would take for a formula has an\n"
        "apostrophe before it.",
        epilog="""examples:
  sora jobs --state unknown                          what has to be reconciled
  sora jobs --state queued                           what waits in the line, and where
  sora jobs --file out/2026-11-26_abc.mp4            which job a video came from
  sora jobs --export jobs.csv                        every column of every job
  sora jobs --set-project "Winter film" JOB          put jobs down to a project, for `sora costs`
  sora jobs --json --limit 1 | jq -r '.jobs[0].job'""",
    )
    states = [*(state.value for state in JobState), STALE]
    jobs.add_argument("--state", choices=states, metavar="STATE", help=f"only those that are {', '.join(states)}")
    jobs.add_argument("--model", metavar="ID", help="only those of that model")
    jobs.add_argument("--search", metavar="TEXT", help="in the prompt and both ids")
    jobs.add_argument("--file", type=Path, metavar="MP4", help="which job this video came from")
    jobs.add_argument("--limit", type=int, default=50, metavar="N", help="at most N (50)")
    jobs.add_argument("--export", type=Path, metavar="FILE", help="write all that match to a .csv or .json file")
    jobs.add_argument("--set-project", metavar="NAME", help='put these jobs down to that project; "" takes it away')
    jobs.add_argument("job", nargs="*", metavar="JOB", help="with --set-project: ledger ids or gateway ids")
    jobs.set_defaults(command=jobs_command)


def _add_resume(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    resume = commands.add_parser(
        "resume",
        parents=parents,
        help="take up a job: wait, download, or reconcile it",
        description="Take up a job: wait for it and download it, or reconcile one that was perhaps bought.\n"
        "Such an unknown one is looked for in the gateway's list first, where it has one. A queued job whose\n"
        "program has ended is sent when its turn comes, and is bought then.",
        epilog="""examples:
  sora resume JOB
  sora resume JOB --video-id video_123               it stands in the gateway's own list under that id
  sora resume JOB --lost                             it does not: the same can be bought again
  sora resume video_123 --provider cometapi          a job that was bought elsewhere""",
    )
    resume.add_argument("job", metavar="JOB", help="ledger id or gateway id")
    resume.add_argument(
        "--provider", default="", metavar="NAME", help="where an id from elsewhere was bought (cometapi)"
    )
    outcome = resume.add_mutually_exclusive_group()
    outcome.add_argument("--video-id", metavar="ID", help="an unknown purchase is this job at the gateway")
    outcome.add_argument("--lost", action="store_true", help="an unknown purchase is not at the gateway: free it")
    resume.set_defaults(command=resume_command)


def run_command(options: argparse.Namespace) -> dict[str, Any]:
    minutes(options.timeout)  # before anything is bought
    with open_engine(options.home, options.out, name=True) as engine:
        model = engine.catalogue.find(options.model)
        if model is None and not options.json:
            say(f"{options.model} is not in the catalogue: it is sent as typed, unchecked.")
        seconds, size = engine.catalogue.defaults_for(options.model)
        spec = VideoRequest(
            provider=options.provider,
            prompt=options.prompt,
            model=options.model,
            seconds=options.seconds or seconds,
            size=options.size or size,
            take=options.take,
            extra_fields=parse_extra_fields(options.extra_fields),
            references=tuple(_reference(path, options.fit) for path in options.reference),
            project=options.project,
        )
        return collect(engine, finish(engine.start_create(spec, tell=warn)), options)


def remix_command(options: argparse.Namespace) -> dict[str, Any]:
    minutes(options.timeout)
    with open_engine(options.home, options.out, name=True) as engine:
        parent = looked_up(engine.start(lambda: engine.open(options.job), job=options.job))
        remix = engine.start_remix(parent.id, options.prompt, options.take, options.project, tell=warn)
        return collect(engine, finish(remix), options)


def resume_command(options: argparse.Namespace) -> dict[str, Any]:
    minutes(options.timeout)
    with open_engine(options.home, options.out, name=True) as engine:
        settling = options.lost or options.video_id
        name, provider = options.job, options.provider
        opened = None if settling else engine.start(lambda: engine.open(name, provider), key=provider, job=name)
        job = engine.find(name, provider) if opened is None else looked_up(opened)
        if job is None:
            raise InvalidInputError(
                f"The ledger has no job {options.job!r}.", hint="`sora jobs` lists what it has.", code="unknown_job"
            )
        if options.lost:
            job = engine.reconcile(job, lost=True)
            tell(options, f"{job.id} is given up; the same can be bought again.")
            return as_dict(job)
        known, found = job, options.video_id or ""
        reconciled = looked_up(engine.start(lambda: engine.reconcile(known, video_id=found), job=known))
        return collect(engine, taken_up(engine, reconciled), options)


def jobs_command(options: argparse.Namespace) -> dict[str, Any]:
    if options.limit < 1:
        raise InvalidInputError(f"--limit is {options.limit}.", hint="It wants a number above 0.", code="out_of_range")
    if options.export is not None and options.export.suffix not in EXPORTS:
        raise InvalidInputError(f"{options.export} is neither a .csv nor a .json file.", code="wrong_usage")
    if options.job or options.set_project is not None:
        return _set_project(options)
    with open_engine(options.home, name=True) as engine:
        if options.file is not None:
            return _job_of_file(engine, options)
        limit = options.limit if options.export is None else 10**9
        jobs = engine.jobs(
            state=options.state or "",
            model=options.model or "",
            search=options.search or "",
            limit=limit,
            archived=options.export is not None,
        )
        places = places_of(engine, jobs)
    if options.export is not None:
        _export(jobs, options.export)
        tell(options, f"{options.export}  {len(jobs)} jobs")
        return {"path": str(options.export), "count": len(jobs)}
    states = {job.id: state_text(job, places) for job in jobs}
    width = max(9, *map(len, states.values())) if states else 9
    for job in jobs:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_at))
        price = "     ?" if job.estimated_usd is None else f"{job.estimated_usd:6.2f}"
        prompt = " ".join(job.prompt.split())[:50]
        tell(
            options,
            f"{job.id}  {when}  {states[job.id]:<{width}}  ${price}  {job.provider:<9} {job.model:<12} {prompt}",
        )
    if not jobs:
        say("No jobs.")
    return {"jobs": [as_dict(job) | ({"place": places[job.id]} if job.id in places else {}) for job in jobs]}


def _set_project(options: argparse.Namespace) -> dict[str, Any]:
    if options.set_project is None or not options.job:
        raise InvalidInputError(
            "--set-project NAME and JOB go together.",
            hint='Such as --set-project "Winter film" JOB.',
            code="wrong_usage",
        )
    if any((options.state, options.model, options.search, options.file, options.export)):
        raise InvalidInputError(
            "--set-project takes jobs by their ids only.", hint="Leave the other options out.", code="wrong_usage"
        )
    project = parse_project(options.set_project)
    with open_engine(options.home, name=True) as engine:
        found = {name: engine.find(name) for name in options.job}
        if missing := [name for name, job in found.items() if job is None]:
            raise InvalidInputError(
                f"The ledger has no job {missing[0]!r}.", hint="Nothing was changed.", code="unknown_job"
            )
        jobs = [engine.history.set_project(job.id, project) for job in found.values() if job is not None]
    for job in jobs:
        tell(options, f"{job.id}  {job.project or '(no project)'}")
    return {"jobs": [as_dict(job) for job in jobs]}


def _job_of_file(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    """By the ledger, else by the receipt beside the file, which speaks of a job of another machine."""
    job, receipt = engine.files.origin_of(options.file)
    found = as_dict(job) if job is not None else receipt
    where = "this ledger" if job is not None else "its receipt"
    for name in ("job", "provider", "video_id", "model", "seconds", "size", "take", "prompt"):
        tell(options, f"{name:<9} {' '.join(str(found.get(name, '')).split())}")
    say(f"Found in {where}.")
    return {"jobs": [found], "found_in": "ledger" if job is not None else "receipt"}


def _reference(path: Path, fit: str) -> Reference:
    from ..media.reference import from_file

    return Reference(from_file(path), fit)


def _export(jobs: list[Job], path: Path) -> None:
    rows = [as_dict(job) for job in jobs]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            path.write_text(json.dumps(rows, indent=2, ensure_ascii=False), encoding="utf-8")
        else:
            names = ["job", *(name for name in Job.__dataclass_fields__ if name != "id")]
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                for row in rows:  # what is no single value stays readable for programs, too
                    row |= {name: json.dumps(row[name]) for name in ("extra_fields", "references")}
                    writer.writerow(
                        {name: safe_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
                    )
    except OSError as error:
        raise storage_error(f"{path} could not be written", error) from error
