"""A download that breaks, lies or lapses: never half a file under the final name, and what arrived is not lost."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from sora_jobs.config.providers import Provider
from sora_jobs.config.timing import Timing
from sora_jobs.delivery.download import download
from sora_jobs.delivery.partial_file import PartialDownload
from sora_jobs.errors import GatewayError, MediaError, NotOfferedError, StorageError, TruncatedVideoError
from sora_jobs.gateway.client import Client
from sora_jobs.media.delivered import Delivered
from sora_jobs.util.atomic_write import locked

from ..failures import failing
from .ugly import Script, UglyServer, answer, hang_up

BYTES = bytes(range(256)) * 4096  # 1 MiB, in which every cut shows
OTHER = BYTES[::-1]  # another version of the same video
ETAG = ("ETag", '"one"')


def part(start: int, etag: tuple[str, str] = ETAG, total: int = len(BYTES)) -> bytes:
    return answer(206, BYTES[start:], [("Content-Range", f"bytes {start}-{len(BYTES) - 1}/{total}"), etag])


def cut(at: int) -> bytes:
    return answer(200, BYTES[:at], [ETAG], length=len(BYTES))


def is_whole(path: Path) -> Delivered:
    if hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(BYTES).digest():
        raise MediaError("these are not the bytes")
    return Delivered(suffix=".mp4")


def is_not_cut(path: Path) -> Delivered:
    """As a video is that holds less than its header says, and still plays."""
    return Delivered(suffix=".mp4", is_complete=path.stat().st_size == len(BYTES))


def unmeasured(data: bytes) -> bytes:
    """An answer that ends where the connection ends, and does not say how long it should be."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n" + data


class Fetched:
    """One download from one scripted server."""

    def __init__(
        self, folder: Path, *answers: Script, check: Callable[[Path], Delivered] = is_whole, **more: Any
    ) -> None:
        self.target = folder / "output" / "v.mp4"
        self.progress: list[tuple[int, int | None]] = []
        with UglyServer(list(answers)) as self.server:
            client = Client(Provider(name="x", base_url=self.server.url, timeout_s=5), "sk-key")

            def open_stream(headers: Mapping[str, str]) -> requests.Response:
                return client.content("v", headers)

            def progress(done: int, total: int | None) -> None:
                self.progress.append((done, total))

            try:
                self.result = download(open_stream, self.target, check=check, progress=progress, **more)
            finally:
                client.close()
                self.left = (
                    {path.name for path in self.target.parent.iterdir()} if self.target.parent.exists() else set()
                )

    def asked(self, turn: int) -> dict[str, str]:
        return self.server.requests[turn].headers


def test_a_whole_file_gets_the_final_name(tmp_path: Path) -> None:
    """Size and hash come with it, and nothing else is left beside it."""
    fetched = Fetched(tmp_path, answer(200, BYTES, [ETAG]))
    assert fetched.result.size == len(BYTES)
    assert fetched.result.sha256 == hashlib.sha256(BYTES).hexdigest()
    assert fetched.left == {"v.mp4"}


@pytest.mark.parametrize("at", [1, 500_000, len(BYTES) - 1])
def test_a_cut_download_goes_on_where_it_was_cut(tmp_path: Path, at: int) -> None:
    """With Range and If-Range, so that only the same file is continued."""
    fetched = Fetched(tmp_path, cut(at), part(at))
    assert fetched.left == {"v.mp4"}
    assert fetched.asked(1)["range"] == f"bytes={at}-"
    assert fetched.asked(1)["if-range"] == '"one"'


def test_a_server_that_ignores_range_starts_anew(tmp_path: Path) -> None:
    """A 200 is the whole file, whatever was asked for."""
    assert Fetched(tmp_path, cut(1000), answer(200, BYTES, [ETAG])).result.size == len(BYTES)


def test_a_part_at_the_wrong_place_is_not_appended(tmp_path: Path) -> None:
    """Only 206 at exactly our offset is continued; else the download starts anew."""
    fetched = Fetched(tmp_path, cut(1000), part(999), answer(200, BYTES, [ETAG]))
    assert fetched.result.size == len(BYTES)
    assert "range" not in fetched.asked(2)


