"""What breaks inside OpenCV or PyAV is an error of ours, whatever they raise."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..errors import MediaError, SoraError

P = ParamSpec("P")
R = TypeVar("R")

CHECK_HINT = (
    "`sora doctor` decodes a test clip with OpenCV and with PyAV. If both are ok, it is this input that they cannot "
    "process: please report it."
)
LONGEST_REASON = 300  # letters of another program's error


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """A function that raises nothing but errors of the tree, CancelledError, and what is no Exception (an interrupt).

    Anything else is a MediaError with it as its cause, which names the file if that is the first argument.
    """

    @functools.wraps(function)
    def told(*args: P.args, **keywords: P.kwargs) -> R:
        try:
            return function(*args, **keywords)
        except (SoraError, concurrent.futures.CancelledError):
            raise
        except Exception as error:  # whatever a library raises for a file that it does not get on with
            raise trouble(error, args[0] if args else "") from error

    return told


def trouble(error: Exception, what: object = "") -> MediaError:
    """The error to be raised for what a library raised while it handled the file, or the input, `what`."""
    name = Path(what).name if isinstance(what, str | Path) and str(what) else "This input"
    if isinstance(error, MemoryError):
        return MediaError(
            f"{name} does not fit in memory.",
            hint="Choose fewer or smaller frames, free memory first, or set memory = disk.",
            code="out_of_memory",
        )
    words = " ".join(str(error).split())[:LONGEST_REASON]
    return MediaError(f"{name} could not be processed ({type(error).__name__}: {words}).", hint=CHECK_HINT)
