"""Single steps of the ledger: what each writes, what it leaves alone, and what it says when it will not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.errors import (
    GatewayError,
    InvalidInputError,
    JobFailedError,
    LedgerError,
    NotOfferedError,
    PurchaseUncertainError,
    RequestRejectedError,
)
from sora_jobs.gateway.error_body import GatewayErrorBody
from sora_jobs.jobs.outcomes import ended_error, existing_purchase_error
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import ARCHIVED, EXPIRED, MUTED, TRUNCATED, Job, VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.queue import TAKEN_OVER
from sora_jobs.ledger.rows import run
from sora_jobs.messages import RECONCILE_HINT

from ..failures import failing

SPEC = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
PLACE = {"path": "sora/x.mp4", "root": "/o", "sha256": "0" * 64, "size": 5}
ORIGIN = "https://x"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, timing=Timing(clock=clock))
    yield opened
    opened.close()


def reserved(ledger: Ledger, take: int = 1) -> Job:
    spec = VideoRequest(provider="cometapi", prompt="a boat", model="sora-2", seconds="4", size="1280x720", take=take)
    return ledger.reserve(spec, origin=ORIGIN, estimated_usd=0.32, budget=Budget())[0]


def submitted(ledger: Ledger, video_id: str = "v1", take: int = 1) -> Job:
    job = reserved(ledger, take)
    ledger.sending(job.id)
    return ledger.submitted(job.id, RemoteVideo(id=video_id, phase="running", status="in_progress", request_id="r1"))


def unknown(ledger: Ledger, take: int = 1) -> Job:
    job = reserved(ledger, take)
    ledger.sending(job.id)
    return ledger.unknown(job.id, PurchaseUncertainError("lost", code="cut", request_id="r2"))


def test_every_step_has_its_time(ledger: Ledger, clock: Clock) -> None:
    """In seconds since 1970, by the clock of this machine."""
    job = reserved(ledger)
    clock.now = 1001
    ledger.sending(job.id)
    clock.now = 1002
    ledger.submitted(job.id, RemoteVideo(id="v1", phase="waiting"))
    clock.now = 1003
    ledger.observed(job.id, RemoteVideo(id="v1", phase="done", status="completed"))
    clock.now = 1004
    ledger.observed(job.id, RemoteVideo(id="v1", phase="done", status="completed"))
    stored = ledger.stored(job.id, **PLACE)
    times = (stored.created_at, stored.sent_at, stored.submitted_at, stored.completed_at, stored.stored_at)
    assert times == (1000, 1001, 1002, 1003, 1004)
    assert (stored.path, stored.root, stored.sha256, stored.bytes) == ("sora/x.mp4", "/o", "0" * 64, 5)
    assert (stored.error, stored.error_code, stored.progress) == ("", "", 100)


def test_a_row_holds_all_that_was_asked_for(ledger: Ledger) -> None:
    """Under an id that can be read aloud."""
    spec = VideoRequest(
        **dict.fromkeys(("provider", "prompt", "model"), "p"), seconds="4", size="8x8", extra_fields={"a": 1}
    )
    job, _ = ledger.reserve(spec, origin=ORIGIN, estimated_usd=None, budget=Budget(), references=["r.png"])
    assert re.fullmatch("[0-9a-hj-km-np-z]{10}", job.id)
    assert (job.extra_fields, job.references, job.estimated_usd) == ({"a": 1}, ("r.png",), None)
    assert (job.video_id, job.path, job.error, job.aside, job.progress) == ("", "", "", "", None)


def test_a_cut_film_is_marked(ledger: Ledger) -> None:
    """Stored all the same, and whole once a better one came."""
    job = submitted(ledger)
    cut = ledger.stored(job.id, **PLACE, whole=False)
    assert (cut.state, cut.error_code) == (JobState.STORED, TRUNCATED)
    assert cut.error == "the gateway gave only a part of the video; the next run tries to fetch all of it"
    assert ledger.stored(job.id, **PLACE).error_code == ""


def test_what_a_refusal_and_a_maybe_said_is_kept(ledger: Ledger) -> None:
    """Words, code and request id, for the list and for the gateway's support."""
    job = reserved(ledger)
    no = ledger.refused(job.id, RequestRejectedError("no", code="bad", request_id="r"))
    assert (no.error, no.error_code, no.request_id) == ("no", "bad", "r")
    maybe = unknown(ledger, 2)
    assert (maybe.state, maybe.error, maybe.error_code, maybe.request_id) == (JobState.UNKNOWN, "lost", "cut", "r2")
    # Both have ended: a late word of another kind changes neither.
    assert ledger.refused(maybe.id, RequestRejectedError("no")).state is JobState.UNKNOWN
    assert ledger.unknown(no.id, PurchaseUncertainError("x")).state is JobState.REFUSED


