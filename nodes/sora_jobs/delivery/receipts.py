"""The receipt beside a video: which job it is, for people and machines that do not have the ledger."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InvalidInputError
from ..jobs.spec import Job
from ..ledger.ledger import Ledger
from ..util.atomic_write import atomic_write
from ..util.bounded_read import read_json, read_text
from ..util.redact import redact_registered
from .download import Downloaded

_log = logging.getLogger("sora")


def receipt_of(video: Path) -> Path:
    """Where the receipt of a video lies."""
    return video.with_suffix(".json")


def write_receipt(job: Job, video: Downloaded) -> None:
    """Write it. Failing costs a line in the log, never the video."""
    path = receipt_of(video.path)
    try:
        content = _clean(_content(job, video))
        atomic_write(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(), private=False)
    except OSError as error:
        _log.warning("The receipt %s could not be written: %s.", path, error.strerror)


def origin_of(video: Path, ledger: Ledger) -> tuple[Job | None, dict[str, Any]]:
    """(the ledger's job that this file came from, {}), else (None, its receipt). InvalidInputError where none knows
    it."""
    try:
        with video.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInputError(f"{video} cannot be read: {error.strerror}.", code="unreadable_video") from None
    if (job := ledger.queries.of_file(sha256)) is not None:
        return job, {}
    try:
        content = read_json(read_text(receipt_of(video)))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("sha256") != sha256:
        raise InvalidInputError(
            f"Neither the ledger nor a receipt beside it knows {video}.",
            hint="A file that was cut or converted is not the one that was stored.",
            code="unknown_file",
        )
    return None, content


def _clean(value: Any) -> Any:
    """The same without secrets: each text for itself, so that it stays JSON."""
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return redact_registered(value) if isinstance(value, str) else value


def _content(job: Job, video: Downloaded) -> dict[str, Any]:
    names = ("kind", "provider", "video_id", "model", "seconds", "size", "prompt", "take", "parent", "estimated_usd")
    return {
        "job": job.id,
        **{name: getattr(job, name) for name in names},
        "extra_fields": dict(job.extra_fields),
        "references": list(job.references),
        "fit": job.fit,
        "origin": job.origin,
        "identity": job.identity,
        "identity2": job.identity2,
        "bought_at": datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="seconds"),
        "sha256": video.sha256,
        "bytes": video.size,
        "written_by": f"sora-jobs {__version__}",
    }
