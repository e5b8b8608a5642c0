"""js/errors.<language>.mjs, in which the page says what failures are called: made of messages.toml. After a change of
that file, `make page-errors` writes them anew; tests/js/test_page_errors.py compares them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LANGUAGES = ("vi", "zh")  # the server's own sentences are English, and say more than the table
HEAD = """/** Generated from nodes/sora_jobs/messages.toml by `make page-errors`: what kinds of errors are called. */

// prettier-ignore
export const ERRORS = """


def place(language: str) -> Path:
    return ROOT / "js" / f"errors.{language}.mjs"


def rendered(language: str) -> str:
    """The text of that file."""
    words = tomllib.loads((ROOT / "nodes" / "sora_jobs" / "messages.toml").read_text(encoding="utf-8"))
    tables = {name: in_language(words[name], language) for name in ("charge", "labels", "kind")}
    return f"{HEAD}{json.dumps(tables, ensure_ascii=False, indent=2)};\n"


def in_language(words: dict[str, Any], language: str) -> Any:
    """The table without its other languages."""
    if "en" in words:
        return words[language]
    return {name: in_language(table, language) for name, table in words.items()}


if __name__ == "__main__":
    for each in LANGUAGES:
        place(each).write_text(rendered(each), encoding="utf-8", newline="\n")
