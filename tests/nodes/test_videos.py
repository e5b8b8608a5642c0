"""LoadVideoFrames takes any VIDEO of the host: a file, one in memory, a trimmed one, images with sound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import inspect
import io
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..failures import failing
from ..media.clips import make_clip
from .conftest import Bench


@pytest.fixture
def film(bench: Bench) -> Path:
    """A sandbox film: 4 s, 30 fps, 1280x720, with sound."""
    waited = asyncio.run(bench.wait(asyncio.run(bench.create("a red kite")).args[0]))
    return bench.output / str(waited.args[2])


def test_frames_on_disk_are_a_tensor_like_any_other(bench: Bench, film: Path) -> None:
    """The same numbers, and nothing is left in the temp folder: on Windows once nobody has the frames any more."""
    from comfy_api.latest import InputImpl

    video = InputImpl.VideoFromFile(str(film))
    settings = {"frame_load_cap": 6, "custom_height": 90}
    there = asyncio.run(bench.frames(video, memory="disk", **settings)).args
    here = asyncio.run(bench.frames(video, **settings)).args
    assert np.array_equal(there[0].numpy(), here[0].numpy())
    assert np.array_equal(there[4].numpy(), here[4].numpy())
    if os.name == "nt":
        del there
        gc.collect()
    assert list(bench.temp.glob("sora_*")) == []


def test_a_video_in_memory_is_read_as_its_file(bench: Bench, film: Path) -> None:
    """And its copy in the temp folder is gone afterwards."""
    from comfy_api.latest import InputImpl

    settings = {"frame_load_cap": 5, "skip_first_frames": 20, "custom_height": 90}
    held = asyncio.run(bench.frames(InputImpl.VideoFromFile(io.BytesIO(film.read_bytes())), **settings)).args
    read = asyncio.run(bench.frames(InputImpl.VideoFromFile(str(film)), **settings)).args
    assert tuple(held[0].shape) == (5, 90, 160, 3)
    assert np.array_equal(held[0].numpy(), read[0].numpy())
    assert np.array_equal(held[1]["waveform"].numpy(), read[1]["waveform"].numpy())
    assert list(bench.temp.glob("sora_*")) == []


def test_a_video_in_memory_on_a_disk_in_trouble(bench: Bench, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full temp folder is an error in words; a copy that a scanner has open on Windows costs no frames."""
    from comfy_api.latest import InputImpl

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    video = InputImpl.VideoFromFile(io.BytesIO(film.read_bytes()))
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", refuse)
        with pytest.raises(bench.pack.module("sora_jobs.errors").StorageError) as caught:
            asyncio.run(bench.frames(video, frame_load_cap=1))
    assert caught.value.code == "disk_full"
    monkeypatch.setattr(Path, "unlink", refuse)
    assert asyncio.run(bench.frames(video, frame_load_cap=1)).args[0].shape[0] == 1


