"""How a gateway speaks: its ids, its video object, its errors, which calls it has. As it stands here: as OpenAI did.

The other families change what they do differently (relays.py, local_servers.py), each by what its source or its pages
say (docs/gateway.md; what is not written down there is as at OpenAI). Jobs on disk are the same for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..store import SandboxJob
from ..validation import Refusal

VARIANTS = ("video", "thumbnail", "spritesheet")


class Family:
    """OpenAI. `call` is the name of a handler in routes.py, "" where there is none for a request."""

    name: ClassVar[str] = "openai"
    prefix: ClassVar[str] = "video_"  # of its ids
    words: ClassVar[Mapping[str, str]] = {}  # its own words for queued, in_progress, completed and failed
    remix: ClassVar[bool] = True
    lists: ClassVar[bool] = True
    deletes: ClassVar[bool] = True
    variants: ClassVar[bool] = True  # thumbnail and spritesheet
    wants_key: ClassVar[bool] = True
    any_model: ClassVar[bool] = False  # takes the name of a model as it comes
    reads_json: ClassVar[bool] = True  # a create may be JSON
    ranges: ClassVar[bool] = True  # a download can be taken up in its middle
    in_object: ClassVar[bool] = False  # the film is at an address in the video object, and /content answers 404
    request_id_header: ClassVar[str] = "x-request-id"
    pace_header: ClassVar[str] = "Retry-After"  # beside a 429; "" where it has none

    def shown_id(self, job: SandboxJob) -> str:
        """The id by which its users know the job."""
        return self.prefix + job.id.removeprefix("video_")

    def job_id(self, shown: str) -> str:
        """The job's id on disk, or what no job on disk is called."""
        return "video_" + shown.removeprefix(self.prefix) if shown.startswith(self.prefix) else ""

    def created(self, job: SandboxJob) -> dict[str, Any]:
        """The answer to create: eight fields and no more, as CometAPI's page has it; a remix names its source, too."""
        names = ["created_at", "id", "model", "object", "seconds", "size"]
        names += ["remixed_from_video_id"] if job.parent else []
        full = self.video(job, job.created_at, "")
        return {name: full[name] for name in names} | {"status": self._word("queued"), "progress": 0}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:  # noqa: ARG002 - others give it
        """The video object at the time `now`. `address` is one at which a finished film lies, for whoever gives it."""
        status, progress = job.progress(now)
        return {
            "id": self.shown_id(job),
            "object": "video",
            "model": job.model,
            "status": self._word(status),
            "progress": progress,
            "created_at": int(job.created_at),
            "completed_at": int(job.completed_at) if status in ("completed", "failed") else None,
            "expires_at": int(job.expires_at) if status == "completed" else None,
            "prompt": job.said or job.prompt,
            "size": job.size,
            "seconds": str(job.seconds),
            "remixed_from_video_id": job.parent or None,
            "error": self.failure(job) if status == "failed" else None,
        }

    def failure(self, job: SandboxJob) -> dict[str, Any]:
        """The `error` of a failed job."""
        return {"code": job.directives["fail"], "message": failed_on_purpose(job)}

    def status_of(self, video: Mapping[str, Any]) -> int:  # noqa: ARG002 - others look at it
        """The HTTP status with which a video object goes out."""
        return 200

    def page(self, videos: Sequence[Mapping[str, Any]], more: bool) -> dict[str, Any]:
        """A list of video objects."""
        edges = {"first_id": videos[0]["id"] if videos else None, "last_id": videos[-1]["id"] if videos else None}
        return {"object": "list", "data": list(videos), **edges, "has_more": more}

    def deleted(self, job: SandboxJob, now: float) -> dict[str, Any]:  # noqa: ARG002 - others say how far it was
        """The answer to delete."""
        return {"id": self.shown_id(job), "deleted": True, "object": "video.deleted"}

    def check_form(self, fields: Mapping[str, str]) -> None:
        """Refusal for fields of a create that are not written as this family wants them."""

    def check_ready(self, job: SandboxJob, now: float) -> None:
        """Refusal of /content before the job is completed, and after its film has lapsed."""
        if job.progress(now)[0] != "completed":
            raise self.not_ready(job, now)
        if job.expired(now):
            raise Refusal(404, "This video's content has expired.", code="expired")

    def not_ready(self, job: SandboxJob, now: float) -> Refusal:  # noqa: ARG002 - others say how far it is
        """What /content answers before its time."""
        message = "Video is not ready yet, use GET /v1/videos/{id} to check its status."
        return Refusal(404, message, code="not_ready")

    def variant(self, asked: str | None) -> str:
        """Which of VARIANTS the query of /content means."""
        variant = "video" if asked is None else asked
        if variant not in VARIANTS:
            message = f"variant must be one of {', '.join(VARIANTS)}."
            raise Refusal(400, message, param="variant", code="invalid_value")
        return variant

    def not_found(self, shown: str) -> Refusal:
        """For an id that no job has."""
        return Refusal(404, f"Video with id '{shown[:80]}' not found.", code="not_found")

    def no_such_call(self, method: str, path: str, status: int, reason: str) -> Refusal:  # noqa: ARG002
        """For a method or a path that it does not have."""
        return Refusal(status, reason)

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:  # noqa: ARG002
        """(status, body) of a refusal."""
        return refusal.status, refusal.envelope()

    def _word(self, status: str) -> str:
        return self.words.get(status, status)


def failed_on_purpose(job: SandboxJob) -> str:
    return f"The sandbox was asked to fail this job ({job.directives['fail']})."


def as_uuid(job_id: str) -> str:
    """An id on disk, written as a UUID."""
    digits = job_id.removeprefix("video_")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def from_uuid(shown: str) -> str:
    """The way back; "" for what is none."""
    shape = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown)
    return f"video_{shown.replace('-', '')}" if shape else ""
