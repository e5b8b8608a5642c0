"""Which files are videos, and whole: bytes behind the last box are no damage, missing ones are; what is no video is
named for what it is."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from sora_jobs.errors import MediaError
from sora_jobs.media import backends, container, samples
from sora_jobs.media.audio import load_audio
from sora_jobs.media.delivered import examine_delivered
from sora_jobs.media.frames import load_frames, probe

from ..failures import failing
from .clips import cut, make_clip, make_sound, numbered, numbers_of, tone


@pytest.fixture(scope="module", params=[True, False], ids=["index first", "index last"])
def film(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """24 frames with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make_clip(path, audio=(48000, "stereo", 0.8), faststart=request.param)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


NOISE = random.Random(7).randbytes(500)
BEHIND = {
    "a camera's trailer": NOISE + struct.pack("<I", 500) + b"8db42d694ccc418790edff439fe026bf",
    "a phone's": box(b"sefd", NOISE) + NOISE[:90] + b"SEFT",
    "its metadata": box(b"uuid", b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac<x:xmpmeta/>"),
    "text": b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta/><?xpacket end="w"?>',
    "a line end": b"\r\n",
    "a few zeros": bytes(5),
    "a block of zeros": bytes(4096),
    "zeros and noise": bytes(40) + NOISE,
    "a short box": b"\x00\x00\x00\x03free",
    "a box of a maker that is cut": struct.pack(">I", 9000) + b"mpvd" + NOISE,
    "half of it once more": b"",
}


@pytest.mark.parametrize("name", BEHIND)
def test_bytes_behind_the_last_box_are_no_damage(tmp_path: Path, film: Path, name: str) -> None:
    """All that the index names is there: it is whole, and nobody is warned."""
    data = film.read_bytes()
    path = tmp_path / "film.mp4"
    path.write_bytes(data + (BEHIND[name] or data[: len(data) // 2]))
    loaded = load_frames(path)
    assert numbers_of(loaded.pixels) == list(range(24))
    assert (loaded.info.cut_short, loaded.warnings) == (False, ())
    assert examine_delivered(path).is_complete
    assert np.array_equal(load_audio(path).waveform, load_audio(film).waveform)


@pytest.mark.parametrize("kind", [b"free", b"skip", b"moof", b"udta"])
def test_an_unfinished_last_box_is_no_damage(tmp_path: Path, film: Path, kind: bytes) -> None:
    """Where all samples are there that the index names."""
    path = tmp_path / "film.mp4"
    path.write_bytes(film.read_bytes() + struct.pack(">I", 9000) + kind + NOISE[:10])
    loaded = load_frames(path)
    assert (len(loaded.pixels), loaded.info.cut_short, loaded.warnings) == (24, False, ())
    assert container.container_of(path) == container.Container(".mp4", torn=True)


def test_a_media_box_may_be_longer_than_the_file(tmp_path: Path) -> None:
    """Some writers get its size wrong; what counts is where the samples are."""
    data = bytearray(make_clip(tmp_path / "film.mp4").read_bytes())
    at = data.index(b"mdat") - 4
    data[at : at + 4] = struct.pack(">I", int.from_bytes(data[at : at + 4]) + 1000)
    (tmp_path / "film.mp4").write_bytes(data)
    assert load_frames(tmp_path / "film.mp4").warnings == ()


@pytest.mark.parametrize("behind", [b"", NOISE, b"\r\n"], ids=["nothing", "noise", "a line end"])
@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_file_whose_last_sound_is_missing_is_cut_short(tmp_path: Path, behind: bytes, to_the_end: bool) -> None:
    """Every frame is there, and a part of the sound is not: also where the media box reaches "to the file's end"."""
    whole = make_clip(tmp_path / "whole.mp4", audio=(48000, "stereo", 2.0))
    with av.open(str(whole)) as file:
        pictures = max((packet.pos or 0) + packet.size for packet in file.demux(video=0))
    data = bytearray(whole.read_bytes())
    assert pictures < len(data) - 2000
    if to_the_end:
        at = data.index(b"mdat") - 4
        data[at : at + 4] = bytes(4)
    (tmp_path / "short.mp4").write_bytes(bytes(data[: pictures + 1000]) + behind)
    loaded = load_frames(tmp_path / "short.mp4")
    assert (len(loaded.pixels), loaded.info.cut_short) == (24, True)
    assert "all of its 24 frames are there" in loaded.warnings[0]


@pytest.mark.parametrize("missing", [1, 2, 100])
def test_one_byte_too_few_is_noticed(tmp_path: Path, missing: int) -> None:
    """The index tells to the byte how long the file has to be."""
    whole = make_clip(tmp_path / "whole.mp4")
    (tmp_path / "short.mp4").write_bytes(whole.read_bytes()[:-missing])
    assert container.check(tmp_path / "short.mp4")
    assert not container.check(whole)


@pytest.mark.parametrize("options", [{"frag_keyframe": ""}, {"frag_keyframe": "", "default_base_moof": ""}])
def test_a_fragmented_file_is_whole_or_cut(tmp_path: Path, options: dict[str, str]) -> None:
    """Its index is in many places, so that its boxes tell; bytes behind them do not count."""
    whole = tmp_path / "whole.mp4"
    flags = "+".join(["", "empty_moov", *options])
    with av.open(str(whole), "w", options={"movflags": flags}) as file:
        stream = file.add_stream("libx264", rate=30, options={"g": "8", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(24):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    assert samples.end_of(_box_of(whole, b"moov")) is None
    behind = tmp_path / "behind.mp4"
    behind.write_bytes(whole.read_bytes() + NOISE)
    for path in (whole, behind):
        loaded = load_frames(path)
        assert (numbers_of(loaded.pixels), loaded.warnings) == (list(range(24)), ())
    short = load_frames(cut(whole, tmp_path / "short.mp4", 0.7))
    assert len(short.pixels) < 24
    assert short.info.cut_short


def _box_of(path: Path, kind: bytes) -> bytes:
    with path.open("rb") as file:
        size = path.stat().st_size
        start, end = next((start, end) for name, start, end in container.boxes(file, size) if name == kind)
        file.seek(start)
        return file.read(end - start)


def damaged_table(kind: bytes, place: int, value: int) -> Callable[[bytearray], None]:
    def damage(moov: bytearray) -> None:
        at = moov.index(kind) + place
        moov[at : at + 4] = struct.pack(">I", value)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        damaged_table(b"stsc", 8, 0),
        damaged_table(b"stsc", 12, 2**32 - 1),
        damaged_table(b"stsc", 12, 2),
        damaged_table(b"stsc", 16, 0),
        damaged_table(b"stco", 8, 0),
        damaged_table(b"stsz", 12, 2**32 - 1),
        damaged_table(b"stsz", 12, 25),
        damaged_table(b"dref", 20, 0),  # its samples are in another file
    ],
)
def test_tables_that_do_not_fit_tell_nothing(film: Path, damage: Callable[[bytearray], None]) -> None:
    """No end is made up from them, and no memory is taken for what they declare."""
    moov = bytearray(_box_of(film, b"moov"))
    assert samples.end_of(bytes(moov)) is not None
    damage(moov)
    assert samples.end_of(bytes(moov)) is None


def test_each_size_and_offset_that_the_format_knows_is_read() -> None:
    """Sizes of 4, 8, 16 and 32 bits, or one for all; offsets of 32 and 64; chunks of different lengths."""

    def moov(sizes: bytes, offsets: bytes) -> bytes:
        chunks = struct.pack(">8I", 0, 2, 1, 3, 1, 2, 1, 1)[:4] + struct.pack(">7I", 2, 1, 3, 1, 2, 1, 1)
        table = box(b"stbl", sizes + box(b"stsc", chunks) + offsets)
        return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", table))))

    four = box(b"stco", struct.pack(">4I", 0, 2, 100, 900))
    eight = box(b"co64", struct.pack(">2I2Q", 0, 2, 100, 1 << 40))
    for sizes in (
        box(b"stsz", struct.pack(">7I", 0, 0, 4, 10, 11, 12, 13)),
        box(b"stz2", struct.pack(">3I", 0, 4, 4) + bytes([0xAB, 0xCD])),
        box(b"stz2", struct.pack(">3I", 0, 8, 4) + bytes([10, 11, 12, 13])),
        box(b"stz2", struct.pack(">3I4H", 0, 16, 4, 10, 11, 12, 13)),
        box(b"stsz", struct.pack(">3I", 0, 13, 4)),
    ):
        assert samples.end_of(moov(sizes, four)) == 913
        assert samples.end_of(moov(sizes, eight)) == (1 << 40) + 13
    assert samples.end_of(moov(box(b"stsz", struct.pack(">3I", 0, 1, 4)), four)) is None  # QuickTime's old sound
    assert samples.end_of(moov(box(b"stsz", struct.pack(">3I", 0, 0, 0)), four)) == 0


def test_what_hides_behind_the_file_is_looked_at_too(tmp_path: Path) -> None:
    """FFmpeg reads on there: a table that declares billions of frames would take its memory."""
    film = make_clip(tmp_path / "film.mp4").read_bytes()
    bomb = box(b"stsz", struct.pack(">3I", 0, 1, 2**31))
    path = tmp_path / "bomb.mp4"
    path.write_bytes(film + struct.pack(">I", 1 << 30) + b"trak" + bomb)
    with failing(MediaError, "too_many_frames", path.name):
        examine_delivered(path)


def test_a_stream_of_a_disc_or_a_camera_is_read(tmp_path: Path) -> None:
    """.m2ts: the packets of a transport stream, each with four bytes of time before it."""
    path = tmp_path / "film.m2ts"
    with av.open(str(path), "w", format="mpegts", options={"mpegts_m2ts_mode": "1"}) as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(30):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    assert path.read_bytes()[4] == 0x47
    loaded = load_frames(path)
    assert (numbers_of(loaded.pixels), loaded.warnings) == (list(range(30)), ())
    assert container.container_of(path).suffix == ".m2ts"


def pictures() -> list[Image.Image]:
    return [Image.fromarray(numbered(number)) for number in range(3)]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.webp", {"save_all": True}, "an animated WebP"),
        ("a.png", {"save_all": True}, "an animated PNG (APNG)"),
        ("a.webp", {}, "a WebP picture"),
        ("a.png", {}, "a PNG picture"),
        ("a.jpg", {}, "a JPEG picture"),
    ],
)
def test_a_picture_is_told_as_one(tmp_path: Path, name: str, options: dict[str, bool], words: str) -> None:
    """Also under a video's name, and with what to do with it."""
    first, *others = pictures()
    more = {"append_images": others, "duration": 100} if options else {}
    first.save(tmp_path / name, **options, **more)
    path = (tmp_path / name).rename(tmp_path / "film.mp4")
    for container_of in (probe, load_frames, examine_delivered):
        with failing(MediaError, "not_a_video", f"film.mp4 is {words}") as caught:
            container_of(path)
        assert "convert it to MP4 or GIF" in caught.value.hint


def test_a_picture_in_an_mp4s_boxes_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(200)))
    with failing(MediaError, "not_a_video", "an AVIF or HEIC picture"):
        probe(path)


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    first, *others = pictures()
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=100)
    loaded = load_frames(tmp_path / "a.gif")
    assert len(loaded.pixels) == 3
    assert loaded.fps == pytest.approx(10)


