"""What one consumer has done and what it has under way. Counted, never estimated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """The counts since the consumer began.

    Attributes:
        decided: Messages that became a decision, or had become one before.
        submitted: Messages that became a case, or had become one before, and one that keeps its contract.
        quarantined: Messages that went to quarantine, or were there before; with their cases, too.
        again: Deliveries that failed and were handed back, to be tried again.
    """

    decided: int = 0
    submitted: int = 0
    quarantined: int = 0
    again: int = 0

    @property
    def done(self) -> int:
        """Messages that were acknowledged."""
        return self.decided + self.submitted + self.quarantined
