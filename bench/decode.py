"""An MP4 as floats in memory: ours against ComfyUI's core, VideoHelperSuite, plain OpenCV, decord and torchcodec, with
decoding alone as the limit. Wall, CPU, peak memory, time to the first frame. `make bench`, or this file alone.

All read the same films, made on the fly, in turns: A B C A B C … Each run is a fresh process that imports first, reads
a small film of the same kind, and is measured then. Just before, it takes as much memory as it will need and gives it
back: a virtual machine that has to ask its host for memory would measure the host. With a ComfyUI (COMFYUI_DIR and
COMFYUI_PYTHON, or where the host tests find one) everything runs on its Python; `--vhs` names a VideoHelperSuite that
is not in its custom_nodes. Who is not installed or does not fit in memory is left out, and the table says so. Writes
decode.md, decode.json and decode.png.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
ENGINE = str(ROOT / "nodes")
LAST_OF_S = 12  # length of the film whose last frame is read alone
GROUP_S = 4  # between two frames at which decoding can begin
LONGEST_S = 300  # a run
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


# Who reads. Each imports what it needs and returns what is measured.


def ours(_: Film, **choice: int) -> Read:
    from sora.media import lazy
    from sora.media.frames import FrameChoice, load_frames

    lazy.cv2(), lazy.av()
    return lambda path, ready: load_frames(path, FrameChoice(**choice), progress=lambda *_: ready()).pixels


def ours_resident(film: Film) -> Read:
    """The same into memory that the process has written to before."""
    import numpy as np
    from sora.media import memory

    out = np.full(film.shape, 0.5, np.float32)
    memory.buffer = lambda *_, **__: out

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
        Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def peak_bytes() -> int:
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# The run itself, in the Python that was called.


def make_film(path: Path, film: Film, group_s: int = GROUP_S) -> None:
    """A camera that moves over a landscape of noise, things that move across it, and grain: compresses like a film."""
    import av
    import cv2
    import numpy as np

    random = np.random.default_rng(1)
    tall, wide = film.height, film.width
    octaves = [(2 ** (7 - octave), 1.5**-octave) for octave in range(7)]
    land = sum(
        weight * cv2.resize(random.normal(0, 40, (tall * 2 // step, wide * 2 // step, 3)), (wide * 2, tall * 2))
        for step, weight in octaves
    )
    land = np.clip(land + 128, 0, 255).astype(np.uint8)
    grain = [random.normal(0, 3, (tall, wide, 3)).astype(np.int8) for _ in range(5)]
    with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        coding = {"preset": "veryfast", "profile": "high", "bf": "2", "g": str(film.fps * group_s)}
        video = file.add_stream("libx264", rate=film.fps, options=coding)
        video.width, video.height, video.pix_fmt, video.bit_rate = wide, tall, "yuv420p", 8_500_000
        video.codec_context.colorspace, video.codec_context.color_range = 1, 1  # BT.709, limited
        sound = file.add_stream("aac", rate=48000, layout="stereo")
        for number in range(film.shape[0]):
            angle = number / film.fps
            move = cv2.getRotationMatrix2D((wide, tall), 4 * np.sin(angle / 3), 1.1 + 0.1 * np.sin(angle / 2))
            move[:, 2] -= (wide / 2 + wide / 4 * np.sin(angle / 4), tall / 2 + tall / 5 * np.cos(angle / 5))
            picture = cv2.warpAffine(land, move, (wide, tall), borderMode=cv2.BORDER_REFLECT)
            for thing in range(4):
                place = (int(wide * (0.5 + 0.45 * np.sin(angle * 0.7 + thing))), tall * (1 + thing) // 5)
                cv2.ellipse(picture, place, (tall // 8, tall // 12), 40 * angle, 0, 360, (40 * thing, 90, 200), -1)
            picture = cv2.add(picture, grain[number % 5], dtype=cv2.CV_8U)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
        for start in range(0, film.seconds * 48000, 1024):
            wave = 0.3 * np.sin(np.arange(start, start + 1024) * 0.06) + random.normal(0, 0.02, (2, 1024))
            frame = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48000, start
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))


def reference_ms(runs: int) -> list[float]:
    """A 1080p image as ComfyUI has it -> the PNG of 1280x720 that is sent."""
    import numpy as np
    from sora.media.reference import fitted, from_float, to_png

    grid = np.linspace(0, 6, 1920)
    image = np.stack([np.sin(grid * n)[None, :] * np.cos(grid[:1080] * n)[:, None] for n in (1, 2, 3)], 2) / 2 + 0.5
    image = np.clip(image + np.random.default_rng(1).normal(0, 0.01, image.shape), 0, 1).astype(np.float32)[None]
    taken = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        to_png(fitted(from_float(image), 1280, 720, "crop"))
        taken.append(1000 * (time.perf_counter() - begun))
    return taken[1:]


def measure(film: Film, path: Path, names: list[str], runs: int, python: str, vhs_folder: str) -> dict[str, Any]:
    """The runs of each reader, in turns; those that cannot run, with the reason."""
    from sora.media.memory import available_bytes

    done: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    for _ in range(runs):
        for name in names:
            if name in left_out:
                continue
            needs, has = READERS[name].needs * film.tensor_bytes + 2**28, available_bytes()
            if has is not None and needs > has:
                left_out[name] = f"does not fit: up to {needs / 2**30:.1f} GiB, {has / 2**30:.1f} are available"
                continue
            command = [python, __file__, "--child", name, str(path), *map(str, film), "--vhs", vhs_folder]
            run = one(command)
            if "missing" in run:
                left_out[name] = run["missing"]
            elif run["frames"] != film.shape[0] and not name.endswith("last"):
                left_out[name] = f"gives {run['frames']} frames of {film.shape[0]}"
            else:
                done[name].append(run)
            print(f"{film.name}  {name:10} {run}", file=sys.stderr, flush=True)
    results = {name: taken for name, taken in done.items() if taken and name not in left_out}
    return {"name": film.name, **film._asdict(), "tensor_bytes": film.tensor_bytes, "results": results,
            "left_out": left_out, "file_bytes": path.stat().st_size}  # fmt: skip


def one(command: list[str]) -> dict[str, Any]:
    """What a fresh process measured. Its last line counts: some libraries print while they are imported."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return {"missing": f"took more than {LONGEST_S} s"}
    lines = (ran.stdout if ran.returncode == 0 else ran.stderr).strip().splitlines() or ["nothing printed"]
    return dict(json.loads(lines[-1])) if ran.returncode == 0 else {"missing": f"stopped: {lines[-1][:200]}"}


