"""What a test asserts of an error: its class, its code and the charge. One table, wording.toml, keeps the wording."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WORDING: dict[str, str] = tomllib.loads(Path(__file__).with_name("wording.toml").read_text(encoding="utf-8"))


@contextmanager
def failing(kind: type[Any], code: str, *names: object, charge: str = "") -> Iterator[pytest.ExceptionInfo[Any]]:
    """The block raises that class of error with that `code`, and its text names each of `names`: offending values,
    files, limits, the words of a gateway (whose codes are not in the table). `charge` is none, perhaps or spent; left
    out, it is the class's own. Yields what pytest.raises does.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    _check(error.code, str(error), code, names)
    assert error.charge == (charge or kind.charge), error.charge


def failed_as(answer: Mapping[str, Any], code: str, *names: object) -> None:
    """The JSON of a command that failed: its `code`, whose wording its text has, and `names` as for `failing`."""
    _check(answer["code"], answer["text"], code, names)


def _check(found: str, text: str, code: str, names: Iterable[object]) -> None:
    assert found == code, f"{found!r}: {text}"
    assert re.search(WORDING.get(code, ""), text), f"{WORDING[code]!r} is not in: {text}"
    for name in names:
        assert str(name) in text, f"{name!s} is not in: {text}"
