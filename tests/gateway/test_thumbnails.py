"""A finished job's pictures: the gateway's where it has some, else made from the stored video; nothing is bought."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sora_jobs.delivery.thumbnails import LARGEST
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    JobFailedError,
    MediaError,
    MissingKeyError,
    NotFinishedError,
    SoraError,
)
from sora_jobs.jobs.spec import Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.media import still_images as made_here
from sora_jobs.media.reference import MOST_PIXELS

from ..failures import failing
from .ugly import OLD_URLLIB3, Script, UglyServer, answer, hang_up

SPEC = VideoRequest(provider="mine", prompt="a boat", model="own", seconds="4", size="1280x720")
ACCEPTED = answer(200, {"id": "video_1", "status": "completed", "progress": 100})
RED = np.full((40, 60, 3), (250, 10, 20), np.uint8)
Made = Callable[..., tuple[Engine, UglyServer, Job]]


def picture(kind: str = "PNG", pixels: np.ndarray = RED, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """On the sandbox, which has both variants."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.2")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    made = Engine(tmp_path / "home", tmp_path / "output")
    yield made
    made.close()


def bought(engine: Engine, prompt: str = "a boat") -> Job:
    given = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480", "prompt": prompt}
    return engine.start_create(VideoRequest(**given)).result(30).job  # type: ignore[arg-type]


@pytest.fixture
def finished(tmp_path: Path) -> Iterator[Made]:
    """`finished(answer, …, variants=True)`: a job that was bought and finished at a scripted provider, not fetched."""
    opened: list[Engine | UglyServer] = []

    def make(*answers: Script, variants: bool = True, timeout_s: float = 5) -> tuple[Engine, UglyServer, Job]:
        server = UglyServer([ACCEPTED, *answers])
        server.__enter__()
        home = tmp_path / "home"
        (home / "keys").mkdir(parents=True)
        (home / "keys" / "mine").write_text("sk-key-12345", encoding="utf-8")
        (home / "keys" / "mine").chmod(0o600)
        flag = f"variants = {str(variants).lower()}"
        (home / "providers.toml").write_text(f'[provider.mine]\nbase_url = "{server.url}"\n{flag}\n', encoding="utf-8")
        env = {"SORA_HTTP_TIMEOUT_SECONDS": str(timeout_s), "SORA_BACKGROUND_DOWNLOADS": "0"}
        engine = Engine(home, tmp_path / "output", env=env)
        opened.extend([engine, server])
        job = engine.start_create(SPEC).result(30).job
        server.requests.clear()
        return engine, server, job

    yield make
    for one in opened:
        one.close() if isinstance(one, Engine) else one.__exit__()


def stored(engine: Engine, job: Job, video: Path) -> Path:
    """As if the job's video had been fetched."""
    target = engine.settings.output / "sora" / f"{job.id}.mp4"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(video.read_bytes())
    engine.ledger.stored(job.id, path=f"sora/{job.id}.mp4", root=str(engine.settings.output), sha256="", size=1)
    return target


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of a grey that rises."""
    import av

    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(0, 200, 20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


# -- the sandbox has them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "shape"), [("thumbnail", (480, 854, 3)), ("spritesheet", (537, 1280, 3))])
def test_the_gateways_own_is_taken(engine: Engine, variant: str, shape: tuple[int, ...]) -> None:
    """A finished job needs no stored video for it, and nothing is bought; with one, it is the same picture."""
    job = bought(engine)
    while engine.open(job.id).state is JobState.SUBMITTED:
        time.sleep(0.02)
    given = engine.pictures.picture(job.id, variant)
    assert (given.shape, given.dtype, engine.ledger.job(job.id).path) == (shape, np.uint8, "")
    video = engine.path(engine.start_wait(job.id, timeout=30).future.result(60))
    here = made_here.still(video, variant)
    assert np.abs(given.astype(int) - here).mean() < 6  # WebP and JPEG are lossy
    assert np.array_equal(engine.pictures.picture(job.id, variant), given)
    assert len(engine.ledger.jobs()) == 1


def test_a_redirect_that_forgets_the_variant_is_noticed(engine: Engine) -> None:
    """The signed address gives the video instead: after its first bytes the stored file is taken."""
    job = bought(engine, "a boat [sandbox: redirect]")
    video = engine.path(engine.start_wait(job.id, timeout=30).future.result(60))
    assert np.array_equal(engine.pictures.picture(job.id, "thumbnail"), made_here.thumbnail(video))


def test_a_job_that_is_not_finished_has_none(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and where to connect; nothing is lost."""
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "60")
    job = bought(engine)
    with failing(NotFinishedError, "job_not_finished", "WaitForVideo") as caught:
        engine.pictures.picture(job.id, "thumbnail")
    assert (caught.value.job, caught.value.exit_code) == (job.id, 6)
    assert engine.ledger.job(job.id).state is JobState.SUBMITTED


