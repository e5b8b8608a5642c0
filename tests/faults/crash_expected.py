"""What each point at which a purchase is killed leaves behind, and which of them are played where."""

from __future__ import annotations

# point -> (what the ledger says after the kill, how many jobs the gateway then has). "sent" is reserved, and the
# request may be on its way: that is what the second run must call unknown.
EXPECTED: dict[str, tuple[str, set[int]]] = {
    "reference written, not renamed": ("none", {0}),
    "before reserve": ("none", {0}),
    "row written, not committed": ("none", {0}),
    "reserved": ("reserved", {0}),
    "sending written, not committed": ("reserved", {0}),
    "sending": ("sent", {0}),
    "connected": ("sent", {0}),
    "headers sent": ("sent", {0}),
    "half of the body sent": ("sent", {0}),
    "whole body sent": ("sent", {0, 1}),  # the dead process's connection may be reset before the gateway reads it
    "busy, not noted": ("sent", {0}),
    "busy, noted": ("reserved", {0}),
    "answer there, not read": ("sent", {1}),
    "answer read, not stored": ("sent", {1}),
    "id written, not committed": ("sent", {1}),
    "submitted": ("submitted", {1}),
    "before the first poll": ("submitted", {1}),
    "poll answered, not observed": ("submitted", {1}),
    "completed seen, not observed": ("submitted", {1}),
    "completed observed": ("completed", {1}),
    "download opened": ("completed", {1}),
    "first bytes downloaded": ("completed", {1}),
    "half downloaded": ("completed", {1}),
    "last byte, before fsync": ("completed", {1}),
    "on disk, before the check": ("completed", {1}),
    "checked, before the rename": ("completed", {1}),
    "renamed": ("completed", {1}),
    "receipt written, not renamed": ("completed", {1}),
    "before stored": ("completed", {1}),
    "stored written, not committed": ("completed", {1}),
    "stored": ("stored", {1}),
}
WITH_REFERENCE = [
    "reference written, not renamed", "reserved", "half of the body sent", "whole body sent", "answer there, not read",
    "half downloaded",
]  # fmt: skip
# Each state of the ledger, and each step between two: what a dead machine's open transaction, its silence and its claim
# to the job mean to another machine.
ON_A_FARM = [
    "row written, not committed", "reserved", "sending written, not committed", "sending", "half of the body sent",
    "answer there, not read", "answer read, not stored", "id written, not committed", "submitted",
    "poll answered, not observed", "completed observed", "half downloaded", "checked, before the rename", "renamed",
    "before stored", "stored written, not committed", "stored",
]  # fmt: skip

Case = tuple[str, bool]  # (point, whether an image goes up with the job)
CASES: dict[str, list[Case]] = {
    "sqlite": [(point, False) for point in EXPECTED if point != WITH_REFERENCE[0]]
    + [(point, True) for point in WITH_REFERENCE],
    "postgresql": [(point, False) for point in ON_A_FARM] + [(point, True) for point in WITH_REFERENCE[:2]],
}
