"""The flag that the page's Cancel button sets. As in ComfyUI, the first one who looks takes it down."""

from __future__ import annotations

import threading

_mutex = threading.RLock()
_interrupted = False


class InterruptProcessingException(BaseException):
    """The prompt was interrupted; not an Exception, so that no node swallows it by accident."""


def interrupt_current_processing(value: bool = True) -> None:
    global _interrupted
    with _mutex:
        _interrupted = value


def processing_interrupted() -> bool:
    with _mutex:
        return _interrupted


def throw_exception_if_processing_interrupted() -> None:
    global _interrupted
    with _mutex:
        if _interrupted:
            _interrupted = False
            raise InterruptProcessingException
