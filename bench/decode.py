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
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from decode_readers import ASIDE, BRISK, ENGINE, READERS, SMALL, Film

ROOT = Path(__file__).parents[1]
LAST_OF_S = 12  # length of the film whose last frame is read alone
GROUP_S = 4  # between two frames at which decoding can begin
LONGEST_S = 300  # a run


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


def measure(film: Film, path: Path, names: list[str], runs: int, python: str) -> dict[str, Any]:
    """The runs of each reader, in turns; those that cannot run, with the reason."""
    from sora_jobs.media.frame_buffer import available_bytes

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
            command = [python, str(Path(__file__).with_name("decode_readers.py")), name, str(path), *map(str, film)]
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
        ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LONGEST_S)
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
    sys.path += [ENGINE, str(ROOT)]
    from tests.host.comfy import find_comfyui, find_python, host_version

    comfyui = find_comfyui()
    python = str((comfyui and find_python(comfyui)) or sys.executable)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if comfyui is not None:
        os.environ["BENCH_COMFYUI"] = str(comfyui)
        found = [place for place in (comfyui / "custom_nodes").iterdir() if "videohelpersuite" in place.name.lower()]
        given.vhs = given.vhs or next(map(str, found), "")
    if given.vhs:
        os.environ["BENCH_VHS"] = given.vhs
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    title = f"Medians of {given.runs} (min–max), in turns; {machine}"
    title += f", ComfyUI {host_version(comfyui)}" if comfyui else ""
    films: list[dict[str, Any]] = []
    if given.add:
        films = json.loads((given.out / "decode.json").read_text(encoding="utf-8"))["films"]
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
                films.append(measure(film, path, names, given.runs, python))
                write(films, title, given.out)  # a long run that is broken off keeps what it has
    print((given.out / "decode.md").read_text(encoding="utf-8"))


def write(films: list[dict[str, Any]], title: str, out: Path) -> None:
    """The tables, the figures and the plot of what is measured so far."""
    from plot import draw

    text = "\n\n".join([f"{title}. Ratios: medians of the turns' own.", *map(table, films)]) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / "decode.md").write_text(text, encoding="utf-8")
    (out / "decode.json").write_text(json.dumps({"title": title, "films": films}), encoding="utf-8")
    labels = {name: (reader.label, reader.kind) for name, reader in READERS.items()}
    labels = {name: label for name, label in labels.items() if name not in ASIDE}
    draw(films, labels, title, out / "decode.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=int, nargs="+", default=[4, 12, 20])
    parser.add_argument("--sizes", nargs="+", default=["1280x720", "1792x1024"])
    parser.add_argument("--fps", type=int, default=24)
    parser.add_argument("--add", action="store_true", help="films to those of an earlier run in --out")
    parser.add_argument("--only", nargs="+", choices=READERS)
    parser.add_argument("--vhs", default="", help="the folder of a ComfyUI-VideoHelperSuite")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    main(parser.parse_args())
