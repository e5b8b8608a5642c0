"""What OpenCV and PyAV make of the clips that are shipped with the pack: the doctor's "ok" means that they work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import MediaError
from . import backends
from .audio import load_audio
from .backends import CLIPS
from .colour import TOLERANCE, Colour, colour_of, opencv_reads_fields, pyav_is_right
from .opencv_reader import capture
from .probe import examine
from .pyav_reader import PyavReader
from .reader import pictures, planned
from .resize import Pixels
from .selection import FrameChoice

COLOURS = tuple(Colour(matrix, full) for matrix in ("bt601", "bt709") for full in (False, True))
PATCHES = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 30, 90))  # of each clip, side by side, RGB
FRAMES, WIDTH, HEIGHT = 6, 128, 64
SOUND, LOUD = "sound.mp4", 0.4  # a tone at half height


def opencv() -> tuple[bool, str]:
    """(whether it reads video files, what it was seen to do). MediaError where it cannot be used at all."""
    cv2 = backends.cv2()
    try:
        read = {colour: _by_opencv(colour) for colour in COLOURS}
        fields = opencv_reads_fields()
    except Exception as error:
        raise _broken("OpenCV", cv2.__version__, error, backends.ONE_OPENCV) from error
    if not any(read.values()):
        return False, f"{cv2.__version__} opens no video file: all are read with PyAV. {backends.ONE_OPENCV}"
    text, wrong = _seen("OpenCV", cv2.__version__, read)
    left = [*wrong, *([] if fields else ["interlaced pictures"])]
    others = f"; PyAV reads {', '.join(left)} in its place, whose colours it gets wrong" if left else ""
    return True, f"{text}; reads whole files that name their colours{others}"


def pyav() -> str:
    """What it was seen to do. MediaError where it does not work as the pack needs it."""
    av = backends.av()
    try:
        read = {colour: _by_pyav(colour) for colour in COLOURS}
        loudest = float(np.abs(load_audio(CLIPS / SOUND).waveform).max())
        own = all(pyav_is_right(colour) for colour in COLOURS)
    except Exception as error:
        raise _broken("PyAV", av.__version__, error, backends.NEW_PYAV) from error
    text, wrong = _seen("PyAV", av.__version__, read)
    if wrong or loudest < LOUD:
        lost = [*wrong, *(["sound"] if loudest < LOUD else [])]
        raise MediaError(f"PyAV {av.__version__} decodes wrongly: {', '.join(lost)}.", hint=backends.NEW_PYAV)
    return f"{text}{'' if own else ' (by the formula)'}, sound right; reads all other files, and all sound"


def _by_opencv(colour: Colour) -> list[Pixels]:
    cv2 = backends.cv2()
    film = capture(_clip(colour))
    try:
        found = []
        while (read := film.read())[0]:
            found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
        return found
    finally:
        film.release()


def _by_pyav(colour: Colour) -> list[Pixels]:
    source = examine(_clip(colour))
    with PyavReader(source, colour_of(source.info)) as reader:
        return [picture[..., ::-1] for _, _, picture in pictures(reader, source, planned(source, FrameChoice()))]


def _clip(colour: Colour) -> Path:
    return CLIPS / f"{colour.matrix}_{'full' if colour.full else 'limited'}.mp4"


def _seen(library: str, version: str, read: dict[Colour, list[Pixels]]) -> tuple[str, list[str]]:
    """(what it was seen to do, the kinds of files whose colours are wrong). MediaError for other frames."""
    shapes = [picture.shape for found in read.values() for picture in found]
    if shapes != [(HEIGHT, WIDTH, 3)] * FRAMES * len(read):
        counts = ", ".join(f"{len(found)} of {FRAMES}" for found in read.values())
        raise MediaError(f"{library} {version} decodes {counts} frames of the test clips.", hint=backends.ONE_OPENCV)
    wrong = [_name(colour) for colour, found in read.items() if not _is_right(found)]
    colours = f"{len(read) - len(wrong)} of {len(read)} kinds of colours" if wrong else "colours"
    return f"{version}: {FRAMES} of {FRAMES} frames of {WIDTH}x{HEIGHT}, {colours} right", wrong


def _is_right(found: Iterable[Pixels]) -> bool:
    wide = WIDTH // len(PATCHES)
    middles = np.stack([picture[HEIGHT // 2, wide // 2 :: wide] for picture in found]).astype(int)
    return int(np.abs(middles - PATCHES).max()) <= TOLERANCE


def _name(colour: Colour) -> str:
    return f"{colour.matrix.upper().replace('BT', 'BT.')} {'full' if colour.full else 'limited'} range"


def _broken(library: str, version: str, error: Exception, cure: str) -> MediaError:
    words = " ".join(str(error.args[0] if isinstance(error, MediaError) else error).split())[:300]
    return MediaError(f"{library} {version} cannot decode a test clip ({type(error).__name__}: {words}).", hint=cure)
