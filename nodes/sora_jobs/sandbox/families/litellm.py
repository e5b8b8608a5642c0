"""The sandbox as a LiteLLM proxy."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from ..store import SandboxJob
from ..validation import Refusal
from .base import Family


class LiteLLM(Family):
    """The LiteLLM proxy: long ids; `error.code` is the status as text, the upstream's own error JSON in the message.

    The id of create is another than that of retrieve, as 1.109.1 was seen to do; 1.108.7 says the same one twice. Its
    calls are compared with a real proxy's by tests/litellm, but for the list and for a missing key.
    """

    name: ClassVar[str] = "litellm"
    prefix: ClassVar[str] = "video_"
    lists: ClassVar[bool] = False
    deletes: ClassVar[bool] = False
    variants: ClassVar[bool] = False
    ranges: ClassVar[bool] = False
    request_id_header: ClassVar[str] = "x-litellm-call-id"
    pace_header: ClassVar[str] = "llm_provider-retry-after"

    _CLASSES: ClassVar[Mapping[int, tuple[str, str]]] = {
        400: ("BadRequestError", "invalid_request_error"),
        401: ("AuthenticationError: AuthenticationError", "authentication_error"),
        403: ("BadRequestError", "permission_error"),
        404: ("BadRequestError", "invalid_request_error"),
        429: ("RateLimitError: RateLimitError", "throttling_error"),
        500: ("InternalServerError: InternalServerError", "internal_server_error"),
        503: ("ServiceUnavailableError: ServiceUnavailableError", "internal_server_error"),
    }

    _MODELS_HINT = "Call `/v1/models` to view available models for your key."

    def shown_id(self, job: SandboxJob) -> str:
        """As retrieve says it."""
        return self._long(job, "")

    def job_id(self, shown: str) -> str:
        try:
            text = base64.b64decode(shown.removeprefix(self.prefix), validate=True).decode()
        except ValueError:
            return ""  # a raw id would go to OpenAI itself
        found = re.search(r"video_id:(video_[0-9a-f]{32})", text)
        return found[1] if found else ""

    def created(self, job: SandboxJob) -> dict[str, Any]:
        """The whole object, empty as most of it is, and under an id that names the deployment as well."""
        video = self.video(job, job.created_at, "") | {"id": self._long(job, f";deployment_id:{'4f' * 32}")}
        return video | {"status": "queued", "progress": 0, "usage": {"duration_seconds": float(job.seconds)}}

    def video(self, job: SandboxJob, now: float, address: str) -> dict[str, Any]:
        """OpenAI's without the prompt, with a field of its own; a remix names its source by the upstream's own id."""
        video = super().video(job, now, address)
        del video["prompt"]
        return video | {"usage": None}

    def variant(self, asked: str | None) -> str:  # noqa: ARG002 - dropped
        return "video"

    def no_such_call(self, method: str, path: str, status: int, reason: str) -> Refusal:
        if (method, path) == ("GET", "/v1/videos"):
            return Refusal(400, "litellm.BadRequestError: LLM Provider NOT provided.", local=True)
        if method == "DELETE":
            status, reason = 405, "Method Not Allowed"
        return Refusal(status, reason, raw={"detail": reason})

    def error(self, refusal: Refusal, call: str, request_id: str) -> tuple[int, Any]:  # noqa: ARG002
        if refusal.raw is not None:
            return refusal.status, refusal.raw
        status, message, more = refusal.status, refusal.message, {}
        if refusal.code == "model_not_found" and refusal.local:
            status, message = 400, f"/videos: Invalid model name passed in model={refusal.value}. {self._MODELS_HINT}"
            more = {"provider_specific_fields": {"error": message}}
        elif not refusal.local or refusal.param == "prompt":  # what the upstream said: it looks at no prompt itself
            of = self._CLASSES.get(status, ("APIError", ""))[0]
            message = f"litellm.{of}: OpenAIException - {json.dumps(refusal.envelope())}\n\n"
            message += "LiteLLM: model group failed with the error above. No fallback was attempted."
        kind = self._CLASSES.get(status, ("", "internal_server_error" if status >= 500 else "invalid_request_error"))[1]
        return status, {"error": {"message": message, "type": kind, "param": None, "code": str(status), **more}}

    def _long(self, job: SandboxJob, more: str) -> str:
        # An owner names a deployment as he likes. This name makes a + and a / occur in the id.
        text = f"litellm:custom_llm_provider:openai;model_id:?in>{job.model};video_id:{job.id}{more}"
        text += " " * (-(len(text) + 1) % 3)  # and this an = at its end
        return self.prefix + base64.b64encode(text.encode()).decode()
