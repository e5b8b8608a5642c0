"""What a provider sent is accepted unless it surely is no video: a check that breaks loses nothing that was paid."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from sora_jobs.errors import MediaError
from sora_jobs.media import backends, container, delivered, probe, samples
from sora_jobs.media.delivered import examine_delivered

from ..failures import failing
from .clips import HEIGHT, WIDTH, cut, make_clip, make_sound, numbered, tone
from .test_tracks import film


def coded(path: Path, codec: str = "libx264", frames: int = 24, **options: str) -> Path:
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    return path


SENT: dict[str, tuple[Callable[[Path], Path], str]] = {
    "MP4": (lambda at: make_clip(at / "a.mp4"), ".mp4"),
    "MP4 with a late index": (lambda at: make_clip(at / "a.mp4", faststart=False), ".mp4"),
    "fragmented MP4": (lambda at: coded(at / "a.mp4", movflags="frag_keyframe+empty_moov"), ".mp4"),
    "MOV": (lambda at: coded(at / "a.mov"), ".mov"),
    "WebM, VP8": (lambda at: coded(at / "a.webm", "libvpx"), ".webm"),
    "WebM, VP9": (lambda at: coded(at / "a.webm", "libvpx-vp9"), ".webm"),
    "Matroska": (lambda at: coded(at / "a.mkv"), ".mkv"),
    "transport stream": (lambda at: coded(at / "a.ts"), ".ts"),
    "AVI": (lambda at: coded(at / "a.avi", "mpeg4"), ".avi"),
}


@pytest.mark.parametrize("name", SENT)
def test_what_plays_is_accepted_under_its_own_suffix(tmp_path: Path, name: str) -> None:
    """Whatever it was called while it came."""
    make, suffix = SENT[name]
    found = examine_delivered(make(tmp_path).rename(tmp_path / "v.part"))
    assert (found.suffix, found.is_complete, found.warnings) == (suffix, True, ())
    assert (found.width, found.height, found.frames) == (WIDTH, HEIGHT, 24)
    assert found.fps == pytest.approx(30, rel=0.02)
    assert found.duration_s == pytest.approx(0.8, rel=0.05)
    assert found.codec
    assert not found.has_audio


def test_a_trailer_is_no_reason_to_fetch_it_again(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=(48000, "mono", 0.8))
    path.write_bytes(path.read_bytes() + random.Random(1).randbytes(500))
    found = examine_delivered(path)
    assert (found.is_complete, found.warnings, found.has_audio) == (True, (), True)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_truncated_one_is_accepted_as_incomplete(tmp_path: Path, suffix: str) -> None:
    """With both counts where they are known."""
    whole = coded(tmp_path / f"whole{suffix}", "libvpx" if suffix == ".webm" else "libx264", 90, movflags="faststart")
    found = examine_delivered(cut(whole, tmp_path / "v.part", 0.6))
    assert (found.suffix, found.is_complete) == (suffix, False)
    assert 0 < found.frames < 90
    assert "cut short" in found.warnings[0]


def test_a_film_that_ffmpeg_does_not_open_for_its_unfinished_end_is_accepted(tmp_path: Path) -> None:
    """As incomplete, since a whole one may be had: every frame is there, and other players show them."""
    path = make_clip(tmp_path / "film.mp4")
    path.write_bytes(path.read_bytes() + struct.pack(">I", 9000) + b"uuid" + bytes(10))
    with failing(MediaError, "unreadable_video", path.name):
        probe.probe(path)
    delivered = examine_delivered(path)
    assert (delivered.suffix, delivered.is_complete) == (".mp4", False)
    assert "could not be checked" in delivered.warnings[0]


def test_a_sound_or_a_picture_without_a_decoder_is_a_warning(tmp_path: Path) -> None:
    """It was paid for, and a newer decoder may play it."""
    found = examine_delivered(film(tmp_path / "a.mp4", ("mono", 440, True), unknown=(0,)))
    assert (found.is_complete, found.has_audio, found.frames) == (True, False, 24)
    assert "no decoder for its sound" in found.warnings[0]
    path = make_clip(tmp_path / "b.mp4")
    data = bytearray(path.read_bytes())
    at = data.index(b"stsd") + 16
    data[at : at + 4] = b"zzz1"
    path.write_bytes(data)
    found = examine_delivered(path)
    assert (found.suffix, found.is_complete, found.frames) == (".mp4", True, 0)
    assert "no decoder for the picture of b.mp4" in found.warnings[0]


def noise(path: Path) -> Path:
    """An MP4 whose index is good and whose coded pictures are zeros."""
    data = bytearray(make_clip(path).read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    return path


def image(path: Path, name: str, **options: Any) -> Path:
    Image.fromarray(numbered(1)).save(path.with_name(name), **options)
    return path.with_name(name).rename(path)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


NO_VIDEO: dict[str, Callable[[Path], Path]] = {
    "nothing": lambda at: written(at, b""),
    "JSON": lambda at: written(at, json.dumps({"error": {"message": "no"}}).encode()),
    "HTML": lambda at: written(at, b"<!doctype html><title>502 Bad Gateway</title>"),
    "text": lambda at: written(at, b"not ready yet\n"),
    "a playlist": lambda at: written(at, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    "a zip": lambda at: written(at, b"PK\x03\x04" + bytes(200)),
    "a PNG": lambda at: image(at, "a.png"),
    "a JPEG": lambda at: image(at, "a.jpg"),
    "a GIF of one picture": lambda at: image(at, "a.gif"),
    "an animated WebP": lambda at: image(at, "a.webp", save_all=True, append_images=[Image.fromarray(numbered(2))]),
    "sound": lambda at: make_sound(at, "aac", 48000, "mono", tone(48000, 0.3)[None], "fltp"),
    "the head of an MP4": lambda at: written(at, b"\0\0\0\x20ftypisom" + bytes(200)),
    "the head of a WebM": lambda at: written(at, b"\x1a\x45\xdf\xa3" + bytes(200)),
    "noise": noise,
    "no file": lambda at: at,
}


@pytest.mark.parametrize("name", NO_VIDEO)
def test_what_surely_is_no_video_is_refused(tmp_path: Path, name: str) -> None:
    """By its content, whatever it is called."""
    with pytest.raises(MediaError) as caught:
        examine_delivered(NO_VIDEO[name](tmp_path / "v.mp4"))
    assert "v.mp4" in caught.value.message


def test_a_picture_has_the_code_of_what_is_no_video(tmp_path: Path) -> None:
    with failing(MediaError, "not_a_video", "GIF"):
        examine_delivered(NO_VIDEO["a GIF of one picture"](tmp_path / "v.mp4"))


@pytest.mark.parametrize("count", [50_000_000, 2**32 - 1])
def test_one_that_declares_millions_of_frames_is_refused(tmp_path: Path, count: int) -> None:
    """In a fragment, and behind the file."""
    clip = make_clip(tmp_path / "c.mp4").read_bytes()
    bomb = b"\0\0\0\x24moof\0\0\0\x1ctraf\0\0\0\x14trun\0\0\0\0" + struct.pack(">I", count) + bytes(4)
    for data in (clip + bomb, clip + struct.pack(">I", 1 << 30) + b"junk" + bomb):
        with failing(MediaError, "too_many_frames", "b.mp4"):
            examine_delivered(written(tmp_path / "b.mp4", data))


PLACES: dict[str, tuple[Any, str]] = {
    "the container's check": (container, "container_of"),
    "its index": (samples, "end_of"),
    "opening it": (backends, "open_av"),
    "its tracks": (delivered, "best_picture"),
    "its packets": (probe.packets, "walked"),
    "its tags": (probe, "_tagged"),
    "the words": (delivered, "warnings_of"),
}


@pytest.mark.parametrize(
    "error",
    [AttributeError("rate"), TypeError("metadata_errors"), MemoryError(), OSError(5, "I/O error"), RecursionError("x")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", PLACES)
def test_a_check_that_breaks_accepts_the_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    """Whatever breaks, wherever: the video was paid for."""

    def broken(*_: object, **__: object) -> None:
        raise error

    path = make_clip(tmp_path / "a.mov" if place != "the container's check" else tmp_path / "a.mp4")
    module, name = PLACES[place]
    monkeypatch.setattr(module, name, broken)
    found = examine_delivered(path)
    assert found.suffix == (".mp4" if place in ("the container's check", "its index") else ".mov")
    assert found.is_complete
    (warning,) = found.warnings
    assert "could not be checked" in warning
    assert warning.count(path.name) == 1


def test_without_pyav_it_is_stored_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its container is known all the same, and whether that was truncated."""

    def missing() -> None:
        try:
            raise ModuleNotFoundError("No module named 'av'")
        except ModuleNotFoundError as error:
            raise MediaError("PyAV cannot be loaded.", hint="pip install av") from error

    clip = make_clip(tmp_path / "a.mkv", 90)
    short = cut(clip, tmp_path / "b.mkv", 0.6)
    monkeypatch.setattr(backends, "av", missing)
    for path, is_complete in ((clip, True), (short, False)):
        found = examine_delivered(path)
        assert (found.suffix, found.is_complete) == (".mkv", is_complete)
        assert "could not be checked: PyAV cannot be loaded" in found.warnings[0]
    with failing(MediaError, "not_a_video", "c.mp4"):
        examine_delivered(written(tmp_path / "c.mp4", b'{"error": "no"}'))
