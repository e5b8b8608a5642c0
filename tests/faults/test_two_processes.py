"""Two ComfyUI processes, eight threads each, on one ledger: every purchase happens once, and one budget holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.sandbox import Sandbox

from .wish import bare_environment

RACER = Path(__file__).parent / "racer.py"
PRICE = 0.32  # of four seconds of sora-2


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "gateway", seconds=3600) as running:
        yield running


def race(gateway: Sandbox, home: Path, url: str, prompts: list[str], **variables: str) -> list[dict[str, str]]:
    """What became of each prompt, in each of the two processes."""
    if url:
        variables["SORA_DATABASE_URL"] = url
    racers = [start(gateway, home, prompts, seed, variables) for seed in (1, 2)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:  # now, both at the same moment
        racer.stdin.write("go\n")
        racer.stdin.flush()
    results = []
    for racer in racers:
        out, err = racer.communicate(timeout=120)
        assert racer.returncode == 0, err
        results.append(json.loads(out))
    return results


def start(gateway: Sandbox, home: Path, prompts: list[str], seed: int, variables: dict[str, str]) -> Any:
    given = {"home": str(home), "url": gateway.url, "key": "test-key-123456", "prompts": prompts, "seed": seed}
    return subprocess.Popen(
        [sys.executable, str(RACER), json.dumps(given | {"variables": variables})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=bare_environment(),
    )


def test_two_hundred_purchases_happen_once(gateway: Sandbox, tmp_path: Path, database_url: str) -> None:
    """The same 200 in two orders: 200 creates, and both processes hold the same ids."""
    prompts = [f"number {n} [sandbox: fail=x]" for n in range(200)]  # no film is rendered for one that fails
    first, second = race(gateway, tmp_path, database_url, prompts, SORA_BUDGET_USD_PER_DAY="1000")
    assert gateway.routes.counts["POST", "/v1/videos"] == 200
    assert first == second
    assert len(set(first.values())) == 200
    assert all(video_id.startswith("video_") for video_id in first.values())


def test_one_budget_for_both(gateway: Sandbox, tmp_path: Path, database_url: str) -> None:
    """Room for 20 of 80 different jobs: 20 are sent, 60 are refused before anything is."""
    prompts = [f"dear {n} [sandbox: fail=x]" for n in range(80)]
    limit = {"SORA_BUDGET_USD_PER_DAY": f"{20 * PRICE:.2f}"}
    results = race(gateway, tmp_path, database_url, prompts, **limit)
    assert gateway.routes.counts["POST", "/v1/videos"] == 20
    for result in results:
        bought = Counter(became.startswith("BudgetExceededError") for became in result.values())
        assert bought == {True: 60, False: 20}
