"""Which frames a file really has: it is decoded once, without keeping a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from . import container
from .colour import colour_of
from .pyav_reader import PyavReader
from .source import Source
from .timestamps import spacing


def recounted(source: Source) -> Source:
    """The same file with the frames that the decoder gives, and their times.

    Where each of them was promised, frames keep their numbers, and those that did not come are `lost`; else they are
    counted anew.
    """
    with PyavReader(source, colour_of(source.info)) as reader:
        came = reader.stamps()
    if not came:
        raise MediaError(
            f"No frame of {source.path.name} can be decoded.", hint=container.DOWNLOAD_AGAIN_HINT, code="not_decodable"
        )
    known = np.array([stamp for stamp in came if stamp is not None], np.int64)
    different = np.unique(known)
    promised = len(source.stamps) > 0 and not source.info.joined and bool(np.isin(different, source.stamps).all())
    if promised and len(different) == len(came):
        return _with_gaps(source, different)
    return _anew(source, known, len(came))


def _with_gaps(source: Source, came: NDArray[np.int64]) -> Source:
    """What is lost at the end is taken for its end, so that the last frame is one that there is."""
    end = int(np.searchsorted(source.stamps, came[-1])) + 1
    lost = np.flatnonzero(~np.isin(source.stamps[:end], came))
    damaged = source.promised and len(came) < len(source.stamps)
    times_s = source.times_s[:end]
    info = replace(
        source.info,
        frames=len(came),
        duration_s=float(times_s[-1] - times_s[0]) + 1 / float(source.rate),
        cut_short=source.info.cut_short or damaged,
    )
    return replace(
        source, info=info, times_s=times_s, stamps=source.stamps[:end], lost=tuple(lost.tolist()), recounted=True
    )


def _anew(source: Source, known: NDArray[np.int64], count: int) -> Source:
    """With other frames than those of its packets."""
    times_s, stamps, even = source.times_s[0] + np.arange(count) / float(source.rate), known[:0], source.info.even
    rate = source.rate
    if source.info.joined and len(known) == count:  # each part begins a frame after the end of the one before
        steps = np.diff(known)
        steps[steps <= 0] = max(1, round(1 / float(rate) / source.tick_s))
        times_s = source.times_s[0] + np.concatenate([[0], np.cumsum(steps)]) * source.tick_s
    elif len(np.unique(known)) == count:  # damage brings frames out of turn
        stamps = np.unique(known)
        origin = source.stamps[0] if len(source.stamps) else stamps[0]
        times_s = source.times_s[0] + (stamps - origin) * source.tick_s
    if len(known) == count:
        rate, even = spacing(times_s, source.tick_s, [rate])
    # A sample of an MP4 is a frame; elsewhere two packets may make one (fields), or one none (hidden frames).
    lost = source.info.declared_frames > 0 and count < source.info.frames
    info = replace(
        source.info,
        frames=count,
        fps=float(rate),
        even=even,
        duration_s=float(times_s[-1] - times_s[0]) + 1 / float(rate),
        cut_short=source.info.cut_short or lost,
    )
    return replace(source, info=info, times_s=times_s, rate=rate, stamps=stamps, keys=(), lost=(), recounted=True)
