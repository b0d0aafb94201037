"""A share that was seen, with what it may truly be. Pure."""

from __future__ import annotations

import msgspec

from interlock.oversight.binomial import interval


class Share(msgspec.Struct, frozen=True):
    """So many of so many.

    Attributes:
        hits: How many were.
        of: Of how many.
        low: The lower end of the exact 95 % interval.
        high: Its upper end.
    """

    hits: int
    of: int
    low: float
    high: float

    @property
    def said(self) -> str:
        """In words: ``3 of 40 (2 % to 20 %)``."""
        if not self.of:
            return "none yet"
        return f"{self.hits} of {self.of} ({self.low * 100:.0f} % to {self.high * 100:.0f} %)"


def share_of(hits: int, of: int) -> Share:
    """A share with its interval; of nothing nothing is known."""
    known = interval(hits, of)
    return Share(hits, of, known.low, known.high)
