"""Runs a workflow's nodes of ours, as the host does: each after those that it takes something from. Core's nodes are
left out, but Load Image, which gives a picture of the frozen state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..nodes.hosts import Pack

HERE = Path(__file__).parent


def picture(name: str) -> np.ndarray[Any, Any]:
    """uint8 [H, W, 3] of a picture in `pictures/`."""
    from PIL import Image

    with Image.open(HERE / "pictures" / name) as image:
        return np.asarray(image.convert("RGB"))


async def run_workflow(pack: Pack, path: Path, **widgets: Any) -> dict[int, Any]:
    """{node id: its outputs} of every node of ours whose inputs are there; `widgets` replace values of that name."""
    import torch

    graph = json.loads(path.read_text(encoding="utf-8"))
    links = {link[0]: (link[1], link[2]) for link in graph["links"]}
    done: dict[int, Any] = {}
    for node in sorted(graph["nodes"], key=lambda node: node["order"]):
        if node["type"] == "LoadImage":
            done[node["id"]] = [torch.from_numpy(picture("example.png")[None].astype(np.float32) / 255)]
        if node["type"] not in pack.nodes:
            continue
        inputs: dict[str, Any] = {}
        for socket in node["inputs"]:
            if socket.get("link") is not None and links[socket["link"]][0] in done:
                source, slot = links[socket["link"]]
                inputs[socket["name"]] = done[source][slot]
        inputs |= {name: value for name, value in _widgets(node).items() if name not in inputs}
        inputs |= {name: value for name, value in widgets.items() if name in inputs}
        given = await pack.run(node["type"], str(node["id"]), **inputs)
        done[node["id"]] = given.args
    return done


def _widgets(node: dict[str, Any]) -> dict[str, Any]:
    """The values of a node's widgets by name."""
    named: dict[str, Any] = node.get("widgets_values_named") or {}
    if named or not node.get("widgets_values"):
        return named
    # Open Sora Job: its remote list has a switch and a button besides.
    past, _, _, video_id, provider = node["widgets_values"]
    return {"past_job": past, "video_id": video_id, "provider": provider}
