"""Make the request for a remix from the job that it starts from."""

from __future__ import annotations

from ..errors import InvalidInputError
from ..jobs.spec import Job, VideoRequest
from ..models.catalogue import Catalogue


def remix_request(parent: Job, prompt: str, take: int, project: str, catalogue: Catalogue) -> VideoRequest:
    """Return the request for a remix of `parent`. InvalidInputError if that is not finished, or its model has no
    remix."""
    if not parent.state.is_rendered:
        raise InvalidInputError(
            f"Job {parent.id} is {parent.state.value}: only a finished video can be remixed.",
            hint="Connect the `job` output of WaitForVideo, which waits until it is finished.",
            job=parent.id,
            code="job_not_finished",
        )
    catalogue.check_remix(parent.model, parent.id)
    return VideoRequest(
        kind="remix", provider=parent.provider, prompt=prompt, take=take, parent=parent.video_id, project=project
    )
