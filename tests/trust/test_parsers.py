"""What is read was written by others: too deep, too large, or made to swell."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sora_jobs.config.extra_fields import REFUSED, check_fields
from sora_jobs.config.providers import Provider, check_file, load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.delivery.receipts import origin_of
from sora_jobs.errors import GatewayError, InvalidInputError, MediaError, SoraError
from sora_jobs.gateway.calls import LARGEST_ANSWER
from sora_jobs.gateway.client import Client
from sora_jobs.gateway.error_body import Response, read_complaint
from sora_jobs.gateway.responses import read_created, read_status
from sora_jobs.gateway.video_object import read_video
from sora_jobs.jobs.spec import VideoRequest, parse_extra_fields
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.media.delivered import examine_delivered
from sora_jobs.media.reference import from_bytes
from sora_jobs.models.catalogue import Catalogue
from sora_jobs.models.refresh import LiveCatalogue
from sora_jobs.util import bounded_read
from sora_jobs.util.bounded_read import read_json, read_text, read_toml

from ..failures import failing
from ..gateway.ugly import UglyServer, answer
from ..media.clips import make_clip

DEEP = {
    "lists": "[" * 100_000 + "]" * 100_000,
    "tables": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "not quite": '{"data":' * 500 + '{"id": "video_1", "status": "queued"}' + "}" * 500,
    "within": json.dumps({"message": '{"error":' * 100_000 + "1" + "}" * 100_000}),
    "number": '{"progress": ' + "9" * 100_000 + "}",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_deep_answer_is_none(text: str) -> None:
    """Whoever reads it gets an error of ours, or nothing; at once."""
    begun = time.monotonic()
    given = Response(200, {}, text.encode())
    assert read_video(given) is None
    read_complaint(given)
    with pytest.raises(GatewayError):
        read_status(given, "video_1")
    with failing(InvalidInputError, "invalid_extra_fields"):
        parse_extra_fields(text)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("depth", [50, 300, 600, 900, 5000])
def test_json_inside_a_text_is_no_deeper(depth: int) -> None:
    """A create's answer, above all: whatever it holds, it is an error of ours."""
    inner = json.dumps({"detail": 1}).replace("1", "[" * depth + "]" * depth)
    for body in ({"message": inner}, {"error": {"message": inner}}, {"error": inner}):
        with pytest.raises(SoraError):
            read_created(Response(200, {}, json.dumps(body).encode()))


def test_depth_is_measured_and_not_guessed() -> None:
    good, bad = (
        "[" * bounded_read.DEEPEST + "]" * bounded_read.DEEPEST,
        "[" * (bounded_read.DEEPEST + 1) + "]" * (bounded_read.DEEPEST + 1),
    )
    assert read_json(good)
    with pytest.raises(ValueError, match="too deep"):
        read_json(bad)


def test_a_large_answer_is_broken_off() -> None:
    with UglyServer([answer(200, {"id": "video_1", "filler": "x" * LARGEST_ANSWER})]) as gateway:
        client = Client(Provider(name="x", base_url=gateway.url, timeout_s=5), "sk-key-12345")
        with failing(GatewayError, "network", "too long"):
            client.retrieve("video_1")
        client.close()


@pytest.mark.parametrize("text", ["[" * 50_000, json.dumps({"data": [{"id": "x", "endpoints": "y"}] * 3}), "9" * 9999])
def test_a_list_of_models_changes_nothing_that_it_must_not(tmp_path: Path, text: str) -> None:
    """Also the kept one."""
    models = LiveCatalogue(tmp_path)
    shipped = list(models.now().models)
    with UglyServer([answer(200, text.encode())]) as gateway, pytest.raises(GatewayError):
        models.refresh(Provider(name="cometapi", base_url=gateway.url, timeout_s=5))
    models.file.write_text(text, encoding="utf-8")
    assert list(models.now().models) == shipped


