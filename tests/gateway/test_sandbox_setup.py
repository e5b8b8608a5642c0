"""What the sandbox's tests share: a gateway whose clock is turned by hand, and films that are rendered once."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from sora_jobs.sandbox import Sandbox

# The smallest film that any model makes, so that the tests are quick; the one prompt, so that it is rendered once.
SMALL = {"model": "seedance-2-5", "seconds": "4", "size": "854x480", "prompt": "a paper boat"}
_rendered: list[Path] = []
TAKES_S = 100.0  # by the clock below: one second is one per cent


class Clock:
    """Seconds since the epoch, as the test wants them; each look at it may take `step` seconds."""

    def __init__(self) -> None:
        self.now = 1_773_296_991.5
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Gateway:
    """A sandbox and a client that speaks plain HTTP to it."""

    def __init__(self, folder: Path, takes_s: float = TAKES_S, dialect: str | None = None) -> None:
        self.clock = Clock()
        self.folder = folder
        self.sandbox = Sandbox(folder, seconds=takes_s, clock=self.clock, dialect=dialect)
        self.url = self.sandbox.start()
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer any"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=20, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def create(self, *, files: Any = None, **fields: str | None) -> requests.Response:
        """POST /v1/videos as a multipart form; a field of None is left out."""
        form = {name: (None, value) for name, value in (SMALL | fields).items() if value is not None}
        return self.call("POST", "/v1/videos", files=[*form.items(), *(files or [])])

    def made(self, directive: str = "", **fields: str | None) -> str:
        """The id of a job with that directive in its prompt."""
        answer = self.create(**({"prompt": f"{SMALL['prompt']} [sandbox: {directive}]"} | fields))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def finished(self, directive: str = "", **fields: str | None) -> str:
        """The same, and its time is over."""
        video_id = self.made(directive, **fields)
        self.clock.now += TAKES_S
        return video_id

    def look(self, video_id: str) -> dict[str, Any]:
        return dict(self.get(f"/v1/videos/{video_id}").json())

    def content(self, video_id: str, **options: Any) -> requests.Response:
        return self.get(f"/v1/videos/{video_id}/content", **options)

    def close(self) -> None:
        self.session.close()
        self.sandbox.close()


def picture(width: int, height: int) -> np.ndarray:
    """A soft picture with a bright square off its centre: RGB, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 200 // width, y * 200 // height, np.full_like(x, 90)], -1).astype(np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (240, 200, 40)
    return pixels


def png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def reference(data: bytes, content_type: str | None = "image/png", name: str = "first.png") -> tuple[str, Any]:
    """A file part of the form."""
    return "input_reference", (name, data, content_type) if content_type is not None else (name, data)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of films in which SMALL's lies already, with sound and without; one for all modules."""
    if not _rendered:
        folder = tmp_path_factory.mktemp("films")
        gateway = Gateway(folder)
        try:
            assert [gateway.content(gateway.finished(how)).status_code for how in ("", "silent")] == [200, 200]
        finally:
            gateway.close()
        _rendered.append(folder / "renders")
    return _rendered[0]


@pytest.fixture
def gateways(tmp_path: Path, films: Path) -> Iterator[Callable[..., Gateway]]:
    """Opens gateways, by default all on one folder, which has SMALL's film."""
    shutil.copytree(films, tmp_path / "sandbox" / "renders")
    opened: list[Gateway] = []

    def open_one(folder: Path = tmp_path / "sandbox", **options: Any) -> Gateway:
        opened.append(Gateway(folder, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def gateway(gateways: Callable[..., Gateway]) -> Gateway:
    return gateways()
