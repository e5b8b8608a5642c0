"""Damaged MP4s, made from whole ones by number, so that each of them can be made again.

`python -m tests.media.damage NUMBER FILE` writes one and says what was done to it.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from . import clips

SEED = 4
HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta"}
TABLES = {b"stts": 8, b"ctts": 8, b"stsz": 4, b"stco": 4, b"stsc": 12, b"stss": 4, b"elst": 12}  # bytes of an entry
NUMBERS = (0, 1, 2, 7, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Box(NamedTuple):
    kind: bytes
    start: int
    end: int


class Damaged(NamedTuple):
    """`base` is the whole file's name; `recipe` says what was done to its bytes."""

    number: int
    base: str
    recipe: str
    data: bytes


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[Box]:
    """The boxes of a whole file and those in them, in order."""
    found: list[Box] = []
    end = len(data) if end is None else end
    while start + 8 <= end:
        box = Box(bytes(data[start + 4 : start + 8]), start, start + int.from_bytes(data[start : start + 4]))
        found.append(box)
        if box.kind in HOLDERS:
            found += boxes(data, start + 8, box.end)
        start = box.end
    return found


def moving(number: int, width: int = clips.WIDTH, height: int = clips.HEIGHT) -> NDArray[np.uint8]:
    """The number in bars, and below it stripes that move, so that no part of a picture looks like the next one's."""
    picture = numbered(number, width, height)
    across, down = np.meshgrid(np.arange(width), np.arange(height - height // 3))
    picture[height // 3 :] = (127 + 90 * np.sin((across + down / 2 - 7 * number) / 9))[..., None]
    picture[height // 3 :, :, 0] //= 2
    return picture


numbered = clips.numbered


def whole_files(folder: Path) -> dict[str, Path]:
    """The files that are damaged. One thread encodes, so that they are the same on any machine with this encoder."""
    uneven = [round(600 * (k / 30 + 0.01 * (k % 3))) for k in range(24)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "numbered", moving)
        return {
            "tagged": _made(folder / "tagged.mp4", 24, matrix="bt709", audio=(48000, "stereo", 0.8)),
            "untagged, late index": _made(folder / "untagged.mp4", 24, faststart=False, audio=(44100, "mono", 0.8)),
            "edit list": _made(folder / "hidden.mp4", 30, matrix="bt709", hide=6),
            "uneven": _made(folder / "uneven.mp4", 24, matrix="bt601", ticks=uneven, audio=(22050, "stereo", 0.8)),
            "one group": _made(folder / "group.mp4", 40, matrix="bt709", gop=250, audio=(48000, "5.1", 1.4)),
        }


def _made(path: Path, frames: int, gop: int = 8, **options: object) -> Path:
    return clips.make_clip(path, frames, gop=gop, coding={"threads": "1"}, **options)  # type: ignore[arg-type]


def damaged(whole: dict[str, bytes], number: int) -> Damaged:
    """The file of that number: first a cut at every box and inside each, then everything else by turns."""
    random_ = random.Random(f"{SEED} {number}")
    cuts = [(name, box, place) for name in list(whole)[:2] for box in boxes(whole[name]) for place in ("at", "in")]
    if number < len(cuts):
        name, box, place = cuts[number]
        end = box.start if place == "at" else random_.randrange(box.start + 1, box.end)
        return Damaged(number, name, f"cut {place} {_named(box)}: only the first {end} bytes", whole[name][:end])
    ways, names = list(WAYS), list(whole)
    way, name = ways[number % len(ways)], names[number // len(ways) % len(names)]
    data = bytearray(whole[name])
    return Damaged(number, name, way(random_, data), bytes(data))


Random = random.Random


def _flips(random_: Random, data: bytearray) -> str:
    """Bits that flipped: anywhere, or all of them in the index or the coded pictures."""
    where = random_.choice([None, b"moov", b"mdat"])
    start, end = next(((box.start, box.end) for box in boxes(data) if box.kind == where), (0, len(data)))
    places = sorted(random_.randrange(8 * start, 8 * end) for _ in range(random_.choice((1, 1, 2, 8, 40))))
    for place in places:
        data[place // 8] ^= 1 << place % 8
    return "flip bits " + " ".join(f"{place // 8}.{place % 8}" for place in places)


def _cut(random_: Random, data: bytearray) -> str:
    end = random_.randrange(1, len(data))
    del data[end:]
    return f"cut: only the first {end} bytes"


def _range(random_: Random, size: int) -> tuple[int, int]:
    length = min(random_.choice((1, 4, 16, 100, 512, 4096)), size // 2)
    start = random_.randrange(size - length)
    return start, start + length


def _zeros(random_: Random, data: bytearray) -> str:
    start, end = _range(random_, len(data))
    data[start:end] = bytes(end - start)
    return f"zeros in {start}:{end}"


def _noise(random_: Random, data: bytearray) -> str:
    start, end = _range(random_, len(data))
    data[start:end] = random_.randbytes(end - start)
    return f"noise in {start}:{end}"


def _swapped(random_: Random, data: bytearray) -> str:
    start, end = _range(random_, len(data))
    other = random_.randrange(len(data) - (end - start))
    one, two = bytes(data[start:end]), bytes(data[other : other + end - start])
    data[other : other + end - start] = one
    data[start:end] = two
    return f"swap {start}:{end} with as many bytes from {other}"


def _twice(random_: Random, data: bytearray) -> str:
    start, end = _range(random_, len(data))
    at = random_.choice((end, random_.randrange(len(data))))
    data[at:at] = data[start:end]
    return f"insert a copy of {start}:{end} at {at}"


def _lost(random_: Random, data: bytearray) -> str:
    start, end = _range(random_, len(data))
    del data[start:end]
    return f"lose {start}:{end}"


def _size(random_: Random, data: bytearray) -> str:
    """A box that says a wrong size."""
    box = random_.choice(boxes(data))
    right = box.end - box.start
    wrong = random_.choice((*NUMBERS, 8, right + 1, right - 1, right + 8, right * 2, right // 2, len(data)))
    data[box.start : box.start + 4] = wrong.to_bytes(4)
    return f"size of {_named(box)} is {wrong} instead of {right}"


def _kind(random_: Random, data: bytearray) -> str:
    """A box that is another one now."""
    box, other = random_.choice(boxes(data)), random_.choice((b"free", b"stts", b"trak", b"mdat", b"xxxx"))
    data[box.start + 4 : box.start + 8] = other
    return f"{_named(box)} is called {other.decode()}"


def _table(random_: Random, data: bytearray) -> str:
    """A wrong number in one of the tables that say where and when the pictures are, or a wrong count of entries."""
    box = random_.choice([box for box in boxes(data) if box.kind in TABLES and box.end - box.start > 16])
    first = box.start + (20 if box.kind == b"stsz" else 16)
    places = [*range(first, box.end - 3, 4), *[first - 4] * 3]  # the count is as likely as three entries
    at = random_.choice(places)
    right = int.from_bytes(data[at : at + 4])
    wrong = random_.choice((*NUMBERS, right + 1, right - 1, right * 2, right // 2, random_.getrandbits(16))) % 2**32
    data[at : at + 4] = wrong.to_bytes(4)
    return f"{_named(box)}: {'count' if at < first else f'number {(at - first) // 4}'} is {wrong} instead of {right}"


def _sample(random_: Random, data: bytearray) -> str:
    """A coded picture (or packet of sound) that is zeros, noise, begins wrongly or is another one's."""
    sizes, offsets = (_entries(data, kind) for kind in (b"stsz", b"stco"))
    mdat = next(box for box in boxes(data) if box.kind == b"mdat")
    at = random_.choice(offsets or [mdat.start + 8])
    number = random_.randrange(max(1, min(8, len(sizes))))
    start = min(at + sum(sizes[:number]), mdat.end - 8)
    end = min(start + (sizes[number] if sizes else 100), mdat.end)
    way = random_.choice(("zeros", "noise", "its length", "its kind"))
    if way == "its length":
        data[start : start + 4] = random_.choice((*NUMBERS, random_.getrandbits(12))).to_bytes(4)
    elif way == "its kind":
        data[start + 4] = random_.randrange(256)
    else:
        data[start:end] = bytes(end - start) if way == "zeros" else random_.randbytes(end - start)
    return f"a sample at {start}:{end}: {way} ({data[start : start + 5].hex()} …)"


def _entries(data: bytearray, kind: bytes) -> list[int]:
    """The numbers of the first such table, which is the picture's."""
    box = next((box for box in boxes(data) if box.kind == kind), None)
    if box is None:
        return []
    first = box.start + (20 if kind == b"stsz" else 16)
    return [int.from_bytes(data[at : at + 4]) for at in range(first, box.end - 3, 4)]


WAYS: tuple[Callable[[Random, bytearray], str], ...] = (
    _flips, _cut, _zeros, _noise, _swapped, _twice, _lost, _size, _kind, _table, _table, _sample, _sample
)  # fmt: skip


def _named(box: Box) -> str:
    return f"{box.kind.decode('latin-1')} ({box.start}:{box.end})"


def only_pictures(whole: bytes, data: bytes) -> bool:
    """Whether all that is wrong lies in the coded pictures and sound, or behind the file's end: tables and all else
    that says where and when each is are whole."""
    inside = next(box for box in boxes(whole) if box.kind == b"mdat")
    if len(data) < len(whole):
        whole = whole[: len(data)]
    return len(data) == len(whole) and data[: inside.start + 8] == whole[: inside.start + 8] and (
        data[inside.end :] == whole[inside.end :]
    )  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = damaged({name: path.read_bytes() for name, path in whole_files(Path(folder)).items()}, int(sys.argv[1]))
    Path(sys.argv[2]).write_bytes(made.data)
    print(f"{made.base}: {made.recipe}")
