"""An OpenCV that is hollow, broken, missing or there twice takes nothing down with it, and what cures it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from sora_jobs.media import backends

from ..systems import hears_pythonpath

PACK = Path(__file__).parents[2]
CLIP = next((PACK / "nodes" / "sora_jobs" / "media" / "selftest").glob("*.mp4"))
BROKEN = {
    "hollow": "",
    "mixed": "raise AttributeError(\"partially initialized module 'cv2' has no attribute 'gapi_wip_gst'\")",
    "missing": "raise ModuleNotFoundError(\"No module named 'cv2'\")",
    "without libGL": "raise ImportError('libGL.so.1: cannot open shared object file')",
}
LOAD_AS_THE_HOST_DOES = """
import os, sys
from tests.nodes.hosts import Pack, use_standin
use_standin()
import folder_paths
for name in ("input", "output", "temp", "user"):
    getattr(folder_paths, f"set_{name}_directory")(os.environ["SORA_HOME"])
print(*Pack(real=False).nodes)
assert "cv2" not in sys.modules
"""


needs_pythonpath = pytest.mark.skipif(not hears_pythonpath(), reason="this Python ignores PYTHONPATH: try it in a venv")


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment whose `cv2` is one of these."""
    folder = tmp_path / "broken" / "cv2"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(BROKEN[request.param], encoding="utf-8")
    return {"PYTHONPATH": str(folder.parent), "SORA_HOME": str(tmp_path / "home")}


def python(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=PACK, env=os.environ | env, capture_output=True, encoding="utf-8", timeout=120
    )


@needs_pythonpath
def test_the_pack_loads_and_says_what_to_install(broken: dict[str, str], tmp_path: Path) -> None:
    """The nodes are there, the list of jobs works, the doctor and whoever needs a frame name the cure."""
    loaded = python(broken, "-c", LOAD_AS_THE_HOST_DOES)
    assert "LoadVideoFrames" in loaded.stdout, loaded.stderr
    assert python(broken, "-m", "nodes.sora_jobs", "jobs").returncode == 0
    frames = python(broken, "-m", "nodes.sora_jobs", "frames", str(CLIP), "--out", str(tmp_path), "--json")
    assert frames.returncode == 7
    told = json.loads(frames.stdout)
    doctor = python(broken, "-m", "nodes.sora_jobs", "doctor", "--json")
    (found,) = [one for one in json.loads(doctor.stdout)["findings"] if one["name"] == "opencv"]
    assert (doctor.returncode, found["level"]) == (7, "failed")
    for text in (told["error"] + told["hint"], found["text"]):
        assert "OpenCV" in text
        assert f"pip uninstall {' '.join(backends.WHEELS)}, then pip install opencv-python" in text


@needs_pythonpath
def test_two_wheels_are_warned_of(tmp_path: Path) -> None:
    """They work until one of them is uninstalled."""
    for name in backends.WHEELS[1:3]:
        folder = tmp_path / f"{name.replace('-', '_')}-9.9.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n", encoding="utf-8")
    doctor = python(
        {"PYTHONPATH": str(tmp_path), "SORA_HOME": str(tmp_path)}, "-m", "nodes.sora_jobs", "doctor", "--json"
    )
    (found,) = [one for one in json.loads(doctor.stdout)["findings"] if one["name"] == "opencv"]
    assert (doctor.returncode, found["level"]) == (0, "warning")
    assert "opencv-contrib-python 9.9 and opencv-python-headless 9.9" in found["text"]
    assert "lie in one folder" in found["text"]


@pytest.mark.parametrize("knows_the_keyword", [True, False])
def test_every_pyav_opens_files(knows_the_keyword: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to version 18 it has to be told that odd metadata does not matter; 19 refuses that very keyword."""
    given: list[dict[str, object]] = []

    def open_as_it_does(file: str, mode: str = "r", **keywords: object) -> object:
        if not knows_the_keyword and "metadata_errors" in keywords:
            raise TypeError("open() got an unexpected keyword argument 'metadata_errors'")
        given.append(keywords)
        return av.open(file, mode, container_options=keywords.get("container_options"))

    av = backends.av()
    monkeypatch.setattr(backends, "av", lambda: SimpleNamespace(open=open_as_it_does))
    backends._odd_metadata.cache_clear()
    try:
        with backends.open_av(CLIP) as file:
            assert file.streams.video
    finally:
        backends._odd_metadata.cache_clear()
    assert ("metadata_errors" in given[-1]) is knows_the_keyword


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (SimpleNamespace(numerator=16, denominator=15), Fraction(16, 15)),  # as PyAV has them from 19 on
        (SimpleNamespace(numerator=0, denominator=0), None),
        (SimpleNamespace(numerator=1, denominator=0), None),
        (25, Fraction(25)),
        (Fraction(0), None),
        (None, None),
    ],
)
def test_a_rate_is_a_fraction_whatever_pyav_has_for_it(given: object, expected: Fraction | None) -> None:
    """And what is not known is None, also where PyAV calls it 0/0."""
    assert backends.fraction(given) == expected
