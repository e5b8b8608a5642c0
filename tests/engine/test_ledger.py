"""The ledger decides what may be bought: one row per purchase, through crashes, threads and processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sora_jobs
from sora_jobs.config.budget import Budget
from sora_jobs.config.timing import Timing
from sora_jobs.errors import InvalidInputError, LedgerError, PurchaseUncertainError, RequestRejectedError
from sora_jobs.gateway.error_body import GatewayErrorBody
from sora_jobs.jobs.remote_video import RemoteVideo
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.jobs.state import JobState
from sora_jobs.ledger import migrations
from sora_jobs.ledger.leases import Leases
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.ledger.rows import run

from ..failures import failing

SPEC = VideoRequest(provider="cometapi", prompt="A boat_100%", model="sora-2", seconds="4", size="1280x720")
# Texts of a row in the first version's schema.
FIRST_COLUMNS = (
    "identity provider origin model seconds size prompt parent owner remote_status error error_code request_id path "
    "root sha256"
)
PLACE = {"path": "sora/x.mp4", "root": "/o", "sha256": "0" * 64, "size": 5}


@pytest.fixture
def ledger(tmp_path: Path, database_url: str) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, url=database_url)
    yield opened
    opened.close()


def reserve(ledger: Ledger, spec: VideoRequest = SPEC) -> tuple[object, bool]:
    return ledger.reserve(spec, origin="https://x", estimated_usd=0.32, budget=Budget())


def video(**more: object) -> RemoteVideo:
    return RemoteVideo(**{"id": "v1", "phase": "running", "status": "in_progress", **more})


def test_a_job_goes_its_way(ledger: Ledger) -> None:
    """Reserved, sent, submitted, watched, completed, stored: every step is kept."""
    job, mine = reserve(ledger)
    assert (job.state, mine, job.estimated_usd) == (JobState.RESERVED, True, 0.32)
    ledger.sending(job.id)
    assert ledger.submitted(job.id, video(progress=10.0)).progress == 10
    assert ledger.observed(job.id, video(progress=60.0)).progress == 60
    assert ledger.observed(job.id, video(phase="done", status="completed")).state is JobState.COMPLETED
    stored = ledger.stored(job.id, **PLACE)
    assert (stored.state, stored.path, stored.bytes) == (JobState.STORED, "sora/x.mp4", 5)
    assert ledger.observed(job.id, video(phase="failed")).state is JobState.STORED
    assert reserve(ledger) == (stored, False)
    assert ledger.queries.find("v1") == stored == ledger.queries.find(job.id)


def test_a_restart_keeps_everything(ledger: Ledger, tmp_path: Path, database_url: str) -> None:
    """Another program on the same folder reads the same rows."""
    job, _ = reserve(ledger)
    ledger.submitted(job.id, video())
    other = Ledger(tmp_path, url=database_url)
    assert other.job(job.id).video_id == "v1"
    assert reserve(other)[1] is False
    other.close()


@pytest.mark.parametrize("state", ["refused", "lost"])
def test_what_was_not_bought_frees_its_identity(ledger: Ledger, state: str) -> None:
    """The old row stays as history; a new one takes its place."""
    job, _ = reserve(ledger)
    if state == "refused":
        ledger.refused(job.id, RequestRejectedError("no", code="bad", request_id="r"))
    else:
        ledger.unknown(job.id, PurchaseUncertainError("cut"))
        ledger.reconcile(job.id)
    again, mine = reserve(ledger)
    assert mine
    assert again.id != job.id
    assert ledger.job(job.id).state == state


def test_a_living_process_keeps_its_reservation(ledger: Ledger, tmp_path: Path, database_url: str) -> None:
    """While the one who reserved it lives, nobody else sends it."""
    job, _ = reserve(ledger)
    other = Ledger(tmp_path, url=database_url)
    assert reserve(other) == (ledger.job(job.id), False)
    other.close()


CHILD = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from sora_jobs.config.budget import Budget
    from sora_jobs.ledger.ledger import Ledger
    from sora_jobs.jobs.spec import VideoRequest
    ledger = Ledger(Path(sys.argv[1]), url=sys.argv[4])
    spec = VideoRequest(provider="cometapi", prompt="A boat_100%", model="sora-2", seconds="4", size="1280x720")
    job, _ = ledger.reserve(spec, origin="https://x", estimated_usd=None, budget=Budget())
    if sys.argv[3] == "sending":
        ledger.sending(job.id)
    print(job.id, flush=True)
    sys.stdin.read()
"""


def a_minute_later(ledger: Ledger) -> None:
    """On a farm: nothing was heard of the other processes for a minute."""
    if ledger.database.shared:
        with ledger.database.write() as connection:
            run(connection, "UPDATE owners SET seen_at = seen_at - 61 WHERE id <> :me", me=ledger.database.owner.id)