def median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def goals(film: dict[str, Any]) -> list[tuple[str, str, float, bool]]:
    """(what, goal, measured, met); times are compared turn by turn."""
    results = film["results"]

    def ratio(one: str, other: str) -> float:
        pairs = zip(results[one], results[other], strict=False)
        return statistics.median(mine["wall_s"] / theirs["wall_s"] for mine, theirs in pairs)

    wanted = [("ours", "vhs", 0.65), ("ours", "core", 0.45), ("ours", "decord", 1.0)]
    decoders = [name for name in ("grab", "pyav") if name in results]
    if decoders:
        wanted.append(("resident", min(decoders, key=lambda name: median(results[name], "wall_s")), 1.2))
    rows = []
    for mine, theirs, most in wanted:
        if mine in results and theirs in results:
            got = ratio(mine, theirs)
            rows.append((f"{READERS[mine].label} / {READERS[theirs].label}", f"≤ {most}", got, got <= most))
    if "ours" in results:
        peak = median(results["ours"], "peak")
        rows.append(("peak memory / tensor", "≤ 1.03", peak, peak <= 1.03))
    for whole, last, group_s in (("ours", "last", GROUP_S), ("brisk", "brisk_last", 1)):
        if whole in results and last in results:
            faster = ratio(whole, last)
            rows.append((f"all frames / the last one, a key frame every {group_s} s", "≥ 10", faster, faster >= 10))
    return rows


def limits(film: dict[str, Any]) -> list[str]:
    """What stands in the way of the goals that are measured against decoding alone."""
    if not {"resident", "bound", "grab"} <= film["results"].keys():
        return []
    ours, bound, alone = (median(film["results"][name], "wall_s") for name in ("resident", "bound", "grab"))
    return [
        "",
        f"What limits it: decoding to 8 bits while two threads write as many bytes as the floats have takes "
        f"{bound:.2f} s, {bound / alone:.2f} times decoding alone; ours, with memory resident, takes "
        f"{ours / bound:.2f} times that.",
    ]


