"""Reserve -> create -> store the id: one function in one thread, never split, so that no paid answer is dropped."""

from __future__ import annotations

import contextlib
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalogue import Catalogue
from .client import Client
from .disk import VIDEO_NAME
from .errors import LedgerTrouble, MaybeBought, NotBought, Refused, SoraError
from .form import create_call
from .gateways import Gateways
from .identity import Identity
from .ledger import TAKEN_OVER, Ledger, taken_error
from .merge import Elsewhere
from .providers import SANDBOX
from .quote import check_new, estimated_usd
from .remote_video import RemoteVideo
from .room import check_room
from .settings import Settings
from .settle import ask_again
from .spec import Job, JobSpec, JobState, parse_size
from .timing import Timing

Image = NDArray[np.uint8]
Tell = Callable[[str], None]


def tell_nobody(_: str) -> None:
    """For whoever wants no warning."""


@dataclass(frozen=True)
class Submission:
    """The job, and its references exactly as they went up: uint8 [H, W, 3] each.

    `reused` tells that the ledger had this purchase already: nothing was sent.
    """

    job: Job
    images: tuple[Image, ...] = ()
    reused: bool = False


@dataclass(frozen=True)
class Order:
    """A purchase that was found right: nothing of it is written or sent yet. `files` are its kept references;
    `tell(warning)` is called before it is sent, with what the user should know of its model."""

    spec: JobSpec
    like: Job | None
    images: tuple[Image, ...]
    files: list[str]
    origin: str
    estimated_usd: float | None
    tell: Tell = tell_nobody
    joins: int = 0  # how often it found that another one was sending the same


