"""What past jobs say of a model."""

from __future__ import annotations

from typing import NamedTuple


class ModelEvidence(NamedTuple):
    """When a model last took a job that completed, and when it was last refused as not available: seconds since the
    epoch, 0 for never. When a job was found complete says nothing of that moment."""

    completed: float = 0.0
    refused: float = 0.0
