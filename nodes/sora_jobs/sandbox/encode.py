"""Pictures and sound to an MP4: H.264 and AAC, tagged as BT.709 and converted with its matrix."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..util.atomic_write import replace

FPS = 30
SAMPLE_RATE = 48_000
BT709 = 1  # its number in H.264's tables of primaries, transfer and matrix
LIMITED = 1  # FFmpeg's number for 16..235

# Rows Y, Cb, Cr over columns R, G, B, 1: ITU-R BT.709-6, items 3.2 and 3.3, and 3.4 for the range of 8 bits.
TO_BT709 = np.array(
    [
        [0.2126 * 219 / 255, 0.7152 * 219 / 255, 0.0722 * 219 / 255, 16],
        [-0.2126 / 1.8556 * 224 / 255, -0.7152 / 1.8556 * 224 / 255, 0.5 * 224 / 255, 128],
        [0.5 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, -0.0722 / 1.5748 * 224 / 255, 128],
    ],
    np.float32,
)


def write_mp4(
    path: Path, pictures: Iterable[NDArray[np.uint8]], width: int, height: int, sound: NDArray[np.float32] | None
) -> None:
    """Encode RGB `pictures` [height, width, 3] at 30 fps and stereo `sound` [2, T] at 48 kHz; `path` appears whole."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}.mp4")
    try:
        with av.open(str(unfinished), "w", options={"movflags": "+faststart"}) as container:
            video = container.add_stream("libx264", rate=FPS)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            # A fixed number of threads: x264 is deterministic for a given one.
            video.options = {
                "preset": "ultrafast",
                "crf": "20",
                "threads": "2",
                "g": "60",
                "x264-params": "no-deblock=0",
            }
            context = video.codec_context
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = LIMITED
            audio = None if sound is None else container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(_planes(picture), format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if audio is not None and sound is not None:
                for start in range(0, sound.shape[1], 1024):
                    piece = np.ascontiguousarray(sound[:, start : start + 1024])
                    block = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
                    block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
                    container.mux(audio.encode(block))
                container.mux(audio.encode(None))
        replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _planes(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] as the planes Y, U, V of BT.709 in limited range, one under the other: uint8 [1.5 H, W]."""
    import cv2

    height, width = picture.shape[:2]
    luma, blue, red = cv2.split(cv2.transform(picture, TO_BT709))
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = luma
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    cv2.resize(blue, (width // 2, height // 2), dst=chroma[0], interpolation=cv2.INTER_AREA)
    cv2.resize(red, (width // 2, height // 2), dst=chroma[1], interpolation=cv2.INTER_AREA)
    return planes


def chord(seed: bytes, seconds: int) -> NDArray[np.float32]:
    """A soft chord, its key and its pulse taken from `seed`: float32 [2, T]."""
    time = np.arange(seconds * SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
    root = 110.0 * 2 ** ((seed[0] % 12) / 12)
    steps = ((0, 7, 12, 16), (0, 7, 12, 15), (0, 5, 12, 17))[seed[1] % 3]
    sound = np.zeros((2, time.size), np.float32)
    for voice, step in enumerate(steps):
        frequency = root * 2 ** (step / 12)
        pulse = 0.6 + 0.4 * np.sin(2 * math.pi * (0.11 + 0.05 * voice) * time + seed[2 + voice] / 40)
        tone = np.sin(2 * math.pi * frequency * time) + 0.3 * np.sin(4 * math.pi * frequency * time)
        sound[0] += pulse * tone * (1 - 0.15 * voice)
        sound[1] += pulse * tone * (0.55 + 0.15 * voice)
    fade = np.minimum(1, np.minimum(time, seconds - time) / 0.25)
    return (0.07 * fade * sound).astype(np.float32)
