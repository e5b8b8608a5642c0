"""What came, line by line against what is written down: the model's row of the catalogue, and the provider's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...config.providers import Provider
from ...jobs.spec import parse_size
from ...jobs.state import JobState
from .private import Private, shown_model
from .record import Exchange
from .told import charged, told_cost
from .walk import VARIANTS, Walked

Verdict = Literal["agrees", "differs", "unknown"]
Source = Literal["catalogue", "provider", "quirks"]
OFF_S = 0.5  # by which a video may be longer or shorter than was asked for
OFF_PRICE = 0.05  # by which a cost may differ from its estimate, as a share of it


@dataclass(frozen=True)
class Compared:
    """One line: what was looked at, and in `text` what was expected and what came. `quirk` is its number, 0 without."""

    source: Source
    what: str
    verdict: Verdict
    text: str
    quirk: int = 0


def with_rows(found: Walked, private: Private) -> list[Compared]:
    """Every line of those two. What a walk did not come to is `unknown`, with the reason."""
    checks: list[Callable[[Walked, Private], Iterator[Compared]]] = [
        _models, _create, _size, _seconds, _reference, _remix, _price, _list, _variants, _delete,
    ]  # fmt: skip
    return [line for check in checks for line in check(found, private)]


def _models(found: Walked, _: Private) -> Iterator[Compared]:
    offer = found.offer
    if found.listed is None:
        yield Compared("provider", "list of models", "unknown", "it gives no list of models.")
    elif offer is not None and offer.model in found.listed:
        yield Compared(
            "catalogue", "list of models", "agrees", f"it lists {shown_model(offer.model)}, among {len(found.listed)}."
        )
    else:
        name = shown_model(offer.model) if offer is not None else "the model"
        text = f"it lists {len(found.listed)} models without {name}; a list proves nothing either way."
        yield Compared("catalogue", "list of models", "unknown", text)


def _create(found: Walked, private: Private) -> Iterator[Compared]:
    offer = found.offer
    if offer is None or (found.job is None and found.error is None):
        why = (
            _without_path(found.why_not.message, found.wish.model)
            if found.why_not is not None
            else "nothing was bought (--spend was not given)."
        )
        yield Compared("catalogue", "create", "unknown", why)
        return
    asked = f"{shown_model(offer.model)}, {offer.seconds} s, {offer.size}"
    if found.size:
        when = " in an earlier run" if found.was_there else ""
        yield Compared("catalogue", "create", "agrees", f"{asked} was taken{when}, and became a video.")
    elif found.error is not None:
        code = private.word(found.error.code)
        said = f"{found.error.kind}{f' ({code})' if code else ''}"
        yield Compared("catalogue", "create", "differs", f"{asked} did not become a video: {said}.")


def _without_path(text: str, model: str) -> str:
    """An error's words, with the model as it may be shown."""
    if shown_model(model) == model:
        return text
    return text.replace(model, shown_model(model)).replace(repr(model)[1:-1], shown_model(model))


def _size(found: Walked, _: Private) -> Iterator[Compared]:
    info, offer = found.info, found.offer
    if info is None or offer is None:
        yield not_seen("catalogue", "size")
        return
    same = (info.width, info.height) == parse_size(offer.size)
    text = f"asked for {offer.size}, came as {info.width}x{info.height}."
    yield Compared("catalogue", "size", "agrees" if same else "differs", text)


def _seconds(found: Walked, _: Private) -> Iterator[Compared]:
    info, offer = found.info, found.offer
    if info is None or offer is None:
        yield not_seen("catalogue", "seconds")
        return
    near = abs(info.duration_s - int(offer.seconds)) <= OFF_S
    text = f"asked for {offer.seconds} s, came as {info.duration_s:.2f} s of {info.frames} frames."
    yield Compared("catalogue", "seconds", "agrees" if near else "differs", text)


