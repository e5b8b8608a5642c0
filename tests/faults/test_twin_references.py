"""Many takes of one image at once: each keeps the same reference, and none gets in another one's way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sora_jobs.ledger.references import write_once

THREADS = 16  # as many as the engine submits with
ROUNDS = 100
PNG = b"x" * 1_200_000


def test_twins_keep_one_reference(tmp_path: Path) -> None:
    """Nobody fails, nobody comes back to half a file, and one file is left.

    It found that a lock file which is removed after use does not keep twins apart: between one's release and its
    removal a second takes the old lock, a third then makes a new one, and both write the same `.part`.
    """
    gate = threading.Barrier(THREADS)

    def keep(path: Path) -> int:
        gate.wait(10)
        write_once(path, PNG)
        return path.stat().st_size

    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(ROUNDS):
            path = tmp_path / str(number) / "image.png"
            assert set(pool.map(keep, [path] * THREADS)) == {len(PNG)}
            assert [file.name for file in path.parent.iterdir()] == ["image.png"]
            path.unlink()
