"""The pack on every Python from 3.11 on that this machine has, with the newest of all requirements. `make pythons`.

Each has an environment in .venv-pythons/, which is kept: it is made anew when pip would install other versions than it
holds. It runs `sora demo`, and the tests of what depends on the Python and on the libraries. What `make test` has run
with the same versions is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import environments as envs
from environments import HEADLESS, ROOT, Outcome, Python

USED = ROOT / ".venv"  # by `make test`
FAMILIES = ("new-api", "litellm", "sglang", "vllm-omni", "seedance")
# What depends on the Python and on the libraries. Without psycopg what needs PostgreSQL is skipped: that is a server.
TESTS = ("tests/engine", "tests/media", "tests/nodes", "tests/frozen")
# What `make test` has run, takes long and is no matter of a Python: many jobs at a time, other families of gateways,
# time that passes, what the checkout looks like, an OpenCV that is broken, the demo (it is run before), and the real
# host, which has a Python of its own.
SLOW = (
    "engine/test_architecture.py",
    "engine/test_buying.py::test_creates_that_are_asked_to_wait_hold_up_nobody_else",
    "engine/test_cli.py::test_a_model_of_unknown_lengths_and_sizes_has_a_default_all_the_same",
    "engine/test_cli.py::test_a_remix",
    "engine/test_cli.py::test_a_size_that_comes_out_as_another_is_told_before_and_after",
    "engine/test_cli.py::test_the_demo",
    "engine/test_cli_help.py::test_no_bar_where_nobody_sees_it",
    "engine/test_disks.py::test_what_a_file_system_lacks_ends_no_download",
    "engine/test_doctor_gateway.py::test_a_proxy_of_the_variables_is_its_host_and_port",
    "engine/test_environments.py",
    "engine/test_farm_references.py::test_a_ledger_is_rebuilt_with_the_images_of_all_machines",
    "engine/test_farm_references.py::test_what_a_dead_machine_left_is_sent_with_its_image",
    "engine/test_fetcher.py::test_threads_are_few_however_many_wait",
    "engine/test_fetcher.py::test_videos_that_are_not_ready_hold_up_no_other",
    "engine/test_background_downloads.py::test_two_processes_fetch_once",
    "engine/test_background_downloads.py::test_two_processes_that_watch_each_others_jobs_do_not_stand_still",
    "engine/test_engine.py::test_a_gateway_that_misbehaves_gives_its_video_in_the_end",
    "engine/test_verify.py::test_a_remix_costs_what_it_costs_today",
    "engine/test_verify.py::test_a_remix_is_bought_where_the_money_is_enough_for_both",
    "engine/test_verify.py::test_a_state_that_nobody_knows_differs",
    "engine/test_verify.py::test_a_verify_that_was_broken_off_costs_nothing_more",
    "media/test_fuzz.py",
    "media/test_opencv.py::test_the_pack_loads_and_says_what_to_install",
    "media/test_reference.py::test_a_bomb_is_refused_before_it_is_unpacked",
    "nodes/test_frozen_workflows.py",
    "nodes/test_pictures.py::test_what_it_shows_is_what_is_sent",
    "nodes/test_real_host.py",
)
LEFT_OUT = (*(f"--deselect=tests/{one}" for one in SLOW), "-k", f"not ({' or '.join(f'[{one}]' for one in FAMILIES)})")
SHOWN = ("av", HEADLESS, "numpy", "sqlalchemy")
HOLDS = """
import importlib.metadata, json, sys
print(json.dumps([sys.version_info[:2], [[one.name, one.version] for one in importlib.metadata.distributions()]]))
"""


class Result(NamedTuple):
    """What came of a Python; `why` it was left out, if it was."""

    python: Python
    why: str = ""
    versions: tuple[str, ...] = ()
    outcome: Outcome = Outcome(0, (), 0)
    seconds: float = 0.0


def tried(python: Python, workers: int) -> Result:
    """Install, run the demo, run the tests."""
    began = time.monotonic()
    program, versions, why = envs.with_newest(python, unless=held)
    if why:
        return Result(python, why)
    failed = demo(program)
    outcome = envs.tested(program, [*TESTS, *LEFT_OUT, "-n", str(workers), "--dist", "loadfile"])
    outcome = outcome._replace(failed=(*failed, *outcome.failed), passed=outcome.passed + (not failed))
    return Result(python, "", versions, outcome, time.monotonic() - began)


def held(python: Python, versions: list[str]) -> bool:
    """Does the environment of `make test` have this Python and these versions?"""
    try:
        ran = subprocess.run([envs.python_in(USED), "-c", HOLDS], capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    version, packages = json.loads(ran.stdout)
    there = {f"{envs.name_of(name)}=={number}".replace("opencv-python==", f"{HEADLESS}==") for name, number in packages}
    return version == list(python.version[:2]) and there.issuperset(versions)


def demo(program: Path) -> tuple[str, ...]:
    """`sora demo`; its name where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SORA_", "PYTHON"))}
        env |= {"SORA_HOME": f"{folder}/home", "SORA_SANDBOX_SECONDS": "0.5"}
        command = [program.with_name("sora" + program.suffix), "demo", "--out", f"{folder}/out"]
        ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", errors="replace")
        made = len(list(Path(folder, "out").rglob("*.mp4")))
    if ran.returncode == 0 and made == 2:
        return ()
    print(ran.stdout, ran.stderr, file=sys.stderr)
    return (f"sora demo: exit status {ran.returncode}, {made} videos",)


def main() -> None:
    pythons = envs.find_pythons()
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:  # two workers for each at least: tests also wait
        results = list(pool.map(tried, pythons, [max(2, cores // len(pythons))] * len(pythons)))
    print(f"| Python | {' | '.join(SHOWN)} | passed | failed | skipped | seconds |\n|{'---|' * (len(SHOWN) + 5)}")
    for result in results:
        release = ".".join(map(str, result.python.version))
        if not result.why:
            of = dict(one.split("==") for one in result.versions if "==" in one)
            counts = (result.outcome.passed, len(result.outcome.failed), result.outcome.skipped, round(result.seconds))
            print("| " + " | ".join([release, *(of[name] for name in SHOWN), *map(str, counts)]) + " |")
    for result in results:
        for name in (result.why, *result.outcome.failed):
            if name:
                print(f"Python {result.python.name}: {name}")
    if len(pythons) == 1:
        print(f"Python {pythons[0].name} is the only one here from 3.11 on.")
    sys.exit(any(result.outcome.failed for result in results))


if __name__ == "__main__":
    main()
