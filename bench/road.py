"""How long the pack holds up ComfyUI's start, and what five jobs cost against one. `make bench`, or this file alone.

Needs a ComfyUI (COMFYUI_DIR and COMFYUI_PYTHON, or where the host tests find one) for the first figure and for the
nodes; the sandbox renders, so nothing is spent.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.host.comfy import ENABLE, PACK, ComfyUI, find_comfyui, find_python, host_version
from tests.host.graphs import Graph, create, wait

RUNS = 5
HEAVY = ["cv2", "sqlalchemy", "requests", "filelock", "tqdm"]

# What ComfyUI's loader does with a pack, after its own modules are there.
IMPORT = """
import asyncio, importlib.util, sys, time
sys.argv = ["main.py", "--cpu"]
sys.path.insert(0, ".")
import comfy.options
comfy.options.enable_args_parsing()
import comfy.utils, comfy.model_management, folder_paths, server, execution, nodes, comfy_api.latest
async def load():
    server.PromptServer(asyncio.get_running_loop())
    before, begun = set(sys.modules), time.perf_counter()
    name = PACK.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, PACK + "/__init__.py", submodule_search_locations=[PACK])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    extension = await module.comfy_entrypoint()
    for node in await extension.get_node_list():
        node.GET_SCHEMA()
    took = time.perf_counter() - begun
    print(took, *sorted(set(HEAVY) & {module.split(".")[0] for module in set(sys.modules) - before}))
asyncio.run(load())
"""


def import_times(comfyui: Path) -> list[tuple[float, list[str]]]:
    """(seconds, heavy modules that came with it) of RUNS fresh processes."""
    results = []
    for _ in range(RUNS):
        script = f"PACK, HEAVY = {str(PACK)!r}, {HEAVY}\n{IMPORT}"
        run = subprocess.run(
            [str(find_python(comfyui)), "-c", script], cwd=comfyui, capture_output=True, encoding="utf-8", check=True
        )
        took, *heavy = run.stdout.split("\n")[-2].split()
        results.append((float(took), heavy))
    return results


def pairs(count: int, turn: int) -> Graph:
    """`count` Create -> Wait pairs that nobody bought before."""
    graph: Graph = {}
    for number in range(count):
        graph |= {f"c{number}": create(f"bench {turn} {count} {number}"), f"w{number}": wait(f"c{number}")}
    return graph


def wall_times(host: ComfyUI) -> dict[int, list[float]]:
    """Seconds of a whole prompt with one pair and with five, in turns."""
    times: dict[int, list[float]] = {1: [], 5: []}
    for turn in range(RUNS):
        for count, taken in times.items():
            begun = time.perf_counter()
            run = host.run(pairs(count, turn))
            taken.append(time.perf_counter() - begun)
            if not run.ok:
                raise SystemExit(run.error)
    return times


def main() -> None:
    comfyui = find_comfyui()
    if comfyui is None or find_python(comfyui) is None:
        raise SystemExit(f"This needs a ComfyUI: {ENABLE}.")
    print(f"ComfyUI {host_version(comfyui)}; medians of {RUNS} (min-max)")
    imports = import_times(comfyui)
    taken = spread([took for took, _ in imports], 3)
    print(f"import of the pack    {taken} s; brought in: {' '.join(imports[0][1]) or 'nothing heavy'}")
    for seconds in (4, 12):
        with (
            tempfile.TemporaryDirectory() as base,
            ComfyUI(Path(base), forked=False, SORA_SANDBOX_SECONDS=str(seconds), SORA_POLL_SECONDS="0.25") as host,
        ):
            host.run(pairs(1, -1))  # what is imported at first use is not counted
            times = wall_times(host)
        ratio = statistics.median(five / one for one, five in zip(times[1], times[5], strict=True))
        print(f"jobs that take {seconds:2} s   one pair {spread(times[1], 2)} s   five pairs {spread(times[5], 2)} s   "
              f"five / one {ratio:.2f}")  # fmt: skip


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
