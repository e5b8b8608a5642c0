"""The sound of a span: exactly as long, at its place, from any format; silence where there is none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sora_jobs.errors import InvalidInputError, MediaError
from sora_jobs.media import audio as audio_module
from sora_jobs.media.audio import audio_for, load_audio
from sora_jobs.media.frames import FrameChoice, load_frames

from ..failures import failing
from .clips import make_clip, make_sound, tone


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of picture at 30 a second and of stereo sound at 48000."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 60, audio=(48000, "stereo", 2.0))


@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(0.0, 2.0), (0.5, 0.25), (1.0, 1.0), (1 / 3, 1 / 7), (0.0, 0.0), (1.9999, 0.0001)]
)
def test_a_span_has_its_exact_length_and_its_own_sound(clip: Path, start_s: float, duration_s: float) -> None:
    """T is round(duration x rate), and the tone has the phase that it has there in the file."""
    audio = load_audio(clip, start_s=start_s, duration_s=duration_s)
    assert audio.waveform.shape == (1, 2, round(duration_s * 48000))
    assert audio.waveform.dtype == np.float32
    expected = tone(48000, duration_s, round(start_s * 48000) / 48000)
    if start_s == 0:  # AAC swings in
        audio.waveform[..., :2048] = expected[:2048]
    assert np.abs(audio.waveform[0] - expected).max(initial=0) < 0.03


def test_what_lies_behind_the_end_is_silent(clip: Path) -> None:
    """A span longer than the file is filled up; one behind it is all silence."""
    audio = load_audio(clip, start_s=1.5, duration_s=2.0)
    assert audio.waveform.shape == (1, 2, 96000)
    assert np.abs(audio.waveform[0, :, 20000:23000]).max() > 0.4
    assert not audio.waveform[0, :, 26000:].any()
    assert not load_audio(clip, start_s=100, duration_s=1).waveform.any()


def test_without_a_length_it_goes_to_the_end(clip: Path) -> None:
    """From one second on there is one second left, to within one packet of AAC."""
    assert abs(load_audio(clip, start_s=1.0).waveform.shape[2] - 48000) <= 1024


@pytest.mark.parametrize(
    ("choice", "start", "length"),
    [
        (FrameChoice(), 0, 96000),
        (FrameChoice(skip_first_frames=15, frame_load_cap=30), 24000, 48000),
        (FrameChoice(force_rate=10, skip_first_frames=5, frame_load_cap=4), 24000, 19200),
        (FrameChoice(select_every_nth=3, frame_load_cap=10), 0, 48000),
        (FrameChoice(skip_first_frames=-15), 72000, 24000),
    ],
)
def test_the_sound_of_chosen_frames_is_their_span(clip: Path, choice: FrameChoice, start: int, length: int) -> None:
    """As long as the frames are shown, from when the first of them begins; to a third of a step of 16-bit sound, since
    newer FFmpegs round a little differently behind a jump."""
    audio = audio_for(load_frames(clip, choice))
    whole = load_audio(clip, duration_s=2.0)
    assert audio.waveform.shape == (1, 2, length)
    assert np.abs(audio.waveform - whole.waveform[..., start : start + length]).max() < 1e-5


@pytest.mark.parametrize(
    ("rate", "layout", "channels"), [(44100, "mono", 1), (22050, "stereo", 2), (48000, "5.1", 6), (11025, "mono", 1)]
)
def test_rates_and_channels_are_kept(tmp_path: Path, rate: int, layout: str, channels: int) -> None:
    """Nothing is resampled or mixed; every channel has the tone (the fifth of 5.1 is the one for bass alone)."""
    audio = load_audio(make_clip(tmp_path / "clip.mp4", 30, audio=(rate, layout, 1.0)), duration_s=1.0)
    assert audio.waveform.shape == (1, channels, rate)
    assert audio.sample_rate == rate
    loud = np.abs(audio.waveform[0, :, 4096 : rate - 2048]).max(axis=1)
    assert sorted(loud.round(1))[1 if channels == 6 else 0] == pytest.approx(0.5, abs=0.11)


@pytest.mark.parametrize(
    ("codec", "sample_format", "values", "expected"),
    [
        ("pcm_u8", "u8", np.array([0, 128, 255], np.uint8), [-1, 0, 127 / 128]),
        ("pcm_s16le", "s16", np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        ("pcm_s32le", "s32", np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        ("pcm_f32le", "flt", np.array([-1.5, 0, 0.25], np.float32), [-1.5, 0, 0.25]),
        ("pcm_f64le", "dbl", np.array([-1, 0, 0.25], np.float64), [-1, 0, 0.25]),
    ],
)
def test_every_sample_format_becomes_floats(
    tmp_path: Path, codec: str, sample_format: str, values: np.ndarray, expected: list[float]
) -> None:
    """Integers are divided by their greatest size, floats stay as they are; the channels are not mixed up."""
    wave = np.stack([np.tile(values, 100), np.zeros(300, values.dtype) + values[1]], axis=1).reshape(1, -1)
    path = make_sound(tmp_path / "sound.mkv", codec, 8000, "stereo", wave, sample_format)
    audio = load_audio(path, duration_s=300 / 8000)
    assert audio.waveform[0, 0].tolist() == pytest.approx(expected * 100)
    assert not audio.waveform[0, 1].any()


def test_no_sound_is_silence_and_no_error(tmp_path: Path) -> None:
    """Stereo at 44100, as long as the frames or, without a length, as the file."""
    path = make_clip(tmp_path / "silent.mp4", 45)
    for silence in (load_audio(path), audio_for(load_frames(path))):
        assert silence.waveform.shape == (1, 2, 66150)
        assert silence.sample_rate == 44100
        assert not silence.waveform.any()


def test_sound_that_ends_early_is_filled_up(tmp_path: Path) -> None:
    """Half a second of sound under one second of picture: the rest is silence of the right length."""
    path = make_clip(tmp_path / "early.mp4", 30, audio=(48000, "mono", 0.5))
    audio = audio_for(load_frames(path))
    assert audio.waveform.shape == (1, 1, 48000)
    assert np.abs(audio.waveform[0, 0, 12000:20000]).max() > 0.4
    assert not audio.waveform[0, 0, 27000:].any()


def test_more_channels_than_the_decoder_has_planes_for_are_read(tmp_path: Path) -> None:
    """Twelve planar channels (PyAV alone reads wild memory from the ninth on), each with its own level."""
    levels = np.arange(12, dtype=np.int16) * 2560
    path = make_sound(tmp_path / "many.mkv", "wavpack", 8000, "7.1.4", np.tile(levels, 400)[None], "s16")
    wave = load_audio(path, duration_s=0.05).waveform
    assert wave.shape == (1, 12, 400)
    assert wave[0, :, 200] == pytest.approx(levels / 32768, abs=0.01)


def test_a_damaged_packet_with_other_channels_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder can make 32 channels of a damaged packet of two (seen with AAC): that piece is left out."""
    plain = audio_module.floats
    seen: list[int] = []

    def spied(piece: Any) -> np.ndarray:
        seen.append(len(piece.layout.channels))
        return plain(piece)

    class Odd:
        rate, channels = 48000, 2

        def __init__(self, pieces: list[Any]) -> None:
            self.pieces = pieces

        def decode(self) -> list[Any]:
            return self.pieces

    def frame(layout: str, pts: int) -> Any:
        packed = np.full((1, 800 * len(av.AudioLayout(layout).channels)), 0.5, np.float32)
        made = av.AudioFrame.from_ndarray(packed, "flt", layout)
        made.sample_rate, made.pts, made.time_base = 48000, pts, Fraction(1, 48000)
        return made

    class File:
        start_time = 0

        def demux(self, _: object) -> list[Odd]:
            return [Odd([frame("stereo", 0)]), Odd([frame("5.1", 800)]), Odd([frame("stereo", 1600)])]

    monkeypatch.setattr(audio_module, "floats", spied)
    out = np.zeros((2, 2400), np.float32)
    audio_module.put_samples(File(), Odd([]), out, 0.0)
    assert seen == [2, 2]
    assert (out[:, :800] == 0.5).all()
    assert not out[:, 800:1600].any()
    assert (out[:, 1600:] == 0.5).all()


