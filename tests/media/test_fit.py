"""A reference fitted by hand: the size is exact, what was chosen is in view, and what is clear shows the background."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sora_jobs.errors import InvalidInputError
from sora_jobs.media.fit import Fitting, fit_reference, masked, parse_colour
from sora_jobs.media.resize import fitted, middle, on_colour

from ..failures import failing

SIDES = st.integers(1, 90)
SHARES = st.floats(0, 1)
PLAIN, GROUND = (200, 100, 50), (7, 130, 255)


def floats(pixels: np.ndarray) -> np.ndarray:
    """uint8 -> ComfyUI's IMAGE."""
    return pixels[None].astype(np.float32) / 255


def noise(wide: int, tall: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(wide * 1000 + tall).integers(0, 256, (tall, wide, channels), np.uint8)


def spot(picture: np.ndarray) -> tuple[float, float]:
    """The centre (x, y) of what is bright, in pixels from the upper left corner."""
    y, x = np.nonzero(picture[..., 0] > 100)
    return float(x.mean()) + 0.5, float(y.mean()) + 0.5


# -- sizes and places -------------------------------------------------------------------------------------------------


@given(
    sides=st.tuples(SIDES, SIDES, SIDES, SIDES),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    padding=st.sampled_from(["colour", "blurred"]),
    focus=st.tuples(SHARES, SHARES),
    channels=st.sampled_from([1, 3, 4]),
)
@example(sides=(77, 77, 79, 79), fit="crop", padding="colour", focus=(0.0, 0.0), channels=1)
def test_the_size_is_exact_and_a_plain_colour_stays(
    sides: tuple[int, int, int, int], fit: str, padding: str, focus: tuple[float, float], channels: int
) -> None:
    """Whatever the sizes and the focus: blurred bars of a plain picture have its colour, others the background's."""
    wide, tall, width, height = sides
    plain = np.full((tall, wide, channels), 255, np.uint8)
    plain[..., : min(channels, 3)] = PLAIN[:channels] if channels > 1 else 200
    how = Fitting(fit=fit, padding=padding, focus_x=focus[0], focus_y=focus[1], background="#0782ff")
    out = fit_reference(floats(plain), f"{width}x{height}", how)
    assert (out.shape, out.dtype) == ((height, width, 3), np.uint8)
    coloured = (out == (PLAIN if channels > 1 else (200, 200, 200))).all(axis=2)
    assert coloured.any()
    assert (coloured | (out == GROUND).all(axis=2)).all()
    assert (fit == "pad" and padding == "colour") or coloured.all()


@given(sides=st.tuples(SIDES, SIDES, SIDES, SIDES), focus=st.tuples(SHARES, SHARES))
def test_a_crop_shows_the_focus_as_near_the_middle_as_the_edges_allow(
    sides: tuple[int, int, int, int], focus: tuple[float, float]
) -> None:
    """It is in view; and off the middle by no more than the rounding of a pixel, unless the view ends at an edge."""
    wide, tall, width, height = sides
    left, top, view_wide, view_tall = middle(wide, tall, width, height, focus)
    for start, length, whole, share in ((left, view_wide, wide, focus[0]), (top, view_tall, tall, focus[1])):
        assert 0 <= start <= start + length <= whole
        point, centre = share * whole, start + length / 2
        assert start - 1e-9 <= point <= start + length + 1e-9
        near = abs(point - centre) <= 0.5 + 1e-9
        assert near or (start == 0 and point < centre) or (start + length == whole and point > centre)
    assert view_wide == wide or view_tall == tall


@given(sides=st.tuples(SIDES, SIDES, SIDES, SIDES))
def test_without_a_focus_it_is_what_create_sora_job_does(sides: tuple[int, int, int, int]) -> None:
    """The defaults of the node and the `fit` of CreateSoraJob give the same pixels."""
    wide, tall, width, height = sides
    picture = noise(wide, tall)
    for fit in ("crop", "pad", "stretch"):
        ours = fit_reference(floats(picture), f"{width}x{height}", Fitting(fit=fit))
        assert np.array_equal(ours, fitted(picture, width, height, fit))
    left, top, view_wide, view_tall = middle(wide, tall, width, height)
    assert (left, top) == ((wide - view_wide) // 2, (tall - view_tall) // 2)  # as it always was: the pixels sent stay


@given(
    sides=st.tuples(SIDES, SIDES, SIDES, SIDES),
    focus=st.tuples(SHARES, SHARES),
    padding=st.sampled_from(["colour", "blurred"]),
)
def test_no_bar_reaches_into_the_picture(
    sides: tuple[int, int, int, int], focus: tuple[float, float], padding: str
) -> None:
    """Padded, the whole picture is there, where the focus says; around it are plain bars, or none."""
    wide, tall, width, height = sides
    picture = noise(wide, tall)
    how = Fitting(fit="pad", focus_x=focus[0], focus_y=focus[1], padding=padding, background="#0782ff")
    out = fit_reference(floats(picture), f"{width}x{height}", how)
    _, _, inner_wide, inner_tall = middle(width, height, wide, tall)
    room_x, room_y = width - inner_wide, height - inner_tall
    left, top = round(room_x * focus[0] - 1e-9), round(room_y * focus[1] - 1e-9)
    alone = fitted(picture, inner_wide, inner_tall, "stretch")
    places = [
        (x, y)
        for x in {left, max(0, left - 1), min(room_x, left + 1)}
        for y in {top, max(0, top - 1), min(room_y, top + 1)}
        if abs(x - room_x * focus[0]) <= 0.5 + 1e-6 and abs(y - room_y * focus[1]) <= 0.5 + 1e-6
    ]
    found = [(x, y) for x, y in places if np.array_equal(out[y : y + inner_tall, x : x + inner_wide], alone)]
    assert found
    if padding == "colour":
        bars = np.ones((height, width), bool)
        bars[found[0][1] : found[0][1] + inner_tall, found[0][0] : found[0][0] + inner_wide] = False
        assert (out[bars] == GROUND).all()


def test_a_spot_comes_to_the_middle() -> None:
    """Seen in the pixels, also where the picture is scaled; at the edge it goes no further than the edge lets it."""
    picture = np.zeros((300, 900, 3), np.uint8)
    picture[140:160, 690:710] = 255
    out = fit_reference(floats(picture), "90x90", Fitting(focus_x=700 / 900))
    assert spot(out) == pytest.approx((45, 45), abs=1)
    out = fit_reference(floats(picture), "90x90", Fitting(focus_x=1))
    assert spot(out) == pytest.approx((90 - 200 * 0.3, 45), abs=1)
    out = fit_reference(floats(np.rot90(picture)), "90x90", Fitting(focus_y=200 / 900))
    assert spot(out) == pytest.approx((45, 45), abs=1)


@pytest.mark.parametrize(
    "how", [Fitting(fit=fit, focus_x=0.1, padding="blurred") for fit in ("crop", "pad", "stretch")]
)
def test_rgb_of_the_right_size_is_untouched(how: Fitting) -> None:
    """And what comes out once stays as it is the second time: CreateSoraJob changes nothing."""
    picture = noise(64, 36)
    assert np.array_equal(fit_reference(floats(picture), "64x36", how), picture)
    once = fit_reference(floats(noise(50, 80)), "64x36", how)
    for fit in ("crop", "pad", "stretch"):
        assert np.array_equal(fit_reference(floats(once), "64x36", Fitting(fit=fit)), once)


def test_floats_are_rounded_and_saturated() -> None:
    """Not cut off, and not wrapped around."""
    odd = np.array([-3, 0.00197, 0.5, 0.9979, 1.001, 40], np.float32).reshape(1, 2, 3, 1).repeat(3, axis=3)
    assert fit_reference(odd, "3x2", Fitting())[..., 1].reshape(-1).tolist() == [0, 1, 128, 254, 255, 255]


# -- blurred bars -----------------------------------------------------------------------------------------------------


def test_blurred_bars_are_the_picture_out_of_focus() -> None:
    """Red above green, wide: the upper bar is red, the lower one green; no line, no dark edge, slow changes only."""
    picture = np.zeros((200, 100, 3), np.uint8)
    picture[:100, :, 0], picture[100:, :, 1] = 240, 240
    out = fit_reference(floats(picture), "640x320", Fitting(fit="pad", padding="blurred")).astype(int)
    left, right = out[:, :240], out[:, 400:]
    for bar in (left, right):
        assert np.abs(bar[0] - (240, 0, 0)).max() <= 2
        assert np.abs(bar[-1] - (0, 240, 0)).max() <= 2
        assert np.abs(np.diff(bar, axis=0)).max() <= 8
        assert (np.abs(bar.sum(axis=2) - 240) <= 3).all()


def test_a_blurred_backdrop_is_quick() -> None:
    """It costs less than 30 ms for 1280x720 above bars of a colour; the best of five."""
    picture = floats(noise(500, 720))

    def best_ms(padding: str) -> float:
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            fit_reference(picture, "1280x720", Fitting(fit="pad", padding=padding))
            taken.append(1000 * (time.perf_counter() - begun))
        return min(taken)

    assert best_ms("blurred") - best_ms("colour") < 30


# -- what is clear ----------------------------------------------------------------------------------------------------


def test_alpha_is_put_on_the_background() -> None:
    """Opaque stays, clear is the background, half is between, to the nearest of 8 bits."""
    picture = np.array([[[100, 200, 30, 255], [100, 200, 30, 0], [100, 200, 30, 128], [255, 0, 1, 1]]], np.uint8)
    out = fit_reference(floats(picture), "4x1", Fitting(background="#ff8000"))
    half = [round((c * 128 + b * 127) / 255) for c, b in ((100, 255), (200, 128), (30, 0))]
    assert out[0].tolist() == [[100, 200, 30], [255, 128, 0], half, [255, 127, 0]]


@given(alpha=st.integers(0, 255), over=st.integers(0, 255), under=st.integers(0, 255))
def test_compositing_is_right_to_the_last_bit(alpha: int, over: int, under: int) -> None:
    """Against the exact fraction, rounded."""
    pixel = np.array([[[over, over, over, alpha]]], np.uint8)
    exact = (over * alpha + under * (255 - alpha)) / 255
    assert on_colour(pixel, (under, under, under))[0, 0].tolist() == [round(exact)] * 3


@pytest.mark.parametrize("lead", [(), (1,), (1, 1)])
def test_a_mask_is_clear_where_it_is_one(lead: tuple[int, ...]) -> None:
    """The way round that LoadImage gives it, 1 - alpha: image and mask, wired straight in, give the file's picture."""
    picture = noise(33, 21, 4)
    mask = 1 - picture[..., 3].astype(np.float32) / 255
    wired = fit_reference(floats(picture[..., :3]), "33x21", Fitting(background="#0782ff"), mask.reshape(*lead, 21, 33))
    assert np.array_equal(wired, on_colour(picture, GROUND))
    assert np.array_equal(wired, fit_reference(floats(picture), "33x21", Fitting(background="#0782ff")))


def test_a_mask_of_the_alpha_that_is_there_changes_nothing() -> None:
    """Both say the same; and where they differ, the clearer one counts."""
    picture = noise(8, 8, 4)
    mask = 1 - picture[..., 3].astype(np.float32) / 255
    assert np.array_equal(masked(picture, mask), picture)
    picture[..., 3] = 200
    assert masked(picture, np.full((8, 8), 0.75, np.float32))[..., 3].max() == 64
    assert masked(picture, np.zeros((8, 8), np.float32))[..., 3].min() == 200
    assert masked(picture, np.full((8, 8), 7.0, np.float32))[..., 3].max() == 0


def test_the_mask_of_an_image_without_transparency_is_none() -> None:
    """LoadImage then gives 64x64 zeros, whatever the image's size."""
    picture = noise(30, 20)
    assert masked(picture, np.zeros((1, 64, 64), np.float32)) is picture


def test_hidden_colours_do_not_bleed() -> None:
    """A white disc whose clear surroundings are secretly red, on blue, made smaller and larger: no red anywhere."""
    y, x = np.indices((200, 200))
    disc = np.hypot(x - 100, y - 100) < 60
    image = np.full((200, 200, 3), (255, 0, 0), np.uint8)
    image[disc] = 255
    mask = (~disc).astype(np.float32)
    for size in ("37x37", "333x333", "90x300"):
        for fit in ("crop", "pad", "stretch"):
            how = Fitting(fit=fit, background="#0000ff", padding="blurred")
            out = fit_reference(floats(image), size, how, mask).astype(int)
            assert (out[..., 0] - out[..., 1]).max() <= 1
            assert out[..., 2].min() >= 250


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "value", "code", "sizes"),
    [
        ((1, 20, 31), 0.5, "mask_size_differs", ("31x20", "30x20")),
        ((1, 64, 64), 0.5, "mask_size_differs", ("64x64", "30x20")),
        ((1, 30, 20), 0.0, "mask_size_differs", ("20x30",)),
        ((3, 20, 30), 0.0, "invalid_mask", ("(3, 20, 30)",)),
        ((30,), 0.0, "invalid_mask", ("(30,)",)),
        ((1, 20, 30), np.nan, "not_finite", ("mask",)),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    shape: tuple[int, ...], value: float, code: str, sizes: tuple[str, ...]
) -> None:
    """With both sizes in the words."""
    with failing(InvalidInputError, code, *sizes):
        fit_reference(floats(noise(30, 20)), "16x9", Fitting(), np.full(shape, value, np.float32))


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        ({"fit": "zoom"}, "unknown_option", "crop, pad, stretch"),
        ({"padding": "mirror"}, "unknown_option", "colour, blurred"),
        ({"focus_x": 1.01}, "out_of_range", "focus_x is 1.01"),
        ({"focus_y": -0.1}, "out_of_range", "focus_y"),
        ({"focus_y": float("nan")}, "out_of_range", "focus_y"),
        ({"background": "red"}, "invalid_colour", "'red'"),
        ({"background": "#fff"}, "invalid_colour", "#ff8000"),
        ({"background": "#12345g"}, "invalid_colour", "'#12345g'"),
        ({"background": ""}, "invalid_colour", "''"),
        ({"background": "#1234567"}, "invalid_colour", "'#1234567'"),
        ({"background": "#١٢٣٤٥٦"}, "invalid_colour", "'#١٢٣٤٥٦'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(change: dict[str, object], code: str, names: str) -> None:
    """Before a pixel is touched, with what is allowed."""
    with failing(InvalidInputError, code, names):
        Fitting(**change)  # type: ignore[arg-type]


def test_a_batch_and_a_size_that_is_none_are_refused() -> None:
    """As for CreateSoraJob."""
    with failing(InvalidInputError, "several_images", "2 images"):
        fit_reference(np.zeros((2, 8, 8, 3), np.float32), "16x9", Fitting())
    with failing(InvalidInputError, "invalid_size", "'16 by 9'"):
        fit_reference(np.zeros((1, 8, 8, 3), np.float32), "16 by 9", Fitting())


def test_colours_are_read_in_either_case() -> None:
    """Red, green, blue; blanks around them do not matter."""
    assert parse_colour(" #fF8001\n") == (255, 128, 1)
