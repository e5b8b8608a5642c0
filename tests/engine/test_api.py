"""The public API as a program uses it: docs/api.md."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sora_jobs
from sora_jobs import Engine, Job, JobState, VideoRequest, errors
from sora_jobs.util import waiting

from ..failures import failing
from ..timings import FAST

PACK = Path(__file__).parents[2]
MANUAL = (PACK / "docs" / "api.md").read_text(encoding="utf-8")
PROGRAM = MANUAL.split("```python\n", 1)[1].split("```", 1)[0]
PUBLIC = ["Engine", "Job", "JobState", "Reference", "VideoRequest", "errors"]
HEAVY = {"sqlalchemy", "cv2", "av", "aiohttp", "PIL", "numpy", "requests", "torch"}
QUICK = {"SORA_SANDBOX_SECONDS": "0.1", "SORA_POLL_SECONDS": "0.02"}
SLOW = {"SORA_SANDBOX_SECONDS": "2", "SORA_POLL_SECONDS": "0.02"}


def request(prompt: str = "a boat", **more: Any) -> VideoRequest:
    given = {"provider": "sandbox", "model": "seedance-2-5", "seconds": "4", "size": "854x480", "prompt": prompt}
    return VideoRequest(**(given | more))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Start engines, each with a home and an output of that name and those environment variables."""
    made: list[Engine] = []

    def engine(name: str = "one", **env: str) -> Engine:
        timing = dataclasses.replace(FAST, rescan_s=0.1)
        made.append(Engine(tmp_path / name, tmp_path / f"{name} output", env=QUICK | env, timing=timing))
        return made[-1]

    yield engine
    for one in made:
        one.close()


@pytest.fixture
def engine(start: Callable[..., Engine]) -> Engine:
    return start()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def state_of(engine: Engine, job: Job) -> JobState:
    found = engine.find(job.id)
    assert found is not None
    return found.state


# -- the names --------------------------------------------------------------------------------------------------------


def test_the_public_names_are_these() -> None:
    """A new one is a promise; one that is gone breaks programs."""
    assert sora_jobs.__all__ == PUBLIC
    assert set(PUBLIC) < set(dir(sora_jobs))
    for name in PUBLIC:
        assert getattr(sora_jobs, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Ledger'"):
        _ = sora_jobs.Ledger


def test_importing_the_package_loads_nothing_of_it() -> None:
    """Each name is imported at its first use; a request needs no library but numpy."""
    script = "import sys, sora_jobs; print(sorted(n for n in sys.modules if n.startswith('sora_jobs')), end=' '); "
    script += f"print(sorted({HEAVY} & set(sys.modules))); sora_jobs.VideoRequest; "
    script += f"print(sorted({HEAVY} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        encoding="utf-8",
        cwd=PACK / "nodes",
        check=True,
        timeout=60,
    )
    assert run.stdout == "['sora_jobs'] []\n['numpy']\n"


def test_every_method_is_in_the_manual() -> None:
    """And every part; what is private is in none."""
    table = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", MANUAL))
    engine = Engine("unused", "unused")
    public = {name for name in dir(engine) if not name.startswith("_")}
    assert public - table == {"ledger", "settings", "timing"}


# -- a program --------------------------------------------------------------------------------------------------------


