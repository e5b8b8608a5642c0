"""Families that resell the films of others under tasks of their own: new-api, and CometAPI with its Seedance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from ..store import SandboxJob
from ..validation import Refusal
from .base import Family, failed_on_purpose


class NewApi(Family):
    """new-api: flat errors before a job exists, OpenAI's elsewhere; the upstream's words as text inside a message."""

    name: ClassVar[str] = "new-api"
    prefix: ClassVar[str] = "task_"
    lists: ClassVar[bool] = False
    deletes: ClassVar[bool] = False
    variants: ClassVar[bool] = False
    ranges: ClassVar[bool] = False
    request_id_header: ClassVar[str] = "X-Oneapi-Request-Id"
    pace_header: ClassVar[str] = ""

    _OWN = ("insufficient_user_quota", "task_not_exist")  # codes of its own, flat
    _FLAT = ("create", "remix", "retrieve")
    _TASK: ClassVar[Mapping[str, str]] = {"queued": "NOT_START", "completed": "SUCCESS", "failed": "FAILURE"}

    def created(self, job: SandboxJob) -> dict[str, Any]:
        """Before rendering: no size, no length, no prompt."""
        return {**self._head(job), "status": "queued", "progress": 0, "created_at": int(job.created_at)}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:
        """`completed_at` is set while it runs, too; a failed job has a message and no code."""
        status, progress = job.progress(now)
        video = {**self._head(job), "status": status, "progress": progress, "created_at": int(job.created_at)}
        if status != "queued":
            video["completed_at"] = int(min(now, job.completed_at))
        if status == "completed":
            video["metadata"] = {"url": address}
        if status == "failed":
            video["error"] = self.failure(job)
        return video

    def failure(self, job: SandboxJob) -> dict[str, Any]:
        return {"message": failed_on_purpose(job), "code": ""}

    def not_ready(self, job: SandboxJob, now: float) -> Refusal:
        status = job.progress(now)[0]
        word = self._TASK.get(status, status.upper())
        return Refusal(400, f"Task is not completed yet, current status: {word}", code="not_ready")

    def variant(self, asked: str | None) -> str:  # noqa: ARG002 - ignored
        return "video"

    def not_found(self, shown: str) -> Refusal:  # noqa: ARG002 - not said
        return Refusal(400, "task_not_exist", code="task_not_exist")

    def no_such_call(self, method: str, path: str, status: int, reason: str) -> Refusal:  # noqa: ARG002
        message = f"Invalid URL ({method} {path})"
        body = {"message": message, "type": "invalid_request_error", "param": "", "code": ""}
        return Refusal(404, message, raw={"error": body})

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:
        if refusal.raw is not None:
            return refusal.status, refusal.raw
        if call == "content":
            status, message, kind = refusal.status, refusal.message, "invalid_request_error"
            if refusal.code == "task_not_exist":
                status, message = 404, "Task not found"
            elif refusal.code == "expired":  # it asks its upstream for the film, and is told no
                status, message, kind = 502, "Failed to fetch video content", "server_error"
            return status, {"error": {"message": message, "type": kind}}
        if refusal.status == 401 or refusal.code == "model_not_found":  # before a channel was chosen
            message = f"{refusal.message} (request id: {request_id})"
            code = refusal.code if refusal.code == "model_not_found" else ""
            return refusal.status, {"error": {"message": message, "type": "new_api_error", "code": code}}
        if call not in self._FLAT:
            return refusal.status, refusal.envelope()
        if refusal.code in self._OWN or refusal.local:
            own = refusal.code if refusal.code in self._OWN else "invalid_request"
            return refusal.status, {"code": own, "message": refusal.message, "data": None}
        body = {"code": "fail_to_fetch_task", "message": json.dumps(refusal.envelope()), "data": None}
        return refusal.status, body

    def _head(self, job: SandboxJob) -> dict[str, Any]:
        shown = self.shown_id(job)
        return {"id": shown, "task_id": shown, "object": "video", "model": job.model}


class Seedance(Family):
    """CometAPI as it speaks for Seedance: words of its own, and the film at a signed address in the object alone."""

    name: ClassVar[str] = "seedance"
    prefix: ClassVar[str] = "task_"
    words: ClassVar[Mapping[str, str]] = {
        "queued": "SUBMITTED",
        "in_progress": "IN_PROGRESS",
        "completed": "SUCCESS",
        "failed": "FAILED",
    }
    remix: ClassVar[bool] = False
    lists: ClassVar[bool] = False
    deletes: ClassVar[bool] = False
    variants: ClassVar[bool] = False
    in_object: ClassVar[bool] = True
    request_id_header: ClassVar[str] = ""  # it is in the message

    def created(self, job: SandboxJob) -> dict[str, Any]:
        video = self.video(job, job.created_at, "")
        del video["completed_at"]
        return video | {"task_id": video["id"], "status": "SUBMITTED", "progress": 0}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:
        """No size, no length, no prompt."""
        full = super().video(job, now, address)
        names = ("id", "model", "object", "status", "progress", "created_at", "completed_at")
        video = {name: full[name] for name in names}
        if video["status"] == "SUCCESS":
            video["video_url"] = address
        if full["error"]:
            video["error"] = full["error"]
        return video

    def not_found(self, shown: str) -> Refusal:
        return Refusal(400, f"The task {shown[:80]} does not exist.", code="task_not_exist")

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:  # noqa: ARG002
        error = {
            "message": f"{refusal.message} (request id: {request_id})",
            "type": "comet_api_error",
            "param": refusal.param or "",
            "code": refusal.code or ("invalid_request" if refusal.status < 500 else ""),
        }
        return refusal.status, {"error": error}
