"""The catalogue against the vendor's pages, which the sandbox has as they are: a wrong row is refused there."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import VideoRequest, parse_size
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.form import create_call
from sora_jobs.models.model import Model
from sora_jobs.sandbox.pages import SHAPES, VendorPage, pages
from sora_jobs.sandbox.validation import Refusal, check_create

from ..failures import failing

MODELS = Catalogue.shipped().models
DESCRIBED = {name: page for name, page in pages().items() if page.page}
SIZES = [(name, size) for name, model in MODELS.items() for size in model.sizes]
# What public prices there are, in dollars per second by the resolution that a page names; where they stand is in
# models.toml.
PRICES = {
    "sora-2": {"1280x720": 0.08, "720x1280": 0.08},
    "sora-2-pro": {"1280x720": 0.24, "720x1280": 0.24, "1792x1024": None},
    "seedance-2-5": {"854x480": 0.103, "1280x720": 0.231},
    "doubao-seedance-2-0": {"864x496": 0.063, "992x432": 0.063, "1280x720": 0.1368, "834x1112": 0.1368,
                            "1920x1080": 0.3366, "1440x1440": 0.3366, "3840x2160": None},
    "doubao-seedance-2-0-fast": {"560x752": 0.0504, "1470x630": 0.108},
    "doubao-seedance-2-0-mini": {"1280x720": None},
    "wan2.6": {"1280x720": 0.08, "832x1088": 0.08, "1920x1080": 0.12, "1632x1248": 0.12},
    "wan2.7": {"720x1280": 0.08, "1440x1440": 0.12},
    "wan3.0": {"848x480": 0.05, "1280x720": 0.1, "1080x1920": 0.2},
    "happyhorse-1.0": {"1280x720": 0.112, "1920x1080": 0.192},
    "happyhorse-1.1": {"720x1280": 0.112, "1080x1920": 0.144},
    "omni-fast": {"1280x720": None},
    "veo3": {"1280x720": 0.32},
    "veo3-fast": {"720x1280": 0.08},
    "veo3.1": {"1280x720": 0.32, "1920x1080": 0.32, "3840x2160": 0.48},
    "veo3.1-fast": {"720x1280": 0.08, "1920x1080": 0.096, "3840x2160": 0.24},
    "viduq3": {"640x352": 0.056, "960x528": 0.056, "1280x720": 0.1232, "720x720": 0.1232, "1920x1080": 0.1232},
    "viduq3-turbo": {"640x352": 0.028, "960x528": 0.028, "720x1280": 0.0616, "1920x1080": 0.0616},
    "minimax-h3": {"1344x768": 0.08, "2560x1440": 0.13},
    "flux-3": {"1280x720": 0.136, "1920x1080": 0.232},
}  # fmt: skip


def spec(model: str, **change: Any) -> VideoRequest:
    seconds, size = Catalogue.shipped().defaults_for(model)
    return VideoRequest(
        **{"provider": "sandbox", "prompt": "x", "model": model, "seconds": seconds, "size": size} | change
    )


def asked(row: Model, **change: Any) -> dict[str, str]:
    """The form of a create, as that row of the catalogue has it written."""
    return dict(create_call(spec(row.id, **change), Catalogue([row])).fields)


def test_each_row_is_of_a_model_that_the_sandbox_knows() -> None:
    """But for what takes no prompt alone."""
    assert MODELS.keys() - pages().keys() == {name for name, row in MODELS.items() if row.needs}
    assert pages().keys() <= MODELS.keys()


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_row_says_what_the_page_says(name: str) -> None:
    """Neither less nor more: lengths, the ways in which sizes are asked for, what comes of them, images, fields."""
    row, page = MODELS[name], DESCRIBED[name]
    assert set(row.all_seconds) == set(page.seconds)
    assert row.references == ("several" if page.references < 0 else page.references)
    assert row.remix == page.remix
    assert ("input_reference" in page.fields) == (row.references != 0)
    of_the_row = {(*sorted(fields.items()), row.comes_out.get(size, size)) for size, fields in row.sizes.items()}
    of_the_page = {(*sorted(fields.items()), video) for fields, video in page.frames}
    assert of_the_row <= of_the_page
    missing = of_the_page - of_the_row
    # What is said to come out as something else need not be on offer; a size that two forms ask for needs one.
    assert {video for *_, video in missing} <= {*row.sizes, *row.comes_out.values()}
    assert all(dict(form).get("size") in {*row.comes_out, "16:9"} for *form, _ in missing)
    assert all(fields.keys() <= page.fields for fields in row.sizes.values())


@pytest.mark.parametrize("name", DESCRIBED)
def test_each_field_of_the_page_can_be_sent(name: str) -> None:
    """By an input, or as an extra field; one more that only the model's maker names says that no page has it."""
    row, page = MODELS[name], DESCRIBED[name]
    of_inputs = {*asked(row), "input_reference", *(field for fields in row.sizes.values() for field in fields)}
    assert set(page.fields) <= of_inputs | row.extra_fields.keys()
    beside = row.extra_fields.keys() - page.fields
    assert beside <= {"seed"}
    assert bool(beside) == ("no page of CometAPI names the field" in row.source.get("extra_fields", ""))


