"""The commands that buy and collect: run, remix, jobs, resume."""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from .errors import DiskTrouble, InvalidInput, NotBought, NotFinished
from .settings import default_home, surrounding_comfyui
from .spec import FITS, Job, JobSpec, JobState, Reference
from .studio import Studio, Submission

T = TypeVar("T")
TICK_S = 0.1
EXPORTS = (".csv", ".json")


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add run, remix, jobs and resume to the command line."""
    collecting = argparse.ArgumentParser(add_help=False)
    collecting.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the MP4 goes (out/)")
    collecting.add_argument("--timeout", type=float, default=60, metavar="MINUTES", help="how long to wait (60)")

    run = commands.add_parser("run", parents=[common, collecting], help="buy a video, wait for it, store it")
    run.add_argument("prompt")
    run.add_argument("--model", default="sora-2", help="see `sora models`; an unlisted id is sent as typed (sora-2)")
    run.add_argument("--seconds", help="length; the model's default if left out")
    run.add_argument("--size", metavar="WxH", help="in pixels; the model's default if left out")
    run.add_argument("--reference", type=Path, action="append", default=[], metavar="FILE", help="image to start from; "
                     "a second one is the last frame, where the model takes one")  # fmt: skip
    run.add_argument("--fit", choices=FITS, default="crop", help="how the image is brought to the size (crop)")
    run.add_argument("--provider", default="cometapi", help="cometapi, or sandbox, which is free (cometapi)")
    run.add_argument("--take", type=int, default=1, help="a new take of the same is a new purchase (1)")
    run.set_defaults(command=run_command)

    remix = commands.add_parser("remix", parents=[common, collecting], help="buy a changed version of a finished video")
    remix.add_argument("job", metavar="JOB", help="ledger id or gateway id")
    remix.add_argument("prompt")
    remix.add_argument("--take", type=int, default=1, help="a new take of the same is a new purchase (1)")
    remix.set_defaults(command=remix_command)

    jobs = commands.add_parser("jobs", parents=[common], help="list what was ever sent")
    jobs.add_argument("--state", choices=[state.value for state in JobState])
    jobs.add_argument("--model")
    jobs.add_argument("--search", metavar="TEXT", help="in the prompt and both ids")
    jobs.add_argument("--file", type=Path, metavar="MP4", help="which job this video came from")
    jobs.add_argument("--limit", type=int, default=50, help="newest first (50)")
    jobs.add_argument("--export", type=Path, metavar="FILE", help="write all that match to a .csv or .json file")
    jobs.set_defaults(command=jobs_command)

    resume = commands.add_parser(
        "resume", parents=[common, collecting], help="take up a job: wait, fetch, or settle it"
    )
    resume.add_argument("job", metavar="JOB", help="ledger id or gateway id")
    resume.add_argument("--provider", default="", help="where an id from elsewhere was bought (cometapi)")
    settle = resume.add_mutually_exclusive_group()
    settle.add_argument("--video-id", metavar="ID", help="an unknown purchase is this job at the gateway")
    settle.add_argument("--lost", action="store_true", help="an unknown purchase is not at the gateway: free it")
    resume.set_defaults(command=resume_command)


@contextlib.contextmanager
def open_studio(home: Path | None, out: Path, **variables: str) -> Iterator[Studio]:
    """The engine on the state folder of `--home`, else of the ComfyUI around the pack, else of this user; `variables`
    go before those of the environment."""
    place = home.absolute() if home else default_home(os.environ, surrounding_comfyui())
    studio = Studio(place, out.absolute(), folder="", env=os.environ | variables)
    try:
        yield studio
    finally:
        studio.close()


def run_command(options: argparse.Namespace) -> dict[str, Any]:
    _minutes(options.timeout)  # before anything is bought
    with open_studio(options.home, options.out) as studio:
        model = studio.catalogue.find(options.model)
        if model is None and not options.json:
            _say(f"{options.model} is not in the catalogue: it is sent as typed, unchecked.")
        seconds, size = studio.catalogue.first_choice(options.model)
        spec = JobSpec(
            provider=options.provider,
            prompt=options.prompt,
            model=options.model,
            seconds=options.seconds or seconds,
            size=options.size or size,
            take=options.take,
            references=tuple(_reference(path, options.fit) for path in options.reference),
        )
        return collect(studio, finish(studio.submit(spec)), options)


def remix_command(options: argparse.Namespace) -> dict[str, Any]:
    _minutes(options.timeout)
    with open_studio(options.home, options.out) as studio:
        parent = looked_up(studio.open(options.job))
        return collect(studio, finish(studio.remix(parent.id, options.prompt, options.take)), options)


def resume_command(options: argparse.Namespace) -> dict[str, Any]:
    _minutes(options.timeout)
    with open_studio(options.home, options.out) as studio:
        settling = options.lost or options.video_id
        job = studio.ledger.find(options.job) if settling else looked_up(studio.open(options.job, options.provider))
        if job is None:
            raise InvalidInput(f"The ledger has no job {options.job!r}.", advice="`sora jobs` lists what it has.")
        if options.lost:
            job = looked_up(studio.settle(job.id))
            _tell(options, f"{job.id} is given up; the same can be bought again.")
            return as_dict(job)
        named = options.video_id
        job = looked_up(studio.settle(job.id, video_id=named) if named else studio.look_for(job.id))
        return collect(studio, Submission(job, reused=True), options)


def jobs_command(options: argparse.Namespace) -> dict[str, Any]:
    if options.limit < 1:
        raise InvalidInput(f"--limit is {options.limit}.", advice="It wants a number above 0.")
    if options.export is not None and options.export.suffix not in EXPORTS:
        raise InvalidInput(f"{options.export} is neither a .csv nor a .json file.")
    with open_studio(options.home, Path("out")) as studio:
        if options.file is not None:
            return _job_of_file(studio, options)
        limit = options.limit if options.export is None else 10**9
        jobs = studio.ledger.jobs(
            state=options.state or "",
            model=options.model or "",
            search=options.search or "",
            limit=limit,
            forgotten=options.export is not None,
        )
    if options.export is not None:
        _export(jobs, options.export)
        _tell(options, f"{options.export}  {len(jobs)} jobs")
        return {"path": str(options.export), "count": len(jobs)}
    for job in jobs:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_at))
        price = "     ?" if job.estimated_usd is None else f"{job.estimated_usd:6.2f}"
        prompt = " ".join(job.prompt.split())[:50]
        _tell(options, f"{job.id}  {when}  {job.standing:<9}  ${price}  {job.provider:<9} {job.model:<12} {prompt}")
    if not jobs:
        _say("No jobs.")
    return {"jobs": [as_dict(job) for job in jobs]}


def _job_of_file(studio: Studio, options: argparse.Namespace) -> dict[str, Any]:
    """By the ledger, else by the receipt beside the file, which speaks of a job of another machine."""
    from .receipt import origin_of

    job, receipt = origin_of(options.file, studio.ledger)
    found = as_dict(job) if job is not None else receipt
    where = "this ledger" if job is not None else "its receipt"
    for name in ("job", "provider", "video_id", "model", "seconds", "size", "take", "prompt"):
        _tell(options, f"{name:<9} {' '.join(str(found.get(name, '')).split())}")
    _say(f"Found in {where}.")
    return {"jobs": [found], "found_in": "ledger" if job is not None else "receipt"}


def collect(studio: Studio, submission: Submission, options: argparse.Namespace) -> dict[str, Any]:
    """Wait for the job with a bar on stderr, and tell where its file is."""
    from tqdm import tqdm

    job = submission.job
    reused = " (bought before: nothing is paid again)" if submission.reused else ""
    _say(f"job {job.id}{reused}, {job.provider}: {job.video_id}")
    if submission.warning:
        _say(f"warning: {submission.warning}")
    wait = studio.wait(job.id, timeout_s=60 * _minutes(options.timeout))
    form = "{desc:<34.34} {percentage:3.0f}%|{bar}|"
    with tqdm(total=1000, bar_format=form, disable=None, leave=False, file=sys.stderr) as bar:
        try:
            while not _ready(wait.future):
                bar.n = int(1000 * wait.fraction)
                bar.set_description_str(wait.status)
        except KeyboardInterrupt:
            wait.cancel()
            raise NotFinished(
                "Stopped waiting; the job goes on at the gateway.",
                advice="Run the same again to take it up.",
                job=job.id,
            ) from None
    job = wait.future.result()
    result = described(studio, job) | {"reused": submission.reused}
    _tell(options, f"{result['path']}  {result['width']}x{result['height']}, {result['frames']} frames, job {job.id}")
    return result


def described(studio: Studio, job: Job) -> dict[str, Any]:
    """What a script wants to know of a stored job and its file."""
    from .media.frames import probe

    path = studio.path(job)
    info = probe(path)
    answer: dict[str, Any] = {"job": job.id, "video_id": job.video_id, "state": job.state.value, "path": str(path)}
    answer |= {"frames": info.frames, "fps": info.fps, "width": info.width, "height": info.height}
    return answer | {"has_audio": info.has_audio, "estimated_usd": job.estimated_usd}


def finish(future: Future[T]) -> T:
    """The result of something that may have been paid for. Ctrl-C stops what is not sent yet; what is on its way is
    waited for, and then left to the gateway; twice gives the answer up."""
    try:
        while not _ready(future):
            pass
    except KeyboardInterrupt:
        future.cancel()
        if future.cancelled():
            raise NotBought("Stopped before anything was sent.") from None
        _say("Waiting for the gateway's answer, so that nothing paid is lost (Ctrl-C again to give it up) …")
        while not _ready(future):
            pass
        if isinstance(result := future.result(), Submission):
            raise NotFinished(
                "Stopped; the job goes on at the gateway.",
                advice="Run the same again to take it up.",
                job=result.job.id,
            ) from None
    return future.result()


def looked_up(future: Future[T]) -> T:
    """The result of a question that buys nothing. Ctrl-C ends the command at once."""
    try:
        while not _ready(future):
            pass
    except KeyboardInterrupt:
        future.cancel()
        raise NotFinished("Stopped before anything was sent.", advice="Run the same again.", money="none") from None
    return future.result()


def as_dict(job: Job) -> dict[str, Any]:
    """A row for scripts: every column under its own name."""
    row = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    row["extra_fields"] = dict(job.extra_fields)
    return {"job": row.pop("id"), **row}


def _ready(future: Future[Any]) -> bool:
    with contextlib.suppress(TimeoutError):  # since Python 3.11 the one of concurrent.futures, too
        future.exception(TICK_S)
        return True
    return future.done()


def _reference(path: Path, fit: str) -> Reference:
    from .media.reference import from_file

    return Reference(from_file(path), fit)


def _minutes(value: float) -> float:
    if not 0 < value <= 100_000:  # also refuses nan
        raise InvalidInput(f"--timeout is {value}.", advice="It wants minutes above 0.")
    return value


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
                    writer.writerow(row | {name: json.dumps(row[name]) for name in ("extra_fields", "references")})
    except OSError as error:
        raise DiskTrouble(f"{path} could not be written: {error.strerror}.") from error


def _tell(options: argparse.Namespace, line: str) -> None:
    if not options.json:
        print(line)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