def test_what_goes_on_where_another_process_stopped(tmp_path: Path) -> None:
    """The very next byte, of the version that is here or of one that does not say; from the first byte of any."""
    part = PartialDownload(tmp_path / "x.part", '"one"')
    assert part.goes_on(0, '"other"')
    assert not part.goes_on(1, '"one"')
    part.path.write_bytes(b"12345")
    assert [part.goes_on(5, validator) for validator in ('"one"', "", '"other"')] == [True, True, False]
    assert not part.goes_on(0, '"one"')
    part.path.write_bytes(b"1")
    assert not part.goes_on(1, '"other"')


def test_a_part_of_another_version_is_not_appended(tmp_path: Path) -> None:
    """Some servers send it, whatever If-Range says; its ETag tells."""
    other = answer(206, OTHER[1000:], [("Content-Range", f"bytes 1000-{len(OTHER) - 1}/{len(OTHER)}"), ("ETag", '"2"')])
    fetched = Fetched(tmp_path, cut(1000), other, answer(200, BYTES, [ETAG]))
    assert fetched.result.size == len(BYTES)
    assert "range" not in fetched.asked(2)


@pytest.mark.parametrize("step", range(7))
def test_killed_while_another_version_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """At whatever step: the note beside the part is never that of other bytes, which would be sewn together."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "v.part").write_bytes(BYTES[:1000])
    (folder / "v.etag").write_text('"one"', encoding="utf-8")
    steps = iter(range(1000))
    for owner, name in ((Path, "unlink"), (Path, "replace"), (Path, "open"), (os, "open"), (os, "fsync")):
        real = getattr(owner, name)

        def counted(*given: object, real: Callable[..., object] = real, **named: object) -> object:
            ours = isinstance(given[0], int) or Path(str(given[0])).suffix in (".part", ".etag")
            changes = ours and "rb" not in given
            if changes and next(steps) >= step:
                raise KeyboardInterrupt
            return real(*given, **named)

        monkeypatch.setattr(owner, name, counted)
    with pytest.raises(KeyboardInterrupt):
        Fetched(tmp_path, answer(200, OTHER[:2000], [("ETag", '"two"')], length=len(OTHER)))
    monkeypatch.undo()
    left = PartialDownload(folder / "v.part")
    left.load()
    data = left.path.read_bytes() if left.path.exists() else b""
    assert data == {'"one"': BYTES, '"two"': OTHER, "": data}[left.validator][: len(data)]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_continued(tmp_path: Path, etag: str) -> None:
    """Two files could be sewn together otherwise."""
    headers = [("ETag", etag)] if etag else []
    fetched = Fetched(tmp_path, answer(200, BYTES[:1000], headers, length=len(BYTES)), answer(200, BYTES))
    assert "range" not in fetched.asked(1)
    assert fetched.result.size == len(BYTES)


def test_a_range_that_cannot_be_had_starts_anew(tmp_path: Path) -> None:
    """416: what we have does not fit the file."""
    assert Fetched(tmp_path, cut(1000), answer(416), answer(200, BYTES, [ETAG])).result.size == len(BYTES)


def test_a_download_that_always_breaks_is_given_up_and_kept(tmp_path: Path) -> None:
    """The part stays for the next run, which continues it."""
    with failing(GatewayError, "connection_lost", "3 times"):
        Fetched(
            tmp_path, cut(1000), answer(206, b"", [("Content-Range", "bytes 1000-1048575/1048576"), ETAG], length=9)
        )
    assert (tmp_path / "output" / "v.part").stat().st_size == 1000
    fetched = Fetched(tmp_path, part(1000))
    assert fetched.asked(0)["range"] == "bytes=1000-"
    assert fetched.left == {"v.mp4"}


def test_a_line_that_breaks_without_an_etag_is_given_up(tmp_path: Path) -> None:
    """Each connection starts anew, so one that comes further than the last but not further than the longest brings
    nothing: it is not opened again and again without a pause."""
    lengths = iter([5000, 1000, 2000, 3000, 4000, 4500])
    opened = []

    def breaking(connection: socket.socket) -> None:
        opened.append(next(lengths))
        connection.sendall(answer(200, BYTES[: opened[-1]], length=len(BYTES)))

    with failing(GatewayError, "connection_lost", "3 times"):
        Fetched(tmp_path, breaking)
    assert opened == [5000, 1000, 2000, 3000]


@pytest.mark.parametrize("script", [unmeasured(BYTES[:70_000]), answer(200, BYTES[:70_000])])
def test_a_video_that_ends_too_early_is_refused(tmp_path: Path, script: bytes) -> None:
    """It plays, but holds less than it says: cut off by the line, or by a proxy that measured what it had cut."""
    with failing(TruncatedVideoError, "video_truncated") as caught:
        Fetched(tmp_path, script, check=is_not_cut)
    assert caught.value.hint == "Run again in a while."
    assert list((tmp_path / "output").iterdir()) == []
    taken = Fetched(tmp_path, script, check=is_not_cut, accept_cut=True)
    assert (taken.result.size, taken.result.whole) == (70_000, False)
    assert Fetched(tmp_path, answer(200, BYTES), check=is_not_cut, anew=True).result.size == len(BYTES)


@pytest.mark.parametrize("note", [b"\0" * 8, b'"\xff"', b'"a"\n', b'W/"a"', '"\u2713"'.encode(), b'"a'])
def test_a_damaged_note_beside_the_part_is_no_validator(tmp_path: Path, note: bytes) -> None:
    """A power cut may leave anything in it: then the download begins anew, instead of failing for ever."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "v.part").write_bytes(BYTES[:1000])
    (tmp_path / "output" / "v.etag").write_bytes(note)
    fetched = Fetched(tmp_path, answer(200, BYTES))
    assert "range" not in fetched.asked(0)
    assert fetched.left == {"v.mp4"}


