"""Every frame, right numbers, right colours, right times; and words instead of a crash for files that are none."""

from __future__ import annotations

import concurrent.futures
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sora_jobs.errors import MediaError
from sora_jobs.media import frames as frames_module
from sora_jobs.media.audio import audio_for, load_audio
from sora_jobs.media.colour import Colour, opencv_is_right, opencv_reads_fields
from sora_jobs.media.frames import Frames, load_frames, probe
from sora_jobs.media.opencv_reader import OpencvReader
from sora_jobs.media.probe import examine
from sora_jobs.media.pyav_reader import PyavReader
from sora_jobs.media.resize import fitted
from sora_jobs.media.selection import FrameChoice, plan
from sora_jobs.media.timestamps import spacing

from ..failures import failing
from .clips import cut, in_another_process, make_clip, numbers_of, rotated


@pytest.fixture(scope="module", params=["bt601", ""], ids=["OpenCV", "PyAV"])
def clip(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """24 frames at 30 a second, with a second of stereo sound; tagged as every OpenCV reads it right, or not."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(path, audio=(44100, "stereo", 0.8), matrix=request.param)


def opencv_rgb(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    found = []
    while (read := capture.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return found


def test_every_frame_is_there_in_order_and_exact(clip: Path) -> None:
    """All 24 numbers, float32 in one piece, bit for bit x / 255 of what the decoder gives."""
    loaded = load_frames(clip)
    assert numbers_of(loaded.pixels) == list(range(24))
    assert loaded.pixels.dtype == np.float32
    assert loaded.pixels.flags.c_contiguous
    for mine, theirs in zip(loaded.pixels, opencv_rgb(clip), strict=True):
        assert np.array_equal(mine, theirs.astype(np.float32) / np.float32(255))
    assert loaded.indices.tolist() == list(range(24))
    assert loaded.times_s == pytest.approx(np.arange(24) / 30)
    assert (loaded.fps, loaded.indices[0], loaded.warnings) == (30.0, 0, ())


def test_probe_says_what_the_file_is(clip: Path) -> None:
    """Size, rate, counts, sound and codec."""
    info = probe(clip)
    assert (info.width, info.height, info.frames, info.declared_frames) == (160, 96, 24, 24)
    assert (info.fps, info.has_audio, info.audio_rate, info.codec) == (30.0, True, 44100, "h264")
    assert info.duration_s == pytest.approx(0.8)
    assert info.even
    assert not info.cut_short


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    choice=st.builds(
        FrameChoice,
        force_rate=st.sampled_from([0, 10, 24, 29.97, 60]),
        frame_load_cap=st.integers(0, 12),
        skip_first_frames=st.integers(-8, 12),
        select_every_nth=st.integers(1, 5),
    )
)
def test_the_frames_of_a_choice_are_those_of_its_plan(clip: Path, choice: FrameChoice) -> None:
    """What is decoded carries the numbers that the plan names, repeated ones too."""
    source = examine(clip)
    expected = plan(choice, source.times_s, source.rate, even=True, tick_s=source.tick_s).indices.tolist()
    if not expected:
        with failing(MediaError, "no_frame_chosen", 24):
            load_frames(clip, choice)
        return
    loaded = load_frames(clip, choice)
    assert numbers_of(loaded.pixels) == loaded.indices.tolist() == expected


@pytest.mark.parametrize("reader", [OpencvReader, PyavReader])
def test_nothing_is_decoded_that_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: type[OpencvReader | PyavReader]
) -> None:
    """Frames before and between are not converted, and the decoder stops behind the cap; PyAV leaves out those that no
    other one refers to."""
    clip = make_clip(tmp_path / "clip.mp4", matrix="bt601" if reader is OpencvReader else "")
    fields = examine(clip).fields and not opencv_reads_fields()  # an old PyAV does not tell whether there are any
    if reader is OpencvReader and (fields or not opencv_is_right(Colour("bt601", full=False))):
        pytest.skip("the libraries here are too old for OpenCV to be chosen")
    came, converted = [], []
    frames, picture = reader.frames, reader._picture

    def counted(self: object, *given: object, **more: object) -> Iterator[object]:
        for number, take in frames(self, *given, **more):  # type: ignore[arg-type]
            came.append(number)
            yield number, take

    monkeypatch.setattr(reader, "frames", counted)
    monkeypatch.setattr(reader, "_picture", lambda *given: (converted.append(1), picture(*given))[1])
    load_frames(clip, FrameChoice(skip_first_frames=2, select_every_nth=2, frame_load_cap=2))
    assert len(converted) == 2
    assert came == [0, 1, 2, 3, 4] if reader is OpencvReader else {2, 4} <= set(came) <= {0, 1, 2, 3, 4}


CODINGS = {
    "closed": {"bf": "2"},
    "open groups": {"bf": "3", "x264-params": "open-gop=1:bframes=3:b-pyramid=normal"},
    "scene cuts": {"bf": "3", "sc_threshold": "40"},
    "no B-frames": {"bf": "0"},
}


@pytest.fixture(scope="module", params=CODINGS)
def groups(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, Frames]:
    """100 frames in groups of 12, and all of them decoded from the beginning."""
    path = tmp_path_factory.mktemp("groups") / "groups.mp4"
    make_clip(path, 100, matrix="bt709", gop=12, coding=CODINGS[request.param])
    return path, load_frames(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    choice=st.builds(
        FrameChoice,
        force_rate=st.sampled_from([0, 0, 7, 29.97]),
        frame_load_cap=st.integers(0, 12),
        skip_first_frames=st.integers(-60, 90),
        select_every_nth=st.integers(1, 40),
    )
)
def test_jumping_ahead_changes_no_pixel(groups: tuple[Path, Frames], choice: FrameChoice) -> None:
    """Wherever decoding begins and whatever it leaves out, each frame is the one of the whole file, bit for bit."""
    path, every = groups
    try:
        loaded = load_frames(path, choice)
    except MediaError as error:
        assert error.code == "no_frame_chosen"
        return
    assert np.array_equal(loaded.pixels, every.pixels[loaded.indices])
    assert loaded.warnings == ()


def test_the_last_frame_is_jumped_to(groups: tuple[Path, Frames], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 frames no more than the last group is decoded, and one is converted."""
    path, every = groups
    decoded: list[int] = []
    plain = PyavReader._decoded

    def counted(self: PyavReader, needed: object) -> Iterator[object]:
        for frame in plain(self, needed):  # type: ignore[arg-type]
            decoded.append(1)
            yield frame

    monkeypatch.setattr(PyavReader, "_decoded", counted)
    last = load_frames(path, FrameChoice(skip_first_frames=-1))
    assert np.array_equal(last.pixels, every.pixels[-1:])
    assert 1 <= len(decoded) <= 15


@pytest.mark.parametrize("size", [(80, 0), (0, 200), (50, 90), (320, 48), (161, 97)])
def test_a_size_crops_the_middle_and_scales(clip: Path, size: tuple[int, int]) -> None:
    """Each frame is what `fitted` makes of the full one; the channels stay in their order."""
    choice = FrameChoice(custom_width=size[0], custom_height=size[1], frame_load_cap=2)
    loaded = load_frames(clip, choice)
    width, height = choice.size(160, 96)
    for mine, full in zip(loaded.pixels, opencv_rgb(clip)[:2], strict=True):
        assert np.array_equal(np.rint(mine * 255), fitted(full, width, height, "crop"))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_file_comes_upright(clip: Path, tmp_path: Path, degrees: int) -> None:
    """The display matrix is applied: sizes in info and pixels are those of the picture as it is shown."""
    loaded = load_frames(rotated(clip, tmp_path / "turned.mp4", degrees), FrameChoice(frame_load_cap=3))
    plain = load_frames(clip, FrameChoice(frame_load_cap=3))
    assert np.array_equal(loaded.pixels, np.rot90(plain.pixels, -degrees // 90, axes=(1, 2)))
    assert (loaded.info.height, loaded.info.width) == loaded.pixels.shape[1:3]
    assert loaded.info.rotation == (360 - degrees) % 360


def test_a_variable_rate_is_sampled_by_its_own_times(tmp_path: Path) -> None:
    """Frames last 0.1, 0.5, 0.1 … s; five samples a second show what a player would show at each moment."""
    ticks = [0, 60, 360, 420, 480, 780, 840]  # in 1/600 s
    path = make_clip(tmp_path / "vfr.mp4", len(ticks), ticks=ticks)
    loaded = load_frames(path)
    assert not loaded.info.even
    assert numbers_of(loaded.pixels) == list(range(7))
    assert loaded.times_s == pytest.approx(np.array(ticks) / 600)
    sampled = load_frames(path, FrameChoice(force_rate=5))
    assert numbers_of(sampled.pixels) == [0, 1, 1, 2, 4, 4, 4, 6]


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_a_picture_that_begins_after_the_sound_keeps_its_times(tmp_path: Path, name: str) -> None:
    """Picture from 0.5 s on, sound from 0: the times tell, and the sound of the frames is the one at that moment.

    An older FFmpeg counts from the encoder's 21 ms of run-up, which lie before the sound in Matroska.
    """
    ticks = [300 + 20 * number for number in range(12)]
    path = make_clip(tmp_path / name, 12, ticks=ticks, audio=(48000, "mono", 1.0))
    loaded = load_frames(path)
    assert numbers_of(loaded.pixels) == list(range(12))
    assert loaded.times_s == pytest.approx(0.5 + np.arange(12) / 30, abs=0.022)
    assert loaded.start_s == pytest.approx(loaded.times_s[0])
    sound = audio_for(loaded).waveform[0, 0]
    assert np.array_equal(sound, load_audio(path, start_s=loaded.start_s, duration_s=0.4).waveform[0, 0])
    assert np.abs(sound).max() > 0.4


def test_a_damaged_time_stamp_still_gives_a_rate() -> None:
    """Times hours apart that no rate of the header bears out: slow, uneven, and not zero."""
    rate, even = spacing(np.array([0.0, 1.0, 90000.0]), 1e-3, [Fraction(30), Fraction(30)])
    assert 0 < rate < 1
    assert not even


def test_a_file_that_does_not_begin_at_zero_is_moved_there(tmp_path: Path) -> None:
    """Times count from the file's beginning, wherever its clock stands."""
    ticks = [3000 + 20 * number for number in range(12)]
    loaded = load_frames(make_clip(tmp_path / "clock.mkv", 12, ticks=ticks))
    assert loaded.times_s == pytest.approx(np.arange(12) / 30, abs=0.001)
    assert loaded.fps == pytest.approx(30, rel=0.01)


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    """60 frames are declared and 20 of them hidden: 40 come, numbered from 0 as they are shown."""
    loaded = load_frames(make_clip(tmp_path / "edited.mp4", 60, hide=20))
    assert numbers_of(loaded.pixels) == list(range(20, 60))
    assert (loaded.info.frames, loaded.info.declared_frames, loaded.warnings) == (40, 60, ())
    assert loaded.indices[0] == 0
    last = load_frames(tmp_path / "edited.mp4", FrameChoice(skip_first_frames=-1))
    assert numbers_of(last.pixels) == [59]


def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    """Cut at 60 %: the frames that exist, in order, and a warning with both counts; also when counted from the end."""
    whole = make_clip(tmp_path / "whole.mp4", 120)
    short = cut(whole, tmp_path / "short.mp4", 0.6)
    loaded = load_frames(short)
    count = len(loaded.pixels)
    assert 20 < count < 110
    assert numbers_of(loaded.pixels) == list(range(count))
    assert len(loaded.indices) == len(loaded.times_s) == count
    assert loaded.duration_s == pytest.approx(count / 30)
    (warning,) = loaded.warnings
    assert "120" in warning
    assert str(count) in warning
    assert loaded.info.cut_short
    last = load_frames(short, FrameChoice(skip_first_frames=-2))
    assert numbers_of(last.pixels) == [count - 2, count - 1]


def test_a_file_that_ends_between_two_frames_is_short_too(tmp_path: Path) -> None:
    """Its media box says "to the end of the file" and its last frame is whole: only the count tells."""
    whole = make_clip(tmp_path / "whole.mp4", 60)
    with av.open(str(whole)) as file:
        ends = [packet.pos + packet.size for packet in file.demux(video=0) if packet.size]
    data = bytearray(whole.read_bytes()[: ends[31]])  # four groups of eight, each decodable alone
    start = data.index(b"mdat") - 4
    data[start : start + 4] = bytes(4)
    (tmp_path / "short.mp4").write_bytes(data)
    loaded = load_frames(tmp_path / "short.mp4")
    assert numbers_of(loaded.pixels) == list(range(32))
    assert [("60" in warning, "32" in warning) for warning in loaded.warnings] == [(True, True)]


@pytest.mark.parametrize("choice", [FrameChoice(), FrameChoice(skip_first_frames=-3), FrameChoice(force_rate=60)])
def test_no_frame_is_lost_when_more_come_than_were_counted(
    clip: Path, choice: FrameChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the packets promise 20 frames and the decoder gives 24, the result is that of the 24."""
    source = examine(clip)
    short = replace(
        source, info=replace(source.info, frames=20), times_s=source.times_s[:20], stamps=source.stamps[:20], keys=()
    )
    expected = load_frames(clip, choice)
    monkeypatch.setattr(frames_module, "examined", lambda _: contextlib.nullcontext((short, None)))
    loaded = load_frames(clip, choice)
    assert numbers_of(loaded.pixels) == numbers_of(expected.pixels)
    assert loaded.times_s == pytest.approx(expected.times_s)
    assert loaded.info.frames == 24


def test_progress_is_told_and_a_cancelled_load_stops(clip: Path) -> None:
    """Progress counts up to all frames; cancelling raises CancelledError before the file is read to its end."""
    told: list[tuple[int, int]] = []
    load_frames(clip, progress=lambda done, of: told.append((done, of)))
    assert told == [(done, 24) for done in range(1, 25)]
    asked = iter([False] * 5 + [True] * 100)
    told.clear()
    with pytest.raises(concurrent.futures.CancelledError):
        load_frames(clip, progress=lambda done, of: told.append((done, of)), cancelled=lambda: next(asked))
    assert len(told) <= 5


def test_importing_the_engine_imports_no_decoder() -> None:
    """cv2, av and Pillow come at first use; torch and ComfyUI never."""
    code = """
import sora_jobs.media.frames, sora_jobs.media.audio, sora_jobs.media.sheet, sora_jobs.media.reference
print([name for name in ("cv2", "av", "PIL", "torch", "comfy") if name in sys.modules])
"""
    assert in_another_process(code).strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the peak of one program only on Linux")
def test_the_peak_of_memory_is_the_frames_and_little_more(tmp_path: Path) -> None:
    """Above what the imports take, loading needs the buffer and some pictures; nowhere near a second copy."""
    path = make_clip(tmp_path / "large.mp4", 90, size=(960, 540), gop=30)
    code = """
import cv2, av
from pathlib import Path
from sora_jobs.media.frames import load_frames
def kib(name):
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
before = kib("VmRSS")
frames = load_frames(sys.argv[1])
print((kib("VmHWM") - before) * 1024 / frames.pixels.nbytes)
"""
    assert 0.98 < float(in_another_process(code, str(path))) < 1.10
