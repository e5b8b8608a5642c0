"""Where the file of a job is, or is to be, and whether it still is what was stored: a sync client may truncate it, an
editor write over it, a cloud drive leave a placeholder. Nobody else joins the output folder and a job's path."""

from __future__ import annotations

import filecmp
import functools
import hashlib
import itertools
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from ..config.settings import Settings
from ..errors import StorageError, storage_error
from ..jobs.spec import Job
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..util.atomic_write import copy
from .receipts import origin_of, receipt_of

LATER_S = 5.0  # a file that was changed so long after it was stored is looked at in full


class StoredFiles:
    """The files of an engine's jobs."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings

    def path(self, job: Job) -> Path:
        """Return the absolute path of a stored job's file under our own output root; the errors of `own_file_of`."""
        return own_file_of(job, self._settings)

    def place_of(self, file: Path) -> PurePosixPath | None:
        """Return a file's path relative to the output root, links followed; None for one outside."""
        return place_in(self._settings.output, file)

    def link(self, job: Job, target: Path) -> Path:
        """Give the stored file another name, too: a hard link, else a copy. Nothing is overwritten; StorageError."""
        source = self.path(job)
        if target.exists() and not is_same_video(job, target, source):
            raise StorageError(f"{target} exists already.", hint="Choose another name.", job=job.id, code="file_exists")
        return target if target.exists() else second_name(job, source, target)

    def first_copy(self, job: Job, files: Iterable[Path]) -> Path | None:
        """Return the first of these files that is the job's video; None where none is."""
        source = self.path(job)
        return next((file for file in files if is_same_video(job, file, source)), None)

    def origin_of(self, video: Path) -> tuple[Job | None, dict[str, Any]]:
        """Return the job that a file came from; the errors are those of `receipts.origin_of`."""
        return origin_of(video, self._ledger)


def file_of(job: Job, settings: Settings) -> Path | None:
    """Return the stored file, or None if it is gone: under our output root, else where it was written. One that is what
    was stored goes before one that is not."""
    found = _places_of(job, settings)
    return next((place for place in found if is_intact(job, place)), next(iter(found), None))


def unchanged_file_of(job: Job, settings: Settings) -> Path | None:
    """Return the stored file, where it can be seen without reading it that it is what was stored; else None."""
    return next((place for place in _places_of(job, settings) if is_intact(job, place, read=False)), None)


def own_file_of(job: Job, settings: Settings) -> Path:
    """Return the absolute path of the stored file under our own output root; StorageError where it is gone. One that
    was stored under another root (by the command line, say) is linked to ours first."""
    found = file_of(job, settings)
    if found is None:
        raise StorageError(
            f"The file of job {job.id} is not there.", hint="Run the same again.", job=job.id, code="stored_file_gone"
        )
    if place_in(settings.output, found) is not None:
        return found
    ours = free_name(job, settings.videos / found.name)
    return ours if ours.exists() else second_name(job, found, ours)


def new_file_of(job: Job, settings: Settings) -> Path:
    """Return where the video of a job is to be stored: where it was, or for a new one under its day and its id."""
    if job.path:
        return settings.output / job.path
    day = datetime.fromtimestamp(job.created_at).astimezone().strftime("%Y-%m-%d")
    return settings.videos / f"{day}_{job.id}.mp4"


def shown_file_of(job: Job, settings: Settings) -> PurePosixPath | None:
    """Return the path of the stored file relative to our output root, for the host's page, whatever the file holds;
    None where the first one that is there is outside."""
    found = next(iter(_places_of(job, settings)), None)
    return place_in(settings.output, found) if found is not None else None


def place_in(output: Path, path: Path) -> PurePosixPath | None:
    """Return a file's path relative to the output root, links followed; None for one outside."""
    try:
        return PurePosixPath(path.resolve().relative_to(output.resolve()).as_posix())
    except ValueError:
        return None


def is_intact(job: Job, path: Path, *, read: bool = True) -> bool:
    """Is it the job's video, as far as that can be told without reading it each time? By its size; and by its hash,
    where it was written to after it was stored. Without `read`, such a one counts as changed."""
    try:
        found = path.stat()
    except OSError:
        return False
    if job.bytes is None or not job.sha256:
        return True
    if found.st_size != job.bytes:
        return False
    touched = job.stored_at is not None and found.st_mtime > job.stored_at + LATER_S
    return not touched or (read and _hash(str(path), found.st_size, found.st_mtime_ns) == job.sha256)


def is_same_video(job: Job, one: Path, other: Path) -> bool:
    """Are both files the job's video? By the numbers that the file system has for files; where it has none, any two
    would be the same, and where links had to be copied no two are: then size and hash decide."""
    try:
        ours, theirs = one.stat(), other.stat()
    except OSError:
        return False
    if ours.st_ino and (ours.st_ino, ours.st_dev) == (theirs.st_ino, theirs.st_dev):
        return True
    if ours.st_size != theirs.st_size or not job.sha256:
        return False
    return _hash(str(one), ours.st_size, ours.st_mtime_ns) == job.sha256


def free_name(job: Job, path: Path) -> Path:
    """`path`, or one beside it with a number where another file has that name: nothing is written over that is not the
    job's video."""
    for number in itertools.count(2):
        if not path.exists() or is_intact(job, path):
            return path
        path = path.with_stem(f"{path.stem.removesuffix(f'_{number - 1}')}_{number}")
    raise AssertionError("unreachable: numbers do not end")


@functools.lru_cache(maxsize=1024)
def _hash(path: str, size: int, changed: int) -> str:  # noqa: ARG001 - what a hash is kept for
    """SHA-256 of a file, read once for as long as it does not change; "" where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _places_of(job: Job, settings: Settings) -> list[Path]:
    """Where there is a file of that name, whatever it holds."""
    if not job.path or job.state is not JobState.STORED:
        return []
    places = dict.fromkeys((settings.output / job.path, Path(job.root) / job.path))
    return [place for place in places if place.is_file()]


def second_name(job: Job, source: Path, target: Path) -> Path:
    """The stored video under another name, a hard link or else a copy; its receipt first, so that no video of ours lies
    there without one. StorageError where it cannot be written."""
    receipt, beside = receipt_of(source), receipt_of(target)
    if receipt.exists() and not beside.exists():
        _linked(job, receipt, beside)
    return _linked(job, source, target)


def _linked(job: Job, source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except FileExistsError:  # another caller was quicker, and may have had to copy
            if not filecmp.cmp(source, target, shallow=False):
                raise
        except OSError:  # another disk, or a file system without hard links
            copy(source, target)
    except OSError as error:
        raise storage_error(f"{target} could not be written", error, job=job.id) from error
    return target