def test_the_progress_knows_the_whole_where_the_server_tells_it(tmp_path: Path) -> None:
    """By the length of an answer, by the range of its rest, or not at all."""
    size = len(BYTES)
    assert Fetched(tmp_path / "a", answer(200, BYTES)).progress[-1] == (size, size)
    assert Fetched(tmp_path / "b", unmeasured(BYTES)).progress[-1] == (size, None)
    rest = answer(206, BYTES[1000:], [("Content-Range", f"bytes 1000-{size - 1}/{size}"), ETAG])
    assert Fetched(tmp_path / "c", cut(1000), rest).progress[-1] == (size, size)
    rest = answer(206, BYTES[1000:], [("Content-Range", f"bytes 1000-{size - 1}/*"), ETAG])
    assert Fetched(tmp_path / "d", cut(1000), rest).progress[-1] == (size, None)


def test_a_rest_that_does_not_say_where_it_begins_is_not_appended(tmp_path: Path) -> None:
    """Nor one whose range cannot be read: the download begins anew."""
    for number, headers in enumerate(([ETAG], [("Content-Range", "bytes one-two/three"), ETAG])):
        bad = answer(206, BYTES[1000:], headers)
        assert Fetched(tmp_path / str(number), cut(1000), bad, answer(200, BYTES, [ETAG])).result.size == len(BYTES)


def test_a_download_that_does_not_end_is_broken_off(tmp_path: Path) -> None:
    """It would fill the disk; asked again it would not end either."""
    with failing(GatewayError, "too_large") as caught:
        Fetched(tmp_path, unmeasured(BYTES), largest=len(BYTES) - 1)
    assert caught.value.transient is False
    assert "v.mp4" not in {path.name for path in (tmp_path / "output").iterdir()}
    assert Fetched(tmp_path / "new" / "folders", answer(200, BYTES), largest=len(BYTES)).result.whole


