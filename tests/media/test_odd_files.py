"""Files that are right and out of the ordinary, and damage that shows only by what is missing: nothing of it passes in
silence, whichever library reads it."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sora_jobs.errors import MediaError
from sora_jobs.media import audio, frame_buffer, frames
from sora_jobs.media.audio import load_audio
from sora_jobs.media.export import save_frames
from sora_jobs.media.frames import load_frames, probe
from sora_jobs.media.selection import FrameChoice
from sora_jobs.media.sheet import contact_sheet

from ..failures import failing
from .clips import HEIGHT, WIDTH, cut, in_another_process, make_clip, make_sound, numbered, numbers_of, tone

PACK = Path(__file__).parents[2]
FIELDS = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"}


def coded(path: Path, numbers: range, options: dict[str, str]) -> Path:
    """A raw H.264 stream of numbered pictures."""
    with av.open(str(path), "w", format="h264") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "0", "crf": "12", "g": "10"} | options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        for number in numbers:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    return path


def muxed(target: Path, *sources: Path) -> Path:
    """Raw streams one behind the other in one MP4, as they are."""
    raw = target.with_suffix(".h264")
    raw.write_bytes(b"".join(source.read_bytes() for source in sources))
    with av.open(str(raw), format="h264", options={"framerate": "30"}) as file, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(file.streams.video[0])
        for at, packet in enumerate(packet for packet in file.demux(video=0) if packet.size):
            packet.pts = packet.dts = at
            packet.time_base, packet.stream = Fraction(1, 30), stream
            out.mux(packet)
    return target


@pytest.mark.parametrize("choice", [FrameChoice(), FrameChoice(frame_load_cap=1), FrameChoice(select_every_nth=3)])
def test_interlaced_pictures_are_read(tmp_path: Path, choice: FrameChoice) -> None:
    """Some builds of OpenCV give back whatever their memory holds, and call that done."""
    film = muxed(tmp_path / "fields.mp4", coded(tmp_path / "one.h264", range(12), FIELDS))
    loaded = load_frames(film, choice)
    assert numbers_of(loaded.pixels) == loaded.indices.tolist()


@pytest.mark.parametrize("step", [1, 4])
def test_pictures_that_become_interlaced_are_read(tmp_path: Path, step: int) -> None:
    """The head says progressive; the middle is not."""
    first = coded(tmp_path / "one.h264", range(10), {})
    second = coded(tmp_path / "two.h264", range(10, 20), FIELDS)
    film = muxed(tmp_path / "mixed.mp4", first, second)
    loaded = load_frames(film, FrameChoice(select_every_nth=step))
    assert numbers_of(loaded.pixels) == list(range(0, 20, step))
    files = save_frames(film, tmp_path / "png")
    assert [file.name for file in files] == [f"frame_{number:06d}.png" for number in range(20)]


def test_a_film_that_stands_still_is_read_once_more_and_right(tmp_path: Path) -> None:
    """Whatever is made of pictures that are the same."""
    film = tmp_path / "still.mp4"
    with av.open(str(film), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(12):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(5), format="rgb24")))
        file.mux(stream.encode(None))
    loaded = load_frames(film)
    assert numbers_of(loaded.pixels) == [5] * 12
    assert loaded.warnings == ()


def test_of_two_pictures_one_is_chosen_whatever_the_settings(tmp_path: Path) -> None:
    """The larger stream, which is the second one: all of it, its end, and a jump give frames of that one."""
    film = tmp_path / "two.mp4"
    with av.open(str(film), "w") as file:
        streams = []
        for width, height in ((WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT)):
            stream = file.add_stream("libx264", rate=30, options={"g": "5", "crf": "12"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
            streams.append(stream)
        for number in range(30):
            for offset, stream in enumerate(streams):
                picture = numbered(number + 100 * offset, stream.width, stream.height)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            file.mux(stream.encode(None))
    sizes = set()
    for choice in (FrameChoice(), FrameChoice(skip_first_frames=-1), FrameChoice(skip_first_frames=21)):
        loaded = load_frames(film, choice)
        sizes.add(loaded.pixels.shape[1:])
        assert {number // 100 for number in numbers_of(loaded.pixels)} <= {0, 1}
        assert [number % 100 for number in numbers_of(loaded.pixels)] == loaded.indices.tolist()
    assert len(sizes) == 1


def test_a_damaged_file_takes_no_more_memory_than_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun before the damage was met is given back before it is begun anew."""
    film = make_clip(tmp_path / "film.mp4", 60, gop=10)
    data = bytearray(film.read_bytes())
    middle = data.index(b"mdat") + len(data) // 2
    data[middle : middle + 1500] = bytes(1500)
    film.write_bytes(data)
    held: list[int] = []
    buffer = frame_buffer.buffer

    def counted(shape: tuple[int, ...], **more: object) -> np.ndarray:
        made = buffer(shape, **more)
        held.append(tracemalloc.get_traced_memory()[0])
        return made

    monkeypatch.setattr(frames.frame_buffer, "buffer", counted)
    tracemalloc.start()
    try:
        loaded = load_frames(film)
    finally:
        tracemalloc.stop()
    assert loaded.warnings
    assert len(held) >= 2, "the damage was not met while decoding"
    assert held[-1] < 1.3 * loaded.pixels.nbytes


