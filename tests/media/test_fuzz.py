"""Damaged files: no crash, no hang, no error without words, and never fewer frames, or others, without saying so.

300 of them, 5000 with SORA_SOAK=1; always the same. Each is decoded in a child process that handles many, so that a
crash or a hang names its file. All tests here look at the same run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sora_jobs.media

from .damage import Damaged, damaged, only_pictures, whole_files

FILES = 5000 if os.environ.get("SORA_SOAK", "") == "1" else 300  # read now: a test sees no variable of ours
PROCESSES = 2
LONGEST_S = 30  # a file; it takes a tenth of a second
STARTING_S = 60

CRASHED, HUNG = "crashed", "hung"


class Look(NamedTuple):
    """What became of a file: what the child says, or {"crashed": its exit status} or {"hung": seconds}."""

    file: Damaged
    whole: bytes
    result: dict[str, Any]


Run = tuple[list[Look], dict[str, list[float]]]


class Child:
    """The process that decodes; a new one is started after a crash or a hang."""

    def __init__(self, whole: dict[str, Path], folder: Path) -> None:
        self._whole, self._folder = whole, folder
        self._path = folder / f"{threading.get_ident()}.mp4"
        self._process: subprocess.Popen[str] | None = None
        self.times_s: dict[str, list[float]] = {}

    def look(self, file: Damaged) -> dict[str, Any]:
        if self._process is None:
            self._start()
        self._path.write_bytes(file.data)
        task = {"path": str(self._path), "base": file.base, "number": file.number}
        return self._ask(json.dumps(task), LONGEST_S)

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=LONGEST_S)
            self._process = None

    def _start(self) -> None:
        engine = Path(sora_jobs.media.__file__).parents[2]
        command = [sys.executable, str(Path(__file__).with_name("damage_child.py")), str(engine)]
        command += [f"{name}={path}" for name, path in self._whole.items()]
        with (self._folder / f"{threading.get_ident()}.txt").open("a", encoding="utf-8") as words:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, encoding="utf-8"
            )
        self.times_s = self._ask("", STARTING_S)
        assert set(self.times_s) == set(self._whole), f"the child did not start: {self.times_s}"

    def _ask(self, line: str, deadline_s: float) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        hung = threading.Event()

        def kill() -> None:
            hung.set()
            process.kill()

        killer = threading.Timer(deadline_s, kill)
        killer.start()
        try:
            if line:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            killer.cancel()
        if answer:
            return dict(json.loads(answer))
        with contextlib.suppress(BrokenPipeError):
            self.close()
        status = process.wait()
        return {HUNG: deadline_s} if hung.is_set() else {CRASHED: status}


@pytest.fixture(scope="module")
def run() -> Run:
    """(what became of each file, when the frames of the whole ones begin)."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(PROCESSES) as workers:
        folder = Path(name)
        paths = whole_files(folder)
        whole = {name: path.read_bytes() for name, path in paths.items()}

        def share(first: int) -> Run:
            child = Child(paths, folder)
            try:
                files = (damaged(whole, number) for number in range(first, FILES, PROCESSES))
                return [Look(file, whole[file.base], child.look(file)) for file in files], child.times_s
            finally:
                child.close()

        shares = list(workers.map(share, range(PROCESSES)))
    looks = sorted((look for share, _ in shares for look in share), key=lambda look: look.file.number)
    return looks, shares[0][1]


def told(violations: list[tuple[Look, str]]) -> str:
    """The list that a failing test shows."""
    lines = [f"{look.file.number} ({look.file.base}; {look.file.recipe}): {what}" for look, what in violations]
    return "\n".join([f"{len(lines)} of {FILES} files; `tests.media.damage NUMBER FILE` makes one again", *lines])


def loads(look: Look) -> list[tuple[str, dict[str, Any]]]:
    """The loads of the file that gave frames: all of them, and a choice."""
    return [(name, load) for name in ("all", "some") if "counts" in (load := look.result.get(name, {}))]


def test_the_run_is_worth_something(run: Run) -> None:
    """Whole files are recognised, and enough of the damaged ones give frames, words, and warnings."""
    looks, times_s = run
    assert len(looks) == FILES
    assert {name: len(times) for name, times in times_s.items()} == {
        "tagged": 24,
        "untagged, late index": 24,
        "edit list": 24,
        "uneven": 24,
        "one group": 40,
    }
    gave = [look.result["all"] for look in looks if "all" in look.result]
    assert sum("counts" in load for load in gave) > FILES / 4
    assert sum("trouble" in load for load in gave) > FILES / 6
    assert sum(bool(load.get("warnings")) for load in gave) > FILES / 20
    exact = [load for load in gave if load.get("indices") and load["seen"] == load["indices"]]
    assert len(exact) > FILES / 20


