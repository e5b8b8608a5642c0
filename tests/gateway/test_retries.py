"""The table of what is made again, and after what pause: gateway/retries.py."""

from __future__ import annotations

from typing import Any

import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    LedgerError,
    NotOfferedError,
    RequestRejectedError,
    SoraError,
    StorageError,
)
from sora_jobs.gateway.retries import (
    call_connection,
    create_connection,
    create_delay_s,
    download_delay_s,
    download_is_repeated,
    list_connection,
    poll_delay_s,
    poll_is_repeated,
)
from urllib3.util.retry import Retry

TIMING = Timing()


@pytest.mark.parametrize(
    ("given", "attempt", "delay_s"),
    [
        ({}, 1, None),  # a plain rejection
        ({"retry_after_s": 3.0}, 1, None),
        ({"transient": True}, 1, 2.5),
        ({"transient": True}, 2, 4.5),
        ({"transient": True}, 4, 16.5),
        ({"transient": True}, 5, None),  # the last attempt
        ({"transient": True, "retry_after_s": 3.0}, 4, 3.0),
        ({"transient": True, "retry_after_s": 900.0}, 1, 900.0),  # the purchaser tells it, and does not wait
    ],
)
def test_a_create_is_sent_again_only_where_it_was_rejected_for_now(
    given: dict[str, Any], attempt: int, delay_s: float | None
) -> None:
    assert create_delay_s(RequestRejectedError("no", **given), attempt, TIMING, lambda: 0.5) == delay_s


def test_the_pause_of_a_create_has_an_end() -> None:
    patient = Timing(create_attempts=9)
    assert create_delay_s(RequestRejectedError("no", transient=True), 8, patient) == patient.create_backoff_max_s


@pytest.mark.parametrize(
    ("error", "poll", "download"),
    [
        (GatewayError("away"), True, True),
        (GatewayError("bad key", transient=False), False, False),
        (LedgerError("the database is away"), True, True),
        (NotOfferedError("an address that is not asked", transient=False), False, True),
        (StorageError("the disk is full"), False, False),
        (InvalidInputError("no key"), False, False),
    ],
)
def test_what_may_pass_is_asked_again(error: SoraError, poll: bool, download: bool) -> None:
    assert (poll_is_repeated(error, 0, TIMING), download_is_repeated(error)) == (poll, download)


def test_a_job_that_stays_unknown_is_given_up() -> None:
    most = TIMING.unknown_job_polls
    assert [poll_is_repeated(GatewayError("404"), polls, TIMING) for polls in (most, most + 1)] == [True, False]
    assert poll_is_repeated(LedgerError("away"), most + 1, TIMING)


@pytest.mark.parametrize(
    ("error", "interval_s", "failures", "pauses"),
    [
        (None, 10.0, 0, (10.0, 10.0)),
        (GatewayError("away"), 10.0, 1, (20.0, 10.0)),
        (GatewayError("away"), 10.0, 9, (60.0, 10.0)),
        (GatewayError("away"), 120.0, 3, (120.0, 120.0)),
        (GatewayError("slow down", retry_after_s=45.0), 10.0, 1, (45.0, 45.0)),
        (GatewayError("slow down", retry_after_s=86_400.0), 10.0, 1, (600.0, 600.0)),
    ],
)
def test_polls_slow_down_in_trouble(
    error: SoraError | None, interval_s: float, failures: int, pauses: tuple[float, float]
) -> None:
    assert poll_delay_s(error, interval_s, failures, TIMING) == pauses


@pytest.mark.parametrize(
    ("given", "failed", "delay_s"),
    [({}, 0, 1.0), ({}, 3, 8.0), ({}, 9, 30.0), ({"retry_after_s": 2.0}, 9, 2.0), ({"retry_after_s": 9e9}, 0, 600.0)],
)
def test_downloads_slow_down(given: dict[str, Any], failed: int, delay_s: float) -> None:
    assert download_delay_s(GatewayError("away", **given), failed, TIMING) == delay_s


def test_of_a_create_only_the_connecting_is_retried() -> None:
    """What was sent may have been bought, also where its response broke off or TLS failed after it."""
    create, call, listing = made = create_connection(), call_connection(), list_connection()
    assert all(isinstance(one, Retry) for one in made)
    assert (create.total, create.connect, create.read, create.other) == (2, 2, 0, 0)
    assert (call.total, call.connect, call.read) == (2, 2, 1)
    assert listing.total == 1
    assert {(one.status, one.redirect) for one in made} == {(0, 0)}
