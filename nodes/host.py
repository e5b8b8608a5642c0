"""The only file that touches ComfyUI and torch: the one studio, waiting in the host's way, tensors and files."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import glob
import inspect
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import ComfyExtension, InputImpl, io, ui
from comfy_execution.graph_utils import ExecutionBlocker
from server import PromptServer

from .sora.addresses import is_loopback
from .sora.errors import InvalidInput, SoraError
from .sora.paths import confined
from .sora.settings import default_home
from .sora.spec import Job
from .sora.studio import Studio
from .sora.threads import DaemonPool

__all__ = ["ComfyExtension", "SoraJob", "io", "ui"]

T = TypeVar("T")
TICK_S = 0.1  # how often a waiting node looks whether it was interrupted
STEPS = 1000  # of a progress bar

SoraJob = io.Custom("SORA_JOB")
routes = PromptServer.instance.routes

_lock = threading.Lock()
_naming = threading.Lock()  # between counting the names that are there and making the next
_handed_out: set[Path] = set()
_generation = 0
_studio: Studio | None = None
prepares: list[Callable[[Studio], None]] = []  # what is done with the studio when it is made, which is at first use
_pool = DaemonPool("sora-node", 2)  # with the engine's own fewer than twenty
_log = logging.getLogger("sora")


def studio() -> Studio:
    """The studio of this process, made at first use."""
    global _studio  # noqa: PLW0603 - one per process is what it is for
    with _lock:
        if _studio is None:
            user = Path(folder_paths.get_user_directory())
            home = default_home(os.environ, user.parent) if os.environ.get("SORA_HOME") else user / "__sora"
            _studio = Studio(home, Path(folder_paths.get_output_directory()))
            atexit.register(_studio.close)
            for prepare in prepares:
                prepare(_studio)
        return _studio


def input_folder() -> Path:
    """Where LoadImage finds its pictures."""
    return Path(folder_paths.get_input_directory())


def listens_on_loopback_only() -> bool:
    """Can nobody but this machine reach the host's server?"""
    from comfy.cli_args import args

    return all(is_loopback(name.strip()) for name in str(args.listen).split(","))


def send(event: str, content: dict[str, Any]) -> None:
    """An event for every page that is open. From any thread."""
    server = PromptServer.instance
    if server is not None and server.sockets:
        server.send_sync(event, content)


def made(kind: Callable[..., T], *positional: Any, **keywords: Any) -> T:
    """`kind(...)` without the keywords that this host's version does not know yet (`advanced`, `search_aliases`)."""
    known = inspect.signature(kind).parameters
    return kind(*positional, **{name: value for name, value in keywords.items() if name in known})


def output(kind: Any, name: str, tooltip: str) -> Any:
    """An output shown as `name`. Hosts of 2025 refuse one whose id is also an input's, hence another id."""
    return kind.Output(f"{name}_output", display_name=name, tooltip=tooltip)


# -- waiting ----------------------------------------------------------------------------------------------------------


async def finish(future: Future[T], tick: Callable[[], None] = lambda: None) -> T:
    """The future's result. An interrupt ends the waiting at once; the work goes on in the engine's own thread.

    Not `asyncio.to_thread` nor a wrapped future: the host joins the first at the prompt's end, and its event loop may
    be gone when the second one finishes.
    """
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def done(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the prompt is over, and its loop closed
            loop.call_soon_threadsafe(wake.set)

    future.add_done_callback(done)
    try:
        while not future.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), TICK_S)
            comfy.model_management.throw_exception_if_processing_interrupted()
            tick()
    except BaseException:  # an interrupt and a cancelled task are no Exception
        future.cancel()  # what has not begun is not begun any more: nothing is bought after Cancel
        raise
    return future.result()


async def work(task: Callable[[], T]) -> T:
    """Have `task()` done in a thread of the pack's own."""
    return await finish(_pool.submit(task))