def test_a_request_that_was_refused_for_a_moment_counts_as_not_sent(ledger: Ledger) -> None:
    """So that the next process after a crash sends it, instead of calling it unknown."""
    job = reserved(ledger)
    ledger.sending(job.id)
    assert ledger.job(job.id).sent_at == 1000
    ledger.not_sent(job.id)
    assert (ledger.job(job.id).sent_at, ledger.job(job.id).state) == (None, JobState.RESERVED)


def test_a_row_that_another_took_over_is_not_sent(ledger: Ledger) -> None:
    """The error is told by its code, names the job, and says how to join."""
    job = reserved(ledger)
    with ledger.database.write() as connection:
        run(connection, "UPDATE jobs SET owner = 'another' WHERE id = :id", id=job.id)
    with failing(LedgerError, TAKEN_OVER, f"Job {job.id} was taken over") as caught:
        ledger.sending(job.id)
    assert caught.value.job == job.id
    assert caught.value.hint == "Run the same again to join it."
    ledger.not_sent(job.id)
    assert ledger.refused(job.id, RequestRejectedError("no")).state is JobState.RESERVED


def test_why_a_video_is_not_here_is_written_down_until_it_is(ledger: Ledger) -> None:
    """Of an unfinished job alone; a look that sees it again takes a lapsed one back."""
    job = submitted(ledger)
    seen = ledger.not_fetched(job.id, NotOfferedError("it has lapsed", code=EXPIRED))
    assert (seen.error, seen.error_code, seen.lapsed, seen.standing) == ("it has lapsed", EXPIRED, True, EXPIRED)
    again = ledger.observed(job.id, RemoteVideo(id="v1", phase="running", status="in_progress"))
    assert (again.error, again.error_code, again.lapsed) == ("", "", False)
    ledger.not_fetched(job.id, GatewayError("away", code="timeout"))
    assert ledger.job(job.id).standing == "submitted"
    ledger.stored(job.id, **PLACE)
    kept = ledger.not_fetched(job.id, GatewayError("gone"))
    assert (kept.state, kept.error) == (JobState.STORED, "")


def test_an_opened_id_costs_nothing_and_has_no_words_of_ours(ledger: Ledger) -> None:
    """It is at the gateway already; what it shows is learned there."""
    job = ledger.adopt("cometapi", ORIGIN, "v9")
    assert (job.kind, job.state, job.video_id, job.submitted_at) == ("opened", JobState.SUBMITTED, "v9", 1000)
    assert (job.prompt, job.parent, job.origin, job.provider) == ("", "", ORIGIN, "cometapi")
    assert ledger.adopt("other", ORIGIN, "v9").id != job.id
    assert ledger.spent_usd(Budget()) == 0


def test_a_late_answer_takes_its_purchase_again_unless_another_holds_it(ledger: Ledger) -> None:
    """The gateway gave an id to what was declared lost: it is kept either way, and nothing is bought twice."""
    late = unknown(ledger)
    ledger.reconcile(late.id)
    answered = ledger.submitted(late.id, RemoteVideo(id="v1", phase="waiting", request_id="r5"))
    assert (answered.state, answered.video_id, answered.request_id) == (JobState.SUBMITTED, "v1", "r5")
    assert (answered.error, answered.error_code) == ("", "")
    assert reserved(ledger).id == late.id
    other = unknown(ledger, 2)
    ledger.reconcile(other.id)
    holder = reserved(ledger, 2)
    assert ledger.submitted(other.id, RemoteVideo(id="v2", phase="waiting")).state is JobState.SUBMITTED
    assert reserved(ledger, 2).id == holder.id


def test_a_failure_is_kept_in_the_gateways_words(ledger: Ledger) -> None:
    """With its status and its code; and what the gateway calls a job of ours does not rename it."""
    job = submitted(ledger)
    said = GatewayErrorBody("too dark", ("moderation",), "")
    seen = ledger.observed(
        job.id, RemoteVideo(id="v1", phase="failed", status="failed", model="another", complaint=said)
    )
    assert (seen.state, seen.remote_status) == (JobState.FAILED, "failed")
    assert (seen.error, seen.error_code, seen.model) == ("too dark", "moderation", "sora-2")


# -- settling ---------------------------------------------------------------------------------------------------------