def test_a_line_that_brings_nothing_is_tried_three_times(tmp_path: Path) -> None:
    """And the error says how it broke."""
    opened = []

    def silent(connection: socket.socket) -> None:
        opened.append(1)
        connection.sendall(answer(200, b"", length=9))

    with failing(GatewayError, "connection_lost", "3 times", "0 bytes read, 9 more expected") as caught:
        Fetched(tmp_path, silent)
    assert len(opened) == 3
    assert caught.value.hint == "What arrived is kept; run again."


@pytest.mark.parametrize("body", [b'{"error": {"message": "expired"}}', b"<html>", b"", b"[1]"])
def test_something_else_with_200_never_gets_the_name(tmp_path: Path, body: bytes) -> None:
    """JSON, HTML or nothing instead of a video is the gateway's trouble, and leaves no file."""
    with failing(NotOfferedError, "not_a_video") as caught:
        Fetched(tmp_path, answer(200, body))
    assert caught.value.hint == "Run again in a while."
    assert [path.name for path in (tmp_path / "output").iterdir()] == []


def test_something_else_with_200_costs_nothing_that_arrived(tmp_path: Path) -> None:
    """A page that says that the gateway is being serviced comes in the middle: the rest is fetched after it."""
    page = answer(200, b"\xef\xbb\xbf\n<!doctype html>", [("Content-Type", "text/html; charset=utf-8")])
    with failing(NotOfferedError, "not_a_video", "(text/html)"):
        Fetched(tmp_path, cut(1000), page)
    assert Fetched(tmp_path, part(1000)).asked(0)["range"] == "bytes=1000-"


def test_a_video_is_one_whatever_the_server_calls_it(tmp_path: Path) -> None:
    """Some call everything text that has no name."""
    assert Fetched(tmp_path, answer(200, BYTES, [("Content-Type", "text/plain")])).left == {"v.mp4"}


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_refused_download_is_told(tmp_path: Path, status: int) -> None:
    """The status comes with the error, since what to do depends on it."""
    with pytest.raises(GatewayError) as caught:
        Fetched(tmp_path, answer(status, {"error": {"message": "gone"}}))
    assert caught.value.http_status == status


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405])
def test_an_address_that_says_no_has_lapsed(tmp_path: Path, status: int) -> None:
    """Neither the key nor the balance nor the base URL is to blame: storage knows none of them."""
    refused = answer(status, b"<Error><Code>AccessDenied</Code></Error>")
    with UglyServer([refused]) as storage, failing(NotOfferedError, "", "the address that it gave") as caught:
        Fetched(tmp_path, answer(302, b"", [("Location", f"{storage.url}/signed?sig=1")]))
    assert caught.value.http_status == status
    assert not any(word in str(caught.value) for word in ("key", "account", "base URL"))


def test_an_address_that_is_busy_has_not_lapsed(tmp_path: Path) -> None:
    """It is waited for, like any outage."""
    with UglyServer([answer(503, b"slow down")]) as storage, pytest.raises(GatewayError) as caught:
        Fetched(tmp_path, answer(302, b"", [("Location", f"{storage.url}/signed?sig=1")]))
    assert (type(caught.value), caught.value.http_status) == (GatewayError, 503)


def test_a_connection_that_is_never_answered_is_trouble(tmp_path: Path) -> None:
    """No answer at all is the network's trouble: run again."""
    with failing(GatewayError, "network", "could not be downloaded"):
        Fetched(tmp_path, hang_up)


