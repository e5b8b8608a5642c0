"""The sandbox's films, each rendered once: most of the tests' time would go into drawing them."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACK = Path(__file__).parents[1]


def films_folder() -> Path:
    """The folder for films, which is kept from run to run: one for each state of the sandbox's code and each PyAV."""
    code = [file.read_bytes() for file in sorted((PACK / "nodes" / "sora_jobs" / "sandbox").rglob("*.py"))]
    key = hashlib.sha256(b"".join([*code, version("av").encode()])).hexdigest()[:16]
    folder = PACK / "build" / "films" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def any_film(renders: Any, job: Any) -> str:
    """A name for the film of a job, by its size, its length, its images and the number of its remixes: whatever those
    are called that are alike, they share one. For `Renders.path_of`, where it does not matter what a film shows."""
    chain = [one.references for one in renders._lineage(job)]
    kind = (job.width, job.height, job.seconds, chain, "silent" in job.directives)
    return f"any {hashlib.sha256(repr(kind).encode()).hexdigest()[:16]}.mp4"


# A node pack for a ComfyUI of the tests, beside ours. What a film shows of its prompt is no matter of the host, and is
# looked at in tests/gateway.
NODE_PACK = """
import importlib, runpy, sys
from pathlib import Path

from server import PromptServer

NODE_CLASS_MAPPINGS = {{}}
any_film = runpy.run_path({here!r})["any_film"]


def share(prompt):
    # At a prompt: the pack imports its sandbox when it first needs it.
    if sora := next((name for name in sys.modules if name.endswith(".nodes.sora_jobs")), ""):
        renders = importlib.import_module(sora + ".sandbox.renders").Renders
        renders.path_of = lambda self, job: Path({folder!r}, any_film(self, job))
    return prompt


PromptServer.instance.add_on_prompt_handler(share)
"""


def put_node_pack(custom_nodes: Path) -> None:
    """Have the ComfyUI of that folder share films."""
    text = NODE_PACK.format(here=__file__, folder=str(films_folder()))
    (custom_nodes / "shared_films.py").write_text(text, encoding="utf-8")
