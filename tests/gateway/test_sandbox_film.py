"""The sandbox's films, read with the decoders that users have: what they are, what they show, how they are served."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import requests
from PIL import Image

from .test_sandbox_setup import Gateway, films, gateway, gateways, picture, png, reference

__all__ = ["films", "gateway", "gateways"]

WIDE, TALL = (1280, 720), (720, 1280)
LAST = picture(*TALL)[::-1, ::-1].copy()
PATCHES = [(200, 30, 40), (20, 160, 70), (30, 60, 210), (235, 235, 235), (20, 20, 20), (128, 128, 128), (230, 190, 40)]


def patches(width: int, height: int) -> np.ndarray:
    """Stripes of one colour each."""
    return np.repeat(np.repeat(np.array(PATCHES, np.uint8), -(-width // 7), 0)[None, :width], height, 0)


@functools.cache
def shown(data: bytes) -> np.ndarray:
    """Every tenth frame and the last, as BT.709 says that they look: uint8 [F, H, W, 3]."""
    frames = []
    with av.open(io.BytesIO(data)) as container:
        count = container.streams.video[0].frames
        for number, frame in enumerate(container.decode(video=0)):
            if number % 10 == 0 or number == count - 1:
                planes = frame.to_ndarray(format="yuv444p").astype(np.float32)
                y, u, v = (planes[0] - 16) / 219, (planes[1] - 128) / 224, (planes[2] - 128) / 224
                red, blue = y + 1.5748 * v, y + 1.8556 * u
                green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
                frames.append(np.clip(np.stack([red, green, blue], -1) * 255 + 0.5, 0, 255).astype(np.uint8))
    return np.stack(frames)


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """The mean difference of two pictures, 0..255."""
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@dataclass
class Films:
    """Five films: from text, from a reference, from two, a remix of the first and one of the second."""

    text: bytes
    reference: bytes
    two: bytes
    remix: bytes
    remix_reference: bytes


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Films]:
    gateway = Gateway(tmp_path_factory.mktemp("five"), takes_s=0)
    size = {"model": "sora-2", "size": "1280x720"}
    text = gateway.made(**size, prompt="a paper boat at sunset")
    still = gateway.made(**size, files=[reference(png(patches(*WIDE)))])
    both = [reference(png(picture(*TALL))), reference(png(LAST), name="last.png")]
    two = gateway.made(model="veo3.1", size="720x1280", files=both)
    remixes = [
        gateway.call("POST", f"/v1/videos/{source}/remix", json={"prompt": "at night"}).json()["id"]
        for source in (text, still)
    ]
    yield Films(*(gateway.content(video_id).content for video_id in (text, still, two, *remixes)))
    gateway.close()


# -- what they are ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size"), [("text", WIDE), ("reference", WIDE), ("two", TALL), ("remix", WIDE), ("remix_reference", WIDE)]
)
def test_the_stream(five: Films, name: str, size: tuple[int, int]) -> None:
    """H.264 of the asked size, 30 frames a second and no one more or less, tagged as BT.709 in limited range."""
    with av.open(io.BytesIO(getattr(five, name))) as container:
        video = container.streams.video[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt, video.frames) == ("h264", "yuv420p", 120)
        assert (context.width, context.height, video.average_rate) == (*size, 30)
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tuple(map(int, tags)) == (1, 1, 1, 1)
        times = [frame.pts * frame.time_base for frame in container.decode(video)]
        assert len(times) == 120
        assert all(after - before == times[1] for before, after in itertools.pairwise(times))


@pytest.mark.parametrize("name", ["text", "two", "remix"])
def test_the_sound(five: Films, name: str) -> None:
    """AAC in stereo, as long as the pictures to within one frame of it; soft, and neither silent nor clipped."""
    with av.open(io.BytesIO(getattr(five, name))) as container:
        audio = container.streams.audio[0]
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 48000, 2)
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio)], axis=1)
    assert abs(samples.shape[1] - 4 * 48000) <= 1024
    assert 0.01 < np.sqrt((samples**2).mean()) < 0.3
    assert np.abs(samples).max() < 0.9


def test_opencv_reads_it(five: Films, tmp_path: Path) -> None:
    """The reader that most nodes use finds size, rate and number."""
    import cv2

    (tmp_path / "film.mp4").write_bytes(five.text)
    video = cv2.VideoCapture(str(tmp_path / "film.mp4"))
    properties = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT)
    found = [video.get(one) for one in properties]
    video.release()
    assert found == [1280, 720, 30, 120]


def test_it_can_be_played_while_it_arrives(five: Films) -> None:
    """The index comes before the pictures."""
    assert 0 < five.text.find(b"moov") < five.text.find(b"mdat")


# -- what they show ---------------------------------------------------------------------------------------------------


def test_the_reference_is_the_first_frame(five: Films) -> None:
    """As it came, without a word on it; then the camera moves and the words appear."""
    frames = shown(five.two)
    assert apart(frames[0], picture(*TALL)) < 2
    assert apart(frames[3], picture(*TALL)) > 3


def test_the_last_reference_is_the_last_frame(five: Films) -> None:
    """Models that take two films end on the second, without a word on it."""
    assert apart(shown(five.two)[-1], LAST) < 2


def test_colours_come_back(five: Films) -> None:
    """Every stripe within three steps of 255, read as the tags say."""
    first = shown(five.reference)[0]
    for number, colour in enumerate(PATCHES):
        left = number * -(-1280 // 7)
        inner = first[100:500, left + 30 : left + 130].reshape(-1, 3).astype(float)
        assert np.abs(inner.mean(0) - colour).max() < 3, colour


@pytest.mark.parametrize("name", ["text", "reference", "two", "remix"])
def test_the_pictures_move(five: Films, name: str) -> None:
    """No two of the looked-at frames are alike, and none is empty."""
    frames = shown(getattr(five, name))
    assert all(apart(before, after) > 0.3 for before, after in itertools.pairwise(frames))
    assert frames.reshape(len(frames), -1).std(1).min() > 10


@pytest.mark.parametrize(("parent", "remix"), [("text", "remix"), ("reference", "remix_reference")])
def test_a_remix_keeps_the_picture(five: Films, parent: str, remix: str) -> None:
    """It differs from its parent everywhere after the start, and is the same place: its outlines are the parent's."""
    before, after = shown(getattr(five, parent))[6], shown(getattr(five, remix))[6]
    assert apart(before, after) > 8
    lower = slice(480, 570)  # below the bands of light, above the words
    first, second = (frame[lower].mean(-1).ravel() for frame in (before, after))
    assert np.corrcoef(first, second)[0, 1] > 0.9


