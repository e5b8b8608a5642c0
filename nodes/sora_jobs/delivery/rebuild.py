"""A ledger from what is left: what can still be read of a damaged one, the receipts beside the videos, and the lists of
providers that have one."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import SoraError, storage_error
from ..gateway.clients import Clients
from ..jobs.identity import Identity, Picture, version_1, version_2
from ..jobs.spec import parse_size
from ..jobs.state import JobState
from ..ledger.backups import LEDGER_FILE, copy_aside, is_damaged, refuse_in_use
from ..ledger.identities import fingerprints_of
from ..ledger.ledger import Ledger
from ..ledger.merge import add_row, readable
from ..ledger.references import References
from ..ledger.rows import COLUMNS
from ..util.atomic_write import remove
from ..util.bounded_read import read_json, read_text

JOB = re.compile(r"[0-9a-z]{10}")
HASH = re.compile(r"[0-9a-f]{64}")
NO_VIDEOS = {".json", ".part", ".etag", ".lock"}
TEXTS = ("provider", "video_id", "model", "seconds", "size", "prompt", "parent")


@dataclass
class Rebuilt:
    """How many jobs came from where; `guessed` of the receipts do not say how their images were fitted, and were taken
    as cropped. The `listed` ones are the ledger's ids of jobs that only a provider's list tells of: they stand for no
    purchase, since a list does not tell all that was asked for. `aside` is where the damaged ledger is now."""

    read: int = 0
    receipts: int = 0
    listed: list[str] = field(default_factory=list)
    guessed: int = 0
    aside: Path | None = None


def rebuild(ledger: Ledger, clients: Clients, output: Path) -> Rebuilt:
    """Add to the ledger every job that can still be found and that it does not have. A damaged one is put aside first,
    and read as far as it can be. InvalidInputError while another process uses it; StorageError."""
    home = ledger.database.home
    done, rows = Rebuilt(), list[dict[str, Any]]()
    if not ledger.database.shared:
        refuse_in_use(home)
        if is_damaged(home / LEDGER_FILE, ledger.database.timing):
            rows = list(readable(home / LEDGER_FILE, ledger.database.timing))
            done.aside = _make_way(home)
    for row in rows:
        done.read += _add(ledger, row)
    for receipt, video in _receipts(output):
        found = _of_receipt(receipt, video, output, clients, ledger.references)
        if found is not None and _add(ledger, found):
            done.receipts += 1
            done.guessed += bool(json.loads(found["reference_files"])) and "fit" not in receipt
    for name in clients.names():
        done.listed += _of_list(ledger, clients, name)
    return done


def _make_way(home: Path) -> Path | None:
    """Put a damaged ledger aside, so that a new one can be made; where it is now."""
    try:
        aside = copy_aside(home)
        for name in ("", "-wal", "-shm"):
            remove(home / f"{LEDGER_FILE}{name}")
    except OSError as error:
        raise storage_error(f"The damaged ledger in {home} could not be put aside", error) from error
    return aside


def _receipts(output: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """(receipt, video) of each video that has one; the videos' own names before second ones."""
    for file in sorted(output.rglob("*.json"), key=lambda path: (not re.search(r"_[0-9a-z]{10}$", path.stem), path)):
        try:
            receipt = read_json(read_text(file))
        except (OSError, ValueError):
            continue
        if not isinstance(receipt, dict) or not str(receipt.get("written_by", "")).startswith("sora-jobs "):
            continue
        videos = [path for path in file.parent.glob(f"{file.stem}.*") if path.suffix not in NO_VIDEOS]
        for video in videos:
            if video.is_file() and video.stat().st_size == receipt.get("bytes"):
                yield receipt, video


