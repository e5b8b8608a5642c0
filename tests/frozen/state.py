"""A copy of a frozen state, opened by the code of today."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from sora_jobs.jobs.spec import Reference, VideoRequest

from .gateway import ORIGIN
from .graphs import HERE, picture

STATES = ("2026-11-29",)
WORDS = {"provider": "cometapi", "model": "sora-2", "seconds": "4", "size": "1280x720", "take": 1}


class State:
    """The copy in `folder`, as if it had always been there; its providers are at `url` now."""

    def __init__(self, name: str, folder: Path, url: str, database_url: str = "") -> None:
        self.frozen = HERE / name
        self.comfyui = folder / "ComfyUI"
        self.home, self.output = self.comfyui / "user" / "__sora", self.comfyui / "output"
        shutil.copytree(self.frozen / "ComfyUI", self.comfyui)
        self.asked: list[dict[str, Any]] = json.loads((self.frozen / "asked.json").read_text(encoding="utf-8"))
        providers = self.home / "providers.toml"
        providers.write_text(providers.read_text(encoding="utf-8").replace(ORIGIN, url), encoding="utf-8")
        moved = f"UPDATE jobs SET origin = '{url}' WHERE origin = '{ORIGIN}'"
        if database_url:
            _restore(self.frozen / "ledger.sql", database_url, moved)
        else:
            ledger = sqlite3.connect(self.home / "ledger.sqlite3")
            ledger.execute(moved)
            ledger.commit()
            ledger.close()
        self.env = {"COMETAPI_KEY": "frozen-key-123456", "COMETAPI_BASE_URL": url, "SORA_POLL_SECONDS": "0.05"}
        if database_url:
            self.env["SORA_DATABASE_URL"] = database_url

    def files(self) -> dict[str, bytes]:
        """The videos below the output folder, by their names."""
        return {file.relative_to(self.output).as_posix(): file.read_bytes() for file in self.output.rglob("*.mp4")}

    def rows(self, *states: str) -> list[dict[str, Any]]:
        """What was bought by its words and became that."""
        return [row for row in self.asked if row["as"] in states and row.get("kind", "create") == "create"]


def spec(row: dict[str, Any]) -> VideoRequest:
    """The purchase, in the words in which it was asked for."""
    words = {**WORDS, **row}
    return VideoRequest(
        **{name: words[name] for name in (*WORDS, "prompt")},
        extra_fields=words.get("extra_fields", {}),
        references=tuple(Reference(picture(name), words["fit"]) for name in words.get("references", [])),
    )


def _restore(dump: Path, url: str, *more: str) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (dump.read_text(encoding="utf-8"), "SET search_path TO public", *more):
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()