def test_a_pause_in_the_sound_stays_where_it_is(tmp_path: Path) -> None:
    """0.1 s of sound, 0.4 s of nothing, 0.1 s of sound: the second piece is not moved up."""
    path = tmp_path / "pause.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        for start in (0, 4000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 800), 16384, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    wave = load_audio(path, duration_s=0.6).waveform[0, 0]
    assert (wave[:800] == 0.5).all()
    assert not wave[800:4000].any()
    assert (wave[4000:] == 0.5).all()


def test_wrong_spans_and_files_are_told(tmp_path: Path, clip: Path) -> None:
    """Negative and infinite lengths are wrong input; a file that is none is local trouble."""
    for start_s, duration_s in ((-1.0, 1.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with failing(InvalidInputError, "invalid_span", start_s, duration_s):
            load_audio(clip, start_s=start_s, duration_s=duration_s)
    with failing(MediaError, "out_of_memory", "1e+12 s"):
        load_audio(clip, duration_s=1e12)
    (tmp_path / "error.mp4").write_text('{"error": "gone"}', encoding="utf-8")
    matroska = tmp_path / "head.mkv"
    matroska.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(5000))
    with failing(MediaError, "unreadable_audio", "head.mkv"):
        load_audio(matroska)
    with failing(MediaError, "not_a_video", "JSON"):
        load_audio(tmp_path / "error.mp4")
