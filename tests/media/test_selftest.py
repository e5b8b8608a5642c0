"""The doctor decodes: "ok" means that the library works, and one that breaks is a failed line with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.diagnostics import doctor
from sora_jobs.diagnostics.findings import Finding
from sora_jobs.engine import Engine
from sora_jobs.errors import MediaError
from sora_jobs.media import backends, colour, pyav_reader, selftest
from sora_jobs.media.colour import Colour
from sora_jobs.media.export import save_frames
from sora_jobs.media.frames import load_frames
from sora_jobs.media.opencv_reader import OpencvReader

from ..failures import failing
from .clips import make_clip, numbers_of


@pytest.fixture(autouse=True)
def tried_anew() -> Iterator[None]:
    """What a process found out once is found out again, before and after."""
    tests = (colour.opencv_is_right, colour.opencv_reads_fields, colour.pyav_is_right)
    for one in tests:
        one.cache_clear()
    yield
    for one in tests:
        one.cache_clear()


def looked(tmp_path: Path) -> dict[str, Finding]:
    """What the doctor says of both."""
    nowhere = {"COMETAPI_BASE_URL": "https://cometapi.invalid", "SORA_SANDBOX_SECONDS": "0.2"}
    engine = Engine(tmp_path / "home", tmp_path / "output", env=nowhere)
    try:
        return {one.name: one for one in doctor.examine(engine) if one.name in ("opencv", "pyav")}
    finally:
        engine.close()


def test_what_was_seen_is_said(tmp_path: Path) -> None:
    """Version, frames, size, colours, sound, and which files each of them reads."""
    found = looked(tmp_path)
    assert {one.level for one in found.values()} == {"ok"}
    for name, library in (("opencv", backends.cv2()), ("pyav", backends.av())):
        text = found[name].text
        assert library.__version__ in text
        for words in ("6 of 6 frames of 128x64", "colours", "reads"):
            assert words in text
    assert "sound right" in found["pyav"].text


@pytest.mark.parametrize(
    "error",
    [
        TypeError("open() got an unexpected keyword argument 'metadata_errors'"),
        AttributeError("'AudioStream' object has no attribute 'rate'"),
        OSError(2, "No such file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_pyav_that_opens_no_file_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """That it can be imported is not enough. OpenCV is looked at all the same."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(backends, "open_av", broken)
    found = looked(tmp_path)
    assert found["pyav"].level == "failed"
    assert str(error.args[-1]) in found["pyav"].text
    assert backends.NEW_PYAV in found["pyav"].text
    assert found["opencv"].level == "failed" or "6 of 6 frames" in found["opencv"].text


def test_a_pyav_that_decodes_wrongly_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong colours, too few frames, no sound."""
    with monkeypatch.context() as patch:
        patch.setattr(pyav_reader, "to_bgr", lambda frame, look: np.zeros((64, 128, 3), np.uint8))
        assert "BT.709 full range" in looked(tmp_path)["pyav"].text
        assert looked(tmp_path)["pyav"].level == "failed"
    with monkeypatch.context() as patch:
        plain = selftest._by_pyav
        patch.setattr(selftest, "_by_pyav", lambda look: plain(look)[:5])
        found = looked(tmp_path)["pyav"]
        assert (found.level, "5 of 6" in found.text) == ("failed", True)
    with monkeypatch.context() as patch:
        plain_sound = selftest.load_audio
        patch.setattr(selftest, "load_audio", lambda path: plain_sound(path, start_s=5.0, duration_s=0.1))
        found = looked(tmp_path)["pyav"]
        assert (found.level, "wrongly: sound" in found.text) == ("failed", True)


class Capture:
    """A cv2.VideoCapture that goes wrong in one way."""

    wrong = ""

    def __init__(self, *given: Any) -> None:
        if self.wrong == "raises":
            raise backends.cv2().error("unknown backend")
        self.real = REAL(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def isOpened(self) -> bool:
        return self.wrong != "opens nothing"

    def read(self) -> tuple[bool, Any]:
        return (False, None) if self.wrong == "opens nothing" else self.real.read()

    def retrieve(self, *given: Any) -> tuple[bool, Any]:
        if self.wrong == "converts nothing":
            return False, None
        if self.wrong == "raises later":
            raise backends.cv2().error("bad conversion")
        return self.real.retrieve(*given)  # type: ignore[no-any-return]


REAL: Any = backends.cv2().VideoCapture


def test_an_opencv_that_raises_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what cures it; PyAV is looked at all the same."""
    monkeypatch.setattr(Capture, "wrong", "raises")
    monkeypatch.setattr(backends.cv2(), "VideoCapture", Capture)
    found = looked(tmp_path)
    assert (found["opencv"].level, found["pyav"].level) == ("failed", "ok")
    assert "unknown backend" in found["opencv"].text
    assert backends.ONE_OPENCV in found["opencv"].text


def test_an_opencv_without_ffmpeg_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything works by PyAV."""
    monkeypatch.setattr(Capture, "wrong", "opens nothing")
    monkeypatch.setattr(backends.cv2(), "VideoCapture", Capture)
    found = looked(tmp_path)
    assert (found["opencv"].level, found["pyav"].level) == ("warning", "ok")
    assert "opens no video file" in found["opencv"].text


@pytest.mark.parametrize("wrong", ["raises", "opens nothing", "converts nothing", "raises later"])
def test_what_opencv_cannot_read_is_read_with_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Whichever way it goes wrong, and whenever: every frame is there."""
    clip = make_clip(tmp_path / "clip.mp4", matrix="bt601")
    if not colour.opencv_is_right(Colour("bt601", full=False)):
        pytest.skip("this OpenCV is not chosen for it")
    monkeypatch.setattr("sora_jobs.media.reader.opencv_reads_fields", lambda: True)
    begun: list[int] = []
    plain = OpencvReader.__init__
    monkeypatch.setattr(OpencvReader, "__init__", lambda *given: (begun.append(1), plain(*given))[1])
    monkeypatch.setattr(Capture, "wrong", wrong)
    monkeypatch.setattr(backends.cv2(), "VideoCapture", Capture)
    assert numbers_of(load_frames(clip).pixels) == list(range(24))
    assert len(save_frames(clip, tmp_path / "png")) == 24
    assert begun


def test_a_pyav_with_other_words_for_colours_is_told_by_the_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyword that it does not know any more is no error: the plain formula gives the same picture."""

    def renamed(*_: object) -> None:
        raise TypeError("reformat() got an unexpected keyword argument 'src_colorspace'")

    monkeypatch.setattr(colour, "_converted", renamed)
    assert not colour.pyav_is_right(Colour("bt709", full=True))
    assert "colours right (by the formula)" in selftest.pyav()


def test_the_clip_of_the_self_test_has_sound() -> None:
    """Half a tone high, which is what is looked for."""
    with failing(MediaError, "file_not_found", "none.mp4"):
        selftest.load_audio(backends.CLIPS / "none.mp4")
    assert np.abs(selftest.load_audio(backends.CLIPS / selftest.SOUND).waveform).max() > selftest.LOUD