@pytest.mark.parametrize("step", ["reserved", "sending"])
def test_a_killed_process_loses_nothing(ledger: Ledger, tmp_path: Path, database_url: str, step: str) -> None:
    """Killed before it sent: taken over and sent. Killed while it sent: unknown, never sent by itself.

    On one machine that is seen at once, on a farm when the dead machine was not heard of for a minute.
    """
    engine = str(Path(sora_jobs.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), engine, step, database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as child:
        name = child.stdout.readline().strip()
        assert reserve(ledger)[1] is False
        child.kill()
    a_minute_later(ledger)
    job, mine = reserve(ledger)
    assert job.id == name
    assert (mine, job.state) == ((True, JobState.RESERVED) if step == "reserved" else (False, JobState.UNKNOWN))


def test_many_threads_reserve_once(ledger: Ledger) -> None:
    """Eight threads, one identity, one sender."""
    barrier = threading.Barrier(8)

    def at_once(_: int) -> bool:
        barrier.wait(5)
        return reserve(ledger)[1]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(at_once, range(8))) == 1


def test_a_list_is_newest_first_and_filtered(tmp_path: Path) -> None:
    """Search takes its text literally: % and _ are letters like others."""
    times = iter(range(1000))
    ledger = Ledger(tmp_path, timing=Timing(clock=lambda: float(next(times))))
    names = [
        reserve(ledger, VideoRequest(**{**SPEC_FIELDS, "prompt": prompt}))[0].id
        for prompt in ("A 100% b", "a 1000 b", "C")
    ]
    assert [job.id for job in ledger.jobs()] == names[::-1]
    assert [job.id for job in ledger.jobs(search="100%")] == names[:1]
    assert [job.id for job in ledger.jobs(search="A 1", limit=1)] == names[1:2]
    assert [job.id for job in ledger.jobs(limit=1, after=names[2])] == names[1:2]
    assert ledger.jobs(after=names[0]) == []
    assert ledger.jobs(state="stored") == []
    assert len(ledger.jobs(model="sora-2")) == 3
    ledger.close()


def test_a_search_finds_an_id_whatever_its_letters(ledger: Ledger) -> None:
    """Gateways' ids mix small and capital letters, and databases differ in how they compare."""
    job, _ = reserve(ledger)
    ledger.submitted(job.id, RemoteVideo(id="task_AbCdEf123", phase="waiting"))
    for words in ("task_AbCdEf123", "abcdef", job.id.upper()):
        assert [found.id for found in ledger.jobs(search=words)] == [job.id]


SPEC_FIELDS = {"provider": "cometapi", "model": "sora-2", "seconds": "4", "size": "1280x720"}


def test_an_id_from_elsewhere_is_adopted_once(ledger: Ledger) -> None:
    """Opened twice it is one row, which learns what the gateway tells."""
    job = ledger.adopt("cometapi", "https://x", "video_9")
    assert ledger.adopt("cometapi", "https://x", "video_9").id == job.id
    seen = ledger.observed(job.id, video(id="video_9", model="sora-2", seconds="8", prompt="theirs"))
    assert (seen.model, seen.seconds, seen.prompt) == ("sora-2", "8", "theirs")


def test_an_unknown_id_is_a_clear_error(ledger: Ledger) -> None:
    """It names the command that lists them."""
    with failing(InvalidInputError, "unknown_job", "'nope'") as caught:
        ledger.job("nope")
    assert "sora jobs" in caught.value.hint


def test_a_newer_ledger_is_left_alone(ledger: Ledger, tmp_path: Path, database_url: str) -> None:
    """An older pack says so instead of writing into what it does not know."""
    reserve(ledger)
    with ledger.database.write() as connection:
        run(connection, "UPDATE schema_version SET version = 999")
    with failing(LedgerError, "ledger_newer"):
        Ledger(tmp_path, url=database_url).jobs()


def test_an_older_ledger_is_brought_up_to_date(tmp_path: Path, database_url: str, monkeypatch: Any) -> None:
    """Written by the first version, opened by this one: every row is there, and can be watched."""
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:1])
    old = Ledger(tmp_path, url=database_url)
    row = dict.fromkeys(FIRST_COLUMNS.split(), "") | {"id": "abc", "state": "submitted", "kind": "create"}
    row |= {"video_id": "v1", "extra_fields": "{}", "reference_files": "[]", "take": 1, "created_at": 1.0}
    with old.database.write() as connection:
        run(connection, f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", **row)
    old.close()
    monkeypatch.undo()
    now = Ledger(tmp_path, url=database_url)
    assert now.queries.find("v1").id == "abc"
    assert now.queries.find("v1").aside == ""
    assert Leases(now.database).take("abc")
    now.close()


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    """The error names the file, and the file stays as it was."""
    file = tmp_path / "ledger.sqlite3"
    file.write_bytes(b"my diary " * 200)
    with failing(LedgerError, "ledger_damaged", "ledger.sqlite3"):
        Ledger(tmp_path).jobs()
    assert file.read_bytes() == b"my diary " * 200


def test_no_secret_gets_in(ledger: Ledger) -> None:
    """A gateway may write keys and signed addresses into its errors; the ledger is read by more than its errors."""
    job, _ = reserve(ledger)
    ledger.submitted(job.id, video())
    said = GatewayErrorBody("see https://x.org/a.mp4?sig=abcdef, key sk-abcdefghijk", ("sk-abcdefghijk",), "")
    seen = ledger.observed(job.id, video(phase="failed", status="sk-abcdefghijk", complaint=said))
    assert seen.state is JobState.FAILED
    assert not {"sig=abcdef", "sk-abcdefghijk"} & {part for text in vars(seen).values() for part in str(text).split()}
    assert "abcdef" not in f"{seen.error} {seen.error_code} {seen.remote_status}"
