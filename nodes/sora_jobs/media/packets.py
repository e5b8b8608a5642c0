"""A walk over a file's packets: nothing is decoded, and yet it is known when each frame begins.

Declared frame counts lie (edit lists hide frames, a cut file declares all it once had), so the packets are walked:
that costs a few milliseconds for a clip of ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import MediaError
from . import backends
from .source import opened
from .streams import best_picture
from .timestamps import Packet

MOST_PACKETS = 5_000_000  # of a film's picture: two days of it
MOST_REORDERED = 16  # frames, in H.264 and H.265
AT_A_JOINT = 2  # packets before it, which FFmpeg takes for damaged since the numbers of the parts start anew, too
SAMPLED = 64  # packets that are decoded to see whether each gives one frame


class Walk(NamedTuple):
    """`packets` that are whole and shown; `came`, how many there were in all; `broken`: some were not whole;
    `restarts`: time starts anew in the middle, as in files that were joined; `late`: some come before the first key
    frame; `early`: some are shown before it; `first`, the first picture, if it was asked for."""

    packets: list[Packet]
    came: int
    broken: bool
    restarts: bool
    late: bool
    early: bool
    first: Any


def walked(file: Any, stream: Any, *, picture: bool) -> Walk:
    """Read through the open file; `picture`: until then, decode."""
    packets: list[Packet] = []
    damaged, joints = [], []
    came, dts, first = 0, None, None
    key: int | None = None  # when the first frame is shown at which decoding can begin
    late = False
    for packet in file.demux(stream):
        if packet.size:
            came += 1
            if came > MOST_PACKETS:
                raise MediaError("There are more frames in this file than can be used.", code="too_many_frames")
            if packet.is_keyframe and key is None:
                key, late = packet.pts, came > 1
            if packet.is_corrupt:
                damaged.append(came)
            elif not packet.is_discard:
                packets.append(Packet(packet.pts, packet.is_keyframe, packet.pos))
            if dts is not None and packet.dts is not None and packet.dts < dts:
                joints.append(came)
            dts = packet.dts if packet.dts is not None else dts
        if picture and first is None:
            first = _first_picture(packet)
    broken = any(not any(0 < joint - place <= AT_A_JOINT for joint in joints) for place in damaged)
    early = key is not None and any(packet.pts is not None and packet.pts < key for packet in packets)
    return Walk(packets, came, broken, bool(joints), late, early, first)


def _first_picture(packet: Any) -> Any:
    """The first picture that the decoder gives for the packet; a damaged packet gives none."""
    try:
        return next(iter(packet.decode()), None)
    except backends.av().error.FFmpegError:
        return None


def from_key(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets from the first one on at which decoding can begin: of those before it some decoders make grey
    pictures."""
    return itertools.dropwhile(lambda packet: packet.size and not packet.is_keyframe, packets)


def first_frame(path: Path, *, late: bool, sample: bool) -> int | None:
    """When the first frame of a file is shown that can be decoded, in ticks; None where that is not known. With
    `sample` also where not each of its first packets gives one frame, so that they tell nothing of the frames."""
    with opened(path) as file:
        stream = best_picture(file)
        fed: list[int | None] = []
        came: list[int | None] = []
        for packet in from_key(file.demux(stream)) if late else file.demux(stream):
            if packet.size and not packet.is_discard:
                fed.append(packet.pts)
            try:
                came += [frame.pts for frame in packet.decode()]
            except backends.av().error.FFmpegError:
                continue
            if came and (not sample or len(fed) >= SAMPLED):
                break
    known = [stamp for stamp in came if stamp is not None]
    if not known or len(known) < len(came):
        return None
    promised = sorted(stamp for stamp in fed if stamp is not None and known[0] <= stamp <= known[-1])
    return None if sample and promised != known else known[0]


def not_shown(path: Path, declared: int, shown: list[Packet]) -> tuple[int, int]:
    """(frames that the file declares and that cannot be read, frames behind the first one shown that the edit list
    leaves out)."""
    places = {packet.position for packet in shown}
    with opened(path, ignore_editlist="1") as file:
        packets = [packet for packet in file.demux(best_picture(file)) if packet.size and packet.pts is not None]
    order = [index for index, packet in enumerate(packets) if packet.pos in places]
    if not order:
        return declared - len(packets), 0
    first = min(packets[index].pts for index in order)
    # Frames are coded out of order, so some of a run-up may lie behind the first one shown; but not far behind.
    hidden = [
        packet
        for index, packet in enumerate(packets)
        if packet.pos not in places and (packet.pts > first or index > order[0] + MOST_REORDERED)
    ]
    return declared - len(packets), len(hidden)
