"""Videos and other files below ComfyUI's folders."""

from __future__ import annotations

import contextlib
import glob
import os
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import folder_paths
import numpy as np
from comfy_api.latest import InputImpl, io, ui
from comfy_execution.utils import get_executing_context

from ..sora_jobs.errors import InvalidInputError, SoraError, storage_error
from ..sora_jobs.jobs.spec import Job
from ..sora_jobs.util.atomic_write import remove
from ..sora_jobs.util.disk import path_is_too_long, reason_of
from .engine import get_engine
from .safe_paths import confined

if TYPE_CHECKING:
    from comfy_api.latest import Input


Video: TypeAlias = "Input.Video"  # a VIDEO of the host, or of another pack
SAME_S = 0.02  # two lengths of a video that differ by less are one
# Between counting the names that are there and making the next: for as long as a share takes, in threads only.
_naming = threading.Lock()
_tracking = threading.Lock()  # of the two below: the host's event loop takes it, so no file is looked at under it
_handed_out: defaultdict[str, set[Path]] = defaultdict(set)  # by node
_generations: Counter[str] = Counter()
COUNTER = len("_00001_.webm")


def input_folder() -> Path:
    """Where LoadImage finds its pictures."""
    return Path(folder_paths.get_input_directory())


def temp_folder() -> Path:
    """Where files may be written that nobody keeps."""
    return Path(folder_paths.get_temp_directory())


def video_of(path: Path) -> InputImpl.VideoFromFile:
    """A VIDEO that stays on disk."""
    return InputImpl.VideoFromFile(str(path))


@contextlib.contextmanager
def file_of(video: Video) -> Iterator[tuple[Path, tuple[float, float]] | None]:
    """The file behind a VIDEO (for one in memory, a copy in the temp folder) and the piece of it that was trimmed out,
    (start, duration) in seconds; None for a VIDEO of any class but the host's own for files, which may be put together
    from images, or show something else than the file that it names."""
    if type(video) is not InputImpl.VideoFromFile:
        yield None
        return
    trim = video.get_active_trim_window() if hasattr(video, "get_active_trim_window") else (0.0, 0.0)
    source = video.get_stream_source()
    if isinstance(source, str | os.PathLike):
        yield Path(source), trim
        return
    copy = temp_folder() / f"sora_{uuid.uuid4().hex}.mp4"  # two nodes may decode one VIDEO
    try:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with source.getbuffer() as data:  # let go of at once, also by an error that is kept
                copy.write_bytes(data)
        except OSError as error:
            raise storage_error(f"{copy} could not be written", error) from error
        yield copy, trim
    finally:
        with contextlib.suppress(OSError):  # the host empties that folder at its next start
            remove(copy)


def shows_all_of(video: Video, declared: tuple[tuple[int, int], float, int], window: tuple[float, float]) -> bool:
    """Does a VIDEO say that it is what its file declares, ((width, height) before it is turned, seconds, frames), but
    for the piece that is trimmed out of it? What is 0 is not known. Hosts from 0.35 on can crop one, and give the whole
    file all the same; what a later one does to it shows here, too."""
    size, duration_s, frames = declared
    left_s = duration_s - window[0]
    expected: dict[str, list[Any]] = {
        "get_dimensions": [size, size[::-1]] if all(size) else [],
        "get_duration": [min(window[1], left_s) if window[1] else left_s] if duration_s else [],
        "get_frame_count": [frames] if frames and window == (0, 0) else [],  # trimmed, it would decode to count them
    }
    for name, likely in expected.items():
        said = None
        if likely and hasattr(video, name):
            with contextlib.suppress(Exception):  # what is wrong with the file is said by whoever reads it
                said = getattr(video, name)()
        if said is not None and not any(np.allclose(said, one, rtol=0, atol=SAME_S) for one in likely):
            return False
    return True


def check_prefix(prefix: str) -> None:
    """InvalidInputError for a prefix that no file of the output folder can have: known before anything is bought."""
    if not (prefix := prefix.strip()):
        return
    if "%date:" in prefix:  # SaveImage would give its file that name, which Windows does not take
        raise InvalidInputError(
            f"filename_prefix is {prefix[:80]!r}: %date:…% is filled in by ComfyUI's page, and only in the widget.",
            hint="Use %year%, %month%, %day%, %hour%, %minute% and %second%, such as %year%-%month%-%day%/boat.",
            code="unsafe_name",
        )
    output = Path(folder_paths.get_output_directory())
    confined(output, prefix)
    if too_long := path_is_too_long(output, len(prefix) + COUNTER):
        raise InvalidInputError(too_long, hint="Use a shorter filename_prefix.", code="path_too_long")


def named_file(job: Job, prefix: str) -> tuple[Path, str]:
    """(the file under the name that `prefix` asks for, a warning): where that name cannot be given, the stored file,
    since it is paid for whatever it is called."""
    stored = get_engine().path(job)
    if not (prefix := prefix.strip().replace("\\", "/")):
        return stored, ""
    try:
        return _linked(job, stored, prefix), ""
    except (SoraError, OSError) as error:
        why = error.message if isinstance(error, SoraError) else f"{reason_of(error)}."
        return stored, f"filename_prefix was not used: {why} The video is {relative_name(stored)}."


def track_output(path: Path, node_id: str | None) -> Path:
    """Remember that this node gave the file to a graph."""
    with _tracking:
        _handed_out[node_id or ""].add(path)
    return path


def missing_files_fingerprint() -> int:
    """A number that changes when a file that the node of this call gave to a graph is gone, so that it runs again and
    downloads it; other nodes keep what they have."""
    context = get_executing_context()
    node_id = context.node_id if context is not None else ""
    with _tracking:
        known = set(_handed_out[node_id])
    gone = {path for path in known if not path.exists()}
    with _tracking:
        _handed_out[node_id] -= gone
        _generations[node_id] += bool(gone)
        return _generations[node_id]


def relative_name(path: Path) -> str:
    """A file's name relative to the output folder, with forward slashes. InvalidInputError for one outside."""
    place = get_engine().files.place_of(path)
    if place is None:
        raise InvalidInputError(f"{path} is not in the output folder.", code="outside_output")
    return str(place)


def player(path: Path) -> ui.PreviewVideo:
    """A player in the node."""
    name = Path(relative_name(path))
    subfolder = "" if name.parent == Path() else name.parent.as_posix()
    return ui.PreviewVideo([ui.SavedResult(name.name, subfolder, io.FolderType.output)])


def _linked(job: Job, stored: Path, prefix: str) -> Path:
    """Another name of the stored file, with a counter like SaveVideo's."""
    check_prefix(prefix)
    size = _size_of(stored) if "%width%" in prefix or "%height%" in prefix else (0, 0)
    with _naming:
        root = get_engine().output
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(root), *size)
        # Once more, with the host's %year% and its like filled in, and its folders made.
        confined(root, os.path.relpath(Path(folder, name), root))
        names = Path(folder).glob(f"{glob.escape(name)}_*_{stored.suffix}")
        known = get_engine().files.first_copy(job, names)
        if known is not None:  # the same graph run again makes no second name
            return known
        return get_engine().files.link(job, Path(folder) / f"{name}_{counter:05}_{stored.suffix}")


def _size_of(path: Path) -> tuple[int, int]:
    """(width, height) as SaveVideo takes them; (0, 0) where the host cannot tell: the name is no reason to fail."""
    with contextlib.suppress(Exception):
        width, height = video_of(path).get_dimensions()
        return int(width), int(height)
    return 0, 0