def matroska(path: Path, count: int) -> Path:
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "2", "g": "10", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    return path


def test_a_cut_matroska_file_is_told(tmp_path: Path) -> None:
    """It counts no frames, but says how long it is."""
    whole = matroska(tmp_path / "whole.mkv", 90)
    assert load_frames(whole).warnings == ()
    for share in (0.6, 0.97):
        short = load_frames(cut(whole, tmp_path / "short.mkv", share))
        assert 0 < len(short.pixels) < 90
        assert f"holds only {len(short.pixels)}" in short.warnings[0]
        assert "declares 0" not in short.warnings[0]


def test_what_is_missing_behind_the_last_frame_is_not_called_frames(tmp_path: Path) -> None:
    """All pictures are there, and the end of the sound is not; saying "24 of 24" would help nobody."""
    whole = make_clip(tmp_path / "whole.mp4", 24, audio=(48000, "stereo", 1.5))
    (tmp_path / "tail.mp4").write_bytes(whole.read_bytes()[:-400])
    loaded = load_frames(tmp_path / "tail.mp4")
    assert numbers_of(loaded.pixels) == list(range(24))
    assert "all of its 24 frames are there" in loaded.warnings[0]


def test_an_unfinished_box_behind_the_last_frame_is_no_damage(tmp_path: Path) -> None:
    """All samples that the index names are there."""
    whole = make_clip(tmp_path / "whole.mp4", 24)
    data = whole.read_bytes()
    (tmp_path / "tail.mp4").write_bytes(data + (5000).to_bytes(4) + b"free")
    loaded = load_frames(tmp_path / "tail.mp4")
    assert numbers_of(loaded.pixels) == list(range(24))
    assert loaded.warnings == ()


@pytest.mark.parametrize("layout", ["7.1", "5.1", "6.1"])
def test_many_channels_are_sound_and_no_crash(tmp_path: Path, layout: str) -> None:
    """PyAV reads past the end of a frame of eight planes, and takes the process with it."""
    channels = len(av.AudioLayout(layout).channels)
    wave = np.repeat(tone(48000, 0.5), channels)[None]  # packed: PyAV cannot make eight planes either
    film = make_sound(tmp_path / "many.mp4", "aac", 48000, layout, wave, "flt")
    code = "from sora_jobs.media.audio import load_audio; print(load_audio(sys.argv[1], duration_s=0.5).waveform.shape)"
    assert in_another_process(code, str(film)).strip() == f"(1, {channels}, 24000)"


