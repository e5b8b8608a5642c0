"""Which frames a choice means: against a plain retelling of VideoHelperSuite's loop, and against brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sora_jobs.errors import InvalidInputError
from sora_jobs.media.selection import FrameChoice, Plan, plan

from ..failures import failing

RATES = [Fraction(30), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(15, 2)]
FORCED = st.sampled_from([0, 1, 8, 10, 12, 15, 16, 23.976, 24, 25, 29.97, 30, 48, 60, 0.5, 7.3])
choices = st.builds(
    FrameChoice,
    force_rate=FORCED,
    frame_load_cap=st.integers(0, 30),
    skip_first_frames=st.integers(-20, 60),
    select_every_nth=st.integers(1, 9),
)


def even_plan(choice: FrameChoice, frames: int, fps: Fraction) -> Plan:
    return plan(choice, np.arange(frames) / float(fps), fps, even=True, tick_s=1e-5)


def told_plainly(choice: FrameChoice, frames: int, fps: Fraction) -> list[int]:
    """The walk over the file: a frame comes, time goes on by 1 / fps; while 1 / rate is saved up, it is put out."""
    target = 1 / (Fraction(choice.force_rate).limit_denominator(1001) if choice.force_rate else fps)
    saved, put_out = target, []
    for number in range(frames):
        while saved >= target:
            saved -= target
            put_out.append(number)
        saved += 1 / fps
    put_out = put_out[choice.skip_first_frames :]
    put_out = [number for at, number in enumerate(put_out) if at % choice.select_every_nth == 0]
    return put_out[: choice.frame_load_cap or None]


@given(choice=choices, frames=st.integers(1, 90), fps=st.sampled_from(RATES))
def test_even_frames_are_chosen_as_by_a_walk_over_the_file(choice: FrameChoice, frames: int, fps: Fraction) -> None:
    """Resample, skip, every nth, cap: in this order, and with exactly the frames that the plain walk gives."""
    assert even_plan(choice, frames, fps).indices.tolist() == told_plainly(choice, frames, fps)


@given(
    choice=choices,
    gaps=st.lists(st.integers(1, 60), min_size=0, max_size=40),
)
def test_uneven_frames_are_chosen_by_what_is_on_screen(choice: FrameChoice, gaps: list[int]) -> None:
    """With a variable rate, sample k is the last frame that has begun by k / rate, for every k until the last frame."""
    times = [Fraction(0)]
    for gap in gaps:
        times.append(times[-1] + Fraction(gap, 100))
    fps = (len(times) - 1) / times[-1] if gaps else Fraction(25)
    expected = list(range(len(times)))
    if choice.force_rate:
        rate = Fraction(choice.force_rate).limit_denominator(1001)
        tick = Fraction(1, 10**6)
        samples = [k / rate for k in range(int((times[-1] + tick) * rate) + 1)]
        expected = [max(i for i, time in enumerate(times) if time <= sample + tick) for sample in samples]
    expected = expected[choice.skip_first_frames :][:: choice.select_every_nth][: choice.frame_load_cap or None]
    made = plan(choice, np.array(times, np.float64), fps, even=False, tick_s=1e-6)
    assert made.indices.tolist() == expected


@given(frames=st.integers(1, 60), back=st.integers(1, 80))
def test_a_negative_skip_counts_from_the_end(frames: int, back: int) -> None:
    """-n leaves the last n frames, or all where there are fewer."""
    made = even_plan(FrameChoice(skip_first_frames=-back), frames, Fraction(30))
    assert made.indices.tolist() == list(range(frames))[-back:]
    assert made.from_end


@pytest.mark.parametrize(
    ("choice", "fps", "start_s", "duration_s"),
    [
        (FrameChoice(), 30, 0, 4),
        (FrameChoice(skip_first_frames=30, frame_load_cap=45), 30, 1, 1.5),
        (FrameChoice(select_every_nth=4), 7.5, 0, 4),
        (FrameChoice(force_rate=10, skip_first_frames=5, frame_load_cap=10), 10, 0.5, 1),
        (FrameChoice(force_rate=24, select_every_nth=2, skip_first_frames=12, frame_load_cap=6), 12, 0.5, 0.5),
    ],
)
def test_the_span_is_the_time_that_the_frames_show(
    choice: FrameChoice, fps: float, start_s: float, duration_s: float
) -> None:
    """Rate, beginning and length of the result, by which the sound is cut."""
    made = even_plan(choice, 120, Fraction(30))
    assert (made.fps, made.start_s, made.duration_s) == pytest.approx((fps, start_s, duration_s))


def test_the_span_of_uneven_frames_ends_where_the_next_one_begins() -> None:
    """Frames 1 and 2 of a variable rate last until frame 3 begins."""
    choice = FrameChoice(skip_first_frames=1, frame_load_cap=2)
    made = plan(choice, np.array([0.5, 1.0, 1.1, 3.0]), Fraction(1), even=False, tick_s=1e-3)
    assert (made.start_s, made.duration_s) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize(
    ("custom", "expected"),
    [((0, 0), (1280, 720)), ((640, 0), (640, 360)), ((0, 100), (178, 100)), ((333, 77), (333, 77)), ((1, 0), (1, 1))],
)
def test_one_side_alone_keeps_the_proportions(custom: tuple[int, int], expected: tuple[int, int]) -> None:
    """The other side follows, rounded to the nearest pixel; nothing is rounded to a multiple."""
    assert FrameChoice(custom_width=custom[0], custom_height=custom[1]).size(1280, 720) == expected


@pytest.mark.parametrize(
    "setting",
    [
        {"force_rate": -1},
        {"force_rate": float("nan")},
        {"force_rate": 1e-9},
        {"force_rate": 1e9},
        {"frame_load_cap": -1},
        {"select_every_nth": 0},
        {"select_every_nth": 1.5},
        {"skip_first_frames": True},
        {"custom_width": -2},
        {"custom_height": 10**6},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(setting: dict[str, float]) -> None:
    """The error names the setting, and nothing is opened."""
    with failing(InvalidInputError, "out_of_range", next(iter(setting))):
        FrameChoice(**setting)  # type: ignore[arg-type]
