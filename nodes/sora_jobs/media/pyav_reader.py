"""PyAV as a reader: it knows each frame by its time, begins where the first wanted one can be decoded, leaves out what
nobody needs, and goes on behind damage."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from . import backends
from .colour import Colour, to_bgr
from .packets import from_key
from .resize import Pixels
from .source import THREADS, Source, opened
from .streams import best_picture

Take = Callable[[Pixels | None], Pixels]

UNKNOWN = -1  # the number of a frame that the packets did not promise


class PyavReader:
    """Reads one file once. A context manager.

    `rotation`: degrees, anticlockwise, by which it turns the pictures, known from the first one on; `strange`: a frame
    came that no packet promised.
    """

    def __init__(self, source: Source, colour: Colour, file: Any = None) -> None:
        """`file`: the source's own, if it is open, wherever it was read to; it has to be one that can be sought in."""
        self._source, self._colour = source, colour
        self._opening = opened(source.path) if file is None else contextlib.nullcontext(file)
        self._file = self._opening.__enter__()
        self._stream = best_picture(self._file)
        self._stream.codec_context.thread_count = THREADS
        self._whole_frames(not source.recounted and not source.info.cut_short)
        self._elsewhere = file is not None  # not at its beginning
        self._late = source.late  # other packets come before a key frame
        self.rotation = 0
        self.strange = False

    def __enter__(self) -> PyavReader:
        return self

    def __exit__(self, *error: Any) -> None:
        self._opening.__exit__(*error)

    def frames(self, wanted: Collection[int], *, open_end: bool) -> Iterator[tuple[int, Take]]:
        """(number, what gives its picture) of the frames from the first wanted one to the last, or to the file's end,
        and of some others."""
        source = self._source
        if not len(source.stamps):
            for count, frame in enumerate(self._decoded(None)):
                yield count, self._taking(frame)
                if count >= max(wanted) and not open_end:
                    return
            return
        # Behind damage decoders give other frames when some are left out. The last frame tells where the file ends.
        final = {len(source.stamps) - 1} if open_end else set()
        needed = None if source.recounted else set(source.stamps[sorted({*wanted, *final})].tolist())
        runs = source.runs(sorted(wanted))
        missing = {*wanted, *final}
        for key, last in runs:
            if key > 0 or self._elsewhere:
                with contextlib.suppress(backends.av().error.FFmpegError):  # it cannot be sought in: go on as it is
                    self._file.seek(int(source.stamps[key]), stream=self._stream, backward=True)
                    self._late = True  # in some containers it goes too far
            for frame in self._decoded(needed):
                number = self._number(frame)
                missing.discard(number)
                self.strange = self.strange or number == UNKNOWN
                yield number, self._taking(frame)
                # Damage brings frames out of turn.
                through = not missing if source.recounted else number >= last
                if through and not (open_end and last == runs[-1][1]):
                    break
        self.strange = self.strange or not missing.isdisjoint(final)

    def _taking(self, frame: Any) -> Take:
        return lambda _: self._picture(frame)

    def _whole_frames(self, side_by_side: bool) -> None:
        """Decode several frames at a time: quicker, but at an error older FFmpegs lose those that are under way."""
        self._stream.thread_type = "AUTO" if side_by_side else "SLICE"

    def stamps(self) -> list[int | None]:
        """The times of all frames that come, in ticks."""
        self._whole_frames(False)
        return [frame.pts for frame in self._decoded(None)]

    def _decoded(self, needed: Collection[int] | None) -> Iterator[Any]:
        """The decoder's frames; of those that are not needed (by their times), the ones that no other one refers to are
        left out. What cannot be decoded is passed over."""
        error = backends.av().error.FFmpegError
        context = self._stream.codec_context
        packets = self._file.demux(self._stream)
        if self._late:
            packets = from_key(packets)
        while True:
            try:
                packet = next(packets, None)
            except error:  # the container ends in damage: what the decoder still holds is worth having
                packet = None
            if needed is not None and packet is not None and packet.size:
                context.skip_frame = "DEFAULT" if packet.pts in needed else "NONREF"
            with contextlib.suppress(error):
                yield from context.decode(packet)
            if packet is None or not packet.size:
                return

    def _number(self, frame: Any) -> int:
        stamps = self._source.stamps
        at = int(np.searchsorted(stamps, frame.pts)) if frame.pts is not None else len(stamps)
        return at if at < len(stamps) and stamps[at] == frame.pts else UNKNOWN

    def _picture(self, frame: Any) -> Pixels:
        """uint8 [H, W, 3], BGR, upright."""
        cv2 = backends.cv2()
        self.rotation = int(frame.rotation) % 360
        picture = to_bgr(frame, self._colour)
        turns = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
        return cv2.rotate(picture, turns[self.rotation]) if self.rotation in turns else picture