def test_the_program_of_the_manual_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is written there, in 25 lines at most."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert PROGRAM.count("\n") <= 25
    exec(compile(PROGRAM, "docs/api.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("estimated: 0.0", "again: True")
    path, _, price = lines[-2].rpartition(" ")
    assert (Path(path).read_bytes()[4:8], price) == (b"ftyp", "0.0")
    assert Path(path).parent == tmp_path / "videos" / "sora"
    assert any(re.match(r" *\d+% ", line) for line in lines[1:-2])


@pytest.mark.usefixtures("one_film")
def test_a_request_is_paid_for_once(engine: Engine) -> None:
    """Made again it joins, waits for, and gives the same job; a further take is another one."""
    job = engine.create(request())
    assert isinstance(job, Job)
    assert (job.state, bool(job.video_id)) == (JobState.SUBMITTED, True)
    seen: list[tuple[float, str]] = []
    stored = engine.wait(job, timeout=30, on_progress=lambda fraction, status: seen.append((fraction, status)))
    assert stored.state is JobState.STORED
    assert engine.path(stored).is_file()
    assert all(0 <= fraction <= 1 and status for fraction, status in seen)
    assert engine.create(request()).id == job.id == engine.wait(job.id).id
    other = engine.create(request(take=2))
    assert {one.id for one in engine.jobs()} == {job.id, other.id}
    assert engine.find(job.video_id, "sandbox") == stored == engine.open(job.label)


@pytest.mark.usefixtures("one_film")
def test_a_remix_of_a_job(engine: Engine) -> None:
    """It is a job of its own, whose parent is the video."""
    parent = engine.wait(engine.create(request(model="sora-2", size="1280x720")), 30)
    remix = engine.remix(parent, "at night")
    assert (remix.kind, remix.parent) == ("remix", parent.video_id)
    assert engine.wait(remix, 30).state is JobState.STORED


def test_a_request_has_a_price_before_it_is_bought(engine: Engine) -> None:
    """The same as for a node; nothing is written, and a request that cannot be bought is refused as by `create`."""
    wanted = request(provider="cometapi", model="sora-2", size="1280x720")
    widgets = {"model": "sora-2", "seconds": "4", "size": "1280x720", "provider": "cometapi"}
    as_node = engine.quote(widgets | {"custom_model": "", "extra_fields": ""})
    assert engine.quote(wanted) == as_node
    assert as_node.usd == pytest.approx(0.32)
    with failing(errors.InvalidInputError, "unknown_provider", "nobody"):
        engine.quote(request(provider="nobody"))
    assert engine.spent().usd == 0
    assert not engine.home.exists()


def test_an_uncertain_purchase_is_given_up_only_by_a_wish(engine: Engine) -> None:
    """Without one, the provider's list decides; both wishes at once are none."""
    wanted = request()
    job, _ = engine.ledger.reserve(
        wanted,
        origin=engine.providers.client("sandbox").provider.origin,
        estimated_usd=0.0,
        budget=engine.settings.read().budget,
    )
    engine.ledger.sending(job.id)
    job = engine.ledger.unknown(job.id, errors.PurchaseUncertainError("cut"))
    assert engine.uncertain_jobs() == [job]
    with failing(errors.PurchaseUncertainError, "", "no such job"):
        engine.reconcile(job)
    with failing(errors.InvalidInputError, "", "either video_1 or lost"):
        engine.reconcile(job, video_id="video_1", lost=True)
    assert state_of(engine, job) is JobState.UNKNOWN
    assert engine.reconcile(job, lost=True).state is JobState.LOST
    assert engine.create(wanted).id != job.id


# -- Ctrl-C, and what ends a wait -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_film")
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_wait_leaves_the_download_to_the_background(
    start: Callable[..., Engine], error: type[BaseException]
) -> None:
    """Also where the program's own function broke; nothing is bought again."""

    def interrupt(_: float, __: str) -> None:
        raise error

    engine = start(**SLOW)
    job = engine.create(request())
    with pytest.raises(error):
        engine.wait(job, timeout=60, on_progress=interrupt)
    until(lambda: state_of(engine, job) is JobState.STORED)
    assert len(engine.jobs()) == 1


@pytest.mark.usefixtures("one_film")
def test_a_wait_that_is_too_short_leaves_it_as_well(start: Callable[..., Engine]) -> None:
    engine = start(**SLOW)
    job = engine.create(request())
    with failing(errors.WaitTimeoutError, "wait_timeout", charge="charged") as caught:
        engine.wait(job, timeout=0.05)
    assert caught.value.job == job.id
    until(lambda: state_of(engine, job) is JobState.STORED)


def test_an_interrupted_create_keeps_what_it_bought(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes when the request is about to be sent: its response is recorded before the interrupt is raised."""
    on_its_way, interrupted = threading.Event(), threading.Event()
    sending, is_done = engine.ledger.sending, waiting.is_done

    def held(*positional: Any) -> Job:
        job = sending(*positional)
        on_its_way.set()
        assert interrupted.wait(30)
        return job

    def with_interrupt(future: Future[Any]) -> bool:
        if not interrupted.is_set():
            assert on_its_way.wait(30)
            interrupted.set()
            raise KeyboardInterrupt
        return is_done(future)

    monkeypatch.setattr(engine.ledger, "sending", held)
    monkeypatch.setattr(waiting, "is_done", with_interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.create(request())
    (job,) = engine.jobs()
    assert (job.state, bool(job.video_id)) == (JobState.SUBMITTED, True)
    assert engine.create(request()).id == job.id


def test_a_create_that_is_interrupted_before_it_is_sent_buys_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled in the moment before its row is written."""
    begun, interrupted = threading.Event(), threading.Event()
    reserve, is_done = engine.ledger.reserve, waiting.is_done

    def held(*positional: Any, **keywords: Any) -> Any:
        begun.set()
        assert interrupted.wait(30)
        return reserve(*positional, **keywords)

    def with_interrupt(future: Future[Any]) -> bool:
        if not begun.is_set():
            assert begun.wait(30)
            raise KeyboardInterrupt
        interrupted.set()  # only once the purchase is cancelled is its end waited for
        return is_done(future)

    monkeypatch.setattr(engine.ledger, "reserve", held)
    monkeypatch.setattr(waiting, "is_done", with_interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.create(request())
    (job,) = engine.jobs(archived=True)
    assert (job.state, job.video_id, job.sent_at) == (JobState.REFUSED, "", None)


def test_a_closed_engine_is_waited_for_in_vain_by_nobody(engine: Engine) -> None:
    """Each call says so at once."""
    job = engine.create(request())
    engine.close()
    for call in (
        lambda: engine.create(request("another")),
        lambda: engine.remix(job, "at night"),
        lambda: engine.wait(job),
        lambda: engine.start(engine.refresh_models),
    ):
        with failing(errors.LocalError, "closed", charge="none"):
            call()


def test_who_calls_in_the_moment_of_closing_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too late for the check, and before the threads are gone: no call waits for ever."""
    job = engine.create(request())
    monkeypatch.setattr(Engine, "_check_open", lambda _: None)
    engine.close()
    with failing(errors.NotPurchasedError, "closing"):
        engine.create(request("another"))
    with failing(errors.NotPurchasedError, "closing"):
        engine.remix(job, "at night")
    with failing(errors.NotFinishedError, "closing", charge="charged"):
        engine.wait(job)
    with pytest.raises(CancelledError):
        engine.start(lambda: engine.open(job.id), job=job).result(10)


def test_a_wait_ends_with_the_engine(start: Callable[..., Engine]) -> None:
    engine = start(SORA_SANDBOX_SECONDS="600")
    job, seen = engine.create(request()), list[str]()
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(engine.wait, job, 60, lambda _, status: seen.append(status))
        until(lambda: bool(seen) and seen[-1] != "starting")
        engine.close()
        with failing(errors.NotFinishedError, "closing", job.id, charge="charged"):
            waits.result(30)


# -- several engines --------------------------------------------------------------------------------------------------


def test_making_an_engine_sets_nothing_of_the_process(tmp_path: Path) -> None:
    """No variable, thread, signal, logger or function at the end; and no file."""

    def process() -> tuple[Any, ...]:
        loggers = [logging.getLogger(), *(logging.getLogger(name) for name in sorted(logging.root.manager.loggerDict))]
        logs = [(one.name, one.level, one.disabled, one.handlers[:], one.filters[:]) for one in loggers]
        signals = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        return dict(os.environ), set(threading.enumerate()), atexit._ncallbacks(), logs, signals

    before = process()
    with Engine(tmp_path / "home", tmp_path / "output") as engine:
        assert process() == before
        assert engine.jobs() == []
    assert process() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("one_film")
def test_two_engines_do_not_disturb_each_other(start: Callable[..., Engine]) -> None:
    """Each buys the same request in its own ledger, at its own sandbox, in its own language; the end of one is none of
    the other."""
    one, two = start("one", SORA_LANGUAGE="vi", **SLOW), start("two", SORA_BUDGET_USD_PER_DAY="3", **SLOW)
    with ThreadPoolExecutor() as pool:
        jobs = list(pool.map(lambda engine: engine.create(request()), (one, two)))
    assert len({job.id for job in jobs}) == len({job.video_id for job in jobs}) == 2
    assert jobs[0].identity == jobs[1].identity
    assert len({engine.providers.client("sandbox").provider.base_url for engine in (one, two)}) == 2
    one.close()
    stored = two.wait(jobs[1], 60)
    assert two.path(stored).is_relative_to(two.output)
    assert [job.id for job in two.jobs()] == [stored.id]
    assert not [*one.output.rglob("*.mp4")]
    assert (one.page_settings.language, two.page_settings.language) == ("vi", "en")
    assert two.spent().per_day.usd_per_day == 3
    again = start("one", **SLOW)
    assert again.wait(jobs[0], 60).state is JobState.STORED
    assert len(again.jobs()) == 1


@pytest.mark.usefixtures("one_film")
def test_each_engine_has_a_sandbox_by_its_own_variables(start: Callable[..., Engine]) -> None:
    """One is at once ready with what the other takes ten minutes for."""
    one, two = start("one", SORA_SANDBOX_SECONDS="600"), start("two")
    slow, quick = one.create(request()), two.create(request())
    assert two.wait(quick, 30).state is JobState.STORED
    assert one.open(slow.id).state is JobState.SUBMITTED  # which asks the sandbox


@pytest.mark.usefixtures("one_film")
def test_two_engines_on_one_ledger_buy_once(start: Callable[..., Engine]) -> None:
    """At the same time, too."""
    engines = [start("one") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        jobs = list(pool.map(lambda engine: engine.wait(engine.create(request()), 60), engines))
    assert jobs[0].id == jobs[1].id
    assert len(engines[0].jobs()) == 1


# -- where it keeps things --------------------------------------------------------------------------------------------


def test_without_a_home_it_is_the_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And videos go where it puts them; a relative path is that of the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sora_jobs.config.locations.output_folder", lambda: None)
    with Engine(env={"SORA_HOME": str(tmp_path / "mine")}) as engine:
        assert (engine.home, engine.output, engine.settings.videos) == (tmp_path / "mine", *[tmp_path / "out"] * 2)
    monkeypatch.setattr("sora_jobs.config.locations.output_folder", lambda: tmp_path / "ComfyUI" / "output")
    with Engine("state") as engine:
        assert (engine.home, engine.settings.videos) == (tmp_path / "state", tmp_path / "ComfyUI" / "output" / "sora")
    with Engine("state", folder="mine") as engine:
        assert engine.settings.videos == tmp_path / "ComfyUI" / "output" / "mine"
    with Engine("state", "videos", folder="") as engine:
        assert engine.settings.videos == tmp_path / "videos"
