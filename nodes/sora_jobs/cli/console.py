"""What the commands have in common: the engine opened, waited for with a bar, and results told.

Ctrl-C never leaves a purchase in the dark: what is on its way to the gateway is waited for.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ..engine import Engine, PurchaseResult
from ..errors import InvalidInputError, MediaError, NotFinishedError, NotPurchasedError, SoraError
from ..jobs.spec import Job
from ..jobs.state import JobState, queued_text
from ..util.waiting import is_done

T = TypeVar("T")
# With these a cell begins that a spreadsheet takes for a formula: prompts and projects are what somebody typed.
FORMULAS = ("=", "+", "-", "@")
UNSENT_IN_SHELL = (
    "`sora resume JOB` sends it when its turn comes, as running the same again does; `sora cancel JOB` cancels it."
)


@contextlib.contextmanager
def open_engine(
    home: Path | None, out: Path | None = None, *, name: bool = False, **variables: str
) -> Iterator[Engine]:
    """The engine on the ledger of `--home`, else of the nodes of this pack, else of this user, with its videos in
    `out`, else where those nodes put theirs, else in out/. It buys nothing that another ledger of this user holds, and
    nothing at all where ComfyUI uses another database (InvalidInputError).
    `name` says on stderr which ledger it is; `variables` go before those of the environment."""
    with Engine(home, out, folder=None if out is None else "", env=os.environ | variables, others=True) as engine:
        if name:
            ledger = engine.whereabouts.describe()
            for warning in ledger.warnings:
                warn(warning)
            if ledger.place:
                say(f"ledger: {ledger.place}")
        yield engine


def language_at(home: Path | None) -> str:
    """The language in which errors are shown, whatever state the settings are in."""
    try:
        with Engine(home) as engine:
            return engine.page_settings.language
    except SoraError:
        return "en"


def tell(options: argparse.Namespace, line: str) -> None:
    """A line of a result, for a person."""
    if not options.json:
        print(line)


def say(line: str) -> None:
    """A line about what goes on."""
    print(line, file=sys.stderr)


def warn(what: str) -> None:
    """The same, about what may be wrong."""
    say(f"warning: {what}")


def as_dict(job: Job) -> dict[str, Any]:
    """A row for scripts: every column under its own name."""
    row = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    row["extra_fields"] = dict(job.extra_fields)
    return {"job": row.pop("id"), **row}


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: with an apostrophe before it, where one might."""
    return f"'{text}" if text.lstrip().startswith(FORMULAS) else text


def collect(engine: Engine, purchase: PurchaseResult, options: argparse.Namespace) -> dict[str, Any]:
    """Wait for the job with a bar on stderr, and tell where its file is and what is wrong with it."""
    try:
        _tell_purchase(engine, purchase)
        job = _wait(engine, purchase.job.id, 60 * minutes(options.timeout))
    except KeyboardInterrupt:
        raise _stopped_error(engine, purchase.job.id) from None
    result = described(engine, job) | {"reused": purchase.reused}
    if purchase.quote.unknown:
        result["price_unknown"] = purchase.quote.unknown
    if result["warning"]:
        warn(result["warning"])
    tell(options, f"{result['path']}  {result['width']}x{result['height']}, {result['frames']} frames, job {job.id}")
    return result


def _tell_purchase(engine: Engine, purchase: PurchaseResult) -> None:
    job = purchase.job
    place = engine.queue.places().get(job.id) if job.state is JobState.QUEUED else None
    reused = " (bought before: nothing is paid again)" if purchase.reused and place is None else ""
    say(f"job {job.id}{reused}, {job.provider}: {job.video_id if place is None else queued_text(place)}")
    if why := purchase.quote.why_unknown(engine.page_settings.language):
        warn(why)


