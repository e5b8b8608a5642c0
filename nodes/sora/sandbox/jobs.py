"""What the gateway does, without HTTP: it takes jobs in, shows them as they are now, and says when they are ready."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..catalogue import Catalogue
from ..errors import InvalidInput
from .checks import Refusal, Wanted, check_create, check_prompt
from .directives import parse, refused_on_purpose
from .forms import Form
from .renders import Renders
from .store import SandboxJob, Store

SECONDS = 4.0  # that a job takes, if nobody says otherwise


class Jobs:
    """The jobs of a folder. `takes_s` is how long one takes (SORA_SANDBOX_SECONDS, else 4)."""

    def __init__(self, folder: Path, takes_s: float | None, clock: Callable[[], float]) -> None:
        self.store = Store(folder)
        self.renders = Renders(self.store)
        self._takes_s = _default_seconds() if takes_s is None else takes_s
        self._clock = clock

    def create(self, form: Form) -> SandboxJob:
        """A new job, or a Refusal."""
        prompt, directives = parse(form.fields.get("prompt", ""))
        wanted = check_create({**form.fields, "prompt": prompt}, form.uploads)
        references = [self.store.keep_reference(upload.data) for upload in form.uploads]
        self._refuse_on_purpose(directives, repr((sorted(form.fields.items()), references)))
        return self._add(wanted, prompt, directives, said=form.fields["prompt"], references=references)

    def remix(self, parent: SandboxJob, form: Form) -> SandboxJob:
        """A new job on top of a completed one, or a Refusal."""
        model = Catalogue.shipped().find(parent.model)
        if model is None or not model.remix:
            raise Refusal(400, f"{parent.model} has no remix.", code="invalid_request")
        if self.status(parent) != "completed":
            raise Refusal(400, "The video to remix must be completed.", code="invalid_request")
        prompt, directives = parse(form.fields.get("prompt", ""))
        check_prompt(prompt)
        self._refuse_on_purpose(directives, f"{parent.id} {form.fields['prompt']}")
        wanted = Wanted(parent.model, parent.seconds, parent.size, parent.width, parent.height)
        return self._add(wanted, prompt, directives, said=form.fields["prompt"], parent=parent.id)

    def find(self, job_id: str) -> SandboxJob:
        """The job of that id; Refusal (HTTP 404) if there is none."""
        job = self.store.load(job_id)
        if job is None:
            raise Refusal(404, f"Video with id '{job_id[:80]}' not found.", code="not_found")
        return job

    def page(self, *, limit: str, order: str, after: str) -> tuple[list[SandboxJob], bool]:
        """(jobs from `after` on, whether there are more), as at OpenAI."""
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise Refusal(400, "'limit' must be from 1 to 100.", param="limit", code="invalid_value")
        if order not in ("asc", "desc"):
            raise Refusal(400, "'order' must be asc or desc.", param="order", code="invalid_value")
        jobs = self.store.newest()[:: 1 if order == "desc" else -1]
        if after:
            ids = [job.id for job in jobs]
            if after not in ids:
                raise Refusal(400, f"No video has the id '{after[:80]}'.", param="after", code="invalid_value")
            jobs = jobs[ids.index(after) + 1 :]
        return jobs[: int(limit)], len(jobs) > int(limit)

    def status(self, job: SandboxJob) -> str:
        return job.progress(self._clock())[0]

    def check_ready(self, job: SandboxJob) -> None:
        """Refusal (HTTP 404) before the job is completed, and after its content has lapsed."""
        if self.status(job) != "completed":
            raise Refusal(404, "Video is not ready yet, use GET /v1/videos/{id} to check its status.", code="not_ready")
        if job.expired(self._clock()):
            raise Refusal(404, "This video's content has expired.", code="expired")

    def describe(self, job: SandboxJob) -> dict[str, Any]:
        """The video object as it is now."""
        status, progress = job.progress(self._clock())
        video: dict[str, Any] = {
            "id": job.id,
            "object": "video",
            "model": job.model,
            "status": status,
            "progress": progress,
            "created_at": int(job.created_at),
            "completed_at": int(job.completed_at) if status in ("completed", "failed") else None,
            "expires_at": int(job.expires_at) if status == "completed" else None,
            "prompt": job.said or job.prompt,
            "size": job.size,
            "seconds": str(job.seconds),
            "remixed_from_video_id": job.parent or None,
            "error": None,
        }
        if status == "failed":
            code = job.directives["fail"]
            video["error"] = {"code": code, "message": f"The sandbox was asked to fail this job ({code})."}
        return video

    def describe_new(self, job: SandboxJob) -> dict[str, Any]:
        """The first answer: eight fields and no more (seed page); a remix names its source as well."""
        names = ["created_at", "id", "model", "object", "seconds", "size"]
        names += ["remixed_from_video_id"] if job.parent else []
        full = self.describe(job)
        return {name: full[name] for name in names} | {"status": "queued", "progress": 0}

    def close(self) -> None:
        self.renders.close()

    def _refuse_on_purpose(self, directives: dict[str, str], what: str) -> None:
        if "refuse" in directives:
            raise refused_on_purpose(directives["refuse"])
        if "429" in directives and self.store.first_times(f"429 {what}", int(directives["429"])):
            raise refused_on_purpose("rate_limit")

    def _add(
        self,
        wanted: Wanted,
        prompt: str,
        directives: dict[str, str],
        *,
        said: str,
        references: Sequence[str] = (),
        parent: str = "",
    ) -> SandboxJob:
        job = SandboxJob(
            id=self.store.new_id(),
            model=wanted.model,
            seconds=wanted.seconds,
            size=wanted.size,
            width=wanted.width,
            height=wanted.height,
            prompt=prompt,
            said=said,
            created_at=self._clock(),
            takes_s=float(directives.get("slow", self._takes_s)),
            references=list(references),
            parent=parent,
            directives=directives,
        )
        self.store.save(job)
        if "fail" not in directives:
            self.renders.ensure(job)
        return job


def _default_seconds() -> float:
    text = os.environ.get("SORA_SANDBOX_SECONDS", "").strip()
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86_400:
        raise InvalidInput(f"SORA_SANDBOX_SECONDS is {text!r}.", advice="It wants a number of seconds.")
    return seconds
