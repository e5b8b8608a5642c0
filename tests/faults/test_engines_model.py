"""Two engines, each in a process of its own, on one ledger, and a provider that responds as badly as Hypothesis can
think of. Processes are killed and come back, persons cancel, reconcile and give up; in the end every video is here.

What must hold whatever happens (engines_world.py checks it after each step): a request is never sent while a job of it
may exist; every job that the provider made is stored, whole and once; no error says that nothing was charged where
there may be a job; every future ends, and with its engine all threads. SORA_SOAK=1 makes it 500 runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from .adversary import Identity
from .bad_responses import CONTENTS, HOLD, LOST, POLLS, REJECTIONS, TAKEN
from .engine_process import Refused
from .engines_world import World

EXAMPLES = 500 if os.environ.get("SORA_SOAK", "") == "1" else 50  # read now: a test sees no variable of ours

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="its many processes are forks: others start too slowly")
SLOTS = st.integers(0, 1)
SOME_SLOTS = st.sampled_from([[0], [1], [0, 1]])
IDENTITIES = st.sampled_from([("a", 1), ("b", 1), ("b", 2)])
# Half of them good ones: after too many uncertain purchases nothing is left to be bought.
RESPONSE = st.sampled_from(TAKEN) | st.sampled_from([*TAKEN, *REJECTIONS]) | st.sampled_from([*TAKEN, *LOST])
RESPONSES = st.lists(RESPONSE, min_size=1, max_size=2)
RELEASES = st.sampled_from(["ok", "400", "429", "502, made", "reset, made", "reset, not made"])
STATUSES = st.sampled_from(["completed", "completed", "failed", "in_progress", "queued"])
POLL_FAULTS = st.lists(st.sampled_from(list(POLLS)), max_size=3)
CONTENT_FAULTS = st.just(["stall"]) | st.lists(st.sampled_from(list(CONTENTS)), max_size=4)


def doing(step: str, /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A step: the name of a method of EnginesModel, and what it takes."""
    return st.tuples(st.just(step), st.fixed_dictionaries(given))


WAIT = doing("wait", slots=SOME_SLOTS, identity=IDENTITIES, status=STATUSES, polls=POLL_FAULTS, contents=CONTENT_FAULTS)
BUY = doing("buy", slots=SOME_SLOTS, identity=IDENTITIES, responses=RESPONSES)
# They are one rule, since Hypothesis leaves out many rules of a machine in each run.
STEPS = st.one_of(
    BUY,
    WAIT,
    BUY,
    WAIT,
    WAIT,
    doing("begin_to_buy", slot=SLOTS, identity=IDENTITIES, then=st.lists(RESPONSE, max_size=1), killed=st.booleans()),
    doing("buy_while_rate_limited", slot=SLOTS, identity=IDENTITIES, killed=st.booleans()),
    doing("release", response=RELEASES),
    doing("cancel", slot=SLOTS, which=st.integers(0, 5)),
    doing("let_time_pass"),
    doing("kill", slot=SLOTS),
    doing("close", slot=SLOTS, late=st.none() | RELEASES),
    doing("look_after_all", slot=SLOTS),
    doing("ask", slot=SLOTS, identity=IDENTITIES, what=st.sampled_from(["ask_again", "unwatched", "forgotten", ""])),
    doing("cancel_queued", slot=SLOTS, identity=IDENTITIES),
    doing("reconcile", slot=SLOTS, how=st.sampled_from(["id", "list", "lost", "id or lost"])),
)