def _reference(found: Walked, _: Private) -> Iterator[Compared]:
    if found.offer is None or found.job is None:
        yield not_seen("catalogue", "references")
    elif not found.offer.reference:
        yield Compared(
            "catalogue", "references", "unknown", "none was sent: the model's row has none, or is not there."
        )
    elif not found.size:
        yield Compared("catalogue", "references", "unknown", "one was sent, and no video came.")
    else:
        text = "one was sent with the create, and taken. Whether the video begins with it is to be seen in it."
        yield Compared("catalogue", "references", "agrees", text)


def _remix(found: Walked, _: Private) -> Iterator[Compared]:
    if found.remix is not None and found.remix.state is JobState.STORED:
        yield Compared("catalogue", "remix", "agrees", "one was taken, and became a video.")
    elif found.remix is not None:
        yield Compared("catalogue", "remix", "differs", "one was taken, and became no video.")
    elif found.remix_is_refused:
        yield Compared("catalogue", "remix", "differs", "one was asked for, and refused: nothing was bought.")
    else:
        why = found.no_remix or "nothing was bought that could be remixed."
        yield Compared("catalogue", "remix", "unknown", f"not asked for: {why}")


def _price(found: Walked, _: Private) -> Iterator[Compared]:
    usd = found.job.estimated_usd if found.job is not None else None
    paid, told = charged(of_job(found)), told_cost(of_job(found))
    if usd is None:
        yield not_seen("catalogue", "price")
    elif paid is not None:
        near = abs(paid - usd) <= max(OFF_PRICE * usd, 1e-6)
        text = f"estimated ${usd:.4f}, and the provider charged ${paid:.4f}."
        yield Compared("catalogue", "price", "agrees" if near else "differs", text)
    elif told is not None:
        text = f"estimated ${usd:.4f}; the provider says {told[1]:g} (`{told[0]}`), a number without a known unit."
        yield Compared("catalogue", "price", "unknown", text)
    elif usd == 0:
        yield Compared("catalogue", "price", "agrees", "it is free, and the provider speaks of no cost.")
    else:
        text = f"estimated ${usd:.4f}; the provider says nothing of it. Its own list of charges tells."
        yield Compared("catalogue", "price", "unknown", text)


def _list(found: Walked, _: Private) -> Iterator[Compared]:
    asked = found.recorder.seen("list")
    there = next((one.status < 300 and _is_list(one) for one in reversed(asked)), None)
    yield _flag(found.client.provider, "list", found.client.provider.lists, there)


def _is_list(exchange: Exchange) -> bool:
    value = exchange.response.json() if exchange.response is not None else None
    return isinstance(value, list) or (isinstance(value, dict) and isinstance(value.get("data"), list | dict))


def _variants(found: Walked, _: Private) -> Iterator[Compared]:
    pictures = [found.variants[name][2] for name in VARIANTS if name in found.variants]
    yield _flag(found.client.provider, "variants", found.client.provider.variants, any(pictures) if pictures else None)


def _delete(found: Walked, _: Private) -> Iterator[Compared]:
    said = "it has one" if found.client.provider.deletes else "it has none"
    yield Compared("provider", "delete", "unknown", f"the row says that {said}; never asked for, since it deletes.")


def _flag(provider: Provider, what: str, said: bool, there: bool | None) -> Compared:
    """A call that a provider's row says to be there, or not."""
    row = f"the row of {provider.name} says {what} = {str(said).lower()}"
    if there is None:
        return Compared("provider", what, "unknown", f"{row}; not seen.")
    came = "it is there" if there else "it is not there"
    cure = "" if there == said else f": write {what} = {str(there).lower()} in providers.toml"
    return Compared("provider", what, "agrees" if there == said else "differs", f"{row}, and {came}{cure}.")


def of_job(found: Walked) -> list[Exchange]:
    """The create, and the polls of the job that was bought."""
    if found.job is None:
        return []
    return [*found.recorder.seen("create"), *found.recorder.of(found.job.video_id)]


def not_seen(source: Source, what: str) -> Compared:
    return Compared(source, what, "unknown", "not seen in this run.")