def test_a_list_of_models_brings_no_address(tmp_path: Path) -> None:
    """Whatever addresses stand in it are asked for by nobody, and no base URL is taken from it."""
    row = {
        "id": "sora-9",
        "features": ["text-to-video"],
        "base_url": "https://evil.example",
        "api_doc_url": "https://e",
    }
    row["endpoints"] = {"x": "https://evil.example/v1/videos", "y": "/v1/videos"}
    models = LiveCatalogue(tmp_path)
    with UglyServer([answer(200, {"data": [row], "next": "https://evil.example/2"})]) as gateway:
        assert "sora-9" in models.refresh(Provider(name="cometapi", base_url=gateway.url, timeout_s=5)).added
        assert len(gateway.requests) == 1
    assert "evil" not in json.dumps(models.now().rows()) + models.file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 50_000, "x" * (2 << 20), "a = 9" + "9" * 9999, "\udc80", "a.b" * 3, "\0"], ids=range(6)
)
def test_files_of_the_owner_are_read_within_limits(tmp_path: Path, text: str) -> None:
    """TOML that is too deep or too large, and bytes that are none: told by name, and nothing else fails."""
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    for name in ("settings.toml", "providers.toml", "page.json"):
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert any("settings.toml" in fault.message for fault in settings.read().faults())
    assert any("providers.toml" in fault.message for fault in check_file(settings.read()))
    assert settings.read().page == {}
    with pytest.raises(ValueError, match=r"."):
        read_toml(tmp_path / "settings.toml")


def test_a_key_file_is_not_read_without_end(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "cometapi"
    file.parent.mkdir()
    file.write_text("x" * 100_000, encoding="utf-8")
    file.chmod(0o600)
    with failing(InvalidInputError, "key_file_unreadable", file):
        load_provider(Settings(home=tmp_path, output=tmp_path, env={}).read(), "cometapi").key({})
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_text(file, 10)


@pytest.mark.parametrize("text", ["[" * 100_000, "x" * (2 << 20), '{"sha256": ["a"]}'])
def test_a_receipt_of_a_stranger_is_none(tmp_path: Path, text: str) -> None:
    """It lies beside a video that somebody sent."""
    (tmp_path / "v.mp4").write_bytes(b"video")
    (tmp_path / "v.json").write_text(text, encoding="utf-8")
    with (
        contextlib.closing(Ledger(tmp_path)) as ledger,
        failing(InvalidInputError, "unknown_file", tmp_path / "v.mp4"),
    ):
        origin_of(tmp_path / "v.mp4", ledger)


def check_new_model(fields: dict[str, Any]) -> None:
    spec = VideoRequest(
        provider="x", prompt="see https://x", model="m", seconds="4", size="1280x720", extra_fields=fields
    )  # fmt: skip
    check_fields(spec, Catalogue.shipped().fields("m"), (), Path("providers.toml"))


@pytest.mark.parametrize(
    "fields",
    [
        {"image_url": "https://evil.example/x"}, {"anything": "https://evil.example"}, {"a": "//evil.example/x"},
        {"url": "evil.example"}, {"callback": "evil.example"}, {"webhook_id": "1"}, {"notify_hook": "x"},
        {"metadata[callbackUrl]": "x"}, {"api_endpoint": "x"}, {"base_uri": "x"}, {"image_url2": "x"}, {"URL": "x"},
        {"imageUrlList": "x"}, {"imageurls": "x"}, {"extra_body": '{"video_path": "/etc/passwd"}'},
        *({"negative_prompt": value} for value in (
            " HTTP://evil", "file:///etc/passwd", "data:image/png;base64,AAAA", "\\\\evil\\x", "see ftp://evil",
            "https:evil.example/x", "http:\\\\evil.example", "s3:bucket/x", "//evil.example/x",
        )),
        *({"style": value} for value in ("https://evil.example", "//evil.example/x", "s3:bucket", "www.evil.example")),
    ],
)  # fmt: skip
def test_no_address_comes_in_extra_fields(fields: dict[str, str]) -> None:
    """A stranger's workflow would have the gateway fetch from there, or send the video there."""
    with pytest.raises(InvalidInputError) as caught:
        check_new_model(fields)
    assert caught.value.code == REFUSED


@pytest.mark.parametrize(
    "fields",
    [
        {"frame_interpolation_model_path": "evil/repo"}, {"upscaling_model_path": "evil/repo"}, {"lora": "evil"},
        {"lora": "evil/repo"}, {"video_path": "/etc/passwd"}, {"output_path": "/srv/www"}, {"perf_dump_path": "/tmp/x"},
        {"generator_device": "cpu"}, {"user": "1"}, {"style": "evil/repo"}, {"style": "../../etc"}, {"mode": "a\\b"},
    ],
)  # fmt: skip
def test_no_workflow_opens_a_file_or_loads_a_model_at_the_provider(fields: dict[str, str]) -> None:
    """vLLM-Omni unpickles what such a repository holds; SGLang reads and writes such files."""
    with pytest.raises(InvalidInputError) as caught:
        check_new_model(fields)
    assert caught.value.code == REFUSED


@pytest.mark.parametrize(
    "fields",
    [
        {"resolution": "720p"}, {"aspect_ratio": "16:9"}, {"style": "natural"}, {"seed": 2}, {"watermark": "true"},
        {"negative_prompt": "a 16:9 curl, natural and/or blurred"},
    ],
)  # fmt: skip
def test_ordinary_extra_fields_pass(fields: dict[str, str | int]) -> None:
    check_new_model(fields)


# -- pictures and films -----------------------------------------------------------------------------------------------


def png(width: int, height: int, *chunks: tuple[bytes, bytes], data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    parts = [chunk(kind, content) for kind, content in chunks]
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(parts) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMBS: dict[str, Callable[[], bytes]] = {
    "pixels": lambda: png(60_000, 60_000, data=zlib.compress(bytes(1 << 20))),
    "overflow": lambda: png(2**31 - 1, 2**31 - 1),
    "text": lambda: png(
        1, 1, (b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20), 1)), data=zlib.compress(b"\0\0\0\0")
    ),
    "profile": lambda: png(1, 1, (b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20), 1))),
    "not a picture": lambda: b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000,
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_picture_that_swells_is_refused(kind: str) -> None:
    """In words, and before memory is taken for it."""
    data = BOMBS[kind]()
    tracemalloc.start()
    with pytest.raises(InvalidInputError) as caught:
        from_bytes(data, "the picture", ("PNG", "JPEG", "WEBP"))
    assert caught.value.code in ("image_too_large", "unreadable_image")
    assert tracemalloc.get_traced_memory()[1] < 80 << 20
    tracemalloc.stop()