def test_a_job_that_failed_has_none(engine: Engine) -> None:
    """The error is the job's own."""
    job = bought(engine, "a boat [sandbox: fail=moderation_blocked]")
    with failing(JobFailedError, "moderation_blocked"):
        engine.start_wait(job.id, timeout=30).future.result(60)
    with failing(JobFailedError, "moderation_blocked"):
        engine.pictures.picture(job.id, "thumbnail")


def test_another_variant_is_refused(engine: Engine) -> None:
    """Also `video`, which is no picture; with what there is."""
    with failing(InvalidInputError, "unknown_option", "thumbnail, spritesheet"):
        engine.pictures.picture("any", "video")


# -- what is asked, and of whom ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("variant", ["thumbnail", "spritesheet"])
def test_the_call_names_the_variant_and_takes_any_kind(finished: Made, kind: str, variant: str) -> None:
    """One GET with the key; PNG, JPEG and WebP are read."""
    engine, server, job = finished(answer(200, picture(kind)))
    given = engine.pictures.picture(job.id, variant)
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"/v1/videos/video_1/content?variant={variant}")
    assert request.headers["authorization"] == "Bearer sk-key-12345"
    assert given.shape == RED.shape
    assert np.abs(given.astype(int) - RED).max() <= (0 if kind == "PNG" else 6)


def test_a_clear_picture_stands_on_black(finished: Made) -> None:
    """IMAGE has three channels."""
    clear = np.dstack([RED, np.full((40, 60), 0, np.uint8)])
    engine, _, job = finished(answer(200, picture(pixels=clear)))
    assert engine.pictures.picture(job.id, "thumbnail").max() == 0


def test_a_provider_without_variants_is_not_asked(finished: Made, film: Path) -> None:
    """`variants` is false unless the owner says otherwise: the stored file, or a word that there is none."""
    engine, server, job = finished(answer(200, picture()), variants=False)
    with failing(NotFinishedError, "not_stored", "mine makes none", "WaitForVideo"):
        engine.pictures.picture(job.id, "thumbnail")
    stored(engine, job, film)
    assert np.abs(engine.pictures.picture(job.id, "thumbnail").astype(int) - 100).max() <= 3
    assert engine.pictures.picture(job.id, "spritesheet").shape == (3 * 240, 1280, 3)
    assert server.requests == []


def silence(connection: socket.socket) -> None:
    """Until whoever asked hangs up."""
    connection.settimeout(20)
    with contextlib.suppress(ConnectionError):
        assert connection.recv(1) == b""