async def long_work(task: Callable[[Callable[[int, int], None], Callable[[], bool]], T], node_id: str | None) -> T:
    """The same for `task(progress, cancelled)`, with the node's progress bar: it calls `progress(done, of)`, and stops
    soon after `cancelled()` is true, which is when nobody waits for it any more."""
    bar, stop, seen = comfy.utils.ProgressBar(STEPS, node_id=node_id), threading.Event(), [0, 1]

    def progress(done: int, of: int) -> None:
        seen[:] = done, of

    try:
        return await finish(
            _pool.submit(lambda: task(progress, stop.is_set)),
            lambda: bar.update_absolute(STEPS * seen[0] // max(1, seen[1])),
        )
    finally:
        stop.set()


async def watch(job_id: str, timeout_s: float, node_id: str | None) -> Job:
    """Wait for a video with the node's progress bar and status line. An interrupt, a timeout or a failing sibling ends
    the waiting; the job is then looked after in the background."""
    wait = studio().wait(job_id, timeout_s=timeout_s)
    bar = comfy.utils.ProgressBar(STEPS, node_id=node_id)
    shown: list[str] = []

    def tick() -> None:
        bar.update_absolute(int(STEPS * wait.fraction))
        if wait.status not in shown[-1:]:
            shown.append(wait.status)
            say(wait.status, node_id)

    try:
        job = await finish(wait.future, tick)
    except BaseException:  # an interrupt and a cancelled task are no Exception
        wait.cancel()
        with contextlib.suppress(SoraError):  # what ended the waiting says more
            studio().look_after(job_id)
        raise
    bar.update_absolute(STEPS)
    say(f"done · {job.id}", node_id)
    return job


def rescue_at_start() -> None:
    """Once the server is up, look after jobs that a crash, a power cut or a closed program left behind."""

    async def up(_: Any) -> None:
        _pool.submit(_rescue)

    if PromptServer.instance is not None and hasattr(PromptServer.instance, "app"):
        PromptServer.instance.app.on_startup.append(up)


def _rescue() -> None:
    try:
        if count := studio().rescue():
            _log.info("Sora Jobs looks after %d unfinished jobs; SORA_RESCUE=0 turns this off.", count)
    except SoraError as error:
        warn(f"Unfinished jobs are not looked after: {error}")


def say(text: str, node_id: str | None) -> None:
    """One line of text in the node."""
    server = PromptServer.instance
    if server is not None and node_id is not None and server.client_id is not None:
        # Only to the page that asked: without an id it would go to every page that is open.
        server.send_progress_text(text, node_id, server.client_id)


def tell(warning: str, node_id: str | None) -> None:
    """A warning, if there is one, in the node and in the log."""
    if warning:
        warn(warning)
        say(warning, node_id)


def warn(text: str) -> None:
    """One line in the host's log."""
    _log.warning("%s", text)


# -- pixels and files -----------------------------------------------------------------------------------------------


def pixels_of(image: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """IMAGE or MASK -> float32 of the same shape: [B, H, W, C], [B, H, W]."""
    array: np.ndarray[Any, np.dtype[np.float32]] = image.detach().to("cpu", torch.float32).numpy()
    return array


def image_of(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    """float32 [N, H, W, 3] or uint8 [H, W, 3] -> IMAGE; floats keep their memory."""
    if pixels.dtype == np.uint8:
        pixels = np.divide(pixels[None], 255, dtype=np.float32)
    return torch.from_numpy(pixels)


def audio_of(waveform: np.ndarray[Any, Any], sample_rate: int) -> dict[str, Any]:
    """float32 [1, C, T] -> AUDIO."""
    return {"waveform": torch.from_numpy(waveform), "sample_rate": sample_rate}


def nothing() -> ExecutionBlocker:
    """An output that nobody may use: nodes behind it do not run, and nothing is reported."""
    return ExecutionBlocker(None)


def video_of(path: Path) -> Any:
    """A VIDEO that stays on disk."""
    return InputImpl.VideoFromFile(str(path))


def temp_folder() -> Path:
    """Where files may lie that nobody keeps."""
    return Path(folder_paths.get_temp_directory())


@contextlib.contextmanager
def file_of(video: Any) -> Iterator[tuple[Path, tuple[float, float]] | None]:
    """The file behind a VIDEO (for one in memory, a copy in the temp folder) and the piece of it that was trimmed out,
    (start, duration) in seconds; None where it has no file, since it is put together from images."""
    if isinstance(video, InputImpl.VideoFromComponents):
        yield None
        return
    trim = video.get_active_trim_window() if hasattr(video, "get_active_trim_window") else (0.0, 0.0)
    source = video.get_stream_source()
    if isinstance(source, str | os.PathLike):
        yield Path(source), trim
        return
    copy = temp_folder() / f"sora_{uuid.uuid4().hex}.mp4"  # two nodes may decode one VIDEO
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy.write_bytes(source.getbuffer())
        yield copy, trim
    finally:
        copy.unlink(missing_ok=True)


def components_of(video: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None, int, Any]:
    """(images float32 [N, H, W, 3], waveform float32 [1, C, T] or None, sample rate, frame rate) of a VIDEO."""
    parts = video.get_components()
    audio = parts.audio
    waveform = None if audio is None else audio["waveform"].detach().to("cpu", torch.float32).numpy()
    return pixels_of(parts.images), waveform, 0 if audio is None else int(audio["sample_rate"]), parts.frame_rate


def check_prefix(prefix: str) -> None:
    """InvalidInput for a prefix that leads out of the output folder: known before waiting for a video."""
    if prefix.strip():
        confined(Path(folder_paths.get_output_directory()), prefix.strip())


def linked_file(job: Job, prefix: str) -> Path:
    """The stored file, under the name that `prefix` asks for where it asks for one (like SaveVideo's counter)."""
    stored = studio().path(job)
    if not (prefix := prefix.strip().replace("\\", "/")):
        return stored
    with _naming:
        root = studio().settings.output
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(root))
        # Once more, with the host's %year% and its like filled in, and its folders made.
        confined(root, os.path.relpath(Path(folder, name), root))
        for known in Path(folder).glob(f"{glob.escape(name)}_*_.mp4"):
            if known.samefile(stored):  # the same graph run again makes no second name
                return known
        return studio().link(job, Path(folder) / f"{name}_{counter:05}_.mp4")


def handed_out(path: Path) -> Path:
    """Remember that a graph was given this file."""
    with _naming:
        _handed_out.add(path)
    return path


def files_generation() -> int:
    """A number that changes when a file that a graph was given is gone, so that its node runs again and fetches it."""
    global _generation  # noqa: PLW0603 - one per process, like the host's cache
    with _naming:
        gone = {path for path in _handed_out if not path.exists()}
        _handed_out.difference_update(gone)
        _generation += bool(gone)
        return _generation


def relative_name(path: Path) -> str:
    """A file's name relative to the output folder, with forward slashes. InvalidInput for one outside."""
    try:
        return path.resolve().relative_to(Path(folder_paths.get_output_directory()).resolve()).as_posix()
    except ValueError:
        raise InvalidInput(f"{path} is not in the output folder.") from None


async def preview(image: torch.Tensor) -> ui.PreviewImage:
    """The image in the node, from a PNG in the temp folder."""
    return await work(lambda: ui.PreviewImage(image))


def player(path: Path) -> ui.PreviewVideo:
    """A player in the node."""
    name = Path(relative_name(path))
    subfolder = "" if name.parent == Path() else name.parent.as_posix()
    return ui.PreviewVideo([ui.SavedResult(name.name, subfolder, io.FolderType.output)])
