"""A model of the ledger, in a few lines, against the real one: Hypothesis tries to make them differ.

Two processes share it, die at any moment and come back. The model knows what the gateway may hold; the ledger must
never let a purchase be sent that may already be there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sora_jobs.config.budget import Budget
from sora_jobs.errors import LedgerError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger

PROMPTS = st.sampled_from(["a", "b"])
PROCESSES = st.integers(0, 1)
FREE = {JobState.REFUSED, JobState.LOST}


class Purchase:
    """The model's row: who holds it, whether the request may be at the gateway, and its state."""

    def __init__(self, job: str, owner: int) -> None:
        self.job, self.owner, self.sent, self.state = job, owner, False, JobState.RESERVED


class LedgerModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledgers = [Ledger(Path(self.folder.name)) for _ in range(2)]
        self.lives = [0, 0]  # how often each process was started: a reservation belongs to one life
        self.rows: dict[str, Purchase] = {}
        self.ids = 0

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        self.folder.cleanup()

    @rule(prompt=PROMPTS, process=PROCESSES)
    def reserve(self, prompt: str, process: int) -> None:
        """A row is ours exactly where nothing can be at the gateway and no living process holds it."""
        spec = VideoRequest(provider="cometapi", prompt=prompt, model="m", seconds="4", size="1280x720")
        job, mine = self.ledgers[process].reserve(
            spec, origin="https://x", estimated_usd=0.01, budget=Budget(usd_per_day=1e6)
        )
        row = self.rows.get(prompt)
        if row is None or row.state in FREE:
            assert mine
            self.rows[prompt] = Purchase(job.id, self._life(process))
            return
        assert job.id == row.job
        abandoned = row.state is JobState.RESERVED and not self._lives(row.owner)
        assert mine == (abandoned and not row.sent)
        if mine:
            row.owner = self._life(process)
        elif abandoned:
            row.state = JobState.UNKNOWN
        assert job.state is row.state

    @rule(prompt=PROMPTS, process=PROCESSES)
    def send(self, prompt: str, process: int) -> None:
        """Only the one who holds it may; from then on the gateway may have it."""
        row = self.rows.get(prompt)
        if row is None:
            return
        allowed = row.state is JobState.RESERVED and row.owner == self._life(process) and not row.sent
        try:
            self.ledgers[process].sending(row.job)
        except LedgerError:
            assert not allowed
        else:
            assert allowed
            row.sent = True

    @precondition(lambda self: self._sent())
    @rule(data=st.data(), answer=st.sampled_from(["id", "no", "busy", "nothing"]))
    def answer(self, data: st.DataObject, answer: str) -> None:
        """The gateway accepts, refuses, asks for patience, or nobody knows."""
        row = data.draw(st.sampled_from(self._sent()))
        ledger = self.ledgers[row.owner % 2]
        if answer == "id":
            self.ids += 1
            ledger.submitted(row.job, RemoteVideo(id=f"v{self.ids}", phase="waiting", status="queued"))
            row.state = JobState.SUBMITTED
        elif answer == "no":
            ledger.refused(row.job, RequestRejectedError("no"))
            row.state, row.sent = JobState.REFUSED, False
        elif answer == "busy":
            ledger.not_sent(row.job)
            row.sent = False
        else:
            ledger.unknown(row.job, PurchaseUncertainError("cut"))
            row.state = JobState.UNKNOWN

    @rule(prompt=PROMPTS, process=PROCESSES, phase=st.sampled_from(["running", "done", "failed"]))
    def look(self, prompt: str, process: int, phase: str) -> None:
        """A look moves an unfinished job, and no other."""
        row = self.rows.get(prompt)
        if row is None:
            return
        self.ledgers[process].observed(row.job, RemoteVideo(id="v", phase=phase, status=phase))
        if row.state in (JobState.SUBMITTED, JobState.COMPLETED):
            row.state = {"done": JobState.COMPLETED, "failed": JobState.FAILED}.get(phase, row.state)

    @rule(prompt=PROMPTS, process=PROCESSES)
    def store(self, prompt: str, process: int) -> None:
        """A finished job's file arrives, perhaps a second time."""
        row = self.rows.get(prompt)
        if row is not None and row.state in (JobState.COMPLETED, JobState.STORED):
            self.ledgers[process].stored(row.job, path="x", root="/", sha256="0" * 64, size=1)
            row.state = JobState.STORED

    @rule(prompt=PROMPTS, process=PROCESSES, found=st.booleans())
    def reconcile(self, prompt: str, process: int, found: bool) -> None:
        """The user says what became of an unknown one."""
        row = self.rows.get(prompt)
        if row is not None and row.state is JobState.UNKNOWN:
            self.ids += 1
            self.ledgers[process].reconcile(row.job, video_id=f"found-{self.ids}" if found else "")
            row.state = JobState.SUBMITTED if found else JobState.LOST

    @rule(process=PROCESSES)
    def die(self, process: int) -> None:
        """kill -9, and a new process in its place."""
        if self.ledgers[process].database.owner.started:
            self.ledgers[process].database.owner.close()
        self.ledgers[process].close()
        self.ledgers[process] = Ledger(Path(self.folder.name))
        self.lives[process] += 1

    @rule(prompt=PROMPTS, process=PROCESSES)
    def die_while_sending(self, prompt: str, process: int) -> None:
        """The worst moment of all, so that it is not left to chance."""
        self.reserve(prompt, process)
        self.send(prompt, process)
        self.die(process)

    @rule(process=PROCESSES)
    def rescue(self, process: int) -> None:
        """What the dead left half sent is put right."""
        Leases(self.ledgers[process].database).claim_unwatched()
        for row in self.rows.values():
            if row.state is JobState.RESERVED and not self._lives(row.owner):
                row.state = JobState.UNKNOWN if row.sent else JobState.REFUSED

    @invariant()
    def the_same_is_written_down(self) -> None:
        """Whoever asks gets the model's state."""
        for row in self.rows.values():
            assert self.ledgers[0].job(row.job).state is row.state

    def _life(self, process: int) -> int:
        return 2 * self.lives[process] + process

    def _lives(self, owner: int) -> bool:
        return self.lives[owner % 2] == owner // 2

    def _sent(self) -> list[Purchase]:
        return [
            row for row in self.rows.values() if row.sent and row.state is JobState.RESERVED and self._lives(row.owner)
        ]


LedgerModel.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
TestLedgerModel = LedgerModel.TestCase
