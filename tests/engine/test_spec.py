"""The request checks itself, and its identity never changes."""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.identity import FITS, effect_of
from sora_jobs.jobs.spec import Reference, VideoRequest, parse_extra_fields, parse_size
from sora_jobs.media.resize import fitted, middle
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.form import create_call

from ..failures import failing

PLAIN = {"provider": "cometapi", "prompt": "a boat", "model": "sora-2", "seconds": "4", "size": "1280x720"}


def pixels() -> np.ndarray:
    return np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


GOLDEN = {  # versions 1 and 2
    "plain": (
        VideoRequest(**PLAIN),
        "fe5ba1fe33069b5f290cce197cf0ac013730511672c4c629b5bb34a937cb6bba",
        "642224dcba61353971c9c56521b4a69a9e82965869319c951bdf2ec141a7a34a",
    ),
    "take": (
        VideoRequest(**PLAIN, take=2),
        "beb05a8774b8ea7f5069d7554da8bd5591e0850186ebf27024839079b6f92894",
        "cef9c49a0147cdaa3df1054fce2f5a59d98c8f5db51a549fd3ed55f86c87ded3",
    ),
    "extra": (
        VideoRequest(**PLAIN, extra_fields={"b": 1, "a": "x"}),
        "27c467311bb8670c1ebbe32e63d4f627d6111cc1b1337045e5703a096ff45df7",
        "741076ecb37c0bc6de63cde12e593ccaecfdb7bf9815ea21d24c6cf85af534a7",
    ),
    "reference": (
        VideoRequest(**PLAIN, references=(Reference(pixels(), "pad"),)),
        "bae63a2c58d2710d58ac263c9223f6c9d82f7ec078947fcf46b08b2b03fe9b78",
        "3126175462ac2e67172de618b6f1860af3897c84258a3aacf93383e3fc2fd6a7",
    ),
    "remix": (
        VideoRequest(kind="remix", provider="cometapi", prompt="tàu", parent="video_1"),
        "5f7b41552b15a930798cc7a69e70463b5dc4191ec7fe183e613284d29c4377f6",
        "f9a056086635d4ac37c01a373bd3806458ab4ffec19cca8d45e261f469d11508",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_an_identity_is_the_same_for_ever(name: str) -> None:
    """A changed hash would make every user pay again for what they already have."""
    spec, *expected = GOLDEN[name]
    assert list(spec.identity) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "A boat"},
        {"prompt": "a  boat"},
        {"model": "sora-2-pro"},
        {"seconds": "8"},
        {"size": "720x1280"},
        {"take": 3},
        {"provider": "sandbox"},
        {"extra_fields": {"a": 1}},
        {"references": (Reference(pixels()),)},
        {"references": (Reference(pixels(), "pad"),)},
        {"references": (Reference(pixels()), Reference(pixels()))},
        {"references": (Reference(pixels().reshape(5, 4, 3)),)},
    ],
)
def test_whatever_is_asked_for_differently_is_another_purchase(change: dict[str, object]) -> None:
    """Each input that reaches the gateway is part of the identity."""
    others = [
        VideoRequest(**{**PLAIN, **other}).identity
        for other in ({}, {"take": 2}, {"references": (Reference(pixels(), "stretch"),)})
    ]
    found = VideoRequest(**{**PLAIN, **change}).identity
    assert found.v1 not in [other.v1 for other in others]
    assert found.v2 not in [other.v2 for other in others]


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers() | st.text(max_size=5), max_size=5))
def test_the_order_of_extra_fields_does_not_matter(fields: dict[str, object]) -> None:
    """The same request written in another order is the same purchase."""
    turned = dict(reversed(fields.items()))
    assert VideoRequest(**PLAIN, extra_fields=fields).identity == VideoRequest(**PLAIN, extra_fields=turned).identity


WIDE, SAME = np.zeros((40, 96, 3), np.uint8), np.zeros((720, 1280, 3), np.uint8)


