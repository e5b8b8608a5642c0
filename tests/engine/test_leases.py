"""One process watches a job; its claim ends with it, and others take over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.errors import LedgerError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.queue import TAKEN_OVER
from sora_jobs.ledger.rows import run
from sora_jobs.ledger.shared_output import meet

from ..failures import failing


class Machine:
    """A process with the ledger open, as others of a farm see it."""

    def __init__(self, home: Path, url: str) -> None:
        self.ledger = Ledger(home, url=url, timing=Timing(clock=lambda: self.now))
        self.leases = Leases(self.ledger.database)
        self.now = 1_800_000_000.0

    def reserved(self, prompt: str) -> str:
        spec = VideoRequest(provider="cometapi", prompt=prompt, model="sora-2", seconds="4", size="1280x720")
        return str(self.ledger.reserve(spec, origin="https://x", estimated_usd=0.1, budget=Budget())[0].id)

    def submitted(self, prompt: str, phase: str = "running") -> str:
        job = self.reserved(prompt)
        self.ledger.sending(job)
        self.ledger.submitted(job, RemoteVideo(id=f"v-{prompt}", phase=phase, status="x"))
        return job

    def die(self) -> None:
        """Without a word: on one machine its file lock is free, on a farm it falls silent."""
        if self.ledger.database.shared:
            with self.ledger.database.write() as connection:
                run(connection, "UPDATE owners SET seen_at = 0 WHERE id = :me", me=self.ledger.database.owner.id)
        self.ledger.database.owner.close()


@pytest.fixture
def machines(tmp_path: Path, database_url: str) -> Iterator[list[Machine]]:
    made = [Machine(tmp_path, database_url) for _ in range(2)]
    yield made
    for machine in made:
        machine.ledger.close()


def test_one_watches_at_a_time(machines: list[Machine]) -> None:
    """It stays with the one who has it, until he leaves it."""
    first, second = machines
    job = first.submitted("a")
    assert first.leases.take(job)
    assert not second.leases.take(job)
    assert first.leases.take(job)
    first.leases.leave(job)
    assert second.leases.take(job)
    second.leases.leave()
    assert first.leases.take(job)


def test_the_dead_leave_their_jobs(machines: list[Machine]) -> None:
    """Whoever asks next gets them."""
    first, second = machines
    job = first.submitted("a")
    assert first.leases.take(job)
    first.die()
    assert second.leases.take(job)


def test_a_claim_lapses_by_itself(machines: list[Machine]) -> None:
    """A process that lives but forgot its job holds nobody up for ever."""
    first, second = machines
    job = first.submitted("a")
    assert first.leases.take(job)
    with first.ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET watched_until = watched_until - :s", s=Timing().lease_s + 1)
    assert second.leases.take(job)


def test_the_rescue_takes_what_nobody_watches(machines: list[Machine]) -> None:
    """Running and finished ones, each once; stored ones and those of the living are left alone."""
    first, second = machines
    jobs = [first.submitted("running"), first.submitted("done", "done")]
    stored, watched = first.submitted("stored", "done"), first.submitted("watched")
    first.ledger.stored(stored, path="x", root="/", sha256="0" * 64, size=1)
    assert first.leases.take(watched)
    assert set(second.leases.claim_unwatched()) == set(jobs)
    assert second.leases.claim_unwatched() == []
    first.die()
    assert second.leases.claim_unwatched() == [watched]


def test_what_the_dead_left_half_sent_is_put_right(machines: list[Machine]) -> None:
    """Not sent yet: refused, so that it may be sent. On its way: unknown, so that it is never sent by itself."""
    first, second = machines
    fresh, sent = first.reserved("fresh"), first.reserved("sent")
    first.ledger.sending(sent)
    assert second.leases.claim_unwatched() == []
    assert {second.ledger.job(job).state.value for job in (fresh, sent)} == {"reserved"}
    first.die()
    second.leases.claim_unwatched()
    assert [second.ledger.job(job).state.value for job in (fresh, sent)] == ["refused", "unknown"]
    assert second.reserved("fresh") != fresh
    assert second.reserved("sent") == sent


def test_a_sleeper_whose_job_was_taken_over_sends_nothing(machines: list[Machine]) -> None:
    """It was taken for dead before it sent: the other one sends, and only that one."""
    first, second = machines
    job = first.reserved("a")
    first.die()
    assert second.reserved("a") == job
    with failing(LedgerError, TAKEN_OVER, job):
        first.ledger.sending(job)
    second.ledger.sending(job)


def test_a_late_answer_still_counts(machines: list[Machine]) -> None:
    """It was taken for dead while it sent: what it then learns ends the unknown state."""
    first, second = machines
    job = first.reserved("a")
    first.ledger.sending(job)
    first.die()
    second.leases.claim_unwatched()
    assert second.ledger.job(job).state.value == "unknown"
    done = first.ledger.submitted(job, RemoteVideo(id="v1", phase="running", status="x"))
    assert (done.state.value, done.error) == ("submitted", "")


def test_an_unknown_one_is_nobodys(machines: list[Machine]) -> None:
    """The rescue does not touch what only its owner can settle."""
    first, second = machines
    job = first.reserved("a")
    first.ledger.unknown(job, PurchaseUncertainError("cut"))
    assert second.leases.claim_unwatched() == []


def test_machines_meet_in_the_output_folder(machines: list[Machine], tmp_path: Path, monkeypatch: object) -> None:
    """A machine that writes somewhere else is named; each leaves one file, however often it looks."""
    first, second = machines
    shared, other = tmp_path / "output", tmp_path / "elsewhere"

    def look(machine: Machine, name: str, output: Path) -> tuple[list[str], list[str]]:
        monkeypatch.setattr("socket.gethostname", lambda: name)
        return meet(machine.ledger.database, output)

    assert look(first, "one", shared) == ([], [])
    assert look(second, "two", shared) == (["one"], [])
    assert look(first, "one", shared) == (["two"], [])
    assert len(list((shared / ".sora-farm").iterdir())) == 2
    assert look(second, "two", other) == ([], ["one"])


def test_a_sleepers_own_end_does_not_touch_the_others_try(machines: list[Machine]) -> None:
    """It was taken for dead, another one sends the row: what became of its own try frees nothing."""
    first, second = machines
    job = first.reserved("a")
    first.die()
    assert second.reserved("a") == job
    second.ledger.sending(job)
    first.ledger.refused(job, RequestRejectedError("no"))
    first.ledger.unknown(job, PurchaseUncertainError("cut"))
    first.ledger.not_sent(job)
    assert second.ledger.job(job).sent_at is not None
    assert second.ledger.submitted(job, RemoteVideo(id="v1", phase="running", status="x")).state.value == "submitted"
    assert first.reserved("a") == job


def test_an_answer_after_the_row_was_freed_takes_the_purchase_back(machines: list[Machine]) -> None:
    """Declared lost, then the answer comes after all: the next run joins it; a stored job stays stored."""
    first, second = machines
    job = first.reserved("a")
    first.ledger.sending(job)
    first.ledger.unknown(job, PurchaseUncertainError("cut"))
    second.ledger.reconcile(job)
    running = RemoteVideo(id="v1", phase="running", status="x")
    assert first.ledger.submitted(job, running).state.value == "submitted"
    assert second.reserved("a") == job
    second.ledger.stored(job, path="x", root="/", sha256="0" * 64, size=1)
    assert first.ledger.submitted(job, running).state.value == "stored"
