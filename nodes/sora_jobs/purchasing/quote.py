"""What a purchase would cost: one rule for the budget and for the page. Nothing is sent, written or bought here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..config.providers import COMETAPI, SANDBOX, Provider
from ..errors import InvalidInputError
from ..gateway.clients import ClientPool
from ..jobs.spec import LONGEST_FIELDS, Job, VideoRequest, parse_extra_fields
from ..models.catalogue import Catalogue

LONGEST_VALUE = 1000  # characters of a value; a line of SoraOpenJob's list is the longest
# The widgets of CreateSoraJob that decide the price, and how long their values may be.
WIDGETS = dict.fromkeys(("model", "custom_model", "seconds", "size", "provider"), LONGEST_VALUE)
WIDGETS["extra_fields"] = LONGEST_FIELDS
OF_A_JOB = dict.fromkeys(("job", "provider"), LONGEST_VALUE)
MOST_REFERENCES = 2
LONGEST_SHOWN = 40  # characters of an unknown name
ANY_PROMPT = "any"  # the price does not depend on it


class Quote(NamedTuple):
    """What a purchase would cost: `usd` in dollars, None where it is unknown; `price_age_days` where the price it was
    made from is old; `comes_out`, the size that the video will have where that is another one."""

    usd: float | None
    price_age_days: int | None = None
    comes_out: str = ""


def estimated_usd(
    spec: VideoRequest, provider: Provider, catalogue: Catalogue, remix_of: Job | None = None
) -> float | None:
    """Return the estimated price in dollars, None where it is unknown. A remix, `remix_of` its parent, costs what the
    parent would cost now."""
    if _is_free(provider):
        return 0.0
    # Whatever gave the parent of a remix an unknown price may make the remix dearer, too.
    if catalogue.may_be_dearer(spec) or (remix_of is not None and remix_of.estimated_usd is None):
        return None
    if provider.usd_per_second is not None:
        seconds = (remix_of or spec).seconds
        return round(provider.usd_per_second * int(seconds), 4) if seconds.isdigit() else None
    if provider.name != COMETAPI:  # the catalogue has the prices of no other provider
        return None
    return catalogue.estimate_usd(remix_of or spec)


def check_new(spec: VideoRequest, provider: Provider, catalogue: Catalogue, *, references: int | None = None) -> None:
    """InvalidInputError for a new purchase that is known to be impossible. `references`: how many images it has, where
    `spec` does not hold them."""
    catalogue.check(spec, references)
    if spec.kind == "remix":
        provider.check_remix()


def quote(
    wanted: Mapping[str, Any], gateways: ClientPool, catalogue: Catalogue, find: Callable[[str, str], Job | None]
) -> Quote:
    """Return what that which a node says would cost; InvalidInputError where that cannot be bought.

    `wanted` has the widgets of CreateSoraJob by name (None for one whose value comes through a link) and optionally
    the number of connected `references`, and `remix`: true for a remix of that video; or, for a remix of a job that
    SoraOpenJob opens, `job` and `provider`. `find(name, provider)` looks for that job in the ledger.
    """
    if "job" in wanted:
        given = _texts(wanted, OF_A_JOB)
        return _of_remix(given["job"] or "", given["provider"] or "", gateways, catalogue, find)
    given = _texts(wanted, WIDGETS, ("references", "remix"))
    references, remix = wanted.get("references", 0), wanted.get("remix", False)
    if type(references) is not int or not 0 <= references <= MOST_REFERENCES or not isinstance(remix, bool):
        raise InvalidInputError(
            f"references is a number from 0 to {MOST_REFERENCES}, and remix is true or false.", code="invalid_request"
        )
    if given["provider"] is None:
        return Quote(None)
    provider = gateways.provider(given["provider"])
    if remix:
        provider.check_remix()
    if None in given.values():
        return Quote(0.0 if _is_free(provider) else None)
    spec = _spec(given, catalogue)
    found = quote_request(spec, gateways, catalogue, references=references)
    if remix:
        catalogue.check_remix(spec.model)
    return found


def quote_request(
    spec: VideoRequest, gateways: ClientPool, catalogue: Catalogue, *, references: int | None = None
) -> Quote:
    """Return what a new purchase would cost; InvalidInputError where it is known to be impossible. `references`: how
    many images it has, where `spec` does not hold them."""
    provider = gateways.provider(spec.provider)
    gateways.check_fields(spec, catalogue.fields(spec.model))
    check_new(spec, provider, catalogue, references=references)
    return _quote(spec, provider, catalogue)


def _quote(spec: VideoRequest, provider: Provider, catalogue: Catalogue, remix_of: Job | None = None) -> Quote:
    usd, model = estimated_usd(spec, provider, catalogue, remix_of), catalogue.find((remix_of or spec).model)
    from_row = bool(usd) and provider.usd_per_second is None
    return Quote(usd, model.price_age_days() if model and from_row else None, catalogue.comes_out(spec))


def _is_free(provider: Provider) -> bool:
    return provider.name == SANDBOX or provider.usd_per_second == 0


def _spec(given: Mapping[str, Any], catalogue: Catalogue) -> VideoRequest:
    """What CreateSoraJob would ask for."""
    return VideoRequest(
        provider=given["provider"],
        prompt=ANY_PROMPT,
        model=given["custom_model"].strip() or catalogue.require(given["model"]).id,
        seconds=given["seconds"],
        size=given["size"],
        extra_fields=parse_extra_fields(given["extra_fields"]),
    )


def _of_remix(
    name: str, named: str, gateways: ClientPool, catalogue: Catalogue, find: Callable[[str, str], Job | None]
) -> Quote:
    """The price of a remix of that job."""
    if not name.strip():
        hint = "Choose one from the list, or paste its id into video_id."
        raise InvalidInputError("No job is chosen.", hint=hint, code="no_job")
    parent = find(name, named)
    if parent is None and not named:
        return Quote(None)
    provider = gateways.provider(named if parent is None else parent.provider)
    provider.check_remix()
    if parent is None:  # it was bought elsewhere: its length and size are unknown
        return Quote(0.0 if _is_free(provider) else None)
    catalogue.check_remix(parent.model, parent.id)
    spec = VideoRequest(kind="remix", provider=parent.provider, prompt=ANY_PROMPT, parent=parent.id)
    check_new(spec, provider, catalogue)
    return _quote(spec, provider, catalogue, parent)


def _texts(wanted: Mapping[str, Any], names: Mapping[str, int], others: tuple[str, ...] = ()) -> dict[str, str | None]:
    """The texts of these names, each of which has to be there; InvalidInputError for anything else."""
    if unknown := sorted({*wanted} - {*names, *others}):
        raise InvalidInputError(
            f"{unknown[0][:LONGEST_SHOWN]!r} is not known.", hint=f"Known: {', '.join(names)}.", code="invalid_request"
        )
    for name, longest in names.items():
        value = wanted.get(name, 0)
        if value is not None and (not isinstance(value, str) or len(value) > longest):
            raise InvalidInputError(f"{name} is text of at most {longest} characters, or null.", code="invalid_request")
    return {name: wanted[name] for name in names}
