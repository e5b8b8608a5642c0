"""Pictures of a finished job: from the gateway where it makes them, else from the stored video. Nothing is bought."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..config.settings import Settings
from ..errors import GatewayError, InvalidInputError, NotFinishedError
from ..gateway.client import Client
from ..gateway.clients import ClientPool
from ..gateway.http import NETWORK_ERRORS, in_words, iter_body
from ..jobs.outcomes import charge_of, ended_error
from ..jobs.spec import Job
from ..util.redact import redact
from .stored_files import file_of
from .tracker import JobTracker

VARIANTS = ("thumbnail", "spritesheet")
LARGEST = 32 << 20  # bytes of a picture; a spritesheet as a PNG may have several millions
HEAD = 12  # bytes by which a picture is known
CONNECT = "Connect the `job` output of WaitForVideo, which waits until it is finished and stored."

Picture = NDArray[np.uint8]


class Thumbnails:
    """Gives thumbnails and spritesheets."""

    def __init__(self, tracker: JobTracker, gateways: ClientPool, settings: Settings) -> None:
        self._tracker, self._clients, self._settings = tracker, gateways, settings

    def picture(self, job_id: str, variant: str) -> Picture:
        """uint8 [H, W, 3]. NotFinishedError where the gateway gives none and no video of the job is stored; MediaError
        for a stored video that cannot be read."""
        if variant not in VARIANTS:
            hint = f"Choose from: {', '.join(VARIANTS)}."
            raise InvalidInputError(f"{variant!r} is no variant.", hint=hint, code="unknown_option")
        job = self._tracker.look(job_id)
        if job.state.is_open:
            raise NotFinishedError(
                f"There is no {variant} of job {job.id}: it is not finished yet.",
                hint=CONNECT,
                job=job.id,
                charge=charge_of(job),
                code="job_not_finished",
            )
        if not job.state.is_rendered:
            raise ended_error(job)
        path = file_of(job, self._settings)
        try:
            if (given := self._from_gateway(job, variant)) is not None:
                return given
            why = f"{job.provider} makes none"
        except (GatewayError, InvalidInputError) as error:
            if path is None and isinstance(error, InvalidInputError):  # no key, no such provider, another address
                raise error.with_job(job.id) from None
            why = error.message.rstrip(".")
        if path is None:
            raise NotFinishedError(
                f"There is no {variant} of job {job.id}: its video is not stored here, and the gateway gave no "
                f"picture ({why}).",
                hint=CONNECT,
                job=job.id,
                code="not_stored",
            )
        from ..media.still_images import still

        return still(path, variant)

    def _from_gateway(self, job: Job, variant: str) -> Picture | None:
        """What the gateway has; None where it is not known to make pictures."""
        clients = self._clients.now()
        if not clients.provider(job.provider).variants:
            return None
        from ..media.reference import from_bytes
        from ..media.resize import on_colour

        data = _downloaded(clients.client_for(job), job.video_id, variant)
        try:
            return on_colour(from_bytes(data, f"the gateway's {variant}", ("PNG", "JPEG", "WEBP")))
        except InvalidInputError as error:  # it is the gateway's picture, not the user's
            raise GatewayError(error.message, job=job.id) from None


def _downloaded(client: Client, video_id: str, variant: str) -> bytes:
    """The bytes of a picture. GatewayError for anything else, at its first bytes: a gateway that does not know the
    variant may send the whole video."""
    deadline = client.timing.monotonic() + client.provider.timeout_s
    data = bytearray()
    with client.content(video_id, {}, variant) as response:
        try:
            for piece in iter_body(response):
                data += piece
                if len(data) >= HEAD and not _is_picture(data):
                    kind = redact(response.headers.get("content-type", "something else"))[:80]
                    raise GatewayError(f"The gateway's {variant} is no picture, but {kind}.")
                if len(data) > LARGEST or client.timing.monotonic() > deadline:
                    raise GatewayError(f"The gateway's {variant} is too large, or comes too slowly.")
        except NETWORK_ERRORS as error:
            raise GatewayError(f"The gateway's {variant} could not be downloaded: {in_words(error)}.") from None
    return bytes(data)


def _is_picture(head: bytes | bytearray) -> bool:
    """PNG, JPEG or WebP."""
    return head.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
