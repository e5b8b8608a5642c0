"""The nodes in a host. Without ComfyUI and torch that is the stand-in of this folder; with SORA_TESTS_REAL_COMFYUI=1,
and ComfyUI's own Python, the very same tests run on the real one (test_real_host.py does that by itself)."""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..host.comfy import find_comfyui
from ..systems import share_folder
from .hosts import Pack, Page, standin_pack, use_real

REAL = os.environ.get("SORA_TESTS_REAL_COMFYUI") == "1"  # read here, since each test starts without such variables
FAMILIES = ("openai", "new-api", "litellm", "sglang", "vllm-omni", "seedance")
every_family = pytest.mark.parametrize("dialect", FAMILIES)  # once for each way in which a gateway may speak
CREATE = {"model": "sora-2", "seconds": "4", "size": "1280x720", "take": 1, "provider": "sandbox"}


@pytest.fixture(scope="session")
def real_pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack | None]:
    """The pack in ComfyUI itself, which can be loaded only once; None for the stand-in."""
    if not REAL:
        yield None
        return
    path, comfyui = list(sys.path), find_comfyui()
    assert comfyui is not None
    use_real(comfyui, tmp_path_factory.mktemp("comfyui"))
    yield Pack(real=True)
    sys.path[:] = path
    sys.modules["server"].PromptServer.instance.loop.close()


@pytest.fixture(scope="module")
def pack(real_pack: Pack | None) -> Iterator[Pack]:
    """The pack, in the stand-in anew for each file: tests of another folder may have loaded it in between."""
    if real_pack is not None:
        yield real_pack
        return
    with standin_pack() as loaded:
        yield loaded


class Bench:
    """The pack with a state folder, an output folder and a sandbox of its own."""

    def __init__(self, pack: Pack, page: Page, folder: Path, dialect: str, films: Path) -> None:
        self.pack, self.page, self.io = pack, page, pack.io
        self._films = films
        self.family = pack.module("sora_jobs.sandbox.families").FAMILIES[dialect]
        self.home, self.output, self.temp = folder / "home", folder / "output", folder / "temp"

    @property
    def engine(self) -> Any:
        return self.pack.engine.get_engine()

    def sandbox_jobs(self) -> list[dict[str, Any]]:
        """What was bought at the sandbox: its own files."""
        return [
            json.loads(file.read_text(encoding="utf-8")) for file in (self.home / "sandbox" / "jobs").glob("*.json")
        ]

    def there(self, video_id: str) -> str:
        """The id in those files of a job that its users know as `video_id`."""
        return str(self.family.job_id(video_id))

    async def create(self, prompt: str, unique_id: str = "1", **more: Any) -> Any:
        """CreateSoraJob on the sandbox, which finds the films of earlier tests: the same prompt is rendered once."""
        renders = self.home / "sandbox" / "renders"
        renders.parent.mkdir(parents=True, exist_ok=True)
        if not renders.exists():
            share_folder(renders, self._films)
        return await self.pack.run("CreateSoraJob", unique_id, prompt=prompt, **(CREATE | more))

    async def wait(self, job: Any, unique_id: str = "2", **more: Any) -> Any:
        return await self.pack.run("WaitForVideo", unique_id, job=job, **more)

    async def frames(self, video: Any, unique_id: str = "3", **more: Any) -> Any:
        """LoadVideoFrames with the values of its widgets as they stand in a new node."""
        names = ("force_rate", "frame_load_cap", "skip_first_frames", "custom_width", "custom_height")
        given = dict.fromkeys(names, 0) | {"select_every_nth": 1} | more
        return await self.pack.run("LoadVideoFrames", unique_id, video=video, **given)

    def image(self, pixels: np.ndarray[Any, Any]) -> Any:
        """IMAGE of float [B, H, W, C]."""
        import torch

        return torch.from_numpy(pixels)


@pytest.fixture
def dialect() -> str:
    """The family of the sandbox, which `every_family` replaces."""
    return FAMILIES[0]


@pytest.fixture
def bench(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, films: Path) -> Iterator[Bench]:
    import comfy.model_management
    import comfy.utils
    import folder_paths
    from server import PromptServer

    page = Page()
    made = Bench(pack, page, tmp_path, dialect, films)
    monkeypatch.setenv("SORA_HOME", str(made.home))
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.3")
    monkeypatch.setenv("SORA_SANDBOX_DIALECT", dialect)
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    for name in ("input", "output", "temp", "user"):
        getattr(folder_paths, f"set_{name}_directory")(str(tmp_path / name))
    comfy.utils.set_progress_bar_global_hook(page.on_bar)
    comfy.model_management.interrupt_current_processing(False)
    monkeypatch.setattr(PromptServer.instance, "send_sync", page.on_message)
    monkeypatch.setattr(PromptServer.instance, "client_id", "page-1")
    yield made
    if (engine := pack.engine._engine) is not None:
        pack.engine._engine = None
        atexit.unregister(engine.close)
        engine.close()