def with_image(image: np.ndarray, fit: str) -> VideoRequest:
    return VideoRequest(**PLAIN, references=(Reference(image, fit),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (VideoRequest(**PLAIN), VideoRequest(**{**PLAIN, "prompt": " a boat\n"})),
        (with_image(SAME, "crop"), with_image(SAME, "pad")),
        (with_image(SAME, "crop"), with_image(SAME, "stretch")),
        (with_image(SAME[::2, ::2], "pad"), with_image(SAME[::2, ::2], "stretch")),
        (VideoRequest(**PLAIN), VideoRequest(**PLAIN, extra_fields={"size": "1280x720"})),
        (
            VideoRequest(**PLAIN, extra_fields={"seed": 7}),
            VideoRequest(**PLAIN, extra_fields={"seed": "7", "size": "1280x720"}),
        ),
        (
            VideoRequest(**PLAIN, extra_fields={"watermark": True}),
            VideoRequest(**PLAIN, extra_fields={"watermark": "true"}),
        ),
    ],
)
def test_what_changes_nothing_in_the_request_is_no_other_purchase(one: VideoRequest, other: VideoRequest) -> None:
    """Version 2; version 1 tells them apart, as it always did."""
    assert one.identity.v2 == other.identity.v2
    assert one.identity.v1 != other.identity.v1
    catalogue = Catalogue([])
    assert create_call(one, catalogue) == create_call(other, catalogue)


def test_another_take_keeps_what_was_typed() -> None:
    """Processes that run older code know the purchase by the white space around its prompt, too."""
    typed = VideoRequest(**{**PLAIN, "prompt": "a boat\n"})
    other = dataclasses.replace(typed, take=2)
    assert (typed.prompt, other.prompt, other.typed) == ("a boat", "a boat", "a boat\n")
    assert other.identity == VideoRequest(**{**PLAIN, "prompt": "a boat\n", "take": 2}).identity
    assert dataclasses.replace(typed, prompt="a ship").typed == "a ship"


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(1280, 720), (720, 1280), (960, 960), (854, 480)]))
def test_a_fit_that_only_scales_is_none(width: int, height: int, video: tuple[int, int]) -> None:
    """By whole pixels: crop cuts nothing off, or pad adds no bar."""
    left, top, wide, tall = middle(width, height, *video)
    assert (effect_of("crop", (width, height), video) == "") == ((left, top, wide, tall) == (0, 0, width, height))
    assert (effect_of("pad", (width, height), video) == "") == (middle(*video, width, height) == (0, 0, *video))
    assert effect_of("stretch", (width, height), video) == ""


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(720, 1280), (40, 96)])
def test_an_alpha_that_hides_nothing_is_no_other_purchase(shape: tuple[int, int], fit: str) -> None:
    """The upload is the same. One transparent pixel makes another one."""
    image = np.random.default_rng(4).integers(0, 255, (*shape, 3), np.uint8)
    opaque = np.dstack([image, np.full(shape, 255, np.uint8)])
    one, other = with_image(image, fit), with_image(opaque, fit)
    assert one.identity.v2 == other.identity.v2
    assert one.identity.v1 != other.identity.v1
    assert (fitted(image, 1280, 720, fit) == fitted(opaque, 1280, 720, fit)).all()
    opaque[0, 0, 3] = 254
    assert with_image(opaque, fit).identity.v2 != one.identity.v2


@pytest.mark.parametrize("shape", [(45, 80, 3), (720, 1280, 4), (90, 160, 4), (40, 96, 3), (1080, 1921, 3)])
def test_the_same_identity_is_the_same_upload(shape: tuple[int, int, int]) -> None:
    """And another one another upload: the bytes decide what may be taken for the same."""
    image = np.random.default_rng(3).integers(0, 255, shape, np.uint8)
    uploads: dict[str, set[bytes]] = {}
    for fit in FITS:
        uploads.setdefault(with_image(image, fit).identity.v2, set()).add(fitted(image, 1280, 720, fit).tobytes())
    assert all(len(bytes_of) == 1 for bytes_of in uploads.values())
    assert len({next(iter(bytes_of)) for bytes_of in uploads.values()}) == len(uploads)


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"prompt": "  \n"}, "empty_prompt", ""),
        ({"prompt": "x" * 20_001}, "prompt_too_long", "20001"),
        ({"prompt": "\ud83d"}, "lone_surrogate", ""),
        ({"take": 0}, "invalid_take", "0"),
        ({"take": True}, "invalid_take", "True"),
        ({"seconds": "4.5"}, "invalid_seconds", "'4.5'"),
        ({"seconds": "-4"}, "invalid_seconds", "'-4'"),
        ({"size": "1280*720"}, "invalid_size", "'1280*720'"),
        ({"size": "99999x99999"}, "invalid_size", "'99999x99999'"),
        ({"model": " "}, "no_model", ""),
        ({"provider": ""}, "no_provider", ""),
        ({"kind": "remix"}, "no_source_video", ""),
        ({"extra_fields": {"a b": 1}}, "invalid_field_name", "'a b'"),
        ({"extra_fields": {"a": [1]}}, "invalid_field_value", "'a'"),
        ({"extra_fields": {"a": float("nan")}}, "invalid_field_value", "nan"),
        ({"references": (Reference(pixels()),) * 3}, "too_many_references", "3"),
    ],
)
def test_a_wrong_request_cannot_be_made(change: dict[str, object], code: str, name: str) -> None:
    """The check is in the request itself, so nothing wrong ever reaches the wire."""
    with failing(InvalidInputError, code, name, charge="none") as caught:
        VideoRequest(**{**PLAIN, **change})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["[1]", '"a"', "{", "nul", "1"])
