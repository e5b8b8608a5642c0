"""The official Python client of OpenAI works against the sandbox as it stands: nothing is adapted for it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from PIL import Image
from sora_jobs.sandbox.store import LINK_LASTS_S

from .test_sandbox_setup import SMALL, Gateway, films, gateways, picture, png

__all__ = ["films", "gateways"]
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled to permanently:DeprecationWarning")


@pytest.fixture
def gateway(gateways: object) -> Gateway:
    """A gateway at which everything is finished at once."""
    return gateways(takes_s=0)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[object]:
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="any", max_retries=0) as made:
        yield made


def test_create_poll_and_download(client: object, tmp_path: Path) -> None:
    """From a text to an MP4 and a thumbnail on disk."""
    video = client.videos.create(**SMALL)
    assert (video.status, video.progress, video.object) == ("queued", 0, "video")
    assert (video.model, video.seconds, video.size) == ("seedance-2-5", "4", "854x480")
    done = client.videos.poll(video.id, poll_interval_ms=10)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    assert (done.prompt, done.expires_at - done.completed_at) == ("a paper boat", LINK_LASTS_S)
    client.videos.download_content(video.id).write_to_file(tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
    with Image.open(io.BytesIO(client.videos.download_content(video.id, variant="thumbnail").read())) as image:
        assert (image.format, image.size) == ("WEBP", (854, 480))


def test_polling_ends_when_the_job_does(client: object, gateway: Gateway) -> None:
    """The client's own loop goes on while it is in progress, and stops at completed."""
    video_id = gateway.made("slow=100")
    gateway.clock.step = 25.0
    assert client.videos.poll(video_id, poll_interval_ms=1).status == "completed"
    assert gateway.sandbox.routes.counts["GET", "/v1/videos/{id}"] == 4


def test_create_with_a_reference(client: object, tmp_path: Path) -> None:
    """As a file, as bytes with a name and a type, and with create_and_poll."""
    image = png(picture(854, 480))
    (tmp_path / "first.png").write_bytes(image)
    asked = SMALL | {"prompt": "x [sandbox: fail=x]"}
    with (tmp_path / "first.png").open("rb") as file:
        videos = [client.videos.create(**asked, input_reference=file)]
    videos.append(client.videos.create(**asked, input_reference=("first.png", image, "image/png")))
    videos.append(client.videos.create(**asked, input_reference=tmp_path / "first.png"))
    videos.append(client.videos.create_and_poll(**asked, input_reference=tmp_path / "first.png", poll_interval_ms=10))
    assert len({video.id for video in videos}) == 4
    assert (videos[3].status, videos[3].error.code) == ("failed", "x")


def test_list_and_retrieve(client: object) -> None:
    """The client pages through the list by itself."""
    made = [client.videos.create(**SMALL | {"prompt": f"{n} [sandbox: fail=x]"}).id for n in range(5)]
    assert {video.id for video in client.videos.list(limit=2)} == set(made)
    prompts = [client.videos.retrieve(video_id).prompt for video_id in made]
    assert prompts == [f"{n} [sandbox: fail=x]" for n in range(5)]


def test_remix(client: object) -> None:
    """A new video that names its source."""
    source = client.videos.create(prompt="a paper boat", model="sora-2", seconds="4", size="1280x720")
    remix = client.videos.remix(source.id, prompt="at night [sandbox: fail=x]")
    assert remix.remixed_from_video_id == source.id
    assert client.videos.retrieve(remix.id).remixed_from_video_id == source.id


def test_models(client: object) -> None:
    """The list of models is read as well."""
    assert "sora-2" in [model.id for model in client.models.list()]


def test_errors_have_their_classes(client: object, gateway: Gateway) -> None:
    """Status, code, parameter and request id arrive where the client keeps them."""
    with pytest.raises(openai.BadRequestError, match="Supported values") as refused:
        client.videos.create(**SMALL | {"seconds": "3"})
    assert (refused.value.code, refused.value.param) == ("invalid_value", "seconds")
    assert refused.value.request_id.startswith("req_")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve("video_1")
    with pytest.raises(openai.InternalServerError) as unknown:
        client.videos.create(**SMALL | {"model": "sora-9"})
    assert (unknown.value.status_code, unknown.value.code) == (503, "model_not_found")
    with pytest.raises(openai.RateLimitError):
        client.videos.create(prompt="x [sandbox: 429=1]")
    with pytest.raises(openai.APIConnectionError):
        client.videos.create(**SMALL | {"prompt": "x [sandbox: lost_answer, fail=x]"})
    with pytest.raises(openai.NotFoundError):
        client.videos.download_content(gateway.made("stuck"))
