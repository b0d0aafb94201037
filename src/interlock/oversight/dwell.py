"""How long a person looked at a review before they answered: what an auditor asks of every approval.

A claim says it exactly: from then on somebody had it before them. Who answers without a claim has at least read the
review; when they did so first is known to the process that showed it to them, and to no other. Where nothing is
known, the entry says that, and no number stands for it.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from interlock.oversight.review import Review

MOST_READINGS = 10_000
"""How many readings a process remembers; of more, the oldest are forgotten."""


class Readings:
    """When who first read which review, as far as this process showed it to them.

    Args:
        most: How many are remembered.
    """

    def __init__(self, most: int = MOST_READINGS) -> None:
        self._most = most
        self._first: OrderedDict[tuple[UUID, str], datetime] = OrderedDict()

    def note(self, review: UUID, who: str, now: datetime) -> None:
        """Remember that somebody reads a review; only the first time counts."""
        self._first.setdefault((review, who), now)
        if len(self._first) > self._most:
            self._first.popitem(last=False)

    def first(self, review: UUID, who: str) -> datetime | None:
        """When somebody first read a review, if this process knows it."""
        return self._first.get((review, who))


READINGS = Readings()
"""Those of this process."""


def dwell_facts(review: Review, who: str, read_at: datetime | None, now: datetime) -> dict[str, Any]:
    """What the entry of a resolution says of the time before it.

    Args:
        review: As it was before the resolution.
        who: Who resolves it.
        read_at: When they first read it, if that is known.
        now: When it is resolved.

    Returns:
        ``looked_since``, ``dwell_ms``, and ``dwell_of``: ``claim``, ``reading``, or ``unknown``, the others None.
    """
    claimed = review.claimed_at if review.claimed_by == who else None
    since = claimed or read_at
    if since is None:
        return {"looked_since": None, "dwell_ms": None, "dwell_of": "unknown"}
    dwell = max(now - since, timedelta(0)) // timedelta(milliseconds=1)
    return {"looked_since": since, "dwell_ms": dwell, "dwell_of": "claim" if claimed else "reading"}
