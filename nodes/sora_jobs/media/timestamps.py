"""When a file's frames begin, as its packets say: in ticks, in seconds, and how far apart."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import backends


class Packet(NamedTuple):
    """When it is shown, in ticks; whether decoding can begin with it; where it lies in the file."""

    pts: int | None
    key: bool
    position: int | None


def stamps_of(packets: list[Packet]) -> NDArray[np.int64]:
    """When the frames begin, in ticks, in the order in which they are shown; none where one is not written, or where
    two begin at once."""
    known = {packet.pts for packet in packets if packet.pts is not None}
    return np.array(sorted(known) if len(known) == len(packets) else [], np.int64)


def times_of(stamps: NDArray[np.int64], count: int, tick_s: float, stream: Any) -> NDArray[np.float64]:
    """The same in seconds; AVI writes no times for frames out of order."""
    if len(stamps):
        return stamps.astype(np.float64) * tick_s
    return (stream.start_time or 0) * tick_s + np.arange(count) / float(backends.fraction(stream.average_rate) or 25)


def keys_of(packets: list[Packet], stamps: NDArray[np.int64]) -> tuple[int, ...]:
    """The numbers of the frames where decoding can begin, rising."""
    known = [packet.pts for packet in packets if packet.key and packet.pts is not None]
    return tuple(np.searchsorted(stamps, np.sort(np.array(known, np.int64))).tolist()) if len(stamps) else ()


def spacing(times_s: NDArray[np.float64], tick_s: float, named: list[Fraction]) -> tuple[Fraction, bool]:
    """(frames a second, whether they are evenly spaced): the first of the rates `named` that the times bear out."""
    span_s = float(times_s[-1] - times_s[0])
    if len(times_s) == 1 or span_s <= 0:
        return (named or [Fraction(25)])[0], True
    measured = max(Fraction((len(times_s) - 1) / span_s).limit_denominator(1001), Fraction(1, 1001))
    for rate in [*named, measured]:
        ideal = times_s[0] + np.arange(len(times_s)) / float(rate)
        if np.abs(times_s - ideal).max() <= max(tick_s, 0.1 / float(rate)):
            return rate, True
    return measured, False
