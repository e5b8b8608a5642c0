"""The sound of a span of a file, sample for sample as long as the span; silence where there is none."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, MediaError
from . import backends, container
from .frames import Frames
from .guard import guarded
from .streams import best_sound

SILENT_RATE = 44100  # samples a second, and
SILENT_CHANNELS = 2  # channels of the silence that stands for no sound
LONGEST_GAP_S = 0.01  # time stamps that jump by less are rounding; a lost packet is longer (21 ms of AAC)
RUN_UP_S = 1.0  # decoded before the span: codecs need some packets until their sound is exact
RESTART_S = 1.0  # times that go back by more start anew
FAR = {"analyzeduration": str(600_000_000), "probesize": str(1 << 30)}  # microseconds and bytes, at most
PLANES = 7  # that PyAV's to_ndarray can read; of eight it counts nine, and reads an address that is not its own

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Audio:
    """`waveform` float32 [1, C, T], about -1..1, as ComfyUI's AUDIO; `sample_rate` in samples a second; `note`: a
    sentence for the user where it is not the sound that the file means."""

    waveform: Samples
    sample_rate: int
    note: str = ""


def audio_for(frames: Frames) -> Audio:
    """The sound of the span that chosen frames show: from when the first begins to when the last ends."""
    start_s = max(0.0, frames.start_s)
    return load_audio(frames.path, start_s=start_s, duration_s=frames.duration_s, joined=frames.info.joined)


@guarded
def load_audio(
    path: str | Path, *, start_s: float = 0.0, duration_s: float | None = None, joined: bool = False
) -> Audio:
    """Decode the sound from `start_s`, `duration_s` seconds long (to the file's end without it), at its own rate.

    T is exactly round(duration x rate): what the file does not have is silence. A file without sound gives stereo
    silence at 44100; that is no error. `joined`: the file consists of several, and its times start anew.
    InvalidInputError for a span that makes no sense; MediaError for a file that cannot be opened.
    """
    path = Path(path)
    lengths = (start_s, duration_s or 0.0)
    if not all(math.isfinite(length) and length >= 0 for length in lengths):
        raise InvalidInputError(f"There is no sound from {start_s} s for {duration_s} s.", code="invalid_span")
    container.check(path)
    av = backends.av()
    try:
        with _opened(path) as (file, stream, note):
            if duration_s is None:
                duration_s = max(0.0, (file.duration or 0) / 1e6 - start_s)
            if stream is None or not _is_known(stream):
                return Audio(_silence(SILENT_CHANNELS, duration_s, SILENT_RATE), SILENT_RATE, note)
            waveform = _silence(stream.channels, duration_s, stream.rate)
            if start_s > RUN_UP_S and not joined:
                with contextlib.suppress(av.error.FFmpegError):  # it cannot be sought in: from the beginning then
                    file.seek(int((start_s - RUN_UP_S) * 1e6) + (file.start_time or 0))
            if not put_samples(file, stream, waveform[0], start_s, joined=joined):
                return Audio(waveform, stream.rate, f"The sound of {path.name} is damaged, and therefore silence.")
            return Audio(waveform, stream.rate, note)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"The sound of {path.name} cannot be read: {error}.",
            hint=container.DOWNLOAD_AGAIN_HINT,
            code="unreadable_audio",
        ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any, str]]:
    """(the file, its sound, a sentence for the user) as `best_sound` gives them. Where the sound begins so late that
    nothing is known of it yet, FFmpeg is made to read on until it comes."""
    for options in ({}, FAR):
        with backends.open_av(path, **options) as file:
            stream, note = best_sound(file)
            if options or stream is None or _is_known(stream):
                yield file, stream, note and f"{path.name}: {note}"
                return


def _is_known(stream: Any) -> bool:
    return bool(stream.codec_context.sample_rate and stream.codec_context.channels)


def _silence(channels: int, duration_s: float, rate: int) -> Samples:
    try:
        return np.zeros((1, channels, round(duration_s * rate)), np.float32)
    except (MemoryError, ValueError):
        raise MediaError(f"{duration_s:g} s of sound do not fit in memory.", code="out_of_memory") from None


def put_samples(file: Any, stream: Any, out: Samples, start_s: float, *, joined: bool = False) -> bool:
    """Put the stream's samples in their places in `out` [C, T], which begins at `start_s` of the file. False where all
    of its packets are damaged."""
    error = backends.av().error.FFmpegError
    begin = round((start_s + (file.start_time or 0) / 1e6) * stream.rate)
    at: int | None = None
    failed = False
    for packet in file.demux(stream):
        try:
            pieces = packet.decode()
        except error:  # a damaged packet: its time stays silent
            failed = True
            continue
        for piece in pieces:
            if piece.rate != stream.rate or len(piece.layout.channels) != len(out):
                continue  # a damaged packet can come out as other sound altogether
            stamped = at if piece.time is None else round(piece.time * stream.rate) - begin
            if joined and at is not None and stamped is not None and stamped < at - RESTART_S * stream.rate:
                begin -= at - stamped  # the next part, which follows the one before
                stamped = at
            if at is None or (stamped is not None and abs(stamped - at) > LONGEST_GAP_S * stream.rate):
                at = stamped if stamped is not None else -begin
            samples = floats(piece)
            _place(samples, out, at)
            at += samples.shape[1]
        if at is not None and at >= out.shape[1]:
            break
    return at is not None or not failed


def _place(samples: Samples, out: Samples, at: int) -> None:
    """Copy `samples` [C, t] to `out` [C, T] from sample `at` on, as far as they are in it."""
    first, last = max(0, at), min(out.shape[1], at + samples.shape[1])
    if first < last:
        out[:, first:last] = samples[:, first - at : last - at]


def floats(piece: Any) -> Samples:
    """A PyAV AudioFrame of any sample format -> float32 [C, t]; integers are divided by their most negative value."""
    if piece.format.is_planar and len(piece.layout.channels) > PLANES:
        (piece,) = backends.av().AudioResampler("flt", piece.layout, piece.rate).resample(piece)
    raw: NDArray[Any] = piece.to_ndarray()
    if piece.format.is_packed:
        raw = raw.reshape(-1, len(piece.layout.channels)).T
    if raw.dtype == np.uint8:
        return ((raw - 128.0) / 128.0).astype(np.float32)
    if np.issubdtype(raw.dtype, np.integer):
        return (raw / -float(np.iinfo(raw.dtype).min)).astype(np.float32)
    return raw.astype(np.float32, copy=False)
