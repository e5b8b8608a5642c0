"""What a purchase would cost: one rule for the budget and for the page. Nothing is sent, written or bought here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..config.providers import COMETAPI, SANDBOX, Provider
from ..errors import InvalidInputError
from ..gateway.clients import Clients
from ..jobs.quote import Quote
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


def estimate(spec: VideoRequest, provider: Provider, catalogue: Catalogue, remix_of: Job | None = None) -> Quote:
    """Return what a purchase costs. A remix, `remix_of` its parent, costs what the parent would cost now."""
    return _estimate(spec, provider, catalogue, remix_of)._replace(comes_out=catalogue.comes_out(spec))


def _estimate(spec: VideoRequest, provider: Provider, catalogue: Catalogue, remix_of: Job | None) -> Quote:
    if _is_free(provider):
        return Quote(0.0)
    if fields := catalogue.dearer_fields(spec):
        return Quote(None, unknown="extra_fields", facts={"fields": ", ".join(fields)[:LONGEST_SHOWN]})
    # Whatever gave the parent of a remix an unknown price may make the remix dearer, too.
    if remix_of is not None and remix_of.estimated_usd is None:
        return Quote(None, unknown="source")
    asked = remix_of or spec
    if provider.usd_per_second is not None:
        usd = round(provider.usd_per_second * int(asked.seconds), 4) if asked.seconds.isdigit() else None
        return Quote(usd, unknown="" if usd is not None else "length")
    if provider.name != COMETAPI:  # the catalogue has the prices of no other provider
        return Quote(None, unknown="provider", facts={"provider": provider.name})
    return _listed(asked, catalogue)


def _listed(asked: VideoRequest | Job, catalogue: Catalogue) -> Quote:
    """The price of CometAPI's, as the catalogue has it."""
    usd, model = catalogue.estimate_usd(asked), catalogue.find(asked.model)
    if usd is not None:
        return Quote(usd, model.price_age_days() if model and usd else None)
    shown = asked.model[:LONGEST_SHOWN]
    if model is None or not model.usd:
        return Quote(None, unknown="model", facts={"model": shown})
    if model.usd_per_second(asked.size) is None:
        return Quote(None, unknown="size", facts={"model": shown, "size": asked.size})
    return Quote(None, unknown="length")


def check_new(spec: VideoRequest, provider: Provider, catalogue: Catalogue, *, references: int | None = None) -> None:
    """InvalidInputError for a new purchase that is known to be impossible. `references`: how many images it has, where
    `spec` does not hold them."""
    catalogue.check(spec, references)
    if spec.kind == "remix":
        provider.check_remix()


def quote(
    wanted: Mapping[str, Any], clients: Clients, catalogue: Catalogue, find: Callable[[str, str], Job | None]
) -> Quote:
    """Return what that which a node says would cost; InvalidInputError where that cannot be bought.

    `wanted` has the widgets of CreateSoraJob by name (None for one whose value comes through a link) and optionally
    the number of connected `references`, and `remix`: true for a remix of that video; or, for a remix of a job that
    SoraOpenJob opens, `job` and `provider`. `find(name, provider)` looks for that job in the ledger.
    """
    if "job" in wanted:
        given = _texts(wanted, OF_A_JOB)
        return _of_remix(given["job"] or "", given["provider"] or "", clients, catalogue, find)
    given = _texts(wanted, WIDGETS, ("references", "remix"))
    references, remix = wanted.get("references", 0), wanted.get("remix", False)
    if type(references) is not int or not 0 <= references <= MOST_REFERENCES or not isinstance(remix, bool):
        raise InvalidInputError(
            f"references is a number from 0 to {MOST_REFERENCES}, and remix is true or false.", code="invalid_request"
        )
    if given["provider"] is None:
        return Quote(None, unknown="linked")
    provider = clients.provider(given["provider"])
    if remix:
        provider.check_remix()
    if None in given.values():
        return Quote(0.0) if _is_free(provider) else Quote(None, unknown="linked")
    spec = _spec(given, catalogue)
    found = quote_request(spec, clients, catalogue, references=references)
    if remix:
        catalogue.check_remix(spec.model)
    return found


def quote_request(
    spec: VideoRequest, clients: Clients, catalogue: Catalogue, *, references: int | None = None
) -> Quote:
    """Return what a new purchase would cost; InvalidInputError where it is known to be impossible. `references`: how
    many images it has, where `spec` does not hold them."""
    provider = clients.provider(spec.provider)
    clients.check_fields(spec, catalogue.fields(spec.model))
    check_new(spec, provider, catalogue, references=references)
    return estimate(spec, provider, catalogue)


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
    name: str, named: str, clients: Clients, catalogue: Catalogue, find: Callable[[str, str], Job | None]
) -> Quote:
    """The price of a remix of that job."""
    if not name.strip():
        hint = "Choose one from the list, or paste its id into video_id."
        raise InvalidInputError("No job is chosen.", hint=hint, code="no_job")
    parent = find(name, named)
    if parent is None and not named:
        return Quote(None, unknown="job")
    provider = clients.provider(named if parent is None else parent.provider)
    provider.check_remix()
    if parent is None:  # it was bought elsewhere: its length and size are unknown
        return Quote(0.0) if _is_free(provider) else Quote(None, unknown="job")
    catalogue.check_remix(parent.model, parent.id)
    spec = VideoRequest(kind="remix", provider=parent.provider, prompt=ANY_PROMPT, parent=parent.id)
    check_new(spec, provider, catalogue)
    return estimate(spec, provider, catalogue, parent)


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
