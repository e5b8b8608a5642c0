"""The ledger as a person looks at it: rows as plain JSON, and what became of each job in plain words."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..config.providers import COMETAPI
from ..config.settings import Settings
from ..config.timing import Timing
from ..delivery.stored_files import file_of, shown_file_of
from ..errors import (
    DownloadExpiredError,
    InvalidInputError,
    JobFailedError,
    NotFinishedError,
    RequestRejectedError,
    SoraError,
    StorageError,
    storage_error,
)
from ..jobs.outcomes import CANCELLED, cancelled_error, existing_purchase_error
from ..jobs.spec import ARCHIVED, TRUNCATED, Job
from ..jobs.state import JobState
from ..ledger.costs import report
from ..ledger.ledger import Ledger
from ..purchasing.queue import request_of
from ..util.atomic_write import atomic_write
from .actions import actions_of, group_of, was_running
from .news import in_trouble

PAGE_ROWS = 60
LARGEST_PAGE = 200
THUMBNAIL_WIDTH = 320  # pixels
# What cures a failure, by its kind in messages.toml; the page has a button for each.
CURES = {"bad_key": "settings", "no_key": "settings", "no_balance": "settings", "model_gone": "nearest"}
AS_THEY_ARE = (
    "id", "kind", "aside", "provider", "model", "seconds", "size", "prompt", "take", "video_id", "parent", "progress",
    "estimated_usd", "charged_usd", "project", "created_at", "submitted_at", "completed_at", "stored_at", "bytes",
)  # fmt: skip

BRIEF = ("id", "aside", "progress", "created_at", "submitted_at", "completed_at")


class HistoryView:
    """Reads the ledger, and keeps small pictures of stored videos in `home`/thumbnails."""

    def __init__(self, ledger: Ledger, settings: Settings, timing: Timing) -> None:
        self._ledger, self._settings, self._timing = ledger, settings, timing
        self._typical: dict[tuple[str, ...], tuple[float, float | None]] = {}  # (when it was asked, seconds)
        self._line: tuple[float, dict[str, int]] = -math.inf, {}  # when it was asked, and the places of queued jobs

    def page(self, *, state: str = "", search: str = "", after: str = "", limit: int = PAGE_ROWS) -> dict[str, Any]:
        """{"jobs": rows, newest first, "more": are there any after them, "running": how many go on, "places": of each
        queued job in its line, by its id}."""
        if not self._ledger.database.exists:
            return {"jobs": [], "more": False, "running": 0, "places": {}}
        limit = max(1, min(limit, LARGEST_PAGE))
        jobs = self._ledger.jobs(state=state, search=search, after=after, limit=limit + 1)
        places = self._read_places()
        return {
            "jobs": [self.row(job) for job in jobs[:limit]],
            "more": len(jobs) > limit,
            "running": self._ledger.queries.running(),
            "places": places,
        }

    def labels(self, limit: int = 200) -> list[str]:
        """Return the newest jobs as readable lines, for a list; `Engine.open` takes one."""
        return [job.label for job in self._ledger.jobs(limit=limit)] if self._ledger.database.exists else []

    def was_bought(self, model: str, seconds: str, size: str, provider: str | None, prompt: str | None) -> bool:
        """May the ledger have such a purchase, so that it costs nothing to ask for it again? Without a prompt, any."""
        try:
            return self._ledger.database.exists and self._ledger.queries.has_bought(
                model, seconds, size, provider or COMETAPI, prompt
            )
        except SoraError:  # of the ledger, or of the settings that say where it is: told by whoever needs it
            return False

    def set_project(self, job_id: str, project: str) -> Job:
        """Put a job down to another project; the errors are those of `Ledger.set_project`."""
        return self._ledger.set_project(job_id, project)

    def costs(self, by: str, since: str = "", *, page: bool = False) -> dict[str, Any]:
        """Return what jobs cost, grouped `by` one of BY; the form and the errors are those of `costs.report`."""
        return report(self._ledger.database, by=by, since=since, now=self._timing.clock(), page=page)

    def tree(self, job_id: str) -> dict[str, Any]:
        """{"job": row, "parent": row or None, "children": rows}: what it was remixed from, and what from it."""
        job = self._job(job_id)
        parent = self._ledger.queries.by_gateway_id(job.provider, job.origin, job.parent) if job.parent else None
        return {
            "job": self.row(job),
            "parent": self.row(parent) if parent is not None else None,
            "children": [self.row(child) for child in self._ledger.queries.children(job) if child.aside != ARCHIVED],
        }

    def row(self, job: Job) -> dict[str, Any]:
        """One job as plain JSON: `error` in English, and in `failure` what the page makes its own words of."""
        error = failure_of(job)
        failure = error.for_page() if error is not None else {"error": ""}
        cure = _cure(job, error)
        return (
            self.brief(job)
            | {name: getattr(job, name) for name in AS_THEY_ARE}
            | {
                "error": failure.pop("error"),
                "failure": failure or None,
                "cure": cure,
                "actions": actions_of(job, cure),
                "warning": job.error if job.state is JobState.STORED else "",
                "references": len(job.references),
                "extra_fields": dict(job.extra_fields),
                "file": self._file(job),
            }
        )

    def brief(self, job: Job) -> dict[str, Any]:
        """How it stands, and nothing of what it is: this much may be heard by whoever listens. No file is looked at,
        since there may be a thousand of these in a second."""
        running = job.is_running
        return {name: getattr(job, name) for name in BRIEF} | {
            "state": job.standing,
            "is_running": running,
            "is_counted": running and not job.aside,
            "in_trouble": in_trouble(job),
            "group": group_of(job),
            "expected_s": self._typical_s(job) if job.state is JobState.SUBMITTED and running else None,
            "place": self._place(job) if job.state is JobState.QUEUED else None,
        }

    def event(self, job: Job, was: str) -> dict[str, Any]:
        """Return what is told of a job that changed; `was` is how it stood before, "" for one that is new here."""
        return {"job": self.brief(job), "was": was, "was_running": was_running(was)}

    def of_file(self, sha256: str) -> dict[str, Any] | None:
        """The job that a stored file came from, by its hash."""
        job = self._ledger.queries.of_file(sha256) if self._ledger.database.exists else None
        return None if job is None else self.row(job)

    def thumbnail(self, job_id: str) -> Path:
        """A small JPEG of the stored video, made at the first use. NotFinishedError where no video is stored here;
        MediaError, StorageError."""
        job = self._job(job_id)
        video = file_of(job, self._settings)
        if video is None:
            raise NotFinishedError(f"The video of job {job.id} is not stored here.", job=job.id, code="not_stored")
        place = self._settings.home / "thumbnails" / f"{job.id}_{job.sha256[:8]}.jpg"
        return place if place.is_file() else _small_picture(video, place)

    def references(self, job_id: str) -> list[Path]:
        """The images that went up with a job, as they were before fitting: PNG files."""
        job = self._job(job_id)
        if odd := [name for name in job.references if not re.fullmatch(r"[0-9a-f]{64}\.png", name)]:
            message = f"The ledger names a kept reference {odd[0][:80]!r}, which is none of ours."
            raise InvalidInputError(message, job=job.id, code="foreign_reference")
        places = [self._ledger.references.place(name) for name in job.references]
        if missing := [place for place in places if not place.is_file()]:
            raise _is_gone(job, missing[0], self._ledger.references.folders)
        return places

    def again(self, job_id: str) -> dict[str, Any]:
        """{"fit", "take"}: how those images were fitted ("" where nobody noted it), and the next take that was not
        asked for yet."""
        from ..media.reference import from_file

        job = self._job(job_id)
        pixels = [from_file(place) for place in self.references(job_id)]
        if job.kind == "opened" or (pixels and not job.fit):
            return {"fit": "", "take": job.take + 1}
        asked = request_of(job, pixels)
        takes = (replace(asked, take=take) for take in itertools.count(job.take + 1))
        return {
            "fit": job.fit,
            "take": next(each.take for each in takes if not self._ledger.queries.was_requested(each)),
        }

    def _typical_s(self, job: Job) -> float | None:
        """Seconds that jobs like it took: read once in `Timing.typical_age_s`, since many at a time are alike."""
        kind, now = (job.provider, job.model, job.seconds), self._timing.monotonic()
        asked, seconds = self._typical.get(kind, (-math.inf, None))
        if seconds is None or now - asked > self._timing.typical_age_s:
            seconds = self._ledger.queries.median_render_s(job)
            self._typical[kind] = now, seconds
        return seconds

    def _place(self, job: Job) -> int | None:
        """Return the place of a queued job in the line, 0 for one whose process has ended; None for one that has just
        left it. The line is read once for many: a hundred that are queued at a time tell of themselves together."""
        asked, places = self._line
        if job.id not in places or self._timing.monotonic() - asked > self._timing.change_delay_s:
            places = self._read_places()
        return places.get(job.id)

    def _read_places(self) -> dict[str, int]:
        asked, places = self._timing.monotonic(), self._ledger.queries.queue()
        self._line = asked, places
        return places

    def _job(self, job_id: str) -> Job:
        if not self._ledger.database.exists:  # looking makes none
            raise InvalidInputError(f"The ledger has no job {job_id!r}.", code="unknown_job")
        return self._ledger.job(job_id)

    def _file(self, job: Job) -> dict[str, str] | None:
        """Where the host's page finds it: only what lies below its own output folder."""
        place = shown_file_of(job, self._settings)
        if place is None:
            return None
        subfolder = "" if place.parent == PurePosixPath() else str(place.parent)
        return {"filename": place.name, "subfolder": subfolder, "type": "output"}


