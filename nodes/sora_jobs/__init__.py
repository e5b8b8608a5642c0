"""Buy videos from providers that speak `/v1/videos`, once each, and never lose one. docs/api.md is the manual.

    from sora_jobs import Engine, VideoRequest

It imports neither ComfyUI nor torch. Importing this package loads nothing else of it: each name below is imported at
its first use. The command line is sora.py in the pack's folder, or `sora` where the package is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors as errors
    from .engine import Engine as Engine
    from .jobs.spec import Job as Job
    from .jobs.spec import Reference as Reference
    from .jobs.spec import VideoRequest as VideoRequest
    from .jobs.state import JobState as JobState

__version__ = "0.1.0"
__all__ = ["Engine", "Job", "JobState", "Reference", "VideoRequest", "errors"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "errors":
        return import_module(".errors", __name__)
    place = {"Engine": ".engine", "JobState": ".jobs.state"}.get(name, ".jobs.spec")
    return getattr(import_module(place, __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
