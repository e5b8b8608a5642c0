"""Two engines in processes of their own, on one ledger, and a provider of which nothing good can be expected: what
test_engines_model.py plays with, and what must hold in it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..media.clips import make_clip
from .adversary import Adversary, Create, Identity, seconds_of
from .engine_process import EngineProcess, Refused

SOON_S = 10.0  # for what has to happen by itself, on a busy machine
PATIENCE_S = 0.01
TRIES = 5  # of a person
CHARGES = ("none", "possible", "charged")
PROVIDERS = """
[provider.adversary]
base_url = "{url}"
key_variable = "ADVERSARY_KEY"
list = true
usd_per_second = 0
poll_seconds = 0.02
timeout_seconds = 0.6
"""


@cache
def clip() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        make_clip(Path(folder) / "clip.mp4", gop=4)  # so that also a part of it can be shown
        return (Path(folder) / "clip.mp4").read_bytes()


@dataclass(eq=False)
class Promise:
    """A future that an engine handed out."""

    engine: EngineProcess
    number: int
    identity: Identity
    job: str = ""  # of a wait; "" for a purchase
    first: int = 0  # the number of the next create that arrived after it was begun
    alone: bool = True  # no other purchase of the same was under way in that engine


class World:
    """The engines at two places, of which each is started when it is needed, and the futures that they handed out. The
    provider may have so many jobs `at_once`; 0 for any number."""

    def __init__(self, at_once: int = 0) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._home, self._output = Path(self._folder.name, "home"), Path(self._folder.name, "output")
        self._home.mkdir()
        self.provider = Adversary(clip()).__enter__()
        self._at_once, table = at_once, PROVIDERS.format(url=self.provider.url)
        table += f"at_once = {at_once}\n" if at_once else ""
        (self._home / "providers.toml").write_text(table, encoding="utf-8")
        self.promises: list[Promise] = []
        self._engines: list[EngineProcess | None] = [None, None]
        self._lives = 0

    def clean_up(self) -> None:
        for engine in self._living():
            engine.kill()
        self.provider.__exit__()
        self._folder.cleanup()

    # -- engines --------------------------------------------------------------------------------------------------

    def engine(self, slot: int) -> EngineProcess:
        """The engine there; a new process where it was killed or closed."""
        engine = self._engines[slot]
        if engine is None:
            self._lives += 1
            engine = EngineProcess(self._home, self._output, f"test-key-{self._lives:04}")
            self._engines[slot] = engine
        return engine

    def kill(self, slot: int) -> None:
        """kill -9. What it was asked for ends with it."""
        engine, self._engines[slot] = self.engine(slot), None
        self.provider.end(engine.key)
        said = engine.kill()
        assert said == "", said
        self.promises = [promise for promise in self.promises if promise.engine is not engine]

    def close(self, slot: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Close an engine: all its futures end, and its threads. `meanwhile` is called while it closes."""
        engine, self._engines[slot] = self.engine(slot), None
        engine.tell("close")
        meanwhile()
        closed = engine.told()
        self.provider.end(engine.key)
        said = engine.end()
        for outcome in closed["ended"]:
            self._check(engine, outcome)
        assert (closed["open"], closed["threads"], said) == ([], [], ""), (closed, said)

    def _living(self) -> Iterable[EngineProcess]:
        return [engine for engine in self._engines if engine is not None]

    # -- purchases and waits --------------------------------------------------------------------------------------

    def buy(self, slot: int, identity: Identity) -> Promise:
        engine, first = self.engine(slot), len(self.provider.creates)
        same = [one for one in self.promises if (one.engine, one.identity, one.job) == (engine, identity, "")]
        number = engine.do("create", prompt=identity[0], take=identity[1], seconds=seconds_of(identity[1]))
        self.promises.append(Promise(engine, number, identity, first=first, alone=not same))
        for one in same:
            one.alone = False
        return self.promises[-1]

    def settle(self, promise: Promise) -> None:
        """Until the purchase ends, or its create (or the one that it waits for) is held."""
        end = time.monotonic() + SOON_S
        while promise in self.promises and not self.provider.is_holding(promise.identity):
            assert time.monotonic() < end, f"it never ended: {promise}"
            self._hear(promise.engine, [promise], PATIENCE_S)

    def wait(self, slot: int, row: dict[str, Any]) -> None:
        engine, identity = self.engine(slot), (row["prompt"], row["take"])
        self.promises.append(Promise(engine, engine.do("wait", job=row["id"]), identity, row["id"]))

    def row(self, slot: int, identity: Identity) -> dict[str, Any] | None:
        """The newest job of a request."""
        rows = self.engine(slot).do("jobs")
        return next((row for row in rows if (row["prompt"], row["take"]) == identity), None)

    def reconcile(self, slot: int, how: str) -> None:
        """End the uncertain purchases, as far as it can be done that way: with the provider's `id`, by its `list`, or
        as `lost`; `id or lost` ends all."""
        for row in self.engine(slot).do("uncertain"):
            self._reconcile(self.engine(slot), row, how)

    def _reconcile(self, engine: EngineProcess, row: dict[str, Any], how: str) -> None:
        creates = self.provider.of((row["prompt"], row["take"]))
        known = {one["video_id"] for one in engine.do("jobs")}
        free = [one.video_id for one in creates if one.video_id and one.video_id not in known]
        given: dict[str, Any] = {"lost": True} if how == "lost" or (how == "id or lost" and not free) else {}
        if how.startswith("id") and free:
            given = {"video_id": free[0]}
        lost = [one for one in creates if one.is_open] if "lost" in given else []
        for create in lost:
            create.given_up = True
        try:
            engine.do("reconcile", job=row["id"], **given)
        except Refused as error:
            for create in lost:
                create.given_up = False
            assert error.type in ("PurchaseUncertainError", "GatewayError", "InvalidInputError"), error
            assert error.charge != "none" or error.type == "InvalidInputError", error

    # -- what must hold -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at any moment."""
        for engine in self._living():
            self._hear(engine)
        assert self.provider.violations == [], self.provider.violations
        assert not self._at_once or self.provider.most_at_once <= self._at_once

    def _hear(self, engine: EngineProcess, wanted: Iterable[Promise] = (), timeout_s: float = 0.0) -> None:
        numbers = [promise.number for promise in wanted]
        for outcome in engine.do("ended", wanted=numbers, timeout_s=timeout_s):
            self._check(engine, outcome)

    def _check(self, engine: EngineProcess, outcome: dict[str, Any]) -> None:
        """How a future ended, against what the provider knows."""
        promise = next(one for one in self.promises if (one.engine, one.number) == (engine, outcome["number"]))
        self.promises.remove(promise)
        error, job = outcome["error"], outcome["job"]
        if job is not None and job["state"] == "queued":
            assert (bool(promise.job), job["video_id"]) == (False, ""), outcome
        elif job is not None:
            remote = self.provider.jobs[job["video_id"]]
            # One that was opened by its id is a row of take 1, whatever it was bought as.
            assert remote.identity[0] == promise.identity[0] == job["prompt"], outcome
            assert promise.job or remote.identity == promise.identity, outcome
            if promise.job:
                assert job["state"] == "stored", outcome
                there = Path(job["path"]).read_bytes()
                cut = job["error_code"] == "cut_short" and remote.clip.startswith(there)
                assert there == remote.clip or cut, outcome
        elif error is None or error["code"] == "cancelled":
            # It sent nothing, whatever others of the same did. Of two in one engine nobody can tell which sent it.
            sent = [one for one in self._may_exist(promise) if one.number >= promise.first]
            assert promise.job or not promise.alone or sent == [], (promise, outcome)
        else:
            assert error["charge"] in CHARGES, error
            assert error["charge"] != "none" or self._may_exist(promise) == [], (promise, outcome)

    def _may_exist(self, promise: Promise) -> list[Create]:
        """The creates of which there may be a job, and which belong to that future. Others of the same may have been
        sent by others since; two purchases of one engine cannot be told apart."""
        creates = self.provider.of(promise.identity)
        if promise.job:
            rows = next(iter(self._living())).do("jobs") if self._living() else []
            only = sum((row["prompt"], row["take"]) == promise.identity for row in rows) == 1
            return [one for one in creates if one.is_open and only]
        ours = [one for one in creates if one.engine == promise.engine.key and one.number >= promise.first]
        if not promise.alone and any(one.rejected for one in ours):
            ours = []
        before = [one for one in creates if one.number < promise.first]
        return [one for one in before + ours if one.is_open]

    # -- the end --------------------------------------------------------------------------------------------------

    def come_to_the_end(self) -> None:
        """The provider is kind from now on: every future ends, and one new engine gets all that was bought."""
        self.provider.be_kind()
        for engine in self._living():
            self._wait_for_all(engine)
        for engine in self._living():
            engine.do("uncertain")  # which puts right what those that were killed left
            self._until_sent(engine)
        for slot, engine in enumerate(self._engines):
            if engine is not None:
                self.close(slot)
        creates = self.provider.creates
        self._put_right(self.engine(0))
        known = {row["video_id"] for row in self.engine(0).do("jobs")}
        made = {create.video_id for create in creates if create.video_id}
        # One that a person gave up may be taken for the one that was bought then: nobody could tell them apart.
        given_up = Counter(create.identity for create in creates if create.video_id and create.given_up)
        unknown = Counter(self.provider.jobs[video_id].identity for video_id in made - known)
        assert unknown <= given_up, f"bought, and not known: {made - known}"
        for video_id in sorted(made):
            _surely(self.engine(0), "open", video_id=video_id)
        for row in self.engine(0).do("jobs"):
            if row["state"] in ("submitted", "completed", "stored"):
                self.wait(0, row)
        self._wait_for_all(self.engine(0))
        self._check_files(made)
        self.check()
        self.close(0)

    def _wait_for_all(self, engine: EngineProcess) -> None:
        """Every future of it has ended soon."""
        self._hear(engine, [promise for promise in self.promises if promise.engine is engine], SOON_S)
        left = [promise for promise in self.promises if promise.engine is engine]
        assert left == [], left

    def _put_right(self, engine: EngineProcess) -> None:
        """What a person does about what is uncertain, set aside or failed."""
        for _ in range(TRIES):
            self.reconcile(0, "id or lost")
        for row in engine.do("jobs"):
            if row["aside"]:
                engine.do("set_visibility", job=row["id"], aside="")
            if row["state"] == "failed":
                _surely(engine, "ask_again", job=row["id"])
            if row["state"] == "queued":
                identity = (row["prompt"], row["take"])
                self.promises.append(Promise(engine, engine.do("send", job=row["id"]), identity, alone=False))
        self._wait_for_all(engine)
        self._until(engine, lambda: not engine.do("in_line"))
        self._until_sent(engine)

    def _until_sent(self, engine: EngineProcess) -> None:
        """Nothing is being sent any more, but for what another process holds up."""
        self._until(engine, lambda: "reserved" not in {row["state"] for row in engine.do("jobs")})

    def _until(self, engine: EngineProcess, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + SOON_S
        while not holds():
            assert time.monotonic() < end, engine.do("jobs")
            time.sleep(PATIENCE_S)

    def _check_files(self, made: set[str]) -> None:
        """Each job that was made is one row and, unless it failed, one whole file; nothing else is left over."""
        rows = self.engine(0).do("jobs")
        failed = {job.id for job in self.provider.jobs.values() if job.status == "failed"}
        known = sorted((row["video_id"], row["state"]) for row in rows if row["video_id"])
        assert known == sorted((video_id, "failed" if video_id in failed else "stored") for video_id in made), known
        assert [row for row in rows if row["state"] == "stored" and row["error_code"]] == [], rows
        assert {row["state"] for row in rows if not row["video_id"]} <= {"refused", "lost"}, rows
        files = sorted(file.read_bytes() for file in self._output.rglob("*.mp4"))
        assert files == sorted(self.provider.jobs[video_id].clip for video_id in made - failed)


def _surely(engine: EngineProcess, what: str, **given: str) -> None:
    """Have it done, also on a machine that is so busy that a request times out."""
    for attempt in range(TRIES):
        try:
            engine.do(what, **given)
        except Refused as error:
            if error.type != "GatewayError" or attempt == TRIES - 1:
                raise
        else:
            return
