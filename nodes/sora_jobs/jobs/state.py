"""The states of a job, and what follows from each: every question about more than one state is answered here, for
Python, SQL (`ledger.rows.state_in`) and the page (`views.history`)."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The state of a purchase; the table in README says what a second run does in each."""

    QUEUED = "queued"  # written down, and waits here for its turn: the provider has as many jobs as it may have
    RESERVED = "reserved"  # written down; the response to the create is not there yet
    SUBMITTED = "submitted"  # the provider gave it an id and works on it
    COMPLETED = "completed"  # rendered there, not yet here
    STORED = "stored"  # its MP4 is on our disk
    REFUSED = "refused"  # nothing was bought
    UNKNOWN = "unknown"  # may have been bought
    FAILED = "failed"  # bought, and ended without a video
    LOST = "lost"  # was unknown; the user gave it up

    @property
    def is_running(self) -> bool:
        """Is its video still to come?"""
        return self.is_open or self is JobState.COMPLETED

    @property
    def is_open(self) -> bool:
        """Is it still open what the provider makes of it?"""
        return self.is_reserved or self is JobState.SUBMITTED

    @property
    def is_reserved(self) -> bool:
        """Is it written down, and does the provider not have it yet, as far as is known?"""
        return self in (JobState.QUEUED, JobState.RESERVED)

    @property
    def is_pending(self) -> bool:
        """Did the provider accept it, and is its video not stored yet?"""
        return self in (JobState.SUBMITTED, JobState.COMPLETED)

    @property
    def is_rendered(self) -> bool:
        """Is there a video of it, at the provider or here?"""
        return self in (JobState.COMPLETED, JobState.STORED)

    @property
    def is_bought(self) -> bool:
        """Was it bought for certain, and did it not fail so far?"""
        return self.is_pending or self is JobState.STORED

    @property
    def is_finished(self) -> bool:
        """Is it certain what became of it, and is nothing more to come?"""
        return self.is_free or self in (JobState.STORED, JobState.FAILED)

    @property
    def is_free(self) -> bool:
        """Does running the same again buy it anew?"""
        return self in (JobState.REFUSED, JobState.LOST)

    @property
    def blocks_purchase(self) -> bool:
        """Does running the same again fail until a person has decided?"""
        return self in (JobState.UNKNOWN, JobState.FAILED)


def queued_text(place: int) -> str:
    """Return the state of a queued job, for a person. `place` in the line: 1 is the next of its provider, 0 is a job
    that nobody sends."""
    if not place:
        return "queued, waiting: its program has ended"
    teen = place % 100 in (11, 12, 13)
    suffix = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"queued, {place}{suffix} in line"


# Where several jobs stand for one purchase, the one that is furthest on its way to a video counts.
FURTHEST_FIRST = (
    JobState.STORED,
    JobState.COMPLETED,
    JobState.SUBMITTED,
    JobState.RESERVED,
    JobState.UNKNOWN,
    JobState.QUEUED,
)
