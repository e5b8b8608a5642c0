"""From a request to a row that stands for it: checked, priced, and reserved once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..config.providers import SANDBOX
from ..config.timing import Timing
from ..errors import BudgetExceededError
from ..gateway.clients import ClientPool
from ..jobs.identity import Identity
from ..jobs.outcomes import existing_purchase_error
from ..jobs.quote import Quote
from ..jobs.spec import Job, VideoRequest, parse_size
from ..jobs.state import JobState
from ..ledger.ledger import Ledger
from ..ledger.merge import Elsewhere
from ..models.catalogue import Catalogue
from ..util.disk import VIDEO_NAME
from .disk_room import check_room
from .prepared import Image, PreparedPurchase, Tell, pngs, tell_nobody
from .quote import check_new, estimate
from .reconcile import ask_again
from .sending import Order, Sender

UNPRICED = Quote(None)  # of what is not bought now


@dataclass(frozen=True)
class PurchaseResult:
    """The job, and its references exactly as they went up: uint8 [H, W, 3] each.

    `reused` tells that the ledger had this purchase already: nothing was sent, and `quote` says nothing.
    """

    job: Job
    images: tuple[Image, ...] = ()
    reused: bool = False
    quote: Quote = UNPRICED


class Purchaser:
    """Buys, once per identity."""

    def __init__(
        self,
        ledger: Ledger,
        gateways: ClientPool,
        catalogue: Callable[[], Catalogue],
        *,
        timing: Timing,
        elsewhere: Callable[[Identity], Elsewhere | None] = lambda identity: None,  # noqa: ARG005 - nowhere
    ) -> None:
        self._ledger, self._clients, self._catalogue = ledger, gateways, catalogue
        self._elsewhere = elsewhere
        self._sender = Sender(ledger, gateways, catalogue, timing)
        self._reserving = threading.Lock()

    def prepare(
        self, spec: VideoRequest, *, remix_of: Job | None = None, listed: bool = False, tell: Tell = tell_nobody
    ) -> PreparedPurchase:
        """Everything that can be found wrong before a row is written: InvalidInputError, MissingKeyError, StorageError.
        With `listed` the catalogue has to have the model. `tell`: see PreparedPurchase."""
        clients = self._clients.now()
        provider = clients.provider(spec.provider)
        active_purchase = self._ledger.queries.active_purchase(spec)
        if active_purchase is not None and not active_purchase.state.is_reserved:
            # What is paid for needs neither key nor room, and may be what no catalogue has any more.
            files = list(active_purchase.references)
            return PreparedPurchase(clients, spec, remix_of, self._fitted(spec), files, provider.origin, UNPRICED)
        if (
            active_purchase is None
            and spec.provider != SANDBOX
            and (other := self._elsewhere(spec.identity)) is not None
        ):
            raise other.error
        if active_purchase is None or active_purchase.sent_at is None:
            clients.check_fields(spec, self._catalogue().fields(spec.model))
        if listed:
            self._catalogue().require(spec.model)
        check_new(spec, provider, self._catalogue())
        images = self._fitted(spec)
        clients.client_to_buy(spec, remix_of)
        check_room(clients.config.settings.videos, VIDEO_NAME)
        price = estimate(spec, provider, self._catalogue(), remix_of)
        files = self._keep_references(spec)
        return PreparedPurchase(clients, spec, remix_of, images, files, provider.origin, price, tell)

    def reserve(self, prepared: PreparedPurchase) -> tuple[Job, Order | None]:
        """Write down the purchase, or find the job that the ledger already has for it; with the order to send, where it
        is ours to send. BudgetExceededError, LedgerError: nothing is to be sent."""
        self._sender.catch_up()
        try:
            with self._reserving:
                job, mine = self._ledger.reserve(
                    prepared.spec,
                    origin=prepared.origin,
                    estimated_usd=prepared.quote.usd,
                    budget=lambda: prepared.clients.config.budget,
                    references=prepared.files,
                    remix_of=prepared.remix_of,
                    sending=self._sender.busy,
                )
                if mine:
                    return job, self._sender.order(job, prepared)
        except BudgetExceededError as error:
            raise error.changed(message=f"{error.message} {prepared.quote.why_unknown()}".strip()) from None
        return self._sender.kept(job), None

    def result(self, prepared: PreparedPurchase, job: Job, *, mine: bool) -> PurchaseResult | None:
        """Return what became of a purchase that is sent, by us if it is `mine`; None where another one sent it and it
        was refused there, so that it may be reserved anew. PurchaseUncertainError, JobFailedError: see the table in the
        README."""
        if job.state is JobState.FAILED and not mine:
            job = ask_again(self._ledger, prepared.clients, job)  # free, and some gateways say so only once
        if job.state.blocks_purchase:
            raise existing_purchase_error(job)
        if job.state.is_free:
            return None
        return PurchaseResult(job, prepared.images, reused=not mine, quote=prepared.quote if mine else UNPRICED)

    def _fitted(self, spec: VideoRequest) -> tuple[Image, ...]:
        if not spec.references:
            return ()
        from ..media.reference import fitted

        width, height = parse_size(spec.size)
        return tuple(fitted(reference.pixels, width, height, reference.fit) for reference in spec.references)

    def _keep_references(self, spec: VideoRequest) -> list[str]:
        """Keep the source images."""
        return [self._ledger.references.keep(png) for png in pngs(tuple(one.pixels for one in spec.references))]
