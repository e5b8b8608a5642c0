"""Which row stands for a purchase, by both versions of its identity; and version 2 for rows that were written without
it, before the ledger knew it or by a process that still runs older code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..jobs.identity import FITS, Identity, Picture, version_1, version_2
from ..jobs.spec import Fingerprint, fingerprints, parse_size
from ..jobs.state import FURTHEST_FIRST
from .database import Database
from .references import References
from .rows import run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import RowMapping

MANY = 500  # values in one statement
FREED = {"slot": None, "slot2": None}  # what a row holds that stands for no purchase any more
_RANKS = (f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(FURTHEST_FIRST))
HOLDER_ORDER = (
    f"CASE state {' '.join(_RANKS)} ELSE 9 END, created_at DESC"  # the order in which rows stand for one purchase
)


def holder(connection: Connection, identity: Identity, *, lock: bool = False) -> RowMapping | None:
    """The row that stands for the purchase; with `lock` nobody else changes it before the transaction ends."""
    query = (
        "SELECT * FROM jobs WHERE slot IS NOT NULL AND (slot = :v1 OR (identity2 = :v2 AND identity2 <> '')) "  # noqa: S608 - ours
        f"ORDER BY {HOLDER_ORDER} LIMIT 1"
    )
    query += " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    return run(connection, query, v1=identity.v1, v2=identity.v2).mappings().first()


def make_room(connection: Connection, identity: Identity) -> None:
    """Let another row stand for a purchase that none stands for: older code that frees a row leaves version 2 in it."""
    run(connection, "UPDATE jobs SET slot2 = NULL WHERE slot2 = :v2 AND slot IS NULL", v2=identity.v2)


def complete(database: Database, given_up: set[str], references: References) -> None:
    """Give version 2 to the rows without it, as far as their images are kept in `references`; `given_up` are those
    where they are not, which are not tried again."""
    with database.read() as connection:
        rows = run(connection, "SELECT * FROM jobs WHERE identity2 = ''").mappings().all()
    pictures: dict[str, tuple[Fingerprint, Fingerprint] | None] = {}
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        if row["id"] not in given_up:
            known = _known(row, references, pictures)
            if known is None:
                given_up.add(row["id"])
            else:
                found[row["id"]] = known
    if found:
        with database.exclusive() as connection:
            _write(connection, found)


def _write(connection: Connection, found: Mapping[str, tuple[str, str]]) -> None:
    from sqlalchemy import text

    values = [{"id": job, "v2": v2, "fit": fit} for job, (v2, fit) in found.items()]
    change = "UPDATE jobs SET identity2 = :v2, fit = :fit WHERE id = :id AND identity2 = ''"
    connection.execute(text(change), values)
    names = sorted({v2 for v2, _ in found.values()})
    for start in range(0, len(names), MANY):
        query = (
            "SELECT identity2, id, slot2 FROM jobs WHERE slot IS NOT NULL AND identity2 IN :names "  # noqa: S608 - ours
            f"ORDER BY {HOLDER_ORDER}"
        )
        best: dict[str, str] = {}
        taken: set[str] = set()
        for row in run(connection, query, names=names[start : start + MANY]).mappings():
            best.setdefault(row["identity2"], row["id"])
            taken |= {row["identity2"]} if row["slot2"] else set()
        given = [{"id": job, "v2": v2} for v2, job in best.items() if v2 not in taken]
        if given:
            run(connection, "UPDATE jobs SET slot2 = NULL WHERE slot IS NULL AND slot2 IN :names", names=list(best))
            connection.execute(text("UPDATE jobs SET slot2 = :v2 WHERE id = :id"), given)


def _known(
    row: RowMapping, kept: References, pictures: dict[str, tuple[Fingerprint, Fingerprint] | None]
) -> tuple[str, str] | None:
    """(version 2, how its references were fitted) of a row, from what it holds; None where its images are not here. The
    fit is the one with which version 1 comes out as it stands in the row."""
    asked = {name: row[name] for name in ("kind", "provider", "prompt", "model", "seconds", "size", "take", "parent")}
    asked["extra_fields"] = json.loads(row["extra_fields"])
    if row["kind"] == "opened":  # as Ledger.adopt asks for it
        asked |= {"prompt": "(opened by its id)", "parent": row["video_id"]}
    names = json.loads(row["reference_files"])
    if not names:
        return version_2(asked), ""
    for name in names:
        if name not in pictures:
            pictures[name] = fingerprints_of(kept.place(name))
    seen = [both for name in names if (both := pictures[name]) is not None]
    for fit in FITS if len(seen) == len(names) else ():
        if version_1(asked, [Picture(*one, fit) for one, _ in seen]) == row["identity"]:
            parse_size(row["size"])
            return version_2(asked, [Picture(*two, fit) for _, two in seen]), fit
    return None


def fingerprints_of(path: Path) -> tuple[Fingerprint, Fingerprint] | None:
    """Those of a kept reference for version 1 and version 2; None where it is not here, or damaged."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return fingerprints(pixels)
