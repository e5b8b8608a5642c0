"""From an open stream to a complete file: `.part`, resumed by Range, checked, then renamed in one step.

The final name never holds half a file.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import glob
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from ..config.timing import DEFAULT, Timing
from ..errors import GatewayError, MediaError, NotOfferedError, TruncatedVideoError, storage_error
from ..gateway.http import in_words, iter_body
from ..util.atomic_write import locked, publish, remove_abandoned, sync_file, unfinished_name
from ..util.redact import redact
from .partial_file import PartialDownload

LARGEST_VIDEO = 8 << 30  # bytes; a 30 s clip has some 50 MB, this only stops an endless stream
NO_VIDEOS = (".part", ".etag", ".lock", ".json")  # what may be beside one

if TYPE_CHECKING:  # which the media layer makes, at first use
    from ..media.delivered import Delivered

Check = Callable[[Path], "Delivered"]
Open = Callable[[Mapping[str, str]], requests.Response]  # headers -> an open stream with status 200, 206 or 416
OnProgress = Callable[[int, int | None], None]  # (bytes so far, bytes in all or None)


@dataclass(frozen=True)
class Downloaded:
    """A file that arrived: where, how long, its hash, whether it holds all that it says, and what the user should know
    of it."""

    path: Path
    size: int
    sha256: str
    whole: bool = True
    warnings: tuple[str, ...] = ()


def download(
    open_stream: Open,
    target: Path,
    *,
    check: Check,
    progress: OnProgress,
    accept_cut: bool = False,
    anew: bool = False,
    largest: int = LARGEST_VIDEO,
    timing: Timing = DEFAULT,
) -> Downloaded:
    """Bring the stream to `target`, with the suffix of what it is. `check(path)` raises MediaError for a file that is
    no video, and tells of one that holds less than it says: that is refused, too, unless the caller takes it as the
    best that can be had. `largest` is the limit in bytes.

    `anew` fetches also what is there, and puts a longer file in its place. GatewayError: the gateway did not give it,
    run again (TruncatedVideoError: it ended too early; NotOfferedError: it is no video). StorageError: it could not be
    written.
    """

    def bounded(done: int, total: int | None) -> None:
        progress(done, total)
        if done > largest:
            raise GatewayError("The download does not end.", transient=False, code="too_large")

    part = PartialDownload(target.with_suffix(".part"))
    if anew and target.exists():
        open_stream = _unless_same(open_stream, target.stat().st_size)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as lock:
            # The lease in the ledger lets one process fetch a job; this is for one that slept while its lease expired.
            try:
                lock.enter_context(locked(target.with_suffix(".lock"), timing.download_lock_s))
            except TimeoutError:  # it still writes, or hangs, or the disk refuses locks so that it looks like that
                part = PartialDownload(unfinished_name(target))
            there = None if anew else _there(target, check)
            if there is None:
                part.load()
                found = _arrived(open_stream, part, check, bounded, timing.download_attempts)
                if not found.is_complete and not accept_cut:
                    part.remove()  # it came to its end: there is nothing to resume
                    message = "The gateway gave only a part of the video."
                    raise TruncatedVideoError(message, hint="Run again in a while.", code="video_truncated")
                final = target.with_suffix(found.suffix)
                publish(part.path, final)
                told = tuple(warning.replace(part.path.name, final.name) for warning in found.warnings)
                there = final, replace(found, warnings=told)
            part.remove()
            path, found = there
            remove_abandoned(path)
        return Downloaded(path, path.stat().st_size, _sha256(path), found.is_complete, found.warnings)
    except TimeoutError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            part.remove()  # a full disk needs the room more than the next try needs these bytes
        raise storage_error(
            f"The video could not be written to {target.parent}",
            error,
            then="Then run again: the video is paid for and waits at the gateway.",
            charge="charged",
        ) from error


def _unless_same(open_stream: Open, size: int) -> Open:
    """The stream of a video of which only a part came, unless it is still as long as that."""

    def opened(headers: Mapping[str, str]) -> requests.Response:
        response = open_stream(headers)
        if _span(response)[1] == size:
            response.close()
            message = "The gateway still gives only a part of the video."
            raise TruncatedVideoError(message, hint="Run again in a while.", code="video_truncated")
        return response

    return opened


def _there(target: Path, check: Check) -> tuple[Path, Delivered] | None:
    """The file that is there, whatever its suffix: a process may have died before it wrote down where, or that it is
    not complete. None where there is none, or one that is no video."""
    for path in [target, *sorted(target.parent.glob(f"{glob.escape(target.stem)}.*"))]:
        if path.suffix not in NO_VIDEOS and path.is_file():
            with contextlib.suppress(MediaError):
                return path, check(path)
    return None


def _arrived(open_stream: Open, part: PartialDownload, check: Check, progress: OnProgress, attempts: int) -> Delivered:
    """Have the video in the part: what a process left that died before it could rename it, else what is fetched now."""
    if part.has_all_bytes and (found := _video_in(part, check)) is not None:
        return found
    try:
        _transfer(open_stream, part, check, progress, attempts)
    except GatewayError as error:
        # A link that has expired is believed only where the whole video is not here already.
        if error.http_status is None and not isinstance(error, NotOfferedError):
            raise
        if (found := _video_in(part, check)) is None:
            raise
        return found
    try:
        return check(part.path)
    except MediaError as error:
        part.remove()  # whatever it is, resuming it cannot make it a video
        raise NotOfferedError(
            f"The gateway sent something that is not a video: {error.message}",
            hint="Run again in a while.",
            code="not_a_video",
        ) from error


def _video_in(part: PartialDownload, check: Check) -> Delivered | None:
    """The part, if it is a video that holds all that it says. It is synced: whoever wrote it may not have come to
    that. OSError."""
    try:
        found = check(part.path) if part.size else None
    except MediaError:
        return None
    if found is None or not found.is_complete:
        return None
    with part.path.open("r+b") as file:
        sync_file(file.fileno())
    return found


def _transfer(open_stream: Open, part: PartialDownload, check: Check, progress: OnProgress, attempts: int) -> None:
    """Fill the part, taking it up where a broken connection left it. GatewayError after that many `attempts`:
    connections in a row that brought nothing new."""
    broken, longest = 0, part.size
    while True:
        try:
            if _stream_once(open_stream, part, check, progress):
                return
            reason = "the connection closed early"
        except (requests.RequestException, HTTPError) as error:
            reason = in_words(error)
        broken = 0 if part.size > longest else broken + 1
        longest = max(longest, part.size)
        if broken >= attempts:
            raise GatewayError(
                f"The download broke off {attempts} times: {reason}.",
                hint="What arrived is kept; run again.",
                code="connection_lost",
            )


def _stream_once(open_stream: Open, part: PartialDownload, check: Check, progress: OnProgress) -> bool:
    """One connection's worth. True when the stream came to its end, as far as the server told where that is."""
    with open_stream(part.headers()) as response:
        start, total = _span(response)
        if response.status_code == 416 and total in (None, part.size) and _video_in(part, check) is not None:
            return True  # all of it is here, and its end went unseen
        etag = response.headers.get("ETag", "")
        validator = "" if etag.startswith("W/") else etag
        # 416: the part is longer than the file.
        if response.status_code == 416 or (response.status_code == 206 and not part.goes_on(start, validator)):
            part.remove()
            return False
        pieces = iter_body(response, decode=False)
        if start == 0:
            first = next(pieces, b"")
            _refuse_text(first, response)  # before anything is given up for it
            part.begin(validator, total)
            pieces = itertools.chain((first,), pieces)
        else:
            part.learn_total(total)
        with part.path.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in pieces:
                file.write(chunk)
                progress(file.tell(), total)
            file.flush()
            sync_file(file.fileno())
            return total is None or file.tell() == total


def _refuse_text(first: bytes, response: requests.Response) -> None:
    """HTML, XML or JSON in place of a video (quirks 7 and 8). The bytes tell it: servers that call a video text/plain
    are not rare."""
    if first.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"<", b"{", b"["):
        kind = redact(response.headers.get("Content-Type", "").partition(";")[0])[:80]
        raise NotOfferedError(
            f"The gateway sent something that is not a video{f' ({kind})' if kind else ''}.",
            hint="Run again in a while.",
            code="not_a_video",
        )


def _span(response: requests.Response) -> tuple[int, int | None]:
    """(first byte, bytes in all) of an answer; None where the server does not say how long it is."""
    told = response.headers.get("Content-Range", "").strip()
    if response.status_code == 416:
        match = re.fullmatch(r"bytes \*/([0-9]{1,18})", told)
        return -1, int(match[1]) if match else None
    if response.status_code == 206:
        match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", told)
        if match is None:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
