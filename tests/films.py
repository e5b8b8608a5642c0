"""The sandbox's films, each rendered once: most of the tests' time would go into drawing them."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

PACK = Path(__file__).parents[1]


def films_folder() -> Path:
    """The folder for films, which is kept from run to run: one for each state of the sandbox's code and each PyAV."""
    code = [file.read_bytes() for file in sorted((PACK / "nodes" / "sora" / "sandbox").glob("*.py"))]
    key = hashlib.sha256(b"".join([*code, version("av").encode()])).hexdigest()[:16]
    folder = PACK / "build" / "films" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# A node pack for a ComfyUI of the tests, beside ours: jobs of one size, length and kind share a film, whatever they are
# called. What a film shows of its prompt is no matter of the host, and is looked at in tests/gateway.
NODE_PACK = """
import hashlib, importlib, sys
from pathlib import Path

from server import PromptServer

NODE_CLASS_MAPPINGS = {{}}
FOLDER = Path({folder!r})


def share(prompt):
    # At a prompt: the pack imports its sandbox when it first needs it.
    if sora := next((name for name in sys.modules if name.endswith(".nodes.sora")), ""):
        importlib.import_module(sora + ".sandbox.renders").Renders.path_of = path_of
    return prompt


def path_of(renders, job):
    chain = [one.references for one in renders._lineage(job)]
    kind = (job.width, job.height, job.seconds, chain, "silent" in job.directives)
    return FOLDER / f"any {{hashlib.sha256(repr(kind).encode()).hexdigest()[:16]}}.mp4"


PromptServer.instance.add_on_prompt_handler(share)
"""


def put_node_pack(custom_nodes: Path) -> None:
    """Have the ComfyUI of that folder use the shared films."""
    (custom_nodes / "shared_films.py").write_text(NODE_PACK.format(folder=str(films_folder())), encoding="utf-8")
