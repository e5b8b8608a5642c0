"""Names that come with a workflow, on their way to a path: they stay below a folder of ours on every system, since a
workflow that is harmless here may be run on Windows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..sora_jobs.errors import InvalidInputError

LONGEST_NAME = 240  # characters, folders and all
# Bytes of one part in UTF-8: file systems take 255, and a file gets a counter and a suffix; while it is copied, more.
LONGEST_PART = 255 - len("._0000001_.webm.01234567.part")
# Windows' devices: whatever is written behind a dot, they are not files.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # drives and streams (C:, a:b), wildcards, pipes


def confined(root: Path, name: str) -> Path:
    """`root`/`name`, below `root` also where links are followed. InvalidInputError for any other name, and for one that
    another system could not take or would take for something else."""
    if why := _wrong(name):
        raise _refusal(name, why)
    place = root.joinpath(*re.split(r"[/\\]", name))
    inside, real = os.path.realpath(root), os.path.realpath(place)
    try:
        within = real != inside and os.path.commonpath((inside, real)) == inside
    except ValueError:  # another drive
        within = False
    if not within:
        raise _refusal(name, "leads through a link to another folder")
    return place


def _wrong(name: str) -> str:
    """What is wrong with it before any disk is looked at; "" for nothing."""
    parts = re.split(r"[/\\]", name)
    size = max(len(part.encode(errors="surrogatepass")) for part in parts)
    faults = (
        (not name, "is empty"),
        (len(name) > LONGEST_NAME, f"has more than {LONGEST_NAME} characters"),
        (size > LONGEST_PART, f"has a part of {size} bytes (in UTF-8), and {LONGEST_PART} is the most"),
        (not name.isprintable(), "holds a character that is no letter"),
        (name[:1] in ("/", "\\", "~") or _FORBIDDEN.search(name), "is no name below that folder"),
        (any(not part.strip(". ") for part in parts), "leads out of that folder, or nowhere"),
        (any(part[-1:] in (".", " ") for part in parts), "has a part that ends in a dot or a space"),
        (any(_DEVICE.fullmatch(part.partition(".")[0].rstrip()) for part in parts), "is a device's on Windows"),
    )
    return next((why for wrong, why in faults if wrong), "")


def _refusal(name: str, why: str) -> InvalidInputError:
    message = f"The name {name[:80]!r} {why}, so it is not used."
    return InvalidInputError(message, hint="Use a name such as shots/boat.", code="unsafe_name")
