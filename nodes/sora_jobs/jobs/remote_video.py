"""A job as its provider shows it, in one form for all of them: what the gateway package makes of a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Phase = Literal["waiting", "running", "done", "failed"]
LONGEST_ID = 1000  # characters; LiteLLM's have some 250


class Reason(Protocol):
    """Why a job failed, as its provider says."""

    @property
    def message(self) -> str: ...

    @property
    def code(self) -> str: ...

    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class RemoteVideo:
    """A job at its provider. `progress` is in percent, 0 to 100, or None; `url` is that of the video file, or ""."""

    id: str
    phase: Phase
    status: str = ""
    progress: float | None = None
    url: str = ""
    complaint: Reason | None = None
    whole: bool = False  # the response shows a video object, not only an id and a status word
    named: bool = False  # the id is a job's by its own looks or by its key, and cannot be the number of the call
    model: str = ""
    seconds: str = ""
    size: str = ""
    prompt: str = ""
    parent: str = ""  # the id of the video that it is a remix of
    references: int | None = None  # images that it was made from; None where the response does not say
    request_id: str = ""
    created_at: float | None = None
    charged_usd: float | None = None  # of a finished one, where its provider is known to say it
