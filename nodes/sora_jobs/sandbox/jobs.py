"""What the gateway does, without HTTP: it takes jobs in, finds them, and lists them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import InvalidInputError
from .directives import parse, refused_on_purpose
from .families.base import Family
from .pages import pages
from .renders import Renders
from .request_form import Form
from .store import SandboxJob, Store
from .validation import Refusal, Wanted, check_create, check_prompt

SECONDS = 4.0  # that a job takes, if nobody says otherwise


class Jobs:
    """The jobs of a folder. `takes_s` is how long one takes (SORA_SANDBOX_SECONDS, else 4)."""

    def __init__(self, folder: Path, takes_s: float | None, clock: Callable[[], float], family: Family) -> None:
        self.store = Store(folder)
        self.renders = Renders(self.store)
        self._takes_s = seconds_in(os.environ) if takes_s is None else takes_s
        self._family = family
        self.now = clock

    def create(self, form: Form) -> SandboxJob:
        """A new job, or a Refusal."""
        prompt, directives = parse(form.fields.get("prompt", ""))
        self._family.check_form(form.fields)
        fields = {**form.fields, "prompt": prompt}
        wanted = check_create(fields, form.uploads, any_model=self._family.any_model)
        references = [self.store.keep_reference(upload.data) for upload in form.uploads]
        self._refuse_on_purpose(directives, repr((sorted(form.fields.items()), references)))
        return self._add(wanted, prompt, directives, said=form.fields["prompt"], references=references)

    def remix(self, parent: SandboxJob, form: Form) -> SandboxJob:
        """A new job on top of a completed one, or a Refusal."""
        page = pages().get(parent.model)
        if page is None or not page.remix:
            raise Refusal(400, f"{parent.model} has no remix.", code="invalid_request")
        if parent.progress(self.now())[0] != "completed":
            raise Refusal(400, "The video to remix must be completed.", code="invalid_request")
        prompt, directives = parse(form.fields.get("prompt", ""))
        check_prompt(prompt)
        self._refuse_on_purpose(directives, f"{parent.id} {form.fields['prompt']}")
        wanted = Wanted(parent.model, parent.seconds, parent.size, parent.width, parent.height)
        return self._add(wanted, prompt, directives, said=form.fields["prompt"], parent=parent.id)

    def find(self, shown: str) -> SandboxJob:
        """The job that is known by that id; a Refusal if there is none."""
        job = self.store.load(self._family.job_id(shown))
        if job is None:
            raise self._family.not_found(shown)
        return job

    def delete(self, job: SandboxJob) -> None:
        """Forget it; films stay, since another job may have the same one."""
        self.store.delete(job)

    def page(self, *, limit: str, order: str, after: str) -> tuple[list[SandboxJob], bool]:
        """(jobs from `after` on, whether there are more), as at OpenAI."""
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise Refusal(400, "'limit' must be from 1 to 100.", param="limit", code="invalid_value")
        if order not in ("asc", "desc"):
            raise Refusal(400, "'order' must be asc or desc.", param="order", code="invalid_value")
        jobs = self.store.newest()[:: 1 if order == "desc" else -1]
        if after:
            ids = [self._family.shown_id(job) for job in jobs]
            if after not in ids:
                raise Refusal(400, f"No video has the id '{after[:80]}'.", param="after", code="invalid_value")
            jobs = jobs[ids.index(after) + 1 :]
        return jobs[: int(limit)], len(jobs) > int(limit)

    def close(self) -> None:
        self.renders.close()

    def _refuse_on_purpose(self, directives: dict[str, str], what: str) -> None:
        if "refuse" in directives:
            raise refused_on_purpose(directives["refuse"])
        if "429" in directives and self.store.times(f"429 {what}") < int(directives["429"]):
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
        wish = (wanted.model, wanted.seconds, wanted.width, wanted.height, prompt, *references, parent)
        job = SandboxJob(
            id=self.store.new_id(),
            model=wanted.model,
            seconds=wanted.seconds,
            size=wanted.size,
            width=wanted.width,
            height=wanted.height,
            prompt=prompt,
            said=said,
            created_at=self.now(),
            takes_s=float(directives.get("slow", self._takes_s)),
            references=list(references),
            parent=parent,
            directives=directives,
            nth=self.store.times(f"wish {wish}"),
        )
        self.store.save(job)
        if "fail" not in directives:
            self.renders.ensure(job)
        return job


def seconds_in(env: Mapping[str, str]) -> float:
    """Return how long a video takes by those environment variables. InvalidInputError for one that is no time."""
    text = env.get("SORA_SANDBOX_SECONDS", "").strip()
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86_400:
        raise InvalidInputError(
            f"SORA_SANDBOX_SECONDS is {text!r}.", hint="It wants a number of seconds.", code="invalid_setting"
        )
    return seconds
