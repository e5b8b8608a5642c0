"""The states of a job: what follows from each, and that no other file lists them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sora_jobs.jobs.state import JobState, queued_text
from sora_jobs.ledger.rows import state_in

PACK = Path(__file__).parents[2]
# The one list; and schema steps, which stay as they were when they first ran.
MAY_LIST = ("jobs/state.py", "ledger/migrations.py")
NAMES = {*JobState, "lapsed"}
QUESTIONS = {
    "is_running": {"queued", "reserved", "submitted", "completed"},
    "is_open": {"queued", "reserved", "submitted"},
    "is_reserved": {"queued", "reserved"},
    "is_pending": {"submitted", "completed"},
    "is_rendered": {"completed", "stored"},
    "is_bought": {"submitted", "completed", "stored"},
    "is_finished": {"stored", "failed", "refused", "lost"},
    "is_free": {"refused", "lost"},
    "blocks_purchase": {"unknown", "failed"},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_follows_from_a_state(question: str) -> None:
    assert {state for state in JobState if getattr(state, question)} == QUESTIONS[question]


def test_every_question_is_in_the_table() -> None:
    assert {name for name, value in vars(JobState).items() if isinstance(value, property)} == set(QUESTIONS)


def test_the_place_of_a_queued_job() -> None:
    """In words, and said where nobody sends it."""
    told = {place: queued_text(place) for place in (1, 2, 3, 4, 11, 12, 13, 21, 112)}
    numbers = [text.removeprefix("queued, ").removesuffix(" in line") for text in told.values()]
    assert " ".join(numbers) == "1st 2nd 3rd 4th 11th 12th 13th 21st 112th"
    assert told[2] == "queued, 2nd in line"
    assert queued_text(0) == "queued, waiting: its program has ended"


def test_a_condition_of_sql() -> None:
    assert state_in(lambda state: state.is_pending) == "state IN ('submitted', 'completed')"


def _may_list(path: str) -> bool:
    return path.endswith(MAY_LIST) or "/sandbox/" in path  # a provider has states of its own


def _state(node: ast.expr) -> str | None:
    """The state that an expression names: `JobState.STORED`, its `.value`, "stored"."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and node.value in NAMES else None
    if isinstance(node, ast.Attribute) and node.attr == "value":
        return _state(node.value)
    named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "JobState"
    return node.attr.lower() if named else None


def lists_in_python(text: str) -> Iterator[str]:
    """Source of tuples, lists and sets that hold two states or more and nothing else, and of such conditions in SQL."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and len(node.elts) > 1 and all(map(_state, node.elts)):
            yield ast.unparse(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"state (?:NOT )?IN \([^)]*\)", node.value)


def lists_in_javascript(text: str) -> Iterator[str]:
    for found in re.findall(r"\[[^\[\]]*\]", text):
        names = re.findall(r"\"(\w+)\"", found)
        if len(names) > 1 and NAMES.issuperset(names):
            yield found


def test_states_are_listed_in_one_place() -> None:
    """A second list would be forgotten when a state is added, or be another one by a slip."""
    python = [path for path in (PACK / "nodes").rglob("*.py") if not _may_list(path.as_posix())]
    found = {path.name: list(lists_in_python(path.read_text(encoding="utf-8"))) for path in python}
    found |= {path.name: list(lists_in_javascript(path.read_text(encoding="utf-8"))) for path in PACK.glob("js/*.*js")}
    assert {name: lists for name, lists in found.items() if lists} == {}


def test_lists_are_recognised() -> None:
    python = 'a = (JobState.STORED, JobState.LOST)\nb = {"failed", "lapsed"}\nc = f"state IN (\'lost\') AND {d}"\n'
    assert list(lists_in_python(python)) == [
        "(JobState.STORED, JobState.LOST)",
        "{'failed', 'lapsed'}",
        "state IN ('lost')",
    ]
    assert list(lists_in_python('a = ("failed", "other")\nb = ("failed",)\n')) == []
    assert list(lists_in_javascript('const a = ["stored", "lost"], b = ["", "stored"];')) == ['["stored", "lost"]']
