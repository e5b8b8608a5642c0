"""Colours come back as they were meant, whichever library reads the file and however old it is."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from sora_jobs.errors import InvalidInputError
from sora_jobs.media import colour, yuv
from sora_jobs.media.colour import CLIPS, Colour, colour_of, opencv_is_right, pyav_is_right
from sora_jobs.media.frames import Frames, load_frames
from sora_jobs.media.probe import examine, probe
from sora_jobs.media.selection import FrameChoice

from ..failures import failing
from .clips import make_clip, make_patches

PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255), (0, 0, 0), (200, 30, 90)]
RANGES = pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
NEAR = 4  # of 255: rounding of the coder and of FFmpeg's quick arithmetic; a wrong matrix is 20 off


@pytest.fixture(params=["as they are", "OpenCV too old", "both too old"])
def libraries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is installed, and what the self-test says of older ones."""
    if request.param != "as they are":
        monkeypatch.setattr("sora_jobs.media.reader.opencv_is_right", lambda _: False)
    if request.param == "both too old":
        monkeypatch.setattr(colour, "pyav_is_right", lambda _: False)
    yield


def found(loaded: Frames, patches: int = len(PATCHES)) -> np.ndarray:
    """The colour in the middle of each patch, 0..255."""
    wide = loaded.pixels.shape[2] // patches
    return loaded.pixels[-1, loaded.pixels.shape[1] // 2, wide // 2 :: wide] * 255


def off(loaded: Frames) -> float:
    return float(np.abs(found(loaded) - PATCHES).max())


@RANGES
@pytest.mark.parametrize("matrix", ["bt709", "bt601", "bt2020"])
@pytest.mark.usefixtures("libraries")
def test_tags_are_kept_to(tmp_path: Path, matrix: str, full: bool) -> None:
    """Matrix and range that the file names, in 8 bits."""
    loaded = load_frames(make_patches(tmp_path / "patches.mp4", PATCHES, matrix, full=full))
    assert off(loaded) <= NEAR
    assert (loaded.info.colour_matrix, loaded.info.colour_range) == (matrix, "full" if full else "limited")


@RANGES
@pytest.mark.parametrize("kind", ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"])
@pytest.mark.usefixtures("libraries")
def test_other_chroma_and_ten_bits(tmp_path: Path, kind: str, full: bool) -> None:
    """Also with full chroma, and with 10 bits, which come as the nearest 8."""
    loaded = load_frames(make_patches(tmp_path / "patches.mp4", PATCHES, "bt709", full=full, kind=kind))
    assert loaded.info.pixel_format in (kind, kind.replace("yuv", "yuvj"))
    assert off(loaded) <= NEAR


@pytest.mark.parametrize(
    ("patch", "matrix"), [((32, 64), "bt601"), ((96, 576), "bt601"), ((192, 720), "bt709"), ((32, 1280), "bt709")]
)
@pytest.mark.usefixtures("libraries")
def test_a_file_without_tags_is_read_as_players_do(tmp_path: Path, patch: tuple[int, int], matrix: str) -> None:
    """SD as BT.601 and HD as BT.709, also upright HD."""
    clip = make_patches(tmp_path / "patches.mp4", PATCHES, matrix, full=False, tagged=False, patch=patch)
    loaded = load_frames(clip, FrameChoice(frame_load_cap=2))
    assert loaded.info.colour_matrix == "unspecified"
    assert off(loaded) <= NEAR


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.usefixtures("libraries")
def test_the_user_can_say_what_no_tag_says(tmp_path: Path, matrix: str) -> None:
    """The choice counts for a file without tags, and only for that."""
    other = {"bt709": "bt601", "bt601": "bt709"}[matrix]
    untagged = make_patches(tmp_path / "untagged.mp4", PATCHES, matrix, full=False, tagged=False)
    assert off(load_frames(untagged, untagged=matrix)) <= NEAR
    assert off(load_frames(untagged, untagged=other)) > 15
    tagged = make_patches(tmp_path / "tagged.mp4", PATCHES, matrix, full=False)
    assert off(load_frames(tagged, untagged=other)) <= NEAR
    with failing(InvalidInputError, "unknown_option", "auto, bt601, bt709"):
        load_frames(untagged, untagged="bt2020")


def test_opencv_and_pyav_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both keep to the tags their frames are the same within 1, in pictures with edges and ramps, too."""
    for matrix, full in itertools.product(("bt709", "bt601"), (False, True)):
        look = Colour(matrix, full)
        if not (opencv_is_right(look) and pyav_is_right(look)):
            pytest.skip(f"the libraries here are too old for {look}")
        clip = make_clip(tmp_path / f"{matrix}_{full}.mp4", 5, size=(320, 180), matrix=matrix, full=full)
        first = load_frames(clip).pixels
        with monkeypatch.context() as old:
            old.setattr("sora_jobs.media.reader.opencv_is_right", lambda _: False)
            second = load_frames(clip).pixels
        assert np.abs(first - second).max() <= 1 / 255 + 1e-6


@pytest.mark.parametrize("size", [(161, 97), (1, 1), (2, 3), (33, 64)])
@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p"])
def test_odd_sizes_lose_no_row_and_no_column(size: tuple[int, int], kind: str) -> None:
    """The plain formula on planes of every shape: each pixel has the chroma that lies under it."""
    width, height = size
    frame = av.VideoFrame(width, height, kind)
    rng = np.random.default_rng(1)
    samples = []
    for plane in frame.planes:
        rows = rng.integers(0, 256, (plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
        plane.update(rows.tobytes())
        samples.append(rows[: plane.height, : plane.width].astype(np.float64))
    down, across = -(-height // samples[1].shape[0]), -(-width // samples[1].shape[1])
    grown = [np.repeat(np.repeat(one, down, 0), across, 1)[:height, :width] for one in samples[1:]]
    luma, cb, cr = (samples[0] - 16) / 219, (grown[0] - 128) / 224, (grown[1] - 128) / 224
    red, blue = luma + 1.5748 * cr, luma + 1.8556 * cb
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    expected = np.clip(np.stack([blue, green, red], 2) * 255, 0, 255)
    assert np.abs(yuv.to_bgr(frame, "bt709", full=False) - expected).max() <= 1  # OpenCV counts in steps of 1/1024


def test_the_self_test_notices_a_library_that_ignores_the_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes everything for BT.601 in limited range is found out, for each kind of file."""
    plain = colour._converted
    monkeypatch.setattr(colour, "_converted", lambda frame, _: plain(frame, Colour("bt601", full=False)))
    for function in (colour.pyav_is_right, colour.opencv_is_right):
        function.cache_clear()
    try:
        right = {
            (matrix, full): colour.pyav_is_right(Colour(matrix, full))
            for matrix, full in itertools.product(("bt709", "bt601"), (False, True))
        }
    finally:
        colour.pyav_is_right.cache_clear()
    assert [look for look, is_right in right.items() if is_right] == [("bt601", False)]
    assert not opencv_is_right(Colour("bt2020", full=False))  # which is never tried


def test_the_clips_of_the_self_test_are_what_their_names_say() -> None:
    """Tags as named, and the four patches that they were made of."""
    for file in CLIPS.glob("bt*.mp4"):
        info = probe(file)
        assert f"{info.colour_matrix}_{info.colour_range}" == file.stem
        assert (
            np.abs(found(load_frames(file), 4) - [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 30, 90)]).max() <= NEAR
        )
    assert len(list(CLIPS.glob("bt*.mp4"))) == 4
    fields = examine(CLIPS / "fields.mp4")
    assert fields.fields or not hasattr(av.VideoCodecContext, "field_order")
    assert (fields.info.colour_matrix, fields.info.frames) == ("bt709", 2)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg to compare with")
@RANGES
@pytest.mark.parametrize("matrix", ["bt709", "bt601", "bt2020"])
def test_frames_are_those_of_ffmpeg(tmp_path: Path, matrix: str, full: bool) -> None:
    """Its rgb24 of the same file, 8 bits: within 3 of 255, and most of it the same."""
    clip = make_clip(tmp_path / "clip.mp4", 3, size=(320, 180), matrix=matrix, full=full)
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    theirs = np.frombuffer(raw, np.uint8).reshape(3, 180, 320, 3)
    ours = np.rint(load_frames(clip).pixels * 255)
    assert np.abs(ours - theirs).max() <= 3
    assert np.abs(ours - theirs).mean() < 1.2


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg to compare with")
@pytest.mark.parametrize(
    ("kind", "most", "mean"),
    [("yuv444p", 3, 0.2), ("yuv444p10le", 1, 0.1), ("yuv422p10le", 255, 3), ("yuv420p10le", 255, 3)],
)
@pytest.mark.parametrize("matrix", ["bt709", "bt2020"])
def test_ten_bits_are_nearly_those_of_ffmpeg(tmp_path: Path, kind: str, most: int, mean: float, matrix: str) -> None:
    """Where chroma has fewer samples than luma the two fill in otherwise, which shows at hard edges of colour only."""
    clip = tmp_path / "clip.mp4"
    tagged = ["-colorspace", "bt2020nc" if matrix == "bt2020" else matrix, "-color_range", "tv"]
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=0.3"]
    scaled = ["-vf", f"scale=out_color_matrix={matrix}", "-c:v", "libx264", "-crf", "8", "-pix_fmt", kind]
    quiet = ["ffmpeg", "-v", "error"]
    subprocess.run([*quiet, *drawn, *scaled, *tagged, str(clip)], check=True, timeout=60)
    shown = [*quiet, "-i", str(clip), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(shown, capture_output=True, check=True, timeout=60).stdout
    theirs = np.frombuffer(raw, np.uint8).reshape(3, 180, 320, 3)
    loaded = load_frames(clip)
    assert (loaded.info.pixel_format, loaded.info.colour_matrix) == (kind, matrix)
    apart = np.abs(np.rint(loaded.pixels * 255) - theirs)
    assert apart.max() <= most
    assert apart.mean() <= mean


def test_untagged_is_decided_by_the_coded_size() -> None:
    """mpv's rule, at its edges."""
    info = probe(CLIPS / "bt709_limited.mp4")
    for width, height, matrix in (
        (1279, 576, "bt601"),
        (1280, 100, "bt709"),
        (640, 577, "bt709"),
        (576, 1024, "bt601"),
    ):
        untagged = dataclasses.replace(info, width=width, height=height, colour_matrix="unspecified")
        assert colour_of(untagged) == Colour(matrix, full=False)
