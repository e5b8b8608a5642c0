"""The gateway's video object, made uniform: what the engine knows of a job there, in whatever words it was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Phase = Literal["waiting", "running", "done", "failed"]
LONGEST_ID = 1000  # characters; LiteLLM's have some 250


class Reason(Protocol):
    """Why a job failed, in its gateway's words."""

    @property
    def message(self) -> str: ...

    @property
    def code(self) -> str: ...

    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class RemoteVideo:
    """The gateway's video object, made uniform. `progress` is percent 0..100 or None; `url` a direct address or ""."""

    id: str
    phase: Phase
    status: str = ""
    progress: float | None = None
    url: str = ""
    complaint: Reason | None = None
    whole: bool = False  # the answer shows a video object, not only an id and a status word
    named: bool = False  # the id is a job's by its own looks or by its key, and cannot be the number of the call
    model: str = ""
    seconds: str = ""
    size: str = ""
    prompt: str = ""
    parent: str = ""  # the id of the video that it is a remix of
    references: int | None = None  # images that it was made from; None where the answer does not say
    request_id: str = ""
    created_at: float | None = None
    charged_usd: float | None = None  # of a finished one, where its provider is known to say it
