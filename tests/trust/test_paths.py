"""Names from widgets as a table: what may become a path, and what may not, on every system."""

from __future__ import annotations

from pathlib import Path

import pytest
from sora_jobs.util.atomic_write import copy

from nodes.host.safe_paths import LONGEST_NAME, LONGEST_PART, confined
from nodes.sora_jobs.errors import InvalidInputError

from ..failures import failing
from ..systems import make_link

GOOD = [
    "boat",
    "shots/boat",
    "shots\\boat",
    "a/b/c/d",
    "スクリーン/船",
    "boat 2",
    ".hidden/x",
    "conx",
    "x.con",
    "%year%/b",
    "é" * (LONGEST_PART // 2),
    "船" * (LONGEST_PART // 3) + "/" + "船" * (LONGEST_PART // 3),
]
BAD = [
    "", " ", "/", "\\", ".", "..", "...", "../x", "..\\x", "a/../x", "a\\..\\x", "a/..", "./x", "a/./b", "a//b", "a/",
    "/etc/passwd", "\\windows\\x", "~/x", "~root", "//server/share", "\\\\server\\share", "\\\\?\\C:\\x", "\\\\.\\COM1",
    "C:", "C:x", "C:\\x", "C:/x", "c:/x", "a:b", "x.mp4:stream", "a/C:/x", "file:///etc", "CON", "con", "Con.txt",
    "a/NUL", "nul.tar.gz", "AUX", "prn.mp4", "COM1", "com9.mp4", "LPT1", "lpt9", "COM¹", "CONIN$", "conout$.txt",
    "con .txt", "a\0b", "\0", "a\nb", "a\tb", "a\x7fb", "a\x1b[31m", "a.", "a..", "a ", "a. ", "a./b", "a /b", "a/b.",
    "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "a\u202egpm", "a\ud800", "a" * (LONGEST_NAME + 1),
    "a" * (LONGEST_PART + 1), "é" * 130, "船" * 86, "船" * 86 + "/x", "x/" + "船" * 86,
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_an_ordinary_name_stays_below_its_folder(tmp_path: Path, name: str) -> None:
    place = confined(tmp_path, name)
    assert place.relative_to(tmp_path).as_posix() == name.replace("\\", "/")


@pytest.mark.parametrize("name", BAD, ids=[ascii(name)[:30] for name in BAD])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Up, to a root, a drive, a share, a device or a stream; or to what a system would make another name of."""
    with failing(InvalidInputError, "unsafe_name", repr(name[:80])):
        confined(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_can_be_given_also_where_files_are_copied(tmp_path: Path) -> None:
    """With a counter, a suffix, and what is added while it is not complete."""
    source = tmp_path / "source"
    source.write_bytes(b"video")
    name = "船" * (LONGEST_PART // 3)
    target = confined(tmp_path, name).with_name(f"{name}_1234567_.webm")
    copy(source, target)
    assert target.read_bytes() == b"video"


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    """Wherever it stands in the name; one that stays inside is as good as a folder, and so is a root that is a link."""
    root, outside = tmp_path / "output", tmp_path / "output-of-others"
    (root / "in").mkdir(parents=True)
    outside.mkdir()
    make_link(root / "out", outside)
    make_link(root / "in" / "up", tmp_path)
    make_link(root / "again", root / "in")
    make_link(root / "self", root)
    for name in ("out/x", "out", "in/up/x", "in/up", "again/up/x", "self"):
        with failing(InvalidInputError, "unsafe_name", repr(name), "through a link"):
            confined(root, name)
    assert confined(root, "again/x") == root / "again/x"
    make_link(tmp_path / "linked", root)
    assert confined(tmp_path / "linked", "in/x") == tmp_path / "linked" / "in/x"
