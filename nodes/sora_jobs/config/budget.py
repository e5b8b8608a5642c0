"""The owner's caps on spending, which no workflow can raise: so much a day, so much a job."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BudgetExceededError

DAY_S = 86_400.0
USD_PER_DAY = 20.0
USD_PER_JOB = 5.0
OWNER = "The machine's owner can raise it"


@dataclass(frozen=True)
class Budget:
    """Caps in dollars. A day is the last 24 hours: no midnight at which twice as much can be spent. On a farm `machine`
    is the one whose owner set them."""

    usd_per_day: float = USD_PER_DAY
    usd_per_job: float = USD_PER_JOB
    machine: str = ""

    def counted(self, estimated_usd: float | None) -> float:
        """What a job counts for: its estimated price; one whose price nobody knows counts as the cap of a job."""
        return self.usd_per_job if estimated_usd is None else estimated_usd

    def sum_usd(self, known_usd: float, unknown: int) -> float:
        """The same for many: those with a price come to `known_usd`, and there are `unknown` others."""
        return known_usd + unknown * self.usd_per_job

    def check(self, estimated_usd: float | None, spent_usd: float) -> None:
        """BudgetExceededError if the job is too dear, or too dear after the `spent_usd` of the last 24 hours."""
        price = self.counted(estimated_usd)
        if estimated_usd is None and price <= 0:
            raise BudgetExceededError(
                f"The owner's budget allows nothing per job, and the price of this job is unknown.{self._whose}",
                hint=self._raise("PER_JOB"),
                code="budget_per_job",
            )
        if price <= 0:
            return
        about = "at an unknown price, which counts as" if estimated_usd is None else "at about"
        if _over(price, self.usd_per_job):
            raise BudgetExceededError(
                f"This job is over the owner's budget: {about} ${price:.2f} it exceeds the ${self.usd_per_job:.2f} "
                f"allowed per job by ${price - self.usd_per_job:.2f}.{self._whose}",
                hint=self._raise("PER_JOB"),
                code="budget_per_job",
            )
        if _over(spent_usd + price, self.usd_per_day):
            raise BudgetExceededError(
                f"The owner's budget of the day is used up: ${spent_usd:.2f} of ${self.usd_per_day:.2f} were spent or "
                f"are in flight in the last 24 hours, and this job, {about} ${price:.2f}, exceeds it by "
                f"${spent_usd + price - self.usd_per_day:.2f}.{self._whose}",
                hint=f"Room comes back 24 hours after each purchase. {self._raise('PER_DAY')}",
                code="budget_per_day",
            )

    @property
    def _whose(self) -> str:
        return f" This cap is set on the machine {self.machine}." if self.machine else ""

    def _raise(self, cap: str) -> str:
        who = f"The owner of the machine {self.machine} can raise it there"
        names = f"SORA_BUDGET_USD_{cap}, or [budget] usd_{cap.lower()} in settings.toml"
        return f"{who if self.machine else OWNER}: {names}."


@dataclass(frozen=True)
class Spending:
    """The last 24 hours. Of all caps that count here `per_day` leaves the least room, which is with `usd` spent, and
    `per_job` is the lowest."""

    usd: float
    per_day: Budget
    per_job: Budget

    def __str__(self) -> str:
        """For a person, with the machines that set the caps on a farm."""
        day, job = (f" (set on {cap.machine})" if cap.machine else "" for cap in (self.per_day, self.per_job))
        return (
            f"${self.usd:.2f} of ${self.per_day.usd_per_day:.2f}{day} in 24 hours; at most "
            f"${self.per_job.usd_per_job:.2f} per job{job}"
        )


def _over(usd: float, cap: float) -> bool:
    return usd - cap > 1e-6  # sums of cents are not exact
