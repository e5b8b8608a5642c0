"""What comes next for a job, in each state: each row of the table in delivery/advance.py, without threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sora_jobs.config.providers import Provider
from sora_jobs.config.timing import Timing
from sora_jobs.delivery.advance import Advance, Pause
from sora_jobs.delivery.entry import Entry, Wait
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    LedgerError,
    NotPurchasedError,
    RequestRejectedError,
    SoraError,
    StorageError,
)
from sora_jobs.jobs.spec import Job
from sora_jobs.jobs.state import JobState

from ..failures import failing

DAY = 86_400.0
NOW = 100 * DAY
TIMING = Timing(clock=lambda: NOW)
AWAY = GatewayError("HTTP 502", http_status=502)
UNKNOWN = GatewayError("HTTP 404", http_status=404)


def job(state: JobState = JobState.SUBMITTED, **more: Any) -> Job:
    empty = dict.fromkeys(("origin", "model", "seconds", "size", "prompt", "identity"), "")
    return Job(id="a", kind="create", state=state, take=1, provider="mine", video_id="video_1", **empty, **more)


class World:
    """The ledger, the provider, the leases and the downloads: what each says, and what each was asked."""

    def __init__(self) -> None:
        self.row = job()
        self.video: Job | SoraError = job()
        self.stored: Job | SoraError | None = None
        self.pace_s: float | SoraError = 10.0
        self.places, self.ours, self.free = 1, True, True
        self.asked: list[Any] = []

    def provider(self, name: str) -> Provider:
        assert name == "mine"
        if isinstance(self.pace_s, SoraError):
            raise self.pace_s
        return Provider(name=name, base_url="", poll_s=self.pace_s)

    def read(self, job_id: str) -> Job:
        assert job_id == "a"
        self.asked.append("read")
        return self.row

    def poll(self, seen: Job) -> Job:
        assert seen.id == "a"
        self.asked.append("poll")
        if isinstance(self.video, SoraError):
            raise self.video
        return self.video

    def not_known(self, seen: Job) -> Job:
        assert seen.id == "a"
        self.asked.append("not known")
        return self.row

    def place(self, job_id: str) -> int:
        assert job_id == "a"
        return self.places

    def poll_holders(self, queued: Job) -> None:
        assert queued.id == "a"
        self.asked.append("holders")

    def held(self, job_id: str) -> bool:
        assert job_id == "a"
        return self.ours

    def hold(self, job_id: str, for_s: float | None = None) -> bool:
        assert job_id == "a"
        self.asked.append(("hold", for_s))
        return self.free

    def extend(self, job_id: str, for_s: float) -> bool:
        assert job_id == "a"
        self.asked.append(("extend", for_s))
        return True

    def fetch(self, entry: Entry) -> Job | None:
        assert entry.job.id == "a"
        self.asked.append("fetch")
        if isinstance(self.stored, SoraError):
            raise self.stored
        return self.stored

    def delay_s(self, entry: Entry, error: SoraError) -> float:
        assert entry.job.id == "a"
        if not isinstance(error, GatewayError):
            raise error
        return 7.0

    def step(self, entry: Entry) -> Pause | None:
        return Advance(self, self, self, TIMING, lambda: 0.0)(entry)


class Order:
    """Sends as it is told to."""

    is_over = False

    def __init__(self, becomes: Job, pause_s: float | None = None) -> None:
        self.becomes, self.pause_s, self.wanted = becomes, pause_s, list[bool]()

    def send(self, seen: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
        assert seen.id == "a"
        self.wanted.append(wanted())
        return self.becomes, self.pause_s


@pytest.fixture
def world() -> World:
    return World()


# -- what is not sent yet ---------------------------------------------------------------------------------------------


def test_what_is_ours_is_sent_and_polled_at_once(world: World) -> None:
    order = Order(job())
    entry = Entry(job(JobState.RESERVED), waits=[Wait()], order=order, rounds=3)
    assert world.step(entry) == Pause(0.0)
    assert (entry.job.state, entry.rounds, order.wanted, world.asked) == (JobState.SUBMITTED, 0, [True], [])


def test_what_is_rejected_for_now_is_sent_again_after_a_pause(world: World) -> None:
    entry = Entry(job(JobState.RESERVED), waits=[Wait()], order=Order(job(JobState.RESERVED), 4.0))
    assert world.step(entry) == Pause(4.0, 4.0)


def test_what_was_queued_and_is_rejected_for_now_keeps_the_pause(world: World) -> None:
    """It has a place now, and is asked to wait."""
    entry = Entry(job(JobState.QUEUED), order=Order(job(JobState.RESERVED), 45.0))
    assert (world.step(entry), entry.job.state) == (Pause(45.0, 45.0), JobState.RESERVED)


@pytest.mark.parametrize(
    ("state", "waits", "given_up", "wanted"),
    [
        (JobState.RESERVED, [], False, False),
        (JobState.RESERVED, [True], False, True),
        (JobState.RESERVED, [False, True], False, True),
        (JobState.RESERVED, [False], False, False),
        (JobState.RESERVED, [True], True, False),
        (JobState.QUEUED, [], False, True),
        (JobState.QUEUED, [], True, False),
    ],
)
def test_whether_it_is_still_wanted_is_told(
    world: World, state: JobState, waits: list[bool], given_up: bool, wanted: bool
) -> None:
    """A queued one is, until it is cancelled; others as long as somebody waits for the purchase."""
    order = Order(job())
    entry = Entry(job(state), waits=[Wait(wanted=lambda wants=wants: wants) for wants in waits], order=order)
    entry.is_given_up = given_up
    world.step(entry)
    assert order.wanted == [wanted]


def test_what_cannot_be_sent_is_over(world: World) -> None:
    class Refused(Order):
        def send(self, seen: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
            raise RequestRejectedError("no", transient=True)

    with failing(RequestRejectedError, ""):
        world.step(Entry(job(JobState.RESERVED), order=Refused(job())))


@pytest.mark.parametrize(("place", "sends", "holders", "pause_s"), [(1, 1, 1, 1.0), (2, 0, 0, 2.0), (90, 0, 0, 30.0)])
def test_the_first_in_the_line_is_sent_as_soon_as_there_is_a_place(
    world: World, place: int, sends: int, holders: int, pause_s: float
) -> None:
    """It has those polled that hold the places; the others look less often."""
    order = Order(job(JobState.QUEUED), 0.0)
    entry = Entry(job(JobState.QUEUED), order=order)
    world.places = place
    assert world.step(entry) == Pause(pause_s)
    assert (len(order.wanted), world.asked.count("holders"), entry.place) == (sends, holders, place)


@pytest.mark.parametrize("over", [False, True])
def test_a_ledger_that_is_away_takes_nothing_out_of_the_line(world: World, over: bool) -> None:
    """Unless the order knows of it, and has ended."""

    class Away(Order):
        is_over = over

        def send(self, seen: Job, wanted: Callable[[], bool]) -> tuple[Job, float | None]:
            raise LedgerError("away")

    entry = Entry(job(JobState.QUEUED), order=Away(job()))
    if over:
        with failing(LedgerError, ""):
            world.step(entry)
    else:
        assert (world.step(entry), entry.trouble) == (Pause(1.0), "away")


def test_what_finds_no_place_is_queued(world: World) -> None:
    entry = Entry(job(JobState.RESERVED), waits=[Wait()], order=Order(job(JobState.QUEUED), 0.0))
    world.places = 3
    assert (world.step(entry), entry.place, entry.job.state) == (Pause(3.0), 3, JobState.QUEUED)


def test_what_another_process_sends_is_read_again(world: World) -> None:
    """Less and less often; what became of it is what comes next."""
    entry, world.row = Entry(job(JobState.RESERVED)), job(JobState.RESERVED)
    assert [world.step(entry) for _ in range(2)] == [Pause(TIMING.join_delay_s(n)) for n in (1, 2)]
    world.row = job()
    assert (world.step(entry), entry.rounds) == (Pause(0.0), 0)
    for state in (JobState.REFUSED, JobState.UNKNOWN):
        entry, world.row = Entry(job(JobState.RESERVED)), job(state)
        assert (world.step(entry), entry.job.state) == (None, state)
    assert set(world.asked) == {"read"}


def test_what_another_process_has_queued_is_read_again(world: World) -> None:
    entry, world.row, world.places = Entry(job(JobState.QUEUED)), job(JobState.QUEUED), 1
    assert (world.step(entry), entry.place, world.asked) == (Pause(1.0), 1, ["read"])


def test_what_nobody_sends_any_more_is_told(world: World) -> None:
    world.row, world.places = job(JobState.QUEUED), 0
    with failing(NotPurchasedError, "not_sent_yet"):
        world.step(Entry(job(JobState.QUEUED), waits=[Wait()]))


# -- what the provider has --------------------------------------------------------------------------------------------


def test_a_poll_is_made_at_the_providers_interval(world: World) -> None:
    entry = Entry(job(), rounds=5, unknown_polls=2, error=AWAY)
    assert world.step(entry) == Pause(10.0, 10.0)
    assert (entry.rounds, entry.unknown_polls, entry.error, world.asked) == (0, 0, None, ["poll"])


@pytest.mark.parametrize(("state", "pause"), [(JobState.COMPLETED, Pause(0.0)), (JobState.FAILED, None)])
def test_what_is_finished_goes_on_at_once(world: World, state: JobState, pause: Pause | None) -> None:
    entry, world.video = Entry(job()), job(state)
    assert (world.step(entry), entry.job.state) == (pause, state)


@pytest.mark.parametrize(("pace_s", "lease_s"), [(10.0, 120.0), (100.0, 300.0)])
def test_the_lease_is_taken_for_longer_than_to_the_next_poll(world: World, pace_s: float, lease_s: float) -> None:
    world.ours, world.pace_s = False, pace_s
    assert world.step(Entry(job())) == Pause(pace_s, pace_s)
    assert world.asked == ["read", ("hold", lease_s), "poll"]


def test_what_another_process_polls_is_read(world: World) -> None:
    world.ours, world.free = False, False
    assert world.step(Entry(job())) == Pause(10.0, 10.0)
    assert world.asked == ["read", ("hold", 120.0)]


def test_what_another_process_has_finished_is_polled_no_more(world: World) -> None:
    world.ours, world.row = False, job(JobState.STORED)
    entry = Entry(job())
    assert (world.step(entry), entry.job.state, world.asked) == (None, JobState.STORED, ["read"])


def test_trouble_is_shown_and_polled_through(world: World) -> None:
    """Slower and slower, as retries.py says; a poll that succeeds makes it as it was."""
    entry, world.video = Entry(job()), AWAY
    assert [world.step(entry) for _ in range(3)] == [Pause(20.0, 10.0), Pause(40.0, 10.0), Pause(60.0, 10.0)]
    assert (entry.trouble, entry.unknown_polls) == ("HTTP 502", 0)
    world.video = job()
    assert (world.step(entry), entry.trouble) == (Pause(10.0, 10.0), "")


def test_what_the_provider_asks_for_is_kept_by_one_who_comes_later(world: World) -> None:
    world.video = GatewayError("slow down", retry_after_s=45.0)
    assert world.step(Entry(job())) == Pause(45.0, 45.0)
    world.video = GatewayError("cut", code="network")
    assert [world.step(entry := Entry(job())), world.step(entry)] == [Pause(1.0, 1.0), Pause(40.0, 10.0)]


@pytest.mark.parametrize("error", [GatewayError("bad key", transient=False), InvalidInputError("bought elsewhere")])
def test_trouble_that_stays_is_the_end(world: World, error: SoraError) -> None:
    world.video = error
    with pytest.raises(type(error)):
        world.step(Entry(job(), waits=[Wait()]))


def test_a_job_that_stays_unknown_is_given_up_for_those_who_wait(world: World) -> None:
    """Other trouble in between begins the count anew."""
    entry = Entry(job(), waits=[Wait()])
    for error, times in ((UNKNOWN, TIMING.unknown_job_polls), (AWAY, 1), (UNKNOWN, TIMING.unknown_job_polls)):
        world.video = error
        assert all(world.step(entry) is not None for _ in range(times))
    with failing(GatewayError, ""):
        world.step(entry)
    assert "not known" in world.asked


def test_a_ledger_that_is_away_ends_nothing(world: World) -> None:
    world.video = LedgerError("away")
    assert world.step(Entry(job())) == Pause(20.0, 10.0)
    assert world.asked == ["poll"]


def test_a_provider_that_is_gone_for_a_moment_ends_nothing(world: World) -> None:
    world.video, world.pace_s = AWAY, InvalidInputError("no provider")
    assert world.step(Entry(job())) == Pause(60.0, 60.0)


# -- stale ------------------------------------------------------------------------------------------------------------

STALE = job(stale_at=NOW - 2 * DAY)
HOURS = Pause(6 * 3600.0, 10.0)


@pytest.mark.parametrize("error", [None, AWAY, UNKNOWN], ids=["running", "away", "unknown"])
def test_a_stale_job_is_polled_every_six_hours(world: World, error: SoraError | None) -> None:
    """Whatever its provider says; the lease is kept until then."""
    world.row, world.video = STALE, error or STALE
    entry = Entry(STALE, background=True, unknown_polls=50)
    assert world.step(entry) == HOURS
    assert world.asked[-1] == ("extend", 3 * 6 * 3600.0)


def test_a_stale_job_is_polled_as_usual_for_one_who_waits(world: World) -> None:
    world.video = STALE
    assert world.step(Entry(STALE, waits=[Wait()])) == Pause(10.0, 10.0)
    assert world.asked == ["poll"]


@pytest.mark.parametrize(("days", "pause"), [(6.9, HOURS), (7.1, None)])
def test_a_job_that_is_stale_for_a_week_is_polled_no_more(world: World, days: float, pause: Pause | None) -> None:
    world.video = replace(STALE, stale_at=NOW - days * DAY)
    assert world.step(Entry(STALE, background=True)) == pause


# -- what is rendered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.STORED])
def test_a_video_is_downloaded(world: World, state: JobState) -> None:
    """Also one whose file is missing."""
    entry, world.stored = Entry(job(state)), job(JobState.STORED, path="a.mp4")
    assert (world.step(entry), entry.job.path, world.asked) == (None, "a.mp4", ["fetch"])
    assert entry.fetch is not None


def test_a_video_that_another_process_downloads_is_looked_for_again(world: World) -> None:
    entry = Entry(job(JobState.COMPLETED))
    assert [world.step(entry) for _ in range(3)] == [Pause(1.0), Pause(2.0), Pause(4.0)]
    fetch = entry.fetch
    world.step(entry)
    assert entry.fetch is fetch


def test_a_download_that_failed_is_tried_again_as_it_may(world: World) -> None:
    entry, world.stored = Entry(job(JobState.COMPLETED)), AWAY
    assert (world.step(entry), entry.trouble) == (Pause(7.0, 7.0), "HTTP 502")
    world.stored = StorageError("full")
    with failing(StorageError, ""):
        world.step(entry)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.REFUSED, JobState.UNKNOWN, JobState.LOST])
def test_what_has_ended_takes_no_step(world: World, state: JobState) -> None:
    assert (world.step(Entry(job(state))), world.asked) == (None, [])