def test_an_unknown_is_settled_by_its_id(ledger: Ledger, clock: Clock) -> None:
    """From then on it is like any other that the gateway took, with nothing left of the doubt."""
    job = unknown(ledger)
    clock.now = 1010
    found = ledger.reconcile(job.id, video_id="v1")
    assert (found.state, found.video_id, found.submitted_at) == (JobState.SUBMITTED, "v1", 1010)
    assert (found.error, found.error_code) == ("", "")
    assert ledger.reserve(SPEC, origin=ORIGIN, estimated_usd=0.32, budget=Budget()) == (found, False)


def test_an_unknown_that_is_given_up_frees_its_purchase(ledger: Ledger) -> None:
    """It keeps why it was unknown, and counts for the budget all the same."""
    job = unknown(ledger)
    lost = ledger.reconcile(job.id)
    assert (lost.state, lost.error) == (JobState.LOST, "lost")
    assert ledger.spent_usd(Budget()) == pytest.approx(0.32)
    assert reserved(ledger).id != job.id


def test_only_what_is_open_can_be_settled(ledger: Ledger) -> None:
    """An id also ends what was sent and whose answer was not written down; nothing else is touched."""
    job = reserved(ledger)
    for video_id in ("", "v1"):
        with failing(InvalidInputError, "not_uncertain", f"Job {job.id} is reserved") as caught:
            ledger.reconcile(job.id, video_id=video_id)
        assert caught.value.job == job.id
    ledger.sending(job.id)
    with failing(InvalidInputError, "not_uncertain", "is reserved"):
        ledger.reconcile(job.id)
    assert ledger.reconcile(job.id, video_id="v1").state is JobState.SUBMITTED
    with failing(InvalidInputError, "not_uncertain", "is submitted"):
        ledger.reconcile(job.id, video_id="v2")


def test_an_id_that_was_opened_before_becomes_the_purchases_own(ledger: Ledger) -> None:
    """With its file and all that is known of it; the other row is gone."""
    job, opened = unknown(ledger), ledger.adopt("cometapi", ORIGIN, "v1")
    ledger.observed(opened.id, RemoteVideo(id="v1", phase="done", status="completed"))
    ledger.stored(opened.id, **PLACE)
    found = ledger.reconcile(job.id, video_id="v1")
    assert (found.id, found.state, found.path, found.root, found.bytes) == (
        job.id, JobState.STORED, "sora/x.mp4", "/o", 5,
    )  # fmt: skip
    assert (found.remote_status, found.progress, found.error, found.prompt) == ("completed", 100, "", "a boat")
    assert ledger.queries.find(opened.id) is None


def test_an_id_that_belongs_to_another_is_refused(ledger: Ledger) -> None:
    """A purchase of its own, and one that is being fetched right now; another gateway may give the same id."""
    taken = submitted(ledger, "v1", take=2)
    job = unknown(ledger)
    with failing(InvalidInputError, "video_id_taken", f"v1 is job {taken.id}") as caught:
        ledger.reconcile(job.id, video_id="v1")
    assert caught.value.job == job.id
    fetched = ledger.adopt("cometapi", ORIGIN, "v3")
    assert Leases(ledger.database).take(fetched.id)
    with failing(InvalidInputError, "download_in_progress", "v3", f"job {fetched.id}") as caught:
        ledger.reconcile(job.id, video_id="v3")
    assert caught.value.job == job.id
    others = [ledger.adopt("other", ORIGIN, "v4"), ledger.adopt("cometapi", "https://another", "v4")]
    assert ledger.reconcile(job.id, video_id="v4").state is JobState.SUBMITTED
    assert {found.id for found in ledger.queries.of_gateways("v4")} == {job.id, *(other.id for other in others)}
    with failing(InvalidInputError, "ambiguous_video_id", "v4") as caught:
        ledger.queries.find("v4")
    assert all(found.id in caught.value.hint for found in (job, *others))
    assert ledger.queries.by_gateway_id("cometapi", "https://another", "v4") == others[1]


# -- set aside --------------------------------------------------------------------------------------------------------