def _wait(engine: Engine, job_id: str, timeout_s: float) -> Job:
    from tqdm import tqdm

    wait = engine.start_wait(job_id, timeout_s)
    form = "{desc:<34.34} {percentage:3.0f}%|{bar}|"
    with tqdm(total=1000, bar_format=form, disable=None, leave=False, file=sys.stderr) as bar:
        try:
            while not is_done(wait.future):
                bar.n = int(1000 * wait.fraction)
                bar.set_description_str(wait.status)
        except KeyboardInterrupt:
            wait.cancel()
            raise
    return wait.future.result()


def described(engine: Engine, job: Job) -> dict[str, Any]:
    """What a script wants to know of a stored job and its file; zeros for one that cannot be decoded here: it may play
    elsewhere. `warning` is what the user should know of it."""
    from ..media.frames import probe

    path, warning = engine.path(job), job.error
    answer: dict[str, Any] = {"job": job.id, "video_id": job.video_id, "state": job.state.value, "path": str(path)}
    answer |= {"frames": 0, "fps": 0.0, "width": 0, "height": 0, "has_audio": False}
    try:
        info = probe(path)
        answer |= {name: getattr(info, name) for name in ("frames", "fps", "width", "height", "has_audio")}
    except MediaError as error:
        warning = warning or f"{error.message} {error.hint}"
    return answer | {"estimated_usd": job.estimated_usd, "warning": warning}


def finish(future: Future[T]) -> T:
    """The result of something that may have been paid for. Ctrl-C stops what is not sent yet; what is on its way is
    waited for, and then left to the gateway; twice gives the answer up."""
    try:
        while not is_done(future):
            pass
    except KeyboardInterrupt:
        future.cancel()
        if future.cancelled():
            raise NotPurchasedError("Stopped before anything was sent.") from None
        say("Waiting for the gateway's answer, so that nothing paid is lost (Ctrl-C again to give it up) …")
        while not is_done(future):
            pass
        if isinstance(result := future.result(), PurchaseResult):
            raise _goes_on_error(result.job) from None
    return future.result()


def _stopped_error(engine: Engine, job_id: str) -> SoraError:
    """Why there is no video for whoever waits no longer. A queued job is not sent by a process that ends: that is
    certain only once the engine is closed, since its turn may have come just now."""
    job = engine.find(job_id)
    if job is not None and job.state is JobState.QUEUED:
        engine.close()
        job = engine.find(job_id)
        if job is not None and engine.queue.places().get(job_id) == 0:
            return NotPurchasedError(
                f"Stopped: job {job_id} stays in the line and is not sent by itself.",
                hint=UNSENT_IN_SHELL,
                job=job_id,
                code="not_sent_yet",
            )
    assert job is not None  # rows are never deleted
    return _goes_on_error(job)


def _goes_on_error(job: Job) -> SoraError:
    if job.state.is_free:
        return NotPurchasedError("Stopped before anything was sent.", job=job.id)
    if job.state.is_reserved:  # another process sends it, or a create of this one has no response yet
        hint = "Run the same again to join it."
        return NotFinishedError(
            "Stopped waiting; the job is in the line, or is being sent.", hint=hint, job=job.id, charge="possible"
        )
    hint = "Run the same again to take it up."
    return NotFinishedError("Stopped waiting; the job goes on at the gateway.", hint=hint, job=job.id)


def looked_up(future: Future[T]) -> T:
    """The result of a question that buys nothing. Ctrl-C ends the command at once."""
    try:
        while not is_done(future):
            pass
    except KeyboardInterrupt:
        future.cancel()
        raise NotFinishedError("Stopped before anything was sent.", hint="Run the same again.", charge="none") from None
    return future.result()


@contextlib.contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for work that tells (done, of); gone at its end, and none where stderr is no terminal."""
    from tqdm import tqdm

    form = "{desc} {n_fmt} of {total_fmt} |{bar}| {remaining}"
    with tqdm(bar_format=form, desc=what, disable=None, leave=False, file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield progress


def minutes(value: float) -> float:
    """The value of --timeout. InvalidInputError for one that is no time."""
    if not 0 < value <= 100_000:  # also refuses nan
        raise InvalidInputError(f"--timeout is {value}.", hint="It wants minutes above 0.", code="out_of_range")
    return value
