"""Reading what others wrote, within limits of size and depth: a file or an answer may be made to do harm."""

from __future__ import annotations

import json
import re
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Any

DEEPEST = 64  # levels; the deepest that any gateway was seen to send has nine
LARGEST_FILE = 1 << 20  # bytes of a file that a person or this program writes
WINDOWS_PATH = re.compile(r'"(?:[A-Za-z]:|\\)\\')  # in double quotes, where TOML takes \ for an escape


def read_json(text: str | bytes | bytearray) -> Any:
    """The value. ValueError for what is no JSON, or too deep: whoever walks through it later would fail there."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    layer = [value]
    for _ in range(DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in layer if isinstance(one, dict | list))
        layer = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not layer:
            return value
    raise ValueError("it is too deep")


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. OSError, or ValueError for what is no TOML, too large or too deep."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    except tomllib.TOMLDecodeError as error:
        if WINDOWS_PATH.search(text):
            raise ValueError(f"{error}; write Windows paths between 'single quotes'") from None
        raise


def read_text(path: Path, most: int = LARGEST_FILE) -> str:
    """The file as text: UTF-8, or UTF-16 as PowerShell 5 writes it, without the mark that Windows' programs write in
    front. OSError, or ValueError for one that is neither or has more than `most` bytes."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    return data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
