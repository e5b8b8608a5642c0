"""The engine's waits, as they are where nobody injects others."""

from __future__ import annotations

import pytest
from sora_jobs.config.timing import DEFAULT

from ..timings import FAST


@pytest.mark.parametrize(
    ("delay_s", "first", "most"),
    [
        (DEFAULT.content_delay_s, [1, 2, 4, 8, 16], 30),
        (DEFAULT.other_download_delay_s, [1, 2, 4], 5),
        (DEFAULT.join_delay_s, [0.2, 0.3, 0.45], 2),
    ],
    ids=["content", "other download", "join"],
)
def test_pauses_grow_up_to_a_limit(delay_s: object, first: list[float], most: float) -> None:
    """After some hours of outage as well: what doubles with each try is no number any more after a thousand of them."""
    assert [delay_s(number) for number in range(len(first))] == pytest.approx(first)  # type: ignore[operator]
    assert [delay_s(number) for number in (20, 5000)] == [most, most]  # type: ignore[operator]


def test_who_lives_is_not_taken_for_dead() -> None:
    """Several heartbeats, and several renewals of a lease, may be lost before others take a job over."""
    assert (DEFAULT.heartbeat_s, DEFAULT.heartbeat_timeout_s) == (15.0, 60.0)
    assert DEFAULT.lease_s >= 2 * DEFAULT.heartbeat_timeout_s


def test_what_tests_shorten_decides_nothing() -> None:
    """Who gives up when, and how often something is tried, is the same in them."""
    counts = ("connect_attempts", "create_attempts", "content_attempts", "download_attempts", "unknown_job_polls")
    for name in (*counts, "lease_s", "rescan_s", "expired_after_s"):
        assert getattr(FAST, name) == getattr(DEFAULT, name)
