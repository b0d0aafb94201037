"""What one asking costs: every request counts, also one that failed or whose answer nobody saw. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from interlock.components.component import Tally
from interlock.components.llm.prices import Tariff
from interlock.usage import Usage


class Bill:
    """Counts the requests of one asking into its tally.

    Where it is not known what a request used up, because its answer was lost, tells no usage, or tells more than it
    can have used, the most counts: ``most_input`` and ``max_tokens``. So no asking costs more than was said before.
    Refusals with an error's status cost nothing.

    Args:
        tally: Where it is counted.
        tariff: The prices.
        at: The time of the decision.
        most_output: The most tokens that one answer may have.

    Attributes:
        estimated: How many requests count with the most that they can have used.
    """

    def __init__(self, tally: Tally, tariff: Tariff, at: datetime, most_output: int) -> None:
        self._tally = tally
        self._tariff = tariff
        self._at = at
        self._most_output = most_output
        self.estimated = 0

    def answered(self, usage: Usage | None, most_input: int) -> None:
        """Count a request that was answered; ``most_input``: the most tokens that its prompt can have."""
        # INVARIANT: a provider's word moves no more money than its request could cost.
        if usage is None or usage.input > most_input or usage.output > self._most_output:
            self.lost(most_input)
            return
        self._tally.add(usage, self._tariff.cost(usage, self._at))

    def lost(self, most_input: int) -> None:
        """Count a request whose answer was lost, at the most that it can have cost."""
        self.estimated += 1
        usage = Usage(input=most_input, output=self._most_output, requests=1)
        self._tally.add(usage, self._tariff.cost(usage, self._at))

    def refused(self) -> None:
        """Count a request that was refused; it costs nothing."""
        self._tally.add(Usage(requests=1), Decimal(0))