def failure_of(job: Job) -> SoraError | None:
    """Why there is no video of this job; None while nothing is wrong."""
    if job.state.blocks_purchase:
        return existing_purchase_error(job)
    if job.lapsed:
        return DownloadExpiredError(
            job.error or "The gateway no longer offers the video.", job=job.id, code=job.error_code
        )
    if job.state is JobState.REFUSED and job.error_code == CANCELLED:
        return cancelled_error(job.id)
    if job.state is JobState.REFUSED:
        return RequestRejectedError(
            job.error or "The gateway refused.", job=job.id, code=job.error_code, request_id=job.request_id
        )
    if job.error and job.state.is_running and job.error_code != TRUNCATED:
        return NotFinishedError(job.error, job=job.id, code=job.error_code)
    return None


def _is_gone(job: Job, place: Path, folders: Sequence[Path]) -> StorageError:
    """The error for a kept reference that is in none of those folders, of which the first would have it at `place`."""
    message = f"The kept reference {place.name} of job {job.id} is not in {' or '.join(map(str, folders))}"
    if len(folders) == 1:
        return StorageError(f"{message}: it is gone.", job=job.id, code="missing_reference")
    bought = f"The machine {job.machine}" if job.machine else "Another machine, whose name was not recorded,"
    return StorageError(
        f"{message}. {bought} kept it.",
        hint=f"Copy it to {place.parent} from that machine: from the same place in its output folder, or from the "
        "folder references in its SORA_HOME. `sora doctor` checks that all machines have the same output folder.",
        job=job.id,
        code="missing_reference",
    )


def _cure(job: Job, error: SoraError | None) -> str:
    if error is None:
        return ""
    if job.state is JobState.UNKNOWN:
        return "reconcile"
    return CURES.get(error.kind, "take" if isinstance(error, JobFailedError) else "")


def _small_picture(video: Path, place: Path) -> Path:
    from ..media.still_images import small_jpeg

    jpeg = small_jpeg(video, THUMBNAIL_WIDTH)
    try:
        atomic_write(place, jpeg)
    except OSError as error:
        raise storage_error(f"{place} could not be written", error) from error
    return place