@pytest.mark.parametrize(
    ("name", "codec", "suffix"),
    [
        ("a.mp4", "libx264", ".mp4"),
        ("a.mov", "libx264", ".mov"),
        ("a.mkv", "libx264", ".mkv"),
        ("a.webm", "libvpx", ".webm"),
        ("a.ts", "libx264", ".ts"),
        ("a.avi", "mpeg4", ".avi"),
        ("a.flv", "libx264", ".flv"),
        ("a.ogv", "libtheora", ".ogv"),
        ("a.mpg", "mpeg2video", ".mpg"),
        ("a.wmv", "msmpeg4", ".wmv"),
    ],
)
def test_the_content_tells_the_suffix(tmp_path: Path, name: str, codec: str, suffix: str) -> None:
    """Whatever the file is called; and FFmpeg is allowed to read every container that gets so far."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    with av.open(str(tmp_path / name), "w") as file:
        stream = file.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(12):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        file.mux(stream.encode(None))
    path = (tmp_path / name).rename(tmp_path / "film.bin")
    assert container.container_of(path).suffix == suffix
    assert len(load_frames(path).pixels) == 12


def test_sound_alone_is_still_a_file_with_sound(tmp_path: Path) -> None:
    """In QuickTime's form without packets, whose sizes count samples and no bytes."""
    path = make_sound(
        tmp_path / "a.mov", "pcm_s16le", 8000, "mono", (tone(8000, 0.5)[None] * 20000).astype("i2"), "s16"
    )
    assert np.abs(load_audio(path).waveform).max() > 0.2
    assert not container.check(path)


def test_ffmpeg_opens_nothing_else_whatever_it_guesses(tmp_path: Path) -> None:
    """A list of other files, and a file that no check let through."""
    make_sound(tmp_path / "a.wav", "pcm_s16le", 8000, "mono", (tone(8000, 0.5)[None] * 20000).astype("i2"), "s16")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.wav\n", encoding="utf-8")
    for name in ("a.wav", "list.mp4"):
        with pytest.raises(av.error.FFmpegError):
            backends.open_av(tmp_path / name)