def drip(connection: socket.socket) -> None:
    """A picture, byte by byte: each comes in time, the whole does not."""
    whole = answer(200, picture())
    head = whole.index(b"\r\n\r\n") + 20
    connection.sendall(whole[:head])
    for at in range(head, len(whole)):
        connection.sendall(whole[at : at + 1])
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (answer(404, {"error": {"message": "no variant here", "code": "invalid_value"}}), "no variant here"),
        (answer(400, {"error": {"message": "unknown field"}}), "unknown field"),
        (answer(500, b"<html>"), "HTTP 500"),
        (answer(200, b"", [("Content-Type", "image/png")]), "cannot be read"),
        (answer(200, b"\0\0\0\x20ftypisom" * 99, [("Content-Type", "video/mp4")]), "no picture, but video/mp4"),
        (answer(200, {"error": "later"}, [("Content-Type", "application/json")]), "no picture, but application/json"),
        (answer(200, picture()[:60]), "cannot be read"),
        (answer(200, picture()[:60], length=5000), "could not be downloaded"),
        (answer(200, picture("GIF")), "no picture"),
        (hang_up, "could not be downloaded"),
        (silence, "could not be downloaded"),
        (drip, "timed out" if OLD_URLLIB3 else "comes too slowly"),
    ],
)
def test_a_gateway_that_gives_none_leaves_the_stored_file(
    finished: Made, film: Path, script: Script, says: str
) -> None:
    """Without one the error tells what the gateway gave; with one nobody is troubled."""
    engine, _, job = finished(script, timeout_s=0.5)
    with failing(NotFinishedError, "not_stored", says, "WaitForVideo") as caught:
        engine.pictures.picture(job.id, "thumbnail")
    assert "nothing will be bought again" in str(caught.value)
    stored(engine, job, film)
    assert np.abs(engine.pictures.picture(job.id, "thumbnail").astype(int) - 100).max() <= 3


def of_pixels(width: int, height: int) -> bytes:
    """A small PNG that says that it is that large."""
    png = picture()
    head = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (picture() + bytes(LARGEST), "too large"),
        (of_pixels(MOST_PIXELS // 1000 + 1, 1000), "too many pixels"),
        (of_pixels(50_000, 50_000), "too many pixels"),
    ],
    ids=["bytes", "pixels", "many pixels"],
)
def test_a_picture_has_limits(finished: Made, body: bytes, says: str) -> None:
    """Bytes and pixels."""
    engine, _, job = finished(answer(200, body))
    with failing(NotFinishedError, "not_stored", says):
        engine.pictures.picture(job.id, "thumbnail")


def test_a_key_that_is_gone_is_told_only_where_it_matters(finished: Made, film: Path) -> None:
    """A stored video needs none."""
    engine, _, job = finished(answer(200, picture()))
    (engine.settings.home / "keys" / "mine").unlink()
    with failing(MissingKeyError, "missing_key", "mine"):
        engine.pictures.picture(job.id, "thumbnail")
    stored(engine, job, film)
    assert engine.pictures.picture(job.id, "thumbnail").shape == (48, 64, 3)
    (engine.settings.home / "providers.toml").unlink()
    assert engine.pictures.picture(job.id, "thumbnail").shape == (48, 64, 3)


def test_a_stored_file_that_is_gone_or_spoilt_is_told(finished: Made, film: Path) -> None:
    """The first as one that was never stored; the second with the file's name."""
    engine, _, job = finished(answer(404, b""))
    video = stored(engine, job, film)
    video.write_text("no video", encoding="utf-8")
    with failing(MediaError, "not_a_video", video.name):
        engine.pictures.picture(job.id, "thumbnail")
    video.unlink()
    with failing(NotFinishedError, "not_stored", job.id):
        engine.pictures.picture(job.id, "thumbnail")


def test_while_pictures_are_asked_for_a_purchase_finds_a_thread(finished: Made) -> None:
    """A gateway that is silent about six pictures does not hold up what is bought."""

    go_on = threading.Event()

    def slow(connection: socket.socket) -> None:
        assert go_on.wait(60)

    engine, _, job = finished(slow, timeout_s=60)
    asked = [engine.start(lambda: engine.pictures.picture(job.id, "thumbnail"), key="stills") for _ in range(6)]
    with failing(InvalidInputError, "unknown_provider", "nobody"):
        engine.start_create(dataclasses.replace(SPEC, provider="nobody")).result(30)
    assert not any(one.done() for one in asked)
    go_on.set()
    for one in asked:
        with pytest.raises(SoraError):
            one.result(60)


def test_trouble_with_the_job_itself_is_passed_on(finished: Made) -> None:
    """Its state has to be known first."""
    engine, _, job = finished(answer(500, b""))
    opened = engine.ledger.adopt("mine", engine.ledger.job(job.id).origin, "video_2")
    with failing(GatewayError, "") as caught:
        engine.pictures.picture(opened.id, "thumbnail")
    assert caught.value.http_status == 500
