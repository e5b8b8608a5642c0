"""Frames as PNG files, written as they are decoded; every file appears whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import MediaError, storage_error
from ..util.atomic_write import atomic_write
from . import backends, container
from .frames import Progress
from .guard import guarded
from .notes import warnings_of
from .probe import examine
from .reader import Miscounted, pictures, planned, reader_for
from .reference import to_png
from .resize import Pixels, cropped
from .selection import SQUARE, FrameChoice
from .source import Source

WORKERS = 2
WAITING = 4  # pictures decoded and not yet written


def save_png(path: Path, pixels: Pixels) -> None:
    """Write uint8 [H, W, 3 or 4] as a PNG, over an older file of that name. StorageError when it cannot be written."""
    png = to_png(pixels)
    try:
        atomic_write(path, png, private=False, sync=False)
    except OSError as error:
        raise storage_error(f"{path.name} cannot be written", error) from error


@guarded
def save_frames(
    path: str | Path,
    out_dir: str | Path,
    choice: FrameChoice = FrameChoice(),  # noqa: B008  (frozen)
    *,
    untagged: str = "auto",
    warn: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the chosen frames as `frame_%06d.png`, numbered as in the source from 0; the files, in order.

    `untagged` and `progress` as in `load_frames`, whose warnings `warn` is told.

    Only a few frames are held at a time. A frame that a forced rate repeats is one file. Errors are those of
    `load_frames`, and StorageError.
    """
    source = examine(path)
    while True:  # at most twice more: doubted, and counted by the decoder
        try:
            return _save(source, Path(out_dir), choice, untagged, warn, progress)
        except Miscounted as better:
            source = better.source


def _save(
    source: Source,
    out_dir: Path,
    choice: FrameChoice,
    untagged: str,
    warn: Callable[[str], None],
    progress: Progress | None,
) -> list[Path]:
    cv2 = backends.cv2()
    made = planned(source, choice)
    aspect = source.info.pixel_aspect if choice.square_pixels else SQUARE
    width, height = choice.size(source.info.width, source.info.height, aspect)

    def write(target: Path, picture: Pixels) -> None:
        save_png(target, cropped(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), width, height, aspect))

    files: list[Path] = []
    waiting: deque[Future[None]] = deque()
    with (
        reader_for(source, made, untagged) as reader,
        ThreadPoolExecutor(WORKERS, thread_name_prefix="sora-export") as workers,
    ):
        for number, _, picture in pictures(reader, source, made):
            files.append(out_dir / f"frame_{number:06d}.png")
            waiting.append(workers.submit(write, files[-1], picture))
            while len(waiting) >= WAITING:
                waiting.popleft().result()
            if progress is not None:
                progress(len(files), len(made.indices))
        for future in waiting:
            future.result()
    if not files:
        raise MediaError(
            f"None of the chosen frames of {source.path.name} can be decoded.",
            hint=container.DOWNLOAD_AGAIN_HINT,
            code="not_decodable",
        )
    there = [int(file.stem.rpartition("_")[2]) for file in files]
    for warning in warnings_of(source, made, int(np.isin(made.indices, there).sum()), choice):
        warn(warning)
    return sorted(files)  # damage brings frames out of turn