@pytest.mark.parametrize("name", sorted(pages().keys() - DESCRIBED.keys()))
def test_a_row_without_a_page_says_that_it_is_unknown(name: str) -> None:
    """Nothing is claimed that only a client, or another gateway, says."""
    row = MODELS[name]
    assert not row.all_seconds
    assert not row.all_sizes
    assert "unknown" in row.note


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_the_sandbox_takes_every_size_and_makes_it(name: str, size: str) -> None:
    """By the page, and not by the row: the pixels are those that were asked for, or those that the row warns of."""
    row = MODELS[name]
    wanted = check_create(asked(row, size=size), ())
    assert (wanted.width, wanted.height) == parse_size(row.comes_out.get(size, size))


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if not row.needs])
def test_the_sandbox_takes_every_length(name: str) -> None:
    """And no other one, where the page has them all."""
    row, page = MODELS[name], pages()[name]
    for seconds in row.seconds:
        assert check_create(asked(row, seconds=seconds), ()).seconds == int(seconds)
    if page.seconds:
        with pytest.raises(Refusal):
            check_create(asked(row, seconds="99"), ())


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": {"864x496": {"size": "16:9", "resolution": "480p"}}},  # as an older page had it: charged as 720p
        {"sizes": {"864x496": {"size": "864x496", "resolution": "480p"}}},
        {"sizes": {"864x496": {"size": "480p"}}},
        {"sizes": {"864x496": {"aspect_ratio": "16:9"}}},
        {"sizes": {"864x480": {"size": "864x480"}}},
    ],
)
def test_a_wrong_row_is_refused(change: dict[str, Any]) -> None:
    """The mistake that was there, and its kin."""
    row = dataclasses.replace(MODELS["doubao-seedance-2-0"], **change)
    (size,) = row.sizes
    with pytest.raises(Refusal) as caught:
        check_create(asked(row, size=size), ())
    assert caught.value.code in ("invalid_value", "unknown_parameter")


def test_a_field_that_decides_the_size_counts_only_where_the_page_has_it() -> None:
    """An unlisted model has no page: there it is taken."""
    assert {"size", "seconds", "resolution", "aspect_ratio"} <= SHAPES
    assert VendorPage().fields == frozenset()
    taken = check_create({"prompt": "x", "model": "new", "size": "640x480", "resolution": "480p"}, (), any_model=True)
    assert (taken.width, taken.height) == (640, 480)


@pytest.mark.parametrize(("name", "prices"), PRICES.items())
def test_prices_are_those_that_are_public(name: str, prices: dict[str, float | None]) -> None:
    """And unknown where none is; every row with one says when it was seen."""
    row = MODELS[name]
    assert {size: row.usd_per_second(size) for size in prices} == prices
    assert bool(row.usd) == bool(row.usd_date)


def test_every_row_is_priced_here_or_has_no_price() -> None:
    """So that a new one is looked up."""
    assert {name for name, row in MODELS.items() if row.usd} <= PRICES.keys()


def test_a_size_that_comes_out_as_another_is_told_before_it_is_bought() -> None:
    """Where it is on offer, with what will come; where it is not, with what would."""
    catalogue = Catalogue.shipped()
    assert catalogue.comes_out(spec("omni-fast", size="1920x1080")) == "1280x720"
    assert "omni-fast makes 1280x720 where 1920x1080" in catalogue.warning(spec("omni-fast", size="1920x1080"))
    with failing(InvalidInputError, "size_not_offered", "would come out as 1280x720"):
        catalogue.check(spec("doubao-seedance-2-0-mini", size="1920x1080"))
