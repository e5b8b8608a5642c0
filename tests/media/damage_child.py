"""Decodes damaged files in a process of its own, so that a crash or a hang names its file: `python damage_child.py
ENGINE NAME=WHOLE_FILE …`. For each line of JSON {"path", "base", "number"} that comes in, one goes out."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENGINE, *WHOLE = sys.argv[1:]
sys.path.insert(0, ENGINE)

from sora_jobs.errors import MediaError  # noqa: E402 - the engine's folder is an argument
from sora_jobs.media import backends, frame_buffer  # noqa: E402
from sora_jobs.media.audio import audio_for, load_audio  # noqa: E402
from sora_jobs.media.delivered import examine_delivered  # noqa: E402
from sora_jobs.media.frames import FrameChoice, Frames, load_frames  # noqa: E402

BLOCK = 8  # pixels that are compared as one
ALIKE = 0.04  # of 1, in each of them
CHOICES = (
    FrameChoice(skip_first_frames=-1),
    FrameChoice(skip_first_frames=-7, frame_load_cap=3),
    FrameChoice(skip_first_frames=13, select_every_nth=4),
    FrameChoice(skip_first_frames=9, frame_load_cap=2),
    FrameChoice(force_rate=12),
)


def blocks(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, H, W, 3] -> the means of its blocks, [N, H/8, W/8, 3]."""
    cv2 = backends.cv2()
    size = (pixels.shape[2] // BLOCK, pixels.shape[1] // BLOCK)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in pixels])


def seen_in(frames: Frames, clean: NDArray[np.float32]) -> list[int]:
    """Which frame of the whole file each one looks exactly like; -1 for none."""
    if frames.pixels.shape[1] // BLOCK != clean.shape[1] or frames.pixels.shape[2] // BLOCK != clean.shape[2]:
        return [-1] * len(frames.pixels)
    seen = []
    for picture in blocks(frames.pixels):
        apart = np.abs(clean - picture).max(axis=(1, 2, 3))
        seen.append(int(apart.argmin()) if apart.min() < ALIKE else -1)
    return seen


def facts(frames: Frames, clean: NDArray[np.float32]) -> dict[str, Any]:
    pixels = frames.pixels
    return {
        "counts": [len(pixels), len(frames.indices), len(frames.times_s)],
        "indices": frames.indices.tolist(),
        "times_s": frames.times_s.tolist(),
        "insane": [at for at, frame in enumerate(pixels) if not (frame.min() >= 0 and frame.max() <= 1)],
        "finite": bool(np.isfinite([*frames.times_s, frames.start_s, frames.duration_s, frames.fps]).all()),
        "seen": seen_in(frames, clean),
        "warnings": frames.warnings,
        "declared": frames.info.declared_frames,
    }


def attempt(result: dict[str, Any], name: str, work: Any) -> Any:
    """The work's result; how it ended is noted under the name."""
    try:
        done = work()
    except MediaError as trouble:
        result[name] = {"trouble": str(trouble)}
        return None
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        result[name] = {"raised": traceback.format_exc()[-1500:]}
        return None
    result[name] = {}
    return done


def look(path: Path, number: int, clean: NDArray[np.float32]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    attempt(result, "verify", lambda: examine_delivered(path))
    loads = {"all": FrameChoice(), "some": CHOICES[number % len(CHOICES)]}
    for name, choice in loads.items():
        frames = attempt(result, name, lambda choice=choice: load_frames(path, choice))
        if frames is None:
            continue
        result[name] = facts(frames, clean)
        audio = attempt(result, f"sound of {name}", lambda frames=frames: audio_for(frames))
        if audio is not None:
            wanted = round(frames.duration_s * audio.sample_rate)
            fits = audio.waveform.shape[2] == wanted and bool(np.isfinite(audio.waveform).all())
            result[f"sound of {name}"] = {"fits": fits}
    attempt(result, "sound", lambda: load_audio(path))
    return result


def main() -> None:
    frame_buffer.available_bytes = lambda: 1 << 30  # a damaged header may speak of any size
    buffer = frame_buffer.buffer

    def hollow(*given: Any, **options: Any) -> NDArray[np.float32]:
        """Memory in which a frame that was never written cannot be taken for one."""
        made = buffer(*given, **options)
        made.fill(np.nan)
        return made

    frame_buffer.buffer = hollow
    files = dict(one.split("=", 1) for one in WHOLE)
    whole = {name: load_frames(path) for name, path in files.items()}
    clean = {name: blocks(frames.pixels) for name, frames in whole.items()}
    print(json.dumps({name: frames.times_s.tolist() for name, frames in whole.items()}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        result = look(Path(task["path"]), task["number"], clean[task["base"]])
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
