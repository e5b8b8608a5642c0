"""Frame N is the same picture whatever else is asked for: of files that begin in the middle of a group, that lost
pictures in the middle or at their end, and of those that were put together from several."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from sora_jobs.errors import MediaError
from sora_jobs.media import still_images
from sora_jobs.media.audio import audio_for
from sora_jobs.media.export import save_frames
from sora_jobs.media.frames import load_frames, probe
from sora_jobs.media.probe import examine
from sora_jobs.media.selection import FrameChoice
from sora_jobs.media.sheet import tiles_of

from ..failures import failing
from .clips import HEIGHT, WIDTH, make_clip, number_of, numbered, numbers_of, tone

TS_PACKET = 188  # bytes


def stream(path: Path, codec: str, frames: int = 100, *, sound_s: float = 0.0, **options: str) -> Path:
    """Numbered pictures in the container of that suffix, tagged as every OpenCV reads them right; with a tone."""
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=30, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.colorspace, video.codec_context.color_range = 5, 1
        sound = file.add_stream("aac", rate=48000, layout="mono") if sound_s else None
        for number in range(frames):
            file.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(video.encode(None))
        if sound is not None:
            wave = tone(48000, sound_s)[None]
            for start in range(0, wave.shape[1], 1024):
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, start : start + 1024]), "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                file.mux(sound.encode(frame))
            file.mux(sound.encode(None))
    return path


def without_start(path: Path, packets: int) -> Path:
    """A transport stream that was switched on later: its first packets are not there."""
    path.write_bytes(path.read_bytes()[TS_PACKET * packets :])
    return path


def from_second_group(path: Path, target: Path) -> Path:
    """The packets from the second key frame on, as they are."""
    with av.open(str(path)) as file, av.open(str(target), "w") as out:
        video = file.streams.video[0]
        copy = out.add_stream_from_template(video)
        keys = 0
        for packet in file.demux(video):
            keys += packet.is_keyframe
            if packet.size and keys > 1:
                packet.stream = copy
                out.mux(packet)
    return target


def damaged(path: Path, *numbers: int) -> Path:
    """An MP4 in which the coded pictures of these frames are noise that no decoder takes for one."""
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    shown = sorted(packets, key=lambda packet: packet.pts or 0)
    data = bytearray(path.read_bytes())
    for number in numbers:
        packet = shown[number]
        assert packet.pos is not None
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    return path


H264 = {"bf": "2", "g": "20", "crf": "12"}
OPEN_GROUPS = "open-gop=1:keyint=20:min-keyint=20:bframes=4:b-adapt=0:scenecut=0:log-level=none"
FILMS: dict[str, Callable[[Path], Path]] = {
    "H.264, begins within a group": lambda at: without_start(stream(at / "a.ts", "libx264", **H264), 25),
    "MPEG-2, begins within a group": lambda at: without_start(stream(at / "a.ts", "mpeg2video", bf="2", g="18"), 40),
    "MPEG-2, begins with a key frame": lambda at: from_second_group(
        stream(at / "a.mpg", "mpeg2video", bf="2", g="18"), at / "b.ts"
    ),
    "H.264, open groups": lambda at: from_second_group(
        stream(at / "a.ts", "libx264", **H264, **{"x264-params": "open-gop=1:scenecut=0"}), at / "b.ts"
    ),
    "HEVC, begins within a group": lambda at: without_start(
        stream(at / "a.ts", "libx265", **{"x265-params": OPEN_GROUPS}), 25
    ),
    "HEVC, open groups": lambda at: from_second_group(
        stream(at / "a.mkv", "libx265", **{"x265-params": OPEN_GROUPS}), at / "b.ts"
    ),
    "lost in the middle": lambda at: damaged(_each_alone(at), 20, 33),
    "lost at the beginning": lambda at: damaged(_each_alone(at), 0, 1),
    "lost at the end": lambda at: damaged(_each_alone(at), 58, 59),
    "lost nearly at the end": lambda at: damaged(_each_alone(at), 57),
    "a group lost its beginning": lambda at: damaged(make_clip(at / "a.mp4", 60, matrix="bt601", gop=12), 24),
    "joined": lambda at: _joined(at / "a.ts", stream(at / "b.ts", "libx264", 60, **H264), 2),
    "VP8": lambda at: stream(at / "a.webm", "libvpx", 60),
    "MPEG-4 in an AVI": lambda at: stream(at / "a.avi", "mpeg4", bf="2"),
    "interlaced": lambda at: stream(at / "a.ts", "libx264", **H264, **{"x264-params": "interlaced=1:tff=1"}),
}


def _each_alone(folder: Path) -> Path:
    """Every frame can be decoded without the others, and OpenCV reads it."""
    return make_clip(folder / "a.mp4", 60, matrix="bt601", gop=1, coding={"bf": "0"})


def _joined(target: Path, part: Path, times: int) -> Path:
    target.write_bytes(part.read_bytes() * times)
    return target


@pytest.fixture(scope="module", params=FILMS)
def film(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return FILMS[request.param](tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def every(film: Path) -> dict[int, int]:
    """{frame number: the number that its picture shows} of the whole file."""
    loaded = load_frames(film)
    shown = dict(zip(loaded.indices.tolist(), numbers_of(loaded.pixels), strict=True))
    assert len(shown) > 40
    return shown


CHOICES = [
    *(FrameChoice(skip_first_frames=number, frame_load_cap=1) for number in (0, 1, 2, 3, 5, 11, 19, 21, 34, 50)),
    *(FrameChoice(skip_first_frames=-number) for number in (1, 2, 7)),
    FrameChoice(skip_first_frames=-9, frame_load_cap=2),
    FrameChoice(frame_load_cap=30),
    FrameChoice(select_every_nth=7),
    FrameChoice(skip_first_frames=4, select_every_nth=15, frame_load_cap=3),
    FrameChoice(force_rate=12),
    FrameChoice(force_rate=12, skip_first_frames=9, frame_load_cap=4),
    FrameChoice(force_rate=60, skip_first_frames=41, frame_load_cap=4),
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_number_is_the_same_picture_whatever_is_asked(
    film: Path, every: dict[int, int], choice: FrameChoice, tmp_path: Path
) -> None:
    """As floats and as files; and each frame that a choice names without sampling is one that it means."""
    try:
        loaded = load_frames(film, choice)
    except MediaError as error:  # all of the chosen ones are lost
        assert error.code == "not_decodable"
        assert set(range(choice.skip_first_frames, choice.skip_first_frames + 1)).isdisjoint(every)
        return
    assert dict(zip(loaded.indices.tolist(), numbers_of(loaded.pixels), strict=True)) == {
        number: every[number] for number in loaded.indices.tolist()
    }
    if not choice.force_rate:
        last = max(every) + 1
        meant = range(last)[choice.skip_first_frames :][:: choice.select_every_nth][: choice.frame_load_cap or None]
        assert loaded.indices.tolist() == [number for number in meant if number in every]
    files = save_frames(film, tmp_path, choice)
    assert [int(file.stem[-6:]) for file in files] == np.unique(loaded.indices).tolist()
    for file in files:
        with Image.open(file) as image:
            assert number_of(np.asarray(image) / 255) == every[int(file.stem[-6:])]


def test_pictures_for_people_have_the_same_numbers(film: Path, every: dict[int, int]) -> None:
    """The tiles of a sheet, and the thumbnail, which is one of the frames from the middle."""
    _, _, tiles = tiles_of(examine(film), "auto", FrameChoice())
    assert len(tiles) == 24
    for tile in tiles:
        assert number_of(tile.picture / 255) == every[int(tile.right.removeprefix("frame "))]
    middle = {every[number] for number in sorted(every)[len(every) // 2 - 1 :][:3]}  # the end may be lost
    assert number_of(still_images.thumbnail(film) / 255) in middle
    assert still_images.spritesheet(film).shape[1] == 1280


def told(path: Path, **choice: Any) -> str:
    return " ".join(load_frames(path, FrameChoice(**choice)).warnings)


def test_frames_that_cannot_be_decoded_are_no_frames_of_it(tmp_path: Path) -> None:
    """At the beginning, where others are missing to which they refer: how many is said, and frame 0 has its time."""
    film = without_start(stream(tmp_path / "a.ts", "mpeg2video", bf="2", g="18"), 40)
    info = probe(film)
    assert info.headless > 0
    assert info.frames + info.headless < 100
    assert not info.cut_short
    assert f"{info.headless} of its {info.headless + info.frames} frames" in told(film, frame_load_cap=1)
    loaded = load_frames(film)
    assert numbers_of(loaded.pixels) == list(range(100 - info.frames, 100))
    assert loaded.times_s[0] == pytest.approx(info.headless / 30, abs=0.04)  # one is not even whole


def test_lost_frames_keep_their_numbers_and_are_told(tmp_path: Path) -> None:
    """The others have their own times, and are shown for as long as all were meant to be."""
    film = damaged(_each_alone(tmp_path), 20, 33)
    loaded = load_frames(film)
    assert loaded.indices.tolist() == [number for number in range(60) if number not in (20, 33)]
    assert loaded.times_s == pytest.approx(loaded.indices / 30)
    assert (loaded.info.frames, loaded.info.cut_short) == (58, True)
    assert (loaded.duration_s, loaded.fps) == pytest.approx((2.0, 29.0))
    assert "declares 60 frames and holds only 58" in loaded.warnings[0]
    with failing(MediaError, "not_decodable", "None of the chosen frames", "(20 to 20)", 58):
        load_frames(film, FrameChoice(skip_first_frames=20, frame_load_cap=1))
    # A sample in time shows what is on screen then: the frame before.
    sampled = load_frames(film, FrameChoice(force_rate=30, skip_first_frames=19, frame_load_cap=3))
    assert numbers_of(sampled.pixels) == sampled.indices.tolist() == [19, 19, 21]


def test_the_last_frame_is_one_that_there_is(tmp_path: Path) -> None:
    """Also where the choice does not name it: numbers from the end are counted from the same one."""
    film = damaged(_each_alone(tmp_path), 58, 59)
    assert load_frames(film, FrameChoice(skip_first_frames=-1)).indices.tolist() == [57]
    assert load_frames(film, FrameChoice(skip_first_frames=-9, frame_load_cap=2)).indices.tolist() == [49, 50]


def test_joined_files_are_one_film(tmp_path: Path) -> None:
    """Their times start anew; it is not cut short, no frame is lost, and picture and sound go on."""
    part = stream(tmp_path / "part.ts", "libx264", 60, sound_s=2.0, **H264)
    film = _joined(tmp_path / "film.ts", part, 2)
    loaded = load_frames(film)
    assert numbers_of(loaded.pixels) == [*range(60), *range(60)]
    assert loaded.times_s - loaded.times_s[0] == pytest.approx(np.arange(120) / 30, abs=0.02)
    assert (loaded.info.joined, loaded.info.cut_short, loaded.warnings) == (True, False, ())
    assert load_frames(film, FrameChoice(skip_first_frames=-1)).indices.tolist() == [119]
    sound = audio_for(loaded).waveform[0, 0]
    assert len(sound) == pytest.approx(4 * 48000, abs=48000 / 30)
    for start_s in (0.3, 1.0, 2.5, 3.5):
        assert np.abs(sound[int(start_s * 48000) :][:4800]).max() > 0.4
    late = audio_for(load_frames(film, FrameChoice(skip_first_frames=90))).waveform[0, 0]
    assert np.abs(late[:24000]).max() > 0.4


def test_parts_are_joined_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Also where the later one has earlier times that are all its own."""
    whole = stream(tmp_path / "whole.ts", "libx264", 60, bf="0", g="30", crf="12")
    with av.open(str(whole)) as file:
        middle = [packet.pos for packet in file.demux(video=0) if packet.size and packet.is_keyframe][1]
    data = whole.read_bytes()
    assert middle is not None
    tables = data[: 3 * TS_PACKET]
    film = tmp_path / "film.ts"
    film.write_bytes(tables + data[middle:] + data[:middle])
    loaded = load_frames(film)
    assert numbers_of(loaded.pixels) == [*range(30, 60), *range(30)]
    assert np.diff(loaded.times_s) == pytest.approx(1 / 30, abs=0.002)
    assert (loaded.info.cut_short, loaded.warnings) == (False, ())
    assert numbers_of(load_frames(film, FrameChoice(skip_first_frames=31, frame_load_cap=2)).pixels) == [1, 2]