def test_nothing_of_a_pictures_text_counts() -> None:
    """Only its pixels are used: what a workflow hides in there goes nowhere."""
    text = (b"tEXt", b"prompt\0{}")
    pixels = from_bytes(png(1, 1, text, data=zlib.compress(b"\0\x01\x02\x03")), "x", ("PNG",))
    assert np.array_equal(pixels, [[[1, 2, 3]]])
    with failing(InvalidInputError, "unreadable_image"):
        from_bytes(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n").getvalue(), "x", ("PNG", "JPEG", "WEBP"))


def swollen(film: bytes, size: int, count: int) -> bytes:
    """The film with an index that declares `count` frames of `size` bytes without listing them."""
    data = bytearray(film)
    at = data.index(b"stsz")
    data[at + 8 : at + 16] = struct.pack(">II", size, count)
    at = data.index(b"stts")
    data[at + 12 : at + 16] = struct.pack(">I", count)
    at = data.index(b"stsc")
    data[at + 16 : at + 20] = struct.pack(">I", count)
    return bytes(data)


@pytest.mark.parametrize("count", [50_000_000, 2**32 - 1])
def test_a_film_that_declares_millions_of_frames_is_refused(tmp_path: Path, count: int) -> None:
    """FFmpeg would take gigabytes for an index of a few bytes."""
    film = make_clip(tmp_path / "c.mp4").read_bytes()
    for name, data in {
        "index": swollen(film, 1, count),
        "fragment": film + b"\0\0\0\x24moof\0\0\0\x1ctraf\0\0\0\x14trun\0\0\0\0" + struct.pack(">I", count) + b"\0" * 4,
        "packed": film + b"\0\0\0\x18moov\0\0\0\x10cmov" + b"\0" * 8,
    }.items():
        (tmp_path / "b.mp4").write_bytes(data)
        begun = time.monotonic()
        with failing(MediaError, "too_many_frames", "b.mp4"):
            examine_delivered(tmp_path / "b.mp4")
        assert time.monotonic() - begun < 1, name


def test_words_that_look_like_an_index_are_words(tmp_path: Path) -> None:
    """A prompt in the metadata may speak of an elephant's trunk."""
    film = make_clip(tmp_path / "c.mp4").read_bytes()
    words = b"an elephant's trunk, truncated; stsz" + b"\xff" * 20
    (tmp_path / "b.mp4").write_bytes(film + struct.pack(">I", 8 + len(words)) + b"udta" + words)
    assert examine_delivered(tmp_path / "b.mp4").frames == examine_delivered(tmp_path / "c.mp4").frames


def test_a_film_of_nothing_but_boxes_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sora_jobs.media.container.MOST_BOXES", 1000)
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x08free" * 5000)
    with failing(MediaError, "index_missing", "b.mp4"):
        examine_delivered(tmp_path / "b.mp4")
    monkeypatch.setattr("sora_jobs.media.container.LARGEST_INDEX", 4000)
    with failing(MediaError, "too_many_frames", "b.mp4"):
        examine_delivered(tmp_path / "b.mp4")