def test_nothing_crashes_the_process_or_hangs(run: Run) -> None:
    bad = [(look, f"{how} ({look.result[how]})") for look in run[0] for how in (CRASHED, HUNG) if how in look.result]
    assert not bad, told(bad)


def test_what_cannot_be_is_told_in_words(run: Run) -> None:
    """Whatever is asked of a damaged file, nothing but MediaError is raised, and that says something."""
    bad = []
    for look in run[0]:
        for name, load in look.result.items():
            if isinstance(load, dict) and "raised" in load:
                bad.append((look, f"{name}: {load['raised'].strip().splitlines()[-1]}"))
            elif isinstance(load, dict) and "trouble" in load and len(load["trouble"].split()) < 4:
                bad.append((look, f"{name}: only says {load['trouble']!r}"))
    assert not bad, told(bad)


def test_there_is_a_frame_for_each_index_and_its_pixels_are_numbers(run: Run) -> None:
    """Pixels, indices and times are as many; pixels lie in 0..1; times are numbers."""
    bad = []
    for look in run[0]:
        for name, load in loads(look):
            if len(set(load["counts"])) > 1 or load["insane"] or not load["finite"]:
                shown = {key: load[key] for key in ("counts", "insane", "finite")}
                bad.append((look, f"{name}: {shown}"))
    assert not bad, told(bad)


def test_fewer_frames_than_there_were_are_never_silent(run: Run) -> None:
    """Fewer than the whole file had, or than the damaged one declares: a warning with both numbers. Only where the edit
    list or the frames' times are damaged themselves may they say that less is to be shown: nobody can know better."""
    bad = []
    for look in run[0]:
        load = look.result.get("all", {})
        if "counts" not in load or shown(look.file.data) != shown(look.whole):
            continue
        got, was = load["counts"][0], len(run[1][look.file.base])
        hides = look.file.base == "edit list"
        declared = 0 if hides else load["declared"]
        if got < max(was, declared) and not warned(load, got):
            bad.append((look, f"{got} frames, was {was}, declares {load['declared']}, warnings {load['warnings']}"))
    assert not bad, told(bad)


def shown(data: bytes) -> list[bytes]:
    """The tables of the picture that say when frames are shown; those that are not found are empty."""
    longest = ((b"elst", 24), (b"stts", 12 + 8 * 40), (b"ctts", 12 + 8 * 40))
    places = [(data.find(kind), length) for kind, length in longest]
    return [data[at : at + length] if at >= 0 else b"" for at, length in places]


def warned(load: dict[str, Any], got: int) -> bool:
    """Whether a warning names the number of frames and a greater one."""
    numbers = [{int(number) for number in re.findall(r"\b\d+\b", warning)} for warning in load["warnings"]]
    return any(got in named and max(named) > got for named in numbers)


def strays(look: Look) -> list[tuple[int, int]]:
    """[(index, n)] of the frames that look exactly like another frame n of the whole file. What a decoder puts in place
    of a lost one is none: a copy of a picture that is also where it belongs. Nothing is known where more than coded
    pictures is damaged, nor where they changed places."""
    load = look.result.get("all", {})
    if "counts" not in load or look.file.recipe.startswith("swap") or not only_pictures(look.whole, look.file.data):
        return []
    places = dict(zip(load["indices"], load["seen"], strict=True))
    return [(at, seen) for at, seen in places.items() if seen not in (-1, at, places.get(seen))]


def test_without_a_warning_each_frame_is_in_its_place_or_looks_damaged(run: Run) -> None:
    bad = [
        (look, f"(index, frame): {found}")
        for look in run[0]
        if (found := strays(look)) and not look.result["all"]["warnings"]
    ]
    assert not bad, told(bad)


def test_frames_behind_lost_ones_keep_their_times(run: Run) -> None:
    """There is a warning, and still each frame has its time: otherwise the sound is not that of the picture."""
    bad = []
    for look in run[0]:
        if (found := strays(look)) and look.result["all"]["warnings"]:
            load, whole_s = look.result["all"], run[1][look.file.base]
            times_s = dict(zip(load["indices"], load["times_s"], strict=True))
            # Later than its time is a picture that the decoder repeats because the right one refers to a lost one.
            early_s = max(whole_s[seen] - times_s[at] for at, seen in found)
            if early_s > 0.01:  # a third of a frame
                bad.append((look, f"(index, frame): {found}; up to {early_s:.2f} s too early"))
    assert not bad, told(bad)


def test_sound_is_as_long_as_asked_and_of_numbers(run: Run) -> None:
    """The sound of the frames that came, whatever became of it."""
    names = ("sound of all", "sound of some")
    bad = [
        (look, f"{name}: {look.result[name]}")
        for look in run[0]
        for name in names
        if not look.result.get(name, {}).get("fits", True)
    ]
    assert not bad, told(bad)
