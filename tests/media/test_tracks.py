"""Files with tracks that no decoder here knows: the frames always, the best sound that can be had, else silence; and
what breaks inside a library is an error of ours."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sora_jobs.errors import InvalidInputError, MediaError
from sora_jobs.media import backends, pyav_reader
from sora_jobs.media.audio import load_audio
from sora_jobs.media.clip import clip_of_file, clip_of_images
from sora_jobs.media.delivered import examine_delivered
from sora_jobs.media.export import save_frames
from sora_jobs.media.fit import Fitting, fit_reference
from sora_jobs.media.frames import load_frames, probe
from sora_jobs.media.reference import from_float, to_png
from sora_jobs.media.selection import FrameChoice
from sora_jobs.media.sheet import contact_sheet
from sora_jobs.media.still_images import spritesheet, thumbnail

from ..failures import failing
from .clips import HEIGHT, WIDTH, make_clip, numbered, numbers_of

RATE = 48000
Track = tuple[str, int, bool]  # layout, the tone's frequency, whether it is the default


def film(path: Path, *tracks: Track, unknown: tuple[int, ...] = ()) -> Path:
    """24 frames, and a second of each tone; the tracks of these numbers are of a kind that no decoder knows."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=30, options={"crf": "12"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sounds = [file.add_stream("aac", rate=RATE, layout=layout) for layout, _, _ in tracks]
        for number in range(24):
            file.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(video.encode(None))
        for sound, (layout, hertz, _) in zip(sounds, tracks, strict=True):
            wave = (0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)
            for start in range(0, RATE, 1024):
                piece = np.tile(wave[start : start + 1024], (len(av.AudioLayout(layout).channels), 1))
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", layout)
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                file.mux(sound.encode(frame))
            file.mux(sound.encode(None))
    data = bytearray(path.read_bytes())
    at = head = 0
    for number in (-1, *range(len(tracks))):  # the first is the picture's
        at, head = data.index(b"stsd", at + 1), data.index(b"tkhd", head + 1)
        data[head + 7] = data[head + 7] & ~1 | (
            number < 0 or tracks[number][2]
        )  # "enabled", which FFmpeg calls default
        if number in unknown:
            assert data[at + 16 : at + 20] == b"mp4a"
            inner = data.index(b"esds", at)
            data[at + 16 : at + 20], data[inner : inner + 4] = b"apac", b"dapa"
    path.write_bytes(data)
    return path


def hertz(path: Path) -> int:
    """The pitch of the sound that is given for it, in tens; 0 for silence."""
    wave = load_audio(path, duration_s=0.8).waveform[0, 0, RATE // 10 :]
    return int(round(np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave), -1)) if wave.any() else 0


TONES: dict[str, tuple[tuple[Track, ...], tuple[int, ...], int, str]] = {
    "both": ((("mono", 440, True), ("mono", 880, False)), (), 440, ""),
    "not the first": ((("mono", 440, True), ("mono", 880, False)), (0,), 880, "of track 2 is taken"),
    "not the second": ((("mono", 440, True), ("mono", 880, False)), (1,), 440, ""),
    "none": ((("mono", 440, True), ("mono", 880, False)), (0, 1), 0, "which is therefore silence"),
    "only one, unknown": ((("stereo", 440, True),), (0,), 0, "which is therefore silence"),
    "more channels": (
        (("mono", 440, True), ("mono", 660, False), ("stereo", 880, False)),
        (0,),
        880,
        "of track 3 is taken",
    ),
    "the default": (
        (("mono", 440, True), ("stereo", 660, False), ("mono", 880, True)),
        (0,),
        880,
        "of track 3 is taken",
    ),
}


@pytest.mark.parametrize("name", TONES)
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_sound_is_that_of_the_best_track_with_a_decoder(tmp_path: Path, name: str, suffix: str) -> None:
    """Phones write a second kind of sound that FFmpeg does not know: every frame is there, and somebody is told."""
    tracks, unknown, expected, words = TONES[name]
    path = film(tmp_path / f"film{suffix}", *tracks, unknown=unknown)
    loaded = load_frames(path)
    assert (numbers_of(loaded.pixels), loaded.warnings) == (list(range(24)), ())
    info = probe(path)
    assert (info.has_audio, info.audio_rate) == (expected > 0, RATE if expected else 0)
    assert hertz(path) == expected
    clip = clip_of_file(path, FrameChoice())
    assert [words in warning and path.name in warning for warning in clip.warnings] == ([True] if words else [])
    assert clip.waveform.shape[2] == round(0.8 * clip.sample_rate)
    if suffix == ".mp4":
        assert examine_delivered(path).is_complete


def test_a_picture_without_a_decoder_leaves_the_other_one(tmp_path: Path) -> None:
    """Of two pictures the one that can be decoded is taken, whatever is asked of it."""
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("libx264", rate=30, options={"crf": "12", "g": "5"}) for _ in range(2)]
        for stream, scale in zip(streams, (2, 1), strict=True):
            stream.width, stream.height, stream.pix_fmt = scale * WIDTH, scale * HEIGHT, "yuv420p"
        for number in range(24):
            for stream in streams:
                picture = numbered(number, stream.width, stream.height)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            file.mux(stream.encode(None))
    path.write_bytes(
        path.read_bytes().replace(b"avc1", b"zzz1", 2).replace(b"zzz1", b"avc1", 1)
    )  # the brand, the first
    for choice, expected in ((FrameChoice(), list(range(24))), (FrameChoice(skip_first_frames=-2), [22, 23])):
        loaded = load_frames(path, choice)
        assert loaded.pixels.shape[1:3] == (HEIGHT, WIDTH)
        assert numbers_of(loaded.pixels) == expected


