"""The sandbox's jobs on disk. What a job's state is, is a function of time alone."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..util.atomic_write import atomic_write, remove

LINK_LASTS_S = 365 * 86_400  # its films cost nothing to keep: who deletes one finds it again. [sandbox: expired] lapses
QUEUED_SHARE = 0.15  # of the time that a job takes


@dataclass(frozen=True, kw_only=True)
class SandboxJob:
    """A job as it lies on disk. `references` are names of files in the folder `references`."""

    id: str
    model: str
    seconds: int
    size: str
    width: int
    height: int
    prompt: str  # without directives
    said: str = ""  # the prompt as it was sent, with them
    created_at: float
    takes_s: float
    references: list[str] = field(default_factory=list)
    parent: str = ""
    directives: dict[str, str] = field(default_factory=dict)
    nth: int = 0  # of all that wish for the same: no model makes the same film twice

    def progress(self, now: float) -> tuple[str, int]:
        """(status, percent) at the time `now`."""
        share = (now - self.created_at) / self.takes_s if self.takes_s > 0 else 1.0
        if "stuck" in self.directives:
            share = min(share, 0.99)
        if share >= 1:
            return ("failed" if "fail" in self.directives else "completed"), 100
        if share < QUEUED_SHARE:
            return "queued", 0
        return self.directives.get("word", "in_progress"), max(1, int(100 * share))

    @property
    def completed_at(self) -> float:
        return self.created_at + self.takes_s

    @property
    def expires_at(self) -> float:
        return self.completed_at + (0 if "expired" in self.directives else LINK_LASTS_S)

    def expired(self, now: float) -> bool:
        return "expired" in self.directives or now >= int(self.expires_at) + 1


class Store:
    """Jobs, references and counters below one folder; every file is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def new_id(self) -> str:
        return f"video_{secrets.token_hex(16)}"

    def save(self, job: SandboxJob) -> None:
        _write(self._job_file(job.id), json.dumps(asdict(job), ensure_ascii=False).encode())

    def load(self, job_id: str) -> SandboxJob | None:
        """The job of that id, or None; a damaged file is no job."""
        if not re.fullmatch(r"video_[0-9a-f]{32}", job_id):
            return None
        try:
            return SandboxJob(**json.loads(self._job_file(job_id).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def delete(self, job: SandboxJob) -> None:
        remove(self._job_file(job.id))

    def newest(self) -> list[SandboxJob]:
        """All jobs, newest first."""
        ids = [file.stem for file in (self.folder / "jobs").glob("video_*.json")]
        jobs = [job for job in map(self.load, ids) if job is not None]
        return sorted(jobs, key=lambda job: (-job.created_at, job.id))

    def keep_reference(self, data: bytes) -> str:
        """Store an upload by its content; returns its name."""
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / "references" / name
        if not path.exists():
            _write(path, data)
        return name

    def reference(self, name: str) -> bytes:
        return (self.folder / "references" / name).read_bytes()

    def times(self, key: str) -> int:
        """How many calls with this key there were before, also over restarts."""
        path = self.folder / "counters" / hashlib.sha256(key.encode()).hexdigest()[:32]
        with self._lock:
            seen = int(path.read_text(encoding="utf-8")) if path.exists() else 0
            _write(path, str(seen + 1).encode())
            return seen

    def _job_file(self, job_id: str) -> Path:
        return self.folder / "jobs" / f"{job_id}.json"


def _write(path: Path, data: bytes) -> None:
    atomic_write(path, data, private=False, sync=False)  # nothing that it holds costs anything
