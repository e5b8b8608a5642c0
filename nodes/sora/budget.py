"""The owner's caps on spending, which no workflow can raise: so much a day, so much a job."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BudgetReached

DAY_S = 86_400.0
USD_PER_DAY = 20.0
USD_PER_JOB = 5.0


@dataclass(frozen=True)
class Budget:
    """Caps in dollars. A day is the last 24 hours: no midnight at which twice as much can be spent."""

    usd_per_day: float = USD_PER_DAY
    usd_per_job: float = USD_PER_JOB

    def counted(self, estimated_usd: float | None) -> float:
        """What a job counts for: its estimated price; one whose price nobody knows counts as the cap of a job."""
        return self.usd_per_job if estimated_usd is None else estimated_usd

    def check(self, estimated_usd: float | None, spent_usd: float) -> None:
        """BudgetReached if the job is too dear, or too dear after the `spent_usd` of the last 24 hours."""
        price = self.counted(estimated_usd)
        if estimated_usd is None and price <= 0:
            raise BudgetReached(
                "The owner's budget allows nothing per job, and nobody knows what this one costs.",
                advice=_raise("PER_JOB"),
            )
        if price <= 0:
            return
        about = "at an unknown price, which counts as" if estimated_usd is None else "at about"
        if _over(price, self.usd_per_job):
            raise BudgetReached(
                f"This job is over the owner's budget: {about} ${price:.2f} it exceeds the ${self.usd_per_job:.2f} "
                f"allowed per job by ${price - self.usd_per_job:.2f}.",
                advice=_raise("PER_JOB"),
            )
        if _over(spent_usd + price, self.usd_per_day):
            raise BudgetReached(
                f"The owner's budget of the day is used up: ${spent_usd:.2f} of ${self.usd_per_day:.2f} were spent or "
                f"are in flight in the last 24 hours, and this job, {about} ${price:.2f}, exceeds it by "
                f"${spent_usd + price - self.usd_per_day:.2f}.",
                advice=f"Room comes back 24 hours after each purchase. {_raise('PER_DAY')}",
            )


def _over(usd: float, cap: float) -> bool:
    return usd - cap > 1e-6  # sums of cents are not exact


def _raise(cap: str) -> str:
    return f"The machine's owner can raise it: SORA_BUDGET_USD_{cap}, or [budget] usd_{cap.lower()} in settings.toml."