class Purchases:
    """Buys, once per identity. Pauses end when the program is `closing`."""

    def __init__(
        self,
        ledger: Ledger,
        gateways: Gateways,
        catalogue: Callable[[], Catalogue],
        settings: Settings,
        *,
        timing: Timing,
        closing: threading.Event,
        elsewhere: Callable[[Identity], Elsewhere | None] = lambda identity: None,  # noqa: ARG005 - nowhere
    ) -> None:
        self._ledger, self._gateways, self._catalogue = ledger, gateways, catalogue
        self._settings, self._elsewhere = settings, elsewhere
        self._timing, self._closing = timing, closing
        self._reserving = threading.Lock()
        self._sending: set[str] = set()  # rows that a thread of this process is sending now
        # What the gateway said of a create, and the ledger could not write down.
        self._not_kept: dict[str, RemoteVideo] = {}
        self._refusals: dict[str, SoraError] = {}

    def prepare(
        self, spec: JobSpec, *, like: Job | None = None, listed: bool = False, tell: Tell = tell_nobody
    ) -> Order:
        """Everything that can be found wrong before a row is written: InvalidInput, MissingKey, DiskTrouble. With
        `listed` the catalogue has to have the model. `tell`: see Order."""
        provider = self._gateways.provider(spec.provider)
        holding = self._ledger.holding(spec)
        if holding is not None and holding.state is not JobState.RESERVED:
            # What is paid for needs neither key nor room, and may be what no catalogue has any more.
            return Order(spec, like, self._fitted(spec), list(holding.references), provider.origin, None)
        if holding is None and spec.provider != SANDBOX and (other := self._elsewhere(spec.identity)) is not None:
            raise other.error
        if holding is None or holding.sent_at is None:
            self._gateways.check_fields(spec, self._catalogue().fields(spec.model))
        if listed:
            self._catalogue().require(spec.model)
        check_new(spec, provider, self._catalogue())
        images = self._fitted(spec)
        self._client(spec, like)
        check_room(self._settings.videos, VIDEO_NAME)
        price = estimated_usd(spec, provider, self._catalogue(), like)
        return Order(spec, like, images, self._keep_references(spec), provider.origin, price, tell)

    def attempt(self, order: Order, unwanted: Callable[[], bool] = lambda: False) -> Submission | None:
        """Buy it, or join the job that the ledger already has for it; None while another one is sending it. Nothing is
        sent, or sent again, once it is `unwanted()`.

        BudgetReached comes before anything is sent; NotBought: it may be sent again; MaybeBought, JobFailed: see the
        table in the README.
        """
        for job_id, refusal in list(self._refusals.items()):
            self._note_refused(job_id, refusal)
        with self._reserving:
            job, mine = self._ledger.reserve(
                order.spec,
                origin=order.origin,
                estimated_usd=order.estimated_usd,
                budget=lambda: self._settings.budget,
                references=order.files,
                like=order.like,
                sending=self._sending | self._not_kept.keys() | self._refusals.keys(),
            )
            if mine:
                self._sending.add(job.id)
        if mine:
            if not unwanted():
                self._warn(order)
            job = self._send(job, order, unwanted)
        elif job.id in self._not_kept:
            job = self._keep(job, self._not_kept[job.id])
        if job.state is JobState.FAILED and not mine:
            job = ask_again(self._ledger, self._gateways, job)  # free, and some gateways say so only once
        if job.state in (JobState.UNKNOWN, JobState.FAILED):
            raise taken_error(job)
        if job.state is JobState.RESERVED:
            return None
        return Submission(job, order.images, reused=not mine)

    def _warn(self, order: Order) -> None:
        """Say what is known of the model while nothing is sent yet; who cannot hear it holds nothing up."""
        if warning := self._catalogue().warning(order.spec, order.like, self._settings.shown_language):
            with contextlib.suppress(Exception):
                order.tell(warning)

    def _client(self, spec: JobSpec, like: Job | None) -> Client:
        return self._gateways.client_for(like) if like else self._gateways.client(spec.provider)

    def _send(self, job: Job, order: Order, unwanted: Callable[[], bool]) -> Job:
        """Send the reserved job; whatever happens, its row tells afterwards what became of the money."""
        try:
            client = self._client(order.spec, order.like)
            return self._keep(job, self._create(job, order, client, unwanted))
        except MaybeBought as error:
            if error.money == "perhaps":
                self._note_unknown(job, error)
            raise error.for_job(job.id) from error.__cause__
        except LedgerTrouble as error:
            # Only before a try: nothing of it was sent. If not even this can be noted, the next run sees that nobody
            # sends the row.
            if error.code != TAKEN_OVER:
                with contextlib.suppress(LedgerTrouble):
                    self._ledger.refused(job.id, error)
            raise
        except SoraError as error:  # NotBought, or something that was wrong before it was sent
            self._note_refused(job.id, error)
            near = ""
            if error.kind == "model_gone":
                spec = order.spec
                near = self._catalogue().instead(
                    spec.model, spec.seconds, spec.size, spec.provider, len(spec.references)
                )
            raise error.for_job(job.id).changed(advice=f"{error.advice} {near}".strip()) from error.__cause__
        except BaseException as error:
            # Not one of ours: nobody knows how far it came, so the money counts as perhaps spent.
            self._note_unknown(job, MaybeBought(f"the create was broken off: {error!r}"))
            raise
        finally:
            self._sending.discard(job.id)

    def _note_refused(self, job_id: str, error: SoraError) -> None:
        """Nothing was bought. That is known also where it cannot be written down now: the next purchase tries again."""
        try:
            self._ledger.refused(job_id, error)
        except LedgerTrouble:
            self._refusals[job_id] = error
        else:
            self._refusals.pop(job_id, None)

    def _note_unknown(self, job: Job, error: MaybeBought) -> None:
        """What became of the money counts for more than that it could not be noted: the next run sees that the row was
        sent and that nobody sends it any more."""
        with contextlib.suppress(LedgerTrouble):
            self._ledger.unknown(job.id, error)

    def _create(self, job: Job, order: Order, client: Client, unwanted: Callable[[], bool]) -> RemoteVideo:
        """The create itself; repeated only where the gateway said, readably, that there is nothing yet."""
        spec = order.spec
        call = create_call(spec, self._catalogue(), _pngs(order.images)) if spec.kind == "create" else None
        for attempt in range(1, self._timing.create_attempts + 1):
            if unwanted():
                raise NotBought("It was cancelled before it was sent.")
            self._ledger.sending(job.id)
            try:
                return client.create(call) if call is not None else client.remix(spec.parent, spec.prompt)
            except Refused as error:
                if not error.transient or attempt == self._timing.create_attempts:
                    raise
                delay = min(self._timing.create_backoff_max_s, 2.0**attempt + random.random())  # noqa: S311 - jitter
                if error.retry_after_s is not None:
                    delay = error.retry_after_s
                if delay > self._timing.rate_limit_max_s:  # nothing was bought: it can be sent later as well
                    patience = f"The gateway asks for patience: run again in {math.ceil(delay)} s."
                    raise error.changed(advice=patience) from None
                self._ledger.not_sent(job.id)
                if self._rest(delay, unwanted):
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _rest(self, seconds: float, unwanted: Callable[[], bool]) -> bool:
        """Wait, in steps; True as soon as there is nothing more to wait for."""
        step_s = self._timing.cancel_check_s
        steps = (min(step_s, seconds) for _ in range(math.ceil(seconds / step_s)))
        return any(unwanted() or self._timing.sleep(self._closing, each) for each in steps)

    def _keep(self, job: Job, video: RemoteVideo) -> Job:
        """Store the id. If even that fails, the error carries it: it is worth money. The next run tries once more."""
        try:
            kept = self._ledger.submitted(job.id, video)
        except LedgerTrouble as error:
            self._not_kept[job.id] = video
            raise MaybeBought(
                f"The gateway accepted the job as {video.id}, but the ledger could not keep that: {error.what}",
                advice=f"{error.advice} Running the same again keeps the id, and buys nothing. After a restart it is "
                f"an uncertain purchase: open it in the tab *Sora jobs* and *Use this id*, {video.id}; in a shell: "
                f"`sora resume {job.id} --video-id {video.id}`.",
                job=job.id,
                money="spent",
                code="id_not_stored",
            ) from error
        self._not_kept.pop(job.id, None)
        return kept

    def _fitted(self, spec: JobSpec) -> tuple[Image, ...]:
        if not spec.references:
            return ()
        from .media.reference import fitted

        width, height = parse_size(spec.size)
        return tuple(fitted(reference.pixels, width, height, reference.fit) for reference in spec.references)

    def _keep_references(self, spec: JobSpec) -> list[str]:
        """Keep the source images."""
        if not spec.references:
            return []
        from .media.reference import to_png

        return [self._ledger.references.keep(to_png(reference.pixels)) for reference in spec.references]


def _pngs(images: tuple[Image, ...]) -> list[bytes]:
    if not images:
        return []
    from .media.reference import to_png

    return [to_png(image) for image in images]
