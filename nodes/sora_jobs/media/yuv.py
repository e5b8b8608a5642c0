"""YCbCr planes -> BGR bytes by the plain formula, for libraries whose own conversion does not keep to a file's tags.

OpenCV does the arithmetic. FFmpeg's quick conversion of 8-bit 4:2:0 cuts off where this rounds: up to 3 of 255 apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import backends
from .resize import Pixels

# Weights of red and blue in the luma: ITU-T H.273, table 4.
WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593),  # constant luminance: close, and players take it so
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}
_ROWS = 64  # converted at a time, so that the scratch memory stays in the cache
_CHROMA = {(2, 2): "420", (2, 1): "422", (1, 1): "444", (1, 2): "440", (4, 1): "411", (4, 4): "410"}


def to_bgr(frame: Any, matrix: str, *, full: bool) -> Pixels:
    """PyAV VideoFrame of YCbCr -> uint8 [H, W, 3], BGR. `matrix` is one of WEIGHTS; `full` range or limited."""
    cv2 = backends.cv2()
    if not _planar(frame.format):
        frame = frame.reformat(format=_planar_like(frame.format))
    bits = frame.format.components[0].bits
    luma, *chroma = (_plane(frame, number) for number in range(3))
    height, width = luma.shape
    down, across = -(-height // chroma[0].shape[0]), -(-width // chroma[0].shape[1])
    formula = coefficients(matrix, full=full, bits=bits)
    bgr = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _ROWS):  # a multiple of every `down`
        rows = slice(top, min(top + _ROWS, height))
        part = slice(top // down, -(-rows.stop // down))
        grown = [_grown(plane[part], across, down)[: rows.stop - top, :width] for plane in chroma]
        out = cv2.transform(cv2.merge((luma[rows], *grown)), formula)
        bgr[rows] = out if bits == 8 else cv2.convertScaleAbs(out, alpha=1 / 256)
    return bgr


def coefficients(matrix: str, *, full: bool, bits: int) -> NDArray[np.float32]:
    """float32 [3, 4]: (Y, Cb, Cr, 1) of so many bits -> (B, G, R) in 0..255; times 256 for more than 8 bits."""
    red, blue = WEIGHTS[matrix]
    green = 1 - red - blue
    unit = 1 << (bits - 8)
    black, white, chroma = (0, 256 * unit - 1, 256 * unit - 1) if full else (16 * unit, 219 * unit, 224 * unit)
    scale = 255 if bits == 8 else 255 * 256
    from_blue, from_red = 2 * (1 - blue) / chroma, 2 * (1 - red) / chroma
    rows = scale * np.array(
        [
            [1 / white, from_blue, 0],
            [1 / white, -from_blue * blue / green, -from_red * red / green],
            [1 / white, 0, from_red],
        ]
    )
    offset = -rows @ (black, 128 * unit, 128 * unit)
    return np.hstack([rows, offset[:, None]]).astype(np.float32)


def _planar(kind: Any) -> bool:
    """Three planes of their own, with 8 bits, or more in two bytes of this machine's order."""
    return kind.name.startswith("yuv") and "p" in kind.name and (kind.components[0].bits == 8 or kind.name[-2:] == "le")


def _planar_like(kind: Any) -> str:
    """The planar format with the same chroma (for nv12, yuyv422, p010le …), in 8 bits or 16."""
    chroma = _CHROMA.get((8 // kind.chroma_width(8), 8 // kind.chroma_height(8)), "444")
    deep = kind.components[0].bits > 8 and chroma in ("420", "422", "444")
    return f"yuv{chroma}p" + ("16le" if deep else "")


def _plane(frame: Any, number: int) -> NDArray[Any]:
    """A plane of the frame as it lies in memory, without the padding at the ends of its lines."""
    plane, deep = frame.planes[number], frame.format.components[number].bits > 8
    rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(-1, plane.line_size // (2 if deep else 1))
    return rows[: plane.height, : plane.width]


def _grown(plane: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    """Chroma at the size of the luma: each sample repeated, as FFmpeg does it in its quick conversion."""
    if across == down == 1:
        return plane
    cv2 = backends.cv2()
    size = (plane.shape[1] * across, plane.shape[0] * down)
    grown: NDArray[Any] = cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_NEAREST)
    return grown
