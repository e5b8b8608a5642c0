"""Families that make the film themselves, on the owner's own machine: SGLang and vLLM-Omni. Neither has a remix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from ..store import SandboxJob
from ..validation import Refusal
from .base import Family, as_uuid, failed_on_purpose, from_uuid


class Server(Family):
    """What the two have in common: FastAPI underneath, and nobody in front of it."""

    remix: ClassVar[bool] = False
    variants: ClassVar[bool] = False
    request_id_header: ClassVar[str] = ""
    pace_header: ClassVar[str] = ""

    def not_found(self, shown: str) -> Refusal:  # noqa: ARG002 - not said
        return Refusal(404, "Video not found")

    def no_such_call(self, method: str, path: str, status: int, reason: str) -> Refusal:  # noqa: ARG002
        return Refusal(status, reason, raw={"detail": reason})


class SGLang(Server):
    """SGLang: UUIDs, errors as FastAPI's `detail`, `variant` read as the number of a film; no keys."""

    name: ClassVar[str] = "sglang"
    wants_key: ClassVar[bool] = False
    any_model: ClassVar[bool] = True

    def shown_id(self, job: SandboxJob) -> str:
        return as_uuid(job.id)

    def job_id(self, shown: str) -> str:
        return from_uuid(shown)

    def created(self, job: SandboxJob) -> dict[str, Any]:
        return self.video(job, job.created_at, "") | {"status": "queued", "progress": 0, "urls": None}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:
        """No prompt; a place on the server's own disk; progress is 0 or 100."""
        video = super().video(job, now, address)
        del video["prompt"]
        done = video["status"] == "completed"
        video |= {"quality": "standard", "url": None, "urls": [None] if done else None, "expires_at": None}
        return video | {"progress": 100 if done else 0, "file_path": f"/srv/outputs/{video['id']}.mp4"}

    def failure(self, job: SandboxJob) -> dict[str, Any]:
        return {"message": failed_on_purpose(job)}

    def page(self, videos: Sequence[Mapping[str, Any]], more: bool) -> dict[str, Any]:  # noqa: ARG002 - not said
        return {"data": list(videos), "object": "list"}

    def deleted(self, job: SandboxJob, now: float) -> dict[str, Any]:
        return self.video(job, now, "") | {"status": "deleted"}

    def check_form(self, fields: Mapping[str, str]) -> None:
        seconds = fields.get("seconds", "4")
        if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", seconds):
            message = "Input should be a valid integer, unable to parse string as an integer"
            wrong = {"type": "int_parsing", "loc": ["body", "seconds"], "msg": message, "input": seconds}
            raise Refusal(422, message, raw={"detail": [wrong]})

    def not_ready(self, job: SandboxJob, now: float) -> Refusal:  # noqa: ARG002 - not said
        return Refusal(404, "Generation is still in-progress")

    def variant(self, asked: str | None) -> str:
        """A number; a job has one film here."""
        if asked in (None, "", "0"):
            return "video"
        raise Refusal(404, f"Video variant {asked} not found")

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:  # noqa: ARG002
        if refusal.raw is not None:
            return refusal.status, refusal.raw
        message = refusal.message if refusal.param != "prompt" or not refusal.local else "prompt is required"
        return refusal.status, {"error" if refusal.status >= 500 else "detail": message}


class VLLMOmni(Server):
    """vLLM-Omni: forms alone, codes as numbers, and a failed job that answers as HTTP 500 with the whole object."""

    name: ClassVar[str] = "vllm-omni"
    prefix: ClassVar[str] = "video_gen_"
    reads_json: ClassVar[bool] = False

    def created(self, job: SandboxJob) -> dict[str, Any]:
        return self.video(job, job.created_at, "") | {"status": "queued", "progress": 0}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:
        """Progress is 0 or 100; there is no link that could lapse."""
        video = super().video(job, now, address)
        del video["expires_at"], video["remixed_from_video_id"]
        done = video["status"] == "completed"
        video |= {"quality": "default", "media_type": "video/mp4", "progress": 100 if done else 0}
        return video | {"file_name": f"{video['id']}.mp4" if done else None, "fps": 24.0}

    def failure(self, job: SandboxJob) -> dict[str, Any]:
        return {"code": 500, "message": failed_on_purpose(job)}

    def status_of(self, video: Mapping[str, Any]) -> int:
        return int(video["error"]["code"]) if video["status"] == "failed" else 200

    def check_form(self, fields: Mapping[str, str]) -> None:
        for name, shape in {"seconds": r"[1-9][0-9]*", "size": r"[0-9]+x[0-9]+"}.items():
            if name in fields and not re.fullmatch(shape, fields[name]):
                raise Refusal(400, f"{name}: String should match pattern '^{shape}$'", local=True)

    def not_ready(self, job: SandboxJob, now: float) -> Refusal:
        if job.progress(now)[0] == "failed":
            return Refusal(422, "Video generation failed")
        return Refusal(404, "Generation is still in-progress")

    def variant(self, asked: str | None) -> str:  # noqa: ARG002 - ignored
        return "video"

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:  # noqa: ARG002
        if refusal.raw is not None:
            return refusal.status, refusal.raw
        status, message = refusal.status, refusal.message
        if status == 401:
            return 401, {"error": "Unauthorized"}
        if refusal.code == "model_not_found" and refusal.local:
            status = 400
            message = f"Model mismatch: request specifies '{refusal.value}' but server is running 'sora-2'."
        error = {"message": message, "type": HTTPStatus(status).phrase, "param": None, "code": status}
        return status, {"error": error}
