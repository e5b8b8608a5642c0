"""Finished videos that cannot be fetched now: none of them holds up another, and nobody is asked for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sora.errors import DiskTrouble, LedgerTrouble, LinkLapsed
from sora.spec import Job, JobSpec, JobState
from sora.studio import Studio

SPEC = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "0.05")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.02")
    made = Studio(tmp_path / "home", tmp_path / "output")
    yield made
    made.close()


def bought(studio: Studio, prompt: str) -> Job:
    return studio.submit(JobSpec(prompt=prompt, **SPEC)).result(30).job


def until(what: str, holds: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.01)


def lapsed(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose video the gateway does not offer, after all tries."""
    job = bought(studio, "a boat [sandbox: expired]")
    with monkeypatch.context() as quick:
        quick.setattr("sora.fetch.NOT_READY_S", 0.001)
        with pytest.raises(LinkLapsed):
            studio.wait(job.id, timeout_s=30).future.result(30)
    return studio.ledger.job(job.id)


def test_videos_that_are_not_ready_hold_up_no_other(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten wait for their next try, more than there are threads; another one is fetched meanwhile."""
    monkeypatch.setattr("sora.fetch.NOT_READY_S", 600.0)
    monkeypatch.setattr("sora.fetch.LONGEST_PAUSE_S", 600.0)
    stuck = [studio.wait(bought(studio, f"late [sandbox: notready=9, word={n}]").id, timeout_s=60) for n in range(10)]
    until("all were tried", lambda: all(wait.fetch is not None and wait.fetch.tries == 1 for wait in stuck))
    assert "HTTP 404" in stuck[0].status
    good = studio.wait(bought(studio, "a boat").id, timeout_s=60)
    assert good.future.result(30).state is JobState.STORED
    assert not any(wait.future.done() for wait in stuck)


def test_a_file_that_is_there_waits_for_no_download(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running a graph again must not wait behind downloads of other jobs."""
    done = bought(studio, "a boat")
    studio.wait(done.id, timeout_s=30).future.result(30)
    free, taken = threading.Event(), threading.Semaphore(0)

    def slow(*_: object, **__: object) -> None:
        taken.release()
        free.wait(20)
        raise DiskTrouble("never mind")

    monkeypatch.setattr("sora.fetch.download", slow)
    for n in range(4):
        studio.wait(bought(studio, f"slow [sandbox: word={n}]").id, timeout_s=60)
    assert all(taken.acquire(timeout=20) for _ in range(4))
    try:
        assert studio.wait(done.id, timeout_s=5).future.result(5).id == done.id
    finally:
        free.set()


def test_a_lapsed_video_is_marked_and_not_asked_for_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, that is: the list shows it, the rescue leaves it alone, and a new run of the user's tries it."""
    job = lapsed(studio, monkeypatch)
    assert (job.state, job.standing) == (JobState.COMPLETED, "lapsed")
    assert "does not offer" in job.error
    assert "lapsed" in job.label
    again = Studio(studio.settings.home, studio.settings.output)
    assert again.rescue() == 0
    again.close()
    monkeypatch.setattr("sora.fetch.NOT_READY_S", 0.001)
    with pytest.raises(LinkLapsed):
        studio.wait(job.id, timeout_s=30).future.result(30)


def test_a_lapsed_video_that_comes_back_is_stored(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's support gave the link new life: the mark goes."""
    job = bought(studio, "a boat [sandbox: notready=8]")
    monkeypatch.setattr("sora.fetch.NOT_READY_S", 0.001)
    with pytest.raises(LinkLapsed):
        studio.wait(job.id, timeout_s=30).future.result(30)
    assert studio.ledger.job(job.id).lapsed
    stored = studio.wait(job.id, timeout_s=30).future.result(30)
    assert (stored.standing, stored.error, stored.error_code) == ("stored", "", "")


def test_what_failed_in_the_background_is_tried_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a rest, until it is here; the log says each reason once."""
    for name, seconds in (("fetch.NOT_READY_S", 0.001), ("rescue.RESCAN_S", 0.05), ("rescue.REST_S", 0.1)):
        monkeypatch.setattr(f"sora.{name}", seconds)
    studio.rescue()
    real, tries = studio._collector._fetcher._download, []

    def broken(*given: object) -> object:
        tries.append(1)
        if len(tries) < 4:
            raise DiskTrouble("no room")
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(studio._collector._fetcher, "_download", broken)
    with caplog.at_level(logging.INFO, "sora"):
        job = bought(studio, "a boat")
        until("it is stored", lambda: studio.ledger.job(job.id).state is JobState.STORED)
        until("and told", lambda: "was fetched in the background" in caplog.text)
    assert len(tries) == 4
    assert caplog.text.count("no room") == 1


def test_every_purchase_is_looked_after(studio: Studio) -> None:
    """Where the rescue was begun (in ComfyUI), a video comes even if its graph ended before anyone waited for it."""
    assert studio.rescue() == 0
    job = bought(studio, "nobody waits")
    until("it is stored", lambda: studio.ledger.job(job.id).state is JobState.STORED)


def test_a_job_that_another_process_left_is_found_later(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is repeated: a command line that was closed leaves its job to the ComfyUI beside it."""
    monkeypatch.setattr("sora.rescue.RESCAN_S", 0.05)
    studio.rescue()
    bought(studio, "the first purchase")
    shell = Studio(studio.settings.home, studio.settings.output)
    job = bought(shell, "from the shell [sandbox: slow=0.3]")
    assert shell.ledger.job(job.id).state is JobState.SUBMITTED
    shell.close()
    until("it is stored", lambda: studio.ledger.job(job.id).state is JobState.STORED)


def test_a_ledger_that_is_away_for_a_moment_ends_no_wait(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it renders nor while it is fetched."""
    real, calls = studio.ledger.job, []

    def away_at_times(job: str) -> Job:
        calls.append(job)
        if len(calls) % 3 == 0:
            raise LedgerTrouble("the database is away")
        return real(job)

    monkeypatch.setattr("sora.fetch.NOT_READY_S", 0.001)
    wait = studio.wait(bought(studio, "a boat [sandbox: slow=0.3]").id, timeout_s=60)
    until("it is watched", lambda: wait.watch is not None)
    monkeypatch.setattr(studio.ledger, "job", away_at_times)
    assert wait.future.result(30).state is JobState.STORED
    assert len(calls) >= 4


def test_a_ledger_that_cannot_be_read_never_says_that_nothing_was_spent(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits has bought."""

    def away(_: str) -> Job:
        raise LedgerTrouble("the database is away")

    job = bought(studio, "a boat")
    monkeypatch.setattr(studio.ledger, "job", away)
    with pytest.raises(LedgerTrouble) as caught:
        studio.wait(job.id, timeout_s=30).future.result(30)
    assert caught.value.money == "spent"


def test_threads_are_few_however_many_wait(studio: Studio) -> None:
    """Buying, polling, fetching and searching together, with the two of the nodes: fewer than twenty."""
    studio.rescue()
    futures = [studio.submit(JobSpec(prompt=f"many [sandbox: slow=0.5, word={n}]", **SPEC)) for n in range(60)]
    waits = [studio.wait(future.result(30).job.id, timeout_s=60) for future in futures]
    most = 0
    while not all(wait.future.done() for wait in waits):
        names = [thread.name for thread in threading.enumerate()]
        most = max(most, sum(name.startswith("sora-") and "sandbox" not in name for name in names))
        time.sleep(0.005)
    assert 10 < most + 2 < 20
    assert {wait.future.result(0).state for wait in waits} == {JobState.STORED}
