"""How a row of the table is written: a call, the bytes that came, and what has to become of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sora_jobs.errors import GatewayError, PurchaseUncertainError, RequestRejectedError, SoraError

Call = Literal["create", "retrieve", "list", "content"]

NO_ADDRESS = 0  # seen in a page whose address was not kept, or thought of by us as the harder case of one seen
ASKED = "task_v"  # the id that is asked for


@dataclass(frozen=True)
class Expected:
    """`kind` is what comes back: a job, a list of ids, the film's bytes, or an error of that class.

    `fields` are attributes of it; of a job `complaint` is (code, words), of an error `says` are words of its text.
    """

    kind: type[SoraError] | Literal["job", "ids", "film"]
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """`seen`: numbers of docs/gateway.md, and public addresses where it was seen; else NO_ADDRESS."""

    name: str
    seen: tuple[int | str, ...]
    call: Call
    status: int
    body: bytes
    expected: Expected
    headers: Mapping[str, str]
    url: str = ""  # what was asked, where that matters


def row(
    name: str, seen: int | str | tuple[int | str, ...], call: Call, status: int, body: str | bytes, expected: Expected,
    url: str = "", **headers: str,
) -> Row:  # fmt: skip
    """A row; header names are written with _ for -."""
    return Row(
        name,
        seen if isinstance(seen, tuple) else (seen,),
        call,
        status,
        body.encode() if isinstance(body, str) else body,
        expected,
        {name.replace("_", "-").replace("llm-provider-", "llm_provider-"): value for name, value in headers.items()},
        url,
    )


def job(phase: str, **fields: Any) -> Expected:
    return Expected("job", {"phase": phase, **fields})


def ids(*listed: str) -> Expected:
    return Expected("ids", {"ids": list(listed)})


def film() -> Expected:
    return Expected("film")


def refused(code: str, *, transient: bool = False, **fields: Any) -> Expected:
    """Nothing was bought; `transient`: the same may be sent again by itself."""
    return Expected(RequestRejectedError, {"charge": "none", "code": code, "transient": transient, **fields})


def perhaps(**fields: Any) -> Expected:
    """Never sent again by itself."""
    return Expected(PurchaseUncertainError, {"charge": "possible", **fields})


def trouble(*, transient: bool = True, kind: type[GatewayError] = GatewayError, **fields: Any) -> Expected:
    """The job stays what it is; `transient`: asked again."""
    return Expected(kind, {"transient": transient, **fields})
