"""Which bytes of an MP4 its index (moov) refers to: ISO/IEC 14496-12, 8.6 to 8.8."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_INNER = (b"trak", b"mdia", b"minf", b"stbl", b"dinf")
_ELSEWHERE, _FRAGMENTED = b"dref", b"mvex"
_OFFSETS = {b"stco": ">u4", b"co64": ">u8"}  # of the chunks, which hold samples one behind the other
SELF_CONTAINED = 1  # a flag of a reference: the samples lie in this very file
MOST_SAMPLES = 10_000_000  # of a track: two days of it


def end_of(moov: bytes) -> int | None:
    """How long a file has to be so that every sample lies in it that this box names: bytes. None where it does not
    tell: some samples are in fragments or in other files, or its tables do not fit each other."""
    inside = [box for _, body in _children(moov) for box in _children(body)]
    if any(kind == _FRAGMENTED for kind, _ in inside):
        return None
    ends = [_last_byte(dict(_leaves(body))) for kind, body in inside if kind == b"trak"]
    return None if None in ends else max((end for end in ends if end is not None), default=0)


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, body) of the boxes in a box's body."""
    at = 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4]), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            return
        yield data[at + 4 : at + 8], data[at + head : at + size]
        at += size


def _leaves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, body in _children(data):
        if kind in _INNER:
            yield from _leaves(body)
        else:
            yield kind, body


def _last_byte(tables: dict[bytes, bytes]) -> int | None:
    """Where the last sample of a track ends."""
    references = tables.get(_ELSEWHERE, b"")
    if any(len(body) >= 4 and not body[3] & SELF_CONTAINED for _, body in _children(references[8:])):
        return None
    kind = next((kind for kind in _OFFSETS if kind in tables), b"")
    sizes, runs = _sizes(tables), tables.get(b"stsc", b"")
    if sizes is None or (len(sizes) and (not kind or len(runs) < 8)):
        return None
    if not len(sizes):
        return 0
    offsets = _numbers(tables[kind][8:], _OFFSETS[kind], int.from_bytes(tables[kind][4:8]))
    per_chunk = _per_chunk(_numbers(runs[8:], ">u4", 3 * int.from_bytes(runs[4:8])), len(offsets))
    if len(per_chunk) != len(offsets):
        return None
    firsts = np.minimum(np.concatenate([[0], np.cumsum(per_chunk)]), len(sizes))
    ends = np.concatenate([[0], np.cumsum(sizes)])
    held = ends[firsts[1:]] - ends[firsts[:-1]]
    filled = held > 0
    return int((offsets[filled] + held[filled]).max(initial=0)) if firsts[-1] == len(sizes) else None


def _sizes(tables: dict[bytes, bytes]) -> NDArray[np.int64] | None:
    """Bytes of each sample."""
    if b"stsz" in tables and len(table := tables[b"stsz"]) >= 12:
        same, count = int.from_bytes(table[4:8]), int.from_bytes(table[8:12])
        if count > MOST_SAMPLES or same == 1:  # QuickTime's sound without packets: its samples are larger than it says
            return None
        sizes = np.full(count, same, np.int64) if same else _numbers(table[12:], ">u4", count)
        return sizes if len(sizes) == count else None
    if b"stz2" in tables and len(table := tables[b"stz2"]) >= 12:
        count, bits = int.from_bytes(table[8:12]), table[7]
        if bits == 4:
            packed = np.frombuffer(table[12 : 12 + -(-count // 2)], np.uint8)
            return np.stack([packed >> 4, packed & 15], axis=1).ravel()[:count].astype(np.int64)
        return _numbers(table[12:], ">u2" if bits == 16 else ">u1", count)
    return np.zeros(0, np.int64)


def _numbers(data: bytes, kind: str, count: int) -> NDArray[np.int64]:
    """So many numbers of that kind, or as many as there are."""
    size = np.dtype(kind).itemsize
    return np.frombuffer(data[: min(count, len(data) // size) * size], kind).astype(np.int64)


def _per_chunk(runs: NDArray[np.int64], chunks: int) -> NDArray[np.int64]:
    """How many samples each chunk holds, from a table of (first chunk, samples in each from there on, description). Of
    another length where the table is wrong."""
    rows = runs[: len(runs) // 3 * 3].reshape(-1, 3)
    lengths = np.diff(np.append(rows[:, 0] - 1, chunks))
    if not len(rows) or rows[0, 0] != 1 or lengths.min() < 0:
        return rows[:0, 1]
    return np.repeat(rows[:, 1], lengths)
