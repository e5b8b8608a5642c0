"""The value that stops what is linked behind it."""

from __future__ import annotations


class ExecutionBlocker:
    """An output that nobody may use: nodes behind it do not run. Without a message nothing is reported."""

    def __init__(self, message: str | None) -> None:
        self.message = message
