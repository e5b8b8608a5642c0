"""Who reads an MP4 in decode.py, and one run of it: a process of its own, that prints what it took as JSON.

Each reader imports what it needs and gives back what is measured. The program of whoever is measured finds this file by
its path: READER FILM SECONDS WIDTH HEIGHT FPS.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ENGINE = str(Path(__file__).parents[1] / "nodes")
SMALL, BRISK = "small.mp4", "brisk.mp4"  # beside each film; the second is the same with groups of a second
Ready = Callable[[], None]  # called when the first frame is there
Read = Callable[[str, Ready], Any]


class Film(NamedTuple):
    """What is read: H.264 High with B-frames and AAC."""

    seconds: int
    width: int
    height: int
    fps: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.seconds * self.fps, self.height, self.width, 3)

    @property
    def tensor_bytes(self) -> int:
        return 4 * self.shape[0] * self.height * self.width * 3

    @property
    def name(self) -> str:
        return f"{self.seconds} s, {self.width}x{self.height}, {self.fps} fps"


def ours(_: Film, **choice: int) -> Read:
    from sora_jobs.media import backends
    from sora_jobs.media.frames import FrameChoice, load_frames

    backends.cv2(), backends.av()
    return lambda path, ready: load_frames(path, FrameChoice(**choice), progress=lambda *_: ready()).pixels


def ours_resident(film: Film) -> Read:
    """The same into memory that the process has written to before."""
    import numpy as np
    from sora_jobs.media import frame_buffer

    out = np.full(film.shape, 0.5, np.float32)
    frame_buffer.buffer = lambda *_, **__: out

    def read(path: str, ready: Ready) -> Any:
        pixels = ours(film)(path, ready)
        assert np.shares_memory(pixels, out), "load_frames has its memory from elsewhere now"
        return pixels

    return read


def core(_: Film) -> Read:
    sys.path.insert(0, os.environ["BENCH_COMFYUI"])
    from comfy_api.latest import InputImpl

    return lambda path, _: InputImpl.VideoFromFile(path).get_components().images


def vhs(_: Film) -> Read:
    """What its node Load Video (Path) calls; its sound is read only when somebody asks for it."""
    sys.path[:0] = [os.environ["BENCH_VHS"], os.environ["BENCH_COMFYUI"]]
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import utils.extra_config  # noqa: F401, I001 - first, as in main.py: `nodes` puts another `utils` in front
    import server

    server.PromptServer(asyncio.new_event_loop())  # the pack adds routes to it while it is imported
    from videohelpersuite.load_video_nodes import load_video, resized_cv_frame_gen

    def read(path: str, ready: Ready) -> Any:
        def marked(**options: Any) -> Any:
            frames = resized_cv_frame_gen(**options)
            yield next(frames)  # what it knows of the file
            for frame in frames:
                ready()
                yield frame

        names = ("force_rate", "frame_load_cap", "skip_first_frames", "custom_width", "custom_height")
        return load_video(video=path, select_every_nth=1, generator=marked, **dict.fromkeys(names, 0))[0]

    return read


def plain(_: Film) -> Read:
    """As most people write it."""
    import cv2
    import numpy as np

    def read(path: str, ready: Ready) -> Any:
        capture, frames = cv2.VideoCapture(path), []
        while (got := capture.read())[0]:
            frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB))
            ready()
        return np.stack(frames).astype(np.float32) / 255

    return read


def decord(_: Film) -> Read:
    import torch
    from decord import VideoReader

    def read(path: str, _: Ready) -> Any:
        film = VideoReader(path)
        return torch.from_numpy(film.get_batch(range(len(film))).asnumpy()).float().div_(255)

    return read


def torchcodec(_: Film) -> Read:
    from torchcodec.decoders import VideoDecoder

    def read(path: str, _: Ready) -> Any:
        film = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=0)
        return film.get_frames_in_range(0, len(film)).data.float().div_(255)

    return read


def grab(_: Film) -> Read:
    import cv2

    def read(path: str, ready: Ready) -> int:
        capture, count = cv2.VideoCapture(path), 0
        while capture.grab():
            ready()
            count += 1
        return count

    return read


def pyav(_: Film) -> Read:
    import av

    def read(path: str, ready: Ready) -> int:
        with av.open(path) as file:
            file.streams.video[0].thread_type = "AUTO"
            count = 0
            for _ in file.decode(video=0):
                ready()
                count += 1
        return count

    return read


def bound(film: Film) -> Read:
    """The least that can be done on the way: OpenCV decodes to 8 bits, while two threads write as many bytes as there
    are floats, to memory that the process has written to before. What limits the goal of decoding alone."""
    from concurrent.futures import ThreadPoolExecutor

    import cv2
    import numpy as np

    out = np.full(film.shape, 0.5, np.float32)

    def read(path: str, ready: Ready) -> int:
        capture, count, writes = cv2.VideoCapture(path), 0, []
        with ThreadPoolExecutor(2) as writers:
            picture = None
            while capture.grab():
                _, picture = capture.retrieve(picture)
                writes.append(writers.submit(out[count % len(out)].fill, 0.25))
                ready()
                count += 1
            for write in writes:
                write.result()
        return count

    return read


def fill(film: Film) -> Read:
    """Memory alone: the tensor written once."""
    import numpy as np

    return lambda *_: np.full(film.shape, 0.5, np.float32)


class Reader(NamedTuple):
    prepare: Callable[[Film], Read]
    label: str
    kind: str  # ours, other or limit
    needs: float  # memory in units of the tensor, by which it is left out in time


ASIDE = ("last", "brisk", "brisk_last")
READERS = {
    "ours": Reader(ours, "ours", "ours", 1.05),
    "core": Reader(core, "ComfyUI core", "other", 3.1),
    "vhs": Reader(vhs, "VideoHelperSuite (OpenCV)", "other", 1.35),
    "plain": Reader(plain, "OpenCV, stack, / 255", "other", 2.4),
    "decord": Reader(decord, "decord", "other", 1.35),
    "torchcodec": Reader(torchcodec, "torchcodec", "other", 1.35),
    "resident": Reader(ours_resident, "ours, memory resident", "ours", 1.1),
    "grab": Reader(grab, "decode only (OpenCV)", "limit", 0.1),
    "pyav": Reader(pyav, "decode only (PyAV)", "limit", 0.1),
    "bound": Reader(bound, "decode, and write as much (resident)", "limit", 1.1),
    "fill": Reader(fill, "memory only, no video", "limit", 1.05),
    "last": Reader(lambda film: ours(film, skip_first_frames=-1), "ours, last frame only", "ours", 0.1),
    "brisk": Reader(ours, "ours, a key frame every second", "ours", 1.05),
    "brisk_last": Reader(lambda film: ours(film, skip_first_frames=-1), "the same, last frame only", "ours", 0.1),
}


def child(name: str, path: str, film: Film) -> None:
    """One run: prints what it took, or why it cannot be."""
    sys.path.append(ENGINE)
    import numpy as np

    try:
        read = READERS[name].prepare(film)
    except (ImportError, KeyError) as error:
        print(json.dumps({"missing": f"not installed ({error})"}))
        return
    path = str(Path(path).with_name(BRISK)) if name.startswith("brisk") else path
    small = Path(path).with_name(SMALL)
    np.ones(int(READERS[name].needs * film.tensor_bytes), np.uint8)
    (ours(film) if name == "resident" else read)(str(small), lambda: None)
    first: list[float] = []
    before, cpu, begun = idle_bytes(), time.process_time(), time.perf_counter()
    result = read(path, lambda: first or first.append(time.perf_counter() - begun))
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    frames = result if isinstance(result, int) else len(result)
    run = {"wall_s": wall, "cpu_s": cpu, "peak": (peak_bytes() - before) / film.tensor_bytes, "frames": frames}
    print(json.dumps(run | ({"first_s": first[0]} if first else {})))


def idle_bytes() -> int:
    """What the process has in memory; from here on its peak is counted anew (Linux)."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return peak_bytes()


def peak_bytes() -> int:
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    child(*sys.argv[1:3], Film(*map(int, sys.argv[3:])))