def _of_receipt(
    receipt: Mapping[str, Any], video: Path, output: Path, clients: Clients, references: References
) -> dict[str, Any] | None:
    """The row that a receipt speaks of; None for one that is not as we write it."""
    told = {name: receipt.get(name) for name in (*TEXTS, "kind", "take", "job", "sha256")}
    texts = all(isinstance(told[name], str) for name in TEXTS)
    if not texts or not JOB.fullmatch(str(told["job"])) or not HASH.fullmatch(str(told["sha256"])):
        return None
    fields, files = receipt.get("extra_fields", {}), receipt.get("references", [])
    take, kind = told["take"], told["kind"]
    right = isinstance(fields, dict) and isinstance(files, list) and isinstance(take, int) and take > 0
    if not right or kind not in ("create", "remix", "opened"):
        return None
    asked = {name: told[name] for name in TEXTS if name != "video_id"} | {"kind": kind, "take": take}
    asked["extra_fields"] = fields
    fit = str(receipt.get("fit") or ("crop" if files else ""))
    identity = _identity(receipt, asked, fit, [references.place(str(name)) for name in files])
    created = _moment(receipt.get("bought_at"), video)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {name: told[name] for name in TEXTS}
    row |= {
        "id": told["job"], "kind": kind, "take": take, "state": JobState.STORED.value, "fit": fit,
        "origin": str(receipt.get("origin") or _origin(clients, str(told["provider"]))),
        "extra_fields": json.dumps(fields), "reference_files": json.dumps(files), "owner": "",
        "slot": identity.v1, "slot2": identity.v2 or None, "identity": identity.v1, "identity2": identity.v2,
        "estimated_usd": receipt.get("estimated_usd"), "charged_usd": None, "stale_at": None, "progress": 100.0,
        "remote_status": "", "created_at": created, "sent_at": created, "submitted_at": created,
        "completed_at": created, "stored_at": video.stat().st_mtime, "path": video.relative_to(output).as_posix(),
        "root": str(output), "sha256": told["sha256"], "bytes": receipt["bytes"],
    }  # fmt: skip
    return row if kind != "opened" else row | {"slot": None, "slot2": None}


def _identity(receipt: Mapping[str, Any], asked: Mapping[str, Any], fit: str, images: list[Path]) -> Identity:
    """As the receipt has it, else from what it says of the purchase; without version 2 where an image is not here."""
    noted = [str(receipt.get(name, "")) for name in ("identity", "identity2")]
    if HASH.fullmatch(noted[0]) and (not noted[1] or HASH.fullmatch(noted[1])):
        return Identity(*noted)
    seen = [both for image in images if (both := fingerprints_of(image)) is not None]
    pictures = [Picture(*one, fit) for one, _ in seen]
    if len(seen) < len(images):
        return Identity(version_1({**asked, "images": "elsewhere"}, pictures), "")
    if seen:
        parse_size(asked["size"])
    return Identity(version_1(asked, pictures), version_2(asked, [Picture(*two, fit) for _, two in seen]))


def _add(ledger: Ledger, row: dict[str, Any]) -> bool:
    with ledger.database.exclusive() as connection:
        return add_row(connection, row)


def _of_list(ledger: Ledger, clients: Clients, name: str) -> list[str]:
    """Jobs that a provider lists and the ledger does not have, opened by their ids; the ledger's ids of them."""
    added: list[str] = []
    with contextlib.suppress(SoraError):  # no key, no list, or away: as far as it goes
        provider = clients.provider(name)
        for video in clients.client(name).list_videos() if provider.lists else ():
            if ledger.queries.by_gateway_id(name, provider.origin, video.id) is None:
                added.append(ledger.adopt(name, provider.origin, video.id).id)
                ledger.observed(added[-1], video)
    return added


def _origin(clients: Clients, name: str) -> str:
    with contextlib.suppress(SoraError):
        return clients.provider(name).origin
    return ""


def _moment(text: Any, video: Path) -> float:
    """When it was bought, in seconds since the epoch; when its file was written, where the receipt does not say."""
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(text).timestamp()
    return video.stat().st_mtime