@pytest.mark.parametrize(
    "prompt",
    ["a" * 20_000, "word " * 3000, "小さな紙の船が机の上を滑る" * 30, "🚣" * 50, "قارب ورقي يبحر", "мгла над рекой",
     "a\x00b\x07\x1b", "\u200b"],
    ids=["one word", "many words", "japanese", "emoji", "arabic", "russian", "control characters", "no width"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(854, 480), (96, 64)])
def test_any_prompt_can_be_written(prompt: str, size: tuple[int, int]) -> None:
    """However long and in whatever script, the words stay inside the picture and away from its edge."""
    from sora_jobs.sandbox.caption import Caption

    width, height = size
    caption = Caption(prompt, width, height)
    grey = np.full((height, width, 3), 90, np.uint8)
    frame = caption.over(grey, 0, 1.0)
    assert frame.shape == grey.shape
    assert (grey == 90).all()
    assert (frame[:, -3:] <= 90).all()
    assert (frame[0] == 90).all()


def test_odd_prompts_make_films(gateways: object, tmp_path: Path) -> None:
    """NUL, emoji and right-to-left text survive the whole way; the object tells them as they came."""
    gateway = gateways(folder=tmp_path / "odd", takes_s=0)
    prompt = "a\x00b 🚣 قارب"
    video_id = gateway.call("POST", "/v1/videos", json={"prompt": prompt, "model": "seedance-2-5", "seconds": "4",
                                                        "size": "854x480"}).json()["id"]  # fmt: skip
    assert gateway.look(video_id)["prompt"] == prompt
    assert gateway.content(video_id).content[4:8] == b"ftyp"


def test_the_same_request_gives_the_same_bytes(gateways: object, gateway: Gateway, tmp_path: Path) -> None:
    """In another folder, on another day; another prompt gives another film."""
    elsewhere = gateways(folder=tmp_path / "elsewhere", takes_s=0)
    elsewhere.clock.now += 86_400
    again = elsewhere.content(elsewhere.made())
    before = gateway.content(gateway.finished())
    assert again.content == before.content
    assert again.headers["ETag"] == before.headers["ETag"]