def test_only_what_has_ended_is_forgotten_and_only_what_has_not_unwatched(ledger: Ledger) -> None:
    """What may still cost or come is not to be forgotten; a lapsed one may be, and either can be taken back."""
    job = submitted(ledger)
    with failing(InvalidInputError, "cannot_set_aside", f"Job {job.id} is submitted", ARCHIVED) as caught:
        ledger.set_visibility(job.id, ARCHIVED)
    assert caught.value.job == job.id
    assert ledger.set_visibility(job.id, MUTED).aside == MUTED
    assert ledger.set_visibility(job.id, "").aside == ""
    ledger.not_fetched(job.id, NotOfferedError("x", code=EXPIRED))
    assert ledger.set_visibility(job.id, ARCHIVED).aside == ARCHIVED
    ledger.stored(job.id, **PLACE)
    with failing(InvalidInputError, "cannot_set_aside", "is stored", MUTED):
        ledger.set_visibility(job.id, MUTED)
    with failing(InvalidInputError, "unknown_option", "'gone'") as caught:
        ledger.set_visibility(job.id, "gone")
    assert caught.value.job == job.id


@pytest.mark.parametrize("ended", ["stored", "failed", "refused", "lost"])
def test_every_end_can_be_forgotten(ledger: Ledger, ended: str) -> None:
    """And an open doubt cannot."""
    if ended in ("stored", "failed"):
        job = submitted(ledger)
        if ended == "stored":
            ledger.stored(job.id, **PLACE)
        else:
            ledger.observed(job.id, RemoteVideo(id="v1", phase="failed", status="failed"))
    elif ended == "refused":
        job = ledger.refused(reserved(ledger).id, RequestRejectedError("no"))
    else:
        job = unknown(ledger)
        with failing(InvalidInputError, "cannot_set_aside", ARCHIVED):
            ledger.set_visibility(job.id, ARCHIVED)
        ledger.reconcile(job.id)
    assert ledger.job(job.id).state == ended
    assert ledger.set_visibility(job.id, ARCHIVED).aside == ARCHIVED


# -- told -------------------------------------------------------------------------------------------------------------


def test_the_listener_is_told_of_every_row(ledger: Ledger) -> None:
    """Once it is written, as it then is."""
    told: list[tuple[str, str]] = []
    ledger.listener = lambda job: told.append((job.id, job.standing))
    job = submitted(ledger)
    ledger.stored(job.id, **PLACE)
    assert told[0] == (job.id, "reserved")
    assert (job.id, "submitted") in told
    assert told[-1] == (job.id, "stored")


def test_why_the_same_is_not_sent_again(ledger: Ledger) -> None:
    """A doubt and a failure each say what happened, what became of the money, and how it goes on."""
    doubt = existing_purchase_error(unknown(ledger))
    assert isinstance(doubt, PurchaseUncertainError)
    assert (doubt.kind, doubt.charge, "(lost)" in doubt.message) == ("perhaps_bought", "possible", True)
    assert doubt.hint == RECONCILE_HINT.replace("JOB", doubt.job)
    failed = submitted(ledger, "v2", take=2)
    seen = ledger.observed(failed.id, RemoteVideo(id="v2", phase="failed", status="failed", request_id="r9"))
    bare = existing_purchase_error(seen)
    assert isinstance(bare, JobFailedError)
    assert (bare.job, bare.request_id, bare.code, bare.charge) == (failed.id, "r9", "", "possible")
    assert "gave no reason" in bare.message
    assert "choose another take" in bare.hint
    told = existing_purchase_error(replace(seen, error="too dark", error_code="moderation"))
    assert (told.code, "(moderation: too dark)" in told.message) == ("moderation", True)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("It was stopped (moderation_blocked).", "moderation_blocked", "It was stopped (moderation_blocked)"),
        ("Moderation_Blocked: no.", "moderation_blocked", "Moderation_Blocked: no"),
        ("no faces.", "moderation_blocked", "moderation_blocked: no faces"),
        ("", "moderation_blocked", "moderation_blocked"),
    ],
)
def test_a_reason_is_one_part_of_its_sentence(ledger: Ledger, error: str, code: str, said: str) -> None:
    """Neither its code nor its full stop is written twice."""
    job = replace(submitted(ledger), state=JobState.FAILED, error=error, error_code=code)
    assert existing_purchase_error(job).message == f"The gateway ended this job without a video ({said})."
    doubt = replace(job, state=JobState.UNKNOWN, error="the line was cut.", error_code="")
    earlier = "An earlier try of exactly this job may have been bought (the line was cut)."
    assert existing_purchase_error(doubt).message == earlier
    refused = ended_error(replace(job, state=JobState.REFUSED, error="no room."))
    assert "no video to wait for (no room)." in str(refused)


def test_a_failure_keeps_its_request_id(ledger: Ledger) -> None:
    """The one of the failure where there is one, else that of the create."""
    job = submitted(ledger)
    seen = ledger.observed(job.id, RemoteVideo(id="v1", phase="failed", status="failed"))
    assert (seen.request_id, seen.completed_at) == ("r1", 1000)
