"""What the server sends to the page by name, and what the page listens to."""

from __future__ import annotations

import re
from pathlib import Path

from sora_jobs import errors

PACK = Path(__file__).parents[2]


def test_the_page_listens_to_each_event_that_is_sent() -> None:
    """And to none that nobody sends: a name is written twice, in Python and in JavaScript."""
    sent = {
        name
        for file in (PACK / "nodes" / "web").glob("*.py")
        for name in re.findall(r'http\.send\("([^"]+)"', file.read_text(encoding="utf-8"))
    }
    heard = re.findall(r'api\.addEventListener\("(sora\.[^"]+)"', (PACK / "js" / "sora.js").read_text(encoding="utf-8"))
    assert sent == set(heard) == {"sora.job", "sora.settings"}


def test_the_errors_that_the_page_cures_are_classes_of_ours() -> None:
    """ComfyUI tells the page an error by the name of its class."""
    script = (PACK / "js" / "sora.js").read_text(encoding="utf-8")
    (table,) = re.findall(r"^const CURED = \{(.*)\};$", script, re.MULTILINE)
    names = re.findall(r"(\w+): ", table)
    assert len(names) == 2
    assert [name for name in names if not hasattr(errors, name)] == []
