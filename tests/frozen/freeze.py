"""Makes a frozen state with the code of today: `python -m tests.frozen.freeze NAME`, in an empty /srv/comfy.

Run once for each state that is to be opened for ever; what it made is never made again, since the code of that day is
gone. See README.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..nodes.hosts import Pack, use_standin
from ..postgres import Server, find_programs
from .gateway import PACK, Gateway, film
from .graphs import HERE, picture, run_workflow

COMFYUI = Path("/srv/comfy/ComfyUI")
HOME, OUTPUT = COMFYUI / "user" / "__sora", COMFYUI / "output"
PORT = 49517
PICTURES = {"wide.png": (96, 40), "same.png": (1280, 720), "tall.png": (40, 96), "example.png": (64, 48)}

# What was asked for, in the words of the nodes; `as` is the row that has to be there afterwards. A second of the same
# words, and one whose fit changes nothing, was another purchase then.
ASKED: list[dict[str, Any]] = [
    {"prompt": "A stored boat", "as": "stored"},
    {"prompt": "A stored boat", "take": 2, "as": "stored"},
    {"prompt": "Một chiếc thuyền giấy 🛶 trên hồ", "as": "stored"},
    {"prompt": "White space at the end \n", "as": "stored"},
    {"prompt": "White space at both ends", "as": "refused", "does": "refused"},
    {"prompt": "  White space at both ends", "as": "stored"},
    {"prompt": "Eight seconds, upright", "seconds": "8", "size": "720x1280", "as": "stored"},
    {"prompt": "With fields", "extra_fields": {"seed": 7, "negative_prompt": "fog", "watermark": False},
     "as": "stored"},
    {"prompt": "A model that no list has", "model": "boats-9000", "size": "512x288", "as": "stored"},
    {"prompt": "Cropped", "references": ["wide.png"], "fit": "crop", "as": "stored"},
    {"prompt": "Padded", "references": ["wide.png"], "fit": "pad", "as": "stored"},
    {"prompt": "Stretched", "references": ["wide.png"], "fit": "stretch", "as": "stored"},
    {"prompt": "Padded and gone", "references": ["tall.png"], "fit": "pad", "as": "lapsed", "does": "gone"},
    {"prompt": "First and last", "model": "veo3.1-fast", "seconds": "8", "references": ["wide.png", "tall.png"],
     "fit": "pad", "as": "stored"},
    {"prompt": "As large as the video", "references": ["same.png"], "fit": "crop", "as": "failed", "does": "fails"},
    {"prompt": "As large as the video", "references": ["same.png"], "fit": "pad", "as": "stored"},
    {"prompt": "As large as the video", "references": ["same.png"], "fit": "stretch", "as": "unknown", "does": "lost"},
    {"prompt": "Of another provider", "provider": "mine", "model": "boats-1", "size": "640x360", "as": "stored"},
    {"prompt": "It renders", "as": "submitted", "does": "renders"},
    {"prompt": "It renders, unwatched", "as": "submitted", "does": "renders", "aside": "unwatched"},
    {"prompt": "Finished, to be fetched later", "as": "completed", "does": "later"},
    {"prompt": "Half of it is here", "as": "completed", "does": "half"},
    {"prompt": "Only a part of it came", "as": "stored", "does": "cut"},
    {"prompt": "It fails", "as": "failed", "does": "fails"},
    {"prompt": "Its connection was lost", "as": "unknown", "does": "lost"},
    {"prompt": "Declared lost", "as": "lost", "does": "lost"},
    {"prompt": "Refused", "as": "refused", "does": "refused"},
    {"prompt": "Forgotten", "as": "stored", "aside": "forgotten"},
    {"prompt": "Its file was deleted", "as": "stored", "file": "deleted"},
]  # fmt: skip
NODE = {"provider": "cometapi", "model": "sora-2", "seconds": "4", "size": "1280x720", "take": 1, "fit": "crop"}


class Frozen:
    """What one run makes."""

    def __init__(self, pack: Pack, gateway: Gateway) -> None:
        self.pack, self.gateway = pack, gateway
        self.engine = pack.engine.get_engine()
        self.rows: list[dict[str, Any]] = []

    def spec(self, asked: dict[str, Any]) -> Any:
        module, words = self.pack.module("sora_jobs.jobs.spec"), {**NODE, **asked}
        return module.VideoRequest(
            **{name: words[name] for name in ("provider", "model", "seconds", "size", "take")},
            prompt=words["prompt"],
            extra_fields=words.get("extra_fields", {}),
            references=tuple(module.Reference(picture(name), words["fit"]) for name in words.get("references", [])),
        )

    def buy(self, asked: dict[str, Any]) -> None:
        spec, state = self.spec(asked), asked["as"]
        error, self.gateway.does = None, asked.get("does", "finished")
        try:
            job = self.engine.start_create(spec).result(30).job
        except self.pack.error("SoraError") as caught:
            error, job = caught, self.engine.ledger.jobs(search=spec.prompt, limit=1)[0]
        if asked.get("aside") == "unwatched":
            job = self.engine.background.set_visibility(job.id, "unwatched")
        if error is None and state not in ("submitted",):
            with contextlib.suppress(self.pack.error("SoraError")):
                self.engine.start_wait(job.id, timeout=12 if state in ("lapsed", "completed") else 120).future.result(
                    150
                )
        if state == "lost":
            self.engine.reconcile(job.id, lost=True)
        if asked.get("aside") == "forgotten":
            self.engine.background.set_visibility(job.id, "forgotten")
        self.gateway.does = "finished"
        self.note(job.id, **asked)

    def note(self, job_id: str, **words: Any) -> None:
        job = self.engine.ledger.job(job_id)
        print(job.standing, job.id, words)
        assert job.standing == words["as"], (job, words)
        self.rows.append({**words, "job": job.id, "video_id": job.video_id, "path": job.path})


def pictures() -> None:
    (HERE / "pictures").mkdir(exist_ok=True)
    for name, (width, height) in PICTURES.items():
        y, x = np.mgrid[0:height, 0:width]
        colours = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=-1)
        Image.fromarray(colours.astype(np.uint8)).save(HERE / "pictures" / name, optimize=True)


def owners_files() -> None:
    HOME.mkdir(parents=True)
    (HOME / "settings.toml").write_text(
        "receipts = true\n[budget]\nusd_per_day = 500\nusd_per_job = 9\n\n[page]\nmay_change_budget = true\n"
        'allowed_hosts = ["comfy.example.com"]\n\n[downloads]\nranges = ["10.1.2.0/24"]\n',
        encoding="utf-8",
    )
    (HOME / "providers.toml").write_text(
        f'[provider.cometapi]\npoll_seconds = 0.05\n\n[provider.mine]\nbase_url = "http://127.0.0.1:{PORT}/v1"\n'
        "key = false\nremix = true\nlist = false\npoll_seconds = 0.05\nusd_per_second = 0.02\n\n"
        '[provider.other]\nbase_url = "https://video.example.com"\nkey_variable = "OTHER_KEY"\n'
        'headers = { X-Team = "boats" }\nproxy = ""\n',
        encoding="utf-8",
    )
    (HOME / "page.json").write_text(
        '{\n "language": "en",\n "rescue": true,\n "budget.usd_per_job": 12\n}\n', encoding="utf-8"
    )


async def workflows(frozen: Frozen, target: Path) -> None:
    renders = frozen.pack.module("sora_jobs.sandbox.renders").Renders
    renders._render = lambda self, job, path: (
        path.parent.mkdir(exist_ok=True), path.write_bytes(film(job.id)), path)[2]  # fmt: skip
    target.mkdir(parents=True)
    for file in sorted((PACK / "example_workflows").glob("*.json")):
        shutil.copy(file, target / file.name)
        more = {"past_job": frozen.engine.history.labels()[0]} if file.stem == "recover_a_video" else {}
        await run_workflow(frozen.pack, file, **more)
    stored = frozen.engine.open(frozen.rows[0]["job"])
    await frozen.pack.run("WaitForVideo", "9", job=stored, timeout_minutes=1.0, filename_prefix="shots/boat")


def freeze(name: str) -> None:
    target = HERE / name
    pictures()
    owners_files()
    os.environ |= {"SORA_HOME": str(HOME), "COMETAPI_KEY": "frozen-key-123456", "SORA_POLL_SECONDS": "0.05"}
    os.environ |= {"SORA_SANDBOX_SECONDS": "0.1", "COMETAPI_BASE_URL": f"http://127.0.0.1:{PORT}"}
    use_standin()
    import folder_paths

    for folder in ("input", "output", "temp", "user"):
        getattr(folder_paths, f"set_{folder}_directory")(str(COMFYUI / folder))
    pack = Pack(real=False)
    with Gateway(then=True, port=PORT) as gateway:
        frozen = Frozen(pack, gateway)
        for asked in ASKED:
            frozen.buy(asked)
        parent = frozen.rows[0]["job"]
        for prompt, state in (("The boat at night", "stored"), ("The boat in the rain", "submitted")):
            gateway.does = "renders" if state == "submitted" else "finished"
            job = frozen.engine.start_remix(parent, prompt).result(30).job
            if state == "stored":
                frozen.engine.start_wait(job.id, timeout=60).future.result(90)
            frozen.note(job.id, kind="remix", of=parent, prompt=prompt, **{"as": state})
        opened = frozen.engine.open("video_finished_elsewhere", "cometapi")
        frozen.engine.start_wait(opened.id, timeout=60).future.result(90)
        frozen.note(opened.id, kind="opened", prompt="", **{"as": "stored"})
        asyncio.run(workflows(frozen, target / "workflows"))
        reserved(frozen)
        for row in frozen.rows:
            if row.get("file") == "deleted":
                (OUTPUT / row["path"]).unlink()
        time.sleep(1)
        frozen.engine.close()
    keep(frozen, target)


def reserved(frozen: Frozen) -> None:
    """Two rows of a process that is dead: one that it had sent, one that it had not."""
    code = (
        "import sys, os; from pathlib import Path; from sora_jobs.ledger.ledger import Ledger; "
        "from sora_jobs.config.budget import Budget; "
        "from sora_jobs.jobs.spec import VideoRequest; ledger = Ledger(Path(sys.argv[1]))\n"
        "for sent in (False, True):\n"
        "    spec = VideoRequest(provider='cometapi', prompt=f'Reserved, sent: {sent}', model='sora-2', seconds='4', "
        "size='1280x720')\n"
        "    job, _ = ledger.reserve(spec, origin=sys.argv[2], estimated_usd=0.32, budget=Budget(500, 9))\n"
        "    if sent: ledger.sending(job.id)\n"
        "    print(job.id)\n"
        "sys.stdout.flush(); os._exit(9)\n"
    )
    command = [sys.executable, "-c", code, str(HOME), f"http://127.0.0.1:{PORT}"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(PACK / "nodes"), "PATH": ""}, capture_output=True, encoding="utf-8"
    )
    for job, sent in zip(done.stdout.split(), (False, True), strict=True):
        frozen.note(job, prompt=f"Reserved, sent: {sent}", sent=sent, **{"as": "reserved"})


def keep(frozen: Frozen, target: Path) -> None:
    ignored = shutil.ignore_patterns("renders", "thumbnails", "temp", "counters", "*.lock", "*-opening", "sweep")
    shutil.copytree(COMFYUI, target / "ComfyUI", ignore=ignored)
    shutil.rmtree(target / "ComfyUI" / "user" / "__sora" / "sandbox" / "references")
    (target / "asked.json").write_text(json.dumps(frozen.rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    programs = find_programs()
    assert programs is not None
    server = Server(programs)
    try:
        dump(frozen, server, programs, target / "ledger.sql")
    finally:
        server.close()


def dump(frozen: Frozen, server: Server, programs: Path, target: Path) -> None:
    """The same rows in the schema of PostgreSQL."""
    from sqlalchemy import create_engine, text

    url = server.database()
    ledger = frozen.pack.module("sora_jobs.ledger.ledger").Ledger(HOME, url=url)
    with ledger.database.read():
        pass
    ledger.close()
    files, shared = create_engine(f"sqlite:///{HOME / 'ledger.sqlite3'}"), create_engine(url)
    with files.connect() as one, shared.begin() as other:
        for row in one.execute(text("SELECT * FROM jobs")).mappings():
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            other.execute(text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), dict(row))
    files.dispose()
    shared.dispose()
    command = [programs / "pg_dump", "--inserts", "--no-owner", "-h", url.rpartition("host=")[2], "-U", "sora"]
    command += [url.rpartition("?")[0].rpartition("/")[2]]
    made = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8", check=True)
    lines = [line for line in made.stdout.splitlines() if line.strip() and not line.startswith(("--", "\\"))]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(sys.argv[1])
