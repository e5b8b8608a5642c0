"""Clips made on the fly with PyAV: each frame carries its own number as bars, so that it can be recognised."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import sora_jobs.media
from numpy.typing import NDArray

BITS = 10  # bars of a frame number, the highest bit on the left
WIDTH, HEIGHT = 160, 96

Patch = tuple[int, int, int]


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """RGB uint8 [height, width, 3]: upper third the number in bars, below a ramp with a red and a blue corner."""
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = np.linspace(40, 200, width).astype(np.uint8)[None, :, None]
    bar = width // BITS
    for bit in range(BITS):
        frame[: height // 3, bit * bar : (bit + 1) * bar] = 255 * (number >> (BITS - 1 - bit) & 1)
    frame[-height // 4 :, : width // 4] = (200, 30, 30)
    frame[-height // 4 :, -width // 4 :] = (30, 30, 200)
    return frame


def number_of(frame: NDArray[np.floating]) -> int:
    """The number that a decoded frame [H, W, 3] in 0..1 carries."""
    height, width = frame.shape[:2]
    bar = width / BITS
    row = frame[height // 8 : height // 4].mean(axis=(0, 2))
    bits = [row[int((bit + 0.3) * bar) : int((bit + 0.7) * bar)].mean() > 0.5 for bit in range(BITS)]
    return sum(1 << (BITS - 1 - bit) for bit, on in enumerate(bits) if on)


def numbers_of(pixels: NDArray[np.floating]) -> list[int]:
    return [number_of(frame) for frame in pixels]


def make_clip(
    path: Path,
    frames: int = 24,
    *,
    fps: int | Fraction = 30,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    ticks: Sequence[int] | None = None,
    hide: int = 0,
    faststart: bool = True,
    audio: tuple[int, str, float] | None = None,
    gop: int = 8,
    matrix: str = "",
    full: bool = False,
    coding: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """H.264 with B-frames, tagged by `matrix` and `full` range or not at all. `ticks` are times in 1/600 s for a
    variable rate; `hide` frames lie before the edit list's beginning; `audio` is (rate, layout, seconds) of AAC with a
    tone of 440 Hz at half height; `aspect` is the width of a pixel by its height."""
    options = {"use_editlist": "1"} | ({"movflags": "faststart"} if faststart else {})
    if hide:
        options["avoid_negative_ts"] = "disabled"
    with av.open(str(path), "w", options=options) as file:
        coding = {"bf": "2", "g": str(gop), "crf": "12", "preset": "veryfast"} | (coding or {})
        video = file.add_stream("libx264", rate=fps, options=coding)
        if matrix:
            video.codec_context.colorspace = CODES[matrix]
            video.codec_context.color_range = 2 if full else 1
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        if ticks is not None:
            video.time_base = video.codec_context.time_base = Fraction(1, 600)
        sound = file.add_stream("aac", rate=audio[0], layout=audio[1]) if audio else None
        for number in [*range(frames), None]:
            picture = None
            if number is not None:
                picture = av.VideoFrame.from_ndarray(numbered(number, *size), format="rgb24")
                picture.pts = number if ticks is None else ticks[number]
                if ticks is not None:
                    picture.time_base = Fraction(1, 600)
            for packet in video.encode(picture):
                if hide:
                    assert packet.pts is not None and packet.dts is not None and packet.time_base is not None
                    shift = round(hide / (fps * packet.time_base))
                    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                file.mux(packet)
        if sound is not None and audio is not None:
            _write_tone(file, sound, *audio)
    return path


def tone(rate: int, seconds: float, start_s: float = 0.0) -> NDArray[np.float32]:
    """440 Hz at half height, float32 [T]."""
    time = start_s + np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def _write_tone(file: Any, stream: Any, rate: int, layout: str, seconds: float) -> None:
    wave = np.tile(tone(rate, seconds), (len(av.AudioLayout(layout).channels), 1))
    for start in range(0, wave.shape[1], 1024):
        piece = np.ascontiguousarray(wave[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def make_sound(path: Path, codec: str, rate: int, layout: str, wave: NDArray[np.generic], sample_format: str) -> Path:
    """A file with sound only: `wave` [C, T] (planar formats) or [1, C*T] (packed)."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format=sample_format, layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
CODES = {"bt709": 1, "bt601": 6, "bt2020": 9}
ENCODERS = {8: "libx264", 10: "libx265"}  # the H.264 encoder of some builds knows 8 bits only


def make_patches(
    path: Path,
    patches: Sequence[Patch],
    matrix: str,
    *,
    full: bool,
    tagged: bool = True,
    kind: str = "yuv420p",
    patch: tuple[int, int] = (32, 64),
) -> Path:
    """Six frames of solid patches side by side, each of the size `patch`, coded by a matrix (bt709, bt601, bt2020) and
    range, and tagged so or not at all; `kind` is the pixel format."""
    red, blue = WEIGHTS[matrix]
    bits = 10 if "10" in kind else 8
    rgb = np.array(patches, np.float64) / 255
    luma = rgb @ (red, 1 - red - blue, blue)
    from_blue, from_red = (rgb[:, 2] - luma) / (2 - 2 * blue), (rgb[:, 0] - luma) / (2 - 2 * red)
    unit, most = 1 << (bits - 8), (1 << bits) - 1
    black, white, chroma = (0, most, most) if full else (16 * unit, 219 * unit, 224 * unit)
    values = (black + white * luma, 128 * unit + chroma * from_blue, 128 * unit + chroma * from_red)
    with av.open(str(path), "w") as file:
        options = {"crf": "2"} if bits == 8 else {"x265-params": "crf=2:log-level=none"}
        stream = file.add_stream(ENCODERS[bits], rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = patch[0] * len(patches), patch[1], kind
        context = stream.codec_context
        if tagged:
            context.colorspace = context.color_primaries = context.color_trc = CODES[matrix]
            context.color_range = 2 if full else 1
        for number in range(6):
            frame = av.VideoFrame(stream.width, stream.height, kind)
            for plane, value in zip(frame.planes, values, strict=True):
                _fill_plane(plane, value, bits, most)
            frame.pts = number
            if tagged:
                frame.colorspace, frame.color_range = CODES[matrix], 2 if full else 1
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def _fill_plane(plane: Any, values: NDArray[np.float64], bits: int, most: int) -> None:
    """Solid patches side by side in one plane, whose lines may be longer than the picture."""
    kind = np.uint8 if bits == 8 else np.uint16
    line = np.zeros(plane.line_size // kind().itemsize, kind)
    line[: plane.width] = np.repeat(np.rint(values).clip(0, most), -(-plane.width // len(values)))[: plane.width]
    plane.update(np.tile(line, (plane.buffer_size // plane.line_size, 1)).tobytes())


def rotated(path: Path, target: Path, degrees: int) -> Path:
    """A copy of an MP4 whose display matrix (in the box tkhd) turns it clockwise by 90, 180 or 270 degrees."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (value * 65536 for value in matrix)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + (20 if data[data.index(b"tkhd") + 4] == 0 else 32) + 16
    values = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    target.write_bytes(data)
    return target


def cut(path: Path, target: Path, share: float) -> Path:
    """The first part of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def in_another_process(code: str, *arguments: str) -> str:
    """What a fresh Python with the engine on its path prints; its stderr must stay empty."""
    engine = Path(sora_jobs.media.__file__).parents[2]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(engine)!r})\n{code}", *arguments]
    ran = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=60)
    assert ran.stderr == ""
    return ran.stdout