def table(film: dict[str, Any]) -> str:
    size = f"{film['tensor_bytes'] / 2**30:.2f} GiB as floats, {film['file_bytes'] / 2**20:.1f} MiB as a file"
    lines = [f"### {film['name']}: {size}", "", "| | wall s (min–max) | CPU s | peak / tensor | first frame s |"]
    lines.append("|---|---|---|---|---|")
    for name, runs in film["results"].items():
        walls = [run["wall_s"] for run in runs]
        first = f"{median(runs, 'first_s'):.3f}" if "first_s" in runs[0] else ""
        wall = f"{statistics.median(walls):.3f} ({min(walls):.3f}–{max(walls):.3f})"
        memory = f"{median(runs, 'peak'):.3f}"
        lines.append(f"| {READERS[name].label} | {wall} | {median(runs, 'cpu_s'):.2f} | {memory} | {first} |")
    lines += [f"| {READERS[name].label} | – {why} | | | |" for name, why in film["left_out"].items()]
    if rows := goals(film):
        lines += ["", "| | goal | measured | |", "|---|---|---|---|"]
        verdict = {True: "met", False: "**missed**"}
        lines += [f"| {what} | {goal} | {got:.2f} | {verdict[met]} |" for what, goal, got, met in rows]
    lines += limits(film)
    if {"ours", "resident", "pyav"} <= film["results"].keys():
        alone, still, whole = (median(film["results"][name], "wall_s") for name in ("pyav", "resident", "ours"))
        parts = f"decoding (PyAV) {alone:.2f} s, floats {still - alone:+.2f} s, memory not used before"
        lines += ["", f"What ours takes: {parts} {whole - still:+.2f} s."]
    return "\n".join(lines)


def main(given: argparse.Namespace) -> None:
    sys.path.append(str(ROOT / "tests"))
    from host.comfy import find_comfyui, find_python, host_version
    from plot import draw

    sys.path.append(ENGINE)  # not earlier: it has a `host` of its own

    comfyui = find_comfyui()
    python = str((comfyui and find_python(comfyui)) or sys.executable)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if comfyui is not None:
        os.environ["BENCH_COMFYUI"] = str(comfyui)
        found = [place for place in (comfyui / "custom_nodes").iterdir() if "videohelpersuite" in place.name.lower()]
        given.vhs = given.vhs or next(map(str, found), "")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    title = f"Medians of {given.runs} (min–max), in turns; {machine}"
    title += f", ComfyUI {host_version(comfyui)}" if comfyui else ""
    films: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        make_film(Path(folder) / SMALL, Film(1, 320, 180, given.fps))
        for size in given.sizes:
            for seconds in given.seconds:
                film = Film(seconds, *map(int, size.split("x")), given.fps)
                path = Path(folder) / "film.mp4"
                make_film(path, film)
                names = [name for name in given.only or READERS if name not in ASIDE or seconds == LAST_OF_S]
                if seconds == LAST_OF_S:
                    make_film(path.with_name(BRISK), film, group_s=1)
                films.append(measure(film, path, names, given.runs, python, given.vhs))
    pngs = reference_ms(given.runs)
    picture = f"A 1080p image to the PNG of 1280x720 that is sent: {statistics.median(pngs):.0f} ms "
    picture += f"({min(pngs):.0f}–{max(pngs):.0f}); goal ≤ 60."
    text = "\n\n".join([f"{title}. Ratios: medians of the turns' own.", *map(table, films), picture]) + "\n"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "decode.md").write_text(text, encoding="utf-8")
    (given.out / "decode.json").write_text(json.dumps({"title": title, "films": films}), encoding="utf-8")
    labels = {name: (reader.label, reader.kind) for name, reader in READERS.items()}
    labels = {name: label for name, label in labels.items() if name not in ASIDE}
    draw(films, labels, title, given.out / "decode.png")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=int, nargs="+", default=[4, 12, 20])
    parser.add_argument("--sizes", nargs="+", default=["1280x720", "1792x1024"])
    parser.add_argument("--fps", type=int, default=24)
    parser.add_argument("--only", nargs="+", choices=READERS)
    parser.add_argument("--vhs", default="", help="the folder of a ComfyUI-VideoHelperSuite")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.vhs:
        os.environ["BENCH_VHS"] = options.vhs
    if options.child:
        child(*options.child[:2], Film(*map(int, options.child[2:])))
    else:
        main(options)
