"""Each quirk of a gateway, with the bytes that it sends, becomes a job, a list, a film or an error that tells."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.delivery.download import download
from sora_jobs.errors import SoraError
from sora_jobs.gateway.client import Client
from sora_jobs.gateway.error_body import Response
from sora_jobs.gateway.responses import read_created, read_list, read_status
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.media.delivered import Delivered

from ..ugly import UglyServer, answer
from . import seen_calls, seen_charges, seen_jobs, told
from .rows import ASKED, NO_ADDRESS, Row

ROWS = [*told.ROWS, *seen_jobs.ROWS, *seen_calls.ROWS, *seen_charges.ROWS]


def outcome(row: Row, folder: Path) -> Any:
    """What the engine makes of a row: content comes over a socket, since its bytes are not read as a whole."""
    got = Response(row.status, row.headers, row.body, row.url)
    if row.call == "create":
        return read_created(got)
    if row.call == "retrieve":
        return read_status(got, ASKED)
    if row.call == "list":
        return [video.id for video in read_list(got)]
    with UglyServer([answer(row.status, row.body, row.headers.items())]) as server:
        client = Client(Provider(name="x", base_url=server.url, timeout_s=5), "sk-key-12345")
        try:
            return download(
                lambda headers: client.content(ASKED, headers),
                folder / "v.mp4",
                check=lambda path: Delivered(suffix=".mp4"),
                progress=lambda done, total: None,
            )
        finally:
            client.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.call}: {row.name}")
def test_a_quirk_is_survived(row: Row, tmp_path: Path) -> None:
    """As the row says, and nothing else."""
    fields = dict(row.expected.fields)
    if isinstance(row.expected.kind, type):
        says = fields.pop("says", "")
        with pytest.raises(SoraError) as caught:
            outcome(row, tmp_path)
        assert type(caught.value) is row.expected.kind, caught.value
        assert says in f"{caught.value.message} {caught.value.hint}"
        assert {name: getattr(caught.value, name) for name in fields} == fields
        assert caught.value.hint or row.call == "content"
        return
    found = outcome(row, tmp_path)
    if row.expected.kind == "ids":
        assert found == fields["ids"]
    elif row.expected.kind == "film":
        assert found.sha256 == hashlib.sha256(row.body).hexdigest()
    else:
        assert isinstance(found, RemoteVideo)
        assert found.id
        if "complaint" in fields:
            said = found.complaint
            assert (None if said is None else (said.code, said.message)) == fields.pop("complaint")
        assert {name: getattr(found, name) for name in fields} == fields


def test_the_table_has_every_quirk_that_is_written_down() -> None:
    """All numbers of docs/gateway.md, and names that tell the rows apart."""
    page = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")
    told = {int(number) for number in re.findall(r"^(\d+)\. \*\*", page, re.MULTILINE)}
    numbers = {number for row in ROWS for number in row.seen if isinstance(number, int)}
    assert numbers - {NO_ADDRESS} == told == set(range(1, 13))
    names = [(row.call, row.name) for row in ROWS]
    assert len(names) == len(set(names)) >= 70


def test_every_row_says_where_it_was_seen() -> None:
    """A number of docs/gateway.md, or an address."""
    for row in ROWS:
        assert row.seen, row.name
        assert all(isinstance(place, int) or place.startswith("https://") for place in row.seen), row.name
