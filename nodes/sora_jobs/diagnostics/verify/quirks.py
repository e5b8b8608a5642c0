"""What came, line by line against the quirks of docs/gateway.md, by their numbers: a known one agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from ...gateway.error_body import read_complaint, request_id
from ...gateway.video_object import phase_of
from ...gateway.vocabulary import PACE_HEADERS, PACE_MS_HEADERS, REQUEST_ID_HEADERS
from .compare import Compared, not_seen, of_job
from .private import Private
from .record import Exchange
from .told import created_at
from .walk import UNKNOWN, Walked


def with_quirks(found: Walked, private: Private) -> list[Compared]:
    """Every line. What a walk did not come to is `unknown`."""
    checks: list[Callable[[Walked, Private], Iterator[Compared]]] = [
        _words, _ids, _numbers, _unknown_id, _unknown_content, _errors, _content, _ranges, _kind, _request_id, _pace,
    ]  # fmt: skip
    return [line for check in checks for line in check(found, private)]


def _words(found: Walked, private: Private) -> Iterator[Compared]:
    words = list(dict.fromkeys(one.video.status for one in of_job(found) if one.video and one.video.status))
    strange = [private.word(word) or "(a word that cannot be shown)" for word in words if phase_of(word) is None]
    if strange:
        text = f"it says {', '.join(strange)}, which the engine takes for still running."
        yield Compared("quirks", "states", "differs", text)
    elif words:
        shown = ", ".join(private.word(word) for word in words)
        yield Compared("quirks", "states", "agrees", f"each is known: {shown}.")
    else:
        yield not_seen("quirks", "states")


def _ids(found: Walked, _: Private) -> Iterator[Compared]:
    created = created_at(found.recorder)
    polls = [one.video.id for one in of_job(found) if one.call == "retrieve" and one.video and one.video.id]
    if created is None or created.video is None or not polls:
        yield not_seen("quirks", "ids")
        return
    same = all(one == created.video.id for one in polls)
    text = "the same at create and at each poll." if same else "those of create and of polls differ (quirk 11)."
    yield Compared("quirks", "ids", "agrees", text, 0 if same else 11)


def _numbers(found: Walked, _: Private) -> Iterator[Compared]:
    videos = [one.video for one in of_job(found) if one.call == "retrieve" and one.video]
    if not videos:
        yield not_seen("quirks", "numbers")
        return
    last = videos[-1]
    lacks = [name for name, there in (("seconds", last.seconds), ("size", last.size)) if not there]
    lacks += ["progress"] if all(video.progress is None for video in videos) else []
    if lacks:
        yield Compared("quirks", "numbers", "agrees", f"without {', '.join(lacks)} (quirk 1).", 1)
    else:
        yield Compared("quirks", "numbers", "agrees", "progress, seconds and size are there.")


def _unknown_id(found: Walked, private: Private) -> Iterator[Compared]:
    asked = [one for one in found.recorder.seen("retrieve") if one.video_id == UNKNOWN]
    yield from _of_nobody("unknown id", asked, private, quirk=5)


def _unknown_content(found: Walked, private: Private) -> Iterator[Compared]:
    asked = [one for one in found.recorder.seen("content") if one.video_id == UNKNOWN and not one.variant]
    yield from _of_nobody("content of an unknown id", asked, private, quirk=8)


def _of_nobody(what: str, asked: list[Exchange], private: Private, *, quirk: int) -> Iterator[Compared]:
    """It has to be told from a job that is there: by a 400 or 404."""
    if not asked:
        yield not_seen("quirks", what)
        return
    one = asked[-1]
    complaint = read_complaint(one.response) if one.response is not None else None
    code = private.word(complaint.code) if complaint else ""
    text = f"HTTP {one.status}{f', {code}' if code else ''}"
    if one.status in (400, 404, 410):
        number = quirk if one.status == 400 else 0
        told = f"{text}{f' (quirk {number})' if number else ''}."
        yield Compared("quirks", what, "agrees", told, number)
    elif one.status in (401, 403):
        yield Compared("quirks", what, "unknown", f"{text}: it looks at the key, or at whose job it is, first.")
    else:
        yield Compared("quirks", what, "differs", f"{text}, where 400 or 404 was expected.")


def _errors(found: Walked, _: Private) -> Iterator[Compared]:
    failed = [one for one in found.recorder.seen() if one.status >= 400 and one.response is not None]
    mute = [one for one in failed if one.response is not None and read_complaint(one.response) is None]
    if mute:
        named = ", ".join(sorted({f"HTTP {one.status} of {one.call}" for one in mute}))
        yield Compared("quirks", "errors", "differs", f"no words that can be read: {named}.")
    elif failed:
        yield Compared("quirks", "errors", "agrees", f"the words of all {len(failed)} can be read (quirk 6).", 6)
    else:
        yield not_seen("quirks", "errors")


def _content(found: Walked, _: Private) -> Iterator[Compared]:
    content, base = found.content, found.client.provider.base_url
    if content is None:
        yield not_seen("quirks", "content")
        return
    strangers = [one for one in found.recorder.seen("address") if urlsplit(one.url).hostname != urlsplit(base).hostname]
    if any(one.with_key for one in strangers):
        yield Compared("quirks", "content", "differs", "the key went to another host than the provider's.", 9)
        return
    if content.way == "address":
        text, quirk = "no content call; the video is at an address in the video object (quirk 8).", 8
    elif not content.with_key:
        text, quirk = "the content call leads to another address, which got no key (quirk 9).", 9
    else:
        text, quirk = "from the content call.", 0
    yield Compared("quirks", "content", "agrees", text, quirk)


def _ranges(found: Walked, _: Private) -> Iterator[Compared]:
    content = found.content
    if content is None:
        yield not_seen("quirks", "ranges")
    elif content.answered == 206:
        yield Compared("quirks", "ranges", "agrees", "a part can be asked for: a broken download is taken up.")
    else:
        text = "the whole comes where a part is asked for: a broken download begins anew (quirk 8)."
        yield Compared("quirks", "ranges", "agrees", text, 8)


def _kind(found: Walked, private: Private) -> Iterator[Compared]:
    if found.content is None:
        yield not_seen("quirks", "content type")
        return
    kind = private.media_type(found.content.kind)
    if kind.startswith("video/"):
        yield Compared("quirks", "content type", "agrees", f"{kind}.")
    else:
        text = f"{kind or 'none that can be shown'}, where video/… was expected; the engine looks at the bytes."
        yield Compared("quirks", "content type", "differs", text, 8)


def _request_id(found: Walked, private: Private) -> Iterator[Compared]:
    exchanges = _own(found)
    named = [name for name in REQUEST_ID_HEADERS if any(name in one.headers for one in exchanges)]
    others = {
        name for one in exchanges for name in private.headers(one.headers) if "request" in name or "trace" in name
    }
    strange = sorted(others - {*REQUEST_ID_HEADERS})
    if named:
        yield Compared("quirks", "number of the request", "agrees", f"in the header {', '.join(named)}.", 6)
    elif strange:
        text = f"in the header {', '.join(strange)}, which the engine does not read."
        yield Compared("quirks", "number of the request", "differs", text)
    elif any(one.response is not None and request_id(one.response, _words_of(one)) for one in exchanges):
        yield Compared("quirks", "number of the request", "agrees", "in the body of an error (quirk 6).", 6)
    else:
        yield Compared("quirks", "number of the request", "unknown", "none was seen.")


def _own(found: Walked) -> list[Exchange]:
    """Those with the provider itself, and not with where it sent us."""
    return [one for one in found.recorder.seen() if one.call != "address"]


def _words_of(exchange: Exchange) -> str:
    complaint = read_complaint(exchange.response) if exchange.response is not None else None
    return complaint.message if complaint else ""


def _pace(found: Walked, _: Private) -> Iterator[Compared]:
    known = (*PACE_HEADERS, *PACE_MS_HEADERS)
    named = [name for name in known if any(name in one.headers for one in _own(found))]
    if named:
        yield Compared("quirks", "pace", "agrees", f"told in {', '.join(named)}, which the engine keeps to.")
    else:
        yield Compared("quirks", "pace", "unknown", "no header tells one.")
