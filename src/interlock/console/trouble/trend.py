"""How often exceptions of a cause arrive: a small line for the last seven days and the last 24 hours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

import msgspec

from interlock.console.trouble.store import Arrived

DAYS, HOURS = 7, 24
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WIDTH, HEIGHT = 96.0, 24.0
_PAD = 2.0


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Arrivals in equal steps of time.

    Attributes:
        counts: The oldest first.
        points: The line, as SVG has it, in a field of 96 by 24.
        says: The same in words.
    """

    counts: tuple[int, ...]
    points: str
    says: str

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts)


def trends(arrived: Iterable[Arrived], steps: int, unit: str) -> Mapping[UUID, Trend]:
    """The trend of each cause.

    Args:
        arrived: Counts by cause and step.
        steps: How many steps there are.
        unit: What one is, in words: ``day``, ``hour``.
    """
    counts: dict[UUID, list[int]] = {}
    for one in arrived:
        row = counts.setdefault(one.fingerprint, [0] * steps)
        row[min(max(one.place, 0), steps - 1)] += one.arrived
    return {cause: trend_of(tuple(row), unit) for cause, row in counts.items()}


def trend_of(counts: tuple[int, ...], unit: str) -> Trend:
    """One trend."""
    top = max(*counts, 1)
    apart = (WIDTH - 2 * _PAD) / max(len(counts) - 1, 1)
    points = " ".join(
        f"{_PAD + place * apart:.1f},{HEIGHT - _PAD - (HEIGHT - 2 * _PAD) * count / top:.1f}"
        for place, count in enumerate(counts)
    )
    says = f"{sum(counts)} in {len(counts)} {unit}s, {counts[-1]} in the last"
    return Trend(counts=counts, points=points, says=says)


NONE = {"day": trend_of((0,) * DAYS, "day"), "hour": trend_of((0,) * HOURS, "hour")}
"""Of a cause of which none arrived in that time."""