@pytest.mark.parametrize("window", [(0.5, 0.0), (0.5, 1.0), (0.0, 0.5)])
def test_a_trimmed_piece_counts_as_the_whole(tmp_path: Path, window: tuple[float, float]) -> None:
    """Every setting works within it, also from its end; its sound is its own."""
    film = make_clip(tmp_path / "film.mp4", 60, audio=(48000, "stereo", 2.0))
    first = round(window[0] * 30)
    last = first + round(window[1] * 30) if window[1] else 60
    piece = load_frames(film, window=window)
    assert numbers_of(piece.pixels) == list(range(first, last))
    assert (piece.start_s, piece.duration_s) == pytest.approx((window[0], (last - first) / 30))
    assert numbers_of(load_frames(film, FrameChoice(skip_first_frames=-2), window=window).pixels) == [
        last - 2,
        last - 1,
    ]
    nth = FrameChoice(select_every_nth=4, frame_load_cap=3)
    assert numbers_of(load_frames(film, nth, window=window).pixels) == list(range(first, first + 12, 4))
    with failing(MediaError, "no_frame_chosen", "holds no frame", film.name):
        load_frames(film, window=(5.0, 1.0))


def test_a_whole_avi_is_whole(tmp_path: Path) -> None:
    """Its header counts what is no frame."""
    film = tmp_path / "film.avi"
    with av.open(str(film), "w", format="avi") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "0", "g": "10", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(30):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    loaded = load_frames(film)
    assert (numbers_of(loaded.pixels), loaded.warnings) == (list(range(30)), ())


@pytest.mark.parametrize("text", ["余额不足，请充值后再试", "недостаточно средств", "số dư không đủ"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_error_in_any_language_is_named(tmp_path: Path, text: str, mark: str) -> None:
    """A JSON error that was stored as .mp4; its own words are what helps."""
    path = tmp_path / "x.mp4"
    path.write_text(mark + json.dumps({"error": {"message": text}}, ensure_ascii=False), encoding="utf-8")
    with failing(MediaError, "not_a_video", "a JSON message") as caught:
        probe(path)
    assert text in caught.value.message


def test_uneven_times_on_a_grid_keep_their_average_rate(tmp_path: Path) -> None:
    """Frames at their average rate last as long as they did, and as their sound."""
    ticks = [20 * place for place in (0, 1, 2, 5, 6, 9, 10, 11, 15, 16, 20, 21)]
    loaded = load_frames(make_clip(tmp_path / "vfr.mp4", 12, ticks=ticks))
    assert loaded.fps == pytest.approx(11 / (21 / 30), rel=0.01)
    assert len(loaded.pixels) / loaded.fps == pytest.approx(loaded.duration_s, rel=0.1)


def test_the_sound_of_the_end_is_the_same_and_is_not_decoded_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sample for sample what the whole has there."""
    film = make_sound(tmp_path / "tone.mp4", "aac", 48000, "stereo", np.tile(tone(48000, 12.0), (2, 1)), "fltp")
    whole = load_audio(film).waveform
    counted: list[int] = []
    plain = audio.floats
    monkeypatch.setattr(audio, "floats", lambda piece: (counted.append(1), plain(piece))[1])
    end = load_audio(film, start_s=10.0, duration_s=1.5).waveform
    assert np.abs(end - whole[..., 480_000 : 480_000 + 72_000]).max() < 1e-4
    assert len(counted) < 0.4 * whole.shape[2] / 1024


def test_what_is_written_out_tells_a_cut(tmp_path: Path) -> None:
    """Frames, the sheet and the command line."""
    short = cut(make_clip(tmp_path / "whole.mp4", 60), tmp_path / "short.mp4", 0.6)
    told: list[str] = []
    files = save_frames(short, tmp_path / "png", warn=told.append)
    assert "declares 60 frames" in told[0]
    assert f"only {len(files)}" in told[0]
    contact_sheet(short, tmp_path / "sheet.png", warn=told.append)
    assert told[1] == told[0]
    command = [sys.executable, str(PACK / "sora.py"), "frames", str(short), "--out", str(tmp_path / "again"), "--json"]
    ran = subprocess.run(command, cwd=PACK, capture_output=True, encoding="utf-8", timeout=60)
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["warnings"] == [told[0]]
    assert told[0] in ran.stderr
