"""What `--spend` buys: the cheapest video of a provider, and what it costs. Nothing is sent or written here."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config.providers import COMETAPI, SANDBOX
from ...engine import Engine
from ...errors import BudgetExceededError, InvalidInputError
from ...jobs.spec import Job, Reference, VideoRequest, parse_size
from ...models.catalogue import Catalogue
from ...models.model import Model

# One for every provider and model, so that the same again takes up the job that is there.
PROMPT = "A red ball rolls slowly across a white table, seen from the side"
REMIX = "The same ball, painted blue"
SHOWN = 5  # models in a sentence


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the owner asks for. Without `spend` (dollars) nothing that has a price is bought, and nothing at an owner's
    own provider; `model` "" is the cheapest."""

    provider: str
    spend: float | None = None
    model: str = ""
    take: int = 1

    @property
    def buys(self) -> bool:
        """May it buy at all? The sandbox is free wherever it runs."""
        return self.spend is not None or self.provider == SANDBOX


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A video that can be bought: with a reference image or without, for `usd` dollars; None where it is bought
    already and its price is unknown."""

    model: str
    seconds: str
    size: str
    reference: bool
    usd: float | None

    def spec(self, provider: str, take: int) -> VideoRequest:
        """The purchase, the same each time."""
        references = (Reference(picture(*parse_size(self.size))),) if self.reference else ()
        return VideoRequest(
            provider=provider, prompt=PROMPT, model=self.model, seconds=self.seconds, size=self.size, take=take,
            references=references,
        )  # fmt: skip


def taken_up(engine: Engine, wish: Wish) -> Job | None:
    """The job of an earlier run that this one takes up, which costs nothing; None where there is none. Looked for
    first: prices and lists of models may have changed since."""
    found = engine.jobs(model=wish.model, search=PROMPT, limit=1000, archived=True)
    same = [job for job in found if (job.provider, job.prompt, job.take) == (wish.provider, PROMPT, wish.take)]
    return next((job for job in same if job.kind == "create" and not job.state.is_free and not _never_sent(job)), None)


def offer_of(job: Job) -> Offer:
    """What was bought as that job."""
    return Offer(
        model=job.model, seconds=job.seconds, size=job.size, reference=bool(job.references), usd=job.estimated_usd
    )


def cheapest(engine: Engine, wish: Wish, listed: Collection[str] | None) -> Offer:
    """The cheapest video; of equal ones one that takes a reference image, then one that can be remixed, then the
    smallest. `listed` are the ids of the provider's own list of models, None without one. InvalidInputError where no
    price is known."""
    catalogue = engine.catalogue
    found = [offer for model in _models(catalogue, wish, listed) for offer in _offers(engine, wish, model)]
    if not found:
        raise no_price(wish.provider, wish.model)

    def order(offer: Offer) -> tuple[float, bool, bool, bool, int]:
        model = catalogue.find(offer.model)
        width, height = parse_size(offer.size)
        living = model is not None and model.state(wish.provider) == "live"
        remixed = model is not None and model.remix
        return offer.usd or 0.0, not offer.reference, not living, not remixed, int(offer.seconds) * width * height

    return min(found, key=order)


def check_spend(offer: Offer, spend: float) -> None:
    """BudgetExceededError where it costs more than the owner said; the budget itself is the ledger's to check."""
    if offer.usd is not None and offer.usd - spend > 1e-6:
        raise BudgetExceededError(
            f"The cheapest video ({offer.model}, {offer.seconds} s, {offer.size}) costs about ${offer.usd:.4f}, which "
            f"is more than --spend {spend:g}.",
            hint=f"Say --spend {_up(offer.usd):g}, or name a cheaper one with --model ID.",
            code="spend_limit",
        )


def no_price(provider: str, model: str) -> InvalidInputError:
    """Nothing is bought whose price is unknown."""
    what = f"The price of {model} at {provider} is unknown" if model else f"No price of {provider} is known"
    own = "Choose another one with --model ID (`sora models` has the prices)."
    theirs = (
        "Name the model with --model ID, and write usd_per_second under "
        f"[provider.{provider}] in providers.toml (0 for your own machine)."
    )
    hint = own if provider == COMETAPI else theirs
    return InvalidInputError(f"{what}, so nothing was bought.", hint=hint, code="price_unknown")


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """A red disc on a white table under a grey wall: uint8 [height, width, 3], of whole numbers alone, since it is part
    of what names the purchase."""
    y, x = np.mgrid[0:height, 0:width]
    scene = np.where((3 * y < 2 * height)[..., None], np.uint8(150), np.uint8(235)).repeat(3, axis=2)
    radius = min(width, height) // 6
    ball = (x - width // 3) ** 2 + (y - (2 * height) // 3 + radius // 2) ** 2 <= radius**2
    scene[ball] = (200, 30, 40)
    return np.ascontiguousarray(scene, np.uint8)


def _never_sent(job: Job) -> bool:
    """An earlier run ended before it sent this one: to send it now costs as much as a new one."""
    return job.state.is_reserved and job.sent_at is None


def _models(catalogue: Catalogue, wish: Wish, listed: Collection[str] | None) -> Iterator[Model]:
    """Those among which to choose. InvalidInputError where an owner's provider lists others alone."""
    if wish.model:
        yield catalogue.find(wish.model) or Model(id=wish.model)
        return
    offered = catalogue.offered()
    if wish.provider in (COMETAPI, SANDBOX) or not listed:
        yield from offered
    elif known := [model for model in offered if model.id in listed]:
        yield from known
    elif len(listed) == 1:  # a server of one model, under whatever name
        yield Model(id=next(iter(listed)))
    else:
        raise InvalidInputError(
            f"{wish.provider} lists {len(listed)} models, and none of the catalogue's.",
            hint="Name one with --model ID.",
            code="no_model",
        )


def _offers(engine: Engine, wish: Wish, model: Model) -> Iterator[Offer]:
    """Its sizes at its shortest length, as far as their price is known."""
    first_seconds, first_size = engine.catalogue.defaults_for(model.id)
    seconds = min(model.seconds, key=int) if model.seconds else first_seconds
    if not (wish.model or model.sizes or engine.catalogue.find(model.id) is None):
        return  # what it takes is unknown: it is bought only where it is named
    for size in [size for size in model.sizes if size not in model.comes_out] or [first_size]:
        asked = {
            "provider": wish.provider, "model": model.id if engine.catalogue.find(model.id) else "",
            "custom_model": "" if engine.catalogue.find(model.id) else model.id, "seconds": seconds, "size": size,
            "extra_fields": "",
        }  # fmt: skip
        try:
            usd = engine.quote(asked | {"references": int(model.takes(1))}).usd
        except InvalidInputError:
            if wish.model:
                raise
            continue
        if usd is not None:
            yield Offer(model=model.id, seconds=seconds, size=size, reference=model.takes(1), usd=usd)


def _up(usd: float) -> float:
    """To the next cent."""
    return math.ceil(round(usd * 100, 6)) / 100