def test_a_redirect_to_another_host_goes_without_the_key(tmp_path: Path) -> None:
    """Signed addresses refuse a second authorization, and nobody else may have our key."""
    with UglyServer([answer(200, BYTES)]) as storage:
        Fetched(tmp_path, answer(302, b"", [("Location", f"{storage.url}/signed?sig=1")]))
    (request,) = storage.requests
    assert request.path == "/signed?sig=1"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("location", ["http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_to_what_is_not_https_is_refused(tmp_path: Path, location: str) -> None:
    """Only loopback may be plain http, and only where the gateway itself is on loopback."""
    with failing(NotOfferedError, "url_not_https"):
        Fetched(tmp_path, answer(302, b"", [("Location", location)]))


def test_redirects_have_an_end(tmp_path: Path) -> None:
    """A circle is not followed for ever."""
    with failing(GatewayError, "too_many_redirects"):
        Fetched(tmp_path, answer(302, b"", [("Location", "/v1/videos/v/content")]))


@pytest.mark.skipif(os.name != "posix", reason="needs a full device to write to")
def test_a_full_disk_leaves_the_job_fetchable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part is removed, since the disk needs the room, and the error says that the video waits."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with failing(StorageError, "disk_full", tmp_path / "output", "No space left on device", charge="charged") as caught:
        Fetched(tmp_path, answer(200, BYTES))
    assert caught.value.kind == "disk_full"
    assert "Free disk space" in caught.value.hint
    assert [path.name for path in (tmp_path / "output").iterdir()] == []


def test_another_trouble_with_the_disk_keeps_what_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a full one needs the room."""

    def broken(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with failing(StorageError, "", "Input/output error", charge="charged"):
        Fetched(tmp_path, answer(200, BYTES, [ETAG]))
    assert (tmp_path / "output" / "v.part").stat().st_size == len(BYTES)


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """A crash between the rename and the ledger's note costs no second download."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "v.mp4").write_bytes(BYTES)
    fetched = Fetched(tmp_path, answer(500))
    assert fetched.server.requests == []
    assert fetched.result.size == len(BYTES)


def test_a_file_that_is_there_and_cut_is_told(tmp_path: Path) -> None:
    """The process that took it as the last resort died before it could write that down."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "v.mp4").write_bytes(BYTES[:1000])
    fetched = Fetched(tmp_path, answer(500), check=is_not_cut)
    assert fetched.server.requests == []
    assert not fetched.result.whole


def test_a_file_that_is_there_and_no_video_is_fetched_again(tmp_path: Path) -> None:
    """Whatever spoilt it."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "v.mp4").write_bytes(b"spoilt")
    assert Fetched(tmp_path, answer(200, BYTES)).result.size == len(BYTES)


def left_behind(folder: Path, data: bytes, note: str = "") -> None:
    """What a process left that died."""
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "v.part").write_bytes(data)
    if note:
        (folder / "output" / "v.etag").write_text(note, encoding="utf-8")


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_a_video_that_is_here_already_is_not_asked_for(tmp_path: Path, etag: str) -> None:
    """The process died, or could not rename it, after the last byte: the link may have expired since."""
    left_behind(tmp_path, BYTES, json.dumps({"etag": etag, "total": len(BYTES)}))
    fetched = Fetched(tmp_path, answer(410))
    assert fetched.server.requests == []
    assert (fetched.result.size, fetched.left) == (len(BYTES), {"v.mp4"})


def test_a_video_that_is_here_already_is_synced_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that wrote it may have failed just there: as long as the disk does, it is not stored."""
    left_behind(tmp_path, BYTES, json.dumps({"etag": '"one"', "total": len(BYTES)}))

    def broken(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # not a folder, which is synced after the renaming
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with failing(StorageError, "", "Input/output error", charge="charged"):
        Fetched(tmp_path, answer(410))
    assert not (tmp_path / "output" / "v.mp4").exists()


def test_the_size_is_noted_beside_the_etag(tmp_path: Path) -> None:
    """As soon as the server tells it, also with the rest of a part that was begun without it."""
    with pytest.raises(GatewayError):
        Fetched(tmp_path, cut(1000), answer(500))
    part = PartialDownload(tmp_path / "output" / "v.part")
    part.load()
    assert (part.validator, part.total, part.has_all_bytes) == ('"one"', len(BYTES), False)
    left_behind(tmp_path / "b", BYTES[:1000], '"one"')
    rest = answer(206, BYTES[1000:2000], [("Content-Range", f"bytes 1000-1999/{len(BYTES)}"), ETAG])
    with pytest.raises(GatewayError):
        Fetched(tmp_path / "b", rest, answer(500))
    part = PartialDownload(tmp_path / "b" / "output" / "v.part")
    part.load()
    assert (part.size, part.total) == (2000, len(BYTES))


@pytest.mark.parametrize("said", [[("Content-Range", f"bytes */{len(BYTES)}")], []])
def test_416_for_a_video_that_is_here_completely(tmp_path: Path, said: list[tuple[str, str]]) -> None:
    """Its end went unseen, or an older version noted no size: nothing is thrown away."""
    left_behind(tmp_path, BYTES, '"one"')
    fetched = Fetched(tmp_path, answer(416, b"", said))
    assert fetched.asked(0)["range"] == f"bytes={len(BYTES)}-"
    assert (len(fetched.server.requests), fetched.left) == (1, {"v.mp4"})


def test_416_of_another_size_starts_anew(tmp_path: Path) -> None:
    left_behind(tmp_path, BYTES, '"one"')
    fetched = Fetched(
        tmp_path,
        answer(416, b"", [("Content-Range", "bytes */17")]),
        answer(200, OTHER),
        check=lambda _: Delivered(suffix=".mp4"),
    )
    assert fetched.target.read_bytes() == OTHER


@pytest.mark.parametrize("status", [404, 410, 403])
def test_a_link_that_expired_is_not_believed_where_the_video_is_here(tmp_path: Path, status: int) -> None:
    """As an older version left it: all bytes, and no word of how many there are."""
    left_behind(tmp_path, BYTES, '"one"')
    fetched = Fetched(tmp_path, answer(status))
    assert (fetched.result.size, fetched.left) == (len(BYTES), {"v.mp4"})


def test_half_a_video_is_none_where_the_link_expired(tmp_path: Path) -> None:
    left_behind(tmp_path, BYTES[:1000], '"one"')
    with pytest.raises(GatewayError):
        Fetched(tmp_path, answer(410))
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"v.part", "v.etag"}


def test_a_process_that_hangs_on_the_lock_holds_nobody_up(tmp_path: Path) -> None:
    """The video is fetched beside it, under a name of our own."""
    left_behind(tmp_path, BYTES[:10])
    with locked(tmp_path / "output" / "v.lock", 1.0):
        fetched = Fetched(tmp_path, answer(200, BYTES, [ETAG]), timing=Timing(download_lock_s=0.05))
    assert fetched.left == {"v.mp4", "v.part", "v.lock"}
    assert (tmp_path / "output" / "v.part").read_bytes() == BYTES[:10]


def test_the_name_has_the_suffix_of_what_it_is(tmp_path: Path) -> None:
    """A provider that sends WebM: found under that name by the next process, too, where the first could not note it."""
    webm = Delivered(suffix=".webm", warnings=("no sound",))
    fetched = Fetched(tmp_path, answer(200, BYTES), check=lambda _: webm)
    assert (fetched.result.path.name, fetched.result.warnings, fetched.left) == ("v.webm", ("no sound",), {"v.webm"})
    again = Fetched(tmp_path, answer(410), check=lambda _: webm)
    assert (again.result.path.name, again.server.requests) == ("v.webm", [])


def test_a_warning_names_the_file_that_is_there(tmp_path: Path) -> None:
    """It was checked under another name."""

    def check(path: Path) -> Delivered:
        return Delivered(suffix=".webm", warnings=(f"{path.name} is odd: {path.name} has no sound.",))

    fetched = Fetched(tmp_path, answer(200, BYTES), check=check)
    assert fetched.result.warnings == ("v.webm is odd: v.webm has no sound.",)


def test_a_video_that_is_still_cut_is_not_fetched_again(tmp_path: Path) -> None:
    """Its length tells that nothing more came: the bytes stay where they are."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "v.mp4").write_bytes(BYTES[:1000])
    with failing(TruncatedVideoError, "video_truncated"):
        Fetched(tmp_path, answer(200, OTHER[:1000]), check=is_not_cut, anew=True)
    assert (tmp_path / "output" / "v.mp4").read_bytes() == BYTES[:1000]