def test_extra_fields_wants_an_object(text: str) -> None:
    """The error says what was found and shows an example."""
    with failing(InvalidInputError, "invalid_extra_fields") as caught:
        parse_extra_fields(text)
    assert "resolution" in caught.value.hint


def test_blank_extra_fields_are_none() -> None:
    """An untouched widget sends nothing."""
    assert parse_extra_fields(" \n") == {}


@pytest.mark.parametrize("size", ["0x10", "10", "10x", "x10", "10X10", "1０x10", "10x1０", "10x10\n", "-1x2"])
def test_a_size_is_two_numbers(size: str) -> None:
    """Also digits of other scripts, which Python would take for numbers, are refused."""
    with failing(InvalidInputError, "invalid_size", repr(size)):
        parse_size(size)


class TestCatalogue:
    catalogue = Catalogue.shipped()

    def test_the_first_choices_are_soras(self) -> None:
        """The combos' first entries are the gateway's own advice for a first request."""
        assert next(iter(self.catalogue.models)) == "sora-2"
        assert self.catalogue.seconds()[0] == "4"
        assert self.catalogue.sizes()[0] == "1280x720"

    @pytest.mark.parametrize(
        ("change", "code", "names", "lists"),
        [
            ({"seconds": "5"}, "seconds_not_offered", ["sora-2", "5 s"], "4, 8, 12"),
            ({"size": "1920x1080"}, "size_not_offered", ["sora-2", "1920x1080"], "1280x720, 720x1280"),
            ({"references": (Reference(pixels()),) * 2}, "references_not_offered", ["one reference image", "2"], ""),
            ({"extra_fields": {"seconds": "12"}}, "reserved_field", ["replace seconds"], "inputs of the same name"),
        ],
    )
    def test_what_a_known_model_does_not_take_is_refused(
        self, change: dict[str, object], code: str, names: list[str], lists: str
    ) -> None:
        """The error lists what is allowed."""
        with failing(InvalidInputError, code, *names) as caught:
            self.catalogue.check(VideoRequest(**{**PLAIN, **change}))
        assert lists in caught.value.hint

    def test_an_unlisted_model_is_sent_as_typed(self) -> None:
        """Its limits are the gateway's to tell, and extra_fields may say its size otherwise; all else is as the inputs
        say, by which it is priced and shown."""
        plain = {**PLAIN, "model": "new-model", "seconds": "77"}
        self.catalogue.check(VideoRequest(**plain, extra_fields={"size": "16:9"}))
        for name in ("prompt", "model", "seconds", "input_reference"):
            with failing(InvalidInputError, "reserved_field", f"replace {name}"):
                self.catalogue.check(VideoRequest(**plain, extra_fields={name: "600"}))

    def test_a_mistyped_model_gets_a_suggestion(self) -> None:
        """The combo's value from another catalogue reaches this error."""
        with failing(InvalidInputError, "unknown_model", "'sora2'") as caught:
            self.catalogue.require("sora2")
        assert "Did you mean 'sora-2'" in caught.value.hint

    def test_the_price_is_per_second_and_size(self) -> None:
        """Listed prices multiply; an unlisted one is unknown, not free."""
        assert self.catalogue.estimate_usd(VideoRequest(**PLAIN)) == 0.32
        wide = VideoRequest(**{**PLAIN, "model": "seedance-2-5", "seconds": "5"})
        assert self.catalogue.estimate_usd(wide) == 1.155
        assert self.catalogue.estimate_usd(VideoRequest(**{**PLAIN, "model": "omni-fast"})) is None

    @pytest.mark.parametrize(
        ("model", "size", "usd"),
        [
            ("wan3.0", "854x480", 0.05), ("wan3.0", "480x480", 0.05), ("wan3.0", "3840x480", None),
            ("wan3.0", "1680x720", None), ("minimax-h3", "2560x768", None), ("flux-3", "4096x720", None),
            ("flux-3", "720x1280", 0.136), ("seedance-2-5", "1920x480", None),
        ],
    )  # fmt: skip
    def test_a_size_that_was_typed_is_priced_like_a_resolution_of_as_many_pixels(
        self, model: str, size: str, usd: float | None
    ) -> None:
        """A panorama has many times the pixels of the resolution that its height names: its price is unknown."""
        assert self.catalogue.models[model].usd_per_second(size) == usd

    @pytest.mark.parametrize(
        ("seen", "age"),
        [("2026-09-01", None), ("2026-08-31", 91), ("2026-08", 121), ("2026", 333), ("", None), ("soon", None)],
    )
    def test_an_old_price_has_an_age(self, seen: str, age: int | None) -> None:
        """In days from the 91st on; a month or a year counts from its first day."""
        model = dataclasses.replace(self.catalogue.models["sora-2"], usd_date=seen)
        assert model.price_age_days(date(2026, 11, 30)) == age

    def test_every_model_names_its_source(self) -> None:
        """A fact without a source is a guess."""
        facts = ("seconds", "sizes", "references", "usd", "status")
        for model in self.catalogue.models.values():
            assert all(model.source.get(fact) for fact in facts), model.id
            assert not model.remix or model.source.get("remix")
            assert model.status, model.id
            assert model.references == 0 or model.meaning in ("first", "first_last", "subjects")
            unknown = not model.all_seconds or not model.all_sizes
            assert set(model.more) <= {"seconds", "sizes"}
            assert not unknown or "unknown" in model.note, model.id
            assert all(status.state in ("live", "retired", "unknown") for status in model.status.values())
            assert all(status.state != "retired" or model.successor for status in model.status.values())

    def test_what_nobody_knows_of_a_model_is_sent_as_typed(self) -> None:
        """Its lengths and sizes are not guessed; its price by the short side is known."""
        spec = VideoRequest(**{**PLAIN, "model": "wan3.0", "seconds": "17", "size": "1080x1920"})
        self.catalogue.check(spec)
        assert self.catalogue.size_fields(spec) == {"size": "1080x1920"}
        assert self.catalogue.estimate_usd(spec) == 3.4

    @pytest.mark.parametrize(
        ("model", "seconds", "size", "first"),
        [
            ("minimax-h3", "4", "1280x720", ("5", "1344x768")),
            ("flux-3", "30", "720x1280", ("5", "1280x720")),
        ],
    )
    def test_a_list_that_may_not_be_whole_refuses_nothing(
        self, model: str, seconds: str, size: str, first: tuple[str, str]
    ) -> None:
        """What is known comes first, and any other is sent as typed; the page can choose either."""
        self.catalogue.check(VideoRequest(**{**PLAIN, "model": model, "seconds": seconds, "size": size}))
        self.catalogue.check(VideoRequest(**{**PLAIN, "model": model, "seconds": first[0], "size": first[1]}))
        assert self.catalogue.defaults_for(model) == first
        row = next(row for row in self.catalogue.rows() if row["id"] == model)
        assert (row["seconds"][0], row["sizes"][0]) == first
        assert set(row["seconds"]) == set(self.catalogue.seconds())
        assert set(row["sizes"]) == set(self.catalogue.sizes()) >= {"1344x768", "1280x720"}

    def test_only_lengths_may_go_on(self) -> None:
        """Of a model whose sizes are all known."""
        self.catalogue.check(VideoRequest(**{**PLAIN, "model": "omni-fast", "seconds": "8", "size": "720x1280"}))
        with failing(InvalidInputError, "size_not_offered", "1080x1920"):
            self.catalogue.check(VideoRequest(**{**PLAIN, "model": "omni-fast", "size": "1080x1920"}))

    def test_sizes_are_written_as_each_model_wants_them(self) -> None:
        """WxH, a ratio with a resolution, a hint of the shape, fields of another name."""
        for model, size, fields in (
            ("sora-2", "1280x720", {"size": "1280x720"}),
            ("doubao-seedance-2-0", "720x1280", {"size": "720x1280"}),
            ("viduq3", "720x1280", {"size": "9:16"}),
            ("veo3-fast", "1280x720", {"size": "16x9"}),
            ("omni-fast", "720x1280", {"aspect_ratio": "9:16", "resolution": "720p"}),
        ):
            assert self.catalogue.size_fields(VideoRequest(**{**PLAIN, "model": model, "size": size})) == fields

    @pytest.mark.parametrize(
        ("model", "seconds", "size", "nearest"),
        [
            ("doubao-seedance-1-5-pro", "12", "1280x720", ("seedance-2-5", "12", "1280x720")),
            ("doubao-seedance-1-5-pro", "4", "1080x1920", ("doubao-seedance-2-0", "4", "1080x1920")),
            ("doubao-seedance-1-0-pro", "2", "704x1248", ("doubao-seedance-2-0", "4", "720x1280")),
            ("wan2.5", "10", "1280x720", ("wan2.7", "10", "1280x720")),
            ("sora-2", "20", "1280x720", ("seedance-2-5", "20", "1280x720")),
            ("nonsense", "", "", ("seedance-2-5", "5", "1280x720")),
        ],
    )
    def test_the_nearest_living_model_is_named(
        self, model: str, seconds: str, size: str, nearest: tuple[str, str, str]
    ) -> None:
        """The gateway's own successor, or a version of the same name, where it makes the shape; else what comes closest
        in shape, size and length."""
        assert self.catalogue.nearest(model, seconds, size, "cometapi") == nearest
        assert self.catalogue.nearest(model, seconds, size, "elsewhere") is None

    @pytest.mark.parametrize(
        ("model", "seconds", "size", "images", "nearest"),
        [
            ("sora-2", "4", "1440x1440", None, "doubao-seedance-2-0"),  # which took one
            ("wan2.5", "5", "1920x1080", 1, "wan2.7"),  # wan2.6 is as near, and takes none
            ("wan2.5", "5", "1920x1080", 1, "wan2.7"),
            ("happyhorse-1.2", "5", "1280x720", 1, "happyhorse-1.1"),
            ("doubao-seedance-1-5-pro", "5", "1280x720", 1, "seedance-2-5"),
        ],
    )
    def test_the_nearest_one_takes_the_images(
        self, model: str, seconds: str, size: str, images: int | None, nearest: str
    ) -> None:
        """As many as are given, else as the old model took: a prompt without its image makes another video."""
        found = self.catalogue.nearest(model, seconds, size, "cometapi", images)
        assert found is not None
        assert found.model == nearest
        assert self.catalogue.models[found.model].takes(images or 1)

    def test_a_mistyped_model_is_no_reason_to_name_a_retired_one(self) -> None:
        """It would be refused in the next breath."""
        with failing(InvalidInputError, "unknown_model") as caught:
            self.catalogue.require("doubao-seedance-1-5-prp")
        assert "1-5-pro" not in caught.value.hint
        assert "1-0-pro" not in caught.value.hint

    def test_only_a_retired_model_is_held_back(self) -> None:
        """There alone it would be money for nothing; where nobody knows, it is sent with a warning."""
        retired = VideoRequest(**{**PLAIN, "model": "doubao-seedance-1-5-pro", "seconds": "4"})
        with failing(InvalidInputError, "model_retired", "cometapi", "doubao-seedance-1-5-pro", "2026-09-21") as caught:
            self.catalogue.check(retired)
        assert "seedance-2-5, 4 s, 1280x720" in caught.value.hint
        self.catalogue.check(dataclasses.replace(retired, provider="sandbox"))
        unknown = VideoRequest(**PLAIN)
        self.catalogue.check(unknown)
        assert "not known (OpenAI ended its own API" in self.catalogue.warning(unknown)
        assert self.catalogue.warning(dataclasses.replace(unknown, provider="sandbox")) == ""
        assert self.catalogue.warning(VideoRequest(**{**PLAIN, "model": "seedance-2-5", "seconds": "5"})) == ""


def test_a_reference_is_whole_pixels() -> None:
    """Floats, greys and unknown fits never reach a purchase."""
    with failing(InvalidInputError, "unknown_option", "'zoom'"):
        Reference(pixels(), "zoom")
    with failing(InvalidInputError, "invalid_image", "float32"):
        Reference(pixels().astype(np.float32))
