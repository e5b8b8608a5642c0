"""Films on disk: each is rendered once, in the background, and named by all that decides it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from ..util.daemon_pool import DaemonPool
from .encode import chord, write_mp4
from .render import Picture, Scene, film, open_picture, seed_of
from .store import SandboxJob, Store

STYLE = 4  # raised when the pictures change, so that old files are not taken for new ones
THREADS = 2
CLOSE_S = 10.0  # for the picture under way: a thread that is in OpenCV or FFmpeg when Python ends aborts the process


class Renders:
    """The films of a store's jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool = DaemonPool("sora-sandbox-render", THREADS)
        self._running: dict[Path, Future[Path]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def ensure(self, job: SandboxJob) -> Future[Path]:
        """The job's MP4; rendered now if it is not there (also after a restart)."""
        path = self.path_of(job)
        with self._lock:
            future = self._running.get(path)
            # What failed (a full disk) or was deleted since is rendered anew.
            if future is None or (future.done() and (future.exception() is not None or not path.exists())):
                future = self._running[path] = self._pool.submit(lambda: self._render(job, path))
            return future

    def close(self) -> None:
        """Stop rendering; what was unfinished is rendered anew when it is next asked for."""
        self._closed.set()
        self._pool.close(CLOSE_S)

    def path_of(self, job: SandboxJob) -> Path:
        """Where the film lies: the name is made of all that decides it."""
        chain = [(one.prompt, one.references, one.nth) for one in self._lineage(job)]
        parts = (STYLE, job.model, job.seconds, job.width, job.height, chain, "silent" in job.directives)
        return self._store.folder / "renders" / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.mp4"

    def _lineage(self, job: SandboxJob) -> list[SandboxJob]:
        """The job and its parents, oldest first."""
        chain = [job]
        while len(chain) < 50 and (parent := self._store.load(chain[0].parent)) is not None:
            chain.insert(0, parent)
        return chain

    def _render(self, job: SandboxJob, path: Path) -> Path:
        if path.exists():
            return path
        oldest, *remixes = self._lineage(job)
        pictures = [open_picture(self._store.reference(name)) for name in oldest.references]
        seed = seed_of(oldest.prompt, oldest.model, *_again(oldest))
        scene = Scene(
            prompt=job.prompt,
            place=oldest.prompt,
            seed=seed,
            width=job.width,
            height=job.height,
            seconds=job.seconds,
            first=pictures[0] if pictures else None,
            last=pictures[1] if len(pictures) > 1 else None,
            remix_seed=seed_of(*(part for one in remixes for part in (one.prompt, *_again(one)))) if remixes else b"",
        )
        sound = None if "silent" in job.directives else chord(scene.remix_seed or seed, job.seconds)
        write_mp4(path, self._until_closed(film(scene)), job.width, job.height, sound)
        return path

    def _until_closed(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
        for picture in pictures:
            if self._closed.is_set():
                raise RuntimeError("The sandbox was closed before the film was finished.")
            yield picture


def _again(job: SandboxJob) -> tuple[int, ...]:
    """What sets a second film of the same wish apart from the first."""
    return (job.nth,) if job.nth else ()