def test_asked_for_once_more_it_is_another_film(gateways: object, tmp_path: Path) -> None:
    """As with a real model: the wire has no seed, so takes are how the same is tried again. Each keeps its own film."""
    ids, films = [], []
    for _ in range(2):  # a restart in between
        gateway = gateways(folder=tmp_path / "takes", takes_s=0)
        ids.append(gateway.made())
        films.append(gateway.content(ids[-1]).content)
        gateway.close()
    assert films[0] != films[1]
    for file in (tmp_path / "takes" / "renders").iterdir():
        file.unlink()
    gateway = gateways(folder=tmp_path / "takes", takes_s=0)
    assert [gateway.content(one).content for one in ids] == films


def test_models_do_not_share_films(gateways: object, tmp_path: Path) -> None:
    """The same words at another model are another film, whichever was asked for first."""
    gateway = gateways(folder=tmp_path / "models", takes_s=0)
    asked = {"prompt": "x", "seconds": "4", "size": "1280x720"}
    jobs = [gateway.sandbox.routes.jobs.find(gateway.made(model=model, **asked)) for model in ("sora-2", "sora-2-pro")]
    paths = {gateway.sandbox.routes.jobs.renders.path_of(job) for job in jobs}
    assert len(paths) == 2


# -- how they are served ----------------------------------------------------------------------------------------------


def test_the_headers(gateway: Gateway) -> None:
    """An MP4 of a known length, whose parts may be asked for."""
    answer = gateway.content(gateway.finished())
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-100", slice(-100, None)),
        ("bytes=100-999999999", slice(100, None)),
    ],
)
def test_a_range(gateway: Gateway, asked: str, part: slice) -> None:
    """206 with just these bytes, and where they lie."""
    video_id = gateway.finished()
    whole = gateway.content(video_id).content
    answer = gateway.content(video_id, headers={"Range": asked})
    start, end, _ = part.indices(len(whole))
    assert (answer.status_code, answer.content == whole[part]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5"])
def test_a_range_that_cannot_be_read_is_none(gateway: Gateway, asked: str) -> None:
    """The whole file, as the standard says."""
    answer = gateway.content(gateway.finished(), headers={"Range": asked})
    assert (answer.status_code, answer.content[4:8]) == (200, b"ftyp")


def test_a_range_behind_the_end(gateway: Gateway) -> None:
    """416, with the length."""
    video_id = gateway.finished()
    length = len(gateway.content(video_id).content)
    for asked in (f"bytes={length}-", "bytes=-0", "bytes=9-5"):
        answer = gateway.content(video_id, headers={"Range": asked})
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{length}")


def test_if_range(gateway: Gateway) -> None:
    """The part only if it is still the same file."""
    video_id = gateway.finished()
    etag = gateway.content(video_id).headers["ETag"]
    for value, status in ((etag, 206), ('"another"', 200)):
        answer = gateway.content(video_id, headers={"Range": "bytes=4-7", "If-Range": value})
        assert answer.status_code == status


def test_a_crowd_at_the_door(gateways: object, tmp_path: Path) -> None:
    """Downloads that come while it is being rendered wait for it; it is rendered once and all get the same."""
    gateway = gateways(folder=tmp_path / "crowd", takes_s=0)
    video_id = gateway.made()

    def download(_: int) -> bytes:
        with requests.get(f"{gateway.url}/v1/videos/{video_id}/content", timeout=20,
                          headers={"Authorization": "Bearer any"}) as answer:  # fmt: skip
            return answer.content

    with ThreadPoolExecutor(6) as pool:
        films = set(pool.map(download, range(6)))
    assert len(films) == 1
    assert films.pop()[4:8] == b"ftyp"
    assert len(list((gateway.folder / "renders").iterdir())) == 1


@pytest.mark.parametrize(
    ("variant", "kind", "size"), [("thumbnail", "WEBP", (854, 480)), ("spritesheet", "JPEG", (1280, 537))]
)
def test_pictures_of_it(gateway: Gateway, variant: str, kind: str, size: tuple[int, int]) -> None:
    """A WebP from its middle, and a JPEG of twelve frames, which differ."""
    answer = gateway.content(gateway.finished(), params={"variant": variant})
    assert answer.headers["Content-Type"] == f"image/{kind.lower()}"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == (kind, size)
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.std() > 10
    if variant == "spritesheet":
        assert apart(pixels[:179, :320], pixels[-179:, -320:]) > 1
