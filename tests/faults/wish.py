"""What the processes of these tests buy, and how they are pointed at a gateway and a ledger of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import sora_jobs
from sora_jobs.config.timing import Timing
from sora_jobs.jobs.spec import Reference, VideoRequest

# On a farm a machine says every 15 s that it lives, and is taken for dead when it was silent for 60 s.
TIMING = Timing(heartbeat_s=0.25, heartbeat_timeout_s=1.0)


def spec(prompt: str, reference: bool) -> VideoRequest:
    """The purchase: the smallest film that any model makes. Noise, so that the upload is a megabyte in many pieces."""
    noise = np.random.default_rng(7).integers(0, 255, (480, 854, 3), np.uint8)
    return VideoRequest(
        provider="cometapi",
        model="seedance-2-5",
        seconds="4",
        size="854x480",
        prompt=prompt,
        references=(Reference(noise),) if reference else (),
    )


def environment(url: str, database: str = "") -> dict[str, str]:
    """What points an engine at a gateway of the test's, and at its ledger."""
    variables = {"COMETAPI_BASE_URL": url, "COMETAPI_KEY": "test-key-123456", "SORA_POLL_SECONDS": "0.05"}
    return variables | ({"SORA_DATABASE_URL": database} if database else {})


def bare_environment() -> dict[str, str]:
    """What a child of these tests gets: the engine, and nothing else of ours (Windows' sockets need SYSTEMROOT)."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {"PYTHONPATH": str(Path(sora_jobs.__file__).parents[1]), "PATH": "", "PYTHONIOENCODING": "utf-8"} | kept
