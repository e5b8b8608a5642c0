"""The table of what is made again, and after what pause: gateway/retries.py."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sora_jobs.config.timing import Timing
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    LedgerError,
    NotFinishedError,
    NotOfferedError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    StorageError,
    TruncatedVideoError,
    UnreachableError,
)
from sora_jobs.gateway.retries import Call, delay, least_s

TIMING = Timing()
LOST = GatewayError("no response", code="network")


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
        ({"transient": True, "retry_after_s": 3.0}, 5, None),
        ({"transient": True, "retry_after_s": 0.0}, 1, 0.0),
        ({"transient": True, "retry_after_s": 60.0}, 1, 60.0),
        ({"transient": True, "retry_after_s": 60.1}, 1, None),  # nobody waits so long; whoever runs it again sends it
    ],
)
def test_a_create_is_sent_again_only_where_it_was_rejected_for_now(
    given: dict[str, Any], attempt: int, delay_s: float | None
) -> None:
    assert delay("create", RequestRejectedError("no", **given), attempt, TIMING, jitter=lambda: 0.5) == delay_s


def test_the_pause_of_a_create_has_an_end() -> None:
    patient = Timing(create_attempts=9)
    error = RequestRejectedError("no", transient=True)
    assert delay("create", error, 8, patient) == patient.create_backoff_max_s


@pytest.mark.parametrize(("transient", "pauses"), [(True, [0.3, 0.6, None, None]), (False, [None, None, None, None])])
def test_a_create_that_reached_nobody_is_sent_again_soon(transient: bool, pauses: list[float | None]) -> None:
    error = UnreachableError("refused", transient=transient)
    assert [delay("create", error, attempt, TIMING) for attempt in (1, 2, 3, 4)] == pauses


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("bad certificate", code="tls"),  # not transient unless it is said
        PurchaseUncertainError("hung up"),
        LedgerError("the database is away"),
        InvalidInputError("plain http to the internet", code="url_not_private"),
        GatewayError("HTTP 502", http_status=502),
        OSError("anything else"),
        None,
    ],
    ids=repr,
)
def test_no_other_create_is_sent_again(error: BaseException | None) -> None:
    """It may have been bought, or it cannot be."""
    assert delay("create", error, 1, TIMING) is None


@pytest.mark.parametrize(
    ("error", "poll", "download"),
    [
        (GatewayError("away"), True, True),
        (GatewayError("bad key", transient=False), False, False),
        (LedgerError("the database is away"), True, True),
        (NotOfferedError("an address that is not asked", transient=False), False, True),
        (TruncatedVideoError("a part"), True, True),
        (NotFinishedError("a bug", code="unexpected_error"), False, False),
        (StorageError("the disk is full"), False, False),
        (InvalidInputError("no key"), False, False),
        (OSError("a bug"), False, False),
    ],
)
def test_what_may_pass_is_asked_again(error: BaseException, poll: bool, download: bool) -> None:
    made_again = [delay(call, error, 1, TIMING) is not None for call in ("poll", "download", "content")]
    assert made_again == [poll, download, download]


@pytest.mark.parametrize("error", [GatewayError("404", http_status=404), GatewayError("400", http_status=400)])
def test_a_job_that_stays_unknown_is_given_up(error: GatewayError) -> None:
    most = TIMING.unknown_job_polls
    assert [delay("poll", error, polls, TIMING) is not None for polls in (1, most, most + 1)] == [True, True, False]


@pytest.mark.parametrize("error", [LedgerError("away"), LOST, GatewayError("HTTP 502", http_status=502)])
def test_an_outage_is_never_given_up(error: SoraError) -> None:
    """Nor does the number of attempts become too large to count with."""
    assert delay("poll", error, 5000, TIMING, interval_s=10.0, jitter=lambda: 0.0) == 60.0
    assert delay("download", error, 5000, TIMING) == 30.0


@pytest.mark.parametrize(
    ("error", "interval_s", "failures", "pauses"),
    [
        (None, 10.0, 0, (10.0, 10.0)),
        (None, 0.5, 0, (0.5, 0.5)),
        (GatewayError("away"), 5.0, 3, (40.0, 5.0)),
        (GatewayError("away"), 10.0, 1, (20.0, 10.0)),
        (GatewayError("away"), 10.0, 2, (40.0, 10.0)),
        (GatewayError("away"), 10.0, 9, (60.0, 10.0)),
        (GatewayError("away"), 120.0, 3, (120.0, 120.0)),
        (GatewayError("unknown", http_status=404), 10.0, 1, (20.0, 10.0)),
        (LedgerError("away"), 10.0, 1, (20.0, 10.0)),
        (GatewayError("slow down", retry_after_s=45.0), 10.0, 1, (45.0, 45.0)),
        (GatewayError("slow down", retry_after_s=5.0), 10.0, 1, (20.0, 10.0)),
        (GatewayError("slow down", retry_after_s=86_400.0), 10.0, 1, (600.0, 600.0)),
        (LOST, 10.0, 1, (1.0, 1.0)),  # soon, for the first time
        (LOST, 0.2, 1, (0.2, 0.2)),
        (LOST, 10.0, 2, (40.0, 10.0)),
        (GatewayError("HTTP 502", http_status=502, code="network"), 10.0, 1, (20.0, 10.0)),  # a response it was
        (GatewayError("no PySocks", code="socks"), 10.0, 1, (20.0, 10.0)),
    ],
)
def test_polls_slow_down_in_trouble(
    error: SoraError | None, interval_s: float, failures: int, pauses: tuple[float, float]
) -> None:
    due_s = delay("poll", error, failures, TIMING, interval_s=interval_s, jitter=lambda: 0.0)
    assert (due_s, least_s(error, failures, TIMING, interval_s=interval_s)) == pauses


@pytest.mark.parametrize(("error", "attempt", "most_s"), [(None, 0, 11.0), (LOST, 1, 1.1), (LOST, 9, 61.0)])
def test_jobs_do_not_poll_in_step(error: SoraError | None, attempt: int, most_s: float) -> None:
    assert delay("poll", error, attempt, TIMING, interval_s=10.0, jitter=lambda: 1.0) == pytest.approx(most_s)


def test_no_poll_is_due_before_it_may_be_made() -> None:
    errors = [None, LOST, GatewayError("404", http_status=404), GatewayError("busy", retry_after_s=7.0)]
    for error, attempt, interval_s in itertools.product(errors, range(12), (0.0, 0.5, 10.0, 90.0)):
        due_s = delay("poll", error, attempt, TIMING, interval_s=interval_s)
        assert due_s is not None
        assert due_s >= least_s(error, attempt, TIMING, interval_s=interval_s)


@pytest.mark.parametrize("call", ["content", "download"])
@pytest.mark.parametrize(
    ("given", "attempt", "delay_s"),
    [
        ({}, 1, 1.0),
        ({}, 2, 2.0),
        ({}, 4, 8.0),
        ({}, 6, 30.0),
        ({"retry_after_s": 2.0}, 6, 2.0),
        ({"retry_after_s": 0.0}, 6, 0.0),
        ({"retry_after_s": 9e9}, 1, 600.0),
    ],
)
def test_downloads_slow_down(call: Call, given: dict[str, Any], attempt: int, delay_s: float) -> None:
    assert delay(call, GatewayError("away", **given), attempt, TIMING) == delay_s


@pytest.mark.parametrize("error", [NotOfferedError("not yet"), TruncatedVideoError("a part"), GatewayError("404")])
def test_a_video_that_is_not_offered_is_given_up_and_an_outage_is_not(error: GatewayError) -> None:
    most = TIMING.content_attempts
    assert [delay("content", error, attempt, TIMING) is not None for attempt in (most - 1, most)] == [True, False]
    assert delay("download", error, most, TIMING) is not None