class EnginesModel(RuleBasedStateMachine):
    at_once = 0  # any number of jobs

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.at_once)
        self.provider = self.world.provider
        self.failure: BaseException | None = None

    @rule(step=STEPS)
    def step(self, step: tuple[str, dict[str, Any]]) -> None:
        self.attempt(lambda: getattr(self, step[0])(**step[1]))

    def attempt(self, what: Callable[[], None]) -> None:
        """Do it, and look at all that must hold. The first failure is raised at the end of the run, and nothing is done
        until then: what is drawn must not depend on a process that was slower this time."""
        if self.failure is None:
            try:
                what()
                self.world.check()
            except Exception as error:  # noqa: BLE001 - it is raised in the end
                self.failure = error

    def teardown(self) -> None:
        self.attempt(self.world.come_to_the_end)
        self.world.clean_up()
        if self.failure is not None:
            raise self.failure

    # -- purchases ------------------------------------------------------------------------------------------------

    def buy(self, slots: list[int], identity: Identity, responses: list[str]) -> None:
        """Buy, or join what was bought, perhaps in both engines at the same moment, and see what comes of it."""
        self.provider.plan(identity, responses)
        for promise in [self.world.buy(slot, identity) for slot in slots]:
            self.world.settle(promise)

    def begin_to_buy(self, slot: int, identity: Identity, then: list[str], killed: bool) -> None:
        """The create arrives, and has no response yet: the worst moment of all to be killed."""
        self.provider.plan(identity, [HOLD, *then])
        self.world.settle(self.world.buy(slot, identity))
        if killed:
            self.world.kill(slot)

    def buy_while_rate_limited(self, slot: int, identity: Identity, killed: bool) -> None:
        """The create was clearly rejected, and is to be sent again in a moment."""
        self.provider.plan(identity, ["429 for a moment"])
        self.world.buy(slot, identity)
        time.sleep(0.1)
        if killed:
            self.world.kill(slot)

    def release(self, response: str) -> None:
        """What was held gets its response, also that of processes that are gone."""
        self.provider.release(response)

    def cancel(self, slot: int, which: int) -> None:
        """A person cancels a purchase, or a wait."""
        ours = [one for one in self.world.promises if one.engine is self.world.engine(slot)]
        if ours:
            self.world.engine(slot).do("cancel", number=ours[which % len(ours)].number)

    # -- waits ----------------------------------------------------------------------------------------------------

    def wait(self, slots: list[int], identity: Identity, status: str, polls: list[str], contents: list[str]) -> None:
        """The provider goes on with a job, and somebody begins to wait for its video, perhaps in both engines."""
        self.provider.next_polls.extend(polls)
        self.provider.next_contents.extend(contents)
        self.provider.go_on(identity, status)
        for slot in slots:
            row = self.world.row(slot, identity)
            if row is not None:
                self.world.wait(slot, row)

    def let_time_pass(self) -> None:
        """Long enough for a poll and a download."""
        time.sleep(0.15)

    # -- processes ------------------------------------------------------------------------------------------------

    def kill(self, slot: int) -> None:
        self.world.kill(slot)

    def close(self, slot: int, late: str | None) -> None:
        """Close an engine, in which a create may be under way whose response comes meanwhile."""
        self.world.close(slot, lambda: None if late is None else self.provider.release(late))

    # -- persons --------------------------------------------------------------------------------------------------

    def look_after_all(self, slot: int) -> None:
        """From now on the engine downloads also what nobody waits for."""
        self.world.engine(slot).do("background")

    def ask(self, slot: int, identity: Identity, what: str) -> None:
        """Ask again about a job, or set it aside, which the engine may refuse."""
        row = self.world.row(slot, identity)
        given = {"do": what} if what == "ask_again" else {"do": "set_visibility", "aside": what}
        if row is not None:
            try:
                self.world.engine(slot).do(given.pop("do"), job=row["id"], **given)
            except Refused as error:
                assert (error.type, error.charge == "none") in [("InvalidInputError", True), ("GatewayError", False)]

    def reconcile(self, slot: int, how: str) -> None:
        self.world.reconcile(slot, how)

    def cancel_queued(self, slot: int, identity: Identity) -> None:
        """Cancel a job of which nothing was sent, which the engine may refuse."""
        row = self.world.row(slot, identity)
        if row is not None:
            try:
                self.world.engine(slot).do("cancel_queued", job=row["id"])
            except Refused as error:
                assert error.type == "InvalidInputError"


class OneAtOnce(EnginesModel):
    """The same with a provider that may have one job at once: the others wait in the line, over both processes."""

    at_once = 1


A = {"identity": ("a", 1)}
BOUGHT = ("buy", {"slots": [0], **A, "responses": ["ok"]})
HELD = ("begin_to_buy", {"slot": 0, **A, "then": [], "killed": False})
CLOSED = {"slot": 0, "late": None}
WAITED = {"slots": [0], **A, "status": "completed", "polls": [], "contents": []}
AWHILE = ("let_time_pass", {})
# Moments that are not left to chance.
RUNS = {
    "both fetch one video": [BOUGHT, ("wait", WAITED | {"slots": [0, 1], "contents": ["stall"]}), AWHILE],
    "closed while somebody waits": [
        BOUGHT,
        ("wait", WAITED | {"status": "queued"}),
        ("close", {"slot": 0, "late": None}),
    ],
    "the video is short": [BOUGHT, ("wait", WAITED | {"contents": ["short"] * 4}), AWHILE, AWHILE],
    "failed, and bought again": [BOUGHT, ("wait", WAITED | {"status": "failed"}), AWHILE, BOUGHT],
    "closed while another one sends the same": [
        HELD,
        ("buy", {"slots": [1], **A, "responses": []}),
        ("close", CLOSED | {"slot": 1}),
    ],
    "closed while it sends": [HELD, ("close", CLOSED)],
    "killed between two tries": [("buy_while_rate_limited", {"slot": 0, **A, "killed": True}), BOUGHT],
    "a wait from before the id": [
        HELD,
        ("wait", WAITED | {"status": "queued", "polls": ["502"]}),
        AWHILE,
        ("release", {"response": "ok"}),
        AWHILE,
    ],
}


@FORKS
@pytest.mark.parametrize("name", RUNS)
def test_a_moment(name: str) -> None:
    play(EnginesModel(), RUNS[name])


def play(model: EnginesModel, steps: list[tuple[str, dict[str, Any]]]) -> None:
    for step in steps:
        model.step(step)
    model.teardown()


SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
EnginesModel.TestCase.settings = SETTINGS
OneAtOnce.TestCase.settings = settings(SETTINGS, max_examples=EXAMPLES // 2)
TestEnginesModel = EnginesModel.TestCase
TestEnginesModel.pytestmark = [FORKS]
TestOneAtOnce = OneAtOnce.TestCase
TestOneAtOnce.pytestmark = [FORKS]