def test_an_interrupt_ends_the_decoding(bench: Bench, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the waiting for it: the next run must not find the memory taken by frames that nobody wants."""
    from comfy_api.latest import InputImpl

    ended: list[str] = []
    module = bench.pack.module("sora_jobs.media.clip")
    plain = module.load_frames

    def slowly(*given: Any, progress: Any, **more: Any) -> Any:
        def told(done: int, of: int) -> None:
            progress(done, of)
            time.sleep(0.05)

        try:
            return plain(*given, progress=told, **more)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    monkeypatch.setattr(module, "load_frames", slowly)

    async def interrupted() -> None:
        task = asyncio.ensure_future(bench.frames(InputImpl.VideoFromFile(str(film)), custom_height=90))
        await asyncio.sleep(0.5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    begun = time.monotonic()
    asyncio.run(interrupted())
    while not ended and time.monotonic() - begun < 10:
        time.sleep(0.02)
    assert ended == ["CancelledError"]
    assert time.monotonic() - begun < 5  # all of it would take longer
    assert [value for _, value, _ in bench.page.bars if value > 0]


def test_a_trimmed_video_gives_the_piece(bench: Bench, film: Path) -> None:
    """One second from the first: its frames and its sound, not the file's."""
    from comfy_api.latest import InputImpl

    if "start_time" not in inspect.signature(InputImpl.VideoFromFile).parameters:
        pytest.skip("this ComfyUI cannot trim a VIDEO")
    piece = InputImpl.VideoFromFile(str(film), start_time=1, duration=1)
    frames, audio, fps, count, _ = asyncio.run(bench.frames(piece, custom_height=90)).args
    whole = asyncio.run(bench.frames(InputImpl.VideoFromFile(str(film)), custom_height=90)).args[0].numpy()
    assert (count, fps) == (30, 30)
    differences = np.abs(frames.numpy() - whole[30:60])  # the host's own decoder made the piece
    assert (differences.max() <= 5 / 255, differences.mean() <= 1 / 255) == (True, True)
    assert np.abs(frames.numpy() - whole[31:61]).max() > 20 / 255  # and one frame beside it is another picture
    assert audio["waveform"].shape[2] == pytest.approx(audio["sample_rate"], rel=0.03)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 30 fps and 320x180, with sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(path, 60, size=(320, 180), matrix="bt709", audio=(48000, "stereo", 2.0))


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Are these the same pictures, decoded by different decoders, which differ at the edges of colours?"""
    return bool(np.abs(one - other).mean() <= 3 / 255)


@pytest.mark.parametrize("trim", [{}, {"start_time": 1, "duration": 1}], ids=["whole", "trimmed"])
@pytest.mark.parametrize("in_memory", [False, True])
def test_a_cropped_video_gives_what_is_left(bench: Bench, clip: Path, trim: dict[str, int], in_memory: bool) -> None:
    """From 0.35 on the host can crop one; the file that it gives shows all of it still."""
    from comfy_api.latest import InputImpl

    if "crop" not in inspect.signature(InputImpl.VideoFromFile).parameters:
        pytest.skip("this ComfyUI cannot crop a VIDEO")
    source = io.BytesIO(clip.read_bytes()) if in_memory else str(clip)
    video = InputImpl.VideoFromFile(source, crop=(80, 40, 160, 100), **trim)
    frames, audio, _, count, _ = asyncio.run(bench.frames(video, frame_load_cap=5)).args
    start = 30 if trim else 0
    whole = asyncio.run(
        bench.frames(InputImpl.VideoFromFile(str(clip)), skip_first_frames=start, frame_load_cap=5)
    ).args[0]
    assert (tuple(frames.shape), count) == ((5, 100, 160, 3), 5)
    assert near(frames.numpy(), whole.numpy()[:, 40:140, 80:240])
    assert np.abs(audio["waveform"].numpy()).max() > 0.4
    assert list(bench.temp.glob("sora_*")) == []


@pytest.mark.parametrize("name", ["get_dimensions", "get_duration", "get_frame_count"])
def test_a_video_that_says_something_else_than_its_file_is_believed(
    bench: Bench, clip: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever a later host does to a file: its size, its length, its frames."""
    import torch
    from comfy_api.latest import InputImpl

    kind = InputImpl.VideoFromFile
    plain = kind.get_components
    monkeypatch.setattr(
        kind, name, lambda self: {"get_dimensions": (160, 180), "get_duration": 1.0}.get(name, 30), raising=False
    )

    def darker(self: Any) -> Any:
        parts = plain(self)
        parts.images = torch.from_numpy(parts.images.numpy()[:30, :, :160] / 2)
        return parts

    monkeypatch.setattr(kind, "get_components", darker)
    frames, _, _, count, _ = asyncio.run(bench.frames(kind(str(clip)), custom_height=90)).args
    assert (tuple(frames.shape), count) == ((30, 90, 80, 3), 30)
    assert frames.numpy().max() <= 0.51


def test_a_video_of_another_pack_is_what_it_says(bench: Bench, clip: Path) -> None:
    """Its class may do anything to the file: its own components are taken."""
    import torch
    from comfy_api.latest import InputImpl

    class Mirrored(InputImpl.VideoFromFile):  # type: ignore[misc]
        def get_components(self) -> Any:
            parts = super().get_components()
            parts.images = torch.from_numpy(parts.images.numpy()[:, :, ::-1].copy())
            return parts

    class Foreign:
        def get_components(self) -> Any:
            return Mirrored(str(clip)).get_components()

    settings = {"frame_load_cap": 3, "skip_first_frames": 10}
    plain = asyncio.run(bench.frames(InputImpl.VideoFromFile(str(clip)), **settings)).args[0].numpy()
    for video in (Mirrored(str(clip)), Foreign()):
        frames = asyncio.run(bench.frames(video, **settings)).args[0].numpy()
        assert near(frames, plain[:, :, ::-1])
        assert not near(frames, plain)


def test_a_video_that_its_own_class_cannot_decode_is_told(bench: Bench, clip: Path) -> None:
    """With an error of the tree, which names the class."""
    from comfy_api.latest import InputImpl

    class Broken(InputImpl.VideoFromFile):  # type: ignore[misc]
        def get_components(self) -> Any:
            raise KeyError("frames")

    with failing(bench.pack.error("MediaError"), "not_decodable", "VIDEO (Broken)"):
        asyncio.run(bench.frames(Broken(str(clip))))


def test_a_video_of_the_hosts_own_is_read_from_its_file(
    bench: Bench, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also trimmed, in memory, or where the host cannot say how long it is: its own decoder holds every frame twice."""
    from comfy_api.latest import InputImpl

    def taken(_: Any) -> None:
        raise AssertionError("the components were taken")

    monkeypatch.setattr(InputImpl.VideoFromFile, "get_components", taken)
    trims = "start_time" in inspect.signature(InputImpl.VideoFromFile).parameters
    videos = [InputImpl.VideoFromFile(str(clip)), InputImpl.VideoFromFile(io.BytesIO(clip.read_bytes()))]
    videos += [InputImpl.VideoFromFile(str(clip), start_time=1, duration=2)] if trims else []
    for video in videos:
        assert asyncio.run(bench.frames(video, frame_load_cap=2, custom_height=90)).args[3] == 2

    def lost(_: Any) -> float:
        raise ValueError("Could not determine duration")

    monkeypatch.setattr(InputImpl.VideoFromFile, "get_duration", lost)
    assert asyncio.run(bench.frames(videos[0], frame_load_cap=2, custom_height=90)).args[3] == 2


def test_an_anamorphic_film_is_told_and_shown_square(bench: Bench, tmp_path: Path) -> None:
    """As it is stored, with a line in the node; in square pixels, on request. A graph of before has no such widget."""
    from comfy_api.latest import InputImpl

    path = make_clip(tmp_path / "wide.mp4", 6, matrix="bt709", aspect=Fraction(2))
    video = InputImpl.VideoFromFile(str(path))
    for options, width, told in (({}, 160, 1), ({"square_pixels": False}, 160, 2), ({"square_pixels": True}, 320, 2)):
        frames = asyncio.run(bench.frames(video, unique_id="7", **options)).args[0]
        assert tuple(frames.shape) == (6, 96, width, 3)
        assert sum("square_pixels" in text for text in bench.page.texts("7")) == told


def test_a_film_whose_first_sound_nobody_knows_is_told(bench: Bench, clip: Path, tmp_path: Path) -> None:
    """Every frame, silence, and a line in the node."""
    from comfy_api.latest import InputImpl

    data = bytearray(clip.read_bytes())
    at = data.rindex(b"stsd") + 16
    assert data[at : at + 4] == b"mp4a"
    inner = data.index(b"esds", at)
    data[at : at + 4], data[inner : inner + 4] = b"apac", b"dapa"
    path = tmp_path / "phone.mp4"
    path.write_bytes(data)
    frames, audio, _, count, _ = asyncio.run(
        bench.frames(InputImpl.VideoFromFile(str(path)), unique_id="8", custom_height=90)
    ).args
    assert (count, tuple(frames.shape)) == (60, (60, 90, 160, 3))
    assert not audio["waveform"].numpy().any()
    assert any("no decoder for its sound" in text for text in bench.page.texts("8"))


def test_images_with_sound_are_chosen_from(bench: Bench) -> None:
    """CreateVideo's VIDEO has no file; every setting works on it alike."""
    import torch
    from comfy_api.latest import InputImpl
    from comfy_api.util import VideoComponents

    images = np.linspace(0, 1, 12, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 10, 3), np.float32)
    wave = np.arange(1200, dtype=np.float32).reshape(1, 1, 1200) / 1200
    sound: Any = {"waveform": torch.from_numpy(wave), "sample_rate": 1200}
    video = InputImpl.VideoFromComponents(
        VideoComponents(torch.from_numpy(images), frame_rate=Fraction(12), audio=sound)
    )
    frames, audio, fps, count, last = asyncio.run(bench.frames(video, skip_first_frames=4, frame_load_cap=2)).args
    assert (count, fps) == (2, 12)
    assert np.array_equal(frames.numpy(), images[4:6])
    assert np.array_equal(last.numpy(), images[5:6])
    assert np.allclose(audio["waveform"].numpy(), wave[:, :, 400:600])


def test_a_file_outside_the_output_folder_has_no_name_there(bench: Bench, clip: Path) -> None:
    """ComfyUI serves nothing from elsewhere, so the page could not play it."""
    with failing(bench.pack.error("InvalidInputError"), "outside_output", clip):
        bench.pack.module("host.files").relative_name(clip)


def test_a_file_that_is_no_video_is_told(bench: Bench, tmp_path: Path) -> None:
    """An error body that was saved under a video's name."""
    from comfy_api.latest import InputImpl

    wrong = tmp_path / "answer.mp4"
    wrong.write_text('{"error": {"message": "not found"}}', encoding="utf-8")
    with failing(bench.pack.error("SoraError"), "not_a_video", "answer.mp4"):
        asyncio.run(bench.frames(InputImpl.VideoFromFile(str(wrong))))
