"""Words instead of a crash: files that are no video, choices that leave nothing, machines without the means."""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sora_jobs.errors import MediaError
from sora_jobs.media import backends, frame_buffer, pyav_reader
from sora_jobs.media.delivered import examine_delivered
from sora_jobs.media.frames import load_frames, probe
from sora_jobs.media.selection import FrameChoice

from ..failures import failing
from .clips import cut, in_another_process, make_clip, make_sound, tone
from .machines import machine


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames at 30 a second, without sound."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_a_choice_without_frames_says_how_many_there_are(clip: Path) -> None:
    """Skipping more than there is names both numbers."""
    with failing(MediaError, "no_frame_chosen", "has 24", "skip_first_frames is 99"):
        load_frames(clip, FrameChoice(skip_first_frames=99))


def test_what_does_not_fit_in_memory_is_refused_before_decoding(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says need, what is available and the cap that would fit."""
    one = 160 * 96 * 12
    machine(monkeypatch, free=10 * one)
    converted: list[int] = []
    plain = pyav_reader.to_bgr
    monkeypatch.setattr(pyav_reader, "to_bgr", lambda *given: (converted.append(1), plain(*given))[1])
    with failing(MediaError, "out_of_memory", "24 frames of 160x96", "are available") as caught:
        load_frames(clip)
    assert re.search(r"frame_load_cap = \d would fit", caught.value.hint)
    assert len(converted) == 1  # the first, which tells the true size


def test_frames_can_lie_on_disk(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little memory there is: the same frames, which can be changed like others, in a file without a name."""
    expected = load_frames(clip).pixels
    machine(monkeypatch, free=1)
    pixels = load_frames(clip, scratch=tmp_path / "scratch").pixels
    assert isinstance(pixels, np.memmap)
    assert np.array_equal(pixels, expected)
    pixels[0] = 0.25
    assert pixels[0].mean() == 0.25
    if sys.platform == "linux":
        assert list((tmp_path / "scratch").iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_decoded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is needed and what is free; and the same where the room is gone in that very moment."""
    with monkeypatch.context() as small:
        small.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=1 << 20))
        with failing(MediaError, "no_space", "24 frames of 160x96", "4.2 MiB on disk", "1.0 MiB"):
            load_frames(clip, scratch=tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with failing(MediaError, "no_space", "No space left"):
        load_frames(clip, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_allocation_that_fails_is_told_as_need(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows how much memory there is, a MemoryError becomes the same words."""
    machine(monkeypatch)
    with failing(MediaError, "out_of_memory", "8192x8192", "GiB"):
        load_frames(clip, FrameChoice(custom_width=8192, custom_height=8192, force_rate=1000))


def test_available_memory_is_a_sane_number_and_a_container_lowers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The smaller of what the machine and its container have; what the page cache can give back counts as free."""
    container = {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 400\ninactive_file 250\n"}
    machine(monkeypatch, cgroup=container)
    assert frame_buffer.available_bytes() == 550
    machine(monkeypatch, cgroup=container | {"memory.max": "max"})
    assert frame_buffer.available_bytes() is None
    machine(monkeypatch, meminfo="MemTotal: 9 kB\nMemAvailable: 5 kB\nSwapFree: 2 kB\n")
    assert frame_buffer.available_bytes() == 5 * 1024  # a machine that swaps stands still
    for free, expected in ((800, 550), (300, 300)):
        machine(monkeypatch, free=free, cgroup=container)
        assert frame_buffer.available_bytes() == expected


# The key lies where the shown part (160 letters) ends: cut before it is hidden, its rest would not look like a key.
JSON_BODY = (b'{"error": "no such video", "why": "'.ljust(151, b"_") + b' sk-abcdefghijklmnop"}') + b" " * 300
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1/secret.ts\n"


@pytest.mark.parametrize(
    ("body", "code", "names"),
    [
        (b"", "file_empty", ("0 bytes",)),
        (JSON_BODY, "not_a_video", ("a JSON message: ", "no such video")),
        (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "not_a_video", ("a web page or XML: ", "502 Bad Gateway")),
        (PLAYLIST, "not_a_video", ("no video but text",)),
        (b"ffconcat version 1.0\nfile other.mp4\n", "not_a_video", ("no video but text",)),
        (bytes(range(128, 256)) * 8, "not_a_video", ("begins with the bytes 80 81",)),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "index_missing", ("moov",)),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "unreadable_video", ()),
    ],
    ids=["empty", "json", "html", "playlist", "concat", "bytes", "no moov", "hollow webm"],
)
def test_what_is_no_video_is_named(
    tmp_path: Path, body: bytes, code: str, names: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    """Each kind of wrong file has its own words, keys are hidden, and no decoder writes to the terminal."""
    path = tmp_path / "video.mp4"
    path.write_bytes(body)
    for look in (probe, examine_delivered, load_frames):
        with failing(MediaError, code, "video.mp4", *names) as caught:
            look(path)
        assert "sk-abc" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_index_without_a_track_is_no_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Some versions of FFmpeg do not open it, others find nothing in it."""
    path = tmp_path / "video.mp4"
    path.write_bytes(b"\x00\x00\x00\x08moov")
    for look in (probe, examine_delivered, load_frames):
        with pytest.raises(MediaError) as caught:
            look(path)
        assert caught.value.code in ("unreadable_video", "no_video_track")
        assert "video.mp4" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """No path of this machine is needed to say it."""
    for path in (tmp_path / "gone.mp4", tmp_path):
        with failing(MediaError, "file_not_found", path.name):
            load_frames(path)


def test_an_mp4_cut_before_its_index_says_so(tmp_path: Path) -> None:
    """With the index at the end, a cut file holds nothing that can be found."""
    short = cut(make_clip(tmp_path / "late.mp4", faststart=False), tmp_path / "short.mp4", 0.6)
    with failing(MediaError, "video_truncated", "ends before its index (moov)"):
        load_frames(short)


def test_a_file_with_sound_only_has_no_picture(tmp_path: Path) -> None:
    """It says what is there instead."""
    path = make_sound(tmp_path / "sound.mp4", "aac", 48000, "mono", tone(48000, 0.2)[None], "fltp")
    with failing(MediaError, "no_video_track", "audio"):
        load_frames(path)


@pytest.mark.parametrize("read", [probe, load_frames, examine_delivered])
def test_frames_that_are_far_too_large_are_refused_before_decoding(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """120 million pixels, by a head without a picture behind it: more than four 8K frames would need gigabytes."""
    with av.open(str(path := tmp_path / "large.avi"), "w") as file:
        stream = file.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = 12_000, 10_000, "yuv420p"
        packet = av.Packet(bytes(64))
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 30)
        file.mux(packet)
    with failing(MediaError, "frame_too_large", "large.avi"):
        read(path)


def test_an_mp4_whose_frames_are_noise_is_told(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The index is whole and not one frame decodes: no empty result, no noise on the terminal."""
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    (tmp_path / "noise.mp4").write_bytes(data)
    with failing(MediaError, "not_decodable", "No frame of noise.mp4"):
        examine_delivered(tmp_path / "noise.mp4")
    assert capfd.readouterr() == ("", "")


def test_numbers_in_a_file_name_are_not_taken_for_a_series(clip: Path, tmp_path: Path) -> None:
    """`%03d` and digits, signs and spaces in a name mean nothing."""
    path = tmp_path / ("frame_%03d ố #1.mp4" if os.name == "nt" else "frame_%03d ố #1?.mp4")
    path.write_bytes(clip.read_bytes())
    assert len(load_frames(path).pixels) == 24


def test_a_hollow_opencv_says_what_to_install(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left when one of two OpenCV wheels was uninstalled imports well and has no VideoCapture."""
    backends.cv2.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    try:
        with failing(MediaError, "opencv_unusable", "hollow", "opencv-python"):
            load_frames(clip)
    finally:
        backends.cv2.cache_clear()


def test_a_damaged_file_is_told_in_words_only(tmp_path: Path) -> None:
    """The decoder's own lines about macroblocks and partial files do not reach the terminal."""
    short = cut(make_clip(tmp_path / "whole.mp4", 60), tmp_path / "short.mp4", 0.6)
    code = "from sora_jobs.media.frames import load_frames; print(load_frames(sys.argv[1]).warnings)"
    assert "declares 60" in in_another_process(code, str(short))
