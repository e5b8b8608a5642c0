"""Many purchases at once in one process: those that wait for another one's answer hold nobody up."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from sora.budget import Budget
from sora.errors import MaybeBought, NotFinished, Refused, WaitTimeout
from sora.ledger import Ledger
from sora.spec import Job, JobSpec, JobState
from sora.studio import SUBMIT_THREADS, Studio

SPEC = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.05")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    made = Studio(tmp_path / "home", tmp_path / "output")
    yield made
    made.close()


@pytest.fixture
def other(studio: Studio) -> Iterator[Ledger]:
    """Another process on the same ledger, in the middle of a purchase that takes its time."""
    ledger = Ledger(studio.settings.home)
    yield ledger
    ledger.close()


def spec(prompt: str) -> JobSpec:
    return JobSpec(prompt=prompt, **SPEC)


def held(ledger: Ledger, prompt: str) -> Job:
    """Reserved and being sent by that process."""
    job, mine = ledger.reserve(spec(prompt), origin="sandbox", estimated_usd=0.0, budget=Budget())
    assert mine
    ledger.sending(job.id)
    return job


def test_joins_hold_up_no_other_purchase_and_no_wait(studio: Studio, other: Ledger) -> None:
    """A process that was stopped (Ctrl-Z) has more purchases in its hands than we have threads."""
    done = studio.submit(spec("before")).result(30).job
    names = [f"held {number}" for number in range(SUBMIT_THREADS + 3)]
    for name in names:
        held(other, name)
    joins = [studio.submit(spec(name)) for name in names]
    bought = studio.submit(spec("another")).result(10).job
    assert studio.wait(bought.id, timeout_s=30).future.result(30).state is JobState.STORED
    assert studio.wait(done.id, timeout_s=30).future.result(30).state is JobState.STORED
    assert not any(join.done() for join in joins)


def test_a_join_ends_with_the_others_answer(studio: Studio, other: Ledger) -> None:
    """Refused there, it is sent here; the second one who wants it joins that."""
    job = held(other, "a boat")
    joins = [studio.submit(spec("a boat")) for _ in range(2)]
    time.sleep(0.3)
    assert not any(join.done() for join in joins)
    other.refused(job.id, Refused("no"))
    submissions = [join.result(20) for join in joins]
    assert {submission.job.state.value for submission in submissions} <= {"submitted", "completed", "stored"}
    assert sorted(submission.reused for submission in submissions) == [False, True]


def test_a_join_that_was_given_up_sends_nothing(studio: Studio, other: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel was pressed while another process was sending it; that it is refused there does not make us buy."""
    job = held(other, "a boat")
    join = studio.submit(spec("a boat"))
    time.sleep(0.3)
    join.cancel()
    other.refused(job.id, Refused("no"))
    with pytest.raises((NotFinished, CancelledError)):
        join.result(10)
    assert [one.state for one in studio.ledger.jobs()] == [JobState.REFUSED]


def test_closing_sends_nothing_that_has_not_begun(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued when the program ends is not bought on its way out."""
    attempt = studio._purchases.attempt

    def slowly(*given: object) -> object:
        time.sleep(0.3)
        return attempt(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(studio._purchases, "attempt", slowly)
    futures = [studio.submit(spec(f"queued {number}")) for number in range(3 * SUBMIT_THREADS)]
    while not any(future.running() for future in futures):
        time.sleep(0.005)
    studio.close()
    assert all(future.done() for future in futures)
    bought = [future for future in futures if not future.cancelled()]
    assert 0 < len(bought) <= SUBMIT_THREADS
    assert len(studio.ledger.jobs()) == len(bought)


def test_who_waits_for_a_purchase_learns_that_its_sender_died(studio: Studio, other: Ledger) -> None:
    """`sora resume` on a job that another program is sending: when that is killed, nobody waits an hour for nothing."""
    job = held(other, "a boat")
    wait = studio.wait(job.id, timeout_s=60)
    time.sleep(0.2)
    assert not wait.future.done()
    other.close()
    with pytest.raises(MaybeBought) as caught:
        wait.future.result(10)
    assert caught.value.job == job.id
    assert studio.ledger.job(job.id).state is JobState.UNKNOWN


def test_a_purchase_that_is_still_being_sent_is_not_called_bought(studio: Studio, other: Ledger) -> None:
    """Neither who joins it nor who waits for it can know more than that money may have been spent."""
    job = held(other, "a boat")
    with pytest.raises(WaitTimeout, match="another program is still sending it") as caught:
        studio.wait(job.id, timeout_s=0.1).future.result(10)
    assert caught.value.money == "perhaps"
    join = studio.submit(spec("a boat"))
    time.sleep(0.3)
    studio.close()
    with pytest.raises(NotFinished) as closing:
        join.result(10)
    assert closing.value.money == "perhaps"


def test_a_list_settles_nothing_while_the_same_words_are_being_sent(studio: Studio, other: Ledger) -> None:
    """The job that the list shows may be the other take's, whose id nobody has written down yet."""
    take = dataclasses.replace(spec("a boat"), take=2)
    job, _ = studio.ledger.reserve(take, origin="sandbox", estimated_usd=0.0, budget=Budget())
    studio.ledger.unknown(job.id, MaybeBought("cut"))
    held(other, "a boat")
    with pytest.raises(MaybeBought, match="being sent at this moment"):
        studio.look_for(job.id).result(10)