def test_sound_that_begins_late_is_heard(tmp_path: Path) -> None:
    """In a transport stream FFmpeg knows nothing of it until then."""
    path = tmp_path / "late.ts"
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=5, options={"g": "5", "bf": "0"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = file.add_stream("aac", rate=RATE, layout="mono")
        for number in range(60):
            file.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(video.encode(None))
        wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
        for start in range(0, RATE, 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None, start : start + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 10 * RATE + start, Fraction(1, RATE)
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    audio = load_audio(path, duration_s=12.0)
    assert audio.sample_rate == RATE
    assert not audio.waveform[..., : 9 * RATE].any()
    assert np.abs(audio.waveform[0, 0, round(10.2 * RATE) :][: RATE // 2]).max() > 0.4


def test_sound_of_which_nothing_can_be_decoded_is_silence_and_told(tmp_path: Path) -> None:
    """The track has a decoder, and every packet of it is noise."""
    path = film(tmp_path / "film.mp4", ("mono", 440, True))
    with av.open(str(path)) as file:
        places = [(packet.pos or 0, packet.size) for packet in file.demux(audio=0) if packet.size]
    data = bytearray(path.read_bytes())
    for at, size in places:
        data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    audio = load_audio(path, duration_s=0.8)
    assert audio.waveform.shape == (1, 1, round(0.8 * RATE))
    assert not audio.waveform.any()
    assert "damaged" in audio.note


# -- what breaks inside a library ------------------------------------------------------------------------------------

PIXELS = np.zeros((2, HEIGHT, WIDTH, 3), np.float32)
USES: dict[str, Callable[[Path], Any]] = {
    "probe": probe,
    "load_frames": load_frames,
    "load_audio": load_audio,
    "clip_of_file": lambda path: clip_of_file(path, FrameChoice()),
    "save_frames": lambda path: save_frames(path, path.parent / "png"),
    "contact_sheet": lambda path: contact_sheet(path, path.parent / "sheet.png"),
    "thumbnail": thumbnail,
    "spritesheet": spritesheet,
}
OPENCV_USES: dict[str, Callable[[Path], Any]] = {
    "to_png": lambda _: to_png(np.zeros((4, 4, 3), np.uint8)),
    "from_float": lambda _: from_float(PIXELS[:1]),
    "fit_reference": lambda _: fit_reference(PIXELS[:1], "64x64", Fitting()),
    "clip_of_images": lambda _: clip_of_images(PIXELS, 24, None, 0, FrameChoice(custom_width=80)),
}
BREAKS = [
    AttributeError("'NoneType' object has no attribute 'rate'"),
    TypeError("open() got an unexpected keyword argument 'metadata_errors'"),
    ValueError("Expected numpy array with dtype `uint8`"),
    RuntimeError("Cannot change thread_type after codec is open."),
    IndexError("list index out of range"),
    OSError(5, "Input/output error"),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", audio=(RATE, "mono", 0.8))


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", USES)
def test_whatever_breaks_in_pyav_is_an_error_of_ours(
    clip: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    """Newer versions change: no bare exception reaches a node, and the cause and the file are named."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(backends, "open_av", broken)
    with pytest.raises(MediaError) as caught:
        USES[name](clip)
    assert caught.value.__cause__ is error or caught.value.__cause__.__cause__ is error
    assert clip.name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("error", [*BREAKS[:3], None], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", [*OPENCV_USES, "load_frames", "save_frames", "thumbnail"])
def test_whatever_breaks_in_opencv_is_an_error_of_ours(
    clip: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception | None
) -> None:
    """Its own error too, which is nothing but an Exception."""
    raised = error or backends.cv2().error("OpenCV(5.0.0) error: (-215:Assertion failed) !_src.empty()")

    class Broken:
        def __getattr__(self, name: str) -> Any:
            if name.isupper() or name == "error":
                return getattr(real, name)

            def function(*_: object, **__: object) -> None:
                raise raised

            return function

    real = backends.cv2()
    monkeypatch.setattr(backends, "cv2", Broken)
    with pytest.raises(MediaError) as caught:
        (OPENCV_USES | USES)[name](clip)
    assert caught.value.__cause__ is raised


def test_too_little_memory_is_told_as_that(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it runs out."""

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pyav_reader, "to_bgr", full)
    with failing(MediaError, "out_of_memory", clip.name) as caught:
        load_frames(clip)
    assert "memory = disk" in caught.value.hint


@pytest.mark.parametrize("ends", [KeyboardInterrupt, concurrent.futures.CancelledError, InvalidInputError])
def test_an_end_that_was_meant_is_passed_on(clip: Path, ends: type[BaseException]) -> None:
    """Ctrl-C, a cancelled node, and the errors of the tree."""
    what = ends("x") if ends is InvalidInputError else ends()

    def stop(*_: int) -> None:
        raise what

    with pytest.raises(ends) as caught:
        load_frames(clip, progress=stop)
    assert caught.value is what
